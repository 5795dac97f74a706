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
fn a_sweep_that_cannot_work_as_configured_gives_a_warning() {
    let axis = "[sweep.axes]\ntrain.lr = [1e-4, 2e-4, 3e-4, 4e-4]\n";
    for (sweep, expected) in [
        (format!("data.dev = 0.2\ntrain.epochs = 1\n[sweep]\nprune = \"asha\"\n{axis}"), "\"asha\" never stops a run"),
        (format!("data.dev = 0.2\n[sweep]\nprune = \"median\"\n{axis}"), "from trial 6 on"),
        (format!("[sweep]\nmax_runs = 3\n{axis}"), "sweep.max_runs = 3 leaves 1 of the 4 runs unfinished"),
        ("[sweep.axes]\ntrain.log_steps = [1, 2]\n".into(), "give the same run"),
    ] {
        let sandbox = sandbox("");
        let base = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
        fs::write(sandbox.path("base.toml"), base).expect("a spec");
        fs::write(sandbox.path("small.toml"), format!("extends = [\"base.toml\"]\n{sweep}")).expect("a spec");
        let found = warnings(&sandbox);
        assert!(found.iter().any(|message| message.contains(expected)), "{expected}: {found:?}");
    }
    let found = warnings(&sandbox(axis));
    assert!(
        matches!(&found[..], [one] if one.starts_with("the sweep has no dev split: the best trial is chosen on the same test rows"))
    );
}

/// Numbers as labels are told from their counts, and what stays at random values is warned of.
#[test]
fn labels_counts_and_parameters_that_are_not_trained_are_told_apart() {
    let sandbox = sandbox("freeze = [\"classifier\"]\n");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write(
        "small.toml",
        spec.replace("labels = { 0 = \"negative\", 1 = \"positive\" }\n", "").replace("expect = \"positive\"\n", ""),
    );
    let plan = sandbox.ok(&["plan", "small.toml"]);
    assert!(plan.contains("\nlabels    0: 20 (50.0%), 1: 20 (50.0%)\n"), "{plan}");
    // The classifier has 64 × 2 weights and 2 biases.
    let model = plan.lines().find(|line| line.starts_with("model ")).expect("a model");
    let numbers = model.strip_suffix(" parameters are trainable").expect("both counts").rsplit_once(' ').expect("them");
    let number = |text: &str| text.replace(',', "").parse::<u64>().expect("a number");
    let all = number(numbers.1);
    let trained = number(numbers.0.strip_suffix(" of").expect("the trained").rsplit_once(' ').expect("it").1);
    assert_eq!(trained + 130, all, "{model}");
    let words = "warning: train.freeze leaves 130 of ";
    let warning = plan.lines().find(|line| line.starts_with(words)).expect("a warning");
    assert!(
        warning.contains(
            " parameters at their random initial values (scratch:tiny), and they are never trained: freeze only weights"
        ),
        "{warning}"
    );
    assert!(!sandbox.ok(&["plan", "small.toml", "--set", "train.freeze=[]"]).contains("train.freeze leaves"));
}

/// What the learning rates of head, layers and embeddings come to, once for all runs, and settings of them that have no effect.
#[test]
fn learning_rates_of_layers_and_head_are_in_the_plan() {
    let with = |more: &str, sweep: &str| {
        let sandbox = sandbox(&format!("{more}\n{sweep}"));
        let plan = sandbox.ok(&["plan", "small.toml"]);
        let line = plan.lines().find(|line| line.starts_with("rates ")).map(String::from);
        (line, plan.split_whitespace().collect::<Vec<_>>().join(" "), sandbox)
    };
    let (line, plan, _) = with("", "");
    assert_eq!(line, None, "{plan}");
    let (line, _, sandbox) = with("head_lr = 5e-3\nlayer_lr_decay = 0.5", "");
    let want = "rates     head 5e-3, layers 5e-4 (last) to 2.5e-4 (first), embeddings 1.25e-4";
    assert_eq!(line.as_deref(), Some(want));
    let run = &sandbox.json(&["plan", "small.toml"])["runs"][0];
    let rates = serde_json::json!({ "head": 5e-3, "layers": [2.5e-4, 5e-4], "embeddings": 1.25e-4 });
    assert_eq!(run["learning_rates"], rates);
    assert_eq!(
        (&run["config"]["train"]["head_lr"], &run["config"]["train"]["layer_lr_decay"]),
        (&5e-3.into(), &0.5.into())
    );
    // A sweep says it of one of its settings. 1 is no decay.
    let (line, ..) =
        with("head_lr = 5e-3", "[sweep.axes]\ntrain.layer_lr_decay = [1.0, 0.9, 0.5]\ntrain.seed = [1, 2]");
    assert_eq!(
        line.as_deref(),
        Some(
            "rates     head 5e-3, layers 1e-3, embeddings 1e-3; these are of layer_lr_decay=1 seed=1, one of 3 such settings"
        )
    );
    let (_, plan, _) = with("head_lr = 5e-4\nlayer_lr_decay = 0.9\nfreeze = [\"embeddings\", \"encoder\"]", "");
    assert!(plan.contains("train.layer_lr_decay = 0.9 has no effect"), "{plan}");
    assert!(plan.contains("train.head_lr = 5e-4 is lower than train.lr = 1e-3"), "{plan}");
}

