//! Metrics of all folds together that do not follow from those of the folds: in the ranking, at the end, in JSON and in the report.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;
use serde_json::{Value, json};
use taper::{
    event::{Event, Outcome, Prediction, Split, When},
    metrics::{Metric, Metrics, Scored, Target},
    plan::RunConfig,
    store::{Environment, ExperimentRecord, NewRun, Store},
};

use crate::support::{Sandbox, store, tiny_spec};

#[derive(Deserialize)]
struct Case {
    problem_type: String,
    labels: usize,
    rows: Vec<Row>,
    want: BTreeMap<String, Option<f64>>,
}

#[derive(Deserialize)]
struct Row {
    fold: u32,
    label: Value,
    predicted: Value,
    #[serde(default)]
    p: Vec<f32>,
}

fn cases() -> BTreeMap<String, Case> {
    #[derive(Deserialize)]
    struct Cases {
        cases: BTreeMap<String, Case>,
    }
    serde_json::from_str::<Cases>(include_str!("../fixtures/folds/from_rows.json")).expect("cases").cases
}

impl Row {
    fn target(of: &Value) -> Target {
        let ids = |ids: &Vec<Value>| ids.iter().map(|id| id.as_u64().expect("an id") as u32).collect();
        match of {
            Value::Array(values) if values.iter().any(Value::is_f64) => {
                Target::Values(Arc::new(values.iter().map(|value| value.as_f64().expect("a number")).collect()))
            }
            Value::Array(of) => Target::labels(ids(of)),
            id => Target::Label(id.as_u64().expect("an id") as u32),
        }
    }

    fn scored(&self) -> Scored {
        let loss = 0.25;
        match (Self::target(&self.label), Self::target(&self.predicted)) {
            (Target::Label(label), Target::Label(predicted)) => {
                Scored::of_label(label, (predicted, self.p[predicted as usize]), &self.p, loss)
            }
            (Target::Values(values), predicted) => {
                Scored::Values { values, predicted: predicted.numbers().to_vec(), loss }
            }
            (label, predicted) => Scored::Multi {
                labels: Arc::new(label.ids().to_vec()),
                predicted: predicted.ids().to_vec(),
                probabilities: self.p.clone(),
                loss,
            },
        }
    }
}

/// A store with three folds of one trial, completed, ranked by `metric`; each row is predicted as in the case.
fn stored(sandbox: &Sandbox, case: &Case, metric: &str, keeps_rows: bool) {
    let mut store = Store::open(&sandbox.path("runs")).expect("a store");
    let labels: Vec<String> = (0..case.labels).map(|i| format!("l{i}")).collect();
    let mut runs = Vec::new();
    for fold in 1..=3 {
        let mut config: Value = serde_json::from_str(include_str!("../fixtures/store_config.json")).expect("JSON");
        let data = config["data"].as_object_mut().expect("data");
        data.extend([
            ("labels".into(), json!({})),
            ("dev".into(), json!(0.1)),
            ("fold".into(), json!(format!("{fold}/3"))),
            ("problem_type".into(), json!(case.problem_type)),
        ]);
        config["checkpoint"]["metric"] = json!(metric);
        config["train"]["class_weights"] = json!("none");
        config["probes"] = json!([]);
        let config: RunConfig = serde_json::from_value(config).expect("a config");
        let (key, name) = (format!("{fold:064x}"), format!("lr=1e-5 fold={fold}/3"));
        let new = NewRun {
            key: &key,
            name: &name,
            experiment: "e",
            config: &config,
            labels: &labels,
            total_steps: 9,
            audit: None,
        };
        store.register(&new).expect("it is registered");
        store.start(&key, &Environment::default(), None).expect("it starts");
        let own = || case.rows.iter().enumerate().filter(|(_, row)| row.fold == fold);
        let metrics = Metrics::new(&labels, own().map(|(_, row)| row.scored()));
        let predictions = own().map(|(i, row)| Prediction {
            row: i as u32,
            line: i as u64 + 2,
            text: format!("第{i}行"),
            text_pair: None,
            label: Row::target(&row.label),
            predicted: Row::target(&row.predicted),
            probabilities: row.p.clone().into(),
        });
        let mut events: Vec<Event> = [Split::Dev, Split::Test]
            .map(|split| Event::EvalCompleted {
                when: When::After,
                step: 9,
                epoch: 1,
                split,
                metrics: metrics.clone(),
                elapsed_s: 1.0,
            })
            .into();
        if keeps_rows {
            events.push(Event::Predicted { split: Split::Test, predictions: predictions.collect() });
        }
        events.push(Event::RunFinished(Outcome::Completed));
        store.append(&key, &events).expect("it is stored");
        runs.push((key, name));
    }
    let experiment = ExperimentRecord {
        name: "e".into(),
        description: String::new(),
        spec_path: "e.toml".into(),
        arguments: Vec::new(),
        spec_text: String::new(),
        extends: Vec::new(),
        report: Value::Null,
        warnings: Vec::new(),
        prunes: false,
        to_come: 0,
        runs,
        trials: vec![0; 3],
    };
    store.save_experiment(&experiment).expect("it is stored");
}

