//! What `taper list`, `taper show` and `taper rm` say of many runs, and of none.

use super::*;

/// A sweep over two learning rates and two seeds, trained.
fn swept() -> Sandbox {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = [1e-3, 1e-9]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox
}

#[test]
fn a_list_names_the_best_trial_and_sets_apart_what_is_no_longer_planned() {
    let sandbox = swept();
    let board = sandbox.json(&["list", "small", "--leaderboard"]);
    let mean = board[0]["figure"]["mean"].as_f64().expect("a mean") * 100.0;
    let list = sandbox.ok(&["list", "small"]);
    let best = format!("small: 4 runs, 4 completed; best test accuracy {mean:.1}% (mean of 2 seeds): lr=1e-3");
    assert!(list.starts_with(&best), "{best}: {list}");
    assert!(!list.contains("not in the plan"), "{list}");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.replace("[1e-3, 1e-9]", "[1e-3, 1e-8]")).expect("a spec");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    for arguments in [&["list", "small"][..], &["list"]] {
        let list = sandbox.ok(arguments);
        let (planned, earlier) = list.split_once("not in the plan of the last `taper run`: 2 runs").expect(&list);
        assert!(planned.contains("small: 4 runs, 4 completed; best test") && !planned.contains("lr=1e-9"), "{list}");
        assert_eq!((planned.matches("lr=1e-8").count(), earlier.matches("lr=1e-9").count()), (2, 2), "{list}");
        assert!(!list.contains("not trained to the end"), "all of them are completed: {list}");
        assert!(list.contains("\ntrain loss: of the last step, a single batch\n"), "{list}");
    }
    // The command that shows all of an experiment is said where some are not shown.
    let short = sandbox.ok(&["list", "small", "--limit", "1"]);
    assert!(short.contains("\n… and 3 more runs: taper list small --limit 0\n"), "{short}");
    let sorted = sandbox.ok(&["list", "small", "--limit", "1", "--sort", "name"]);
    assert!(sorted.contains("\n… and 3 more runs: taper list small --sort name --limit 0\n"), "{sorted}");
    let all = sandbox.json(&["list", "small"]);
    let of = |in_plan: bool| all.as_array().expect("runs").iter().filter(|run| run["in_plan"] == in_plan).count();
    assert_eq!((of(true), of(false)), (4, 2));
}

/// A run without a result has one value, with its step, wherever it is shown: on dev rows, or where it has none on test rows.
#[test]
fn an_interrupted_run_has_the_same_value_in_every_view() {
    for (splits, on) in [("", "TEST"), ("dev = 0.3\n", "DEV")] {
        let sandbox = sandbox("max_steps = 100000\neval_steps = 10\n");
        let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec").replace("epochs = 2\n", "");
        fs::write(sandbox.path("small.toml"), spec.replace("test = 0.4\n", &format!("{splits}test = 0.4\n")))
            .expect("a spec");
        let mut child =
            sandbox.command(&["run", "small.toml", "--quiet"]).stderr(Stdio::null()).spawn().expect("taper");
        assert!(wait(&mut child, "an evaluation", || stored_steps(&sandbox.path("runs")) >= 15), "it trains on");
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        assert_eq!(child.wait().expect("an end").code(), Some(130));
        let board = sandbox.json(&["list", "small", "--leaderboard"]);
        let (value, step) =
            (board[0]["figure"]["mean"].as_f64().expect("a value"), board[0]["step"][0].as_u64().expect("a step"));
        let (value, step) = (format!("{:.1}%", value * 100.0), taper::format::count(step));
        let shown = format!("{value} @{step}*");
        for arguments in [&["list", "small"][..], &["list", "small", "--leaderboard"]] {
            let said = sandbox.ok(arguments);
            assert!(said.contains(&format!("{on} ACCURACY")) && said.matches(&shown).count() == 1, "{shown}: {said}");
            assert!(said.contains("* not final: the last evaluation of each run so far"), "{said}");
        }
        sandbox.ok(&["report", "small"]);
        let page = fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report");
        let row = page.lines().find(|line| line.starts_with("| small |")).expect("its row");
        assert_eq!(row.matches(&format!("| {value} (at step {step}, not final) |")).count(), 1, "{row}");
    }
}