/// Searched, resumed, reported: the two keys go all the way, and a run with them is another run.
#[test]
fn learning_rates_of_groups_are_searched_and_reported() {
    let sandbox = sandbox(
        "[sweep]\nsearch = \"tpe\"\ntrials = 3\nstartup_trials = 2\nbatch = 1\n[sweep.axes]\ntrain.layer_lr_decay = { uniform = [0.5, 1.0] }\n\
         train.head_lr = { log = [1e-4, 1e-2] }\n",
    );
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "data.dev=0.2", "--set", "train.epochs=1"]);
    let runs = crate::support::store(&sandbox.path("runs")).runs().expect("runs");
    assert_eq!(runs.len(), 3);
    for run in &runs {
        let train = &run.config.train;
        let (head, decay) = (train.head_lr.expect("a rate"), train.layer_lr_decay.expect("a factor"));
        assert!((1e-4..=1e-2).contains(&head) && (0.5..=1.0).contains(&decay), "{head} {decay}");
    }
    sandbox.ok(&["report", "small", "--out", "report"]);
    let table = fs::read_to_string(sandbox.path("report/runs.csv")).expect("a table");
    let head = table.lines().next().expect("a header");
    assert!(head.contains("train.head_lr") && head.contains("train.layer_lr_decay"), "{head}");
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
    let said = "sweep.max_runs = 1 leaves 1 of the 2 runs unfinished";
    assert!(sandbox.ok(&["list", "small"]).contains(&format!("warning: {said}")));
    sandbox.ok(&["report", "small", "--out", "report"]);
    assert!(
        fs::read_to_string(sandbox.path("report/report.md"))
            .expect("the report")
            .contains("leaves 1 of the 2 runs unfinished")
    );
    // The next plan replaces it.
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "sweep.max_runs=2"]);
    assert!(!sandbox.ok(&["list", "small"]).contains("warning: sweep.max_runs"));
}

/// What everybody runs first has nothing to be warned of.
#[test]
fn the_specs_that_taper_comes_with_have_no_warnings() {
    let sandbox = sandbox("");
    for name in [
        "quickstart.toml",
        "quickstart-search.toml",
        "pairs.toml",
        "long.toml",
        "folds.toml",
        "aspects.toml",
        "stars.toml",
        "threshold.toml",
        "data-excel.toml",
        "data-gbk.toml",
        "data-splits.toml",
    ] {
        let spec = format!("{}/experiments/{name}", env!("CARGO_MANIFEST_DIR"));
        let plan = sandbox.json(&["plan", &spec]);
        let of_runs = plan["runs"].as_array().expect("runs").iter().map(|run| &run["warnings"]);
        for warnings in of_runs.chain([&plan["warnings"], &plan["sweep"]["warnings"]]) {
            assert_eq!(warnings, &serde_json::json!([]), "{name}");
        }
        assert!(!sandbox.ok(&["plan", &spec]).contains("warning"), "{name}");
        // The examples of other forms have the quickstart's rows.
        if name.starts_with("data-") {
            let data = &plan["runs"][0]["data"];
            assert_eq!(
                (&data["labels"], &data["test"]),
                (
                    &serde_json::json!(["negative", "positive"]),
                    &if name == "data-splits.toml" { 100 } else { 120 }.into()
                ),
                "{name}"
            );
            let rows: u64 = ["train", "dev", "test"].iter().filter_map(|split| data[*split].as_u64()).sum();
            assert_eq!(rows, 600, "{name}");
        }
    }
}

