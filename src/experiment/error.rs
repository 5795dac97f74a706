//! Errors of planning and running experiments.

use crate::{
    assets::AssetError, execute::ExecuteError, observe::ObserveError, plan::PlanError, spec::SpecErrors,
    store::StoreError,
};

/// An error of planning or running an experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The spec is invalid.
    #[error(transparent)]
    Spec(#[from] SpecErrors),
    /// All problems with runs, their data and models: nothing was trained or stored.
    #[error("{0}")]
    Refused(String),
    /// The lock or the download settings are invalid.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// The store cannot be opened.
    #[error(transparent)]
    NoStore(StoreError),
    /// The store failed during use.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Executing runs failed.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// A listener failed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
}

impl ExperimentError {
    /// Whether nothing was started: the spec, its data or the store cannot be used.
    pub fn is_unusable(&self) -> bool {
        matches!(self, Self::Spec(_) | Self::Refused(_) | Self::Asset(_) | Self::NoStore(_))
    }

    /// Joins problems, each in its own paragraph.
    pub(super) fn refused(problems: &[String], between: &str) -> Self {
        Self::Refused(problems.join(between))
    }
}

impl From<PlanError> for ExperimentError {
    fn from(error: PlanError) -> Self {
        Self::Refused(error.to_string())
    }
}
