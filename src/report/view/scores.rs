//! The table of all metrics of the predictions that the page shows.

use std::sync::Arc;

use crate::report::language::{Said, tr};
use crate::{
    metrics::{Metric, Metrics, Scored},
    report::{
        format,
        input::RunInput,
        intervals::{Intervals, column_of, over_rows},
        terms::{Terms, is_share_of_rows},
    },
    stats::wilson,
    task::Task,
};

/// The metrics of each column of numbers.
const OF_NUMBERS: [Metric; 5] = [Metric::Rmse, Metric::Mae, Metric::R2, Metric::Pearson, Metric::Spearman];

/// The headings of the table.
/// With a decision, metrics of labels have a column without it.
pub(super) fn heads(task: Task, is_decided: bool) -> Vec<String> {
    match task {
        Task::SingleLabel => Vec::new(),
        Task::MultiLabel if is_decided => vec![
            tr("Metric", "指标").into(),
            tr("Without the decision (95% interval)", "未应用阈值等选择（95% 区间）").into(),
            tr("With it (95% interval)", "应用后（95% 区间）").into(),
        ],
        Task::MultiLabel => vec![tr("Metric", "指标").into(), tr("Value (95% interval)", "值（95% 区间）").into()],
        Task::Regression => [tr("Column", "列").into()]
            .into_iter()
            .chain(OF_NUMBERS.map(|metric| metric.said()))
            .chain([tr("Rows", "行数").into()])
            .collect(),
    }
}

/// Its rows. Of one label there are none: the page has its two metrics and those of the classes.
pub(super) fn rows(run: &RunInput, intervals: &Intervals, decided: Option<&RunInput>) -> Vec<Vec<String>> {
    let terms = Terms::of_run(&run.run);
    match terms.task {
        Task::SingleLabel => Vec::new(),
        Task::MultiLabel => {
            let (mut all, with) =
                (of_sets(run, terms, intervals), decided.map(|run| of_sets(run, terms, &over_rows(run))));
            for with in with.into_iter().flatten() {
                let row = all.iter_mut().find(|row| row[0] == with[0]);
                row.into_iter().for_each(|row| row.extend(with.get(1).cloned()));
            }
            let width = heads(terms.task, decided.is_some()).len();
            all.iter_mut().for_each(|row| row.resize(width, format::NOTHING.into()));
            all
        }
        Task::Regression => of_numbers(run),
    }
}

/// Each metric of sets of labels, with its interval if it has one.
fn of_sets(run: &RunInput, terms: Terms, intervals: &Intervals) -> Vec<Vec<String>> {
    let Some(metrics) = &run.run.final_metrics else { return Vec::new() };
    let row = |&metric: &Metric| {
        let value = metrics.get(metric);
        let interval = match metric {
            metric if is_share_of_rows(metric) => Some(wilson(metrics.right(), metrics.rows)),
            metric if metric == terms.first => intervals[0],
            metric if metric == terms.second => intervals[1],
            _ => None,
        };
        let text = match interval {
            Some(interval) => format::with_interval(metric, value, (interval.low, interval.high)),
            None => metric.text(value),
        };
        vec![format::capital(&metric.said()), text]
    };
    terms.task.metrics().iter().filter(|metric| metrics.is_measured(**metric)).map(row).collect()
}

/// Each column of numbers; of several also their means.
fn of_numbers(run: &RunInput) -> Vec<Vec<String>> {
    let Some(metrics) = &run.run.final_metrics else { return Vec::new() };
    let cells = |name: &str, metrics: &Metrics| {
        let values = OF_NUMBERS.map(|metric| metric.text(metrics.get(metric)));
        [name.to_owned()].into_iter().chain(values).chain([format::count(metrics.rows)]).collect::<Vec<String>>()
    };
    let names = &run.run.labels;
    if names.len() < 2 || run.predictions.is_empty() {
        return vec![cells(names.first().map_or(tr("all", "全部"), String::as_str), metrics)];
    }
    let of_column = |(column, name): (usize, &String)| {
        let scored = |(value, predicted): (f64, f64)| Scored::Values {
            values: Arc::new(vec![value]),
            predicted: vec![predicted],
            loss: (value - predicted).powi(2),
        };
        let rows = column_of(&run.predictions, column).into_iter().map(scored);
        cells(name, &Task::Regression.measure(std::slice::from_ref(name), rows))
    };
    let mean = cells(tr("mean of the columns", "各列平均"), metrics);
    names.iter().enumerate().map(of_column).chain([mean]).collect()
}