/// What `taper run` says at its end, with exit code 0.
fn end_of_run(sandbox: &Sandbox, more: &[&str]) -> String {
    sandbox.ok(&[&["run", "small.toml", "--quiet"], more].concat())
}

#[test]
fn a_budget_that_is_spent_leaves_nothing_to_do_and_says_what_to_raise() {
    let sandbox = sandbox("[sweep]\nmax_runs = 2\n[sweep.axes]\ntrain.lr = [1e-4, 2e-4, 3e-4]\n");
    let plan = sandbox.ok(&["plan", "small.toml"]);
    assert!(plan.contains("2 of 3 runs to do (the budget leaves out 1; raise it to train more): "), "{plan}");
    assert!(plan.contains("sweep.max_runs = 2 leaves 1 of the 3 runs unfinished") && plan.contains("new: over budget"));
    let beyond = |sandbox: &Sandbox| {
        let document = sandbox.json(&["plan", "small.toml"]);
        let runs = document["runs"].as_array().expect("runs").clone();
        (runs.iter().map(|run| run["beyond_budget"] == true).collect::<Vec<_>>(), document["time_s"]["high"].clone())
    };
    assert_eq!(beyond(&sandbox).0, [false, false, true]);
    let left =
        "sweep.max_runs = 2 leaves 1 of the 3 runs unfinished (1 pending); raise sweep.max_runs to train the rest";
    let said = end_of_run(&sandbox, &[]);
    assert!(said.contains("2 completed, 1 left: the sweep's budget is spent"), "{said}");
    assert!(said.contains(&format!("warning: {left}")), "{said}");
    let plan = sandbox.ok(&["plan", "small.toml"]);
    assert!(plan.contains(&format!("nothing to do: the budget is spent. {left}")), "{plan}");
    assert!(!plan.contains("~0.0s") && !plan.contains("0.0s to"), "{plan}");
    assert_eq!(beyond(&sandbox), (vec![false, false, true], 0.0.into()));
    assert!(sandbox.ok(&["list", "small"]).contains(&format!("warning: {left}")));
    sandbox.ok(&["report", "small", "--out", "report"]);
    let report = fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
    assert!(
        report.contains(&left.replace('_', "\\_")) && report.contains("pending: the sweep's budget is spent"),
        "{report}"
    );
    // Raised, it lets the third be trained.
    let plan = sandbox.ok(&["plan", "small.toml", "--set", "sweep.max_runs=3"]);
    assert!(plan.contains("1 of 3 runs to do: ") && !plan.contains("the budget"), "{plan}");
    let hours = ["plan", "small.toml", "--set", "sweep.max_runs=3", "--set", "sweep.max_hours=0.0000001"];
    let plan = sandbox.ok(&hours);
    assert!(
        plan.contains("the budget is spent. sweep.max_hours = 0.0000001 leaves 1 of the 3 runs unfinished"),
        "{plan}"
    );
    // Nothing is left undone where all runs are done, though the budget is smaller.
    end_of_run(&sandbox, &["--set", "sweep.max_runs=3"]);
    let views = [sandbox.ok(&["plan", "small.toml"]), end_of_run(&sandbox, &[]), sandbox.ok(&["list", "small"])];
    assert!(views[0].contains("nothing to do: 3 runs (3 completed)"), "{}", views[0]);
    assert!(views.iter().all(|view| !view.contains("unfinished")), "{views:?}");
}

/// Trials that a search would propose after those in the budget are left as well.
#[test]
fn a_spent_budget_counts_trials_that_were_never_proposed() {
    let search = "[sweep]\nsearch = \"tpe\"\ntrials = 6\nstartup_trials = 2\nbatch = 2\nmax_runs = 3\n";
    let sandbox = sandbox(&format!("{search}[sweep.axes]\ntrain.lr = {{ log = [1e-4, 1e-3] }}\n"));
    let said = end_of_run(&sandbox, &["--set", "data.dev=0.2"]);
    assert!(said.contains("3 completed, 3 left: the sweep's budget is spent"), "{said}");
    assert!(
        said.contains("sweep.max_runs = 3 leaves 3 of the 6 runs unfinished (1 pending, 2 not yet proposed)"),
        "{said}"
    );
}

