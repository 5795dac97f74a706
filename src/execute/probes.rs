//! Probe sentences that were added to a spec after its runs were made: scored without training again.

use std::path::Path;

use super::{ExecuteError, Prepared, RunFolder, line::Line, make::load};
use crate::{
    engine::{Device, Recipe, engine},
    event::{Event, When},
    model::Parameters,
    store::{ProbeRecord, Store},
    train::score_probes,
};

/// Whether a completed run has a model and probes that it has not scored.
pub(super) fn are_new(store: &Store, run: &Prepared, runs: &Path) -> Result<bool, ExecuteError> {
    Ok(!up_to_date(&store.probes(&run.key)?, run) && weights(runs, run).is_file())
}

fn weights(runs: &Path, run: &Prepared) -> std::path::PathBuf {
    RunFolder::new(runs, &run.key).model().join("model.safetensors")
}

/// Scores the probes with the first and the kept weights, and reports them.
pub(super) fn score(
    run: &Prepared,
    runs: &Path,
    last_step: u64,
    device: &Device,
    line: &Line,
) -> Result<(), ExecuteError> {
    let (task, labels) = (run.config.data.task(), &run.dataset.labels);
    let kept = Parameters::restore(&run.shape, labels, &weights(runs, run))?;
    for (when, step, parameters) in [(When::Before, 0, load(run)?.parameters), (When::After, last_step, kept)] {
        let mut engine = engine(&run.shape, parameters, &Recipe::new(task, &run.config.train), device)?;
        let scores = score_probes(task, engine.as_mut(), &run.probes, labels)?;
        let told = line.event(Event::ProbesScored { when, step, scores });
        told.map_err(|e| ExecuteError::Setting(format!("the command is gone: {e}")))?;
    }
    Ok(())
}

/// Whether every probe of the spec is scored as it stands there.
fn up_to_date(stored: &[ProbeRecord], run: &Prepared) -> bool {
    run.probes.iter().enumerate().all(|(position, probe)| {
        let same = |r: &&ProbeRecord| {
            r.score.position as usize == position && r.score.text == probe.text && r.score.expect == probe.expect
        };
        stored.iter().filter(same).count() >= 2
    })
}
