//! Experiments from Rust, without the command line.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::{path::PathBuf, process::Command};

use taper::{
    event::Event,
    experiment::{Experiment, ExperimentError, Options, RunOptions},
    observe::{Listener, Listeners, ObserveError, RunInfo},
    store::{RunState, Store},
};

use crate::support::{Sandbox, tiny_spec};

/// Sends the names of events.
struct Events(std::sync::mpsc::Sender<String>);

impl Listener for Events {
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        if let Event::RunFinished(outcome) = event {
            let _ = self.0.send(format!("{}: {outcome:?}", run.name));
        }
        Ok(())
    }
}

const SWEEP: &str = tiny_spec!(
    "small",
    r#"test = 0.25
max_length = 24
[train]
epochs = 1
batch_size = 8
[sweep]
seeds = [1, 2]
[sweep.axes]
train.lr = [1e-3, 3e-3]
"#
);

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("small.toml", SWEEP);
    sandbox
}

fn options(sandbox: &Sandbox, sets: &[&str]) -> Options {
    Options { runs: sandbox.path("runs"), sets: sets.iter().map(|s| s.to_string()).collect(), ..Options::default() }
}

fn how() -> RunOptions<'static> {
    RunOptions { program: Some(env!("CARGO_BIN_EXE_taper").into()), ..RunOptions::default() }
}

/// What the library trains is what the command knows, to the last key.
#[test]
fn a_sweep_is_opened_planned_and_run() {
    let sandbox = sandbox();
    let mut experiment = Experiment::open(sandbox.path("small.toml"), options(&sandbox, &[])).expect("a spec");
    let planned: Vec<String> = experiment.plan().expect("a plan").iter().map(|run| run.key.clone()).collect();
    assert_eq!(planned.len(), 4);
    assert!(!sandbox.path("runs").exists(), "a plan stores nothing");
    let (send, events) = std::sync::mpsc::channel();
    let outcome = experiment.run(Listeners::new().with(Events(send)), how()).expect("runs");
    assert_eq!((outcome.tally.completed, outcome.tally.failed, outcome.skipped.len()), (4, 0, 0));
    let mut told: Vec<String> = events.try_iter().collect();
    told.sort();
    let names = ["lr=1e-3 seed=1", "lr=1e-3 seed=2", "lr=3e-3 seed=1", "lr=3e-3 seed=2"];
    assert_eq!(told, names.map(|name| format!("{name}: Completed")));
    let store = Store::open_existing(&sandbox.path("runs")).expect("a database");
    let stored = store.runs().expect("runs");
    assert!(
        stored.iter().all(|run| run.state == RunState::Completed && planned.contains(&run.key)) && stored.len() == 4
    );
    // The command has nothing left to do, and the library neither.
    let output = sandbox
        .command(&["run", "small.toml", "--json"])
        .env("TAPER_RUNS", sandbox.path("runs"))
        .output()
        .expect("taper");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("\"event\":\"run_skipped\"").count(), 4);
    let again = experiment.run(Listeners::new(), how()).expect("runs");
    assert_eq!((again.tally.completed, again.tally.already_done, again.skipped.len()), (0, 4, 4));
}

/// Everything that is wrong is an error of the call that can know it, and nothing is stored.
#[test]
fn what_is_wrong_is_an_error_before_anything_is_stored() {
    let sandbox = sandbox();
    let open = |sets: &[&str]| Experiment::open(sandbox.path("small.toml"), options(&sandbox, sets));
    let Err(ExperimentError::Spec(error)) = open(&["train.epochz=1", "data.tests=1"]) else {
        panic!("a spec with two mistakes")
    };
    assert!(error.to_string().contains("epochz") && error.to_string().contains("tests"), "{error}");
    let Err(ExperimentError::Refused(error)) = open(&["train.lr=1"]) else { panic!("a key that the sweep varies") };
    assert!(error.contains("the sweep varies this key"), "{error}");
    let mut missing = open(&["data.source=path:none.csv"]).expect("a spec that is right in itself");
    for error in [
        missing.plan().map(drop).expect_err("no data"),
        missing.run(Listeners::new(), how()).map(drop).expect_err("no data"),
    ] {
        assert!(error.is_unusable() && error.to_string().contains("none.csv"), "{error}");
    }
    assert!(!sandbox.path("runs").exists());
}

