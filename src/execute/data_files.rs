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
/// [`ExecuteError::Source`] with the key of the file that is missing, refused, unreachable or not as expected.
pub(super) fn data_files(library: &mut Library, config: &DataConfig) -> Result<DataFiles, ExecuteError> {
    let mut find = |key, source: &Source, file| match library.data(source, file) {
        Ok(found) => Ok(found.path),
        Err(error) => Err(ExecuteError::Source { key, error }),
    };
    let source = find("data.source", &config.source, config.file.as_deref())?;
    let dev = config.dev.source().map(|source| find("data.dev", source, None)).transpose()?;
    let test = config.test.source().map(|source| find("data.test", source, None)).transpose()?;
    Ok(DataFiles { source, dev, test })
}
