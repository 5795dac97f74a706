//! Does the work of one element: the loop that replaces a command, between a worker and the shard of its run.

use std::{
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use super::{
    hold::Hold,
    shard::{self, ShardError, ShardHeader, ShardWriter, Timed},
    submission::{ElementJobs, SubmissionFolder},
};
use crate::{
    assets::{Library, Settings},
    event::{Event, FailureKind, Outcome},
    execute::{
        ExecuteError, Slot, Workbench,
        executor::{Executor, News},
        local::LocalWorkers,
        protocol::{Order, Report, Work, WorkerJob},
        schedule::{Attempts, Failure, RetryPolicy, batch_of},
        stored_progress::StoredProgress,
        worker::prepare,
    },
    format::count,
    store::unix_time,
};

/// Interval at which signals are looked for.
const TICK: Duration = Duration::from_millis(100);
/// How long a run waits at a rung for its command to decide. Then it pauses with a checkpoint, and the command submits it again if it continues.
const DECISION: Duration = Duration::from_secs(60);

/// What a process was asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Write a checkpoint and be requeued: the time is up, or another job is to have the machine.
    Requeue,
    /// Write a checkpoint and end.
    End,
}

/// How an element works.
pub struct ElementOptions<'a> {
    /// The program whose `worker` command trains: taper itself.
    pub program: PathBuf,
    /// Where it trains.
    pub slot: Slot,
    /// How often it was requeued before.
    pub restarts: u32,
    /// What the process was asked to do.
    pub asked: &'a dyn Fn() -> Option<Asked>,
    /// Queues the element again. The error is a sentence.
    pub requeue: &'a dyn Fn() -> Result<(), String>,
    /// Shows a message, which the cluster keeps in the element's log.
    pub say: &'a dyn Fn(&str),
}

/// How the work of an element ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementEnd {
    /// All runs are done; so many of them failed.
    Done {
        /// Failed runs, and runs that another process trains.
        failed: usize,
    },
    /// Asked to stop, with a checkpoint: it is requeued.
    Requeued,
    /// Asked to stop, with a checkpoint.
    Stopped,
}

/// Trains the runs of an element of the submission in `folder`, each into its own shard; continues those that an earlier attempt began.
///
/// # Errors
/// If its jobs cannot be read, a shard cannot be written, or no worker can use the device.
pub fn attend(folder: &Path, element: u64, options: ElementOptions) -> Result<ElementEnd, ExecuteError> {
    let folder = SubmissionFolder::at(folder);
    let jobs = folder.read_jobs(element)?;
    let workers = LocalWorkers::new(options.program.clone(), std::slice::from_ref(&options.slot));
    let mut attendant = Attendant { folder, element, jobs, options, workers };
    let mut failed = 0;
    for job in attendant.jobs.jobs.clone() {
        match attendant.run(&job)? {
            RunEnd::Done => {}
            RunEnd::Failed => failed += 1,
            RunEnd::Stopped(end) => return Ok(end),
        }
    }
    Ok(ElementEnd::Done { failed })
}

struct Attendant<'a> {
    folder: SubmissionFolder,
    element: u64,
    jobs: ElementJobs,
    options: ElementOptions<'a>,
    workers: LocalWorkers,
}

/// How a run ended here.
enum RunEnd {
    Done,
    Failed,
    Stopped(ElementEnd),
}

/// How one attempt at a run ended.
enum AttemptEnd {
    /// Its worker reported this end.
    Finished(Outcome),
    /// Its probes were scored, or its worker ended after the run's last event.
    NothingLeft,
    /// Asked to stop before it began.
    NotBegun(Asked),
    /// Another command trains the run now.
    TakenOver,
}

/// An end of a run in a log.
fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed => "completed".into(),
        Outcome::Paused { step } => format!("paused at step {}", count(*step)),
        Outcome::Pruned { reason, .. } => format!("pruned: {reason}"),
        Outcome::Failed { message, .. } => format!("failed: {message}"),
        Outcome::Interrupted | Outcome::Retried => "interrupted".into(),
    }
}