#[test]
fn nothing_to_list_or_to_remove_is_not_an_error() {
    let sandbox = swept();
    for arguments in
        [&["list", "--state", "failed"][..], &["rm", "--state", "failed"], &["rm", "--state", "oom", "--yes"]]
    {
        let output = sandbox.taper(arguments);
        assert!(output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(text(&output.stderr).trim(), "no runs in that state", "{arguments:?}");
    }
    assert_eq!(
        sandbox.taper(&["rm", "--state", "completed"]).status.code(),
        Some(2),
        "it asks, and there is no answer"
    );
    let removed = sandbox.json(&["rm", "--experiment", "small", "--state", "completed", "--yes"]);
    assert_eq!(removed["removed"].as_array().expect("keys").len(), 4);
    assert_eq!(sandbox.json(&["list"]), Value::Array(Vec::new()));
    // The plan is still there.
    assert!(sandbox.ok(&["run", "small.toml", "--quiet"]).contains("4 completed; took "));
    let unknown = sandbox.taper(&["rm", "--state", "faild"]);
    assert!(text(&unknown.stderr).contains("or, for failed runs only, diverged"), "{}", text(&unknown.stderr));
}

#[test]
fn the_plan_estimates_for_as_many_runs_at_a_time_as_will_be_trained() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2, 3, 4]\n");
    let plan = sandbox.ok(&["plan", "small.toml", "--jobs", "2"]);
    assert!(
        plan.contains("4 of 4 runs to do: about ")
            && plan.contains(" CPU, if it is otherwise idle, with 2 runs at a time. "),
        "{plan}"
    );
    assert!(
        sandbox
            .ok(&["plan", "small.toml"])
            .contains(" on this machine's CPU, if it is otherwise idle, with one run at a time. ")
    );
    let time = &sandbox.json(&["plan", "small.toml", "-j", "2"])["time_s"];
    let (low, high) = (time["low"].as_f64().expect("seconds"), time["high"].as_f64().expect("seconds"));
    assert!(low > 0.0 && high > low, "{time}");
}

#[test]
fn removed_runs_are_shown_in_lists_plans_and_reports() {
    let sandbox = swept();
    let said = sandbox.ok(&["plan", "small.toml"]);
    assert!(said.trim_end().ends_with("nothing to do: 4 runs (4 completed)"), "{said}");
    // An experiment is no run: what removes it is said.
    for wanted in ["small", "small.toml"] {
        let output = sandbox.taper(&["rm", wanted, "--yes"]);
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("`taper rm --experiment {wanted}` removes it with its runs")), "{error}");
    }
    let unknown = text(&sandbox.taper(&["rm", "smal", "--yes"]).stderr);
    assert!(!unknown.contains("--experiment"), "{unknown}");
    sandbox.ok(&["report", "small"]);
    let report = sandbox.path("runs/reports/small");
    fs::write(report.join("mine.svg"), "mine").expect("a file");
    assert!(report.join("loss.svg").exists() && report.join("before-after.png").exists());
    let keys: Vec<String> = sandbox
        .json(&["list"])
        .as_array()
        .expect("runs")
        .iter()
        .map(|run| run["key"].as_str().expect("a key").into())
        .collect();
    let removed = sandbox.ok(&["rm", &keys[0], &keys[1], "--yes"]);
    assert!(removed.ends_with("\n`taper run` with a spec that plans them trains them again\n"), "{removed}");
    let list = sandbox.ok(&["list", "small"]);
    assert!(
        list.starts_with("small: 2 runs, 2 completed; best so far (2 of 4 runs completed): test accuracy"),
        "{list}"
    );
    assert!(sandbox.ok(&["list"]).starts_with("small: 2 runs, 2 completed; best"));
    assert!(sandbox.ok(&["plan", "small.toml"]).contains("2 of 4 runs to do: about "));
    sandbox.ok(&["report", "small"]);
    let page = |name: &str| fs::read_to_string(report.join(name)).expect("the report");
    assert!(page("report.md").contains("2 of 4 runs: 2 completed; 2 without a record"));
    sandbox.ok(&["rm", &keys[2], &keys[3], "--yes"]);
    sandbox.ok(&["report", "small"]);
    assert!(page("report.md").contains("no runs: they were removed") && !page("report.html").contains("no runs yet"));
    // The charts of what was removed are gone, and what no report wrote is not.
    assert!(!report.join("loss.svg").exists() && !report.join("before-after.png").exists());
    assert_eq!(page("mine.svg"), "mine");
    let list = sandbox.taper(&["list", "small"]);
    let none = "no runs: those of `small` were removed; `taper run small.toml` trains them again";
    assert_eq!(text(&list.stderr).trim(), none);
    // The report, which is of no runs, says the same, with the same exit code.
    let output = sandbox.taper(&["report", "small"]);
    assert_eq!((text(&output.stderr).trim(), output.status.code()), (none, list.status.code()));
}

