//! Probe sentences that were added to a spec after its runs were made: scored without training again.

use super::{ExecuteError, Prepared, RunFolder, Runner, run::load};
use crate::{
    engine::engine,
    event::{Event, When},
    model::{Parameters, read_weights},
    observe::RunInfo,
    store::{ProbeRecord, Store},
    train::score_probes,
};

/// Scores the probes of a completed run with its first and its kept weights, where the stored scores are of other probes.
///
/// Tells whether there was anything to do.
pub(super) fn catch_up(
    store: &Store,
    run: &Prepared,
    runner: &mut Runner,
    info: &RunInfo,
) -> Result<bool, ExecuteError> {
    let stored = store.probes(&run.key)?;
    let model = RunFolder::new(runner.runs, &run.key).model().join("model.safetensors");
    if up_to_date(&stored, run) || !model.is_file() {
        return Ok(false);
    }
    let labels = &run.dataset.labels;
    let kept = Parameters::load(&run.shape, labels.len(), read_weights(&model)?, &model, 0)?;
    let last = store.run(&run.key)?.steps;
    for (when, step, loaded) in [(When::Before, 0, load(run)?), (When::After, last, kept)] {
        let mut engine = engine(&run.shape, loaded.parameters, &(&run.config.train).into(), &runner.device)?;
        let scores = score_probes(engine.as_mut(), &run.probes, labels)?;
        runner.listener.on(info, &Event::ProbesScored { when, step, scores })?;
    }
    Ok(true)
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
