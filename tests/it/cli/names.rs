//! Names of experiments and runs, and what a run is called and found by: its key, its name, its experiment, its spec file.

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
    assert!(code == 2 && said.contains("means 2 runs") && said.contains("seed=2"), "{said}");
    let (code, said) = exit(&sandbox, &["report", "rows.csv"]);
    assert!(code == 2 && said.contains("rows.csv"), "{said}");
    sandbox.ok(&["rm", "--experiment", "specs/mine.toml", "--yes"]);
    assert_eq!(sandbox.json(&["list"]).as_array().expect("runs").len(), 0);
}

#[test]
fn two_spec_files_of_one_name_are_told_apart() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "a/train.toml", "seed = 1\n");
    write_spec(&sandbox, "b/train.toml", "seed = 2\n");
    let quiet = |spec: &str| text(&sandbox.taper(&["run", spec, "--quiet"]).stderr);
    assert!(!quiet("a/train.toml").contains("another spec file"));
    let said = quiet("b/train.toml");
    assert!(said.contains("warning: another spec file has the same name `small`: a/train.toml"), "{said}");
    assert!(sandbox.ok(&["run", "b/train.toml", "--json"]).contains("\"kind\":\"name\""));
    // Nobody's runs are called left over, and the plan of each is its own.
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

/// Runs that two sweeps share are listed once, and the other one's heading does not pass its part for the whole.
#[test]
fn a_sweep_of_which_some_runs_are_listed_elsewhere_says_how_many_it_has() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "one.toml", "");
    let spec = fs::read_to_string(sandbox.path("one.toml")).expect("a spec");
    fs::write(sandbox.path("two.toml"), spec.replace("\"small\"", "\"two\"") + "[sweep]\nseeds = [42, 43]\n")
        .expect("a spec");
    sandbox.ok(&["run", "one.toml", "--quiet"]);
    sandbox.ok(&["run", "two.toml", "--quiet"]);
    for arguments in [&["list"][..], &["list", "--state", "completed"]] {
        let said = sandbox.ok(arguments);
        assert!(said.contains("small: 1 run, 1 completed") && said.contains("two: 1 of 2 runs, 1 completed"), "{said}");
    }
    assert!(sandbox.ok(&["list", "two"]).contains("two: 2 runs, 2 completed"));
}

#[test]
fn removing_an_experiment_says_why_a_run_of_it_stays() {
    let sandbox = sandbox("");
    write_spec(&sandbox, "one.toml", "");
    let spec = fs::read_to_string(sandbox.path("one.toml")).expect("a spec");
    fs::write(sandbox.path("two.toml"), spec.replace("\"small\"", "\"two\"")).expect("a spec");
    sandbox.ok(&["run", "one.toml", "--quiet"]);
    sandbox.ok(&["run", "two.toml", "--quiet"]);
    let said = sandbox.ok(&["rm", "--experiment", "two", "--yes"]);
    assert!(
        said.contains("removed the experiment `two` and 0 runs, 0 B of disk")
            && said.contains("1 of its runs stays, for it also belongs to `small` (one.toml)"),
        "{said}"
    );
    assert!(exit(&sandbox, &["report", "two"]).1.contains("no experiment is called `two`"));
    sandbox.ok(&["report", "small"]);
}
