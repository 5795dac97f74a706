//! Making the runs of a plan: who is at which, what is left to do, what came of it.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    ExecuteError, Prepared, RunFolder,
    pool::{News, Pool, Slot},
    probes,
    protocol::{Job, Order, Report, Task},
    sweep::{Item, Standing, Sweep},
};
use crate::{
    event::{Event, FailureKind, Outcome, Split, When},
    observe::{Listener, RunInfo},
    plan::{Keep, Prune, prune::rungs},
    store::{RunLock, RunRecord, RunState, Store, is_locked},
    train::{largest_part, policy::figure},
};

/// Between looks at the request to stop, and at runs that another process is at.
const TICK: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(500);

/// Tokens below which a batch is not cut further when memory runs out.
const LEAST_MICRO_BATCH: usize = 64;

/// How many runs ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Trained to the end now.
    pub completed: usize,
    /// Were done before.
    pub already_done: usize,
    /// Ended by a failure, now or (diverged runs) before.
    pub failed: usize,
    /// Ended before their time by the sweep's rule, now or before.
    pub pruned: usize,
    /// Not begun or not ended, because of a request to stop.
    pub stopped: usize,
    /// Not begun or not ended, because the sweep's budget is spent.
    pub beyond_budget: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.completed += other.completed;
        self.already_done += other.already_done;
        self.failed += other.failed;
        self.pruned += other.pruned;
        self.stopped += other.stopped;
        self.beyond_budget += other.beyond_budget;
    }
}

/// What a sweep may cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Runs that may be begun, earlier ones included.
    pub runs: Option<u64>,
    /// Seconds of training of all runs together, earlier ones included.
    pub seconds: Option<f64>,
}

/// What runs are made with.
pub struct Runner<'a> {
    /// The folder `runs/`.
    pub runs: &'a Path,
    /// The program whose `worker` command makes them: taper itself.
    pub program: PathBuf,
    /// Where they are made, each slot one at a time.
    pub slots: Vec<Slot>,
    /// Who is told of every event. A recorder must be among them.
    pub listener: &'a mut dyn Listener,
    /// Whether the user asked to stop.
    pub stop: &'a dyn Fn() -> bool,
    /// Runs that diverged or were pruned are made again.
    pub retry: bool,
    /// How often a run whose worker died is tried again.
    pub retries: u32,
    /// Which trials end before their time.
    pub prune: Prune,
    /// What all of it may cost.
    pub budget: Budget,
    /// Keys of runs that an earlier call with this runner brought to an end: they are not looked into again.
    pub ended: HashSet<String>,
    /// Says something to the user at once.
    pub say: &'a dyn Fn(&str),
    /// Told of runs that are not made, with the reason.
    pub skipped: &'a mut dyn FnMut(&Prepared, &str),
}

/// Makes every run that is not done. A run that fails does not keep the others from being made; one that another process is
/// at is waited for, and made here if that process does not end it.
///
/// # Errors
/// What would meet every other run too: the store, the listener, no worker to be had.
pub fn run_all(store: &mut Store, runs: &[Prepared], runner: &mut Runner) -> Result<Tally, ExecuteError> {
    let mut command = Command::new(store, runs, runner)?;
    command.work()?;
    Ok(command.tally)
}

/// What a slot is busy with.
struct Busy {
    place: usize,
    _lock: RunLock,
    told_to_stop: bool,
    /// How the run stands once the worker has tidied up after it.
    then: Option<Standing>,
}

/// What the command knows of a run beyond what the sweep does.
#[derive(Default)]
struct Tries {
    made: u32,
    micro_batch_tokens: Option<usize>,
    seconds: f64,
    begun: bool,
}

struct Command<'a, 'b> {
    store: &'a mut Store,
    runs: &'a [Prepared],
    runner: &'a mut Runner<'b>,
    pool: Pool,
    sweep: Sweep,
    tries: Vec<Tries>,
    busy: Vec<Option<Busy>>,
    looked: Instant,
    waits: bool,
    tally: Tally,
}