/// Runs that the last plan left pending are in no plan now.
#[test]
fn what_nothing_trains_any_more_is_said_with_what_to_do() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2]\nmax_runs = 1\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.replace("seeds = [1, 2]", "seeds = [3, 4]")).expect("a spec");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let list = sandbox.ok(&["list", "small"]);
    let note = "\nnot trained to the end: 1 pending; `taper run` with a spec that plans it continues it, `taper rm RUN` removes it\n";
    let (_, earlier) = list.split_once("not in the plan of the last `taper run`: 2 runs").expect(&list);
    assert!(earlier.contains(note), "{list}");
}

/// A change by `--set` and one of the file train the same runs: both are new.
#[test]
fn a_run_that_is_not_stored_is_new_however_its_settings_came_about() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let standings = |sets: &[&str]| {
        let plan = sandbox.json(&[&["plan", "small.toml"][..], sets].concat());
        let runs = plan["runs"].as_array().expect("runs").clone();
        runs.iter().map(|run| run["standing"].as_str().expect("a state").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(standings(&["--set", "train.lr=0.002"]), ["new", "new"]);
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.replace("[train]\n", "[train]\nweight_decay = 0.5\n")).expect("a spec");
    assert_eq!(standings(&[]), ["new", "new"]);
    let said = sandbox.ok(&["plan", "small.toml"]);
    let change = "\nchanged since the last `taper run`, in 2 runs: train.weight_decay 0.01 → 0.5\n";
    assert!(said.contains(change) && !said.contains(" changed "), "{said}");
}

