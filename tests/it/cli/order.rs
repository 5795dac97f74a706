//! In what order `taper list` shows runs, with which values, and where the best run and the time of a run are told.

use super::*;

/// The names that a list shows, in its order.
fn names(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let list = sandbox.json(&[&["list", "small"], arguments].concat());
    list.as_array().expect("runs").iter().map(|run| run["name"].as_str().expect("a name").to_string()).collect()
}

/// Two rates, of which only the second learns, with a dev split.
fn two_rates() -> Sandbox {
    let sandbox = sandbox(
        "eval_steps = 2\n[checkpoint]\nmetric = \"loss\"\nkeep = \"best\"\n[sweep.axes]\ntrain.lr = [1e-9, 3e-3]\n",
    );
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("test = 0.4\n", "test = 0.4\ndev = 0.2\n"));
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox
}

#[test]
fn runs_are_listed_by_when_they_started() {
    let sandbox = sandbox("[sweep.axes]\ntrain.lr = [1e-3, 1e-9]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("[1e-3, 1e-9]", "[1e-8, 1e-3, 1e-7, 1e-9]"));
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "sweep.max_runs=3"]);
    // Two of before, one that was planned later and has not started, and one that started last.
    let by_date = ["lr=1e-3", "lr=1e-9", "lr=1e-7", "lr=1e-8"];
    for arguments in [&[][..], &["--sort", "date"]] {
        assert_eq!(names(&sandbox, arguments), by_date);
        let list = sandbox.ok(&[&["list", "small"], arguments].concat());
        let at: Vec<_> = by_date.iter().map(|name| list.rfind(&format!("  {name} ")).expect(&list)).collect();
        assert!(at.is_sorted(), "{list}");
    }
    let last = sandbox.ok(&["list", "small", "--limit", "1"]);
    assert!(
        last.contains("… and 3 more runs: taper list small --limit 0\n")
            && last.contains("lr=1e-8 ")
            && !last.contains("lr=1e-7 "),
        "{last}"
    );
}

#[test]
fn the_metric_that_chooses_or_sorts_is_shown_with_its_name() {
    let sandbox = two_rates();
    let losses: Vec<f64> = sandbox
        .keys()
        .iter()
        .map(|key| {
            let show = sandbox.json(&["show", key]);
            let evals = show["evaluations"].as_array().expect("evaluations");
            let kept = evals.iter().find(|e| e["when"] == "after" && e["split"] == "dev").expect("an evaluation");
            kept["metrics"]["loss"].as_f64().expect("a loss")
        })
        .collect();
    assert!(losses[1] < losses[0], "{losses:?}");
    let list = sandbox.ok(&["list", "small"]);
    assert!(list.contains("DEV LOSS") && list.contains("TEST ACCURACY"), "{list}");
    assert!(losses.iter().all(|loss| list.contains(&format!("{loss:.4}"))), "{losses:?} {list}");
    assert!(list.contains("TRAIN LOSS") && !list.contains("LAST STEP"), "{list}");
    assert!(sandbox.ok(&["list", "small", "--sort", "accuracy"]).contains("DEV ACCURACY"));
    assert!(sandbox.ok(&["list", "small", "--sort", "loss"]).contains("DEV LOSS"));
    assert_eq!(names(&sandbox, &["--sort", "loss"]), ["lr=3e-3", "lr=1e-9"]);
}

#[test]
fn values_that_are_not_final_come_after_those_that_are() {
    let sandbox = two_rates();
    assert_eq!(names(&sandbox, &["--sort", "loss"])[0], "lr=3e-3");
    let db = rusqlite::Connection::open(sandbox.path("runs/taper.db")).expect("the database");
    for state in ["pruned", "interrupted", "failed"] {
        db.execute("UPDATE runs SET state = ?1 WHERE name = 'lr=3e-3'", [state]).expect("an update");
        for sort in ["accuracy", "loss"] {
            assert_eq!(names(&sandbox, &["--sort", sort]), ["lr=1e-9", "lr=3e-3"], "{state} {sort}");
        }
    }
}

