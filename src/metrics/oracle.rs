//! All metrics beside those of scikit-learn and scipy: `tests/fixtures/metrics/make.py` writes them for random and for degenerate rows.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    brier,
    confusion::Confusion,
    counts::{Average, Counts},
    numbers::{Column, Errors, spearman},
    ranking::{Ranking, mean},
    sets::Sets,
};

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

/// `null` is undefined: NaN here. All others to 1e-12, of values above 1 relative.
fn compare(case: &str, want: &Map<String, Value>, got: impl Fn(&str) -> f64) {
    let number = |value: &Value| match value {
        Value::Null => f64::NAN,
        Value::String(text) => text.parse().unwrap(),
        value => value.as_f64().unwrap(),
    };
    for (id, want) in want {
        let each = match want {
            Value::Array(of_labels) => {
                of_labels.iter().enumerate().map(|(i, want)| (format!("f1:{i}"), want)).collect()
            }
            want => vec![(id.clone(), want)],
        };
        for (id, want) in each {
            let (got, want) = (got(&id), number(want));
            let near =
                got == want || (got - want).abs() <= 1e-12 * want.abs().max(1.0) || got.is_nan() && want.is_nan();
            assert!(near, "{case}: {id} is {got}, wanted {want}");
        }
    }
}

fn averages(id: &str, counts: &[Counts]) -> f64 {
    if let Some(label) = id.strip_prefix("f1:") {
        return counts[label.parse::<usize>().unwrap()].f1();
    }
    let (average, part) = id.split_once('_').unwrap();
    let average = match average {
        "micro" => Average::Micro,
        "macro" => Average::Macro,
        "weighted" => Average::Weighted,
        other => panic!("{other}"),
    };
    let part = match part {
        "precision" => Counts::precision,
        "recall" => Counts::recall,
        "f1" => Counts::f1,
        other => panic!("{other}"),
    };
    average.of(counts, part)
}

#[test]
fn one_label() {
    for (i, case) in fixture().single.iter().enumerate() {
        let mut confusion = Confusion::new(case.labels);
        case.rows.iter().for_each(|(label, predicted, _)| confusion.add(*label, *predicted, 1));
        let one_vs_rest = |of: fn(Ranking) -> f64| {
            let ids = if case.labels == 2 { 1..2 } else { 0..case.labels };
            mean(ids.map(|id| of(Ranking::of(case.rows.iter().map(|row| (row.2[id], row.0 as usize == id))))))
        };
        compare(&format!("single {i}"), &case.want, |id| match id {
            "accuracy" => confusion.right() as f64 / confusion.rows() as f64,
            "balanced_accuracy" => confusion.balanced_accuracy(),
            "mcc" => confusion.mcc(),
            "quadratic_kappa" => confusion.quadratic_kappa(),
            "brier" => mean(case.rows.iter().map(|row| brier::of_label(row.0, &row.2))),
            "roc_auc" => one_vs_rest(|ranking| ranking.roc_auc),
            "average_precision" => one_vs_rest(|ranking| ranking.average_precision),
            id => averages(id, &confusion.counts()),
        });
    }
}

#[test]
fn sets_of_labels() {
    for (i, case) in fixture().sets.iter().enumerate() {
        let mut sets = Sets::new(case.labels);
        case.rows.iter().for_each(|(labels, predicted, _)| sets.add(labels, predicted));
        let rankings: Vec<Ranking> = (0..case.labels)
            .map(|id| Ranking::of(case.rows.iter().map(|row| (row.2[id], row.0.contains(&(id as u32))))))
            .collect();
        compare(&format!("sets {i}"), &case.want, |id| match id {
            "subset_accuracy" => sets.subset_accuracy(),
            "hamming_loss" => sets.hamming_loss(),
            "samples_f1" => sets.samples_f1(),
            "brier" => mean(case.rows.iter().map(|row| brier::of_set(&row.0, &row.2))),
            "roc_auc" => mean(rankings.iter().map(|ranking| ranking.roc_auc)),
            "average_precision" => {
                mean(rankings.iter().map(|ranking| ranking.average_precision).filter(|value| !value.is_nan()))
            }
            id => averages(id, &sets.counts),
        });
    }
}

#[test]
fn numbers() {
    for (i, case) in fixture().values.iter().enumerate() {
        let width = case.rows.first().map_or(0, |row| row.0.len());
        let mut columns = vec![Column::default(); width];
        for (values, predicted) in &case.rows {
            (0..width).for_each(|i| columns[i].add(values[i], predicted[i]));
        }
        let errors = Errors::of(&columns);
        let rows = |column: usize| -> Vec<_> { case.rows.iter().map(|row| (row.0[column], row.1[column])).collect() };
        compare(&format!("values {i}"), &case.want, |id| match id {
            "mse" => errors.mse,
            "rmse" => errors.rmse,
            "mae" => errors.mae,
            "r2" => errors.r2,
            "pearson" => errors.pearson,
            "spearman" => mean((0..width).map(|column| spearman(&rows(column)))),
            other => panic!("{other}"),
        });
    }
}
