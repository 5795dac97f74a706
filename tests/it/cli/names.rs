//! Names of experiments and runs, and what a run is called and found by: its key, its name, its experiment, its spec file.

use taper::{
    event::{Event, Outcome, Split, When},
    metrics::{Metrics, Scored},
    plan::RunConfig,
    store::{ExperimentRecord, NewRun, Store},
};

use super::*;

fn exit(sandbox: &Sandbox, arguments: &[&str]) -> (i32, String) {
    let output = sandbox.taper(arguments);
    (output.status.code().expect("an exit code"), text(&output.stdout) + &text(&output.stderr))
}

fn write_spec(sandbox: &Sandbox, path: &str, more: &str) {
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    let depth = "../".repeat(path.matches('/').count());
    let spec = spec.replace("path:rows.csv", &format!("path:{depth}rows.csv")).replace("epochs = 2", "max_steps = 2");
    fs::create_dir_all(sandbox.path(path).parent().expect("a folder")).expect("a folder");
    fs::write(sandbox.path(path), spec + more).expect("a spec");
}

#[test]
fn a_run_is_found_by_the_name_that_was_given_to_it() {
    let sandbox = sandbox("");
    let quick = ["run", "small.toml", "--quiet", "--set", "train.max_steps=2"];
    sandbox.ok(&[&quick[..], &["--set", "train.lr=5e-4", "--set", "name=slow"]].concat());
    sandbox.ok(&[&quick[..], &["--set", "train.lr=6e-4", "--set", "description=a b"]].concat());
    for arguments in [
        &["show", "slow"][..],
        &["predict", "slow", "好吃"],
        &["export", "slow", "e"],
        &["report", "slow"],
        &["verify", "slow"],
    ] {
        sandbox.ok(arguments);
    }
    let names = |sandbox: &Sandbox| {
        let list = sandbox.json(&["list"]);
        list.as_array()
            .expect("runs")
            .iter()
            .map(|run| run["name"].as_str().expect("a name").to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&sandbox), ["slow", "max_steps=2 lr=6e-4"], "a default name contains the settings");
    // The one run of an experiment is found by that too, and by its spec file.
    assert_eq!(sandbox.json(&["show", "small"])["name"], "max_steps=2 lr=6e-4");
    assert_eq!(sandbox.json(&["show", "small.toml"])["name"], "max_steps=2 lr=6e-4");
    assert!(exit(&sandbox, &["show", "sm"]).1.contains("no run has the key or the name `sm`"));
}

#[test]
fn a_name_that_may_mean_several_runs_says_which_one_it_is() {
    let sandbox = sandbox("");
    let quick = ["run", "small.toml", "--quiet", "--set", "train.max_steps=2"];
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox.ok(&quick);
    let key = |arguments: &[&str]| sandbox.json(arguments)["key"].as_str().expect("a key").to_string();
    let first = key(&["show", "small"]);
    assert_eq!(first, key(&["show", "max_steps=2"]), "the run of the experiment, not that of the name");
    let note = format!(
        "note: `small` matches 2 runs; this command uses {} (max_steps=2): give a key to choose another",
        &first[..12]
    );
    for arguments in [&["predict", "small", "好吃"][..], &["show", "small"]] {
        let said = text(&sandbox.taper(arguments).stderr);
        assert!(said.contains(&note), "{note}: {said}");
        let quiet = text(&sandbox.taper(&[arguments, &["--quiet"]].concat()).stderr);
        assert!(!quiet.contains("give a key"), "{quiet}");
    }
    assert!(!text(&sandbox.taper(&["show", &first]).stderr).contains("give a key"));
}