impl<'a, 'b> Command<'a, 'b> {
    fn new(store: &'a mut Store, runs: &'a [Prepared], runner: &'a mut Runner<'b>) -> Result<Self, ExecuteError> {
        let item = |run: &Prepared| {
            let rungs = rungs(&runner.prune, &run.config.train, run.splits.train.len() as u64);
            Item { trial: run.trial, figures: vec![None; rungs.len()], rungs, standing: Standing::Open, failed: false }
        };
        let sweep = Sweep::new(runner.prune, runs.iter().map(item).collect());
        let pool = Pool::new(runner.program.clone(), &runner.slots);
        let busy = (0..pool.slots()).map(|_| None).collect();
        let tries = runs.iter().map(|_| Tries::default()).collect();
        let looked = Instant::now();
        let mut command =
            Self { store, runs, runner, pool, sweep, tries, busy, looked, waits: false, tally: Tally::default() };
        for (place, run) in runs.iter().enumerate() {
            let state = command.look(place)?.state;
            if command.runner.ended.contains(&run.key) {
                let item = &mut command.sweep.items[place];
                (item.standing, item.failed) = (Standing::Ended, state == RunState::Failed);
            }
        }
        Ok(command)
    }

    /// Takes in what the store knows of a run that this command is not at.
    fn look(&mut self, place: usize) -> Result<RunRecord, ExecuteError> {
        let run = &self.runs[place];
        let record = self.store.run(&run.key)?;
        let tries = &mut self.tries[place];
        tries.begun = record.state != RunState::Pending;
        let on_record = record.environment.as_ref().and_then(|e| e.micro_batch_tokens);
        tries.micro_batch_tokens = tries.micro_batch_tokens.or(on_record);
        if self.runner.budget.seconds.is_some() {
            tries.seconds = self.store.training_seconds(&run.key)?;
        }
        if self.sweep.items[place].rungs.is_empty() {
            return Ok(record);
        }
        let metric = run.config.checkpoint.metric;
        let mut last = None;
        for eval in self.store.evals(&run.key)?.iter().filter(|eval| eval.split == Split::Dev) {
            if eval.when == When::During {
                self.sweep.measured(place, eval.step, figure(metric, &eval.metrics));
            }
            last = Some(figure(metric, &eval.metrics));
        }
        if record.state == RunState::Completed {
            // One that stopped early stays what it was.
            for at_rung in &mut self.sweep.items[place].figures {
                *at_rung = at_rung.or(last);
            }
        }
        Ok(record)
    }

    fn work(&mut self) -> Result<(), ExecuteError> {
        loop {
            let stopping = (self.runner.stop)() || self.budget_is_spent();
            if stopping {
                self.tell_to_stop()?;
            } else {
                self.fill()?;
            }
            if self.busy.iter().all(Option::is_none) {
                let elsewhere = self.sweep.items.iter().any(|item| item.standing == Standing::Elsewhere);
                if stopping {
                    return self.conclude();
                }
                if !elsewhere {
                    if self.may_begin() && self.sweep.hope() {
                        continue;
                    }
                    return self.conclude();
                }
                self.say_that_it_waits();
            }
            if let Some((slot, news)) = self.pool.next(TICK) {
                match news {
                    News::Report(report) => self.take(slot, report)?,
                    News::Silence => self.died(slot)?,
                }
            }
            self.look_elsewhere()?;
        }
    }

    /// Once: a command that does nothing should say why.
    fn say_that_it_waits(&mut self) {
        if !std::mem::replace(&mut self.waits, true) {
            let elsewhere = self.sweep.items.iter().filter(|item| item.standing == Standing::Elsewhere).count();
            (self.runner.say)(&format!(
                "another taper process is at {elsewhere} of the runs that are left: waiting for it"
            ));
        }
    }

