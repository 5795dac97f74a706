//! The executor: submits a job for each run, reads what the jobs report, and asks Slurm from time to time what became of them.

use std::{
    collections::{HashSet, VecDeque},
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use super::{
    ending::{Ending, ending},
    job::{At, Job},
    jobs::SlurmJobs,
};
use crate::{
    cluster::{ClusterError, Element, ElementId, ElementState, JobId},
    event::{Event, FailureKind, Outcome},
    execute::{
        DeviceChoice, ExecuteError, SubmissionFolder,
        element::ElementJobs,
        executor::{Executor, News},
        protocol::{Order, Report, WorkerJob},
        schedule::SchedulerOptions,
    },
    format::{count, counted},
    store::{Store, SubmissionRecord, unix_time},
};

/// Interval at which the files of the jobs are read.
const READ: Duration = Duration::from_millis(500);
/// Interval at which Slurm is asked, in one question about all jobs: its controller serves everybody.
const LOOK: Duration = Duration::from_secs(10);

/// Runs as jobs of Slurm.
pub(in crate::execute) struct SlurmExecutor<'a> {
    with: &'a SlurmJobs,
    options: &'a SchedulerOptions<'a>,
    store: Store,
    submission: Option<Submission>,
    slots: Vec<Option<Job>>,
    news: VecDeque<(usize, News)>,
    read: Instant,
    looked: Instant,
    /// What was last said of jobs that wait, or of Slurm's silence.
    said: String,
    /// What jobs wait for, if that was said last.
    waits_for: Option<String>,
    /// The slots whose jobs Slurm refused, and why.
    refused: Vec<(usize, String)>,
}

/// The submission that elements are added to. A run is in it once.
struct Submission {
    number: u64,
    folder: SubmissionFolder,
    next: u64,
    runs: HashSet<String>,
}

impl<'a> SlurmExecutor<'a> {
    /// Without a job yet. `store` is a connection of its own.
    pub fn new(with: &'a SlurmJobs, options: &'a SchedulerOptions<'a>, store: Store) -> Self {
        let slots = (0..with.most.max(1)).map(|_| None).collect();
        let now = Instant::now();
        Self {
            with,
            options,
            store,
            submission: None,
            slots,
            news: VecDeque::new(),
            read: now,
            looked: now,
            said: String::new(),
            waits_for: None,
            refused: Vec::new(),
        }
    }

    /// Where a run is submitted: the next element of a submission that it is not in yet.
    fn place(&mut self, key: &str, experiment: &str) -> Result<At, ExecuteError> {
        if self.submission.as_ref().is_none_or(|submission| submission.runs.contains(key)) {
            let known = self.store.submissions()?.last().map_or(0, |last| last.number);
            let (number, folder) = SubmissionFolder::create(self.options.runs, known + 1)?;
            let path = folder.path().join("script.sh");
            fs::write(&path, self.with.script.array(&folder)?).map_err(|error| ExecuteError::Io { path, error })?;
            let (experiment, command) = (experiment.into(), self.with.command.clone());
            let record = SubmissionRecord { number, experiment, command, created_at: unix_time() };
            self.store.add_submission(&record, &[])?;
            self.submission = Some(Submission { number, folder, next: 0, runs: HashSet::new() });
        }
        let submission = self.submission.as_mut().expect("created above");
        submission.next += 1;
        submission.runs.insert(key.into());
        let (number, folder, element) = (submission.number, submission.folder.clone(), submission.next - 1);
        Ok(At { folder, number, element, accepted: None })
    }

    /// Where a run is submitted whose element Slurm may have accepted without an answer: as another one.
    fn place_again(&mut self, at: &At, key: &str, experiment: &str) -> Result<At, ExecuteError> {
        // A job that was accepted all the same finds nothing to do.
        at.folder.remove_jobs(at.element)?;
        match &mut self.submission {
            Some(submission) if submission.number == at.number => {
                submission.next += 1;
                Ok(At { folder: at.folder.clone(), number: at.number, element: submission.next - 1, accepted: None })
            }
            _ => self.place(key, experiment),
        }
    }

