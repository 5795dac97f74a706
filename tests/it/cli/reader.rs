//! Readers of a command's output that go away before its end.

use std::io::{BufRead, BufReader};

use super::*;

/// Reads so many lines of a stream of the command, then closes it; the exit code, and what standard error said in all.
fn read_lines(sandbox: &Sandbox, arguments: &[&str], lines: usize) -> (i32, String) {
    let mut command = sandbox.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
    let mut reader = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    for _ in 0..lines {
        assert!(reader.read_line(&mut line).expect("a line") > 0, "the command ended before {lines} lines: {line}");
    }
    drop(reader);
    let output = child.wait_with_output().expect("its end");
    (output.status.code().expect("an exit code"), text(&output.stderr))
}

fn states(sandbox: &Sandbox, runs: &str) -> Vec<(String, Value)> {
    let list = sandbox.json(&["list", "--runs", runs]);
    let state = |run: &Value| (run["state"].as_str().expect("a state").to_string(), run["checkpoint_step"].clone());
    list.as_array().expect("runs").iter().map(state).collect()
}

#[test]
fn a_run_whose_json_output_is_closed_stops_with_a_checkpoint_and_resumes() {
    let sandbox = sandbox("[checkpoint]\nkeep = \"last\"\nevery_steps = 1000000\n");
    let longer = ["run", "small.toml", "--quiet", "--set", "train.epochs=60"];
    sandbox.ok(&[&longer[..], &["--runs", "calm"]].concat());
    let (code, said) = read_lines(&sandbox, &[&longer[..], &["--json"]].concat(), 20);
    assert_eq!(code, 130, "{said}");
    assert!(said.contains("standard output was closed: stopping after this step"), "{said}");
    let stopped = states(&sandbox, "runs");
    assert!(
        matches!(&stopped[..], [(state, step)] if state == "interrupted" && step.as_u64() > Some(0)),
        "{stopped:?}"
    );
    sandbox.ok(&longer);
    assert!(sandbox.steps("runs") == sandbox.steps("calm") && sandbox.weights("runs") == sandbox.weights("calm"));
}

#[test]
fn every_run_of_a_sweep_stops_with_its_checkpoint() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2, 3]\n");
    let longer = ["run", "small.toml", "--json", "--jobs", "2", "--set", "train.epochs=200"];
    let (code, said) = read_lines(&sandbox, &longer, 40);
    assert_eq!(code, 130, "{said}");
    let states = states(&sandbox, "runs");
    assert_eq!(states.len(), 3);
    assert!(states.iter().all(|(state, _)| state == "interrupted" || state == "pending"), "{states:?}");
    assert!(states.iter().any(|(state, _)| state == "interrupted"), "{states:?}");
}

#[test]
fn a_run_whose_plain_output_is_closed_continues_to_its_end() {
    let sandbox = sandbox("");
    let mut command = sandbox.command(&["run", "small.toml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
    drop((child.stdout.take(), child.stderr.take()));
    assert!(child.wait().expect("its end").success());
    assert_eq!(states(&sandbox, "runs")[0].0, "completed");
    // A failure is reported in the exit code even if its message cannot be read.
    let mut command = sandbox.command(&["run", "small.toml", "--set", "train.lr=1", "--set", "train.optimizer_eps=1"]);
    command.args(["--set", "train.max_steps=0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("its end").code(), Some(2));
}

#[test]
fn what_lists_ends_quietly_with_its_reader() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    for arguments in [&["list"][..], &["show", "small"], &["plan", "small.toml"], &["completions", "bash"]] {
        let mut command = sandbox.command(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("its end");
        assert!(output.status.success() && output.stderr.is_empty(), "{arguments:?}: {}", text(&output.stderr));
    }
}