    /// Gives every free slot a run.
    fn fill(&mut self) -> Result<(), ExecuteError> {
        while let Some(slot) = self.busy.iter().position(Option::is_none) {
            for (place, reason) in self.sweep.out() {
                self.prune(place, reason)?;
            }
            let room = self.may_begin();
            let tries = &self.tries;
            let Some(place) = self.sweep.next(|place| room || tries[place].begun) else { return Ok(()) };
            self.begin(slot, place)?;
        }
        Ok(())
    }

    /// Whether the budget has room for one more run.
    fn may_begin(&self) -> bool {
        let begun = self.tries.iter().filter(|tries| tries.begun).count() as u64;
        self.runner.budget.runs.is_none_or(|most| begun < most)
    }

    fn budget_is_spent(&self) -> bool {
        let spent: f64 = self.tries.iter().map(|tries| tries.seconds).sum();
        self.runner.budget.seconds.is_some_and(|most| spent >= most)
    }

    /// Settles one open run: orders it of a slot, or finds that nothing is to be done.
    fn begin(&mut self, slot: usize, place: usize) -> Result<(), ExecuteError> {
        let run = &self.runs[place];
        let Some(lock) = self.lock(place)? else {
            self.sweep.items[place].standing = Standing::Elsewhere;
            return Ok(());
        };
        // Only who holds the lock can trust what the store says.
        let record = self.look(place)?;
        let task = match self.task(place, &record)? {
            Some(task) => task,
            None => return Ok(()),
        };
        self.sweep.items[place].standing = Standing::Busy;
        self.tries[place].begun = true;
        let job = Job {
            key: run.key.clone(),
            name: run.name.clone(),
            config: run.config.clone(),
            runs: self.runner.runs.into(),
            task,
        };
        self.pool.order(slot, &Order::Begin(Box::new(job)))?;
        self.busy[slot] = Some(Busy { place, _lock: lock, told_to_stop: false, then: None });
        Ok(())
    }

    /// The run's lock; none where another process has it.
    fn lock(&self, place: usize) -> Result<Option<RunLock>, ExecuteError> {
        let key = &self.runs[place].key;
        Ok(RunLock::acquire(self.runner.runs, key)?)
    }

    /// What is left to do for a run whose lock is held; none where there is nothing.
    fn task(&mut self, place: usize, record: &RunRecord) -> Result<Option<Task>, ExecuteError> {
        let run = &self.runs[place];
        let folder = RunFolder::new(self.runner.runs, &run.key);
        match record.state {
            RunState::Completed if !model_is_missing(&folder, run) => {
                // A process that ended right after the run's last event left it.
                folder.forget_state()?;
                if probes::are_new(self.store, run, self.runner.runs)? {
                    return Ok(Some(Task::Probes { last_step: record.steps }));
                }
                (self.runner.skipped)(run, "done");
                self.tally.already_done += 1;
            }
            RunState::Failed if record.failure == Some(FailureKind::Diverged) && !self.runner.retry => {
                (self.runner.skipped)(run, "it diverged before and would again (--retry makes it all the same)");
                self.sweep.items[place].failed = true;
                self.tally.failed += 1;
            }
            RunState::Pruned if self.runner.prune != Prune::None && !self.runner.retry => {
                let reason = record.message.as_deref().unwrap_or("others did better");
                (self.runner.skipped)(run, &format!("pruned before: {reason} (--retry makes it all the same)"));
                self.tally.pruned += 1;
            }
            _ => {
                if record.failure == Some(FailureKind::Diverged) {
                    // From its checkpoint it would take the same steps again.
                    folder.forget_state()?;
                }
                let rungs = self.sweep.items[place].rungs.clone();
                let micro_batch_tokens = self.tries[place].micro_batch_tokens;
                return Ok(Some(Task::Train { rungs, micro_batch_tokens }));
            }
        }
        self.end(place);
        Ok(None)
    }