#[test]
fn a_list_of_some_states_says_of_how_many_runs() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = [1e-3, 1e-9]\n");
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "sweep.max_runs=3"]);
    for arguments in [&["list", "small", "--state", "completed"][..], &["list", "--state", "completed"]] {
        let list = sandbox.ok(arguments);
        assert!(list.starts_with("small: 3 of 4 runs, 3 completed\n"), "{list}");
    }
    assert!(sandbox.ok(&["list", "--state", "pending"]).starts_with("small: 1 of 4 runs, 1 pending\n"));
    assert!(sandbox.ok(&["list"]).starts_with("small: 4 runs, 3 completed, 1 pending; best"));
    // The trial is named by all axes of the plan, also where only one of them has results.
    let leaders = sandbox.json(&["list", "small", "--leaderboard"]);
    let names: Vec<&str> =
        leaders.as_array().expect("trials").iter().map(|t| t["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["lr=1e-3", "lr=1e-9"]);
    let said = sandbox.ok(&["run", "small.toml", "--set", "sweep.max_runs=3"]);
    assert!(said.contains("best so far (3 of 4 runs completed): lr=1e-3 (mean of 2 seeds)\n"), "{said}");
}

#[test]
fn a_trial_is_named_by_the_axes_of_the_plan_although_one_value_of_an_axis_has_not_begun() {
    let sandbox = sandbox("[sweep]\n[sweep.axes]\ntrain.dropout = [0.0, 0.1]\ntrain.lr = [1e-3, 1e-9]\n");
    let said = sandbox.ok(&["run", "small.toml", "--set", "sweep.max_runs=2"]);
    let best = said
        .lines()
        .find(|line| line.starts_with("best so far (2 of 4 runs completed): "))
        .expect("the best")
        .to_string();
    assert!(best.starts_with("best so far (2 of 4 runs completed): dropout=0 lr="), "{said}");
    let list = sandbox.ok(&["list", "small"]);
    assert!(list.contains(&best["best so far (2 of 4 runs completed): ".len()..]), "{list}");
}

#[test]
fn a_warning_of_some_runs_says_of_how_many() {
    let sandbox = sandbox("[sweep]\n[sweep.axes]\ntrain.weight_decay = [0.01, 2.0, 3.0]\ntrain.seed = [1, 2]\n");
    for said in [sandbox.ok(&["plan", "small.toml"]), text(&sandbox.taper(&["run", "small.toml"]).stderr)] {
        let of = |value: &str| {
            said.lines().find(|line| line.contains(&format!("train.weight_decay = {value}"))).expect(&said)
        };
        assert!(of("2").ends_with(" (2 of 6 runs)") && of("3").ends_with(" (2 of 6 runs)"), "{said}");
    }
    let all = self::sandbox("[sweep]\nseeds = [1, 2]\n").ok(&["plan", "small.toml", "--set", "train.weight_decay=2"]);
    assert!(all.contains("train.weight_decay = 2 ") && !all.contains(" of 2 runs)"), "{all}");
}

#[test]
fn the_plan_numbers_rungs_as_events_do_and_tells_those_of_every_setting() {
    let sweep = |more: &str| {
        sandbox(&format!(
            "[sweep]\nprune = \"asha\"\nreduction_factor = 2\nrungs = 2\n{more}[sweep.axes]\ntrain.lr = [1e-3, 1e-4, 1e-5, 1e-6]\n"
        ))
    };
    let set = ["--set", "data.dev=0.2", "--set", "train.max_steps=16", "--set", "train.eval_steps=4"];
    let plan = |sandbox: &Sandbox, more: &[&str]| sandbox.ok(&[&["plan", "small.toml"][..], &set, more].concat());
    let one = sweep("");
    let said = plan(&one, &[]);
    assert!(
        said.contains(
            "at rung 1 (step 4 of 16) and rung 2 (step 8 of 16) the best 1 in 2 trials are promoted (4 → 2–3 → 1 \
             trials), which takes 50–56% of all steps; a trial is judged as soon as it has a score, so more than 1 in \
             2 may be promoted"
        ),
        "{said}"
    );
    // Two rungs on one evaluation are one, which keeps its number.
    let late = one.ok(&[
        "plan",
        "small.toml",
        "--set",
        "data.dev=0.2",
        "--set",
        "train.max_steps=16",
        "--set",
        "train.eval_steps=8",
    ]);
    assert!(late.contains("at rung 2 (step 8 of 16) the best 1 in 2 trials are promoted (4 → 2–3 trials)"), "{late}");
    assert!(
        late.contains(
            "sweep.rungs = 2, but there are too few evaluations: rungs 1 and 2 both fall on step 8 of 16, where they \
             count as one; "
        ),
        "{late}"
    );
    let two_lengths = [
        "plan",
        "small.toml",
        "--set",
        "data.dev=0.2",
        "--set",
        "train.eval_steps=4",
        "--set",
        "sweep.axes.train.max_steps=[16, 32]",
    ];
    let steps = one.ok(&two_lengths);
    assert!(steps.contains("rung 1 (epochs 1–2 of 4–8) and rung 2 (epochs 2–4 of 4–8)"), "{steps}");
    let json = one.json(&two_lengths);
    assert_eq!(json["sweep"]["rungs"], Value::Null, "runs differ");
    let of: Vec<&Value> = json["runs"].as_array().expect("runs").iter().map(|run| &run["rungs"]).collect();
    assert!(of.contains(&&serde_json::json!([4, 8])) && of.contains(&&serde_json::json!([8, 16])), "{of:?}");
    // Its lines count whole runs, and the total what the rule leaves.
    let both = "each line: without pruning; the total below: with it\n";
    assert!(steps.contains(both), "{steps}");
    let median = one.ok(&[
        &["plan", "small.toml"],
        &set[..],
        &["--set", "sweep.prune=median", "--set", "sweep.startup_trials=1"],
    ]
    .concat());
    assert!(median.contains("each line, and the total below: without pruning\n"), "{median}");
    let whole = one.ok(&[&["plan", "small.toml"], &set[..], &["--set", "sweep.prune=none"]].concat());
    assert!(!whole.contains("without pruning"), "{whole}");
    // A search that learns says when waiting ends.
    let tpe = sweep("search = \"tpe\"\ntrials = 8\nbatch = 2\nstartup_trials = 3\n");
    let said =
        tpe.ok(&[&["plan", "small.toml"][..], &set, &["--set", "sweep.axes.train.lr={ log = [1e-5, 1e-3] }"]].concat());
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains(
            "search tpe: 8 trials; 3 known so far, the other 5 are proposed 2 at a time from the results of earlier \
             ones"
        ),
        "{said}"
    );
    assert!(
        said.contains("of all steps, or more; a trial that is not promoted by the end of its batch is pruned for good"),
        "{said}"
    );
    let grid = plan(&one, &[]);
    assert!(!grid.contains("by the end of its batch"), "{grid}");
}

