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

fn place() -> Sandbox {
    let place = Sandbox::new();
    place.write_rows();
    place.write("small.toml", SWEEP);
    place
}

fn options(place: &Sandbox, sets: &[&str]) -> Options {
    Options { runs: place.path("runs"), sets: sets.iter().map(|s| s.to_string()).collect(), ..Options::default() }
}

fn how() -> RunOptions<'static> {
    RunOptions { program: Some(env!("CARGO_BIN_EXE_taper").into()), ..RunOptions::default() }
}

/// What the library trains is what the command knows, to the last key.
#[test]
fn a_sweep_is_opened_planned_and_run() {
    let place = place();
    let mut experiment = Experiment::open(place.path("small.toml"), options(&place, &[])).expect("a spec");
    let planned: Vec<String> = experiment.plan().expect("a plan").iter().map(|run| run.key.clone()).collect();
    assert_eq!(planned.len(), 4);
    assert!(!place.path("runs").exists(), "a plan stores nothing");
    let (send, events) = std::sync::mpsc::channel();
    let outcome = experiment.run(Listeners::new().with(Events(send)), how()).expect("runs");
    assert_eq!((outcome.tally.completed, outcome.tally.failed, outcome.skipped.len()), (4, 0, 0));
    let mut told: Vec<String> = events.try_iter().collect();
    told.sort();
    let names = ["lr=1e-3 seed=1", "lr=1e-3 seed=2", "lr=3e-3 seed=1", "lr=3e-3 seed=2"];
    assert_eq!(told, names.map(|name| format!("{name}: Completed")));
    let store = Store::open_existing(&place.path("runs")).expect("a database");
    let stored = store.runs().expect("runs");
    assert!(
        stored.iter().all(|run| run.state == RunState::Completed && planned.contains(&run.key)) && stored.len() == 4
    );
    // The command has nothing left to do, and the library neither.
    let output =
        place.command(&["run", "small.toml", "--json"]).env("TAPER_RUNS", place.path("runs")).output().expect("taper");
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout).matches("\"event\":\"run_skipped\"").count(), 4);
    let again = experiment.run(Listeners::new(), how()).expect("runs");
    assert_eq!((again.tally.completed, again.tally.already_done, again.skipped.len()), (0, 4, 4));
}

/// Everything that is wrong is an error of the call that can know it, and nothing is stored.
#[test]
fn what_is_wrong_is_an_error_before_anything_is_stored() {
    let place = place();
    let open = |sets: &[&str]| Experiment::open(place.path("small.toml"), options(&place, sets));
    let Err(ExperimentError::Spec(error)) = open(&["train.epochz=1", "data.tests=1"]) else {
        panic!("a spec with two mistakes")
    };
    assert!(error.to_string().contains("epochz") && error.to_string().contains("tests"), "{error}");
    let Err(ExperimentError::Refused(error)) = open(&["train.lr=1"]) else { panic!("a key that the sweep varies") };
    assert!(error.contains("the sweep varies it"), "{error}");
    let mut missing = open(&["data.source=path:none.csv"]).expect("a spec that is right in itself");
    for error in [
        missing.plan().map(drop).expect_err("no data"),
        missing.run(Listeners::new(), how()).map(drop).expect_err("no data"),
    ] {
        assert!(error.is_unusable() && error.to_string().contains("none.csv"), "{error}");
    }
    assert!(!place.path("runs").exists());
}

/// A request to stop ends it after a step, with what is left counted; the next call goes on.
#[test]
fn a_request_to_stop_leaves_the_rest_for_the_next_call() {
    let place = place();
    let mut experiment = Experiment::open(place.path("small.toml"), options(&place, &[])).expect("a spec");
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
    let place = place();
    let spec = SWEEP.split("[sweep]").next().expect("what precedes the sweep");
    place.write("one.toml", spec);
    let output = Command::new(program).arg(place.path("one.toml")).arg(place.path("runs")).output().expect("it runs");
    let says = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{says}{}", String::from_utf8_lossy(&output.stderr));
    assert!(says.starts_with("6 runs of ") && says.ends_with("6 completed, 0 were done before\n"), "{says}");
}
