//! The charts of what training changed.

use super::{
    super::{
        analysis::Analysis,
        charts::{Bin, CalibrationChart, Drawing, PairedBars, ReliabilityWords, paired_legend, round_end},
        format,
        input::RunInput,
        pictures::MOST_COLUMNS,
    },
    bins::{bins, calibration_error, histogram, sure},
    errors::of_column,
    rows::{Row, joined},
};
use crate::task::Task;

/// Names of the chart of each of the first columns of numbers.
const NUMBERS: [&str; MOST_COLUMNS] = ["errors-change", "errors-change-2", "errors-change-3", "errors-change-4"];

/// Those of the result that the page shows; none if what was predicted before training is not stored.
pub fn drawings(result: Option<&RunInput>, analysis: &Analysis) -> Vec<Drawing> {
    let Some((run, rows)) = result.and_then(|run| Some((run, joined(run)?))) else { return Vec::new() };
    match analysis.terms.task {
        Task::Regression => errors(run, &rows),
        task => probabilities(run, &rows, task),
    }
}

fn probabilities(run: &RunInput, rows: &[Row<'_>], task: Task) -> Vec<Drawing> {
    let Some(sure) = sure(rows, run.run.labels.len()) else { return Vec::new() };
    let single = task == Task::SingleLabel;
    let words = if single { ReliabilityWords::OF_ROWS } else { ReliabilityWords::OF_CELLS };
    let (before, after) = (bins(words, &sure.before), bins(words, &sure.after));
    let named = |when: &str, bins: &[Bin]| format!("{when}: ECE {}", format::percent(calibration_error(bins)));
    let legend = paired_legend(named("before", &before), named("after", &after));
    let counts = (histogram(&sure.before), histogram(&sure.after));
    // With few labels the lowest ranges are empty: the confidence of two labels is at least one half.
    let first = (0..counts.0.len()).find(|&i| counts.0[i] + counts.1[i] > 0).unwrap_or(0) / 2 * 2;
    let low = 100.0 * first as f64 / counts.0.len() as f64;
    let histogram = PairedBars {
        title: if single { "Confidence before and after training" } else { "Probabilities before and after training" },
        column: String::new(),
        id: 0,
        x: words.x,
        counted: if single { "rows" } else { "labels of rows" },
        range: (low, 100.0),
        labels: 11,
        label: Box::new(|v| format::decimals(v, 0)),
        before: counts.0[first..].to_vec(),
        after: counts.1[first..].to_vec(),
        legend: paired_legend("before".into(), "after".into()),
        mark: None,
    };
    let of = if single { "Rows" } else { "Labels of rows" };
    let what = if single { "the probability of the predicted label" } else { "their probability" };
    vec![
        Drawing {
            name: "confidence-change",
            alt: format!("{} before and after training", if single { "Confidence" } else { "Probabilities of labels" }),
            caption: format!("{of} by {what}, in ranges of five points."),
            chart: Box::new(histogram),
        },
        Drawing {
            name: "reliability-change",
            alt: "Reliability before and after training".into(),
            caption: "Each dot is one of ten equal bins, at its mean and its share; the larger, the more are in it. Bars: 95% Wilson \
                      intervals of the share. On the dashed line the probabilities are right. ECE: expected calibration error over these bins."
                .into(),
            chart: Box::new(CalibrationChart { words, before, after, legend }),
        },
    ]
}

/// The number of ranges of errors: odd, so that the middle one is around 0.
const RANGES: usize = 21;

fn errors(run: &RunInput, rows: &[Row<'_>]) -> Vec<Drawing> {
    let labels = &run.run.labels;
    let drawing = |((id, column), name): ((usize, &String), &'static str)| {
        let of = of_column(rows, id);
        let finite = |errors: Vec<f64>| errors.into_iter().filter(|error| error.is_finite()).collect::<Vec<f64>>();
        let before = finite(of.iter().map(|(value, before, _)| before - value).collect());
        let after = finite(of.iter().map(|(value, _, after)| after - value).collect());
        let largest = before.iter().chain(&after).map(|error| error.abs()).fold(0.0, f64::max);
        let most = round_end(largest, 5);
        let count = |errors: &[f64]| {
            let mut counts = vec![0; RANGES];
            for error in errors {
                counts[(((error + most) / (2.0 * most) * RANGES as f64) as usize).min(RANGES - 1)] += 1;
            }
            counts
        };
        let of_several =
            if labels.len() > 1 { format!(", column {} of {}", id + 1, labels.len()) } else { String::new() };
        Drawing {
            name,
            alt: format!("Errors before and after training{of_several}"),
            caption:
                "Rows by error, in ranges of equal width. On the right of the dashed line the prediction is too high."
                    .into(),
            chart: Box::new(PairedBars {
                title: "Errors before and after training",
                column: if labels.len() > 1 { column.clone() } else { String::new() },
                id,
                x: "predicted minus true",
                counted: "rows",
                range: (-most, most),
                labels: 9,
                label: Box::new(move |v| super::super::charts::number(2.0 * most, v)),
                before: count(&before),
                after: count(&after),
                legend: paired_legend("before".into(), "after".into()),
                mark: Some(0.0),
            }),
        }
    };
    labels.iter().enumerate().zip(NUMBERS).map(drawing).collect()
}
