//! `taper export` of an experiment.

use std::{path::Path, process::ExitCode};

use anyhow::{Result, anyhow};
use taper::{
    export::{ExperimentFormat, Refused, export_experiment},
    format::{command::shell_word, counted, one_line, short},
    store::{Store, StoreError},
};

use super::{Global, Unusable, common, input, output::Output};

/// Up to this many files have a line each.
const LISTED: usize = 30;

/// Writes the measurements of an experiment.
pub fn execute(
    format: &dyn ExperimentFormat,
    wanted: &str,
    dir: &Path,
    global: &Global,
    out: &mut Output,
) -> Result<ExitCode> {
    let store = common::open_existing(global)?;
    let name = common::experiment(&store, wanted).map_err(|error| explained(error, &store, format, wanted))?;
    let files = export_experiment(format, &store, &name, dir).map_err(|e| match e {
        Refused::Failed(e) => anyhow::Error::from(e),
        refused => Unusable(refused.into()).into(),
    })?;
    match (out.json, files.len()) {
        (true, _) => out.document(&files)?,
        (false, 0..=LISTED) => files.iter().try_for_each(|file| out.line(file.display()))?,
        (false, n) => out.line(format!("{} in {}", counted(n as u64, "file"), dir.display()))?,
    }
    let planned = store.experiment(&name)?.runs.len();
    let stored = store.runs_of(&name)?.len();
    if stored < planned && !global.quiet {
        input::note(&format!("{} of the {planned} planned runs are not in it: they have not begun", planned - stored));
    }
    Ok(ExitCode::SUCCESS)
}

/// The error; where the text means a run, with the experiments that have it.
fn explained(error: anyhow::Error, store: &Store, format: &dyn ExperimentFormat, wanted: &str) -> anyhow::Error {
    if !matches!(error.downcast_ref::<StoreError>(), Some(StoreError::UnknownExperiment { .. })) {
        return error;
    }
    let Ok(run) = store.find(wanted) else { return error };
    let format = format.name();
    let exports = match run.experiment.as_ref() {
        Some(name) => format!("`taper export {} DIR --format {format}` exports its experiment", shell_word(name)),
        None => "its experiment was removed".to_string(),
    };
    let (wanted, key) = (one_line(wanted), short(&run.key));
    Unusable(anyhow!("--format {format} exports all runs of an experiment, but `{wanted}` is the run {key}; {exports}"))
        .into()
}