/// Expected: scikit-learn 1.9.1 and scipy 1.17 on the rows of all folds (tests/fixtures/folds/from_rows.py).
#[test]
fn metrics_that_compare_rows_are_those_of_the_rows_of_all_folds() {
    let cases = cases();
    assert_eq!(cases.len(), 5);
    for (name, case) in &cases {
        let shown = match case.problem_type.as_str() {
            "regression" => ["rmse", "r2"],
            "multi_label_classification" => ["macro_f1", "micro_f1"],
            _ => ["accuracy", "macro_f1"],
        };
        for metric in case.want.keys() {
            let sandbox = Sandbox::new();
            stored(&sandbox, case, metric, true);
            let board = sandbox.json(&["list", "e", "--leaderboard"]);
            let found = &board[0]["out_of_fold"];
            for of in shown.iter().copied().chain([metric.as_str()]) {
                let (value, want) = (found[of]["mean"].as_f64(), case.want[of]);
                let is_near = match (value, want) {
                    (Some(value), Some(want)) => (value - want).abs() < 1e-12,
                    (value, want) => value == want,
                };
                assert!(is_near, "{name}, ranked by {metric}: {of} is {value:?}, wanted {want:?}\n{found}");
                // The mean over the folds is something else: the case would not notice which of both it is.
                let mean = found[format!("mean_{of}")]["mean"].as_f64();
                assert!(
                    want.is_none() || mean.is_none_or(|mean| (mean - want.unwrap_or(mean)).abs() > 1e-4),
                    "{found}"
                );
            }
            // The metric that ranks, on the same rows, is beside the first one.
            let also = &board[0][format!("test_{metric}")]["mean"];
            assert_eq!(*also, found[metric.as_str()]["mean"], "{board}");
            assert_eq!(board[0][format!("test_{}", shown[0])], found[shown[0]], "{board}");
            // Where the rows are not stored, only what follows from the metrics of the folds is known.
            let without = Sandbox::new();
            stored(&without, case, metric, false);
            let unknown = &without.json(&["list", "e", "--leaderboard"])[0]["out_of_fold"];
            for of in ["r2", "pearson", "spearman", "average_precision", "roc_auc"] {
                assert!(unknown.get(of).is_none_or(Value::is_null), "{name}, {metric}: {of}: {unknown}");
            }
            assert_eq!(unknown["rows"], case.rows.len(), "{unknown}");
        }
    }
}

#[test]
fn the_table_and_the_report_have_the_metric_that_ranks_on_all_folds_together() {
    let cases = cases();
    let sandbox = Sandbox::new();
    stored(&sandbox, &cases["sets"], "average_precision", true);
    let text = sandbox.ok(&["list", "e", "--leaderboard"]);
    let [ap, f1] = [("average_precision", Metric::AveragePrecision), ("macro_f1", Metric::MacroF1)]
        .map(|(id, metric)| metric.text(cases["sets"].want[id].expect("a value")));
    assert!(text.contains("OUT-OF-FOLD AVERAGE PRECISION") && text.contains("OUT-OF-FOLD MACRO-F1"), "{text}");
    assert!(text.contains(&ap) && text.contains(&f1) && !text.contains("TEST A"), "{text}");
    let sandbox = Sandbox::new();
    stored(&sandbox, &cases["two numbers"], "rmse", true);
    sandbox.ok(&["report", "e", "--out", "report"]);
    let page = std::fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
    let [rmse, r2] = [("rmse", Metric::Rmse), ("r2", Metric::R2)]
        .map(|(id, metric)| metric.text(cases["two numbers"].want[id].expect("a value")));
    let row =
        page.lines().find(|line| line.starts_with('|') && line.contains(&rmse)).unwrap_or_else(|| panic!("{page}"));
    assert!(row.contains(&r2), "{row}");
}

/// Two numbers for each text, on three folds: what the end and the ranking say is what follows from the stored rows.
#[test]
fn a_cross_validation_of_numbers_ends_with_the_metrics_of_its_rows() {
    let spec = tiny_spec!(
        "cv",
        r#"problem_type = "regression"
label_columns = ["stars", "length"]
dev = 0.2
max_length = 32
[train]
epochs = 1
batch_size = 8
[checkpoint]
metric = "r2"
[sweep]
folds = 3
"#
    );
    let sandbox = Sandbox::new();
    let row = |i: usize| format!("{}第{i}次,{}.5,{}\n", ["好吃", "难吃"][i % 2], i % 5, i % 3);
    sandbox.write("rows.csv", format!("review,stars,length\n{}", (0..36).map(row).collect::<String>()));
    sandbox.write("cv.toml", spec);
    let end = sandbox.ok(&["run", "cv.toml", "--quiet"]);
    let store = store(&sandbox.path("runs"));
    let mut rows = Vec::new();
    for run in store.runs().expect("runs") {
        rows.extend(store.predictions(&run.key, Split::Test).expect("predictions"));
    }
    assert_eq!(rows.len(), 36);
    let of = |column: usize| {
        let n = rows.len() as f64;
        let mean = rows.iter().map(|row| row.label.numbers()[column]).sum::<f64>() / n;
        let spread: f64 = rows.iter().map(|row| (row.label.numbers()[column] - mean).powi(2)).sum();
        let error: f64 =
            rows.iter().map(|row| (row.label.numbers()[column] - row.predicted.numbers()[column]).powi(2)).sum();
        ((error / n).sqrt(), 1.0 - error / spread)
    };
    let (a, b) = (of(0), of(1));
    let (rmse, r2) = (f64::midpoint(a.0, b.0), f64::midpoint(a.1, b.1));
    let board = &sandbox.json(&["list", "cv", "--leaderboard"])[0];
    let found = |of: &Value| of["mean"].as_f64().expect("a value");
    assert!((found(&board["out_of_fold"]["rmse"]) - rmse).abs() < 1e-9, "{board}");
    assert!((found(&board["out_of_fold"]["r2"]) - r2).abs() < 1e-9, "{board}");
    assert!(
        (found(&board["test_r2"]) - r2).abs() < 1e-9 && (found(&board["test_rmse"]) - rmse).abs() < 1e-9,
        "{board}"
    );
    let said = format!("out-of-fold R² {}, out-of-fold RMSE {}", Metric::R2.text(r2), Metric::Rmse.text(rmse));
    assert!(end.contains(&said), "{said}: {end}");
}
