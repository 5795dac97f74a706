//! The examples of each problem type that taper comes with, as they are: what they learn, what is done with them, and kill -9.

use serde_json::Value;
use taper::{
    event::{Prediction, Split},
    metrics::Metric,
    store::{RunRecord, RunState},
};

use crate::{
    problem_types::trail,
    support::{Sandbox, kill_after_a_third, store},
};

const EVERY: &str = "checkpoint.every_steps=10";

fn spec(name: &str) -> String {
    format!("{}/experiments/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

/// F1 of each label if all labels were predicted for every row: 2s / (n + s) of a label with s of n rows.
fn f1_of_all(rows: &[Prediction], labels: u32) -> Vec<f64> {
    let n = rows.len() as f64;
    let support = |label| rows.iter().filter(|row| row.label.ids().contains(&label)).count() as f64;
    (0..labels).map(|label| 2.0 * support(label) / (n + support(label))).collect()
}

fn mean(of: &[f64]) -> f64 {
    of.iter().sum::<f64>() / of.len() as f64
}

/// What a run that learned nothing would get on the test rows, and what this one got, of a metric of which higher is better.
fn learned(name: &str, run: &RunRecord, test: &[Prediction]) -> (f64, f64) {
    let metrics = run.final_metrics.as_ref().expect("metrics");
    match name {
        "aspects" => (mean(&f1_of_all(test, run.labels.len() as u32)), metrics.get(Metric::MacroF1)),
        "threshold" => {
            let yes = run.labels.iter().position(|label| label == "yes").expect("the label");
            let with = run.decided.as_ref().and_then(|decided| decided.test.as_ref()).expect("a threshold");
            (f1_of_all(test, 2)[yes], with.per_class[yes].f1)
        }
        // Of the spread of the numbers, the share that is explained; 0 is their mean for every row.
        _ => {
            let numbers: Vec<f64> = test.iter().map(|row| row.label.numbers()[0]).collect();
            let spread = numbers.iter().map(|number| (number - mean(&numbers)).powi(2)).sum::<f64>();
            (0.0, 1.0 - metrics.get(Metric::Rmse).powi(2) * numbers.len() as f64 / spread)
        }
    }
}

/// Floors are well below what other seeds get: they are no measure of a model, but one that learns nothing is below them.
#[test]
fn the_examples_of_each_problem_type_learn_and_survive_kill_9() {
    for (name, floor) in [("aspects", 0.08), ("stars", 0.5), ("threshold", 0.04)] {
        let sandbox = Sandbox::new();
        let planned = sandbox.json(&["plan", &spec(name), "--runs", "calm"]);
        sandbox.ok(&["run", &spec(name), "--quiet", "--runs", "calm"]);
        let stored = store(&sandbox.path("calm"));
        let run = stored.runs().expect("runs").remove(0);
        assert_eq!((run.state, run.decided.is_some()), (RunState::Completed, name != "stars"));
        assert_eq!(planned["runs"][0]["key"], run.key.as_str(), "{name} is the run that was planned");
        let test = stored.predictions(&run.key, Split::Test).expect("predictions");
        let (baseline, got) = learned(name, &run, &test);
        assert!(got > baseline + floor, "{name}: {got}, and {baseline} without learning");

        kill_after_a_third(&sandbox, "killed", &["run", &spec(name), "--set", EVERY]);
        sandbox.ok(&["run", &spec(name), "--quiet", "--runs", "killed", "--set", EVERY]);
        assert!(trail(&sandbox, "killed") == trail(&sandbox, "calm"), "{name}: something differs after kill -9");

        let text = "送得太慢，汤里还有一只苍蝇";
        let said = &sandbox.json(&["predict", name, text, "--runs", "calm"])[0];
        let answer = match name {
            "aspects" => said["labels"].is_array() && said["probabilities"]["配送"].is_number(),
            "stars" => said["values"]["stars"].is_number(),
            _ => said["label"].is_string() && said["probabilities"]["yes"].is_number(),
        };
        assert!(answer, "{name}: {said}");
        sandbox.ok(&["export", name, "exported", "--runs", "calm"]);
        let read = |file: &str| -> Option<Value> {
            serde_json::from_slice(&std::fs::read(sandbox.path("exported").join(file)).ok()?).ok()
        };
        let config = read("config.json").expect("a config");
        let problem_type = match name {
            "aspects" => "multi_label_classification",
            "stars" => "regression",
            _ => "single_label_classification",
        };
        assert_eq!(config["problem_type"], problem_type);
        assert_eq!(read("decision.json").is_some(), name != "stars");
        assert!(sandbox.path("exported/model.safetensors").is_file());

        sandbox.ok(&["report", name, "--out", "report", "--runs", "calm"]);
        let page = std::fs::read_to_string(sandbox.path("report/report.md")).expect("the report");
        assert_eq!(page.contains("### Decision"), name != "stars", "{page}");
        assert!(page.contains(if name == "stars" { "R²" } else { "| Id | Label |" }), "{page}");
    }
}
