//! What `taper list` says of runs that the plan of an experiment does not have.

use super::*;

/// Two rows of the same name are told apart by what the spec said when they were trained.
#[test]
fn a_run_outside_the_plan_says_how_it_differs_from_it() {
    let sandbox = sandbox("max_steps = 2\n");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec").replace("epochs = 2\n", "");
    let run = |old: &str, new: &str| {
        fs::write(sandbox.path("small.toml"), spec.replace(old, new)).expect("a spec");
        sandbox.ok(&["run", "small.toml", "--quiet"]);
    };
    run("lr = 1e-3", "lr = 0.0005");
    run("batch_size = 4", "batch_size = 8\nseed = 7");
    run("", "");
    let earlier = || {
        let list = sandbox.ok(&["list", "small"]);
        let (planned, earlier) = list.split_once("not in the plan of the last `taper run`: ").expect(&list);
        assert!(!planned.contains("NOT AS PLANNED"), "only of those outside: {list}");
        let joined = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        earlier.lines().skip(1).map(joined).collect::<Vec<_>>()
    };
    let rows = earlier();
    assert!(rows[0].starts_with("NAME NOT AS PLANNED STATE"), "{rows:?}");
    assert!(rows[1].starts_with("small train.lr=5e-4 completed "), "{rows:?}");
    assert!(rows[2].starts_with("small train.batch_size=8, train.seed=7 completed "), "{rows:?}");
    // Where the name says it, it is not said again.
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.dropout=0.3"]);
    run("", "");
    let rows = earlier();
    assert!(rows[3].starts_with("dropout=0.3 completed "), "{rows:?}");
    // Also where the plan has no run in that state.
    let all = sandbox.json(&["list", "small"]);
    let slow = all.as_array().expect("runs").iter().find(|run| run["config"]["train"]["lr"] == 5e-4).expect("a run");
    let slow = slow["key"].as_str().expect("a key").to_string();
    let state = |state: &str| {
        let db = rusqlite::Connection::open(sandbox.path("runs/taper.db")).expect("the database");
        assert_eq!(
            db.execute("UPDATE runs SET state = ?1 WHERE key = ?2", [state, slow.as_str()]).expect("an update"),
            1
        );
    };
    state("interrupted");
    let interrupted = sandbox.ok(&["list", "small", "--state", "interrupted"]);
    assert!(interrupted.starts_with("small: 1 run, 1 interrupted\n"), "{interrupted}");
    assert!(interrupted.contains("train.lr=5e-4"), "{interrupted}");
    state("completed");
    // Nothing but the content of a file differs.
    let data = fs::read_to_string(sandbox.path("rows.csv")).expect("rows");
    fs::write(sandbox.path("rows.csv"), format!("{data}1,送得快\n")).expect("more rows");
    run("", "");
    let rows = earlier();
    assert!(rows[3].starts_with("small other data completed "), "{rows:?}");
    assert!(rows[1].starts_with("small other data, train.lr=5e-4 completed "), "{rows:?}");
}

/// A run that another experiment plans now is listed there.
#[test]
fn a_run_that_belongs_to_another_experiment_is_listed_under_that_one_alone() {
    let sandbox = sandbox("");
    let run =
        |more: &[&str]| sandbox.ok(&[&["run", "small.toml", "--quiet", "--set", "train.max_steps=2"], more].concat());
    run(&["--set", "train.lr=0.0005"]);
    run(&[]);
    let keys = |name: &str| {
        let list = sandbox.json(&["list", name]);
        list.as_array()
            .expect("runs")
            .iter()
            .map(|run| run["config"]["train"]["lr"].as_f64().expect("lr"))
            .collect::<Vec<_>>()
    };
    assert_eq!(keys("small"), [5e-4, 1e-3]);
    run(&["--set", "train.lr=0.0005", "--set", "name=slow"]);
    assert_eq!((keys("small"), keys("slow")), (vec![1e-3], vec![5e-4]));
    assert!(!sandbox.ok(&["list", "small"]).contains("not in the plan"));
    // It is of `small` again when `slow` has other runs.
    run(&["--set", "train.lr=0.0001", "--set", "name=slow"]);
    assert_eq!(keys("small"), [5e-4, 1e-3]);
}
