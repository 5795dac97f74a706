//! A test bench for the scheduler: an executor without processes, whose workers follow a script, and a clock that moves only while the
//! scheduler waits. Store, locks and runs are real.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    fs,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{OtherProcesses, Outcome as Whole, Records, Scheduler, SchedulerOptions};
use crate::{
    event::{Event, FailureKind, Outcome, Split, When},
    execute::{
        DeviceChoice, ExecuteError, Prepared, Workbench,
        executor::{Executor, News},
        protocol::{Order, Report, Work, WorkerJob},
    },
    observe::{Listener, ObserveError, RunInfo},
    plan::{Budget, Keep, PlannedRun, Prune, RunConfig, RungSteps, Scratch, Source},
    source::Preset,
    store::{
        NewRun, RunLock, RunRecord, Store,
        testing::{config, eval, step},
    },
};

/// What a worker does next.
#[derive(Debug, Clone)]
pub enum Act {
    /// Reports that its device cannot be used.
    NoDevice(&'static str),
    /// Trains this step.
    Step(u64),
    /// Reports a dev evaluation after this step with so many of four rows right.
    Eval(u64, usize),
    /// Asks whether to continue after this step, if a rung is there. If not, the run ends there with a checkpoint.
    Ask(u64),
    /// Still reads its rows, as one of the first acts: before it reports that it begins.
    Read,
    /// The user presses Ctrl-C; as the first act: while the worker reads its rows, before it reports that it begins.
    CtrlC,
    /// Computes, without a report.
    Think,
    /// Reports the run's end.
    End(Outcome),
    /// Has cleaned up.
    Tidy,
    /// Crashes.
    Die(FailureKind, &'static str),
}

/// `End` by this failure.
pub fn fails(kind: FailureKind) -> Act {
    Act::End(Outcome::Failed { kind, message: format!("a message about {}", kind.word()) })
}

/// All steps of a run of nine after `from`, with the rungs of `Prune::Asha { reduction_factor: 3, rungs: 2 }` at 1 and 3.
pub fn trains(from: u64, right: usize) -> Vec<Act> {
    let at = |step: u64| match step {
        1 | 3 => vec![Act::Step(step), Act::Eval(step, right), Act::Ask(step)],
        _ => vec![Act::Step(step)],
    };
    (from + 1..=9).flat_map(at).chain([Act::End(Outcome::Completed)]).collect()
}

/// The acts of a worker, by the run's name, the attempt (from 1) and the number of stored steps. A worker without acts cannot be started.
type Script<'a> = &'a dyn Fn(&str, usize, u64) -> Vec<Act>;

/// An action of another process, with its time.
type Later = (Duration, Box<dyn FnOnce()>);

/// What happened, in order.
type Log = Arc<Mutex<Vec<String>>>;

/// The shared state of a test.
#[derive(Default)]
struct World {
    log: Log,
    clock: Cell<Duration>,
    stop: Cell<bool>,
    later: RefCell<Vec<Later>>,
}

impl World {
    fn note(&self, text: String) {
        self.log.lock().unwrap().push(text);
    }

    fn pass(&self, time: Duration) {
        let now = self.clock.get() + time;
        self.clock.set(now);
        assert!(now < Duration::from_secs(60), "nothing happens any more: {:#?}", self.log.lock());
        let due = self.later.borrow_mut().extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>();
        due.into_iter().for_each(|(_, happens)| happens());
    }
}

/// An executor whose workers take turns.
struct Fake<'a> {
    world: &'a World,
    devices: &'a [DeviceChoice],
    script: Script<'a>,
    attempts: HashMap<String, usize>,
    workers: Vec<Worker>,
    turn: usize,
}

#[derive(Default)]
struct Worker {
    acts: VecDeque<Act>,
    /// Of a run that it has not reported as started: the step of its checkpoint.
    from: Option<u64>,
    /// The step after which it asked whether to continue.
    asked: u64,
    death: Option<(FailureKind, String)>,
}

impl Executor for Fake<'_> {
    fn slots(&self) -> usize {
        self.devices.len()
    }

    fn device(&self, slot: usize) -> DeviceChoice {
        self.devices[slot]
    }