/// Of the third trial one seed is begun: it waits for the other, which the budget leaves out.
#[test]
fn a_run_that_waits_for_one_beyond_the_budget_is_counted_as_left() {
    let sweep = "[sweep]\nseeds = [1, 2]\nprune = \"median\"\nstartup_trials = 1\nmax_runs = 5\n";
    let sandbox = sandbox(&format!("{sweep}[sweep.axes]\ntrain.lr = [1e-4, 2e-4, 3e-4]\n"));
    let dev = ["--set", "data.dev=0.2"];
    let before = sandbox.ok(&[&["plan", "small.toml"][..], &dev].concat());
    assert!(before.contains("sweep.max_runs = 5 leaves at least 1 of the 6 runs unfinished"), "{before}");
    let said = end_of_run(&sandbox, &dev);
    assert!(said.contains("2 left (1 of them waiting): the sweep's budget is spent"), "{said}");
    let left = "sweep.max_runs = 5 leaves 2 of the 6 runs unfinished (1 waiting, 1 pending); raise sweep.max_runs to train the rest";
    assert!(said.contains(left), "{said}");
    let plan = sandbox.ok(&[&["plan", "small.toml"][..], &dev].concat());
    assert!(plan.contains(&format!("nothing to do: the budget is spent. {left}")), "{plan}");
    // The value of the third trial is that of one seed, and no trial without a rank is the best.
    let board = sandbox.ok(&["list", "small", "--leaderboard"]);
    let third = board.lines().find(|line| line.contains("lr=3e-4")).expect("a row");
    assert!(third.contains(" 0/2 done ") && third.contains("@"), "{board}");
}

#[test]
fn a_best_trial_chosen_on_test_rows_is_marked_everywhere() {
    let sandbox = sandbox("[sweep.axes]\ntrain.lr = [1e-4, 1e-3]\n");
    let said = end_of_run(&sandbox, &[]);
    assert!(said.contains("best trial: lr=") && said.contains(", chosen on test: optimistic\n"), "{said}");
    assert!(said.contains("ranked on the test rows, because there is no dev split"), "{said}");
    let list = sandbox.ok(&["list", "small"]);
    assert!(list.lines().next().is_some_and(|line| line.ends_with(" (chosen on test: optimistic)")), "{list}");
    assert!(list.contains("warning: the sweep has no dev split"), "{list}");
    assert!(sandbox.ok(&["list", "small", "--leaderboard"]).contains("ranked on the test rows"));
    let dev = ["--set", "data.dev=0.2", "--set", "name=other"];
    let said =
        end_of_run(&sandbox, &dev) + &sandbox.ok(&["list", "other"]) + &sandbox.ok(&["list", "other", "--leaderboard"]);
    assert!(
        said.contains("best trial: lr=") && !said.contains("optimistic") && !said.contains("no dev split"),
        "{said}"
    );
}

#[test]
fn results_on_training_rows_are_marked_everywhere() {
    let sandbox = sandbox("");
    let rows = fs::read_to_string(sandbox.path("rows.csv")).expect("rows");
    let (head, body) = rows.split_once('\n').expect("a header");
    fs::write(sandbox.path("rows.csv"), format!("{head}\n{body}{body}{body}")).expect("rows");
    let said = "test rows (lines ";
    let memory = "a text that is also in the train split, so metrics on the test split partly measure \
                  memorisation, not generalisation";
    let holds = |text: &str| assert!(text.contains(said) && text.contains(memory), "{text}");
    holds(&sandbox.ok(&["plan", "small.toml"]));
    assert_eq!(sandbox.json(&["plan", "small.toml"])["runs"][0]["warnings"][0]["kind"], "split");
    holds(&sandbox.says(&["run", "small.toml"]).1);
    holds(&sandbox.ok(&["show", "small"]));
    sandbox.ok(&["report", "small", "--out", "report"]);
    holds(&fs::read_to_string(sandbox.path("report/report.md")).expect("the report"));
}

