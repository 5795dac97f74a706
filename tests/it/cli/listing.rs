//! What `taper list`, `taper show` and `taper rm` say of many runs, and of none.

use super::*;

/// A sweep over two learning rates and two seeds, trained.
fn swept() -> Sandbox {
    let place = place("[sweep]\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = [1e-3, 1e-9]\n");
    place.ok(&["run", "small.toml", "--quiet"]);
    place
}

#[test]
fn a_list_names_the_best_trial_and_sets_apart_what_is_no_longer_planned() {
    let place = swept();
    let board = place.json(&["list", "small", "--leaderboard"]);
    let mean = board[0]["figure"]["mean"].as_f64().expect("a mean") * 100.0;
    let list = place.ok(&["list", "small"]);
    let best = format!("small: 4 runs, 4 completed; best test accuracy {mean:.1}% (mean of 2 seeds): lr=1e-3");
    assert!(list.starts_with(&best), "{best}: {list}");
    assert!(!list.contains("not in the plan"), "{list}");
    let spec = fs::read_to_string(place.path("small.toml")).expect("the spec");
    fs::write(place.path("small.toml"), spec.replace("[1e-3, 1e-9]", "[1e-3, 1e-8]")).expect("a spec");
    place.ok(&["run", "small.toml", "--quiet"]);
    for arguments in [&["list", "small"][..], &["list"]] {
        let list = place.ok(arguments);
        let (planned, earlier) = list.split_once("not in the plan of the last `taper run`: 2 runs").expect(&list);
        assert!(planned.contains("small: 4 runs, 4 completed; best test") && !planned.contains("lr=1e-9"), "{list}");
        assert_eq!((planned.matches("lr=1e-8").count(), earlier.matches("lr=1e-9").count()), (2, 2), "{list}");
    }
    let all = place.json(&["list", "small"]);
    let of = |in_plan: bool| all.as_array().expect("runs").iter().filter(|run| run["in_plan"] == in_plan).count();
    assert_eq!((of(true), of(false)), (4, 2));
}

#[test]
fn nothing_to_list_or_to_remove_is_said_and_is_no_fault() {
    let place = swept();
    for arguments in
        [&["list", "--state", "failed"][..], &["rm", "--state", "failed"], &["rm", "--state", "oom", "--yes"]]
    {
        let output = place.taper(arguments);
        assert!(output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(text(&output.stderr).trim(), "no runs in that state", "{arguments:?}");
    }
    assert_eq!(place.taper(&["rm", "--state", "completed"]).status.code(), Some(2), "it asks, and nobody answers");
    let removed = place.json(&["rm", "--experiment", "small", "--state", "completed", "--yes"]);
    assert_eq!(removed["removed"].as_array().expect("keys").len(), 4);
    assert_eq!(place.json(&["list"]), Value::Array(Vec::new()));
    // The plan is still there.
    assert!(place.ok(&["run", "small.toml", "--quiet"]).contains("4 completed; took "));
    let unknown = place.taper(&["rm", "--state", "faild"]);
    assert!(text(&unknown.stderr).contains("or of failed runs diverged"), "{}", text(&unknown.stderr));
}

#[test]
fn the_plan_estimates_for_as_many_runs_at_a_time_as_will_be_trained() {
    let place = place("[sweep]\nseeds = [1, 2, 3, 4]\n");
    let plan = place.ok(&["plan", "small.toml", "--jobs", "2"]);
    assert!(
        plan.contains("4 of 4 runs to do: about ") && plan.contains(" with 2 runs at a time, if nothing"),
        "{plan}"
    );
    assert!(place.ok(&["plan", "small.toml"]).contains(" with one run at a time, if nothing else uses it; "));
    let time = &place.json(&["plan", "small.toml", "-j", "2"])["time_s"];
    let (low, high) = (time["low"].as_f64().expect("seconds"), time["high"].as_f64().expect("seconds"));
    assert!(low > 0.0 && high > low, "{time}");
}