    /// Submits the job of a slot. If Slurm does not answer, or accepts no more jobs at the moment, it is tried again later.
    fn accept(&mut self, slot: usize) -> Result<(), ExecuteError> {
        let others = self.slots.iter().flatten().any(|job| job.at.accepted.is_some());
        let Some(mut job) = self.slots[slot].take() else { return Ok(()) };
        let (element, folder) = (job.at.element, &job.at.folder);
        folder.write_jobs(element, &job.jobs)?;
        let (script, logs) = (folder.path().join("script.sh"), folder.logs());
        let logs = std::path::absolute(&logs).map_err(|error| ExecuteError::Io { path: logs, error })?;
        match self.with.slurm.submit_part(&script, &(element..element + 1), None, &logs, &job.name) {
            Ok(id) => {
                let now = unix_time();
                job.at.accepted = Some((id, now));
                // A job that no command could find again would train for nobody.
                if let Err(error) = self.store.add_element((job.at.number, element), &job.run.0, id, now) {
                    let _ = self.with.slurm.cancel(&[ElementId { array: id, task: None }]);
                    return Err(error.into());
                }
            }
            Err(e) if e.may_be_done() || e.is_temporary() || (others && matches!(e, ClusterError::Refused { .. })) => {
                let at = self.place_again(&job.at, &job.run.0, &job.name)?;
                job = Job::new(job.run, job.name, job.jobs, at);
                self.say_once(format!("a job could not be submitted yet; taper tries again: {e}"));
            }
            Err(e) => return Err(e.into()),
        }
        self.slots[slot] = Some(job);
        Ok(())
    }

