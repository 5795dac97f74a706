//! Making the runs of a plan: who is at which, what is left to do, what came of it.

mod begin;
mod end;
mod room;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{
    DeviceChoice, ExecuteError, Prepared,
    executor::{Executor, News, Slot},
    local::LocalWorkers,
    protocol::{Order, Report},
    sweep::{Item, Standing, Sweep},
};
use crate::{
    event::{Event, FailureKind, Split, When},
    metrics::Metric,
    observe::{Listener, RunInfo, past},
    plan::{Budget, Prune, prune::rungs},
    store::{RunLock, RunRecord, RunState, Store, is_locked, tidy_locks},
};

/// Between looks at the request to stop, and at runs that another process is at.
const TICK: Duration = Duration::from_millis(100);
const LOOK: Duration = Duration::from_millis(500);

/// How many runs ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Trained to the end now.
    pub completed: usize,
    /// Were done before.
    pub already_done: usize,
    /// Ended by a failure now.
    pub failed: usize,
    /// Diverged before, and left out.
    pub diverged_before: usize,
    /// Ended before their time by the sweep's rule now.
    pub pruned: usize,
    /// Pruned before, or by another command, and left out.
    pub pruned_before: usize,
    /// Not ended, because of a request to stop.
    pub stopped: usize,
    /// Waiting at a rung for the runs that they are compared with, because of a request to stop.
    pub waiting: usize,
    /// Not begun, because of a request to stop.
    pub not_started: usize,
    /// Not begun or not ended, because the sweep's budget is spent.
    pub beyond_budget: usize,
    /// Not ended, because they are compared together with a run that failed.
    pub held: usize,
}

impl Tally {
    /// Whether none of the runs is left to be trained.
    pub fn is_over(&self) -> bool {
        self.stopped + self.waiting + self.not_started + self.beyond_budget + self.held == 0
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.completed += other.completed;
        self.already_done += other.already_done;
        self.failed += other.failed;
        self.diverged_before += other.diverged_before;
        self.pruned += other.pruned;
        self.pruned_before += other.pruned_before;
        self.stopped += other.stopped;
        self.waiting += other.waiting;
        self.not_started += other.not_started;
        self.beyond_budget += other.beyond_budget;
        self.held += other.held;
    }
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
    /// Rungs (from 0) at which all trials have the same score, with the number of these trials: as the last call left it.
    pub undecided: Vec<(usize, usize)>,
    /// Whether it was said that runs are waited for.
    pub waits: bool,
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
    if let Err(e) = command.work() {
        // Best told by the store; where that is what failed, the next command finds runs without a process.
        let message = e.to_string();
        for busy in command.busy.iter().flatten().filter(|busy| busy.trains && busy.then.is_none()) {
            let key = &command.runs[busy.place].key;
            let _ = command.store.mark(key, RunState::Failed, Some(FailureKind::Error), Some(&message));
        }
        return Err(e);
    }
    let tally = command.tally;
    drop(command);
    tidy_locks(runner.runs);
    Ok(tally)
}

/// What a slot is busy with.
struct Busy {
    place: usize,
    _lock: RunLock,
    /// Whether it is trained, and not only its probes are scored.
    trains: bool,
    told_to_stop: bool,
    /// How the run stands once the worker has tidied up after it.
    then: Option<Standing>,
    /// Whether the worker ends with this run.
    last: bool,
    /// Whether other runs have been on its device at the same time.
    shared: bool,
}

/// What the command knows of a run beyond what the sweep does.
#[derive(Default)]
struct Tries {
    made: u32,
    micro_batch_tokens: Option<usize>,
    seconds: f64,
    begun: bool,
    /// The device on which memory ran out beside others: it is made there alone.
    alone_on: Option<DeviceChoice>,
}

struct Command<'a, 'b> {
    store: &'a mut Store,
    runs: &'a [Prepared],
    runner: &'a mut Runner<'b>,
    executor: Box<dyn Executor>,
    sweep: Sweep,
    tries: Vec<Tries>,
    busy: Vec<Option<Busy>>,
    /// How many slots of a device may be busy at a time, where memory ran out with more.
    most: Vec<(DeviceChoice, usize)>,
    looked: Instant,
    /// When another process was last seen at one of these runs.
    others: Option<Instant>,
    /// Whether a run was stopped from outside that others are compared with: nothing is decided without it.
    halted: bool,
    tally: Tally,
    /// How each run was stored when the listener last heard of it, or began it.
    told: Vec<(RunState, u64)>,
}

