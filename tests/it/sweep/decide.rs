//! Sweeps with decisions: what is proposed and pruned, what an edited spec runs again, what a budget leaves out.

use std::fs;

use serde_json::Value;
use taper::{
    event::{PrunedBy, Split, When},
    metrics::Metric,
    store::{RunState, Store},
};

use super::twelve::*;

/// The spec of the other tests with another `[sweep]`; evaluated every six steps of 48.
fn sandbox(sweep: &str) -> Sandbox {
    let sandbox = twelve_runs();
    let head = SPEC.split("[sweep]").next().expect("what comes before it");
    let head =
        head.replace("early_stopping_patience = 7", "eval_steps = 6").replace("keep = \"best\"", "keep = \"last\"");
    fs::write(sandbox.path("torture.toml"), format!("{head}[sweep]\n{sweep}")).expect("a spec");
    sandbox
}

fn store(sandbox: &Sandbox, runs: &str) -> Store {
    Store::open_existing(&sandbox.path(runs)).expect("a store")
}

fn plan(sandbox: &Sandbox, runs: &str) -> Value {
    let output = sandbox.taper(&["plan", "torture.toml", "--json", "--runs", runs]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn standings(plan: &Value) -> Vec<&str> {
    plan["runs"].as_array().expect("runs").iter().map(|run| run["standing"].as_str().expect("a word")).collect()
}

const NINE: &str = "prune = \"asha\"\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = [1e-5, 3e-5, 1e-4, 3e-4, 5e-4, 1e-3, 2e-3, 4e-3, 1e-2]\n";

#[test]
fn asha_ends_most_trials_early_and_the_same_ones_after_kills() {
    let sandbox = sandbox(NINE);
    let before = plan(&sandbox, "runs");
    assert_eq!(before["sweep"]["rungs"], serde_json::json!([6, 18]), "the plan shows the rungs beforehand");
    sandbox.finish("calm", &[]);
    let calm = store(&sandbox, "calm").runs().expect("runs");
    let of = |state| calm.iter().filter(|run| run.state == state).count();
    assert_eq!((calm.len(), of(RunState::Completed) + of(RunState::Pruned)), (18, 18));
    assert!((2..=8).contains(&of(RunState::Completed)), "{} of 18 were trained to their end", of(RunState::Completed));
    let steps: u64 = calm.iter().map(|run| run.steps).sum();
    assert!(steps * 2 < 18 * 48, "{steps} steps of {}", 18 * 48);
    for run in calm.iter().filter(|run| run.state == RunState::Pruned) {
        let reason = run.message.as_deref().expect("a reason");
        assert!(reason.contains("rank") && reason.contains("at rung"), "{reason}");
        let at = run.pruned_at.expect("a comparison");
        assert_eq!((at.rung, at.rule), (if run.steps == 6 { 1 } else { 2 }, PrunedBy::Asha), "{reason}");
        assert!([6, 18].contains(&run.steps), "pruned at a rung: {}", run.steps);
    }
    // Of those that came to the last rung the best by the mean of its seeds was trained to its end.
    let loss = |run: &taper::store::RunRecord| {
        let evals = store(&sandbox, "calm").evals(&run.key).expect("evals");
        let at = |e: &&taper::store::EvalRecord| e.when == When::During && e.step == 18 && e.split == Split::Dev;
        evals.iter().find(at).map(|eval| eval.metrics.get(Metric::Loss))
    };
    let trials = calm.chunks(2).filter_map(|seeds| Some((loss(&seeds[0])? + loss(&seeds[1])?, seeds)));
    let (_, best) = trials.min_by(|a, b| a.0.total_cmp(&b.0)).expect("some came that far");
    assert!(best.iter().all(|run| run.state == RunState::Completed), "{best:?}");

    // Nothing is left to do, and nothing is done.
    sandbox.finish("calm", &[]);
    assert!(store(&sandbox, "calm").runs().expect("runs") == calm);
    assert!(standings(&plan(&sandbox, "calm")).iter().all(|word| ["completed", "pruned"].contains(word)));

    // Killed again and again it decides the same.
    let mut kills = 0;
    loop {
        let mut child = sandbox.start("runs", &[]);
        // Longer and longer: on a machine that is busy, a command needs its time to get anywhere.
        std::thread::sleep(std::time::Duration::from_millis(60 + 37 * (kills % 5) + 10 * (kills / 5)));
        if let Some(status) = child.try_wait().expect("a child") {
            assert!(status.success());
            break;
        }
        kills += 1;
        child.kill().expect("kill -9");
        child.wait().expect("its end");
        assert!(kills < 200, "it never ends");
    }
    sandbox.finish("runs", &[]);
    let state = |runs: &str| -> Vec<_> {
        store(&sandbox, runs).runs().expect("runs").into_iter().map(|r| (r.key, r.state, r.steps, r.message)).collect()
    };
    assert!(kills > 2);
    assert_eq!(state("runs"), state("calm"));
    assert!(trail(&sandbox.path("runs")) == trail(&sandbox.path("calm")));
    assert_clean(&sandbox.path("runs"));

    // Without the rule the pruned ones are trained to the end, and keep the steps they already have.
    let spec = fs::read_to_string(sandbox.path("torture.toml")).expect("the spec");
    fs::write(sandbox.path("torture.toml"), spec.replace("prune = \"asha\"\n", "")).expect("a spec");
    sandbox.finish("calm", &[]);
    let all = store(&sandbox, "calm").runs().expect("runs");
    assert!(all.len() == 18 && all.iter().all(|run| run.state == RunState::Completed && run.steps == 48));
}

#[test]
fn the_median_rule_lets_no_run_wait() {
    let sandbox = sandbox(&NINE.replace("\"asha\"", "\"median\"\nstartup_trials = 3").replace("[1, 2]", "[1]"));
    sandbox.finish("runs", &[]);
    let runs = store(&sandbox, "runs").runs().expect("runs");
    assert!(runs[..3].iter().all(|run| run.state == RunState::Completed), "the first three run whole");
    let pruned: Vec<_> = runs.iter().filter(|run| run.state == RunState::Pruned).collect();
    assert!(pruned.iter().all(|run| run.message.as_deref().is_some_and(|why| why.contains("median"))));
    assert!(runs.iter().all(|run| [RunState::Completed, RunState::Pruned].contains(&run.state)));
}

#[test]
fn tpe_proposes_from_results_and_the_same_after_an_interruption() {
    let sandbox = sandbox(
        "search = \"tpe\"\ntrials = 9\nbatch = 2\nstartup_trials = 3\nmax_runs = 100\n[sweep.axes]\n\
         train.lr = { log = [1e-5, 1e-2] }\ntrain.dropout = { uniform = [0.0, 0.3] }\n",
    );
    let first = plan(&sandbox, "none");
    assert_eq!(first["sweep"]["more"], true);
    let known = first["runs"].as_array().expect("runs").len();
    assert!((3..9).contains(&known), "{known} known before any result");
    sandbox.finish("calm", &["--jobs", "2"]);
    let keys = |runs: &str| -> Vec<String> {
        store(&sandbox, runs).runs().expect("runs").into_iter().map(|r| r.key).collect()
    };
    assert_eq!(keys("calm").len(), 9);
    // Cut short by a budget after four, by one more after six, then freed.
    let spec = fs::read_to_string(sandbox.path("torture.toml")).expect("the spec");
    for (most, expected) in [("4", 4), ("6", 6), ("100", 9)] {
        fs::write(sandbox.path("torture.toml"), spec.replace("max_runs = 100", &format!("max_runs = {most}")))
            .expect("a spec");
        sandbox.finish("runs", &[]);
        let completed =
            store(&sandbox, "runs").runs().expect("runs").iter().filter(|r| r.state == RunState::Completed).count();
        assert_eq!(completed, expected);
    }
    assert_eq!(keys("runs"), keys("calm"), "the same proposals, whatever the jobs and the interruptions");
    assert_eq!(plan(&sandbox, "runs")["sweep"]["more"], false);
    assert!(standings(&plan(&sandbox, "runs")).iter().all(|word| *word == "completed"));
}

#[test]
fn a_finished_search_is_not_searched_anew_when_its_runs_were_trained_further() {
    let sandbox = sandbox(
        "search = \"tpe\"\ntrials = 8\nbatch = 2\nstartup_trials = 4\nprune = \"asha\"\nreduction_factor = 2\n[sweep.axes]\n\
         train.lr = { log = [1e-5, 1e-2] }\ntrain.dropout = { uniform = [0.0, 0.3] }\n",
    );
    sandbox.finish("runs", &[]);
    // Their configs are those of the spec that had them last.
    let facts = || -> Vec<_> {
        let runs = store(&sandbox, "runs").runs().expect("runs");
        runs.into_iter().map(|run| (run.key, run.name, run.state, run.steps, run.message, run.finished_at)).collect()
    };
    let before = facts();
    let pruned = before.iter().filter(|run| run.2 == RunState::Pruned).count();
    assert!(before.len() == 8 && pruned > 0, "{pruned} of {}", before.len());
    // Another spec trains what was pruned of the first trials to its end: their scores are others now.
    let spec = fs::read_to_string(sandbox.path("torture.toml")).expect("the spec");
    let other = spec.replace("\"torture\"", "\"other\"").replace("prune = \"asha\"\nreduction_factor = 2\n", "");
    fs::write(sandbox.path("other.toml"), other.replace("trials = 8", "trials = 4")).expect("a spec");
    let output = sandbox.taper(&["run", "other.toml", "--runs", "runs", "--quiet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let trained = facts();
    assert!(trained.len() == 8 && trained != before, "the same runs");

    let planned = plan(&sandbox, "runs");
    assert!(standings(&planned).iter().all(|word| ["completed", "pruned"].contains(word)), "{planned}");
    assert_eq!((&planned["sweep"]["more"], planned["runs"].as_array().map(Vec::len)), (&false.into(), Some(8)));
    sandbox.finish("runs", &[]);
    assert_eq!(facts(), trained, "nothing is done");
    // More trials are proposed from what is known by now, and the others stay.
    sandbox.finish("runs", &["--set", "sweep.trials=10"]);
    let more = facts();
    assert!(more.len() == 10 && more[..8] == trained[..], "{} runs", more.len());
    // After the experiment is removed, it begins again.
    assert!(sandbox.taper(&["rm", "--experiment", "torture", "--yes", "--runs", "runs"]).status.success());
    assert_eq!(plan(&sandbox, "runs")["sweep"]["more"], true);
}

#[test]
fn a_point_that_another_command_proposed_first_counts() {
    let sandbox = sandbox(
        "search = \"tpe\"\ntrials = 6\nbatch = 2\nstartup_trials = 2\n[sweep.axes]\n\
         train.lr = { log = [1e-5, 1e-2] }\ntrain.dropout = { uniform = [0.0, 0.3] }\n",
    );
    let child = sandbox.start("runs", &["--set", "train.epochs=40"]);
    let begin = std::time::Instant::now();
    // While it trains the second batch, another process proposes the first trial of the third.
    loop {
        assert!(begin.elapsed().as_secs() < 60, "no second batch");
        let other = rusqlite::Connection::open(sandbox.path("runs/taper.db")).and_then(|db| {
            db.busy_timeout(std::time::Duration::from_secs(5))?;
            db.execute(
                "INSERT INTO proposals SELECT experiment, search, 2, '[[0.123],[0.00123]]' FROM proposals WHERE \
                 position = 1",
                [],
            )
        });
        if other == Ok(1) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let output = child.wait_with_output().expect("its end");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<String> = store(&sandbox, "runs").runs().expect("runs").into_iter().map(|run| run.name).collect();
    assert_eq!(names.len(), 6, "{names:?}");
    assert!(names[4].contains("lr=1.23e-3 dropout=0.123"), "{names:?}");
}

#[test]
fn an_edited_axis_of_a_finished_sweep_runs_only_what_is_new() {
    let axes = "seeds = [1, 2, 3]\n[sweep.axes]\ntrain.lr = [1e-4, 1e-3, 3e-3, 1e-2]\n";
    let sandbox = sandbox(axes);
    sandbox.finish("runs", &[]);
    let before = trail(&sandbox.path("runs"));
    let spec = fs::read_to_string(sandbox.path("torture.toml")).expect("the spec");
    // A comment and another order change nothing.
    let reordered = spec.replace("epochs = 8\nbatch_size = 4", "batch_size = 4 # rows\nepochs = 8");
    assert_ne!(reordered, spec);
    fs::write(sandbox.path("torture.toml"), &reordered).expect("a spec");
    assert!(standings(&plan(&sandbox, "runs")).iter().all(|word| *word == "completed"));
    // One value goes, one comes: three runs are new, three are left over, nine stay.
    fs::write(sandbox.path("torture.toml"), reordered.replace("1e-2]", "5e-4]")).expect("a spec");
    let edited = plan(&sandbox, "runs");
    let count = |word| standings(&edited).iter().filter(|w| **w == word).count();
    assert_eq!((count("completed"), count("new"), edited["orphaned"].as_array().expect("a list").len()), (9, 3, 3));
    let output = sandbox.start("runs", &["--json"]).wait_with_output().expect("its end");
    let events = String::from_utf8(output.stdout).expect("text");
    assert_eq!(events.matches("\"run_started\"").count(), 3);
    assert_eq!(events.matches("\"run_skipped\"").count(), 9);
    let after = trail(&sandbox.path("runs"));
    assert_eq!(after.1.len(), 15);
    assert!(before.0.iter().all(|(step, facts)| after.0[step] == *facts), "what was there stays as it was");
    // The same names with another recipe: new, and the plan says what.
    fs::write(sandbox.path("torture.toml"), reordered.replace("1e-2]", "5e-4]").replace("epochs = 8", "epochs = 9"))
        .expect("a spec");
    let changed = plan(&sandbox, "runs");
    assert!(
        changed["runs"]
            .as_array()
            .expect("runs")
            .iter()
            .all(|run| { run["standing"] == "new" && run["why"] == "train.epochs 8 → 9" }),
        "{changed}"
    );
}

#[test]
fn what_a_sweep_varies_is_not_set_beside_it() {
    let sandbox = sandbox("seeds = [1, 2]\n[sweep.axes]\ntrain.lr = [1e-4, 1e-3]\n");
    let set = |what: &str| sandbox.taper(&["plan", "torture.toml", "--json", "--set", what]);
    for (what, help) in [("train.lr=5e-4", "sweep.axes.train.lr=[…]"), ("train.seed=3", "sweep.seeds=[…]")] {
        let output = set(what);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.code() == Some(2) && said.contains("would have no effect") && said.contains(help),
            "{said}"
        );
    }
    let output = set("sweep.axes.train.lr=[5e-4]");
    let plan: Value = serde_json::from_slice(&output.stdout).expect("what the message advises works");
    assert_eq!(standings(&plan), ["new", "new"]);
}

#[test]
fn hours_of_training_are_a_budget_that_lasts() {
    let sandbox = sandbox("max_hours = 1e-9\n[sweep.axes]\ntrain.lr = [1e-4, 1e-3]\n");
    for _ in 0..2 {
        let output = sandbox.start("runs", &[]).wait_with_output().expect("its end");
        assert!(output.status.success());
        assert!(String::from_utf8_lossy(&output.stdout).contains("budget is spent"));
    }
    let runs = store(&sandbox, "runs").runs().expect("runs");
    let steps: u64 = runs.iter().map(|run| run.steps).sum();
    assert!((1..10).contains(&steps), "{steps} steps with no time for them");
    assert_eq!(runs[0].checkpoint_step, Some(runs[0].steps), "it continues where the budget ended");
    let spec = fs::read_to_string(sandbox.path("torture.toml")).expect("the spec");
    fs::write(sandbox.path("torture.toml"), spec.replace("1e-9", "1.0")).expect("a spec");
    sandbox.finish("runs", &[]);
    let runs = store(&sandbox, "runs").runs().expect("runs");
    assert!(runs.iter().all(|run| run.state == RunState::Completed));
}

/// Every trial is completed or pruned as a whole, and one reached the end, whichever process decided it.
fn assert_decided(sandbox: &Sandbox, runs: &str, seeds: usize) -> usize {
    let records = store(sandbox, runs).runs().expect("runs");
    let of = |state| records.iter().filter(|run| run.state == state).count();
    assert_eq!(of(RunState::Completed) + of(RunState::Pruned), records.len());
    assert!(of(RunState::Completed) > 0);
    for trial in records.chunks(seeds) {
        assert!(trial.iter().all(|run| run.state == trial[0].state), "a trial is half trained: {trial:?}");
    }
    of(RunState::Completed)
}

#[test]
fn two_commands_decide_on_what_both_have_seen() {
    let sandbox = sandbox(NINE);
    let readers =
        [0, 1].map(|_| sandbox.start("runs", &[])).map(|child| std::thread::spawn(|| child.wait_with_output()));
    for reader in readers {
        let output = reader.join().expect("no panic").expect("its end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let completed = assert_decided(&sandbox, "runs", 2);
    assert!(completed <= 10, "{completed} of 18 were completed: each process decided for itself");
    assert_clean(&sandbox.path("runs"));
}

#[test]
fn a_budget_of_just_enough_runs_ends_as_no_budget() {
    let free = NINE.replace("3e-3, 4e-3, 1e-2", "3e-3").replace("1e-5, 3e-5, ", "");
    let sandbox = sandbox(&free);
    sandbox.finish("calm", &[]);
    let all = store(&sandbox, "calm").runs().expect("runs").len();
    let budget = format!("sweep.max_runs={all}");
    sandbox.finish("runs", &["--set", &budget]);
    assert_eq!(assert_decided(&sandbox, "runs", 2), assert_decided(&sandbox, "calm", 2));
    // Pruned runs can be completed.
    let output = sandbox.start("runs", &["--retry"]).wait_with_output().expect("its end");
    assert!(output.status.success());
    let records = store(&sandbox, "runs").runs().expect("runs");
    assert!(records.iter().all(|run| run.state == RunState::Completed));
}

#[test]
fn a_trial_whose_worker_died_is_held_and_not_judged() {
    let sandbox = sandbox(NINE);
    sandbox.finish("calm", &["--set", "train.epochs=40"]);
    let child = sandbox.start("runs", &["--retries", "0", "--set", "train.epochs=40"]);
    let begin = std::time::Instant::now();
    loop {
        assert!(begin.elapsed().as_secs() < 30, "no worker to kill");
        let under_way = Store::open_existing(&sandbox.path("runs")).and_then(|s| s.runs()).unwrap_or_default();
        if let (Some(&worker), true) = (children(child.id()).first(), under_way.iter().any(|run| run.steps > 0)) {
            kill(worker);
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let output = child.wait_with_output().expect("its end");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let failed = store(&sandbox, "runs").runs().expect("runs");
    assert_eq!(failed.iter().filter(|run| run.state == RunState::Failed).count(), 1);
    sandbox.finish("runs", &["--set", "train.epochs=40"]);
    assert_decided(&sandbox, "runs", 2);
}

#[test]
fn a_worker_that_is_asked_to_stop_stops_its_run_alone() {
    let sandbox = sandbox("[sweep.axes]\ntrain.lr = [1e-4, 3e-4, 1e-3]\n");
    let child = sandbox.start("runs", &["--set", "train.epochs=60"]);
    let begin = std::time::Instant::now();
    loop {
        assert!(begin.elapsed().as_secs() < 30, "no worker to stop");
        let under_way = Store::open_existing(&sandbox.path("runs")).and_then(|s| s.runs()).unwrap_or_default();
        if let (Some(&worker), true) = (children(child.id()).first(), under_way.iter().any(|run| run.steps > 0)) {
            std::process::Command::new("kill").args(["-TERM", &worker.to_string()]).status().expect("kill");
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(child.wait_with_output().expect("its end").status.code(), Some(130));
    let runs = store(&sandbox, "runs").runs().expect("runs");
    let states: Vec<_> = runs.iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Interrupted, RunState::Completed, RunState::Completed]);
    assert_eq!(runs[0].checkpoint_step, Some(runs[0].steps));
}

/// The second sweep compares trials later than the first one did, with another seed: runs that the first one pruned never get there.
#[test]
fn a_sweep_with_runs_that_another_one_pruned_leaves_none_waiting() {
    let axes = NINE.split_once("seeds = [1, 2]\n").expect("the seeds").1;
    let sandbox = sandbox(&format!("prune = \"asha\"\nrungs = 2\nseeds = [1]\n{axes}"));
    sandbox.finish("runs", &[]);
    let states = |experiment: &str| -> Vec<(RunState, String)> {
        let runs = store(&sandbox, "runs").runs_of(experiment).expect("runs");
        runs.into_iter().map(|run| (run.state, run.message.unwrap_or_default())).collect()
    };
    let pruned = states("torture").iter().filter(|(state, _)| *state == RunState::Pruned).count();
    assert!(pruned >= 4, "{pruned}");
    let spec = fs::read_to_string(sandbox.path("torture.toml")).expect("a spec");
    let spec = spec.replace("rungs = 2\nseeds = [1]", "rungs = 1\nseeds = [1, 2]");
    let spec = spec.replace("name = \"torture\"", "name = \"second\"");
    fs::write(sandbox.path("torture.toml"), spec).expect("a spec");
    sandbox.finish("runs", &[]);
    let after = states("second");
    assert_eq!(after.len(), 18);
    assert!(after.iter().all(|(state, _)| [RunState::Pruned, RunState::Completed].contains(state)), "{after:?}");
    let with = after.iter().filter(|(_, why)| why == "another run of its trial was pruned").count();
    assert!(with > 0 && with <= pruned, "{with} of {pruned}: {after:?}");
}
