//! Compares the runs of a spec with what is stored: new, completed, no longer in the plan, and why.

use std::{collections::HashSet, path::Path};

use anyhow::Result;
use taper::{
    event::FailureKind,
    execute::{self, Prepared},
    format::count,
    plan::changes,
    store::{RunRecord, RunState, Store},
    train::NUMERICS,
};

use super::common;

/// A run of the last plan that is not in this one, with its name there.
pub type LeftOver<'a> = (&'a RunRecord, String);

/// The stored state of a spec's runs.
#[derive(Default)]
pub struct Stored {
    runs: Vec<RunRecord>,
    /// Key and name of each run of the last plan of the same spec file and arguments.
    last_plan: Vec<(String, String)>,
    /// Keys of runs in another plan: of another spec, or of a variant of this one.
    elsewhere: HashSet<String>,
}

/// The stored state of a planned run.
#[derive(Default)]
pub struct PlannedState {
    /// Its record, if it is stored.
    pub record: Option<RunRecord>,
    /// Its state, or `new`, and what the next command does: `interrupted, resumes at step 30`.
    pub word: String,
    /// The step that it resumes from.
    pub resumes: Option<u64>,
    /// Whether it is trained again: it is completed, but some of its files are lost, or it was pruned, and the spec no longer prunes.
    pub again: bool,
    /// Whether it was planned before and was removed.
    pub removed: bool,
    /// Whether the spec was changed since a run of this name was planned: `why` says how.
    pub changed: bool,
    /// The reason, if it is not obvious.
    pub why: Option<String>,
}

impl Stored {
    /// Reads the store. A plan belongs to a file with certain arguments: variants run with `--set`, and other files whose experiment has the
    /// same name, have their own plans.
    pub fn read(store: &Store, experiment: &str, spec: &Path, arguments: &[String]) -> Result<Self> {
        let (mut last_plan, mut elsewhere) = (Vec::new(), HashSet::new());
        for plan in store.plans()? {
            if plan.experiment == experiment && plan.arguments == arguments && plan.is_of(spec) {
                last_plan = plan.runs;
            } else {
                elsewhere.extend(plan.runs.into_iter().map(|(key, _)| key));
            }
        }
        Ok(Self { runs: store.runs()?, last_plan, elsewhere })
    }

    /// The state of each run, and the runs of the last plan that are no longer in this one. The files of completed runs are looked for in the
    /// folder `at`, if there is a store. If the spec no longer `prunes`, runs that were pruned are trained again.
    pub fn compare(
        &self,
        runs: &[Prepared],
        prunes: bool,
        at: Option<(&Store, &Path)>,
    ) -> Result<(Vec<PlannedState>, Vec<LeftOver<'_>>)> {
        let planned: HashSet<&str> = runs.iter().map(|run| run.key.as_str()).collect();
        let record = |key: &str| self.runs.iter().find(|record| record.key == key);
        // Runs of the last plan that are not in this one: each was either changed or left over.
        let mut left: Vec<(&RunRecord, &str)> = self
            .last_plan
            .iter()
            .filter(|(key, _)| !planned.contains(key.as_str()))
            .filter_map(|(key, name)| Some((record(key)?, name.as_str())))
            .collect();
        let lost = |run: &Prepared, record: &RunRecord| match (record.state, at) {
            (RunState::Completed, Some((store, folder))) => {
                execute::lost(store, folder, record, run.config.checkpoint.keep)
            }
            _ => Ok(None),
        };
        let states = runs.iter().map(|run| match record(&run.key) {
            Some(record) => {
                let resumes = at.and_then(|(_, folder)| common::resumes_at(folder, record));
                match record.state {
                    RunState::Pruned if !prunes => Ok(trained_again(record, record.message.clone())),
                    _ => Ok(of_record(record, lost(run, record)?, resumes)),
                }
            }
            None => Ok(match left.iter().position(|(_, name)| *name == run.name) {
                Some(position) => {
                    let (old, _) = left.remove(position);
                    let why = Some(difference(old, run));
                    PlannedState { word: "new".into(), changed: true, why, ..PlannedState::default() }
                }
                None => {
                    let removed = self.last_plan.iter().any(|(key, _)| *key == run.key);
                    let why = removed.then(|| "it was removed".to_string());
                    PlannedState { word: "new".into(), removed, why, ..PlannedState::default() }
                }
            }),
        });
        let states = states.collect::<Result<_>>()?;
        left.retain(|(record, _)| !self.elsewhere.contains(&record.key));
        Ok((states, left.into_iter().map(|(record, name)| (record, name.to_string())).collect()))
    }
}

/// The state of a stored run that had ended, and is trained again.
fn trained_again(record: &RunRecord, why: Option<String>) -> PlannedState {
    let word = format!("{}, will be trained again", record.state.word());
    let why = why.map(|message| message.lines().next().unwrap_or_default().into());
    PlannedState { record: Some(record.clone()), word, again: true, why, ..PlannedState::default() }
}

/// The state of a stored run, whose files may be lost, and which may resume from a checkpoint.
fn of_record(record: &RunRecord, lost: Option<String>, resumes: Option<u64>) -> PlannedState {
    if lost.is_some() {
        return trained_again(record, lost);
    }
    let word = match (record.state, resumes) {
        (RunState::Waiting, Some(step)) => format!("waiting at step {}", count(step)),
        (RunState::Interrupted, Some(step)) if step == record.total_steps => "interrupted, to be evaluated".into(),
        (RunState::Interrupted, Some(step)) => format!("interrupted, resumes at step {}", count(step)),
        // What diverged is left out, and with --retry it begins anew.
        (RunState::Failed, Some(step)) if record.failure != Some(FailureKind::Diverged) => {
            format!("{}, resumes at step {}", record.state_text(), count(step))
        }
        (RunState::Interrupted | RunState::Waiting, None) => format!("{}, starts over", record.state.word()),
        _ => record.state_text(),
    };
    let why = match record.state {
        RunState::Failed | RunState::Pruned => record.message.clone(),
        _ => None,
    };
    let why = why.map(|message| message.lines().next().unwrap_or_default().into());
    PlannedState { record: Some(record.clone()), word, resumes, again: false, removed: false, changed: false, why }
}

/// How a run differs from the stored one of the same name.
fn difference(old: &RunRecord, run: &Prepared) -> String {
    let mut told = changes(&old.config, &run.config);
    if let Some(environment) = &old.environment {
        let mut differs = |before: &str, now: &str, what: &str| {
            if before != now {
                told.push(format!("{what} changed"));
            }
        };
        differs(&environment.data_digest, &run.dataset.digest, "the data file");
        differs(&environment.model_digest, &run.model_digest, "the model's files");
        if environment.numerics != NUMERICS {
            told.push(format!("the engine's arithmetic now has version {NUMERICS}, not {}", environment.numerics));
        }
    }
    match told.is_empty() {
        true => "its data, its model or the engine changed".into(),
        false => told.join(", "),
    }
}