#[test]
fn a_trial_with_some_seeds_done_says_how_many_its_mean_is_of() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2, 3]\nmax_runs = 2\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let said = sandbox.ok(&["list", "small", "--leaderboard"]);
    assert!(said.matches("2/3 done").count() == 1 && said.contains("pending"), "{said}");
    assert!(!said.contains("not final"), "{said}");
    let json = sandbox.json(&["list", "small", "--leaderboard"]);
    assert_eq!((&json[0]["completed"], &json[0]["figure"]["n"]), (&2.into(), &2.into()), "{json}");
}

#[test]
fn a_planned_run_that_was_removed_is_missed_in_every_view() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2, 3]\n[sweep.axes]\ntrain.lr = [1e-3, 1e-4]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let keys = |lr: &str| -> Vec<String> {
        let runs = sandbox.json(&["list", "small"]);
        let runs = runs.as_array().expect("runs").iter();
        let of_lr = runs.filter(|run| run["name"].as_str().is_some_and(|name| name.contains(lr)));
        of_lr.map(|run| run["key"].as_str().expect("a key").to_string()).collect()
    };
    let report = || {
        sandbox.ok(&["report", "small"]);
        fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report")
    };
    let views = || {
        let lists = [&["list"][..], &["list", "small"], &["list", "small", "--leaderboard"]];
        lists.map(|arguments| sandbox.ok(arguments)).into_iter().chain([report()]).collect::<Vec<_>>()
    };
    let removed = &keys("lr=1e-3")[2];
    sandbox.ok(&["rm", removed, "--yes"]);
    for said in views() {
        let note = "1 planned run has no record, because it was removed: `taper run small.toml` trains it again";
        assert!(said.contains(note) && !said.contains("prune"), "{said}");
    }
    let plan = sandbox.ok(&["plan", "small.toml"]);
    assert!(plan.contains("new: it was removed") && !plan.contains("prune"), "{plan}");
    let [.., board, report] = &views()[..] else { panic!("two views at least") };
    assert!(board.contains("2/3 done") && board.contains("  no record !\n") && !board.contains("pending"), "{board}");
    assert!(report.contains("5 of 6 runs: 5 completed; 1 without a record"), "{report}");
    assert_eq!((report.matches("| 2 of 3 |").count(), report.matches("| 3 of 3 |").count()), (1, 1), "{report}");
    let trials = sandbox.json(&["list", "small", "--leaderboard"]);
    let counts =
        |i: usize| (trials[i]["rank"].as_u64(), trials[i]["completed"].as_u64(), trials[i]["missing"].as_u64());
    assert_eq!((counts(0), counts(1)), ((Some(1), Some(3), Some(0)), (None, Some(2), Some(1))), "{trials}");
    // What is ranked and what is not is told in the report as well.
    assert!(
        report.contains("| **1** (best so far) | 1e-4 | completed ! | 3 of 3 |")
            && report.contains("| – | 1e-3 | no record ! | 2 of 3 |"),
        "{report}"
    );
    // A trial keeps its name while one seed of it is left, and others keep theirs when none is.
    let names = || {
        let trials = sandbox.json(&["list", "small", "--leaderboard"]);
        let names =
            trials.as_array().expect("trials").iter().map(|trial| trial["name"].as_str().unwrap_or("").to_string());
        names.collect::<Vec<_>>()
    };
    sandbox.ok(&["rm", &keys("lr=1e-3")[1], "--yes"]);
    assert_eq!(names(), ["lr=1e-4", "lr=1e-3"]);
    assert!(views()[3].contains("| – | 1e-3 | no record ! | 1 of 3 |"), "{}", views()[3]);
    sandbox.ok(&["rm", &keys("lr=1e-3")[0], "--yes"]);
    assert_eq!(names(), ["lr=1e-4"]);
    // With the other trial gone, it is the best of two so far, in every view.
    let [lists @ .., report] = &views()[..] else { panic!("two views at least") };
    let best = "best so far (3 of 6 runs completed): ";
    assert!(lists.iter().all(|list| list.contains(best)), "{lists:?}");
    assert!(report.contains("**Best so far (3 of 6 runs completed) lr=1e-4"), "{report}");
    assert!(report.contains("\n## Ranking\n") && report.contains("The plan is unfinished: 3 of 6 runs"), "{report}");
    assert!(sandbox.ok(&["report"]).contains(" (best so far)"));
    let (code, error) = sandbox.says(&["show", "small#2"]);
    let ranks = "no trial of rank 2: it has only rank 1, and 1 trial has none (1 removed) (`taper list small --leaderboard` shows its ranking)";
    assert!(code == 2 && error.contains(ranks), "{error}");
    assert!(sandbox.ok(&["run", "small.toml", "--quiet"]).contains("small: 3 completed, 3 completed before"));
    keys("lr=1e-3")[1..].iter().for_each(|key| drop(sandbox.ok(&["rm", key, "--yes"])));
    keys("lr=1e-4")[..2].iter().for_each(|key| drop(sandbox.ok(&["rm", key, "--yes"])));
    let note = "4 planned runs have no record, because they were removed: `taper run small.toml` trains them again";
    assert!(views().iter().all(|said| said.contains(note)));
    // The same command trains what is missing and nothing else.
    let said = sandbox.ok(&["run", "small.toml"]);
    assert!(said.contains("small: 4 completed, 2 completed before"), "{said}");
    assert!(views().iter().all(|said| !said.contains("no record")));
}