#[test]
fn a_run_that_stopped_early_says_where_and_why() {
    let sandbox = sandbox("");
    let sets =
        ["data.dev=0.2", "train.epochs=10", "train.early_stopping_patience=1", "train.early_stopping_min_delta=0.9"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let why = "stopped early at step 8 of 40: dev accuracy did not improve by more than 0.9 in 1 evaluation";
    let (code, said) = sandbox.says(&[&["run", "small.toml"][..], &sets].concat());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(": completed, stopped early at step 8 of 40 in "), "{said}");
    assert!(said.contains(&format!("\n  {why}\n")), "{said}");
    let show = sandbox.ok(&["show", "small"]);
    assert!(show.lines().next().is_some_and(|line| line.ends_with(&format!("  completed, {why}"))), "{show}");
    assert!(sandbox.ok(&["list"]).contains("completed early"));
    sandbox.ok(&["report", "small", "--out", "report"]);
    let report = fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
    assert!(report.contains(why), "{report}");
    let page = fs::read_to_string(sandbox.path("report/index.html"))
        .or_else(|_| fs::read_to_string(sandbox.path("report/report.html")));
    assert!(!page.expect("the page").contains("A cross marks"), "no cross is drawn");
    // One that came to its last step says nothing of the kind.
    let (_, said) = sandbox.says(&["run", "small.toml", "--set", "name=whole"]);
    assert!(said.contains(": completed, 12 steps in "), "{said}");
    assert!(!said.contains("stopped early"), "{said}");
}

#[test]
fn hours_that_do_not_suffice_are_estimated_before_they_are_spent() {
    let sandbox = sandbox("[sweep.axes]\ntrain.lr = [1e-4, 2e-4, 3e-4]\n");
    let plan = |hours: &str| sandbox.ok(&["plan", "small.toml", "--set", &format!("sweep.max_hours={hours}")]);
    let want = "sweep.max_hours = 0.000000001 leaves 0.0s of training for all runs together: by this estimate it ends the sweep after about 0 of \
                these 3 runs.";
    let said = plan("0.000000001");
    assert!(said.contains("3 of 3 runs to do") && said.contains(want), "{said}");
    assert!(!plan("100").contains("leaves"), "there is enough");
    let pruned = ["--set", "sweep.prune=median", "--set", "sweep.startup_trials=1", "--set", "data.dev=0.2"];
    let said = sandbox.ok(&[&["plan", "small.toml", "--set", "sweep.max_hours=0.000000001"][..], &pruned].concat());
    assert!(said.contains("it ends the sweep before all of them are trained"), "{said}");
    // The first run begins, and stops as soon as its time is counted.
    let said = end_of_run(&sandbox, &["--set", "sweep.max_hours=0.000000001"]);
    assert!(
        said.contains("3 left: the sweep's budget is spent; took ") && said.contains("of training in all runs)"),
        "{said}"
    );
    let said = end_of_run(&sandbox, &[]);
    assert!(said.contains("3 completed; took ") && said.contains("in all runs, earlier commands included)"), "{said}");
    // One change of all runs is said once.
    let said = sandbox.ok(&["plan", "small.toml", "--set", "sweep.axes.train.lr=[1e-4, 2e-4, 3e-4]"]);
    assert!(!said.contains("changed"), "{said}");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.replace("epochs = 2", "epochs = 3")).expect("a spec");
    let said = sandbox.ok(&["plan", "small.toml"]);
    assert!(said.matches("train.epochs 2 → 3").count() == 1, "{said}");
    assert!(said.contains("changed since the last `taper run`, in 3 runs: train.epochs 2 → 3"), "{said}");
}

/// Bytes that results take on disk, as `plan` says it: `Results take 20.8 MiB on disk`.
fn on_disk(plan: &str) -> f64 {
    let said = plan.split("Results take ").nth(1).and_then(|rest| rest.split(" on disk").next()).expect("it");
    let (number, unit) = said.split_once(' ').expect("a number and a unit");
    number.parse::<f64>().expect("a number") * if unit == "MiB" { 1024.0 } else { 1.0 }
}

#[test]
fn pruned_runs_keep_no_model() {
    let sandbox =
        sandbox("eval_steps = 1\n[sweep.axes]\ntrain.lr = [1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 6e-4, 7e-4, 8e-4, 9e-4]\n");
    let plan = |rule: &str| {
        let rule = format!("sweep.prune={rule}");
        sandbox.ok(&["plan", "small.toml", "--set", "data.dev=0.2", "--set", "checkpoint.keep=best", "--set", &rule])
    };
    // One of nine is trained to the end.
    let (all, some) = (on_disk(&plan("none")), on_disk(&plan("asha")));
    assert!(all / 9.5 < some && some < all / 4.0, "{some} of {all}");
    assert!(plan("median").contains("Results take at most "), "how many stop depends on results");
}

