//! What training changed beside what scikit-learn, scipy and numpy say: `tests/fixtures/change/make.py` writes it for random predictions.

use serde::Deserialize;

use super::{
    super::charts::ReliabilityWords,
    bins::{bins, calibration_error, histogram, sure},
    classes::classes,
    errors::columns,
    flips::{Flips, flips},
    rows::Row,
};
use crate::{
    event::PredictionBefore,
    metrics::{Probabilities, Target},
    store::PredictionRecord,
};

#[derive(Deserialize)]
struct Fixture {
    single: Case<u32>,
    sets: Case<Vec<u32>>,
    numbers: Case<Vec<f64>>,
}

#[derive(Deserialize)]
struct Case<T> {
    #[serde(default)]
    labels: usize,
    rows: Vec<OfRow<T>>,
    want: Want,
}

#[derive(Deserialize)]
struct OfRow<T> {
    label: T,
    before: T,
    after: T,
    #[serde(default)]
    p_before: Vec<f32>,
    #[serde(default)]
    p_after: Vec<f32>,
}

#[derive(Deserialize)]
struct Want {
    counts: Counted,
    #[serde(default)]
    classes: Vec<Class>,
    #[serde(default)]
    ece: Vec<f64>,
    #[serde(default)]
    histogram: Vec<Vec<u64>>,
    #[serde(default)]
    own: Vec<f64>,
    #[serde(default)]
    wrong: Vec<f64>,
    #[serde(default)]
    columns: Vec<OfColumn>,
}

#[derive(Deserialize)]
struct Counted {
    better: u64,
    worse: u64,
    p: f64,
}

#[derive(Deserialize)]
struct Class {
    rows: u64,
    recall: [Option<f64>; 2],
    interval: [Option<f64>; 2],
    f1: [Option<f64>; 2],
}

#[derive(Deserialize)]
struct OfColumn {
    rmse: [f64; 2],
    mae: [f64; 2],
    r2: [f64; 2],
}

type Predictions = (Vec<PredictionBefore>, Vec<PredictionRecord>);

fn predictions<T>(case: &Case<T>, target: fn(&T) -> Target) -> Predictions {
    let of = |(i, row): (usize, &OfRow<T>), predicted: &T, p: &[f32]| PredictionRecord {
        row: 3 * i as u32,
        line: i as u64 + 2,
        text: String::new(),
        text_pair: None,
        label: target(&row.label),
        predicted: target(predicted),
        probabilities: Probabilities::from(p.to_vec()),
    };
    let rows = || case.rows.iter().enumerate();
    (
        rows().map(|row| of(row, &row.1.before, &row.1.p_before).into()).collect(),
        rows().map(|row| of(row, &row.1.after, &row.1.p_after)).collect(),
    )
}

fn joined((before, after): &Predictions) -> Vec<Row<'_>> {
    before.iter().zip(after).map(|(before, after)| Row { before, after }).collect()
}

fn near(got: f64, want: f64) -> bool {
    (got - want).abs() <= 1e-12 * want.abs().max(1.0)
}

/// `null` is undefined.
fn is(got: f64, want: Option<f64>) -> bool {
    want.map_or(got.is_nan(), |want| near(got, want))
}

fn compare_flips(found: &Flips<'_>, want: &Want) {
    assert_eq!((found.counts.first_only, found.counts.second_only), (want.counts.better, want.counts.worse));
    assert_eq!((found.to_right.len() as u64, found.to_wrong.len() as u64), (want.counts.better, want.counts.worse));
    assert!((found.counts.mcnemar() - want.counts.p).abs() <= 1e-9 * want.counts.p);
    // The largest change first.
    assert!(found.to_right.is_sorted_by(|a, b| a.gain() >= b.gain()));
    assert!(found.to_wrong.is_sorted_by(|a, b| a.gain().abs() >= b.gain().abs()));
}

fn compare_labels(rows: &[Row<'_>], labels: usize, words: ReliabilityWords, want: &Want) {
    compare_flips(&flips(rows, false), want);
    let found = classes(rows, labels);
    assert_eq!(found.len(), want.classes.len());
    for (of, want) in found.iter().zip(&want.classes) {
        assert_eq!(of.after.support, want.rows);
        assert!(is(of.before.recall(), want.recall[0]) && is(of.after.recall(), want.recall[1]), "{of:?}");
        assert!(is(of.before.f1(), want.f1[0]) && is(of.after.f1(), want.f1[1]), "{of:?}");
        assert_eq!(of.interval().is_some(), want.interval[0].is_some());
        let ends = of.interval().map(|interval| [interval.low, interval.high]);
        assert!(ends.is_none_or(|ends| is(ends[0], want.interval[0]) && is(ends[1], want.interval[1])), "{ends:?}");
    }
    let sure = sure(rows, labels).expect("probabilities");
    for (of, (ece, counts)) in [&sure.before, &sure.after].into_iter().zip(want.ece.iter().zip(&want.histogram)) {
        let got = calibration_error(&bins(words, of));
        assert!(near(got, *ece), "{got} {ece}");
        assert_eq!(histogram(of), *counts);
    }
}

#[test]
fn changes_are_those_of_scikit_learn_and_scipy() {
    let fixture: Fixture = serde_json::from_str(include_str!("../../../tests/fixtures/change/change.json")).unwrap();
    let single = predictions(&fixture.single, |id| Target::Label(*id));
    let rows = joined(&single);
    compare_labels(&rows, fixture.single.labels, ReliabilityWords::of_rows(), &fixture.single.want);
    let own: Vec<(f64, f64)> = rows.iter().map(|row| row.own().expect("its probabilities")).collect();
    let n = own.len() as f64;
    assert!(near(own.iter().map(|own| own.0).sum::<f64>() / n, fixture.single.want.own[0]));
    assert!(near(own.iter().map(|own| own.1).sum::<f64>() / n, fixture.single.want.own[1]));

    let sets = predictions(&fixture.sets, |ids| Target::labels(ids.clone()));
    let rows = joined(&sets);
    compare_labels(&rows, fixture.sets.labels, ReliabilityWords::of_cells(), &fixture.sets.want);
    let gain: f64 = rows.iter().map(Row::gain).sum();
    assert_eq!(gain, fixture.sets.want.wrong[0] - fixture.sets.want.wrong[1]);

    let numbers = predictions(&fixture.numbers, |values| Target::values(values.clone()));
    let rows = joined(&numbers);
    compare_flips(&flips(&rows, true), &fixture.numbers.want);
    for (of, want) in columns(&rows, 2).iter().zip(&fixture.numbers.want.columns) {
        for (of, at) in [(of.before, 0), (of.after, 1)] {
            assert!(near(of.rmse, want.rmse[at]) && near(of.mae, want.mae[at]) && near(of.r2, want.r2[at]), "{of:?}");
        }
    }
}
