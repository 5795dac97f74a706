//! What commands say of a run that is not trained again, and of settings of a run that only its training decided.

use super::*;

const DEV: &str = "[checkpoint]\nkeep = \"best\"\n";

/// A sandbox whose runs have dev rows.
fn with_dev(more: &str) -> Sandbox {
    let sandbox = sandbox(more);
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("test = 0.4", "test = 0.4\ndev = 0.2"));
    sandbox
}

/// A reused seed and a new one, which has other evaluations and another `checkpoint.keep`, are one trial all the same.
#[test]
fn a_reused_run_stays_in_the_trial_of_new_ones() {
    let sandbox = sandbox("[sweep]\nseeds = [1]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let sets = ["--set", "sweep.seeds=[1,2]", "--set", "train.eval_steps=5", "--set", "checkpoint.keep=none"];
    sandbox.ok(&[&["run", "small.toml", "--quiet"][..], &sets].concat());
    let trials = sandbox.json(&["list", "small", "--leaderboard"]);
    assert_eq!(trials.as_array().map(Vec::len), Some(1), "{trials}");
    assert_eq!(trials[0]["runs"].as_array().map(Vec::len), Some(2), "{trials}");
    sandbox.ok(&["report", "small"]);
    let table = fs::read_to_string(sandbox.path("runs/reports/small/runs.csv")).expect("a table");
    let header = table.lines().next().expect("a header");
    assert!(header.contains("train.seed") && !header.contains("eval_steps") && !header.contains("keep"), "{header}");
}

/// `train.eval_steps` is no part of what a run is where nothing chooses by evaluations.
#[test]
fn a_reused_run_is_shown_with_the_settings_it_was_trained_with() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let every = |n: u64| format!("train.eval_steps={n}");
    let (five, three) = (every(5), every(3));
    let run = |set: &str| sandbox.ok(&["run", "small.toml", "--quiet", "--set", set]);
    let keys = sandbox.keys();
    let key = &keys[0];
    let warning = format!(
        "1 completed run ({}) was trained with train.eval_steps = 0, not 5: this does not change the weights, so it is kept as it is, with its \
         evaluations; to train it with 5, remove it first (taper rm RUN)",
        &key[..12]
    );
    for _ in 0..2 {
        let plan = sandbox.json(&["plan", "small.toml", "--set", &five]);
        assert_eq!(
            (&plan["runs"][0]["key"], &plan["runs"][0]["standing"]),
            (&key.as_str().into(), &"completed".into())
        );
        assert_eq!(plan["sweep"]["warnings"][0]["message"], warning.as_str());
        // Whether or not a command has taken it over since.
        run(&five);
        let show = sandbox.json(&["show", key]);
        assert_eq!(show["config"]["train"]["eval_steps"], 0);
        let steps: Vec<u64> = during(&show);
        assert_eq!(steps, [6, 12]);
        let list = sandbox.json(&["list", "small"]);
        assert_eq!(
            (list[0]["config"]["train"]["eval_steps"].as_u64(), list.as_array().map(Vec::len)),
            (Some(0), Some(1))
        );
    }
    // The run's own page says so, too, as long as the spec file is the one that was run.
    assert!(sandbox.ok(&["show", key]).contains(&format!("warning: {warning}")));
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", format!("{spec}# edited\n"));
    assert!(!sandbox.ok(&["show", key]).contains("train.eval_steps = 0, not 5"));
    sandbox.write("small.toml", spec);
    sandbox.ok(&["report", "small"]);
    let page = fs::read_to_string(sandbox.path("runs/reports/small/report.md")).expect("a report");
    assert!(
        page.contains("eval_steps = 0\n") && page.contains("steps = 0, not 5: this does not change the weights"),
        "{page}"
    );
    // The metric that ranks it follows the spec: it is no setting of its training.
    run("checkpoint.metric=macro_f1");
    assert_eq!(sandbox.json(&["list", "small"])[0]["config"]["checkpoint"]["metric"], "macro_f1");
    // Trained again, it has what the spec says, and no warning is left.
    sandbox.ok(&["rm", key, "--yes"]);
    run(&three);
    let show = sandbox.json(&["show", key]);
    assert_eq!((show["config"]["train"]["eval_steps"].as_u64(), during(&show)), (Some(3), vec![3, 6, 9, 12]));
    assert_eq!(sandbox.json(&["plan", "small.toml", "--set", &three])["sweep"]["warnings"], serde_json::json!([]));
}

fn during(show: &Value) -> Vec<u64> {
    let evaluations = show["evaluations"].as_array().expect("evaluations").iter().filter(|e| e["when"] == "during");
    evaluations.map(|e| e["step"].as_u64().expect("a step")).collect()
}