/// A trial of several runs stands for its best run, in each command that takes a run.
#[test]
fn a_trial_is_named_by_its_rank_or_its_name() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2]\naxes.train.lr = [1e-3, 5e-4]\n");
    write_spec(&sandbox, "mine.toml", "");
    sandbox.ok(&["run", "mine.toml", "--quiet"]);
    let board = sandbox.json(&["list", "small", "--leaderboard"]);
    let trial = |rank: usize, key: &str| board[rank - 1][key].as_str().expect("a text").to_string();
    for rank in [1, 2] {
        let best = trial(rank, "best_run");
        for wanted in [format!("small#{rank}"), format!("small#{}", trial(rank, "name")), format!("mine.toml#{rank}")] {
            let shown = sandbox.taper(&["show", &wanted, "--json"]);
            let json: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
            assert_eq!(json["key"], best.as_str(), "{wanted}");
            let note = format!("note: `{wanted}` has 2 runs; this command uses the best of them, {} (", &best[..12]);
            assert!(text(&shown.stderr).contains(&note), "{note}: {}", text(&shown.stderr));
        }
    }
    for arguments in [
        &["predict", "small#1", "好吃"][..],
        &["eval", "small#1", "--file", "rows.csv"],
        &["export", "small#2", "e"],
        &["verify", "small#2"],
    ] {
        sandbox.ok(arguments);
    }
    // The page names the same run, and its setting alone is an experiment of trained runs.
    sandbox.ok(&["report", "small"]);
    let report = fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report");
    let lr = trial(1, "name").replace("lr=", "sweep.axes.train.lr=[") + "]";
    let export = format!("taper export {} DIR", &trial(1, "best_run")[..12]);
    for command in [format!("taper run mine.toml --set name=small-best --set '{lr}'"), export] {
        assert!(report.contains(&command), "{command}: {report}");
    }
    sandbox.ok(&["run", "mine.toml", "--quiet", "--set", "name=small-best", "--set", &lr]);
    let runs = sandbox.json(&["list", "small-best"]);
    assert_eq!(runs.as_array().map(Vec::len), Some(2), "{runs}");
    assert_eq!(sandbox.json(&["list"]).as_array().map(Vec::len), Some(4), "no run was trained again");
    for (wanted, said) in [
        (
            "small#3",
            "`small` has no trial of rank 3: it has ranks 1 to 2 (`taper list small --leaderboard` shows its ranking)",
        ),
        ("small#lr=5e-3", "`small` has no trial `lr=5e-3`, did you mean `lr="),
        ("smal#1", "no run has the key or the name `smal#1`"),
    ] {
        let (code, all) = exit(&sandbox, &["show", wanted]);
        assert!(code == 2 && all.contains(said), "{wanted}: {all}");
    }
    // Names may have the mark, too: the whole text is an experiment before a part of it is.
    sandbox.ok(&["run", "mine.toml", "--quiet", "--set", "name=small#q"]);
    assert_eq!(sandbox.json(&["show", "small#q#1"])["key"], trial(1, "best_run").as_str());
    sandbox.ok(&["run", "mine.toml", "--quiet", "--set", "name=small#2", "--set", &lr]);
    let (code, said) = exit(&sandbox, &["show", "small#2"]);
    assert!(code == 2 && said.contains("`small#2` matches 2 runs"), "{said}");
}

/// Folds are measured on other rows each.
#[test]
fn a_trial_without_a_best_run_says_so() {
    let sandbox = sandbox("[sweep]\nfolds = 2\n");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("test = 0.4\n", "").replace("epochs = 2", "max_steps = 2"));
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let (code, said) = exit(&sandbox, &["show", "small#1"]);
    assert!(code == 2 && said.contains("its runs are folds, each of which is measured on different rows"), "{said}");
}