    fn submit(&mut self, slot: usize, job: WorkerJob) -> Result<(), ExecuteError> {
        let worker = &mut self.workers[slot];
        assert!(worker.acts.is_empty(), "slot {slot} is occupied");
        let Work::Train { rungs, micro_batch_tokens, stored } = &job.work else { panic!("{:?}", job.work) };
        let stored = serde_json::to_value(stored).unwrap()["steps"].as_u64().unwrap();
        let from = if stored > 0 { format!(" from {stored}") } else { String::new() };
        let parts = micro_batch_tokens.map_or(String::new(), |tokens| format!(" in parts of {tokens}"));
        self.world.note(format!("{slot}: {}{from}{parts}", job.name));
        let attempt = self.attempts.entry(job.name.clone()).or_default();
        *attempt += 1;
        let mut acts = (self.script)(&job.name, *attempt, stored);
        acts.retain(|act| !matches!(act, Act::Ask(step) if !rungs.contains(step)));
        let Some(first) = acts.first() else { return Err(ExecuteError::Worker("no process can be started".into())) };
        let from = (!matches!(first, Act::NoDevice(_))).then_some(stored);
        *worker = Worker { from, acts: acts.into(), ..Worker::default() };
        Ok(())
    }

    fn answer(&mut self, slot: usize, order: &Order) -> Result<(), ExecuteError> {
        let worker = &mut self.workers[slot];
        match order {
            Order::Stop => {
                self.world.note(format!("{slot}: stop"));
                // One that reads its rows sees it afterwards.
                if worker.from.is_some() && matches!(worker.acts.front(), Some(Act::Read | Act::CtrlC)) {
                    return Ok(());
                }
                if matches!(worker.acts.front(), None | Some(Act::Tidy)) {
                    return Ok(());
                }
                worker.acts = [Act::Think, Act::Think, Act::End(Outcome::Interrupted)].into();
            }
            Order::Continue(true) => self.world.note(format!("{slot}: continue")),
            Order::Continue(false) => {
                self.world.note(format!("{slot}: wait"));
                worker.acts = [Act::End(Outcome::Paused { step: worker.asked })].into();
            }
            Order::Recorded => {}
            Order::Begin(_) => panic!("runs are begun by `submit`"),
        }
        Ok(())
    }

    fn poll(&mut self, within: Duration) -> Option<(usize, News)> {
        let slots = self.workers.len();
        let busy = |slot: &usize| !self.workers[*slot].acts.is_empty();
        let Some(slot) = (self.turn..self.turn + slots).map(|turn| turn % slots).find(busy) else {
            self.world.pass(within);
            return None;
        };
        self.turn = slot + 1;
        let worker = &mut self.workers[slot];
        let reads = worker.from.is_some() && matches!(worker.acts.front(), Some(Act::Read | Act::CtrlC));
        if let Some(from) = worker.from.take_if(|_| !reads) {
            let (environment, resumed_from) = (Box::default(), Some(from).filter(|from| *from > 0));
            return Some((slot, News::Report(Report::Started { environment, resumed_from })));
        }
        let report = match worker.acts.pop_front().expect("it is busy") {
            Act::NoDevice(message) => Report::Unusable(message.into()),
            Act::Step(at) => Report::Event(step(at, 0.5)),
            Act::Eval(at, right) => Report::Event(eval(When::During, at, Split::Dev, right)),
            Act::Ask(at) => {
                worker.asked = at;
                Report::AtRung(at)
            }
            Act::CtrlC => {
                self.world.stop.set(true);
                return None;
            }
            Act::Think | Act::Read => {
                self.world.pass(within);
                return None;
            }
            Act::End(outcome) => {
                worker.acts = [Act::Tidy].into();
                Report::Event(Event::RunFinished(outcome))
            }
            Act::Tidy => Report::Finished,
            Act::Die(kind, message) => {
                worker.death = Some((kind, message.into()));
                return Some((slot, News::Silence));
            }
        };
        Some((slot, News::Report(report)))
    }

    fn cancel(&mut self, slot: usize) -> (FailureKind, String) {
        self.world.note(format!("{slot}: cancel"));
        std::mem::take(&mut self.workers[slot]).death.unwrap_or((FailureKind::Crashed, "it was ended".into()))
    }

    fn release(&mut self, slot: usize) {
        self.world.note(format!("{slot}: release"));
        self.workers[slot] = Worker::default();
    }
}

/// Stores events as the recorder does, and notes how runs end.
struct Recording {
    store: Store,
    log: Log,
}

impl Listener for Recording {
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        self.store.append(&run.key, std::slice::from_ref(event)).unwrap();
        let text = match event {
            Event::Note { message } => message.clone(),
            Event::RunFinished(Outcome::Failed { kind, .. }) => format!("failed ({})", kind.word()),
            Event::RunFinished(Outcome::Paused { step }) => format!("paused at {step}"),
            Event::RunFinished(Outcome::Pruned { reason, .. }) => format!("pruned {reason}"),
            Event::RunFinished(outcome) => format!("{outcome:?}").to_lowercase(),
            _ => return Ok(()),
        };
        self.log.lock().unwrap().push(format!("{}: {text}", run.name));
        Ok(())
    }
}