#[test]
fn metrics_of_the_dev_rows_that_chose_the_checkpoint_are_called_optimistic_once_in_every_view() {
    for (more, what) in [
        ("[checkpoint]\nkeep = \"best\"\n", "the checkpoint that is kept is chosen"),
        ("[sweep.axes]\ntrain.lr = [1e-4, 1e-3]\n", "the best trial is chosen"),
    ] {
        let sandbox = sandbox(more);
        let run = ["small.toml", "--set", "data.dev=0.2", "--set", "data.test=0"];
        let warning = format!(
            "there are no test rows: {what} on the same dev rows on which it is evaluated, so its metrics are optimistic"
        );
        let once = |said: &str| assert_eq!(said.matches(&warning).count(), 1, "{said}");
        once(&sandbox.ok(&[&["plan"], &run[..]].concat()));
        once(&sandbox.says(&[&["run"], &run[..]].concat()).1);
        once(&sandbox.ok(&["list", "small"]));
        once(&sandbox.ok(&["list", "small", "--leaderboard"]));
        let whole = sandbox.ok(&["list"]);
        let marked =
            whole.lines().next().is_some_and(|line| line.ends_with(" (chosen on dev, no test rows: optimistic)"));
        assert_eq!(marked, more.contains("axes"), "of a single run none is the best: {whole}");
        sandbox.ok(&["report", "small", "--out", "report"]);
        let report = fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
        assert_eq!(report.matches("The accuracy is optimistic: ").count(), 1, "{report}");
        assert!(!report.contains(&warning), "the report says it beside the result: {report}");
    }
}

#[test]
fn runs_that_were_pruned_by_another_metric_are_not_kept_silently() {
    let sandbox = sandbox("[sweep]\nprune = \"asha\"\nrungs = 1\n[sweep.axes]\ntrain.lr = [1e-9, 2e-9, 3e-9]\n");
    let with = |command: &'static str, more: &[&'static str]| {
        let set = ["small.toml", "--set", "data.dev=0.2", "--set", "train.eval_steps=1"];
        sandbox.says(&[&[command][..], &set, more].concat()).1
    };
    with("run", &[]);
    let warning =
        "2 runs were pruned earlier by accuracy, not by loss: `taper run` trains them again only with --retry";
    assert!(!with("plan", &[]).contains("were pruned earlier"), "the same metric");
    let loss = ["--set", "checkpoint.metric=loss"];
    let said = with("plan", &loss);
    assert!(said.contains(warning) && said.contains("nothing to do: 3 runs"), "{said}");
    let said = with("run", &loss);
    assert!(said.contains(warning) && said.contains("1 completed before, 2 pruned before"), "{said}");
    assert!(sandbox.ok(&["list", "small"]).contains(warning));
    // Without a rule, and in another experiment.
    let said = with("plan", &["--set", "sweep.prune=none", "--set", "checkpoint.metric=loss"]);
    let warning = "2 runs were pruned earlier by a rule that the spec no longer has: `taper run` trains them again";
    assert!(said.contains(warning) && !said.contains("nothing to do"), "{said}");
    assert_eq!(said.matches("pruned, will be trained again").count(), 2, "{said}");
    let said = with("plan", &["--set", "name=other"]);
    assert!(said.contains("2 runs were pruned earlier in the experiment `small`"), "{said}");
    // And so they are.
    let said = with("run", &["--set", "sweep.prune=none", "--set", "checkpoint.metric=loss"]);
    assert!(said.contains(warning) && said.contains("1 completed before") && !said.contains("pruned before"), "{said}");
    assert!(with("plan", &["--set", "sweep.prune=none"]).contains("nothing to do: 3 runs"));
}