/// A sweep with pruning: of its three equal trials the first is completed.
fn pruned() -> (Sandbox, Vec<&'static str>) {
    let sandbox = sandbox("[sweep]\nprune = \"asha\"\nrungs = 1\n[sweep.axes]\ntrain.lr = [1e-9, 2e-9, 3e-9]\n");
    let run = vec!["run", "small.toml", "--set", "data.dev=0.2", "--set", "train.eval_steps=1"];
    let run = [run, vec!["--set", "checkpoint.keep=best"]].concat();
    let said = sandbox.ok(&run);
    assert!(said.contains("small: 1 completed, 2 pruned; took"), "{said}");
    (sandbox, run)
}

#[test]
fn a_removed_run_of_a_pruning_sweep_can_be_pruned_and_every_view_shows_it() {
    let (sandbox, run) = pruned();
    let key = |state: &str| {
        let runs = sandbox.json(&["list", "small", "--state", state]);
        runs[0]["key"].as_str().expect("a key").to_string()
    };
    let plan = [&["plan"], &run[1..]].concat();
    let may =
        "compares it again with the existing runs and may prune it (with --retry it trains pruned runs to the end)";
    for state in ["completed", "pruned"] {
        let said = sandbox.ok(&["rm", &key(state), "--yes"]);
        assert!(said.contains(&format!("\n`taper run` with a spec that plans it trains it again, {may}\n")), "{said}");
        sandbox.ok(&["report", "small"]);
        let report = fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report");
        let lists =
            [&["list"][..], &["list", "small"], &["list", "small", "--leaderboard"]].map(|list| sandbox.ok(list));
        for said in lists.into_iter().chain([report]) {
            let run = format!("taper {}", run.join(" "));
            let note = format!("1 planned run has no record, because it was removed: `{run}` trains it again, {may}");
            assert!(said.contains(&note), "{said}");
        }
        let said = sandbox.ok(&plan);
        assert!(said.contains(&format!("1 run was removed: `taper run` trains it again, {may}\n")), "{said}");
        assert!(said.contains("new: it was removed"), "{said}");
        sandbox.ok(&run);
        assert!(!sandbox.ok(&plan).contains("removed"));
    }
}

