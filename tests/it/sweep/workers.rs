//! Worker processes: several at once, several commands at once, and what becomes of a run whose worker dies.

use std::{
    collections::BTreeMap,
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use taper::event::FailureKind;
use taper::store::{RunState, Store};

use super::twelve::*;

/// The events of commands that were run with `--json`, by name of the event, for each run.
fn counts(outputs: &[String], event: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for line in outputs.iter().flat_map(|output| output.lines()) {
        let line: Value = serde_json::from_str(line).expect("JSON");
        if line["event"] == event {
            *counts.entry(line["run"].as_str().expect("a key").to_string()).or_default() += 1;
        }
    }
    counts
}

/// What two commands print that train one spec at the same time, in the sandbox and for the epochs with which both took a part by `shared`:
/// on a busy machine one may begin when the other has all but ended, so the runs are longer each time.
fn two_commands(options: &[&str], shared: impl Fn(&[String; 2]) -> bool) -> (Sandbox, &'static str, [String; 2]) {
    for epochs in ["train.epochs=20", "train.epochs=100", "train.epochs=500"] {
        let sandbox = twelve_runs();
        let start = || sandbox.start("runs", &[options, &["--set", epochs]].concat());
        // Both are read in parallel: an unread one would block, and the other with it.
        let readers = [start(), start()].map(|child| std::thread::spawn(|| child.wait_with_output()));
        let outputs = readers.map(|reader| {
            let output = reader.join().expect("no panic").expect("an end");
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && !errors.contains("locked"), "{errors}");
            String::from_utf8(output.stdout).expect("text")
        });
        if shared(&outputs) {
            return (sandbox, epochs, outputs);
        }
    }
    panic!("one of the commands trained next to nothing, however long the runs were");
}

#[test]
fn two_commands_on_one_spec_train_each_run_once() {
    let started = |output: &String| counts(std::slice::from_ref(output), "run_started").len();
    let (sandbox, epochs, outputs) =
        two_commands(&["--jobs", "2", "--json"], |outputs| outputs.iter().all(|output| started(output) > 1));
    let (started, finished) = (counts(&outputs, "run_started"), counts(&outputs, "run_finished"));
    assert_eq!((started.len(), finished.len()), (RUNS, RUNS));
    assert!(started.values().chain(finished.values()).all(|&times| times == 1), "{started:?} {finished:?}");
    sandbox.finish("calm", &["--jobs", "3", "--set", epochs]);
    assert!(
        trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")),
        "neither jobs nor companions change a number"
    );
    assert_clean(&sandbox.path("runs"));
}

/// The numbers before `what` in the line that a command ends with; 0 where it is not there.
fn told(said: &str, what: &str) -> usize {
    let line = said.lines().find(|line| line.starts_with("torture: ")).expect("its end");
    let part = line.trim_start_matches("torture: ").split([',', ';']).map(str::trim).find(|part| part.ends_with(what));
    part.filter(|part| part.split(' ').skip(1).collect::<Vec<_>>().join(" ") == what)
        .map_or(0, |part| part.split(' ').next().expect("a number").parse().expect("a number"))
}

#[test]
fn what_another_command_trained_meanwhile_is_counted_as_that() {
    let of =
        |said: &String| ["completed", "completed by another command", "completed before"].map(|what| told(said, what));
    // One of them may begin a moment after the other has trained its first run.
    let shared =
        |outputs: &[String; 2]| outputs.iter().map(of).all(|[own, other, before]| own > 0 && other > 0 && before < 3);
    let (_sandbox, _, outputs) = two_commands(&[], shared);
    let counts = outputs.each_ref().map(of);
    assert!(counts.iter().all(|counts| counts.iter().sum::<usize>() == RUNS), "{counts:?}");
    assert_eq!(counts[0][0] + counts[1][0], RUNS, "{counts:?}");
}

