//! Settings that are legal but surely a mistake: `plan`, `run`, the leaderboard and the report say so.

use super::*;

/// What `plan` prints of a spec with these changes.
fn plan(sandbox: &Sandbox, sets: &[&str]) -> String {
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    sandbox.ok(&[&["plan", "small.toml"][..], &sets].concat())
}

/// The same of another data file, whose labels have no other names.
fn plan_of(rows: &str, sets: &[&str]) -> String {
    let sandbox = sandbox("");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    let spec =
        spec.replace("labels = { 0 = \"negative\", 1 = \"positive\" }\n", "").replace("expect = \"positive\"\n", "");
    sandbox.write("small.toml", spec);
    sandbox.write("rows.csv", rows);
    plan(&sandbox, sets)
}

#[test]
fn trials_on_different_rows_are_said_wherever_they_are_compared() {
    let sandbox = sandbox("[sweep.axes]\ndata.seed = [1, 2]\n");
    let says = "warning: the trials are compared on different test rows, because the sweep varies data.seed: their ranking compares rows as \
                well as settings; give all trials the same data.seed (sweep.folds trains each trial on several splits, the same for all)";
    let holds = |text: &str| assert!(text.contains(says), "{text}");
    holds(&sandbox.ok(&["plan", "small.toml"]));
    holds(&sandbox.says(&["run", "small.toml", "--set", "train.max_steps=1"]).1);
    holds(&sandbox.ok(&["list", "small", "--leaderboard"]));
    let document = sandbox.json(&["plan", "small.toml"]);
    let of_sweep = document["sweep"]["warnings"].as_array().expect("warnings");
    assert!(
        of_sweep.iter().any(|warning| says.ends_with(warning["message"].as_str().expect("a message"))),
        "{document}"
    );
    sandbox.ok(&["report", "small", "--out", "report"]);
    let report = fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
    assert!(report.contains("the trials are compared on different test rows"), "{report}");
    let both = plan(&sandbox, &["sweep.axes.data.test=[0.2, 0.4]"]);
    assert!(both.contains("because the sweep varies data.seed and data.test: "), "{both}");
}

/// The test rows come from a file of their own: only training rows change.
#[test]
fn trials_on_the_same_rows_are_not() {
    let sandbox = sandbox("[sweep.axes]\ndata.limit = [20, 30]\n");
    sandbox.write("test.csv", "label,review\n1,好吃\n0,难吃\n");
    let said = plan(&sandbox, &["data.test=path:test.csv"]);
    assert!(!said.contains("different test rows"), "{said}");
    let said = plan(&sandbox, &[]);
    assert!(said.contains("different test rows, because the sweep varies data.limit: "), "{said}");
}

#[test]
fn trials_that_compute_the_same_are_said() {
    let sandbox = sandbox("");
    let said = plan(&sandbox, &["sweep.axes.data.max_length=[32, 64]"]);
    let says = "warning: `max_length=32` and `max_length=64` compute the same, because data.max_length has no effect here (no text has more \
                than ";
    assert!(said.contains(says), "{said}");
    let said = plan(&sandbox, &["sweep.axes.data.max_length=[8, 64]"]);
    assert!(!said.contains("compute the same"), "{said}");
    let delta = ["sweep.axes.train.early_stopping_min_delta=[0, 0.1, 0.2]"];
    let said = plan(&sandbox, &delta);
    let says = "compute the same, because train.early_stopping_min_delta has no effect here, but each is trained and ranked: remove one";
    assert!(said.contains(says) && said.contains(" (and 1 more pair) "), "{said}");
    let said = plan(&sandbox, &["sweep.axes.train.epochs=[1, 2]"]);
    assert!(!said.contains("compute the same"), "{said}");
}