/// A request to stop ends it after a step, with the remaining runs counted; the next call continues.
#[test]
fn a_request_to_stop_leaves_the_rest_for_the_next_call() {
    let sandbox = sandbox();
    let mut experiment = Experiment::open(sandbox.path("small.toml"), options(&sandbox, &[])).expect("a spec");
    let stopped = experiment.run(Listeners::new(), RunOptions { stop: &|| true, ..how() }).expect("stopped");
    assert_eq!((stopped.tally.completed, stopped.tally.not_started), (0, 4));
    assert_eq!(experiment.run(Listeners::new(), how()).expect("runs").tally.completed, 4);
}

/// The example under `examples/`, which is its own worker.
#[test]
fn the_example_trains_a_sweep_with_its_own_processes() {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_taper")).with_file_name("examples").join("sweep");
    if !program.exists() {
        eprintln!("skipped: the example was not built (`cargo test` builds it)");
        return;
    }
    let sandbox = sandbox();
    let spec = SWEEP.split("[sweep]").next().expect("what precedes the sweep");
    sandbox.write("one.toml", spec);
    let output =
        Command::new(program).arg(sandbox.path("one.toml")).arg(sandbox.path("runs")).output().expect("it runs");
    let says = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{says}{}", String::from_utf8_lossy(&output.stderr));
    assert!(says.starts_with("6 runs of ") && says.ends_with("6 completed, 0 were done before\n"), "{says}");
}

/// A search that was stopped says how many runs it has not even proposed.
#[test]
fn a_stopped_search_counts_what_it_has_yet_to_propose() {
    let sandbox = sandbox();
    let sets = [
        "data.dev=0.25",
        "sweep.search=tpe",
        "sweep.trials=6",
        "sweep.startup_trials=3",
        "sweep.axes.train.lr={ log = [1e-4, 1e-2] }",
    ];
    let mut experiment = Experiment::open(sandbox.path("small.toml"), options(&sandbox, &sets)).expect("a spec");
    let stopped = experiment.run(Listeners::new(), RunOptions { stop: &|| true, ..how() }).expect("stopped");
    assert_eq!((stopped.tally.stopped + stopped.tally.not_started, stopped.to_come), (6, 6), "{:?}", stopped.tally);
    let finished = experiment.run(Listeners::new(), how()).expect("runs");
    assert_eq!((finished.tally.completed + finished.tally.already_done, finished.to_come), (12, 0));
}

/// A search can ask for more trials than there are points: when all of them are trained, none is to come.
#[test]
fn an_exhausted_search_has_nothing_to_come() {
    let sandbox = sandbox();
    let sets = [
        "data.dev=0.25",
        "train.epochs=1",
        "sweep.search=tpe",
        "sweep.trials=20",
        // All four points are known after the first batch, at whose end it is not known that there are no more.
        "sweep.startup_trials=2",
        "sweep.batch=2",
        "sweep.axes.train.lr=[1e-3, 2e-3]",
        "sweep.axes.train.weight_decay=[0.0, 0.1]",
    ];
    let mut experiment = Experiment::open(sandbox.path("small.toml"), options(&sandbox, &sets)).expect("a spec");
    let finished = experiment.run(Listeners::new(), how()).expect("runs");
    assert_eq!((finished.to_come, finished.experiment.to_come), (0, 0), "{:?}", finished.tally);
    let stored = crate::support::store(&sandbox.path("runs")).experiment(&finished.experiment.name).expect("stored");
    assert_eq!(stored.to_come, 0);
}