#[test]
fn a_spec_file_is_as_good_as_the_name_of_its_experiment() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2]\n");
    write_spec(&sandbox, "specs/mine.toml", "");
    for arguments in [&["list", "specs/mine.toml"][..], &["report", "specs/mine.toml"]] {
        let (code, said) = exit(&sandbox, arguments);
        assert_ne!(code, 0, "{said}");
    }
    sandbox.ok(&["run", "specs/mine.toml", "--quiet"]);
    assert_eq!(sandbox.json(&["list", "specs/mine.toml"]).as_array().expect("runs").len(), 2);
    assert_eq!(sandbox.json(&["list", "specs/mine.toml", "--leaderboard"]).as_array().expect("trials").len(), 1);
    sandbox.ok(&["report", "specs/mine.toml"]);
    let (code, said) = exit(&sandbox, &["show", "specs/mine.toml"]);
    assert!(code == 2 && said.contains("matches 2 runs") && said.contains("seed=2"), "{said}");
    let (code, said) = exit(&sandbox, &["report", "rows.csv"]);
    assert!(code == 2 && said.contains("rows.csv"), "{said}");
    sandbox.ok(&["rm", "--experiment", "specs/mine.toml", "--yes"]);
    assert_eq!(sandbox.json(&["list"]).as_array().expect("runs").len(), 0);
}

#[test]
fn two_spec_files_with_one_name_are_distinguished() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "a/train.toml", "seed = 1\n");
    write_spec(&sandbox, "b/train.toml", "seed = 2\n");
    let quiet = |spec: &str| text(&sandbox.taper(&["run", spec, "--quiet"]).stderr);
    assert!(!quiet("a/train.toml").contains("another spec file"));
    let said = quiet("b/train.toml");
    assert!(said.contains("warning: another spec file also names its experiment `small`: a/train.toml"), "{said}");
    assert!(sandbox.ok(&["run", "b/train.toml", "--json"]).contains("\"kind\":\"name\""));
    // No runs are called left over, and each experiment has its own plan.
    for spec in ["a/train.toml", "b/train.toml"] {
        let plan = sandbox.json(&["plan", spec]);
        assert_eq!(
            (&plan["orphaned"], &plan["runs"][0]["standing"]),
            (&serde_json::json!([]), &"completed".into()),
            "{plan}"
        );
        assert_eq!(plan["warnings"][0]["kind"], "name");
    }
    let (code, said) = exit(&sandbox, &["report", "a/train.toml"]);
    assert!(code == 2 && said.contains("b/train.toml") && said.contains("taper run a/train.toml"), "{said}");
    sandbox.ok(&["report", "b/train.toml"]);
    // Only the runs of one of them are removed, and that is said.
    let said = sandbox.ok(&["rm", "--experiment", "small", "--yes"]);
    assert!(
        said.contains("removed the experiment `small` and 1 run") && said.contains("the runs of a/train.toml stay"),
        "{said}"
    );
    assert_eq!(sandbox.json(&["plan", "a/train.toml"])["runs"][0]["standing"], "completed");
    sandbox.ok(&["rm", "--experiment", "a/train.toml", "--yes"]);
    assert_eq!(sandbox.json(&["list"]).as_array().expect("runs").len(), 0);
    // A file that was moved or has its own name does not conflict.
    sandbox.ok(&["run", "a/train.toml", "--quiet"]);
    fs::rename(sandbox.path("a/train.toml"), sandbox.path("moved.toml")).expect("moved");
    fs::write(sandbox.path("rows2.csv"), "").expect("a file");
    assert!(!quiet("b/train.toml").contains("another spec file"));
}