#[test]
fn a_worker_that_dies_fails_its_run_and_no_other() {
    let sandbox = twelve_runs();
    let child = sandbox.start("runs", &["--retries", "1", "--set", "train.epochs=30"]);
    let pid = child.id();
    let store = || Store::open_existing(&sandbox.path("runs"));
    let begin = Instant::now();
    let mut killed = Vec::new();
    // The worker that is at the first run, twice.
    while killed.len() < 2 {
        assert!(begin.elapsed() < Duration::from_secs(30), "no worker to kill");
        let under_way = store().ok().and_then(|store| Some(store.runs().ok()?.first()?.steps > 0)).unwrap_or(false);
        if let Some(&worker) = children(pid).iter().find(|worker| under_way && !killed.contains(*worker)) {
            kill(worker);
            killed.push(worker);
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(1));
    let runs = store().expect("a store").runs().expect("runs");
    let (first, rest) = runs.split_first().expect("twelve");
    assert_eq!((first.state, first.failure), (RunState::Failed, Some(FailureKind::Crashed)));
    assert_eq!(first.message.as_deref(), Some("its worker was killed (signal 9)"));
    let notes = store().expect("a store").notes(&first.key).expect("notes");
    assert!(notes.iter().any(|note| note.message.ends_with("retried (1 of 1)")), "{notes:?}");
    assert!(rest.iter().all(|run| run.state == RunState::Completed), "the sweep continued");
    // The plan shows where it resumes, as `show` does.
    let plan = sandbox.json(&["plan", "torture.toml", "--runs", "runs", "--set", "train.epochs=30"]);
    let show = sandbox.ok(&["show", &first.key, "--runs", "runs"]);
    let step = show.split("resumes it from step ").nth(1).and_then(|rest| rest.lines().next());
    let expected = step.map_or("failed (crashed)".into(), |step| format!("failed (crashed), resumes at step {step}"));
    assert_eq!(plan["runs"][0]["standing"], expected.as_str(), "{show}");
    // The same command trains it again, from its checkpoint or from the beginning.
    sandbox.finish("runs", &["--set", "train.epochs=30"]);
    sandbox.finish("calm", &["--set", "train.epochs=30"]);
    assert!(trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")));
    assert_clean(&sandbox.path("runs"));
}

#[test]
fn runs_side_by_side_on_one_device_come_to_the_same() {
    let sandbox = twelve_runs();
    sandbox.finish("calm", &[]);
    let output = sandbox.taper(&[
        "run",
        "torture.toml",
        "--runs",
        "runs",
        "--device",
        "cpu",
        "--threads",
        "2",
        "--runs-per-device",
        "3",
    ]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("device: cpu, 2 threads in all, 3 runs at a time").count(), 1, "{said}");
    assert!(trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")));
    assert_clean(&sandbox.path("runs"));
    for wrong in [["--runs-per-device", "0", "--quiet"], ["--runs-per-device", "2", "--jobs=2"]] {
        let output = sandbox.taper(&[&["run", "torture.toml", "--runs", "runs"], &wrong[..]].concat());
        assert_eq!(output.status.code(), Some(2));
    }
}

/// A spec of one recipe whose batches have 24,000 tokens, and what is set beside it.
fn large(sandbox: &Sandbox, sweep: &str) -> Vec<&'static str> {
    let long = "味道很好送得慢".repeat(70);
    let rows: String = (0..80).map(|i| format!("{},{long}\n", i % 2)).collect();
    std::fs::write(sandbox.path("rows.csv"), format!("label,review\n{rows}")).expect("rows");
    let one = SPEC.split("[sweep]").next().expect("what comes before it");
    std::fs::write(sandbox.path("torture.toml"), format!("{one}{sweep}")).expect("a spec");
    let sets = [
        "data.max_length=500",
        "train.batch_size=48",
        "train.micro_batch_tokens=1000000",
        "train.max_steps=2",
        "train.dropout=0.0",
    ];
    sets.iter().flat_map(|set| ["--set", set]).chain(["--threads", "2"]).collect()
}

/// Runs the spec anew with less and less address space (in MiB) for each process, until a command says that memory ran out. Returns what
/// that one stored.
fn until_memory_runs_out(sandbox: &Sandbox, arguments: &[&str], limits: &[u64]) -> Store {
    let runs = sandbox.path("runs");
    let runs_out = limits.iter().any(|mib| {
        let _ = std::fs::remove_dir_all(&runs);
        let output = sandbox.limited("runs", mib * 1024, arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{mib} MiB: {said}");
        said.contains("memory ran out")
    });
    assert!(runs_out, "memory suffices with {limits:?} MiB");
    Store::open_existing(&runs).expect("a store")
}

/// Each process has its own address space here, so that a run alone meets the same limit: it is tried alone first, and only
/// then cut.
#[test]
fn a_run_that_finds_no_memory_beside_others_is_tried_alone_before_it_is_cut() {
    let sandbox = twelve_runs();
    let mut arguments = large(&sandbox, "[sweep]\nseeds = [1, 2, 3]\n");
    arguments.extend(["--device", "cpu", "--runs-per-device", "2"]);
    let store = until_memory_runs_out(&sandbox, &arguments, &[280, 240, 210, 180, 160]);
    let runs = store.runs().expect("runs");
    assert!(runs.iter().all(|run| run.state == RunState::Completed));
    let notes = |run: &taper::store::RunRecord| -> Vec<String> {
        store.notes(&run.key).expect("notes").into_iter().map(|note| note.message).collect()
    };
    let (mut alone, mut cut) = (0, 0);
    for run in &runs {
        let notes = notes(run);
        let tried =
            notes.iter().position(|note| note.contains("other runs were on cpu at the same time: retried alone"));
        let halved = notes.iter().position(|note| note.contains("micro-batches of at most"));
        assert!(tried.is_none() || tried < halved, "{notes:?}");
        alone += usize::from(tried.is_some());
        cut += usize::from(halved.is_some());
    }
    // One or both of the first two, which meet the same limit alone. The third runs alone, and may find the memory
    // that its worker's first run gave back.
    assert!((1..=2).contains(&alone) && cut >= alone, "{alone} were tried alone, {cut} were cut");
}

/// Batches of 24,000 tokens, with less and less address space for each process until that does not suffice.
#[test]
fn memory_that_runs_out_halves_the_part_of_a_batch_that_is_computed_at_a_time() {
    let sandbox = twelve_runs();
    let arguments = large(&sandbox, "");
    let store = until_memory_runs_out(&sandbox, &arguments, &[320, 280, 240, 210, 180, 160]);
    let run = store.runs().expect("runs").remove(0);
    let tokens = run.environment.as_ref().and_then(|e| e.micro_batch_tokens).expect("it is on record");
    assert!((1000..12_000).contains(&tokens), "{tokens}");
    assert_eq!(run.config.train.micro_batch_tokens, 1_000_000, "what was asked for stays");
    let notes = store.notes(&run.key).expect("notes");
    let told = format!("micro-batches of at most {tokens} tokens");
    let told = |note: &str| note.contains(&told) && note.contains("effective batch stays 48 rows");
    assert!(notes.iter().any(|note| told(&note.message)), "{notes:?}");
    // Nothing but rounding tells it from a run with room enough.
    sandbox.finish("calm", &arguments);
    let losses = |runs: &str| -> Vec<f64> {
        let store = Store::open_existing(&sandbox.path(runs)).expect("a store");
        store.steps(&run.key).expect("steps").iter().map(|step| step.loss).collect()
    };
    assert_eq!(losses("runs").len(), 2);
    for (a, b) in losses("runs").iter().zip(losses("calm")) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}

/// What an out-of-memory daemon or `kill PID` does: the worker alone is told to stop, not the command.
#[test]
fn a_worker_that_is_stopped_from_outside_changes_no_decision_of_the_sweep() {
    for (prune, signal, jobs) in [("asha", "-INT", "1"), ("median", "-TERM", "1"), ("asha", "-TERM", "2")] {
        let sandbox = twelve_runs();
        let prune = format!("sweep.prune={prune}");
        let mut sets = vec!["--set", &prune, "--set", "train.eval_steps=2", "--set", "train.early_stopping_patience=0"];
        sets.extend(["--jobs", jobs]);
        let child = sandbox.start("runs", &sets);
        let begin = Instant::now();
        let steps = || Some(Store::open_existing(&sandbox.path("runs")).ok()?.runs().ok()?.first()?.steps);
        // In the middle of the first run, before its first decision or after it.
        loop {
            assert!(begin.elapsed() < Duration::from_secs(60), "no worker to stop");
            let workers = children(child.id());
            if steps().is_some_and(|steps| steps > 0) && !workers.is_empty() {
                let pid = workers[0].to_string();
                assert!(std::process::Command::new("kill").args([signal, &pid]).status().expect("kill").success());
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().expect("its end");
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        let runs = Store::open_existing(&sandbox.path("runs")).expect("a store").runs().expect("runs");
        assert!(runs.iter().any(|run| run.state == RunState::Interrupted));
        assert!(runs.iter().all(|run| run.state != RunState::Completed || prune.ends_with("median")), "it continued");
        sandbox.finish("runs", &sets);
        sandbox.finish("calm", &sets);
        let states = |runs: &str| -> Vec<(String, RunState, u64)> {
            let runs = Store::open_existing(&sandbox.path(runs)).expect("a store").runs().expect("runs");
            runs.into_iter().map(|run| (run.key, run.state, run.steps)).collect()
        };
        if jobs == "1" {
            assert_eq!(states("runs"), states("calm"), "{sets:?}");
            assert!(trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")), "{sets:?}");
        }
        assert_clean(&sandbox.path("runs"));
    }
}

/// Sends a signal.
fn send(signal: &str, process: u32) {
    let sent = std::process::Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(sent.expect("kill").success() || signal == "-INT", "{signal} {process}");
}

#[test]
fn a_run_that_was_stopped_at_once_says_that_it_was_asked_to() {
    let sandbox = twelve_runs();
    let mut child = sandbox.start("runs", &["--set", "train.epochs=1000"]);
    let store = || Store::open_existing(&sandbox.path("runs"));
    let begin = Instant::now();
    let first = || store().ok().and_then(|store| store.runs().ok()?.into_iter().find(|run| run.steps > 0));
    while first().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no step");
        std::thread::sleep(Duration::from_millis(2));
    }
    // A worker that stands still cannot end its run after the first request.
    let workers = children(child.id());
    workers.iter().for_each(|&worker| send("-STOP", worker));
    let status = loop {
        assert!(begin.elapsed() < Duration::from_secs(90), "no end");
        send("-INT", child.id());
        std::thread::sleep(Duration::from_millis(20));
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
    };
    workers.iter().for_each(|&worker| send("-KILL", worker));
    assert_eq!(status.code(), Some(130));
    let run = first().expect("the run");
    assert_eq!(run.state, RunState::Interrupted);
    assert!(run.message.as_deref() == Some("stopped at once on request"), "{:?}", run.message);
}

/// What a stopped command did is of interest, not which runs earlier commands completed: those are only counted.
#[test]
fn a_command_that_was_stopped_does_not_list_the_runs_of_earlier_ones() {
    let sandbox = twelve_runs();
    let long = ["--set", "train.epochs=20"];
    sandbox.finish("runs", &[&["--set", "sweep.max_runs=2"], &long[..]].concat());
    let run = [&["run", "torture.toml", "--runs", "runs"], &long[..]].concat();
    let mut command = sandbox.command(&run);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
    let begin = Instant::now();
    let begun = || {
        let runs = Store::open_existing(&sandbox.path("runs")).ok()?.runs().ok()?;
        Some(runs.iter().filter(|run| run.steps > 0).count())
    };
    while begun().is_none_or(|begun| begun < 3) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no third run");
        std::thread::sleep(Duration::from_millis(2));
    }
    send("-INT", child.id());
    let output = child.wait_with_output().expect("its end");
    let said = String::from_utf8(output.stdout).expect("text");
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(told(&said, "completed before") == 2 && !said.contains(": completed before"), "{said}");
    // One that runs to its end lists them.
    let said = sandbox.ok(&run);
    assert!(said.contains(": completed before\n"), "{said}");
}

/// The spec is edited and run again while it trains: each command ends with its own runs.
#[test]
fn two_versions_of_a_spec_at_once_each_end_with_their_own_runs() {
    let sandbox = twelve_runs();
    let start = |rates: &str, epochs: &str| {
        let lr = format!("sweep.axes.train.lr={rates}");
        let set =
            ["--set", &lr, "--set", epochs, "--set", "sweep.axes.train.dropout=[0.1]", "--set", "sweep.seeds=[1]"];
        let mut command = sandbox.command(&[&["run", "torture.toml", "--runs", "runs"], &set[..]].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts")
    };
    let first = start("[3e-4, 1e-3]", "train.epochs=60");
    let begin = Instant::now();
    let begun = || {
        Store::open_existing(&sandbox.path("runs"))
            .is_ok_and(|store| store.runs().is_ok_and(|runs| runs.iter().any(|run| run.steps > 0)))
    };
    while !begun() {
        assert!(begin.elapsed() < Duration::from_secs(60), "no step");
        std::thread::sleep(Duration::from_millis(2));
    }
    let second = start("[5e-4, 7e-4]", "train.epochs=1").wait_with_output().expect("its end");
    let first = first.wait_with_output().expect("its end");
    for (output, own, others) in
        [(first, ["3e-4", "1e-3"], ["5e-4", "7e-4"]), (second, ["5e-4", "7e-4"], ["3e-4", "1e-3"])]
    {
        let said = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && told(&said, "completed") == 2, "{said}");
        assert!(own.iter().all(|rate| said.contains(rate)), "{own:?}: {said}");
        assert!(!others.iter().any(|rate| said.contains(rate)), "not {others:?}: {said}");
    }
}

/// The command was killed while its worker stood still: the next command does not train beside it, says so, and the one after trains the run.
#[test]
fn a_worker_that_outlives_its_command_and_stands_still_is_in_no_runs_way_for_good() {
    let sandbox = twelve_runs();
    // Long enough not to end before it is stopped.
    let set = ["--set", "train.epochs=300", "--set", "sweep.max_runs=1"];
    sandbox.finish("calm", &set);
    let mut child = sandbox.start("runs", &set);
    let store = || Store::open_existing(&sandbox.path("runs"));
    let begin = Instant::now();
    while !store().is_ok_and(|store| store.runs().is_ok_and(|runs| runs.iter().any(|run| run.steps > 0))) {
        assert!(begin.elapsed() < Duration::from_secs(60), "no step");
        std::thread::sleep(Duration::from_millis(2));
    }
    let workers = children(child.id());
    workers.iter().for_each(|&worker| send("-STOP", worker));
    child.kill().expect("kill -9");
    child.wait().expect("its end");
    let output = sandbox.start("runs", &set).wait_with_output().expect("its end");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("is suspended while training this run: end it with `kill -9 "),
        "{said}"
    );
    workers.iter().for_each(|&worker| send("-KILL", worker));
    sandbox.finish("runs", &set);
    assert!(trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")), "it ends as an undisturbed one");
    assert_clean(&sandbox.path("runs"));
}
