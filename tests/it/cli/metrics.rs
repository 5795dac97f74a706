//! What commands say of the metrics of a run.

use super::*;

/// The F1 of one label chooses the weights, is stored with the other metrics and is shown under its name; undefined metrics are null.
#[test]
fn the_f1_of_a_label_chooses_and_is_stored() {
    let sandbox = sandbox("[checkpoint]\nkeep = \"best\"\nmetric = \"f1:positive\"\n");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("test = 0.4", "test = 0.4\ndev = 0.2"));
    sandbox.ok(&["run", "small.toml"]);
    let key = sandbox.keys().remove(0);
    let show = sandbox.json(&["show", &key]);
    assert_eq!(show["config"]["checkpoint"]["metric"], "f1:positive");
    let evaluations = show["evaluations"].as_array().expect("evaluations");
    let (mut best, mut undefined) = (None::<(f64, u64)>, 0);
    for eval in evaluations {
        let metrics = &eval["metrics"];
        let f1 = metrics["f1:positive"].as_f64().expect("a number");
        assert_eq!(metrics["per_class"][1]["f1"], f1);
        for id in ["balanced_accuracy", "mcc", "roc_auc", "average_precision", "brier", "macro_precision"] {
            undefined += usize::from(metrics.get(id).unwrap_or_else(|| panic!("{id}: {metrics}")).is_null());
        }
        assert_eq!(metrics["mcc"].is_null(), metrics["macro_precision"].is_null(), "{metrics}");
        if eval["when"] == "during" && best.is_none_or(|(most, _)| f1 > most) {
            best = Some((f1, eval["step"].as_u64().expect("a step")));
        }
    }
    assert!(undefined > 0, "the tiny model predicts one label at first");
    assert_eq!(show["weights_of"].as_u64(), best.map(|(_, step)| step));
    let list = sandbox.ok(&["list", "small"]);
    assert!(list.contains("DEV F1 OF POSITIVE") && !list.contains('–'), "{list}");
    let stored = rusqlite::Connection::open(sandbox.path("runs/taper.db")).expect("the database");
    let count = |which: &str| -> i64 {
        stored.query_row(&format!("SELECT COUNT(*) FROM metrics WHERE {which}"), [], |row| row.get(0)).expect("a count")
    };
    assert_eq!(
        (count("metric = 'f1:positive'") as usize, count("metric LIKE 'f1:%'") as usize),
        (evaluations.len(), evaluations.len())
    );
    assert_eq!(count("metric = 'macro_precision' AND value IS NULL") > 0, undefined > 0);
}

/// Lower is better: the weights of the evaluation with the least error are kept.
#[test]
fn the_calibration_error_chooses() {
    let sandbox = sandbox("[checkpoint]\nkeep = \"best\"\nmetric = \"calibration_error\"\n");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("test = 0.4", "test = 0.4\ndev = 0.2"));
    sandbox.ok(&["run", "small.toml"]);
    let show = sandbox.json(&["show", &sandbox.keys().remove(0)]);
    let error = |eval: &Value| {
        let value = eval["metrics"]["calibration_error"].as_f64().expect("a number");
        (eval["when"] == "during").then_some((value, eval["step"].as_u64()))
    };
    let errors: Vec<(f64, Option<u64>)> =
        show["evaluations"].as_array().expect("evaluations").iter().filter_map(error).collect();
    let least = errors.iter().copied().reduce(|best, other| if other.0 < best.0 { other } else { best });
    assert!(errors.iter().any(|(value, _)| *value > least.expect("an evaluation").0), "{errors:?}");
    assert_eq!(show["weights_of"].as_u64(), least.and_then(|(_, step)| step), "{errors:?}");
    let list = sandbox.ok(&["list", "small"]);
    assert!(list.contains("DEV ECE") || list.contains("DEV CALIBRATION ERROR"), "{list}");
    sandbox.ok(&["report", "small"]);
}
