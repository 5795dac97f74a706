//! What a cluster says of the runs that were submitted to it and have no result yet.

use std::{collections::HashMap, path::Path};

use anyhow::Result;
use serde::Serialize;
use taper::{
    cluster::{ElementState, Slurm},
    execute::SubmissionFolder,
    experiment::{Controller, Job, controllers, jobs},
    format,
    store::{ElementRecord, RunRecord, RunState, Store},
};

/// The jobs of runs without a result, by the key of the run.
#[derive(Default)]
pub struct OnCluster {
    jobs: HashMap<String, JobNow>,
    /// Why nothing is known of them.
    unknown: Option<String>,
    /// The jobs that submit the runs of experiments: the experiment, and what is said of the job.
    controllers: Vec<(String, String)>,
}

/// The job of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobNow {
    /// Its id: `17_3`.
    job: String,
    /// Its state, with Slurm's reason: `pending (Priority)`.
    state: String,
    #[serde(skip)]
    underway: bool,
    #[serde(skip)]
    is_running: bool,
}

/// A run as JSON, with its job.
#[derive(Serialize)]
pub struct WithJob<'a> {
    #[serde(flatten)]
    run: &'a RunRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    slurm: Option<&'a JobNow>,
}

impl OnCluster {
    /// Asks the cluster, if runs were submitted whose results are not stored yet. That it does not answer is no error.
    pub fn of(store: &Store) -> Result<Self> {
        let controllers = controllers(Slurm::find, store.folder(), store.submissions()?);
        let (controllers, unknown) = match controllers {
            Ok(controllers) => {
                let said =
                    |c: Controller| (c.submission.experiment, format!("job {} is {}", c.id, c.cluster.described()));
                (controllers.into_iter().map(said).collect(), None)
            }
            Err(e) => (Vec::new(), Some(format!("the state of the job that submits runs is unknown: {e}"))),
        };
        let jobs = Self::of_runs(store)?;
        Ok(Self { controllers, unknown: jobs.unknown.or(unknown), ..jobs })
    }

    fn of_runs(store: &Store) -> Result<Self> {
        let mut last: HashMap<String, ElementRecord> = HashMap::new();
        for run in store.submitted(None)?.into_iter().filter(|run| run.array_job.is_some()) {
            last.insert(run.run.clone(), run);
        }
        let open: Vec<ElementRecord> = last.into_values().filter(|run| run.collected_at.is_none()).collect();
        if open.is_empty() {
            return Ok(Self::default());
        }
        let many = format::counted(open.len() as u64, "submitted run");
        let submissions = store.submissions()?;
        match Slurm::find().and_then(|slurm| jobs(&slurm, open, &submissions)) {
            Ok(jobs) => {
                let jobs = jobs.into_iter().filter_map(|job| now(job, store.folder())).collect();
                Ok(Self { jobs, ..Self::default() })
            }
            Err(e) => Ok(Self { unknown: Some(format!("the states of {many} are unknown: {e}")), ..Self::default() }),
        }
    }

    /// The job of a run that has no result yet.
    pub fn job(&self, run: &RunRecord) -> Option<&JobNow> {
        let job = self.jobs.get(&run.key)?;
        // A run that failed, or is being trained, is so here since its job ended.
        (job.underway || matches!(run.state, RunState::Pending | RunState::Interrupted)).then_some(job)
    }

