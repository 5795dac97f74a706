//! The mistakes of the predictions that the page shows, the worst first.

use super::MistakeRow;
use crate::{
    metrics::{Metric, Target},
    report::{
        format,
        input::RunInput,
        mistakes::{confidence, largest_error, wrong_confidence},
        terms::signed,
    },
    store::PredictionRecord,
    task::Task,
};

/// Title of the section.
pub(super) fn title(task: Task) -> &'static str {
    match task {
        Task::SingleLabel | Task::MultiLabel => "Most confident mistakes",
        Task::Regression => "Largest errors",
    }
}

/// Headings beside line and text, each with whether it is a number.
pub(super) fn heads(task: Task) -> Vec<(&'static str, bool)> {
    match task {
        Task::SingleLabel => vec![("Label", false), ("Predicted", false), ("Confidence", true)],
        Task::MultiLabel => vec![("Labels", false), ("Missed", false), ("Added", false), ("Confidence", true)],
        Task::Regression => vec![("True", true), ("Predicted", true), ("Error", true)],
    }
}

/// One of them.
pub(super) fn row(run: &RunInput, task: Task, p: &PredictionRecord) -> MistakeRow {
    let shown = |target: &Target| target.shown(&run.run.labels);
    let cells = match task {
        Task::SingleLabel => {
            vec![shown(&p.label), shown(&p.predicted), format::percent(f64::from(confidence(p)))]
        }
        Task::MultiLabel => {
            let beside = |these: &[u32], others: &[u32]| {
                let ids: Vec<u32> = these.iter().copied().filter(|id| !others.contains(id)).collect();
                if ids.is_empty() { format::NOTHING.into() } else { shown(&Target::labels(ids)) }
            };
            let (labels, predicted) = (p.label.ids(), p.predicted.ids());
            let sure = wrong_confidence(p).map_or(format::NOTHING.into(), |sure| format::percent(f64::from(sure)));
            vec![shown(&p.label), beside(labels, predicted), beside(predicted, labels), sure]
        }
        Task::Regression => {
            vec![shown(&p.label), shown(&p.predicted), largest_error(p).map_or(format::NOTHING.into(), signed)]
        }
    };
    MistakeRow { line: p.line, text: format::texts(&p.text, p.text_pair.as_deref()).into_owned(), cells }
}

/// How many there are, and how many are listed.
pub(super) fn note(shown: Option<&RunInput>, task: Task, all: usize, listed: usize) -> String {
    let Some(run) = shown else { return String::new() };
    if run.predictions.is_empty() {
        return "The predictions of this run are not stored.".into();
    }
    let rows = format::plural(run.predictions.len(), "row");
    match task {
        Task::SingleLabel | Task::MultiLabel => {
            let list = match all > listed {
                true => format!(" The {listed} with the highest confidence are listed; mistakes.csv has all."),
                false => String::new(),
            };
            let what = match task {
                Task::MultiLabel => {
                    " Missed: labels of the row that are not predicted. Added: predicted labels that it does not have. Confidence: of the \
                     surest of these errors."
                }
                _ => "",
            };
            format!(
                "{} on {rows}.{list}{what}",
                format::plural(all, if what.is_empty() { "mistake" } else { "wrong set" })
            )
        }
        Task::Regression => {
            let metrics = run.run.final_metrics.as_ref();
            let mean = metrics.map(|m| m.get(Metric::Mae)).filter(|error| error.is_finite());
            let mean =
                mean.map_or(String::new(), |error| format!(" The mean absolute error is {}.", Metric::Mae.text(error)));
            let several = if run.run.labels.len() > 1 { "; of several columns the largest" } else { "" };
            let list = match all > listed {
                true => format!(" The {listed} largest errors of {rows} are listed; mistakes.csv has all."),
                false => format!(" All {rows} with an error are listed."),
            };
            format!("Error: predicted minus true{several}.{mean}{list}")
        }
    }
}
