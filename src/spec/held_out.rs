//! Where the rows of the dev and test splits come from.

use serde::{Deserialize, Serialize};

use crate::source::Source;

/// `data.dev` or `data.test`: a share of the rows of `data.source`, or a file of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum HeldOut {
    /// This fraction of the rows of `data.source`; 0: none.
    Share(f64),
    /// All rows of this file.
    Source(Source),
}

impl HeldOut {
    /// The fraction of the rows of `data.source`; 0 for a file of its own.
    pub fn share(&self) -> f64 {
        match self {
            Self::Share(share) => *share,
            Self::Source(_) => 0.0,
        }
    }

    /// The file of its own, if it has one.
    pub fn source(&self) -> Option<&Source> {
        match self {
            Self::Share(_) => None,
            Self::Source(source) => Some(source),
        }
    }

    /// The same, to be changed.
    pub fn source_mut(&mut self) -> Option<&mut Source> {
        match self {
            Self::Share(_) => None,
            Self::Source(source) => Some(source),
        }
    }

    /// Whether it holds out no rows.
    pub fn is_none(&self) -> bool {
        self.share() <= 0.0 && self.source().is_none()
    }
}

impl From<f64> for HeldOut {
    fn from(share: f64) -> Self {
        Self::Share(share)
    }
}

/// `data.splits`: the values of `data.split_column` that name each split.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitValues {
    /// Of the rows to train on. Empty only in a spec that is refused for it.
    #[serde(default)]
    pub train: String,
    /// Of the rows that choose the checkpoint; if absent, `data.dev` says where they come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dev: Option<String>,
    /// Of the rows that are only evaluated; if absent, `data.test` says where they come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
}

impl SplitValues {
    /// Each split that has a value, with it.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let optional = [("dev", &self.dev), ("test", &self.test)];
        let optional = optional.into_iter().filter_map(|(split, value)| Some((split, value.as_deref()?)));
        std::iter::once(("train", self.train.as_str())).chain(optional)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stored configs hold a number for a share.
    #[test]
    fn a_share_is_a_number_and_a_file_its_source() {
        for (text, expected) in [
            ("0.2", HeldOut::Share(0.2)),
            ("0", HeldOut::Share(0.0)),
            ("\"path:a.csv\"", HeldOut::Source("path:a.csv".parse().unwrap())),
        ] {
            assert_eq!(serde_json::from_str::<HeldOut>(text).unwrap(), expected, "{text}");
        }
        assert_eq!(serde_json::to_string(&HeldOut::Share(0.2)).unwrap(), "0.2");
        assert!(serde_json::from_str::<HeldOut>("\"a.csv\"").is_err());
        assert_eq!([HeldOut::from(0.0), 0.1.into()].map(|held| held.is_none()), [true, false]);
    }
}
