//! Scores probe sentences that were added to a spec after its runs were trained.

use std::path::Path;

use super::{ExecuteError, Prepared, RunFolder, connection::Connection, decision_file, train_run::load_weights};
use crate::{
    engine::{Device, Recipe, engine},
    event::{Event, When},
    model::Parameters,
    store::Store,
    task::Decision,
    train::score_probes,
};

/// Whether a completed run has a model, and probes without stored scores.
pub(super) fn are_new(store: &Store, run: &Prepared, runs: &Path) -> Result<bool, ExecuteError> {
    let stored = store.probes(&run.key, &run.config.probes)?;
    let scored = |when: When| stored.iter().filter(|record| record.when == when).count() == run.config.probes.len();
    Ok(!(scored(When::Before) && scored(When::After)) && weights(runs, run).is_file())
}

fn weights(runs: &Path, run: &Prepared) -> std::path::PathBuf {
    RunFolder::new(runs, &run.key).model().join("model.safetensors")
}

/// Scores the probes with the initial and the kept weights, and reports the scores.
pub(super) fn score(
    run: &Prepared,
    runs: &Path,
    last_step: u64,
    device: &Device,
    connection: &Connection,
) -> Result<(), ExecuteError> {
    let (task, labels) = (run.config.data.task(), &run.dataset.labels);
    let kept = Parameters::restore(&run.shape, labels, &weights(runs, run))?;
    let decision = decision_file::read(&RunFolder::new(runs, &run.key).model(), labels)?;
    let of_weights = [
        (When::Before, 0, load_weights(run)?.parameters, Decision::default()),
        (When::After, last_step, kept, decision),
    ];
    for (when, step, parameters, decision) in of_weights {
        let mut engine = engine(&run.shape, parameters, &Recipe::new(task, &run.config.train), device)?;
        let scores = score_probes(task, engine.as_mut(), &run.probes, labels, &decision)?;
        let sent = connection.emit(Event::ProbesScored { when, step, scores });
        sent.map_err(|e| ExecuteError::Setting(format!("the taper process that started this worker has exited: {e}")))?;
    }
    Ok(())
}