    /// Reads what the jobs have reported since the last time.
    fn read(&mut self) {
        self.read = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(job) = self.slots[slot].as_mut().filter(|job| !job.is_read && job.ending.is_none()) else {
                continue;
            };
            match job.tail.read() {
                Ok(reports) => {
                    job.is_read = reports.last() == Some(&Report::Finished);
                    self.news.extend(reports.into_iter().map(|report| (slot, News::Report(report))));
                }
                Err(e) => {
                    job.ending = Some(Ending::Failed(FailureKind::Crashed, e.to_string()));
                    self.news.push_back((slot, News::Silence));
                }
            }
        }
    }

    /// Asks Slurm about all jobs, and acts on those that are ordered to stop.
    fn look(&mut self) {
        self.looked = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(job) = self.slots[slot].as_ref().filter(|job| job.at.accepted.is_none()) else { continue };
            if job.ending.is_some() {
                continue;
            }
            if job.stop {
                self.end(slot, Ending::Cancelled);
            } else if let Err(e) = self.accept(slot) {
                self.news.push_back((slot, News::Silence));
                self.refused.push((slot, e.to_string()));
            }
        }
        let arrays: Vec<JobId> = self.slots.iter().flatten().filter_map(|job| Some(job.at.accepted?.0)).collect();
        let all = match self.with.slurm.elements(&arrays) {
            Ok(all) => all,
            Err(e) => {
                self.say_once(format!("the states of the jobs are unknown, but the jobs continue: {e}"));
                return;
            }
        };
        self.say_what_waits(&all);
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(job) = self.slots[slot].as_mut().filter(|job| job.at.accepted.is_some()) else { continue };
            if job.ending.is_some() || job.is_read {
                continue;
            }
            let found = job.find(&all).cloned();
            job.seen(found.as_ref(), now);
            if job.stop {
                self.stop(slot, found.as_ref());
            }
        }
    }

    /// Stops the job of a slot, of which Slurm says this.
    fn stop(&mut self, slot: usize, found: Option<&Element>) {
        let Some(job) = &self.slots[slot] else { return };
        let (Some(id), Some(element)) = (job.at.id(), found) else { return };
        let slurm = &self.with.slurm;
        let stopped = job.at.folder.order_to_stop(job.at.element).and_then(|()| {
            Ok(match element.state {
                ElementState::Pending => slurm.cancel(&[id]).map(|()| true)?,
                state if state.is_underway() => slurm.signal(&id, "USR1").map(|()| false)?,
                _ => false,
            })
        });
        match stopped {
            Ok(true) => self.end(slot, Ending::Cancelled),
            Ok(false) => {}
            // It is tried again at the next look.
            Err(e) => self.say_once(format!("the job {id} could not be stopped yet; taper tries again: {e}")),
        }
    }

    /// Concludes about jobs that have ended without their last report.
    fn conclude(&mut self) {
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let Some(job) = &self.slots[slot] else { continue };
            let Some(found) = job.is_over(now) else { continue };
            let id = job.at.id().map_or(String::new(), |id| id.to_string());
            let ending = match job.stop {
                true => Ending::Cancelled,
                false => ending(&id, found, &job.at.log().display().to_string()),
            };
            if ending == Ending::Cancelled && !job.stop {
                (self.options.say)(&format!("the job {id} of `{}` was cancelled", job.run.1));
            }
            self.end(slot, ending);
        }
    }

    /// A job has ended so, without its last report.
    fn end(&mut self, slot: usize, ending: Ending) {
        let Some(job) = &mut self.slots[slot] else { return };
        match ending {
            Ending::Cancelled => {
                let stopped = Report::Event(Event::RunFinished(Outcome::Interrupted));
                self.news.extend([stopped, Report::Finished].map(|report| (slot, News::Report(report))));
            }
            Ending::Failed(..) => self.news.push_back((slot, News::Silence)),
        }
        job.ending = Some(ending);
    }

    /// Frees a slot whose run is stored as far as its job has reported it.
    fn close(&mut self, slot: usize) {
        let Some(job) = self.slots[slot].take() else { return };
        let closed = job.at.folder.close(&job.run.0).and_then(|()| Ok(self.store.retire_submitted(&job.run.0)?));
        if let Err(e) = closed {
            // What is collected a second time is stored once.
            (self.options.say)(&format!("warning: {}: {e}", job.run.1));
        }
    }

    /// The next message. What it says is handled before the next call.
    fn pop(&mut self) -> Option<(usize, News)> {
        let (slot, news) = self.news.pop_front()?;
        match &news {
            News::Report(Report::AtRung(step)) => {
                self.slots[slot].iter_mut().for_each(|job| job.rung = *step);
            }
            News::Report(Report::Finished) => self.close(slot),
            _ => {}
        }
        Some((slot, news))
    }

    /// Says which jobs wait, and for what, when the reasons change.
    fn say_what_waits(&mut self, all: &[Element]) {
        let own: Vec<&Element> = self.slots.iter().flatten().filter_map(|job| job.find(all)).collect();
        let waiting: Vec<&&Element> = own.iter().filter(|element| element.state == ElementState::Pending).collect();
        let mut reasons: Vec<&str> = waiting.iter().map(|element| element.reason.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons.retain(|reason| !reason.is_empty());
        if waiting.is_empty() || reasons.is_empty() {
            return;
        }
        let reasons = reasons.join(", ");
        if self.waits_for.as_ref() != Some(&reasons) {
            let (waiting, all) = (count(waiting.len() as u64), counted(own.len() as u64, "job"));
            self.say_once(format!("{waiting} of {all} wait on the cluster ({reasons})"));
            self.waits_for = Some(reasons);
        }
    }

    fn say_once(&mut self, what: String) {
        if self.said != what {
            (self.options.say)(&what);
            (self.said, self.waits_for) = (what, None);
        }
    }
}