#[test]
fn variants_are_never_called_left_over_and_only_an_edit_leaves_runs_behind() {
    let sandbox = sandbox("");
    let quick = ["run", "small.toml", "--quiet", "--set", "train.max_steps=2"];
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox.ok(&quick);
    sandbox.ok(&[&quick[..], &["--set", "train.lr=5e-4"]].concat());
    let mut from_variable = sandbox.command(&["run", "small.toml", "--quiet"]);
    assert!(from_variable.env("TAPER_TRAIN__MAX_STEPS", "3").status().expect("taper").success());
    for arguments in [
        &["plan", "small.toml"][..],
        &["plan", "small.toml", "--set", "train.max_steps=2"],
        &["plan", "small.toml", "--set", "train.lr=1e-5"],
    ] {
        assert_eq!(sandbox.json(arguments)["orphaned"], serde_json::json!([]), "{arguments:?}");
        assert!(!sandbox.ok(arguments).contains("no longer"), "{arguments:?}");
    }
    // An edited value is a change of the run; a value that was taken out of a sweep leaves its run behind.
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.clone() + "[sweep]\nseeds = [42, 43]\n").expect("a spec");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    fs::write(sandbox.path("small.toml"), spec + "[sweep]\nseeds = [42]\n").expect("a spec");
    let plan = sandbox.json(&["plan", "small.toml"]);
    assert_eq!(plan["orphaned"][0]["name"], "seed=43", "{plan}");
    let said = sandbox.ok(&["plan", "small.toml"]);
    assert!(said.contains("no longer in the plan") && !said.contains("taper rm") && !said.contains("orphan"), "{said}");
}

#[test]
fn removing_an_experiment_says_why_a_run_of_it_stays() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "one.toml", "");
    let spec = fs::read_to_string(sandbox.path("one.toml")).expect("a spec");
    fs::write(sandbox.path("two.toml"), spec.replace("\"small\"", "\"two\"")).expect("a spec");
    sandbox.ok(&["run", "one.toml", "--quiet"]);
    sandbox.ok(&["run", "two.toml", "--quiet"]);
    let of_state = ["rm", "--experiment", "two", "--state", "completed", "--yes"];
    let stays = "1 run in that state stays, because it also belongs to `small`: `taper rm RUN` removes it";
    assert_eq!(sandbox.ok(&of_state), format!("{stays}\n"));
    fs::rename(sandbox.path("runs"), sandbox.path("other")).expect("another folder");
    let elsewhere = sandbox.ok(&[&of_state[..], &["--runs", "other"]].concat());
    assert!(elsewhere.replace('\n', " ").contains("`taper rm RUN --runs other` removes it"), "{elsewhere}");
    fs::rename(sandbox.path("other"), sandbox.path("runs")).expect("the folder of before");
    let json = sandbox.json(&of_state);
    assert_eq!((&json["removed"], &json["stays"]), (&serde_json::json!([]), &serde_json::json!([stays])));
    let said = sandbox.ok(&["rm", "--experiment", "two", "--yes"]);
    assert!(
        said.contains("removed the experiment `two` and 0 runs, 0 B of disk")
            && said.contains("1 of its runs stays, because it also belongs to `small` (one.toml)"),
        "{said}"
    );
    assert!(exit(&sandbox, &["report", "two"]).1.contains("there is no experiment `two`"));
    sandbox.ok(&["report", "small"]);
}

/// The headings of a list, by experiment.
fn headings(sandbox: &Sandbox, arguments: &[&str]) -> Vec<String> {
    let said = sandbox.ok(arguments);
    said.lines()
        .filter(|line| line.contains(" completed"))
        .filter(|line| line.contains(": "))
        .map(String::from)
        .collect()
}

/// What `list --json` has of each run: its name, its experiment, all of its experiments, and whether it is in the plan.
fn entries(sandbox: &Sandbox) -> Vec<(String, Value, Value, bool)> {
    let list = sandbox.json(&["list"]);
    let entry = |run: &Value| {
        assert_eq!(run["config"]["name"], run["experiment"], "{run}");
        let (name, in_plan) = (run["name"].as_str().expect("a name"), run["in_plan"].as_bool().expect("whether"));
        (name.to_string(), run["experiment"].clone(), run["experiments"].clone(), in_plan)
    };
    list.as_array().expect("runs").iter().map(entry).collect()
}

