//! Finds the files that a run's rows are read from.

use super::ExecuteError;
use crate::{
    assets::{DataSet, Library},
    data::DataFiles,
    plan::{DataConfig, HeldOut, Source},
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
    let own = |held_out: &HeldOut| held_out.source().cloned();
    let dev = own(&config.dev).map(|source| find("data.dev", &source, None)).transpose()?;
    let test = own(&config.test).map(|source| find("data.test", &source, None)).transpose()?;
    let (mut dev, mut test) = (Vec::from_iter(dev), Vec::from_iter(test));
    let found = library.data_set(&config.source, &config.part());
    let DataSet { splits, config: _, mut classes } =
        found.map_err(|error| ExecuteError::Source { key: "data.source", error })?;
    let mut splits = splits.into_iter();
    let source = splits.next().unwrap_or_default();
    // What follows the training rows are the splits that `data.splits` names, in this order.
    if let Some(named) = &config.splits {
        for (split, _) in named.named().skip(1) {
            match (split, splits.next()) {
                ("dev", Some(files)) => dev = files,
                (_, Some(files)) => test = files,
                (_, None) => {}
            }
        }
    }
    Ok(DataFiles { source, dev, test, classes: classes.remove(&config.label_column) })
}