impl Executor for SlurmExecutor<'_> {
    fn slots(&self) -> usize {
        self.slots.len()
    }

    fn device(&self, _: usize) -> DeviceChoice {
        self.with.script.device
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn submit(&mut self, slot: usize, job: WorkerJob) -> Result<(), ExecuteError> {
        self.news.retain(|(of, _)| *of != slot);
        let runs: PathBuf = job.runs.clone();
        // A job may begin in another folder.
        let runs = std::path::absolute(&runs).map_err(|error| ExecuteError::Io { path: runs, error })?;
        let (run, name) = ((job.key.clone(), job.name.clone()), job.config.name.clone());
        let at = self.place(&run.0, &name)?;
        let jobs = vec![WorkerJob { runs, ..job }];
        let (retries, requeues) = (self.options.retries, self.with.script.settings.requeues);
        let jobs = ElementJobs { retries, requeues, attached: true, jobs };
        self.slots[slot] = Some(Job::new(run, name, jobs, at));
        self.accept(slot)
    }

    fn answer(&mut self, slot: usize, order: &Order) -> Result<(), ExecuteError> {
        let Some(job) = &mut self.slots[slot] else { return Ok(()) };
        match order {
            Order::Continue(continues) => job.at.folder.answer(&job.run.0, job.rung, *continues),
            Order::Stop => {
                job.stop = true;
                // Slurm is asked about all of them with the next message.
                self.looked = self.looked.checked_sub(LOOK).unwrap_or(self.looked);
                Ok(())
            }
            // Its element has it on the disk.
            Order::Recorded | Order::Begin(_) => Ok(()),
        }
    }

    fn poll(&mut self, within: Duration) -> Option<(usize, News)> {
        if let Some(news) = self.pop() {
            return Some(news);
        }
        if self.slots.iter().any(Option::is_some) {
            if self.looked.elapsed() >= LOOK {
                self.look();
            }
            if self.read.elapsed() >= READ {
                self.read();
                self.conclude();
            }
            if let Some(news) = self.pop() {
                return Some(news);
            }
        }
        thread::sleep(within);
        None
    }

    fn cancel(&mut self, slot: usize) -> (FailureKind, String) {
        self.news.retain(|(of, _)| *of != slot);
        if let Some(at) = self.refused.iter().position(|(of, _)| *of == slot) {
            return (FailureKind::Crashed, self.refused.swap_remove(at).1);
        }
        let Some(job) = &mut self.slots[slot] else {
            return (FailureKind::Crashed, "its job has ended".into());
        };
        let (ending, id, folder) = (job.ending.take(), job.at.id(), job.at.folder.clone());
        // Also a job that Slurm calls ended: its node is possibly only out of reach.
        if let Some(id) = id
            && let Err(e) = folder.order_to_stop(job.at.element).and_then(|()| Ok(self.with.slurm.cancel(&[id])?))
        {
            (self.options.say)(&format!("warning: cancel the job {id} with `scancel {id}`: {e}"));
        }
        match ending.is_some() || !folder.has_shard(&job.run.0) {
            true => self.close(slot),
            // What it has begun to write is collected by the next command.
            false => self.slots[slot] = None,
        }
        match ending {
            Some(Ending::Failed(kind, message)) => (kind, message),
            Some(Ending::Cancelled) | None => (FailureKind::Crashed, "its job was cancelled".into()),
        }
    }

    fn release(&mut self, _: usize) {}
}

impl Drop for SlurmExecutor<'_> {
    /// The command fails: its jobs write a checkpoint and end. What they have measured is collected later.
    fn drop(&mut self) {
        let left = self.slots.iter().flatten().filter(|job| !job.is_read);
        let ids: Vec<ElementId> = left
            .filter_map(|job| {
                let id = job.at.id()?;
                let _ = job.at.folder.order_to_stop(job.at.element);
                Some(id)
            })
            .collect();
        if !ids.is_empty() {
            let _ = self.with.slurm.cancel(&ids);
        }
    }
}
