//! Finds the files that a run's rows are read from.

use super::ExecuteError;
use crate::{
    assets::Library,
    data::DataFiles,
    plan::{DataConfig, Source},
};

/// The files of `data.source`, `data.dev` and `data.test`, downloaded if needed.
///
/// # Errors
/// [`ExecuteError::Sources`] with the key of each file that is missing, refused, unreachable or not as expected.
pub(super) fn data_files(library: &mut Library, config: &DataConfig) -> Result<DataFiles, ExecuteError> {
    let mut missing = Vec::new();
    let mut find = |key, source: &Source, file| match library.data(source, file) {
        Ok(found) => Some(found.path),
        Err(error) => {
            missing.push((key, error));
            None
        }
    };
    let source = find("data.source", &config.source, config.file.as_deref());
    let dev = config.dev.source().and_then(|source| find("data.dev", source, None));
    let test = config.test.source().and_then(|source| find("data.test", source, None));
    match source {
        Some(source) if missing.is_empty() => Ok(DataFiles { source, dev, test }),
        _ => Err(ExecuteError::Sources(missing)),
    }
}