    /// Takes a report.
    fn take(&mut self, slot: usize, report: Report) -> Result<(), ExecuteError> {
        let Some(place) = self.busy[slot].as_ref().map(|busy| busy.place) else {
            return match report {
                Report::Unusable(message) => Err(ExecuteError::Device(message)),
                _ => Ok(()),
            };
        };
        let run = &self.runs[place];
        match report {
            Report::Ready => {}
            Report::Unusable(message) => return Err(ExecuteError::Device(message)),
            Report::Started { environment, resumed_from } => {
                self.store.start(&run.key, &environment, resumed_from)?;
                self.pool.order(slot, &Order::Recorded)?;
            }
            Report::Happened(Event::RunFinished(outcome)) => {
                self.finished(slot, place, outcome)?;
                self.pool.order(slot, &Order::Recorded)?;
            }
            Report::Happened(event) => {
                self.tell(place, &event)?;
                match &event {
                    Event::StepCompleted(step) => self.tries[place].seconds = step.elapsed_s,
                    Event::EvalCompleted { when: When::During, step, split: Split::Dev, metrics, .. } => {
                        self.sweep.measured(place, *step, figure(run.config.checkpoint.metric, metrics));
                    }
                    _ => {}
                }
                if event.is_awaited() {
                    self.pool.order(slot, &Order::Recorded)?;
                }
            }
            Report::MayGoOn(step) => {
                let answer = self.sweep.goes_on(place, step);
                self.pool.order(slot, &Order::GoOn(answer))?;
            }
            Report::Finished => {
                if self.busy[slot].as_ref().is_some_and(|busy| busy.then.is_none()) {
                    (self.runner.skipped)(run, "done; new probes scored");
                    self.tally.already_done += 1;
                }
                self.free(slot);
            }
        }
        Ok(())
    }

    /// A run's end, by its worker's word or by its worker's death.
    fn finished(&mut self, slot: usize, place: usize, outcome: Outcome) -> Result<(), ExecuteError> {
        let again = match &outcome {
            Outcome::Failed { kind, message } => self.tries_again(place, *kind, message)?,
            _ => false,
        };
        // Until it is begun again it is as if it had been interrupted.
        let outcome = if again { Outcome::Interrupted } else { outcome };
        self.tell(place, &Event::RunFinished(outcome.clone()))?;
        let stopping = (self.runner.stop)() || self.busy[slot].as_ref().is_some_and(|busy| busy.told_to_stop);
        let then = match outcome {
            Outcome::Completed => {
                self.tally.completed += 1;
                Standing::Ended
            }
            Outcome::Failed { .. } => {
                self.tally.failed += 1;
                self.sweep.items[place].failed = true;
                Standing::Ended
            }
            // Somebody stopped this run alone.
            Outcome::Interrupted if !again && !stopping => {
                self.tally.stopped += 1;
                Standing::Ended
            }
            Outcome::Interrupted | Outcome::Paused { .. } | Outcome::Pruned { .. } => Standing::Open,
        };
        if then == Standing::Ended {
            self.look(place)?;
        }
        if let Some(busy) = self.busy[slot].as_mut() {
            busy.then = Some(then);
        }
        Ok(())
    }

    /// Whether a run that failed is made again at once, and in what way: told as a note.
    fn tries_again(&mut self, place: usize, kind: FailureKind, message: &str) -> Result<bool, ExecuteError> {
        let first_line = message.lines().next().unwrap_or_default().trim_end_matches("; its last words:").to_string();
        let note = match kind {
            FailureKind::Oom => {
                let run = &self.runs[place];
                let train = &run.config.train;
                let largest = largest_part(train, &run.splits.train, &run.tokens)?;
                let now = self.tries[place].micro_batch_tokens.unwrap_or(train.micro_batch_tokens).min(largest);
                if now / 2 < LEAST_MICRO_BATCH {
                    return Ok(false);
                }
                self.tries[place].micro_batch_tokens = Some(now / 2);
                format!(
                    "{first_line}; goes on with batches computed in parts of at most {} tokens instead of {now}; the effective \
                     batch stays {} rows",
                    now / 2,
                    train.batch_size * train.gradient_accumulation_steps
                )
            }
            FailureKind::Crashed if self.tries[place].made < self.runner.retries => {
                self.tries[place].made += 1;
                format!("{first_line}; tried again ({} of {})", self.tries[place].made, self.runner.retries)
            }
            _ => return Ok(false),
        };
        self.tell(place, &Event::Note { message: note })?;
        Ok(true)
    }