#[test]
fn a_sweep_without_a_completed_run_says_so_and_shows_its_leaderboard() {
    let (sandbox, mut run) = pruned();
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.replace("[1e-9, 2e-9, 3e-9]", "[2e-9, 3e-9]")).expect("a spec");
    let warning = "no run of this sweep is completed (2 pruned), so there is no best trial and no result: `taper run` \
                   with --retry trains pruned runs to the end";
    // Also where nothing was trained.
    for _ in 0..2 {
        let said = sandbox.ok(&run);
        assert!(said.contains("small: 2 pruned before\n") && said.contains(&format!("\nwarning: {warning}")), "{said}");
        assert!(said.contains("TRIAL") || said.contains("LR"), "{said}");
        assert!(said.contains("2e-9") && said.contains("pruned at step ") && said.contains("* not final"), "{said}");
        assert!(!said.contains("\nbest trial: "), "{said}");
    }
    let events = sandbox.ok(&[&run[..], &["--json"]].concat());
    assert!(events.lines().any(|line| line.contains("\"sweep_warned\"") && line.contains(warning)), "{events}");
    assert!(sandbox.ok(&["list", "small"]).contains(warning));
    assert!(sandbox.ok(&["list", "small", "--leaderboard"]).contains(&format!("\nwarning: {warning}")));
    run.push("--retry");
    let said = sandbox.ok(&run);
    assert!(said.contains("small: 2 completed; took") && !said.contains("no run of this sweep"), "{said}");
}

#[test]
fn a_value_of_a_run_that_is_not_completed_is_shown_with_its_step_in_every_view() {
    let (sandbox, _) = pruned();
    let trials = sandbox.json(&["list", "small", "--leaderboard"]);
    let (list, board) = (sandbox.ok(&["list", "small"]), sandbox.ok(&["list", "small", "--leaderboard"]));
    let mut marked = 0;
    for trial in trials.as_array().expect("trials") {
        let (value, step) = (trial["figure"]["mean"].as_f64().expect("a mean") * 100.0, trial["step"][0].as_u64());
        let (is_final, last) = (trial["final"].as_bool().expect("a verdict"), trial["last_step"].as_u64());
        assert_eq!((is_final, last), (trial["state"] == "completed", step), "{trial}");
        let cell = format!("{value:.1}% @{}*", step.expect("a step"));
        let lr = trial["name"].as_str().and_then(|name| name.strip_prefix("lr=")).expect("a rate");
        for said in [&list, &board] {
            // The line of the best in the list names it too.
            let row = said.lines().rfind(|line| line.contains(lr)).expect("a row");
            assert_eq!(row.contains(&cell), !is_final, "{cell}: {row}");
            assert!(is_final || !row.contains('('), "no interval: {row}");
        }
        marked += usize::from(!is_final);
    }
    assert_eq!(marked, 2, "{trials}");
    let note = "* not final: the best evaluation of each run so far, at the step given after @";
    let unwrapped = |said: &str| said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(unwrapped(&list).contains(note) && unwrapped(&board).contains(note), "{list}{board}");
}