    /// The first of these runs whose job waits or runs, with the id and the state of the job.
    pub fn first_underway<'a>(&self, mut runs: impl Iterator<Item = &'a RunRecord>) -> Option<(&'a RunRecord, String)> {
        runs.find_map(|run| {
            let job = self.jobs.get(&run.key).filter(|job| job.underway)?;
            Some((run, format!("{} is {}", job.job, job.state)))
        })
    }

    /// The state of a run in words, if its job says more than what is stored.
    pub fn state(&self, run: &RunRecord) -> Option<String> {
        self.job(run).filter(|_| run.state != RunState::Completed).map(|job| job.state.clone())
    }

    /// The state of a run as it is counted: its record does not have its results before they are collected, so that a run whose job runs is
    /// running.
    pub fn counted_as(&self, run: &RunRecord) -> RunState {
        if self.job(run).is_some_and(|job| job.is_running) { RunState::Running } else { run.state }
    }

    /// A run as JSON.
    pub fn with_job<'a>(&'a self, run: &'a RunRecord) -> WithJob<'a> {
        WithJob { run, slurm: self.job(run) }
    }

    /// How many of these runs have jobs in which states, or why that is not known.
    fn note<'a>(&self, runs: impl Iterator<Item = &'a RunRecord>) -> Option<String> {
        let mut counts: Vec<(&str, u64)> = Vec::new();
        for job in runs.filter_map(|run| self.job(run)) {
            match counts.iter_mut().find(|(state, _)| *state == job.state) {
                Some((_, n)) => *n += 1,
                None => counts.push((&job.state, 1)),
            }
        }
        counts.sort_unstable();
        let all: Vec<String> = counts.iter().map(|(state, n)| format!("{} {state}", format::count(*n))).collect();
        if all.is_empty() { None } else { Some(format!("on the cluster: {}", all.join(", "))) }
    }

    /// What is said of an experiment with these runs: the job that submits them, and their own jobs.
    pub fn notes<'a>(&self, experiment: &str, runs: impl Iterator<Item = &'a RunRecord>) -> Vec<String> {
        self.controller(experiment).into_iter().chain(self.note(runs)).collect()
    }

    /// Whether a job waits or runs for an experiment with these runs.
    pub fn is_busy<'a>(&self, experiment: &str, runs: impl Iterator<Item = &'a RunRecord>) -> bool {
        self.controller(experiment).is_some() || self.first_underway(runs).is_some()
    }

    /// The job that submits the runs of an experiment.
    fn controller(&self, experiment: &str) -> Option<String> {
        let (_, said) = self.controllers.iter().find(|(of, _)| of == experiment)?;
        Some(format!("submitted by a job of its own: {said}"))
    }

    /// Why nothing is known of submitted runs.
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }
}

fn now(job: Job, runs: &Path) -> Option<(String, JobNow)> {
    let is_cancelled = || SubmissionFolder::new(runs, job.run.submission).is_to_stop(job.run.element);
    let state = match &job.cluster {
        Some(element) if element.state == ElementState::Completed => "ended, without a result yet".into(),
        Some(element) => element.described(),
        // Slurm forgets elements of an array at once that are cancelled while they wait.
        None if is_cancelled() => "cancelled".into(),
        None => "ended: the cluster no longer knows its job".into(),
    };
    let is_running = job.cluster.as_ref().is_some_and(|element| element.state == ElementState::Running);
    let now = JobNow { job: job.id()?.to_string(), state, underway: job.is_underway(), is_running };
    Some((job.run.run, now))
}

#[cfg(test)]
mod tests {
    use taper::cluster::{Element, ElementId};

    use super::*;

    fn job(key: &str, state: Option<ElementState>, reason: &str) -> Job {
        let id = ElementId { array: 7, task: Some(3) };
        let run = ElementRecord {
            submission: 1,
            element: 3,
            run: key.into(),
            array_job: Some(7),
            task: Some(3),
            submitted_at: Some(5.0),
            collected_at: None,
        };
        let cluster = state.map(|state| Element {
            id,
            job: 9,
            state,
            reason: reason.into(),
            exit_code: None,
            signal: None,
            restarts: None,
            submitted: 5.0,
            name: "x".into(),
        });
        Job { run, cluster }
    }

    #[test]
    fn a_job_is_described_by_its_state_and_reason() {
        let runs = tempfile::tempdir().expect("a folder");
        let described = |state, reason| {
            let (key, now) = now(job("k", state, reason), runs.path()).expect("it has an id");
            assert_eq!((key.as_str(), now.job.as_str()), ("k", "7_3"));
            (now.state, now.underway, now.is_running)
        };
        let expected = [
            (Some(ElementState::Pending), "Priority", "pending (Priority)", (true, false)),
            (Some(ElementState::Running), "", "running", (true, true)),
            (Some(ElementState::TimedOut), "TimeLimit", "timed out (TimeLimit)", (false, false)),
            (Some(ElementState::Completed), "", "ended, without a result yet", (false, false)),
            (None, "", "ended: the cluster no longer knows its job", (false, false)),
        ];
        for (state, reason, text, (underway, is_running)) in expected {
            assert_eq!(described(state, reason), (text.to_string(), underway, is_running));
        }
        let (_, folder) = SubmissionFolder::create(runs.path(), 1).expect("a folder");
        folder.order_to_stop(3).expect("the order");
        assert_eq!(described(None, "").0, "cancelled");
    }
}
