//! Requests to write a checkpoint and go, and folders that several machines share.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use taper::store::{RunState, Store};

use super::twelve::*;
use crate::support::{store, words};

/// Waits until a run of the folder has trained a step.
fn wait_for_a_step(sandbox: &Sandbox, runs: &str) {
    let begin = Instant::now();
    let has_begun = || {
        let stored = Store::open_existing(&sandbox.path(runs)).and_then(|store| store.runs()).unwrap_or_default();
        stored.iter().any(|run| run.state == RunState::Running && run.steps > 0)
    };
    while !has_begun() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no run begins");
        thread::sleep(Duration::from_millis(2));
    }
}

fn send(signal: &str, process: &Child) {
    assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().expect("kill").success());
}

const LONG: &[&str] = &["--set", "train.epochs=30", "--set", "sweep.seeds=[1]"];

#[test]
fn sigusr1_means_a_checkpoint_and_go() {
    let sandbox = twelve_runs();
    sandbox.finish("calm", LONG);
    let mut command = sandbox.command(&[&["run", "torture.toml"], LONG].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
    wait_for_a_step(&sandbox, "runs");
    // Unlike Ctrl-C it does not end the command at once when it comes again.
    (0..3).for_each(|_| send("-USR1", &child));
    let output = child.wait_with_output().expect("its end");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert_eq!(said.matches("SIGUSR1: stopping after this step, with a checkpoint").count(), 1, "{said}");
    assert!(said.contains("run the same command again to resume"), "{said}");
    let runs = store(&sandbox.path("runs")).runs().expect("runs");
    let stopped: Vec<_> = runs.iter().filter(|run| run.state == RunState::Interrupted).collect();
    assert_eq!(stopped.len(), 1, "{said}");
    assert!(stopped[0].steps < stopped[0].total_steps && stopped[0].checkpoint_step == Some(stopped[0].steps));
    sandbox.finish("runs", LONG);
    assert!(trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")));
    assert_clean(&sandbox.path("runs"));
}

#[test]
fn one_command_at_a_time_trains_in_a_folder_that_machines_share() {
    let sandbox = twelve_runs();
    let shared = |arguments: &[&str]| {
        let mut command = sandbox.command(&[&["run", "torture.toml"], arguments].concat());
        command.env("TAPER_SHARED_RUNS", "yes").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("taper starts")
    };
    let mut first = shared(LONG);
    let begin = Instant::now();
    while !sandbox.path("runs/locks/training").exists() {
        assert!(begin.elapsed() < Duration::from_secs(60), "it does not begin");
        thread::sleep(Duration::from_millis(2));
    }
    let second = shared(LONG).wait_with_output().expect("its end");
    let said = words(&second);
    assert_eq!(second.status.code(), Some(2), "{said}");
    let by = format!("process {} on ", first.id());
    assert!(said.contains("only one command at a time can train") && said.contains(&by), "{said}");
    assert!(!sandbox.path("runs/taper.db-wal").exists());
    // A command that was killed is not in the way on its own machine.
    first.kill().expect("kill -9");
    first.wait().expect("its end");
    assert!(sandbox.path("runs/locks/training").exists());
    let output = shared(LONG).wait_with_output().expect("its end");
    assert!(output.status.success(), "{}", words(&output));
    assert!(!sandbox.path("runs/locks/training").exists());
    sandbox.finish("calm", LONG);
    assert!(trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")));
    let unclear = sandbox.command(&["list"]).env("TAPER_SHARED_RUNS", "nfs").output().expect("taper starts");
    assert!(unclear.status.code() == Some(2) && words(&unclear).contains("is `nfs`; expected `yes`"), "{unclear:?}");
}
