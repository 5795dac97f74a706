//! Which key of a spec an error is about.

use super::PlanError;

impl PlanError {
    /// The key of a spec that is wrong.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Source { key, .. } | Self::TooLarge { key, .. } => Some(key),
            Self::Betas { .. } => Some("train.betas"),
            Self::UnevenZip { .. } => Some("sweep.zip"),
            Self::NoTrials => Some("sweep.search"),
            Self::NothingLeft { .. } => Some("sweep.exclude"),
            // Several lines may be meant, or the message names an axis.
            Self::SweptTwice { .. }
            | Self::EmptyAxis { .. }
            | Self::RangeInGrid { .. }
            | Self::TooManyPoints { .. } => None,
        }
    }
}