#[test]
fn a_run_is_listed_with_every_experiment_that_plans_it() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "one.toml", "");
    let spec = fs::read_to_string(sandbox.path("one.toml")).expect("a spec");
    let two = spec.replace("\"small\"", "\"two\"") + "[sweep]\nseeds = [42, 43]\n";
    fs::write(sandbox.path("two.toml"), two).expect("a spec");
    sandbox.ok(&["run", "one.toml", "--quiet"]);
    sandbox.ok(&["run", "two.toml", "--quiet"]);
    for more in [&[][..], &["--limit", "1"], &["--state", "completed"]] {
        let all = headings(&sandbox, &[&["list"], more].concat());
        let each = ["small", "two"].map(|name| headings(&sandbox, &[&["list", name], more].concat()).remove(0));
        assert_eq!(all, each, "{more:?}");
        assert!(
            all[0].starts_with("small: 1 run, 1 completed") && all[1].starts_with("two: 2 runs, 2 completed"),
            "{all:?}"
        );
    }
    let both = serde_json::json!(["small", "two"]);
    assert_eq!(
        entries(&sandbox),
        [
            ("small".into(), "small".into(), both, true),
            ("seed=43".into(), "two".into(), serde_json::json!(["two"]), true)
        ]
    );
    // The same run has another name in the other experiment.
    let shared = sandbox.json(&["show", "seed=42"]);
    assert_eq!((&shared["experiment"], &shared["config"]["name"]), (&"two".into(), &"two".into()));
    assert_eq!(sandbox.json(&["show", "small"])["experiment"], "small");
    let shown = sandbox.ok(&["show", "seed=42"]);
    assert!(shown.contains("\nexperiment  two; also of small\n"), "{shown}");
}

#[test]
fn an_experiment_that_has_no_run_of_its_own_is_listed_and_shown_under_its_name() {
    let sandbox = sandbox("");
    let run = ["run", "small.toml", "--quiet", "--set", "train.max_steps=2"];
    sandbox.ok(&run);
    sandbox.ok(&[&run[..], &["--set", "name=other"]].concat());
    let all = headings(&sandbox, &["list"]);
    assert_eq!(all, ["small: 1 run, 1 completed", "other: 1 run, 1 completed"]);
    assert_eq!(entries(&sandbox).len(), 1, "one run");
    assert_eq!(entries(&sandbox)[0].2, serde_json::json!(["small", "other"]));
    for (name, also) in [("other", "small"), ("small", "other")] {
        let shown = sandbox.ok(&["show", name, "--config"]);
        assert!(shown.contains(&format!("\nexperiment  {name}; also of {also}\n")), "{shown}");
        assert!(shown.contains(&format!("\nname = \"{name}\"\n")), "{shown}");
        sandbox.ok(&["report", name]);
        let report = fs::read_to_string(sandbox.path("runs/reports").join(name).join("report.md")).expect("a report");
        assert!(report.contains(&format!("name = \"{name}\"\n")), "{report}");
    }
    let key = sandbox.keys().remove(0);
    assert!(sandbox.ok(&["show", &key]).contains("\nexperiment  small; also of other\n"));
}