/// The column of disk space is what a run keeps: it adds up to the space that all results take.
#[test]
fn the_disk_space_of_runs_adds_up_to_that_of_the_results() {
    let sandbox = sandbox("");
    let said = sandbox.ok(&["plan", "small.toml"]);
    let kept = said.split("Results take ").nth(1).and_then(|rest| rest.split(" on disk").next()).expect("a size");
    let row = said.lines().find(|line| line.contains(" new ")).expect("a run");
    assert!(row.trim_end().ends_with(&format!("~{kept}")), "{row}, {kept}");
    assert!(said.contains(" on disk; while it trains, a run needs another "), "{said}");
}

/// Batches of a search are judged one by one, so that more is trained than a share; when the sweep has ended nothing is foretold.
#[test]
fn the_forecast_of_a_search_with_pruning_is_open_above_and_ends_with_the_sweep() {
    let sandbox = sandbox(
        "[sweep]\nsearch = \"tpe\"\ntrials = 4\nstartup_trials = 3\nbatch = 1\nprune = \"asha\"\nrungs = 1\n[sweep.axes]\n\
         train.lr = { log = [1e-5, 1e-3] }\n",
    );
    let plan = ["plan", "small.toml", "--set", "data.dev=0.2", "--set", "train.eval_steps=1"];
    let said = sandbox.ok(&plan);
    assert!(
        said.contains("% of all steps, or more; a trial") && said.contains("depending on the results, on this machine"),
        "{said}"
    );
    assert!(said.contains("to do (3 known so far): ") && !said.contains("judged as soon as it has a score"), "{said}");
    sandbox.ok(&[&["run", "--quiet"], &plan[1..]].concat());
    let said = sandbox.ok(&plan);
    assert!(said.contains("nothing to do: 4 runs") && said.contains("pruning   ASHA: at rung 1"), "{said}");
    assert!(!said.contains("of all steps") && !said.contains("→"), "{said}");
}

#[test]
fn where_no_trial_has_a_rank_none_is_called_the_best() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2, 3]\nmax_runs = 2\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let board = sandbox.ok(&["list", "small", "--leaderboard"]);
    assert!(board.contains("no trial has a rank, because none has completed all its seeds\n"), "{board}");
    assert!(!board.contains("best run"), "{board}");
    sandbox.ok(&["report", "small", "--out", "report"]);
    let report = fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
    let said = "> The result is not final, because not all seeds are completed.";
    assert!(
        report.contains(said) && report.contains("**The trial: ") && report.contains("mean over 2 of 3 seeds"),
        "{report}"
    );
    assert!(!report.contains("Best trial") && !report.contains("(best)"), "{report}");
    let set = ["--set", "name=two", "--set", "sweep.axes.train.lr=[1e-4, 1e-3]", "--set", "sweep.max_runs=1"];
    sandbox.ok(&[&["run", "small.toml", "--quiet"][..], &set].concat());
    sandbox.ok(&["report", "two", "--out", "report"]);
    let report = fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
    let said = "> No trial has a rank yet, because no trial has completed all its seeds.";
    assert!(report.contains(said) && report.contains("**Best so far (2 of 6 runs completed) lr="), "{report}");
    assert!(report.contains("> The plan is unfinished: 2 of 6 runs completed. “Best” means: best so far."), "{report}");
    assert!(report.contains("mean over 2 of 3 seeds") && !report.contains("(best)"), "{report}");
    sandbox.ok(&["run", "small.toml", "--quiet", "--set", "sweep.max_runs=3"]);
    let board = sandbox.ok(&["list", "small", "--leaderboard"]);
    assert!(board.contains("best run: ") && !board.contains("no trial has a rank"), "{board}");
}

#[test]
fn nothing_is_said_to_be_selected_where_nothing_is() {
    let heading = |more: &str| {
        let sandbox = sandbox(more);
        sandbox.ok(&["run", "small.toml", "--quiet", "--set", "data.dev=0.2"]);
        sandbox.ok(&["report", "small", "--out", "report"]);
        let report = fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
        let row = report.lines().find(|line| line.starts_with("| Run | Key |")).expect("a table").to_string();
        row.split('|').map(str::trim).find(|cell| cell.starts_with("Dev ")).expect(&row).to_string()
    };
    assert_eq!(heading(""), "Dev accuracy");
    assert_eq!(heading("[checkpoint]\nkeep = \"best\"\n"), "Dev accuracy (used for selection)");
    assert_eq!(heading("[sweep.axes]\ntrain.lr = [1e-4, 1e-3]\n"), "Dev accuracy (used for selection)");
}