#[test]
fn a_length_that_cuts_most_tokens_is_said_before_and_while_it_trains() {
    let sandbox = sandbox("");
    let says =
        "of the tokens: 40 of 40 rows are longer; raise it, or read all of each text with data.long = \"windows\"";
    let short = ["--set", "data.max_length=5"];
    for command in [vec!["plan", "small.toml"], vec!["run", "small.toml", "--set", "train.max_steps=1"]] {
        let (_, said) = sandbox.says(&[&command[..], &short].concat());
        assert!(said.contains("warning: data.max_length = 5 cuts off ") && said.contains(says), "{said}");
    }
    assert!(!plan(&sandbox, &[]).contains("cuts off"));
}

/// 30 of 40 rows have no label, 20 of 40 are not more than half.
#[test]
fn a_file_most_of_which_is_left_out_is_said() {
    let rows = |labelled: usize| -> String {
        let row = |i: usize| format!("{},第{i}次点\n", if i < labelled { ["a", "b"][i % 2] } else { "" });
        format!("label,review\n{}", (0..40).map(row).collect::<String>())
    };
    let said = plan_of(&rows(10), &[]);
    let says = "warning: 30 of the 40 rows are left out, more than half: 30 without a label (lines 12, 13, 14, 15, 16 and 25 more); if that is \
                not intended, check that data.text_column and data.label_column name the right columns, and fill in these cells";
    assert!(said.contains(says), "{said}");
    assert!(!plan_of(&rows(20), &[]).contains("more than half"));
}

/// Rows of a file of their own are not distributed, and those of the other split are.
#[test]
fn stratification_is_advised_only_where_rows_are_drawn() {
    let sandbox = sandbox("");
    sandbox.write("test.csv", "label,review\n1,好吃\n1,很好\n");
    let said = plan(&sandbox, &["data.test=path:test.csv", "data.dev=0.2"]);
    let says = "no test row has the label `negative`, so it is not evaluated there; add more rows with this label";
    assert!(said.contains(says) && !said.contains("data.stratify"), "{said}");
}

#[test]
fn problem_type_and_metric_that_do_not_fit_the_labels_are_said() {
    let rows = |labels: [&str; 3]| -> String {
        (0..60).fold("label,review\n".into(), |all, i| all + &format!("{},第{i}次点\n", labels[i % 3]))
    };
    let several = ["data.problem_type=multi_label_classification"];
    let said = plan_of(&rows(["food", "price", "service"]), &several);
    let says = "warning: every row has exactly one of the 3 labels: if a text can have only one, set data.problem_type = \
                \"single_label_classification\"; ";
    assert!(said.contains(says), "{said}");
    let some = rows(["food", "price", "service"]) + "food|price,都好\n";
    let said = plan_of(&some, &["data.problem_type=multi_label_classification", "data.label_separator=|"]);
    assert!(!said.contains("exactly one"), "{said}");
    let kappa = ["checkpoint.metric=quadratic_kappa"];
    let said = plan_of(&rows(["food", "price", "service"]), &kappa);
    assert!(said.contains("are only in the order of their names: food < price < service; "), "{said}");
    for ordered in [["1", "2", "3"], ["1 star", "2 stars", "3 stars"], ["A", "B", "C"]] {
        let said = plan_of(&rows(ordered), &kappa);
        assert!(!said.contains("order of their names"), "{said}");
    }
}

/// Slurm kills a job at the memory that it asked for.
#[test]
fn memory_for_slurm_below_the_estimate_is_said() {
    let sandbox = sandbox("");
    let said = plan(&sandbox, &["slurm.mem=2M"]);
    assert!(
        said.contains("warning: slurm.mem = \"2M\" gives a job 2.0 MiB, but a run is estimated to need "),
        "{said}"
    );
    for fine in [&["slurm.mem=64G"][..], &["slurm.mem=0"], &["slurm.mem=2M", "slurm.gres=gpu:1"]] {
        assert!(!plan(&sandbox, fine).contains("slurm.mem"), "{fine:?}");
    }
    let (code, said) = sandbox.says(&["submit", "small.toml", "--dry-run", "--mem", "2M"]);
    assert!(code == 0 && said.contains("slurm.mem = \"2M\" gives a job 2.0 MiB"), "{said}");
}
