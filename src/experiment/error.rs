//! What keeps an experiment from its plan or its runs.

use crate::{
    assets::AssetError, execute::ExecuteError, observe::ObserveError, plan::PlanError, spec::SpecErrors,
    store::StoreError,
};

/// What keeps an experiment from its plan or its runs.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The spec.
    #[error(transparent)]
    Spec(#[from] SpecErrors),
    /// What the spec says of runs, their data and models, all of it: nothing was trained, and nothing stored.
    #[error("{0}")]
    Refused(String),
    /// The lock of its sources, or the settings for downloads.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// The store cannot be opened.
    #[error(transparent)]
    NoStore(StoreError),
    /// The store, while it was in use.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Around a run.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A listener.
    #[error(transparent)]
    Observe(#[from] ObserveError),
}

impl ExperimentError {
    /// Whether nothing was begun: the spec, its data or the store cannot be used.
    pub fn is_unusable(&self) -> bool {
        matches!(self, Self::Spec(_) | Self::Refused(_) | Self::Asset(_) | Self::NoStore(_))
    }

    /// Problems that are each other's equals, one a paragraph.
    pub(super) fn refused(problems: &[String], between: &str) -> Self {
        Self::Refused(problems.join(between))
    }
}

impl From<PlanError> for ExperimentError {
    fn from(error: PlanError) -> Self {
        Self::Refused(error.to_string())
    }
}
