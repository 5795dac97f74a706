//! The spec of a stored experiment, read again.

use std::path::Path;

use crate::{
    spec::{LoadOptions, LoadedSpec},
    store::ExperimentRecord,
};

/// The spec file of an experiment with the arguments of its last run, as it is now; `None` if it cannot be read any more.
pub fn last_spec(experiment: &ExperimentRecord) -> Option<LoadedSpec> {
    let mut options = LoadOptions::default();
    for pair in experiment.arguments.chunks(2) {
        match pair {
            [option, value] if option == "--profile" => options.profile = Some(value.clone()),
            [option, value] if option == "--set" => options.sets.push(value.clone()),
            _ => {}
        }
    }
    LoadedSpec::load(Path::new(&experiment.spec_path), &options).ok()
}

/// The same, if it still says what it said then.
pub(super) fn unchanged_spec(experiment: &ExperimentRecord) -> Option<LoadedSpec> {
    let spec = last_spec(experiment)?;
    let was = experiment.extends.iter().map(|file| file.text.as_str());
    let is_same = spec.text() == experiment.spec_text && spec.extends().map(|(_, text)| text).eq(was);
    is_same.then_some(spec)
}