    /// A worker fell silent.
    fn died(&mut self, slot: usize) -> Result<(), ExecuteError> {
        let (kind, message) = self.pool.bury(slot);
        let Some(busy) = &self.busy[slot] else { return Ok(()) };
        if busy.then.is_none() {
            self.finished(slot, busy.place, Outcome::Failed { kind, message })?;
        }
        self.free(slot);
        Ok(())
    }

    /// Ends a run that its sweep is done with.
    fn prune(&mut self, place: usize, reason: String) -> Result<(), ExecuteError> {
        let Some(_lock) = self.lock(place)? else {
            self.sweep.items[place].standing = Standing::Elsewhere;
            return Ok(());
        };
        let run = &self.runs[place];
        if self.store.run(&run.key)?.state != RunState::Completed {
            self.tell(place, &Event::RunFinished(Outcome::Pruned { reason }))?;
            RunFolder::new(self.runner.runs, &run.key).forget_state()?;
            self.tally.pruned += 1;
        }
        self.end(place);
        Ok(())
    }

    /// Runs that another process was at and is no more are open again.
    fn look_elsewhere(&mut self) -> Result<(), ExecuteError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        for place in 0..self.runs.len() {
            if self.sweep.items[place].standing == Standing::Elsewhere
                && !is_locked(self.runner.runs, &self.runs[place].key)
            {
                self.look(place)?;
                self.sweep.items[place].standing = Standing::Open;
            }
        }
        Ok(())
    }

    fn tell_to_stop(&mut self) -> Result<(), ExecuteError> {
        for slot in 0..self.busy.len() {
            if let Some(busy) = self.busy[slot].as_mut().filter(|busy| !busy.told_to_stop) {
                busy.told_to_stop = true;
                self.pool.order(slot, &Order::Stop)?;
            }
        }
        Ok(())
    }

    /// Counts what is left, when nothing more is made.
    fn conclude(&mut self) -> Result<(), ExecuteError> {
        let stopped = (self.runner.stop)();
        let open = |place: usize| self.sweep.items[place].standing == Standing::Open;
        let not_begun = (0..self.runs.len()).any(|place| open(place) && !self.tries[place].begun);
        let spent = self.budget_is_spent() || (not_begun && !self.may_begin());
        if !stopped && !spent {
            for (place, reason) in self.sweep.waiting() {
                self.prune(place, reason)?;
            }
        }
        let left = self.sweep.items.iter().filter(|item| item.standing != Standing::Ended).count();
        *(if stopped { &mut self.tally.stopped } else { &mut self.tally.beyond_budget }) += left;
        Ok(())
    }

    fn free(&mut self, slot: usize) {
        match self.busy[slot].take() {
            Some(Busy { place, then: None | Some(Standing::Ended), .. }) => self.end(place),
            Some(Busy { place, then: Some(standing), .. }) => self.sweep.items[place].standing = standing,
            None => {}
        }
    }

    fn end(&mut self, place: usize) {
        self.sweep.items[place].standing = Standing::Ended;
        self.runner.ended.insert(self.runs[place].key.clone());
    }

    fn tell(&mut self, place: usize, event: &Event) -> Result<(), ExecuteError> {
        let run = &self.runs[place];
        let info = RunInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            log_steps: run.config.train.log_steps,
            position: (place + 1, self.runs.len()),
        };
        Ok(self.runner.listener.on(&info, event)?)
    }
}

/// Whether a run that kept a model lost it (somebody deleted the folder).
fn model_is_missing(folder: &RunFolder, run: &Prepared) -> bool {
    match run.config.checkpoint.keep {
        Keep::None => false,
        Keep::All if !folder.step_models().is_dir() => true,
        _ => !folder.model().join("model.safetensors").is_file(),
    }
}
