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
use crate::report::language::tr;
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
    let words = if single { ReliabilityWords::of_rows() } else { ReliabilityWords::of_cells() };
    let (before, after) = (bins(words, &sure.before), bins(words, &sure.after));
    let named =
        |when: &str, bins: &[Bin]| tr!("{when}: ECE {}", "{when}：ECE {}", format::percent(calibration_error(bins)));
    let legend = paired_legend(named(tr("before", "训练前"), &before), named(tr("after", "训练后"), &after));
    let counts = (histogram(&sure.before), histogram(&sure.after));
    // With few labels the lowest ranges are empty: the confidence of two labels is at least one half.
    let first = (0..counts.0.len()).find(|&i| counts.0[i] + counts.1[i] > 0).unwrap_or(0) / 2 * 2;
    let low = 100.0 * first as f64 / counts.0.len() as f64;
    let histogram = PairedBars {
        title: if single {
            tr("Confidence before and after training", "训练前后的置信度")
        } else {
            tr("Probabilities before and after training", "训练前后的概率")
        },
        column: String::new(),
        id: 0,
        x: words.x,
        counted: if single { tr("rows", "行数") } else { tr("labels of rows", "行的标签数") },
        range: (low, 100.0),
        labels: 11,
        label: Box::new(|v| format::decimals(v, 0)),
        before: counts.0[first..].to_vec(),
        after: counts.1[first..].to_vec(),
        legend: paired_legend(tr("before", "训练前").into(), tr("after", "训练后").into()),
        mark: None,
    };
    let of = if single { tr("Rows", "行") } else { tr("Labels of rows", "各行的标签") };
    let what = if single {
        tr("the probability of the predicted label", "预测标签的概率")
    } else {
        tr("their probability", "其概率")
    };
    vec![
        Drawing {
            name: "confidence-change",
            alt: tr!("{} before and after training", "训练前后的{}", if single { tr("Confidence", "置信度") } else { tr("Probabilities of labels", "标签的概率") }),
            caption: tr!("{of} by {what}, in ranges of five points.", "按{what}统计的{of}，每五个百分点一段。"),
            chart: Box::new(histogram),
        },
        Drawing {
            name: "reliability-change",
            alt: tr("Reliability before and after training", "训练前后的可靠性图").into(),
            caption: tr("Each dot is one of ten bins of equal width, at its mean probability and its share; a larger dot holds more. Bars: 95% Wilson \
                      intervals of the share. On the dashed line the probabilities are right. ECE: expected calibration error over these bins.", "每个点是十个等宽段之一，位于该段的平均值和比例处；点越大，段内越多。竖线：比例的 95% 威尔逊（Wilson）区间。落在虚线上表示概率准确。ECE：这些段上的期望校准误差（expected calibration error）。")
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
        let of_several = if labels.len() > 1 {
            tr!(", column {} of {}", "，第 {} 列（共 {} 列）", id + 1, labels.len())
        } else {
            String::new()
        };
        Drawing {
            name,
            alt: tr!("Errors before and after training{of_several}", "训练前后的误差{of_several}"),
            caption: tr(
                "Rows by error, in ranges of equal width. On the right of the dashed line the prediction is too high.",
                "按误差统计的行数，各区间等宽。虚线右侧表示预测偏高。",
            )
            .into(),
            chart: Box::new(PairedBars {
                title: tr("Errors before and after training", "训练前后的误差"),
                column: if labels.len() > 1 { column.clone() } else { String::new() },
                id,
                x: tr("predicted minus true", "预测值减真实值"),
                counted: tr("rows", "行数"),
                range: (-most, most),
                labels: 9,
                label: Box::new(move |v| super::super::charts::number(2.0 * most, v)),
                before: count(&before),
                after: count(&after),
                legend: paired_legend(tr("before", "训练前").into(), tr("after", "训练后").into()),
                mark: Some(0.0),
            }),
        }
    };
    labels.iter().enumerate().zip(NUMBERS).map(drawing).collect()
}