/// The shard of the present run, and what it holds.
struct Progress {
    writer: ShardWriter,
    stored: StoredProgress,
    attempts: Attempts,
    /// Whether it ever began, and its end, if that is in the shard.
    begun: bool,
    outcome: Option<Outcome>,
}

impl Progress {
    /// Continues a shard, or begins one.
    fn open(folder: &SubmissionFolder, job: &WorkerJob, say: &dyn Fn(&str)) -> Result<(Self, bool), ExecuteError> {
        let header = ShardHeader { key: job.key.clone(), name: job.name.clone(), config: job.config.clone() };
        let (writer, before) = match ShardWriter::open(&folder.shards(), &header) {
            Err(e @ (ShardError::Damaged { .. } | ShardError::Version { .. })) => {
                let aside = shard::set_aside(&shard::part(&folder.shards(), &job.key))?;
                say(&format!("{}: starts over: {e}; the file is now {}", job.name, aside.display()));
                ShardWriter::open(&folder.shards(), &header)?
            }
            opened => opened?,
        };
        let (stored, micro_batch_tokens) = match &job.work {
            Work::Train { stored, micro_batch_tokens, .. } => (stored.clone(), *micro_batch_tokens),
            Work::Probes { .. } => (StoredProgress::default(), None),
        };
        let attempts = Attempts { micro_batch_tokens, ..Attempts::default() };
        let mut progress = Self { writer, stored, attempts, begun: false, outcome: None };
        let mut is_done = false;
        for Timed { report, .. } in &before {
            progress.note(job, report);
            is_done = *report == Report::Finished;
        }
        Ok((progress, is_done))
    }

    /// Writes a report; with `sync` it is on the disk when this returns.
    fn write(&mut self, job: &WorkerJob, report: Report, sync: bool) -> Result<(), ExecuteError> {
        self.note(job, &report);
        Ok(self.writer.append(&Timed { at: unix_time(), report }, sync)?)
    }

    fn note(&mut self, job: &WorkerJob, report: &Report) {
        match report {
            Report::Started { environment, .. } => {
                self.attempts.micro_batch_tokens = environment.micro_batch_tokens;
                (self.begun, self.outcome) = (true, None);
            }
            Report::Event(Event::RunFinished(outcome)) => self.outcome = Some(outcome.clone()),
            Report::Event(event) => self.stored.add(event, job.config.checkpoint.metric),
            _ => {}
        }
    }

    /// Ends the shard.
    fn finish(mut self, job: &WorkerJob) -> Result<RunEnd, ExecuteError> {
        self.write(job, Report::Finished, true)?;
        self.end()
    }

    /// Names a shard whose last report is written as one whose run is done.
    fn end(self) -> Result<RunEnd, ExecuteError> {
        self.writer.finish()?;
        Ok(if matches!(self.outcome, Some(Outcome::Failed { .. })) { RunEnd::Failed } else { RunEnd::Done })
    }
}

