//! What `taper plan` says of a sweep before anything is trained: what it cannot do, and what all of it costs.

use super::*;

/// Warnings of the sweep, as `plan` prints them and as it gives them to machines: they are the same.
fn warnings(sandbox: &Sandbox) -> Vec<String> {
    let document = sandbox.json(&["plan", "small.toml"]);
    let of_sweep = document["sweep"]["warnings"].as_array().expect("warnings");
    let messages: Vec<String> =
        of_sweep.iter().map(|warning| warning["message"].as_str().expect("a message").to_string()).collect();
    assert!(of_sweep.iter().all(|warning| warning["kind"] == "sweep"), "{document}");
    let printed = sandbox.ok(&["plan", "small.toml"]);
    assert!(messages.iter().all(|message| printed.contains(&format!("warning: {message}"))), "{printed}");
    messages
}

#[test]
fn a_sweep_that_cannot_do_what_it_says_is_told() {
    let axis = "[sweep.axes]\ntrain.lr = [1e-4, 2e-4, 3e-4, 4e-4]\n";
    for (sweep, expected) in [
        (format!("data.dev = 0.2\ntrain.epochs = 1\n[sweep]\nprune = \"asha\"\n{axis}"), "\"asha\" stops no run"),
        (format!("data.dev = 0.2\n[sweep]\nprune = \"median\"\n{axis}"), "from trial 6 on"),
        (format!("[sweep]\nmax_runs = 3\n{axis}"), "sweep.max_runs = 3 leaves 1 of the 4 runs undone"),
        ("[sweep.axes]\ntrain.log_steps = [1, 2]\n".into(), "give the same run"),
    ] {
        let sandbox = sandbox("");
        let base = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
        fs::write(sandbox.path("base.toml"), base).expect("a spec");
        fs::write(sandbox.path("small.toml"), format!("extends = [\"base.toml\"]\n{sweep}")).expect("a spec");
        let found = warnings(&sandbox);
        assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:?}");
    }
    assert_eq!(warnings(&sandbox(axis)), [""; 0]);
}

#[test]
fn trials_that_a_search_has_yet_to_propose_are_estimated_too() {
    let sandbox = sandbox("");
    let base = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("base.toml"), base).expect("a spec");
    let search =
        "[sweep]\nsearch = \"tpe\"\ntrials = 12\nseeds = [1, 2]\n[sweep.axes]\ntrain.lr = { log = [1e-4, 1e-3] }\n";
    fs::write(sandbox.path("small.toml"), format!("extends = [\"base.toml\"]\ndata.dev = 0.2\n{search}"))
        .expect("a spec");
    let plan = sandbox.ok(&["plan", "small.toml"]);
    assert!(plan.contains("24 of 24 runs to do (10 known so far): about"), "{plan}");
    assert_eq!(sandbox.json(&["plan", "small.toml"])["sweep"]["runs_to_come"], 14);
}

#[test]
fn what_is_odd_about_a_sweep_stays_with_it() {
    let sandbox = sandbox("[sweep]\nmax_runs = 1\n[sweep.axes]\ntrain.lr = [1e-4, 2e-4]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let said = "sweep.max_runs = 1 leaves 1 of the 2 runs undone";
    assert!(sandbox.ok(&["list", "small"]).contains(&format!("warning: {said}")));
    sandbox.ok(&["report", "small", "--out", "report"]);
    assert!(
        fs::read_to_string(sandbox.path("report/report.md"))
            .expect("the report")
            .contains("leaves 1 of the 2 runs undone")
    );
    // The next plan replaces it.
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "sweep.max_runs=2"]);
    assert!(!sandbox.ok(&["list", "small"]).contains("warning: sweep.max_runs"));
}

/// What everybody runs first has nothing to be warned of.
#[test]
fn the_specs_that_taper_comes_with_have_no_warnings() {
    let sandbox = sandbox("");
    for name in ["quickstart.toml", "quickstart-search.toml"] {
        let spec = format!("{}/experiments/{name}", env!("CARGO_MANIFEST_DIR"));
        let plan = sandbox.json(&["plan", &spec]);
        let of_runs = plan["runs"].as_array().expect("runs").iter().map(|run| &run["warnings"]);
        for warnings in of_runs.chain([&plan["warnings"], &plan["sweep"]["warnings"]]) {
            assert_eq!(warnings, &serde_json::json!([]), "{name}");
        }
        assert!(!sandbox.ok(&["plan", &spec]).contains("warning"), "{name}");
    }
}
