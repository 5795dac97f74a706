//! Reads the records of a report.

use super::{
    LAST_STEPS,
    curves::{Chosen, chosen},
    fold_rows::FoldRows,
    input::{ReportInput, RunInput},
    row_names::RowNames,
};
use crate::store::{EvalRecord, ExperimentRecord, RunRecord, Store, StoreError};

impl ReportInput {
    /// Everything that the report of an experiment needs. Steps and predictions are by far the largest part of what is stored: they are read
    /// for the trials that are ranked first only ([`chosen`]), so that the time and the memory of a report do not grow with each run.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn read(store: &Store, experiment: ExperimentRecord) -> Result<Self, StoreError> {
        let mut records: Vec<(RunRecord, Vec<EvalRecord>)> = Vec::new();
        for run in store.runs_of(&experiment.name)? {
            let evals = store.evals(&run.key)?;
            records.push((run, evals));
        }
        let of: Vec<(&RunRecord, &[EvalRecord])> = records.iter().map(|(run, evals)| (run, &evals[..])).collect();
        let Chosen { curves, predictions } = chosen(&experiment, &of);
        let folds = FoldRows::read(store, &of)?;
        let mut runs = Vec::new();
        for (i, (run, evals)) in records.into_iter().enumerate() {
            let (key, split) = (&run.key, run.measured_on());
            let predicted = predictions.contains(&i);
            runs.push(RunInput {
                steps: match curves.contains(&i) {
                    true => store.steps(key)?,
                    false => store.last_steps(key, LAST_STEPS)?,
                },
                probes: store.probes(key, &run.config.probes)?,
                predictions: if predicted { store.predictions(key, split)? } else { Vec::new() },
                row_names: RowNames::default(),
                before: if predicted { store.predictions_before(key, split)? } else { Vec::new() },
                warnings: store.warnings(key)?,
                audit: store.audit(key)?,
                evals,
                run,
            });
        }
        Ok(Self { experiment, runs, folds, leaves_texts_out: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Event, Split},
        store::testing::{experiment, prediction, register, step},
    };

    /// All have one config, so that they are one trial, of which ten runs are drawn.
    #[test]
    fn of_runs_that_are_not_drawn_the_last_steps_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let keys: Vec<String> = (0..12).map(|i| format!("k{i:02}")).collect();
        for key in &keys {
            register(&mut store, key, key);
            let mut events: Vec<Event> = (1..=60).map(|i| step(i, 0.5)).collect();
            events.push(Event::PredictedBefore { split: Split::Test, predictions: vec![prediction(0, "x").into()] });
            store.append(key, &events).unwrap();
        }
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        store.save_experiment(&experiment("e", &names)).unwrap();
        let input = ReportInput::read(&store, store.experiment("e").unwrap()).unwrap();
        let read: Vec<usize> = input.runs.iter().map(|run| run.steps.len()).collect();
        assert_eq!(read, [[60; 10].to_vec(), vec![50, 50]].concat());
        assert_eq!(input.runs[11].steps.last().map(|step| step.step), Some(60));
        assert!(input.runs.iter().all(|run| run.before.len() == 1));
    }
}
