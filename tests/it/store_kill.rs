//! A process that is killed while it writes: what it was told is stored stays stored, and its run is not shown as
//! running.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
};

use taper::{
    event::{Event, StepCompleted},
    observe::Recorder,
    store::{Environment, NewRun, RunLock, RunState, Store, is_locked},
};

const FOLDER: &str = "TAPER_TEST_STORE_KILL";

fn step(step: u64) -> Event {
    let (epoch, loss, lr, grad_norm, tokens, elapsed_s) = (1, 1.0 / step as f64, 1e-5, 1.0, 10, step as f64);
    Event::StepCompleted(StepCompleted { step, epoch, loss, lr, grad_norm, tokens, elapsed_s })
}

/// The process that is killed: records for long, and says of each step whose checkpoint may be written that it may.
fn victim(runs: &Path) {
    let config = serde_json::from_str(include_str!("../fixtures/store_config.json")).unwrap();
    let mut store = Store::open(runs).unwrap();
    let run = NewRun {
        key: "k",
        name: "n",
        experiment: "e",
        config: &config,
        labels: &[],
        total_steps: 1 << 40,
        audit: None,
    };
    store.register(&run).unwrap();
    let _lock = RunLock::acquire(runs, "k").unwrap().unwrap();
    store.start("k", &Environment::default(), None).unwrap();
    let mut recorder = Recorder::new(store).unwrap();
    let mut out = std::io::stdout();
    for at in 1..=100_000 {
        recorder.record("k", &step(at)).unwrap();
        if at % 7 == 0 {
            recorder.record("k", &Event::CheckpointStarted { step: at }).unwrap();
            writeln!(out, "durable {at}").unwrap();
        }
    }
}

#[test]
fn kill_9_loses_nothing_that_was_durable() {
    if let Some(runs) = env::var_os(FOLDER) {
        return victim(Path::new(&runs));
    }
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path();
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "store_kill::kill_9_loses_nothing_that_was_durable", "--nocapture"])
        .env(FOLDER, runs)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut durable = said.filter_map(|line| Some(line.split_once("durable ")?.1.parse::<u64>().unwrap()));
    let mut last = durable.by_ref().nth(20).expect("the victim ended by itself");
    let owned = is_locked(runs, "k") && RunLock::acquire(runs, "k").unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(owned, "the victim did not hold its lock");
    last = durable.last().unwrap_or(last);

    let mut store = Store::open_existing(runs).unwrap();
    let steps = store.steps("k").unwrap();
    assert!(steps.len() as u64 >= last, "{} steps of {last} that were durable", steps.len());
    assert!(steps.iter().zip(1..).all(|(stored, at)| Event::StepCompleted(stored.clone()) == step(at)));
    let run = store.run("k").unwrap();
    assert_eq!((run.state, run.steps), (RunState::Running, steps.len() as u64));
    assert_eq!(store.interrupt_dead(|key| is_locked(runs, key)).unwrap(), ["k"]);
    assert_eq!(store.run("k").unwrap().state, RunState::Interrupted);
    assert!(RunLock::acquire(runs, "k").unwrap().is_some());
}