#[test]
fn a_removed_experiment_is_listed_no_more_and_what_stays_of_it_is() {
    let sandbox = sandbox("");
    let axes = |name: &str, rates: &str| format!("name={name} sweep.axes.train.lr=[{rates}]");
    let run = |what: &str| {
        let sets = what.split(' ').flat_map(|set| ["--set", set]);
        sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.max_steps=2"]
            .into_iter()
            .chain(sets)
            .collect::<Vec<_>>());
    };
    run(&axes("first", "1e-3,2e-3"));
    run(&axes("second", "1e-3,2e-3,3e-3"));
    let said = sandbox.ok(&["rm", "--experiment", "first", "--yes"]);
    assert!(said.contains("2 of its runs stay, because they also belong to `second`"), "{said}");
    let list = sandbox.ok(&["list", "--limit", "2"]);
    assert!(list.starts_with("second: 3 runs, 3 completed") && !list.contains("first"), "{list}");
    let second = serde_json::json!(["second"]);
    assert!(entries(&sandbox).iter().all(|entry| entry.1 == "second" && entry.2 == second && entry.3));
    // Runs of an earlier version of the spec stay too, and then belong to no experiment.
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec").replace("epochs = 2", "max_steps = 3");
    for rate in ["1e-3", "2e-3"] {
        fs::write(sandbox.path("small.toml"), spec.replace("lr = 1e-3", &format!("lr = {rate}"))).expect("a spec");
        sandbox.ok(&["run", "small.toml", "--quiet"]);
    }
    sandbox.ok(&["rm", "--experiment", "second", "--yes"]);
    sandbox.ok(&["rm", "--experiment", "small", "--yes"]);
    let list = sandbox.ok(&["list"]);
    assert!(list.starts_with("runs of no experiment: 1 run, 1 completed\n"), "{list}");
    assert!(list.contains("`taper rm RUN` removes a run"), "{list}");
    let run = &sandbox.json(&["list"])[0];
    assert_eq!((&run["experiment"], &run["experiments"]), (&Value::Null, &serde_json::json!([])));
    let key = run["key"].as_str().expect("a key");
    assert!(sandbox.ok(&["show", key]).contains("\nexperiment  none: the experiments that planned it were removed\n"));
    sandbox.ok(&["rm", key, "--yes"]);
    assert_eq!(sandbox.json(&["list"]), serde_json::json!([]));
}

#[test]
fn a_spec_file_can_be_renamed() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "one.toml", "");
    sandbox.ok(&["run", "one.toml", "--quiet"]);
    fs::rename(sandbox.path("one.toml"), sandbox.path("two.toml")).expect("renamed");
    let views = [&["list", "two.toml"][..], &["show", "two.toml"], &["report", "two.toml"]];
    views.into_iter().for_each(|view| drop(sandbox.ok(view)));
    // Run under its new name, and as another folder has it.
    fs::create_dir(sandbox.path("specs")).expect("a folder");
    for (from, to) in [("two.toml", "a.toml"), ("a.toml", "z.toml"), ("z.toml", "specs/train.toml")] {
        fs::rename(sandbox.path(from), sandbox.path(to)).expect("renamed");
        if to.contains('/') {
            let spec = fs::read_to_string(sandbox.path(to)).expect("a spec").replace("path:rows", "path:../rows");
            fs::write(sandbox.path(to), spec).expect("a spec");
            let (code, said) = exit(&sandbox, &["report", to]);
            assert!(
                code == 2 && said.contains("the plan of a spec file that no longer exists, z.toml: `taper run specs/"),
                "{said}"
            );
        }
        sandbox.ok(&["run", to, "--quiet"]);
        for view in ["list", "show", "report"] {
            sandbox.ok(&[view, to]);
        }
    }
    // It has left nothing under its other names.
    let spec = fs::read_to_string(sandbox.path("specs/train.toml")).expect("a spec");
    fs::write(sandbox.path("specs/train.toml"), spec + "[sweep]\nseeds = [7, 8]\n").expect("a spec");
    assert_eq!(sandbox.json(&["plan", "specs/train.toml"])["orphaned"][0]["name"], "small");
    let said = sandbox.ok(&["rm", "--experiment", "small", "--yes"]);
    assert!(said.starts_with("removed the experiment `small` and 1 run,") && !said.contains("stay"), "{said}");
}