#[test]
fn equal_trials_are_pruned_by_their_order_with_a_warning() {
    // At such rates no prediction changes.
    let sandbox = sandbox("[sweep]\nprune = \"asha\"\nrungs = 1\n[sweep.axes]\ntrain.lr = [1e-9, 2e-9, 3e-9]\n");
    let run = ["run", "small.toml", "--set", "data.dev=0.2", "--set", "train.eval_steps=1"];
    let expected = "is expected to train 1 of 3 trials to the end (3 → 1)";
    let warns = |arguments: &[&str]| {
        let output = sandbox.taper(arguments);
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(sandbox.ok(&[&["plan"], &run[1..]].concat()).contains(expected));
    let said = sandbox.ok(&run);
    assert!(said.contains("small: 1 completed, 2 pruned; took"), "{said}");
    let warning = "warning: at rung 1 (step 3 of 8), all 3 trials tie on dev accuracy (";
    let which = "of equal trials that have reached the rung, the first in the plan goes on";
    let decided =
        "), so the 1 of them that was promoted was chosen by plan order, not by score; to compare trials later, lower";
    assert!(said.contains(warning) && said.contains(decided), "{said}");
    assert!(said.contains("or choose checkpoint.metric = \"loss\""), "{said}");
    let runs = sandbox.json(&["list", "small"]);
    let messages: Vec<&str> = runs.as_array().expect("runs").iter().filter_map(|run| run["message"].as_str()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(
        messages
            .iter()
            .all(|why| why.ends_with(&format!(", tied with 2 others; only the best (1 in 3) goes on; {which}"))),
        "{messages:?}"
    );
    let again = sandbox.ok(&run);
    assert!(again.contains("small: 1 completed before, 2 pruned before\n"), "{again}");
    // It is also in the report, in the list and in the events.
    let tied = "all 3 trials tie on dev accuracy";
    sandbox.ok(&["report", "small"]);
    let report = fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report");
    let list = sandbox.ok(&["list", "small"]);
    let events = sandbox.ok(&[&run[..], &["--json"]].concat());
    let line = |line: &&str| line.contains("\"sweep_warned\"") && line.contains(tied);
    assert_eq!(events.lines().filter(line).count(), 1, "{events}");
    for text in [&report, &list] {
        assert!(text.contains(tied), "{text}");
    }
    // What was expected is told before, and not when what came of it is known.
    let plan = sandbox.ok(&[&["plan"], &run[1..]].concat());
    for text in [report, list, events, plan, warns(&run)] {
        assert!(!text.contains("expected to train"), "{text}");
    }
}

#[test]
fn a_model_that_does_nothing_is_marked_alike_in_every_list_and_the_mark_is_explained() {
    // At such rates nothing is learned.
    let sandbox = sandbox("[sweep.axes]\ntrain.lr = [1e-9, 2e-9]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    for arguments in [&["list"][..], &["list", "small"], &["list", "small", "--leaderboard"]] {
        let said = sandbox.ok(arguments);
        assert_eq!(said.matches("completed !").count(), 2, "{said}");
        assert_eq!(said.matches("\n! a run that predicts only one label, or is no better than").count(), 1, "{said}");
    }
    let failed = sandbox.ok(&["list", "small", "--state", "completed", "--limit", "1"]);
    assert_eq!(
        (failed.matches("completed !").count(), failed.matches("\n! a run that predicts").count()),
        (1, 1),
        "{failed}"
    );
    // Of a trial with several seeds it may be one of them.
    let seeds = self::sandbox("[sweep]\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = [1e-9, 2e-9]\n");
    seeds.ok(&["run", "small.toml", "--quiet"]);
    let said = seeds.ok(&["list", "small", "--leaderboard"]);
    assert!(said.contains("\n! a trial with a run that predicts only one label, or is no better than"), "{said}");
}
