//! Reads what is stored of an experiment for its report.

use std::collections::HashMap;

use anyhow::Result;
use taper::{
    report::{ReportInput, RunInput},
    store::{RunRecord, RunState, Store},
};

/// The records of an experiment.
pub fn records(store: &Store, experiment: &str) -> Result<ReportInput> {
    Records::default().read(store, experiment)
}

/// The records of an experiment that is read several times: those of ended runs are read once.
#[derive(Default)]
pub struct Records(HashMap<String, RunInput>);

impl Records {
    /// Reads what may have changed since the last time.
    pub fn read(&mut self, store: &Store, experiment: &str) -> Result<ReportInput> {
        let experiment = store.experiment(experiment)?;
        let mut runs = Vec::new();
        for run in store.runs_of(&experiment.name)? {
            let known = self.0.remove(&run.key).filter(|known| known.run == run && has_ended(&run));
            runs.push(known.map_or_else(|| of_run(store, run), Ok)?);
        }
        self.0 = runs.iter().map(|run| (run.run.key.clone(), run.clone())).collect();
        Ok(ReportInput { experiment, runs })
    }
}

/// Whether nothing more is stored of a run unless its record changes.
fn has_ended(run: &RunRecord) -> bool {
    matches!(run.state, RunState::Completed | RunState::Failed | RunState::Pruned)
}

fn of_run(store: &Store, run: RunRecord) -> Result<RunInput> {
    Ok(RunInput {
        steps: store.steps(&run.key)?,
        evals: store.evals(&run.key)?,
        probes: store.probes(&run.key, &run.config.probes)?,
        predictions: store.predictions(&run.key, run.measured_on())?,
        warnings: store.warnings(&run.key)?,
        audit: store.audit(&run.key)?,
        run,
    })
}