impl<'a, 'b> Command<'a, 'b> {
    fn new(store: &'a mut Store, runs: &'a [Prepared], runner: &'a mut Runner<'b>) -> Result<Self, ExecuteError> {
        let item = |run: &Prepared| {
            let rungs = rungs(&runner.prune, &run.config.train, run.splits.train.len() as u64);
            let scores = vec![None; rungs.len()];
            Item { trial: run.trial, scores, rungs, steps: 0, standing: Standing::Open, failed: false }
        };
        let metric = runs.first().map_or(Metric::Accuracy, |run| run.config.checkpoint.metric);
        let sweep = Sweep::new(runner.prune, metric, runs.iter().map(item).collect());
        let executor = Box::new(LocalWorkers::new(runner.program.clone(), &runner.slots));
        let busy = (0..executor.slots()).map(|_| None).collect();
        let tries = runs.iter().map(|_| Tries::default()).collect();
        let looked = Instant::now();
        let (most, others, halted, tally, told) = (Vec::new(), None, false, Tally::default(), Vec::new());
        let mut command =
            Self { store, runs, runner, executor, sweep, tries, busy, most, looked, others, halted, tally, told };
        for (place, run) in runs.iter().enumerate() {
            let record = command.look(place)?;
            command.told.push((record.state, record.steps));
            if command.runner.ended.contains(&run.key) {
                let item = &mut command.sweep.items[place];
                item.standing = Standing::Ended;
                item.failed = record.failure == Some(FailureKind::Diverged);
            } else if record.state == RunState::Pruned && command.runner.prune != Prune::None {
                match command.runner.retry {
                    true => command.sweep.let_past(run.trial),
                    false => {
                        command.tidy_up_after(place)?;
                        command.was_pruned(place, &record);
                    }
                }
            }
        }
        Ok(command)
    }

    /// Takes in what the store knows of a run that this command is not at.
    fn look(&mut self, place: usize) -> Result<RunRecord, ExecuteError> {
        let run = &self.runs[place];
        let record = self.store.run(&run.key)?;
        let tries = &mut self.tries[place];
        self.sweep.items[place].steps = record.steps;
        tries.begun = record.started_at.is_some();
        let on_record = record.environment.as_ref().and_then(|e| e.micro_batch_tokens);
        tries.micro_batch_tokens = tries.micro_batch_tokens.or(on_record);
        if self.runner.budget.seconds.is_some() {
            tries.seconds = self.store.training_seconds([run.key.as_str()])?.remove(&run.key).unwrap_or(0.0);
        }
        if self.sweep.items[place].rungs.is_empty() {
            return Ok(record);
        }
        let metric = run.config.checkpoint.metric;
        let evals = self.store.evals(&run.key)?;
        let dev: Vec<_> = evals.iter().filter(|eval| eval.split == Split::Dev && eval.when != When::Before).collect();
        for eval in dev.iter().filter(|eval| eval.when == When::During) {
            self.sweep.measured(place, eval.step, eval.metrics.score(metric));
        }
        if record.state == RunState::Completed {
            // One that was evaluated at other steps, or stopped early, is known by its last evaluation before the rung.
            let item = &mut self.sweep.items[place];
            for (rung, at_rung) in item.rungs.iter().zip(&mut item.scores).filter(|(_, score)| score.is_none()) {
                let before = dev.iter().rfind(|eval| eval.when == When::During && eval.step <= *rung).or(dev.last());
                *at_rung = before.map(|eval| eval.metrics.score(metric));
            }
        }
        Ok(record)
    }