#[test]
fn the_best_run_is_named_by_its_key() {
    let sandbox = two_rates();
    let best = sandbox.keys().remove(1);
    let short = &best[..12];
    let said = sandbox.ok(&["run", "small.toml"]);
    assert!(said.contains("best trial: lr=3e-3\n") && said.contains(&format!("\n  its run: {short}\n")), "{said}");
    let board = sandbox.json(&["list", "small", "--leaderboard"]);
    assert_eq!(board[0]["best_run"], best.as_str(), "{board}");
    assert!(
        sandbox.ok(&["list", "small", "--leaderboard"]).contains(&format!("best trial: lr=3e-3; its run: {short}\n"))
    );
    let (code, said) = sandbox.says(&["predict", "small", "好吃"]);
    assert!(code == 2 && said.contains(&format!("\n  the best trial: {short} (lr=3e-3)")), "{said}");
    let (code, said) = sandbox.says(&["rm", "small#1", "--yes"]);
    assert!(code == 2 && said.contains(&format!("can be removed: `taper rm {short}` removes its run")), "{said}");
    let (code, said) = sandbox.says(&["rm", "small#3", "--yes"]);
    assert!(code == 2 && said.contains("`small` has no trial of rank 3: it has ranks 1 to 2"), "{said}");
    sandbox.ok(&["report", "small"]);
    let page = fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report");
    assert!(page.contains(&format!("| **lr=3e-3** (best) | `{short}` | completed |")), "{page}");
}

#[test]
fn a_run_is_shown_with_its_times_its_weights_and_its_spec() {
    let sandbox = sandbox("eval_steps = 2\n[checkpoint]\nkeep = \"best\"\n");
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "data.dev=0.2"]);
    let show = sandbox.json(&["show", "small"]);
    let started = show["started_at"].as_f64().expect("a time") as u64;
    let output = sandbox.command(&["show", "small"]).env("TZ", "CST-8").output().expect("taper");
    let said = text(&output.stdout);
    let minutes = (started + 8 * 3600) / 60 % 1440;
    let time = format!(" {:02}:{:02}, ", minutes / 60, minutes % 60);
    let line = said.lines().find(|line| line.starts_with("started ")).expect(&said);
    assert!(line.contains(&time) && line.ends_with(" of training"), "{time}: {line}");
    let step = show["weights_of"].as_u64().expect("a step");
    assert!(said.contains(&format!("\nweights     of step {step}, the best by dev accuracy\n")), "{said}");
    let spec = said.lines().find_map(|line| line.strip_prefix("as a spec: ")).expect(&said);
    // It repeats the run.
    assert!(sandbox.ok(&["plan", spec]).contains("completed"), "{spec}");
    // A run without evaluations, as one that crashed early: no table of them.
    assert!(said.contains("SPLIT"), "{said}");
    let db = rusqlite::Connection::open(sandbox.path("runs/taper.db")).expect("the database");
    db.execute("DELETE FROM evals", []).expect("an update");
    let said = sandbox.ok(&["show", "small"]);
    assert!(said.contains("\nas a spec: ") && !said.contains("SPLIT"), "{said}");
}

/// A run can have both warnings: of what it predicts, and of its training loss.
#[test]
fn the_end_of_a_sweep_counts_the_runs_that_the_list_marks() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = [1.0, 1e-12]\n");
    let said = sandbox.ok(&["run", "small.toml"]);
    let list = sandbox.ok(&["list", "small"]);
    let marked = list.lines().filter(|line| line.contains("completed !")).count();
    assert!(said.contains("ended with a training loss far above that of uniform guessing"), "{said}");
    assert!(marked > 2 && said.contains(&format!("warning: {marked} of 4 completed runs predict")), "{list}{said}");
}
