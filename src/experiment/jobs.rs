//! What a cluster says of the runs that were submitted to it.

use std::{
    collections::{BTreeSet, HashMap},
    path::{Path, PathBuf},
};

use crate::{
    cluster::{ClusterError, Element, ElementId, JobId, Slurm},
    execute::SubmissionFolder,
    store::{ElementRecord, SubmissionRecord},
};

/// A run of a submission, with its job.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The run, as it was submitted.
    pub run: ElementRecord,
    /// What the cluster says of its job; `None` if it has forgotten it, or never accepted it.
    pub cluster: Option<Element>,
}

impl Job {
    /// The job's number in the cluster; `None` if the cluster never accepted it.
    pub fn id(&self) -> Option<ElementId> {
        id(&self.run)
    }

    /// Whether the job waits or runs.
    pub fn is_underway(&self) -> bool {
        self.cluster.as_ref().is_some_and(|element| element.state.is_underway())
    }
}

fn id(run: &ElementRecord) -> Option<ElementId> {
    run.array_job.map(|array| ElementId { array, task: run.task })
}

/// Asks the cluster about these runs. `submissions` are the submissions of all of them.
///
/// # Errors
/// If the cluster does not answer.
pub fn jobs(
    slurm: &Slurm,
    runs: Vec<ElementRecord>,
    submissions: &[SubmissionRecord],
) -> Result<Vec<Job>, ClusterError> {
    let arrays: BTreeSet<JobId> = runs.iter().filter_map(|run| run.array_job).collect();
    let elements = slurm.elements(&arrays.into_iter().collect::<Vec<_>>())?;
    Ok(matched(runs, elements, submissions))
}

fn matched(runs: Vec<ElementRecord>, elements: Vec<Element>, submissions: &[SubmissionRecord]) -> Vec<Job> {
    let by_id: HashMap<ElementId, Element> = elements.into_iter().map(|element| (element.id, element)).collect();
    let of = |run: &ElementRecord| {
        let submission = submissions.iter().find(|submission| submission.number == run.submission)?;
        let element = by_id.get(&id(run)?)?;
        element.is_of(&submission.experiment, run.submitted_at?).then(|| element.clone())
    };
    runs.into_iter().map(|run| Job { cluster: of(&run), run }).collect()
}

/// A job that runs a command which submits the runs of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Controller {
    /// Its submission.
    pub submission: SubmissionRecord,
    /// Its id.
    pub id: ElementId,
    /// What the cluster says of it.
    pub cluster: Element,
}

/// The controllers that wait or run, of these submissions. Those that have ended are not asked about again.
///
/// # Errors
/// If the cluster does not answer.
pub fn controllers(
    slurm: impl FnOnce() -> Result<Slurm, ClusterError>,
    runs: &Path,
    submissions: Vec<SubmissionRecord>,
) -> Result<Vec<Controller>, ClusterError> {
    let folder = |submission: &SubmissionRecord| SubmissionFolder::new(runs, submission.number);
    let known: Vec<(SubmissionRecord, (JobId, f64))> =
        submissions.into_iter().filter_map(|s| folder(&s).controller().map(|job| (s, job))).collect();
    if known.is_empty() {
        return Ok(Vec::new());
    }
    let ids: BTreeSet<JobId> = known.iter().map(|(_, (job, _))| *job).collect();
    let all = slurm()?.elements(&ids.into_iter().collect::<Vec<_>>())?;
    let mut found = Vec::new();
    for (submission, (job, at)) in known {
        let id = ElementId { array: job, task: None };
        let is_it = |element: &&Element| element.job == job && element.is_of(&submission.experiment, at);
        match all.iter().find(is_it).filter(|element| element.state.is_underway()) {
            Some(cluster) => found.push(Controller { submission, id, cluster: cluster.clone() }),
            None => folder(&submission).forget_controller(),
        }
    }
    Ok(found)
}

/// The output of a run's job.
pub fn log(runs: &Path, run: &ElementRecord) -> PathBuf {
    let folder = SubmissionFolder::new(runs, run.submission);
    match run.task.map(|task| (run.element - task.min(run.element), task)) {
        // An array after the first begins with this element.
        Some((first @ 1.., task)) => folder.logs().join(format!("{first}+{task}.out")),
        _ => folder.log(run.element),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ElementState;

    fn run(element: u64, array_job: Option<u64>, task: u64) -> ElementRecord {
        ElementRecord {
            submission: 3,
            element,
            run: format!("key{element}"),
            array_job,
            task: array_job.map(|_| task),
            submitted_at: array_job.map(|_| 5000.0),
            collected_at: None,
        }
    }

    fn element(array: u64, task: u64, name: &str, submitted: f64) -> Element {
        Element {
            id: ElementId { array, task: Some(task) },
            job: 1,
            state: ElementState::Running,
            reason: String::new(),
            exit_code: None,
            signal: None,
            restarts: None,
            submitted,
            name: name.into(),
        }
    }

    #[test]
    fn a_job_is_that_of_a_run_by_number_name_and_time() {
        let submission =
            SubmissionRecord { number: 3, experiment: "x".into(), command: String::new(), created_at: 0.0 };
        let runs =
            vec![run(0, Some(7), 0), run(1, Some(7), 1), run(2, Some(7), 2), run(3, Some(8), 0), run(4, None, 0)];
        let elements = vec![
            element(7, 0, "x", 5001.0),
            element(7, 1, "y", 5001.0),
            // From before the controller lost its state.
            element(7, 2, "x", 4000.0),
            element(7, 3, "x", 5001.0),
        ];
        let found = matched(runs, elements, &[submission]);
        assert_eq!(found.iter().map(Job::is_underway).collect::<Vec<_>>(), [true, false, false, false, false]);
        let ids: Vec<_> = found.iter().map(|job| job.id().map(|id| id.to_string())).collect();
        assert_eq!(ids, [Some("7_0"), Some("7_1"), Some("7_2"), Some("8_0"), None].map(|id| id.map(String::from)));
    }

    #[test]
    fn the_output_of_a_later_array_has_a_name_of_its_own() {
        let name = |run: &ElementRecord| log(Path::new("runs"), run).display().to_string();
        assert_eq!(name(&run(4, Some(7), 4)), "runs/slurm/3/logs/4.out");
        assert_eq!(name(&run(4, None, 0)), "runs/slurm/3/logs/4.out");
        assert_eq!(name(&run(1004, Some(8), 4)), "runs/slurm/3/logs/1000+4.out");
    }
}