#[test]
fn an_experiment_of_one_run_means_the_run_of_its_current_spec() {
    let sandbox = sandbox("");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec").replace("epochs = 2", "max_steps = 2");
    for rate in ["1e-3", "2e-3", "3e-3"] {
        fs::write(sandbox.path("small.toml"), spec.replace("lr = 1e-3", &format!("lr = {rate}"))).expect("a spec");
        sandbox.ok(&["run", "small.toml", "--quiet"]);
    }
    assert_eq!(sandbox.json(&["show", "small"])["config"]["train"]["lr"], 3e-3);
    for arguments in [
        &["predict", "small", "好吃"][..],
        &["verify", "small"],
        &["eval", "small", "--file", "rows.csv"],
        &["export", "small", "e"],
    ] {
        sandbox.ok(arguments);
    }
    // A run of an earlier plan is resumed by no `taper run` of the current one.
    let earlier = sandbox.json(&["list"]);
    let earlier = earlier.as_array().expect("runs").iter().find(|run| run["in_plan"] == false).expect("one");
    let key = earlier["key"].as_str().expect("a key");
    let other = rusqlite::Connection::open(sandbox.path("runs/taper.db")).expect("the database");
    other.execute("UPDATE runs SET state = 'interrupted' WHERE key = ?1", [key]).expect("a row");
    let show = sandbox.ok(&["show", key]);
    assert!(show.contains("a `taper run` with a spec that plans it starts it again"), "{show}");
    // What cannot be undone has to be sure; runs of one name are told apart.
    let (code, said) = exit(&sandbox, &["rm", "small", "--yes"]);
    assert!(code == 2 && said.contains("matches 3 runs"), "{said}");
    let count = |end: &str| said.lines().filter(|line| line.ends_with(end)).count();
    assert_eq!(
        (count("  small (experiment small)"), count("  small (experiment small, not in its current plan)")),
        (1, 2),
        "{said}"
    );
}

/// A text that is the name of runs of other experiments does not mean the runs of the experiment that has it too.
#[test]
fn the_best_run_is_named_only_among_those_that_the_text_means() {
    let sandbox = Sandbox::new();
    let mut store = Store::open(&sandbox.path("runs")).unwrap();
    let config: RunConfig = serde_json::from_str(include_str!("../../fixtures/store_config.json")).unwrap();
    let labels = ["negative", "positive"].map(String::from);
    let mut add = |experiment: &str, runs: &[(&str, &str)]| {
        for (key, name) in runs {
            let new = NewRun { key, name, experiment, config: &config, labels: &labels, total_steps: 1, audit: None };
            store.register(&new).unwrap();
            let scored = vec![Scored::of_label(0, (0, 0.9), &[], 0.1); 4];
            let (when, step, epoch, elapsed_s) = (When::After, 1, 1, 0.1);
            let evals = [Split::Dev, Split::Test].map(|split| {
                let metrics = Metrics::new(&labels, scored.clone());
                Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s }
            });
            store.append(key, &evals).unwrap();
            store.append(key, &[Event::RunFinished(Outcome::Completed)]).unwrap();
        }
        let record = ExperimentRecord {
            name: experiment.into(),
            description: String::new(),
            spec_path: format!("{experiment}.toml"),
            arguments: Vec::new(),
            spec_text: String::new(),
            extends: Vec::new(),
            report: Value::Null,
            warnings: Vec::new(),
            prunes: false,
            to_come: 0,
            runs: runs.iter().map(|(key, name)| (key.to_string(), name.to_string())).collect(),
            trials: vec![0, 1],
        };
        store.save_experiment(&record).unwrap();
    };
    add("x", &[("1a", "lr=1"), ("1b", "lr=2")]);
    let (code, said) = exit(&sandbox, &["show", "x"]);
    assert!(code == 2 && said.contains("`x` matches 2 runs") && said.contains("the best trial: 1a"), "{said}");
    add("a", &[("2a", "x"), ("2b", "y")]);
    add("b", &[("3a", "x"), ("3b", "y")]);
    // Runs of other experiments that have this name do not count.
    let (code, said) = exit(&sandbox, &["show", "x"]);
    assert!(code == 2 && said.contains("`x` matches 2 runs") && said.contains("the best trial: 1a"), "{said}");
    assert!(!said.contains("3a"), "{said}");
}

