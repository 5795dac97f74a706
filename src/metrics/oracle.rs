//! All metrics beside those of scikit-learn and scipy: `tests/fixtures/metrics/make.py` writes them for random and for degenerate rows.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Metric, Metrics, Scored};

#[derive(Deserialize)]
struct Fixture {
    single: Vec<OfLabels<u32>>,
    sets: Vec<OfLabels<Vec<u32>>>,
    values: Vec<OfNumbers>,
}

/// Label, predicted label and probabilities of each row, or the same of sets.
#[derive(Deserialize)]
struct OfLabels<L> {
    labels: usize,
    rows: Vec<(L, L, Vec<f32>)>,
    want: Map<String, Value>,
}

/// Values and predicted values of each row.
#[derive(Deserialize)]
struct OfNumbers {
    rows: Vec<(Vec<f64>, Vec<f64>)>,
    want: Map<String, Value>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("../../tests/fixtures/metrics/metrics.json")).unwrap()
}

/// `null` is undefined: NaN here. All others to 1e-12, of values above 1 relative. `f1_of` has the F1 of each label.
fn compare(case: &str, want: &Map<String, Value>, got: &Metrics) {
    let number = |value: &Value| match value {
        Value::Null => f64::NAN,
        Value::String(text) => text.parse().unwrap(),
        value => value.as_f64().unwrap(),
    };
    let check = |metric: Metric, want: f64| {
        let got = got.get(metric);
        let near = got == want || (got - want).abs() <= 1e-12 * want.abs().max(1.0) || got.is_nan() && want.is_nan();
        assert!(near, "{case}: {} is {got}, wanted {want}", metric.name());
    };
    for (id, want) in want {
        match want {
            Value::Array(of_labels) => {
                (0..)
                    .zip(of_labels)
                    .for_each(|(id, want): (u32, _)| check(Metric::f1_of(&id.to_string()), number(want)));
            }
            want => check(Metric::from_id(id).unwrap(), number(want)),
        }
    }
    // All that is measured is compared, but what follows from the losses of the rows or has a test of its own.
    let elsewhere = [Metric::Loss, Metric::CalibrationError];
    let compared = |metric: Metric| want.contains_key(metric.info().id) || elsewhere.contains(&metric);
    got.values().for_each(|(metric, _)| assert!(compared(metric), "{case}: {metric:?}"));
}

fn names(labels: usize) -> Vec<String> {
    (0..labels).map(|id| id.to_string()).collect()
}

#[test]
fn one_label() {
    for (i, case) in fixture().single.iter().enumerate() {
        let rows = case.rows.iter().map(|(label, predicted, p)| Scored::of_label(*label, (*predicted, 0.5), p, 0.5));
        compare(&format!("single {i}"), &case.want, &Metrics::new(&names(case.labels), rows));
    }
}

#[test]
fn sets_of_labels() {
    for (i, case) in fixture().sets.iter().enumerate() {
        let rows = case.rows.iter().cloned().map(|(labels, predicted, probabilities)| Scored::Multi {
            labels: Arc::new(labels),
            predicted,
            probabilities,
            loss: 0.5,
        });
        let metrics = Metrics::new(&names(case.labels), rows);
        // Without rows, nothing tells that this is a multi-label problem.
        if !case.rows.is_empty() {
            compare(&format!("sets {i}"), &case.want, &metrics);
        }
    }
}

#[test]
fn numbers() {
    for (i, case) in fixture().values.iter().enumerate().filter(|(_, case)| !case.rows.is_empty()) {
        let rows = case.rows.iter().cloned();
        let scored = rows.map(|(values, predicted)| Scored::Values { values: Arc::new(values), predicted, loss: 0.5 });
        compare(&format!("values {i}"), &case.want, &Metrics::new(&[], scored));
    }
}
