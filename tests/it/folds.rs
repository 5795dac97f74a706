//! Cross-validation from outside: the runs of `sweep.folds`, what their held-out folds say together, and what does not combine.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    process::Stdio,
    time::Duration,
};

use serde::Deserialize;
use serde_json::Value;
use taper::{
    event::{Split, When},
    metrics::{Metric, Metrics, Scored},
    store::RunState,
};

use crate::support::{Sandbox, Steps, steps, store, tiny_spec};

/// Two learning rates on each of four folds of 10 of the 40 rows: 8 runs of 12 steps.
const SPEC: &str = tiny_spec!(
    "cv",
    r#"dev = 0.2
stratify = true
max_length = 32
[train]
epochs = 2
batch_size = 4
[checkpoint]
every_steps = 2
[sweep]
folds = 4
[sweep.axes]
train.lr = [3e-4, 1e-3]
"#
);

fn sandbox(spec: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("cv.toml", spec);
    sandbox
}

/// A row of out_of_fold.csv: trial, seed, fold, row, label, predicted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Predicted {
    trial: String,
    seed: u64,
    fold: u32,
    row: usize,
    label: String,
    predicted: String,
}

fn table(path: &Path) -> Vec<Predicted> {
    let mut reader = csv::Reader::from_path(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    reader.deserialize().map(|row| row.expect("a row")).collect()
}

fn report(sandbox: &Sandbox) -> (Vec<Predicted>, String) {
    sandbox.ok(&["report", "cv", "--out", "report"]);
    let page = std::fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
    (table(&sandbox.path("report/out_of_fold.csv")), page)
}

/// Accuracy and macro-F1 of these rows, by their definitions.
fn scores(rows: &[&Predicted]) -> (f64, f64) {
    let share = |a: usize, b: usize| if b == 0 { 0.0 } else { a as f64 / b as f64 };
    let right = |of: &dyn Fn(&Predicted) -> bool| rows.iter().filter(|row| of(row)).count();
    let labels: BTreeSet<&String> = rows.iter().flat_map(|row| [&row.label, &row.predicted]).collect();
    let f1 = |label: &&String| {
        let both = right(&|row| row.label == **label && row.predicted == **label);
        let (given, found) = (right(&|row| row.label == **label), right(&|row| row.predicted == **label));
        share(2 * both, given + found)
    };
    let mean = labels.iter().map(f1).sum::<f64>() / labels.len() as f64;
    (share(right(&|row| row.label == row.predicted), rows.len()), mean)
}

#[test]
fn the_plan_says_how_many_folds_and_rows_there_are() {
    let sandbox = sandbox(SPEC);
    let text = sandbox.ok(&["plan", "cv.toml"]);
    assert!(
        text.contains("split     train 22, dev 8, test 10 (fold 1 of 4)\n          each of the 4 folds has 10 rows\n"),
        "{text}"
    );
    assert!(text.contains("folds     2 trials × 4 folds = 8 runs; every row is a test row once"), "{text}");
    let plan = sandbox.json(&["plan", "cv.toml"]);
    let runs = plan["runs"].as_array().expect("runs");
    let names: Vec<&str> = runs.iter().filter_map(|run| run["name"].as_str()).collect();
    assert_eq!(names[..3], ["lr=3e-4 fold=1/4", "lr=3e-4 fold=2/4", "lr=3e-4 fold=3/4"]);
    assert_eq!((runs.len(), names[7]), (8, "lr=1e-3 fold=4/4"));
    let data = &runs[7]["data"];
    assert_eq!([&data["train"], &data["dev"], &data["test"]], [22, 8, 10], "{data}");
    assert_eq!(
        (&data["folds"], &runs[7]["config"]["data"]["fold"]),
        (&serde_json::json!([10, 10, 10, 10]), &"4/4".into())
    );
    // The same with groups: copies of a text are in one fold.
    let rows: String = (0..40).map(|i| format!("{},text {},{}\n", i % 2, i / 4, i / 4)).collect();
    sandbox.write("rows.csv", format!("label,review,author\n{rows}"));
    let grouped = sandbox.ok(&["plan", "cv.toml", "--set", "data.group_column=author"]);
    assert!(grouped.contains("; 5, 2 and 3 groups of `author`"), "{grouped}");
    assert!(grouped.contains("each of the 4 folds has 8 to 12 rows") && !grouped.contains("leakage"), "{grouped}");
    let ungrouped = sandbox.ok(&["plan", "cv.toml"]);
    assert!(
        ungrouped.contains("have a text that is also in another fold") && ungrouped.contains("leakage"),
        "{ungrouped}"
    );
}

#[test]
fn every_row_is_predicted_once_by_a_model_that_was_not_trained_on_it() {
    let sandbox = sandbox(SPEC);
    let end = sandbox.ok(&["run", "cv.toml", "--quiet"]);
    assert!(end.contains("out-of-fold accuracy") && !end.contains("its best run"), "{end}");
    let (rows, page) = report(&sandbox);
    assert_eq!(rows.len(), 80);
    let board = sandbox.json(&["list", "cv", "--leaderboard"]);
    let trials = board.as_array().expect("trials");
    assert_eq!(trials.len(), 2);
    let mut folds: BTreeMap<usize, u32> = BTreeMap::new();
    for trial in trials {
        let own: Vec<&Predicted> = rows.iter().filter(|row| trial["name"] == row.trial.as_str()).collect();
        assert_eq!(own.iter().map(|row| row.row).collect::<Vec<_>>(), (0..40).collect::<Vec<_>>());
        // Both trials have the same folds: they are compared on the same rows.
        own.iter().for_each(|row| assert_eq!(*folds.entry(row.row).or_insert(row.fold), row.fold));
        let (accuracy, macro_f1) = scores(&own);
        let found = &trial["out_of_fold"];
        let value = |key: &str| found[key]["mean"].as_f64().expect("a value");
        assert!(
            (value("accuracy") - accuracy).abs() < 1e-12 && (value("macro_f1") - macro_f1).abs() < 1e-12,
            "{found}"
        );
        assert_eq!([&found["folds"], &found["seeds"], &found["complete"], &found["rows"]], [4, 1, 1, 40], "{found}");
        // And the mean of the folds, with its interval.
        let by_fold: Vec<f64> = (1..=4)
            .map(|fold| scores(&own.iter().copied().filter(|row| row.fold == fold).collect::<Vec<_>>()).0)
            .collect();
        assert!((value("mean_accuracy") - by_fold.iter().sum::<f64>() / 4.0).abs() < 1e-12, "{found}");
        assert_eq!(found["mean_accuracy"]["n"], 4);
    }
    // Rows that a run was tested on are none that it was trained on.
    sandbox.ok(&["plan", "cv.toml", "--order", "order.json"]);
    let order: Value = serde_json::from_slice(&std::fs::read(sandbox.path("order.json")).expect("it")).expect("JSON");
    let steps = order["train"].as_array().expect("steps").iter();
    let trained: BTreeSet<u64> =
        steps.flat_map(|step| step.as_array().expect("rows")).filter_map(Value::as_u64).collect();
    assert_eq!(trained.len(), 22);
    assert!(folds.iter().filter(|(_, fold)| **fold == 1).all(|(row, _)| !trained.contains(&(*row as u64))));
    // Those of each table are those of its split.
    let store = store(&sandbox.path("runs"));
    for run in store.runs().expect("runs") {
        let fold = run.config.data.fold.expect("a fold").number();
        let tested: Vec<usize> =
            store.predictions(&run.key, Split::Test).expect("predictions").iter().map(|p| p.row as usize).collect();
        let want: Vec<usize> = folds.iter().filter(|(_, of)| **of == fold).map(|(row, _)| *row).collect();
        assert_eq!((tested, run.size.map(|size| size.train_rows)), (want, Some(22)), "{}", run.name);
    }
    for part in [
        "of all 40 rows right, out-of-fold (95% Wilson interval over rows: ",
        "Cross-validation: each of the 40 rows is predicted once, by the model whose test fold contains it \
         (out-of-fold). No single run is the best, because each is tested on different rows.",
        "## Ranking",
        "Test accuracy, mean over folds (interval over folds)",
        "Out-of-fold accuracy (95% interval over rows)",
        "on the same 40 out-of-fold rows",
        "[out_of_fold.csv](out_of_fold.csv)",
        "All rows by label and by their out-of-fold prediction",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let list = sandbox.ok(&["list", "cv", "--leaderboard"]);
    assert!(
        list.contains("FOLDS") && list.contains("OUT-OF-FOLD") && list.contains("each row predicted once"),
        "{list}"
    );
    assert!(sandbox.ok(&["list", "cv"]).contains("(mean of 4 folds)"));
    // The model of a fold is a model like others.
    sandbox.ok(&["export", "lr=1e-3 fold=2/4", "model"]);
    assert!(sandbox.path("model/config.json").is_file());
    let shown = sandbox.ok(&["show", "lr=1e-3 fold=2/4"]);
    assert!(shown.contains("fold        2 of 4 is the test split\n") && shown.contains("10 rows)"), "{shown}");
    // Its run.toml repeats it.
    let key = store.find("lr=1e-3 fold=2/4").expect("the run").key;
    let spec = sandbox.folder(&key).join("run.toml");
    let again = sandbox.json(&["plan", spec.to_str().expect("a path")]);
    assert_eq!(
        (again["runs"][0]["key"].as_str(), again["runs"].as_array().map(Vec::len)),
        (Some(key.as_str()), Some(1))
    );
}

/// All that a cross-validation leaves, bit for bit.
type Trail = (Steps, Vec<(String, Option<String>, String)>, Vec<u8>);

fn trail(sandbox: &Sandbox, runs: &str) -> Trail {
    let store = store(&sandbox.path(runs));
    let mut ends = Vec::new();
    for run in store.runs().expect("runs") {
        assert_eq!(run.state, RunState::Completed, "{}", run.name);
        let evals: Vec<_> =
            store.evals(&run.key).expect("evals").into_iter().map(|e| (e.when, e.step, e.split, e.metrics)).collect();
        ends.push((run.key, run.weights_sha256, format!("{evals:?}")));
    }
    sandbox.ok(&["report", "cv", "--out", "report", "--runs", runs]);
    (steps(&sandbox.path(runs)), ends, std::fs::read(sandbox.path("report/out_of_fold.csv")).expect("the table"))
}

#[test]
fn a_cross_validation_that_is_killed_and_resumed_ends_as_an_undisturbed_one() {
    let sandbox = sandbox(SPEC);
    sandbox.ok(&["run", "cv.toml", "--quiet", "--runs", "calm"]);
    let calm = trail(&sandbox, "calm");
    assert_eq!((calm.1.len(), calm.0.len()), (8, 8 * 12));
    let mut kills = 0;
    loop {
        let mut command = sandbox.command(&["run", "cv.toml", "--quiet", "--runs", "killed"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper starts");
        // Each time a little later, so that it gets to its end at last.
        std::thread::sleep(Duration::from_millis(120 + 60 * kills));
        if child.try_wait().expect("a child").is_some_and(|status| status.success()) {
            break;
        }
        child.kill().expect("kill -9");
        child.wait().expect("its end");
        kills += 1;
        assert!(kills < 100, "it never ends");
    }
    assert!(kills > 1, "it was killed {kills} times");
    let after = trail(&sandbox, "killed");
    assert!(after.0 == calm.0, "the steps differ");
    assert_eq!(after.1, calm.1, "weights or metrics differ");
    assert!(after.2 == calm.2, "the predictions differ");
}

#[test]
fn an_incomplete_set_of_folds_has_no_metrics_of_all_folds() {
    let sandbox = sandbox(SPEC);
    let end = sandbox.ok(&["run", "cv.toml", "--quiet", "--set", "sweep.max_runs=6"]);
    assert!(end.contains("2 of 4 folds"), "{end}");
    let (rows, page) = report(&sandbox);
    assert_eq!(rows.iter().map(|row| row.trial.as_str()).collect::<BTreeSet<_>>(), BTreeSet::from(["lr=3e-4"]));
    assert_eq!(rows.len(), 40);
    let board = sandbox.json(&["list", "cv", "--leaderboard"]);
    let open = board.as_array().expect("trials").iter().find(|trial| trial["name"] == "lr=1e-3").expect("a trial");
    assert_eq!(
        (&open["rank"], &open["test_accuracy"], &open["out_of_fold"]["accuracy"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    assert_eq!(open["out_of_fold"]["completed"], 2);
    assert!(open["out_of_fold"]["mean_accuracy"]["mean"].is_f64());
    assert!(
        page.contains("Trial “lr=1e-3”: 2 of 4 folds are completed; metrics of all folds together need all of them"),
        "{page}"
    );
    assert!(page.contains("cannot be compared row by row: not all folds of both are completed"), "{page}");
    // The rest completes it.
    sandbox.ok(&["run", "cv.toml", "--quiet"]);
    assert_eq!(report(&sandbox).0.len(), 80);
}

#[test]
fn with_seeds_the_folds_of_each_are_taken_together_and_their_mean_is_of_the_seeds() {
    let sandbox = sandbox(&SPEC.replace("folds = 4", "folds = 2\nseeds = [1, 2]").replace("[3e-4, 1e-3]", "[1e-3]"));
    let text = sandbox.ok(&["plan", "cv.toml"]);
    assert!(
        text.contains("1 trial × 2 seeds × 2 folds = 4 runs; every row is a test row once for each trial and seed"),
        "{text}"
    );
    sandbox.ok(&["run", "cv.toml", "--quiet"]);
    let runs = sandbox.json(&["list"]);
    let names: Vec<&str> = runs.as_array().expect("runs").iter().filter_map(|run| run["name"].as_str()).collect();
    assert_eq!(
        names,
        ["lr=1e-3 seed=1 fold=1/2", "lr=1e-3 seed=1 fold=2/2", "lr=1e-3 seed=2 fold=1/2", "lr=1e-3 seed=2 fold=2/2"]
    );
    let (rows, page) = report(&sandbox);
    let of_seed = |seed: u64| scores(&rows.iter().filter(|row| row.seed == seed).collect::<Vec<_>>()).0;
    let found = &sandbox.json(&["list", "cv", "--leaderboard"])[0]["out_of_fold"];
    assert_eq!([&found["seeds"], &found["complete"], &found["accuracy"]["n"]], [2, 2, 2], "{found}");
    assert!(
        (found["accuracy"]["mean"].as_f64().expect("a mean") - (of_seed(1) + of_seed(2)) / 2.0).abs() < 1e-12,
        "{found}"
    );
    // The runs of a fold share its rows: its mean over the seeds is one value.
    let of_fold = |fold: u32| {
        let of = |seed| scores(&rows.iter().filter(|row| (row.seed, row.fold) == (seed, fold)).collect::<Vec<_>>()).0;
        (of(1) + of(2)) / 2.0
    };
    let (a, b) = (of_fold(1), of_fold(2));
    let mean = found["mean_accuracy"]["mean"].as_f64().expect("a mean");
    assert!(found["mean_accuracy"]["n"] == 2 && (mean - (a + b) / 2.0).abs() < 1e-12, "{found}");
    assert!(page.contains("## Mean over folds") && page.contains("mean over 2 seeds"), "{page}");
    assert!(page.contains("SD: sample standard deviation over folds"), "{page}");
    assert!(page.contains("The classes and mistakes below are of **2 folds, seed 1**: "), "{page}");
}

/// Its rows are a test split like any other.
#[test]
fn a_single_fold_is_measured_by_itself() {
    let single = SPEC.replace("folds = 4", "seeds = [1, 2, 3, 4]").replace("dev = 0.2", "dev = 0.2\nfold = \"2/4\"");
    let sandbox = sandbox(&single.replace("[3e-4, 1e-3]", "[1e-3]").replace("epochs = 2", "max_steps = 2"));
    let end = sandbox.ok(&["run", "cv.toml", "--quiet"]);
    assert!(!end.contains("of 4 folds") && end.contains("test accuracy"), "{end}");
    let board = sandbox.json(&["list", "cv", "--leaderboard"]);
    assert_eq!((&board[0]["out_of_fold"], &board[0]["test_accuracy"]["n"]), (&Value::Null, &4.into()), "{board}");
    let list = sandbox.ok(&["list", "cv", "--leaderboard"]);
    assert!(list.contains("SEEDS") && !list.contains("OUT-OF-FOLD"), "{list}");
    sandbox.ok(&["report", "cv", "--out", "report"]);
    assert!(!sandbox.path("report/out_of_fold.csv").exists());
    // Not even where as many runs are planned as there are folds, and all but one were removed.
    sandbox.ok(&["rm", "lr=1e-3 seed=2", "lr=1e-3 seed=3", "lr=1e-3 seed=4", "--yes"]);
    let board = sandbox.json(&["list", "cv", "--leaderboard"]);
    assert_eq!((&board[0]["out_of_fold"], &board[0]["test_accuracy"]["n"]), (&Value::Null, &1.into()), "{board}");
}

#[test]
fn searches_compare_trials_by_their_mean_over_folds() {
    let search = "folds = 2\nsearch = \"tpe\"\ntrials = 3\nstartup_trials = 1\nbatch = 1";
    let sandbox = sandbox(&SPEC.replace("folds = 4", search).replace("[3e-4, 1e-3]", "{ log = [1e-4, 1e-2] }"));
    sandbox.ok(&["run", "cv.toml", "--quiet"]);
    let board = sandbox.json(&["list", "cv", "--leaderboard"]);
    let trials = board.as_array().expect("trials");
    assert_eq!(trials.len(), 3);
    for (rank, trial) in (1..).zip(trials) {
        assert_eq!(
            (&trial["rank"], &trial["completed"], &trial["out_of_fold"]["complete"]),
            (&rank.into(), &2.into(), &1.into())
        );
    }
}

#[test]
fn what_does_not_combine_with_folds_is_refused_by_name() {
    let sandbox = sandbox(SPEC);
    sandbox.write("test.csv", "label,review\n1,a\n0,b\n");
    for (sets, want) in [
        (
            &["data.test=0.2"][..],
            "`data.test` and `sweep.folds` both say which rows are the test split: each fold is one",
        ),
        (&["data.test=path:test.csv"], "`data.test` and `sweep.folds` both say which rows are the test split"),
        (
            &["data.split_column=part", "data.splits={ train = \"a\", test = \"b\" }"],
            "`data.splits.test` and `sweep.folds` both say which rows are the test split",
        ),
        (&["sweep.prune=median"], "`sweep.prune` does not work with `sweep.folds`"),
        (&["sweep.folds=2", "data.dev=0.49"], "test takes 20 and dev takes 20; lower data.dev, or use more folds"),
        (&["data.dev=0.8"], "`data.dev` = 0.8 and a fold of sweep.folds leave no rows to train on"),
        (&["sweep.folds=1"], "`sweep.folds` is 1; expected an integer from 2 to 1,000"),
        (&["data.fold=2/4"], "`sweep.folds` trains a run for every fold, and `data.fold` chooses one"),
        (&["data.group_column=review"], "`data.group_column` is `review`, which is the column of the text"),
        (&["data.group_column=label"], "`data.group_column` is `label`, which is the column of the label"),
        (&["sweep.folds=41"], "41 folds need at least as many rows, but there are 40 rows: lower sweep.folds"),
        (&["sweep.axes={ \"data.fold\" = [\"1/4\"] }"], "`data.fold` cannot be an axis: trials would be compared on"),
        (
            &["sweep.zip=[{ \"data.fold\" = [\"1/4\", \"2/4\"], \"train.lr\" = [1e-3, 2e-3] }]"],
            "`data.fold` cannot be an axis",
        ),
        (
            &["sweep.exclude=[{ \"data.fold\" = \"1/4\" }]"],
            "`data.fold` cannot be excluded: the result of a trial needs all",
        ),
    ] {
        let arguments: Vec<&str> =
            ["plan", "cv.toml"].into_iter().chain(sets.iter().flat_map(|set| ["--set", set])).collect();
        let (code, said) = sandbox.says(&arguments);
        assert!(code == 2 && said.contains(want), "{sets:?}: {code} {said}");
    }
    // A single fold can be asked for without a sweep, and 0 means the same as nothing.
    let one = SPEC.replace("folds = 4\n", "").replace("dev = 0.2", "dev = 0.2\ntest = 0\nfold = \"2/4\"");
    sandbox.write("one.toml", &one);
    let plan = sandbox.json(&["plan", "one.toml"]);
    assert_eq!((plan["runs"].as_array().map(Vec::len), &plan["runs"][0]["data"]["test"]), (Some(2), &10.into()));
    let (code, said) = sandbox.says(&["plan", "one.toml", "--set", "data.fold=5/4"]);
    assert!(code == 2 && said.contains("expected a fold and the number of folds, such as `2/5`"), "{said}");
    sandbox.ok(&["plan", "cv.toml", "--set", "data.test=0"]);
}

/// Expected: scikit-learn 1.9.1 on the stored predictions of `experiments/folds.toml` (tests/fixtures/folds/scores.py).
#[test]
fn metrics_of_all_folds_are_scikit_learns_on_the_stored_predictions() {
    #[derive(Deserialize)]
    struct Scores {
        trials: BTreeMap<String, Expected>,
    }
    #[derive(Deserialize)]
    struct Expected {
        rows: u64,
        accuracy: f64,
        macro_f1: f64,
        accuracy_of_folds: Vec<f64>,
        macro_f1_of_folds: Vec<f64>,
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/folds");
    let scores: Scores = serde_json::from_str(include_str!("../fixtures/folds/scores.json")).expect("scores");
    let rows = table(&folder.join("out_of_fold.csv"));
    let names = ["negative", "positive"].map(String::from);
    let id = |label: &str| names.iter().position(|name| name == label).expect("a label") as u32;
    assert_eq!(scores.trials.len(), 2);
    for (trial, expected) in scores.trials {
        let of_fold = |fold: u32| {
            let own = rows.iter().filter(|row| row.trial == trial && row.fold == fold);
            let scored = own.map(|row| Scored::of_label(id(&row.label), (id(&row.predicted), 0.5), &[], 0.0));
            Metrics::new(&names, scored)
        };
        let folds: Vec<Metrics> = (1..=5).map(of_fold).collect();
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-12, "{trial}: {found} {expected}");
        for (i, fold) in folds.iter().enumerate() {
            near(fold.get(Metric::Accuracy), expected.accuracy_of_folds[i]);
            near(fold.get(Metric::MacroF1), expected.macro_f1_of_folds[i]);
        }
        let pooled = Metrics::pooled(&folds.iter().collect::<Vec<_>>()).expect("folds");
        assert_eq!(pooled.rows, expected.rows);
        near(pooled.get(Metric::Accuracy), expected.accuracy);
        near(pooled.get(Metric::MacroF1), expected.macro_f1);
    }
}

/// The gain at the end of a run is of all rows together, as the accuracy beside it, whatever the sizes of the folds.
#[test]
fn the_gain_is_that_of_all_folds_together() {
    let sandbox = sandbox(SPEC);
    let said = sandbox.ok(&["run", "cv.toml", "--set", "sweep.folds=3"]);
    let (mut right, mut before, mut rows) = (0, 0, Vec::new());
    let store = store(&sandbox.path("runs"));
    let trial = said.lines().find_map(|line| line.strip_prefix("best trial: ")).expect("a best trial").to_owned();
    for run in store.runs().expect("runs").iter().filter(|run| run.name.contains(&trial)) {
        let evals = store.evals(&run.key).expect("evaluations");
        let at = |when| &evals.iter().find(|e| (e.when, e.split) == (when, Split::Test)).expect("it").metrics;
        right += at(When::After).right();
        before += at(When::Before).right();
        rows.push(at(When::After).rows);
    }
    rows.sort_unstable();
    assert_eq!(rows, [13, 13, 14], "folds differ in their rows");
    let (right, before) = (right as f64 / 40.0, before as f64 / 40.0);
    assert!(said.contains(&format!("out-of-fold accuracy {:.1}%", 100.0 * right)), "{said}");
    let gain = format!("{:+.1} points", 100.0 * (right - before)).replace('-', "−");
    let line = format!("on all folds together: {gain} vs. before training ({:.1}%)", 100.0 * before);
    assert!(said.contains(&line), "{line}: {said}");
}