/// An axis of a file that the spec extends comes first; the seed stays last.
#[test]
fn names_have_the_keys_in_the_order_of_the_spec() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "base.toml", "[sweep.axes]\ntrain.warmup_ratio = [0.0, 0.2]\n");
    let spec = "extends = [\"base.toml\"]\nname = \"ordered\"\n[sweep]\nseeds = [1]\n[sweep.axes]\ntrain.lr = [5e-4]\ndata.max_length = [16, \
                32]\n[[sweep.zip]]\ntrain.weight_decay = [0.1]\ntrain.batch_size = [4]\n";
    sandbox.write("ordered.toml", spec);
    let names = |sets: &[&str]| -> Vec<String> {
        let plan = sandbox.json(&[&["plan", "ordered.toml"], sets].concat());
        let runs = plan["runs"].as_array().expect("runs").iter();
        runs.map(|run| run["name"].as_str().expect("a name").to_string()).collect()
    };
    // The order of the runs is that of the spec as well, the last axis fastest.
    let lengths = [(16, "0"), (32, "0"), (16, "0.2"), (32, "0.2")];
    let wanted = lengths.map(|(length, warmup)| {
        format!("warmup_ratio={warmup} lr=5e-4 max_length={length} weight_decay=0.1 batch_size=4 seed=1")
    });
    assert_eq!(names(&[]), wanted);
    // An axis that only an argument has is last.
    let set = names(&["--set", "sweep.axes.train.label_smoothing=[0.1]"]);
    assert!(set[0].ends_with(" batch_size=4 label_smoothing=0.1 seed=1"), "{set:?}");
    // Only the order depends on it, not what a run is.
    let keys = |axes: &str| -> Vec<String> {
        write_spec(&sandbox, "axes.toml", &format!("[sweep.axes]\n{axes}"));
        let plan = sandbox.json(&["plan", "axes.toml"]);
        let runs = plan["runs"].as_array().expect("runs").iter();
        runs.map(|run| run["key"].as_str().expect("a key").to_string()).collect()
    };
    let (lr, rows) = ("train.lr = [1e-3, 2e-3]\n", "train.batch_size = [4, 8]\n");
    let (lr_first, rows_first) = (keys(&format!("{lr}{rows}")), keys(&format!("{rows}{lr}")));
    assert_eq!([0, 2, 1, 3].map(|i| lr_first[i].clone()).to_vec(), rows_first);
}

/// Of more candidates than are listed, the best run is the first.
#[test]
fn the_best_run_of_an_ambiguous_name_is_listed_first() {
    let sandbox = sandbox("max_grad_norm = 1.0\n[sweep]\nseeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]\n");
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.max_steps=3"]);
    let best = sandbox.json(&["list", "small", "--leaderboard"])[0]["best_run"].as_str().expect("a run").to_string();
    let (code, said) = exit(&sandbox, &["show", "small"]);
    let first = said.lines().nth(1).expect("a candidate").trim();
    assert!(code == 2 && first.starts_with(&best[..12]), "{best}: {said}");
    assert!(said.contains("\n  … and 2 more\n"), "{said}");
}

/// `list` and `report` take the name of an experiment, and so do the commands for one run, whatever an earlier run was called.
#[test]
fn one_name_means_the_same_for_every_command() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.max_steps=1"]);
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.max_steps=2", "--set", "name=small"]);
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.max_steps=3"]);
    let listed = sandbox.json(&["list", "small"]);
    let planned = listed.as_array().expect("runs").iter().find(|run| run["in_plan"] == true).expect("the planned one");
    let planned = planned["key"].as_str().expect("a key").to_string();
    assert_eq!(sandbox.json(&["show", "small"])["key"], planned.as_str());
    let said = text(&sandbox.taper(&["predict", "small", "好吃"]).stderr);
    assert!(said.contains(&format!("this command uses {} (max_steps=3)", &planned[..12])), "{said}");
}
