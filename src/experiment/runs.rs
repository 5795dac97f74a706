//! Records of a plan's runs for the store and for listeners.

use std::{collections::HashSet, path::Path};

use super::{ExperimentError, Planner};
use crate::{
    execute::{Prepared, RunFolder},
    observe::{PlannedInfo, past},
    plan::{Prune, prune::rungs},
    store::{ExperimentRecord, NewRun, RunState, SpecFile, Store},
};

/// Stores a plan as far as it is known.
pub fn register(store: &mut Store, planner: &Planner) -> Result<ExperimentRecord, ExperimentError> {
    let (runs, spec) = (&planner.runs, &planner.spec);
    let known = store.audited()?;
    let new: Vec<NewRun> = runs
        .iter()
        .map(|run| NewRun {
            key: &run.key,
            name: &run.name,
            experiment: &run.config.name,
            config: &run.config,
            labels: &run.dataset.labels,
            total_steps: run.steps.total,
            audit: (!known.contains(&run.key)).then(|| run.audit()),
        })
        .collect();
    store.register_all(&new)?;
    let file = |(path, text): (&Path, &str)| SpecFile { path: path.display().to_string(), text: text.into() };
    let experiment = ExperimentRecord {
        name: spec.spec().name.clone(),
        description: spec.spec().description.clone(),
        spec_path: planner.layers.spec.display().to_string(),
        arguments: planner.layers.arguments(),
        spec_text: spec.text().to_string(),
        extends: spec.extends().map(file).collect(),
        report: serde_json::to_value(&spec.spec().report).expect("settings of a report are JSON"),
        warnings: planner.sweep_warnings(),
        prunes: Prune::of(&spec.spec().sweep) != Prune::None,
        to_come: planner.to_come(),
        runs: runs.iter().map(|run| (run.key.clone(), run.name.clone())).collect(),
        trials: runs.iter().map(|run| run.trial).collect(),
    };
    store.save_experiment(&experiment)?;
    Ok(experiment)
}

/// The runs for a live view. Those that have not been `told` yet include their events from earlier commands.
pub fn planned(
    store: &Store,
    runs: &[Prepared],
    prune: &Prune,
    folder: &Path,
    told: &mut HashSet<String>,
) -> Result<Vec<PlannedInfo>, ExperimentError> {
    let trained = store.training_seconds(runs.iter().map(|run| run.key.as_str()))?;
    let mut info = |run: &Prepared| {
        let record = store.run(&run.key)?;
        let step = match record.state {
            RunState::Completed | RunState::Pruned => record.steps,
            _ => RunFolder::new(folder, &run.key).resume_step(record.steps).unwrap_or(0),
        };
        Ok(PlannedInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            trial: run.trial,
            state: record.state,
            total_steps: run.steps.total,
            step,
            trained_s: trained.get(&run.key).copied().unwrap_or(0.0),
            metric: run.config.checkpoint.metric,
            shown: run.config.data.task().headline()[0],
            keep: run.config.checkpoint.keep,
            has_dev: !run.splits.dev.is_empty(),
            rungs: rungs(prune, &run.config.train, run.examples() as u64),
            step_cost: step_cost(run),
            past: if told.insert(run.key.clone()) { past(store, &record)? } else { Vec::new() },
        })
    };
    runs.iter().map(&mut info).collect()
}

/// The cost of a step of a run relative to others: the arithmetic of its rows, assuming a typical length.
fn step_cost(run: &Prepared) -> f64 {
    const USUAL: usize = 64;
    let train = &run.config.train;
    let rows = (train.batch_size * train.gradient_accumulation_steps).min(run.examples().max(1));
    let shape = run.shape.cost_shape(run.dataset.labels.len());
    rows as f64 * shape.forward_flop(run.config.data.max_length.min(USUAL) as u64)
}