    fn work(&mut self) -> Result<(), ExecuteError> {
        loop {
            let stopping = self.is_stopped() || self.budget_is_spent();
            if stopping {
                self.tell_to_stop()?;
            } else {
                self.fill()?;
            }
            if self.busy.iter().all(Option::is_none) {
                if stopping {
                    return self.conclude();
                }
                if self.is_alone() {
                    if (self.may_begin() || self.all_begun()) && self.sweep.hope() {
                        continue;
                    }
                    return self.conclude();
                }
                self.say_that_it_waits();
            }
            if let Some((slot, news)) = self.executor.poll(TICK) {
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
        let elsewhere = self.sweep.items.iter().filter(|item| item.standing == Standing::Elsewhere).count();
        if elsewhere > 0 && !std::mem::replace(&mut self.runner.waits, true) {
            (self.runner.say)(&format!(
                "another taper process is at {elsewhere} of the runs that are left: waiting for it"
            ));
        }
    }

    /// Whether no run is begun or goes on: the user asked for it, or a run was stopped that others are compared with.
    fn is_stopped(&self) -> bool {
        self.halted || (self.runner.stop)()
    }

    fn budget_is_spent(&self) -> bool {
        let spent: f64 = self.tries.iter().map(|tries| tries.seconds).sum();
        self.runner.budget.seconds.is_some_and(|most| spent >= most)
    }

    /// Takes a report.
    fn take(&mut self, slot: usize, report: Report) -> Result<(), ExecuteError> {
        let Some(place) = self.busy[slot].as_ref().map(|busy| busy.place) else {
            return match report {
                Report::Unusable(message) => self.has_no_room(slot, message),
                _ => Ok(()),
            };
        };
        let run = &self.runs[place];
        match report {
            Report::Ready => {}
            Report::Unusable(message) => return self.has_no_room(slot, message),
            Report::Started { environment, resumed_from } => {
                self.store.start(&run.key, &environment, resumed_from)?;
                self.executor.answer(slot, &Order::Recorded)?;
            }
            Report::Happened(Event::RunFinished(outcome)) => {
                self.finished(slot, place, outcome)?;
                self.executor.answer(slot, &Order::Recorded)?;
            }
            Report::Happened(event) => {
                self.tell(place, &event)?;
                match &event {
                    Event::StepCompleted(step) => self.tries[place].seconds = step.elapsed_s,
                    Event::EvalCompleted { when: When::During, step, split: Split::Dev, metrics, .. } => {
                        self.sweep.measured(place, *step, metrics.score(run.config.checkpoint.metric));
                    }
                    _ => {}
                }
                if event.is_awaited() {
                    self.executor.answer(slot, &Order::Recorded)?;
                }
            }
            Report::MayGoOn(step) => {
                self.refresh_scores()?;
                let answer = self.sweep.goes_on(place, step);
                self.executor.answer(slot, &Order::GoOn(answer))?;
            }
            Report::Finished => {
                if self.busy[slot].as_ref().is_some_and(|busy| busy.last) {
                    let _ = self.executor.cancel(slot);
                }
                if self.busy[slot].as_ref().is_some_and(|busy| busy.then.is_none()) {
                    (self.runner.skipped)(run, "done; new probes scored");
                    self.tally.already_done += 1;
                }
                self.free(slot);
            }
        }
        Ok(())
    }

    /// Looks from time to time.
    fn look_elsewhere(&mut self) -> Result<(), ExecuteError> {
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        self.looked = Instant::now();
        self.refresh()
    }

    /// Before a decision that depends on the scores of all runs.
    fn refresh_scores(&mut self) -> Result<(), ExecuteError> {
        if self.runner.prune == Prune::None { Ok(()) } else { self.refresh() }
    }

    /// Takes in what other processes, if there are any, have made of runs that are not ended.
    fn refresh(&mut self) -> Result<(), ExecuteError> {
        let runs = self.runs;
        let held = |place: usize| is_locked(self.runner.runs, &runs[place].key);
        let undecided = |item: &Item| matches!(item.standing, Standing::Open | Standing::Elsewhere);
        let places: Vec<usize> = (0..runs.len()).filter(|&place| undecided(&self.sweep.items[place])).collect();
        let held: Vec<bool> = places.iter().map(|&place| held(place)).collect();
        if held.contains(&true) {
            self.others = Some(Instant::now());
        }
        if self.others.is_none() {
            return Ok(());
        }
        for (place, held) in places.into_iter().zip(held) {
            let record = self.look(place)?;
            self.catch_up(place, &record)?;
            if record.state == RunState::Pruned && self.runner.prune != Prune::None && !self.runner.retry {
                self.was_pruned(place, &record);
            } else {
                self.sweep.items[place].standing = if held { Standing::Elsewhere } else { Standing::Open };
            }
        }
        Ok(())
    }

    /// Tells the listener what another process has made of a run since it was told last.
    fn catch_up(&mut self, place: usize, record: &RunRecord) -> Result<(), ExecuteError> {
        let now = (record.state, record.steps);
        if std::mem::replace(&mut self.told[place], now) != now {
            let (info, events) = (self.info(place), past(self.store, record)?);
            self.runner.listener.caught_up(&info, now, &events);
        }
        Ok(())
    }

    /// Whether no other process is at these runs. One that was may be between two of them.
    fn is_alone(&self) -> bool {
        let elsewhere = self.sweep.items.iter().any(|item| item.standing == Standing::Elsewhere);
        !elsewhere && self.others.is_none_or(|seen| seen.elapsed() > 4 * LOOK)
    }

    fn tell_to_stop(&mut self) -> Result<(), ExecuteError> {
        for slot in 0..self.busy.len() {
            if let Some(busy) = self.busy[slot].as_mut().filter(|busy| !busy.told_to_stop) {
                busy.told_to_stop = true;
                self.executor.answer(slot, &Order::Stop)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, place: usize, event: &Event) -> Result<(), ExecuteError> {
        Ok(self.runner.listener.on(&self.info(place), event)?)
    }

    fn info(&self, place: usize) -> RunInfo {
        let run = &self.runs[place];
        RunInfo {
            key: run.key.clone(),
            name: run.name.clone(),
            log_steps: run.config.train.log_steps,
            position: (place + 1, self.runs.len()),
        }
    }
}