/// A folder with runs of nine steps, each its own trial.
pub struct Bench {
    folder: tempfile::TempDir,
    runs: Vec<Prepared>,
    world: World,
    pub prune: Prune,
    pub budget: Budget,
    pub retry: bool,
    pub retries: u32,
}

impl Bench {
    pub fn new(names: &[&str]) -> Self {
        let bench = Self::of(names, |_, _| {});
        assert!(bench.runs.iter().all(|run| run.steps.total == 9));
        bench
    }

    /// Runs of other lengths: `change` sets the settings of each, by its index.
    pub fn of(names: &[&str], change: impl Fn(usize, &mut RunConfig)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let words = "word ".repeat(40);
        let rows: String = (b'a'..=b't').map(|i| format!("{},{words}{}\n", i % 2, char::from(i))).collect();
        let data = folder.path().join("rows.csv");
        fs::write(&data, format!("label,review\n{rows}")).unwrap();
        let mut config: RunConfig = config();
        config.model.source = Source::Scratch(Scratch::Preset(Preset::Tiny));
        config.data.source = Source::Path(data);
        config.data.labels.clear();
        (config.data.dev, config.data.max_length) = (0.2.into(), 64);
        (config.train.eval_steps, config.train.batch_size) = (1, 4);
        // No completed run is trained again because its model is missing.
        config.checkpoint.keep = Keep::None;
        config.probes.clear();
        let mut workbench = Workbench::default();
        let mut store = Store::open(folder.path()).unwrap();
        let mut prepared = Vec::new();
        for (trial, name) in names.iter().enumerate() {
            config.train.lr = 1e-5 * (trial + 1) as f64;
            change(trial, &mut config);
            let planned = PlannedRun { trial, name: (*name).into(), point: Vec::new(), config: config.clone() };
            let run = workbench.prepare(&planned).unwrap();
            let total_steps = run.steps.total;
            let labels = &run.dataset.labels;
            let (key, experiment) = (&run.key, "exp");
            store
                .register(&NewRun { key, name, experiment, config: &config, labels, total_steps, audit: None })
                .unwrap();
            prepared.push(run);
        }
        let world = World::default();
        let (prune, budget, retry, retries) = (Prune::None, Budget::default(), false, 2);
        Self { folder, runs: prepared, world, prune, budget, retry, retries }
    }

    /// The rungs and the last step of each run, as the plan has them.
    pub fn courses(&self) -> Vec<RungSteps> {
        let of = |run: &Prepared| RungSteps::of(&self.prune, &run.config.train, run.examples() as u64);
        self.runs.iter().map(of).collect()
    }

    /// One command, or one call of it, with a slot on each of the devices; what happened with it is appended to the log.
    pub fn call(&self, devices: &[DeviceChoice], script: Script, before: Whole) -> Result<Whole, ExecuteError> {
        let mut store = self.store();
        let world = &self.world;
        world.stop.set(false);
        let (stop, say, now) =
            (|| world.stop.get(), |text: &str| world.note(format!("says: {text}")), || world.clock.get());
        let options = SchedulerOptions {
            runs: self.folder.path(),
            stop: &stop,
            say: &say,
            retry: self.retry,
            retries: self.retries,
            prune: self.prune,
            budget: self.budget,
        };
        let mut listener = Recording { store: self.store(), log: world.log.clone() };
        let records = Records::new(&mut store, &self.runs, &options, &mut listener);
        let workers = devices.iter().map(|_| Worker::default()).collect();
        let executor = Fake { world, devices, script, attempts: HashMap::new(), workers, turn: 0 };
        Scheduler::new(&options, records, Box::new(executor), OtherProcesses::new(&now), before)?.run()
    }

    /// One command on one CPU that fails with no error.
    pub fn run(&self, script: Script) -> Whole {
        self.call(&[DeviceChoice::Cpu], script, Whole::default()).unwrap()
    }

    /// What happened since the last look.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.world.log.lock().unwrap())
    }

    /// After so many seconds of the commands' time something happens elsewhere.
    pub fn later(&self, seconds: u64, happens: impl FnOnce() + 'static) {
        self.world.later.borrow_mut().push((Duration::from_secs(seconds), Box::new(happens)));
    }

    pub fn store(&self) -> Store {
        Store::open(self.folder.path()).unwrap()
    }

    pub fn key(&self, run: usize) -> String {
        self.runs[run].key.clone()
    }

    pub fn record(&self, run: usize) -> RunRecord {
        self.store().run(&self.key(run)).unwrap()
    }

    /// The lock of a run, as another process has it.
    pub fn lock(&self, run: usize) -> RunLock {
        RunLock::acquire(self.folder.path(), &self.key(run)).unwrap().unwrap()
    }
}
