//! The job of one run, from its submission to its end.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::ending::Ending;
use crate::{
    cluster::{Element, ElementId, JobId},
    execute::{
        SubmissionFolder,
        element::{ElementJobs, ShardTail},
    },
};

/// How long the last reports of a job that has ended may take to be seen here.
const LATE: Duration = Duration::from_secs(5);

/// A run in a slot.
pub(super) struct Job {
    /// Key of the run, and its name.
    pub run: (String, String),
    /// What its element does.
    pub jobs: ElementJobs,
    /// The name of the job in Slurm.
    pub name: String,
    /// Where it is submitted.
    pub at: At,
    /// Reads what it reports.
    pub tail: ShardTail,
    /// Number of the rung at whose step it waits.
    pub rung: u64,
    /// Whether it was ordered to stop.
    pub stop: bool,
    /// Whether its last report was read.
    pub is_read: bool,
    /// Since when Slurm says that it has ended, and what it said.
    over: Option<(Instant, Option<Element>)>,
    /// How it ended, if it did without its last report.
    pub ending: Option<Ending>,
}

/// The element of a job.
pub(super) struct At {
    /// The folder of its submission, and its number.
    pub folder: SubmissionFolder,
    pub number: u64,
    /// The element.
    pub element: u64,
    /// The array of its own, and the Unix time at which Slurm accepted it; `None` before.
    pub accepted: Option<(JobId, f64)>,
}

impl At {
    /// Its id in Slurm; `None` before it was accepted.
    pub fn id(&self) -> Option<ElementId> {
        self.accepted.map(|(array, _)| ElementId { array, task: Some(0) })
    }

    /// The file of its output.
    pub fn log(&self) -> PathBuf {
        match self.element {
            0 => self.folder.log(0),
            element => self.folder.logs().join(format!("{element}+0.out")),
        }
    }
}

impl Job {
    /// A job that Slurm has not accepted yet.
    pub fn new(run: (String, String), name: String, jobs: ElementJobs, at: At) -> Self {
        let tail = ShardTail::new(at.folder.shards(), &run.0);
        Self { run, jobs, name, at, tail, rung: 0, stop: false, is_read: false, over: None, ending: None }
    }

    /// What Slurm says of it in `all`.
    pub fn find<'a>(&self, all: &'a [Element]) -> Option<&'a Element> {
        let (id, (_, submitted)) = (self.at.id()?, self.at.accepted?);
        all.iter().find(|element| element.id == id && element.is_of(&self.name, submitted))
    }

    /// Notes what Slurm says now.
    pub fn seen(&mut self, cluster: Option<&Element>, now: Instant) {
        match cluster {
            Some(element) if element.state.is_underway() => self.over = None,
            _ => self.over = Some((self.over.take().map_or(now, |(since, _)| since), cluster.cloned())),
        }
    }

    /// What Slurm said last of a job that has ended so long ago that nothing more is to be read.
    pub fn is_over(&self, now: Instant) -> Option<Option<&Element>> {
        let (since, element) = self.over.as_ref()?;
        (!self.is_read && self.ending.is_none() && now.duration_since(*since) >= LATE).then_some(element.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ElementState;

    fn job(folder: SubmissionFolder) -> Job {
        let jobs = ElementJobs { retries: 0, requeues: 0, attached: true, jobs: Vec::new() };
        let at = At { folder, number: 1, element: 3, accepted: Some((7, 100.0)) };
        Job::new(("k".into(), "n".into()), "x".into(), jobs, at)
    }

    fn said(state: ElementState) -> Element {
        let id = ElementId { array: 7, task: Some(0) };
        let (reason, name) = (String::new(), "x".into());
        Element { id, job: 7, state, reason, exit_code: None, signal: None, restarts: None, submitted: 100.0, name }
    }

    #[test]
    fn a_job_is_over_when_its_last_reports_could_have_come() {
        let mut job = job(SubmissionFolder::at("s".as_ref()));
        let begin = Instant::now();
        let after = |s: u64| begin + Duration::from_secs(s);
        assert!(job.is_over(after(99)).is_none());
        job.seen(Some(&said(ElementState::Failed)), after(100));
        assert!(job.is_over(after(104)).is_none() && job.is_over(after(105)).is_some());
        // It was requeued.
        job.seen(Some(&said(ElementState::Pending)), after(110));
        assert!(job.is_over(after(200)).is_none());
        job.seen(None, after(200));
        job.seen(None, after(210));
        assert_eq!(job.is_over(after(211)), Some(None), "Slurm has forgotten it");
        job.is_read = true;
        assert!(job.is_over(after(211)).is_none(), "its result is here");
    }

    #[test]
    fn a_job_is_the_one_that_was_submitted() {
        let job = job(SubmissionFolder::at("s".as_ref()));
        let own = said(ElementState::Running);
        let earlier = Element { submitted: -900.0, ..own.clone() };
        let other = Element { name: "y".into(), ..own.clone() };
        assert_eq!(job.find(&[earlier, other, own.clone()]), Some(&own));
        assert_eq!(job.at.log(), PathBuf::from("s/logs/3+0.out"));
    }
}