/// The weights that were tested are of one step, and the end of `taper run` says of which.
#[test]
fn the_step_of_the_tested_weights_is_said() {
    let sandbox = with_dev(DEV);
    let said = sandbox.ok(&["run", "small.toml"]);
    let key = sandbox.keys().remove(0);
    let step = sandbox.json(&["show", &key])["weights_of"].as_u64().expect("a step");
    let words = format!("of step {step}, the ");
    assert!(said.contains(&format!("\n  weights         {words}")), "{said}");
    assert!(sandbox.ok(&["show", &key]).contains(&format!("\nweights     {words}")));
    // Nothing chooses the last step.
    assert!(!sandbox.ok(&["run", "small.toml", "--set", "checkpoint.keep=last"]).contains("  weights "));
    let sweep = ["run", "small.toml", "--set", "sweep.axes.train.lr=[1e-3, 2e-3]", "--set", "name=two"];
    assert!(sandbox.ok(&sweep).contains("\n  its weights: of step "));
}

/// Learning rates that differ are those of the training: shown with the run, and in the report with the runs that have them.
#[test]
fn the_rates_of_parts_of_the_model_are_shown_with_a_run_and_in_the_report() {
    let sandbox = sandbox("layer_lr_decay = 0.5\n[sweep.axes]\ntrain.lr = [1e-3, 2e-3]\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let rates = [
        "head 1e-3, layers 5e-4 (last) to 2.5e-4 (first), embeddings 1.25e-4",
        "ead 2e-3, layers 1e-3 (last) to 5e-4 (first), embeddings 2.5e-4",
    ];
    let key = sandbox.keys().remove(0);
    assert!(sandbox.ok(&["show", &key]).contains(&format!("\nrates       {}\n", rates[0])));
    assert_eq!(sandbox.json(&["show", &key])["environment"]["learning_rates"], rates[0]);
    sandbox.ok(&["report", "small"]);
    for page in ["report.md", "report.html"] {
        let page = fs::read_to_string(sandbox.path("runs/reports/small").join(page)).expect("a report");
        assert!(page.contains("Learning rates") && page.contains(&rates[0][1..]) && page.contains(rates[1]), "{page}");
    }
    // One rate for all parts is in the settings, and nothing more is said of it.
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "train.layer_lr_decay=1.0", "--set", "name=one"]);
    sandbox.ok(&["report", "one"]);
    let page = fs::read_to_string(sandbox.path("runs/reports/one/report.md")).expect("a report");
    assert!(!page.contains("Learning rates"), "{page}");
}

/// What follows from the result is said once, also where nothing is a terminal, with one piece of advice.
#[test]
fn a_result_that_is_useless_has_one_warning() {
    let sandbox = sandbox("max_grad_norm = 1.0\n");
    let said = |sets: &[&str]| sandbox.says(&[&["run", "small.toml"][..], sets].concat()).1;
    let useless = said(&["--set", "train.lr=1e-9"]);
    assert_eq!(useless.matches("so the model has learned nothing useful").count(), 1, "{useless}");
    assert!(useless.contains("try another train.lr or more epochs"), "{useless}");
    let frozen = said(&["--set", "train.lr=1e-9", "--set", "train.freeze=[\"embeddings\", \"encoder\"]"]);
    assert!(frozen.contains("nothing useful: train.freeze keeps its weights random"), "{frozen}");
    assert_eq!(
        (frozen.matches("or remove train.freeze").count(), frozen.matches("try another").count()),
        (1, 0),
        "{frozen}"
    );
}

/// A result that several runs have is said once, at the end, with how many runs and which.
#[test]
fn a_result_of_several_runs_is_said_once_with_all_of_them() {
    let sandbox = sandbox("max_grad_norm = 1.0\n[sweep.axes]\ntrain.lr = [1e-9, 2e-9, 3e-9]\n");
    let output = sandbox.taper(&["run", "small.toml"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(!err.contains("are predicted as"), "{err}");
    assert_eq!(out.matches("warning: 3 of 3 completed runs predict only one label").count(), 1, "{out}");
}

#[test]
fn rows_that_were_dropped_while_reading_are_said_when_they_are_trained_on() {
    let sandbox = sandbox("");
    assert!(!text(&sandbox.taper(&["run", "small.toml", "--set", "train.max_steps=1"]).stderr).contains("dropped"));
    let rows = fs::read_to_string(sandbox.path("rows.csv")).expect("rows");
    sandbox.write("rows.csv", rows + "1,\n0,  \n,没有标签\n");
    let said = text(&sandbox.taper(&["run", "small.toml", "--set", "train.max_steps=1"]).stderr);
    let line =
        "data: 40 rows of path:rows.csv; dropped 2 without a text (lines 42 and 43), 1 without a label (line 44)\n";
    assert!(said.contains(line), "{said}");
    let quiet = text(&sandbox.taper(&["run", "small.toml", "--quiet", "--set", "train.max_steps=2"]).stderr);
    assert!(!quiet.contains("dropped"), "{quiet}");
}
