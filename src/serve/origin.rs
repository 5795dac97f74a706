//! Where models come from.

use std::path::PathBuf;

use crate::{
    execute::{Classifier, ExecuteError},
    plan::Precision,
};

/// Where a model comes from.
pub struct Origin {
    /// The name by which requests name it.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Whether it reads two texts, where that is known.
    pub pairs: Option<bool>,
    /// Precision of the inputs of its matrix products.
    pub precision: Precision,
    /// Loads it; called again when its files change.
    pub load: Box<dyn Fn() -> Result<Classifier, ExecuteError> + Send + Sync>,
}