impl Attendant<'_> {
    fn run(&mut self, job: &WorkerJob) -> Result<RunEnd, ExecuteError> {
        let shards = self.folder.shards();
        let is_over = |say: &dyn Fn(&str)| {
            // An earlier attempt at this element has done it, or a command has trained it instead.
            let is_over = shard::done(&shards, &job.key).exists() || shard::collected(&shards, &job.key).exists();
            if is_over {
                say(&format!("{}: nothing is left to do", job.name));
            }
            is_over
        };
        if is_over(self.options.say) {
            return Ok(RunEnd::Done);
        }
        let Some(mut hold) = Hold::take(job, &shards, self.jobs.attached)? else {
            (self.options.say)(&format!("{}: another taper process is training it", job.name));
            return Ok(RunEnd::Failed);
        };
        // Whoever held the lock may have done it meanwhile.
        if is_over(self.options.say) {
            return Ok(RunEnd::Done);
        }
        let (mut progress, is_done) = Progress::open(&self.folder, job, self.options.say)?;
        if is_done {
            return progress.end();
        }
        // An earlier attempt was killed between the run's last event and the end of its shard.
        let ended = |outcome: &Outcome| !matches!(outcome, Outcome::Interrupted | Outcome::Retried);
        if progress.outcome.as_ref().is_some_and(ended) {
            return progress.finish(job);
        }
        loop {
            let outcome = match self.attempt(job, &mut progress, &mut hold)? {
                AttemptEnd::NothingLeft => return progress.finish(job),
                AttemptEnd::TakenOver => {
                    (self.options.say)(&format!("{}: another command has taken it over", job.name));
                    return Ok(RunEnd::Done);
                }
                AttemptEnd::NotBegun(asked) => return self.stop(job, progress, asked),
                AttemptEnd::Finished(outcome) => outcome,
            };
            match outcome {
                Outcome::Interrupted => {
                    // Its worker noticed a signal first.
                    let asked = (self.options.asked)().unwrap_or(Asked::End);
                    return self.stop(job, progress, asked);
                }
                Outcome::Failed { kind, message } => {
                    if let Some((attempts, note)) = self.retry(job, &progress, kind, &message)? {
                        (self.options.say)(&format!("{}: {note}", job.name));
                        progress.write(job, Report::Event(Event::Note { message: note }), false)?;
                        progress.write(job, Report::Event(Event::RunFinished(Outcome::Retried)), true)?;
                        progress.attempts = attempts;
                        continue;
                    }
                    (self.options.say)(&format!("{}: failed: {message}", job.name));
                    let failed = Outcome::Failed { kind, message };
                    progress.write(job, Report::Event(Event::RunFinished(failed)), true)?;
                    return progress.finish(job);
                }
                outcome => {
                    (self.options.say)(&format!("{}: {}", job.name, word(&outcome)));
                    return progress.finish(job);
                }
            }
        }
    }

    /// One attempt at a run. Its end is in the shard only if nothing can follow it: [`Attendant::run`] decides about the others.
    fn attempt(
        &mut self,
        job: &WorkerJob,
        progress: &mut Progress,
        hold: &mut Hold,
    ) -> Result<AttemptEnd, ExecuteError> {
        let mut now = job.clone();
        if let Work::Train { micro_batch_tokens, stored, .. } = &mut now.work {
            (*micro_batch_tokens, *stored) = (progress.attempts.micro_batch_tokens, progress.stored.clone());
        }
        let trains = matches!(now.work, Work::Train { .. });
        if let Some(asked) = (self.options.asked)() {
            return Ok(AttemptEnd::NotBegun(asked));
        }
        self.workers.submit(0, now)?;
        let (mut begun, mut ordered, mut end) = (false, false, None);
        loop {
            if !hold.is_kept()? {
                let _ = self.workers.cancel(0);
                return Ok(AttemptEnd::TakenOver);
            }
            if let Some(asked) = (self.options.asked)().filter(|_| !ordered && end.is_none()) {
                // Before it has begun it only reads rows, which can take minutes.
                if !begun {
                    let _ = self.workers.cancel(0);
                    return Ok(AttemptEnd::NotBegun(asked));
                }
                ordered = true;
                self.workers.answer(0, &Order::Stop)?;
            }
            let report = match self.workers.poll(TICK) {
                None => continue,
                Some((_, News::Report(report))) => report,
                Some((_, News::Silence)) => {
                    let (kind, message) = self.workers.cancel(0);
                    return Ok(match end {
                        Some(outcome) => AttemptEnd::Finished(outcome),
                        None if trains => AttemptEnd::Finished(Outcome::Failed { kind, message }),
                        None => {
                            // The run itself is done.
                            let message = format!("the new probes could not be scored: {message}");
                            progress.write(job, Report::Event(Event::Note { message }), false)?;
                            AttemptEnd::NothingLeft
                        }
                    });
                }
            };
            match report {
                Report::Ready => {}
                Report::Unusable(message) => return Err(ExecuteError::Device(message)),
                Report::Started { resumed_from, .. } => {
                    begun = true;
                    let how = resumed_from.map_or("starts".into(), |step| format!("resumes at step {}", count(step)));
                    (self.options.say)(&format!("{}: {how}", job.name));
                    progress.write(job, report, true)?;
                    self.workers.answer(0, &Order::Recorded)?;
                }
                Report::Event(Event::RunFinished(outcome)) => {
                    if !matches!(outcome, Outcome::Interrupted | Outcome::Failed { .. }) {
                        progress.write(job, Report::Event(Event::RunFinished(outcome.clone())), true)?;
                    }
                    end = Some(outcome);
                    self.workers.answer(0, &Order::Recorded)?;
                }
                Report::Event(event) => {
                    let awaited = event.is_awaited();
                    // Shown to people only.
                    if !matches!(event, Event::EvalProgress { .. }) {
                        progress.write(job, Report::Event(event), awaited)?;
                    }
                    if awaited {
                        self.workers.answer(0, &Order::Recorded)?;
                    }
                }
                Report::AtRung(step) => {
                    progress.write(job, report, true)?;
                    let continues = self.decision(job, step, hold)?;
                    self.workers.answer(0, &Order::Continue(continues))?;
                }
                Report::Finished => {
                    // A worker that was ordered to stop, or that failed, is not used again.
                    if ordered || matches!(end, Some(Outcome::Failed { .. } | Outcome::Interrupted)) {
                        self.workers.release(0);
                    }
                    return Ok(end.map_or(AttemptEnd::NothingLeft, AttemptEnd::Finished));
                }
            }
        }
    }

    /// Waits for the command to decide whether a run continues after the rung of this step; if it does not in time, the run pauses there.
    fn decision(&self, job: &WorkerJob, step: u64, hold: &mut Hold) -> Result<bool, ExecuteError> {
        // Without a command there is nobody to decide.
        let asked = Instant::now();
        while self.jobs.attached && asked.elapsed() < DECISION && (self.options.asked)().is_none() && hold.is_kept()? {
            if let Some(continues) = self.folder.take_answer(&job.key, step) {
                return Ok(continues);
            }
            thread::sleep(TICK);
        }
        Ok(false)
    }

    /// How a failed run is tried again here; `None` if it is not.
    fn retry(
        &self,
        job: &WorkerJob,
        progress: &Progress,
        kind: FailureKind,
        message: &str,
    ) -> Result<Option<(Attempts, String)>, ExecuteError> {
        let failure = match kind {
            FailureKind::Oom => {
                let mut bench = Workbench::new(Library::new(Settings::from_env(true)?));
                Failure::OutOfMemory(batch_of(&prepare(&mut bench, job)?)?)
            }
            FailureKind::Crashed => Failure::Crashed,
            FailureKind::Error | FailureKind::Diverged => Failure::Final,
        };
        let retry = RetryPolicy { retries: self.jobs.retries }.retry(failure, message, progress.attempts);
        Ok(retry.map(|retry| (retry.attempts, retry.note)))
    }

    /// Ends the element, which was asked to stop, after the checkpoint of its run.
    fn stop(&mut self, job: &WorkerJob, mut progress: Progress, asked: Asked) -> Result<RunEnd, ExecuteError> {
        let say = |what: &str| {
            let how = if progress.begun { "stopped with a checkpoint" } else { "stopped before it began" };
            (self.options.say)(&format!("{}: {how}{what}", job.name));
        };
        let (restarts, most) = (self.options.restarts, self.jobs.requeues);
        // Whether the next submission continues the shard.
        let left = if self.folder.is_to_stop(self.element) {
            say(", as requested");
            false
        } else if asked == Asked::End {
            say("; not requeued: it was asked to end");
            true
        } else if restarts >= most {
            say(&format!("; it was requeued {restarts} times"));
            false
        } else {
            match (self.options.requeue)() {
                Ok(()) => {
                    say(" and requeued");
                    return Ok(RunEnd::Stopped(ElementEnd::Requeued));
                }
                // The cluster is unreachable for a moment.
                Err(why) => {
                    say(&format!("; not requeued: {why}"));
                    true
                }
            }
        };
        // Of a run that never began there is nothing to collect.
        if !left && progress.begun {
            progress.write(job, Report::Event(Event::RunFinished(Outcome::Interrupted)), true)?;
            progress.finish(job)?;
        }
        Ok(RunEnd::Stopped(ElementEnd::Stopped))
    }
}
