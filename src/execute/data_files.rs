//! Finds the files that a run's rows are read from.

use super::ExecuteError;
use crate::{
    assets::{DataSet, Library},
    data::DataFiles,
    plan::{DataConfig, HeldOut, Source},
    task::Task,
};

/// The files of `data.source`, `data.dev` and `data.test`, downloaded if needed.
///
/// # Errors
/// [`ExecuteError::Sources`] with the key of each file that is missing, refused, unreachable or not as expected.
pub(super) fn data_files(library: &mut Library, config: &DataConfig) -> Result<DataFiles, ExecuteError> {
    let mut missing = Vec::new();
    let set = library.data_set(&config.source, &config.part());
    let set = set.map_err(|error| missing.push(("data.source", error))).ok();
    let mut find = |key, source: &Source, file| match library.data(source, file) {
        Ok(found) => Some(found.path),
        Err(error) => {
            missing.push((key, error));
            None
        }
    };
    let own = |held_out: &HeldOut| held_out.source().cloned();
    let dev = own(&config.dev).and_then(|source| find("data.dev", &source, None));
    let test = own(&config.test).and_then(|source| find("data.test", &source, None));
    let (mut dev, mut test) = (Vec::from_iter(dev), Vec::from_iter(test));
    let Some(DataSet { splits, config: _, mut classes }) = set.filter(|_| missing.is_empty()) else {
        return Err(ExecuteError::Sources(missing));
    };
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
    let classes = match config.task() {
        Task::SingleLabel | Task::MultiLabel => classes.remove(&config.label_column),
        // A number means itself.
        Task::Regression => None,
    };
    Ok(DataFiles { source, dev, test, classes })
}
