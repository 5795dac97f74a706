//! The mistakes of the predictions that the page shows, the worst first.

use super::MistakeRow;
use crate::report::language::{self, tr};
use crate::{
    metrics::{Metric, Target},
    report::{
        format,
        input::RunInput,
        mistakes::{confidence, largest_error, wrong_confidence},
        terms::signed,
        without_texts::shown_text,
    },
    store::PredictionRecord,
    task::Task,
};

/// Title of the section.
pub(super) fn title(task: Task) -> &'static str {
    match task {
        Task::SingleLabel | Task::MultiLabel => tr("Most confident mistakes", "最有把握的错误"),
        Task::Regression => tr("Largest errors", "最大的误差"),
    }
}

/// Headings beside line and text, each with whether it is a number.
pub(super) fn heads(task: Task) -> Vec<(&'static str, bool)> {
    match task {
        Task::SingleLabel => {
            vec![(tr("Label", "标签"), false), (tr("Predicted", "预测"), false), (tr("Confidence", "置信度"), true)]
        }
        Task::MultiLabel => vec![
            (tr("Labels", "标签"), false),
            (tr("Missed", "漏掉"), false),
            (tr("Added", "多出"), false),
            (tr("Confidence", "置信度"), true),
        ],
        Task::Regression => {
            vec![(tr("True", "真实值"), true), (tr("Predicted", "预测值"), true), (tr("Error", "误差"), true)]
        }
    }
}

/// One of them.
pub(super) fn row(run: &RunInput, task: Task, p: &PredictionRecord) -> MistakeRow {
    let shown = |target: &Target| language::target(target, &run.run.labels);
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
    MistakeRow { line: p.line, text: shown_text(run, p), cells }
}

/// How many there are, and how many are listed.
pub(super) fn note(shown: Option<&RunInput>, task: Task, all: usize, listed: usize) -> String {
    let Some(run) = shown else { return String::new() };
    if run.predictions.is_empty() {
        return tr("The predictions of this run are not stored.", "没有存储这次运行的预测。").into();
    }
    let rows = format::plural(run.predictions.len(), "row");
    match task {
        Task::SingleLabel | Task::MultiLabel => {
            let list = match all > listed {
                true => tr!(
                    " The {listed} with the highest confidence are listed; mistakes.csv has all.",
                    "列出了置信度最高的 {listed} 个；全部见 mistakes.csv。"
                ),
                false => String::new(),
            };
            let what = match task {
                Task::MultiLabel => tr(
                    " Missed: labels of the row that are not predicted. Added: predicted labels that it does not have. Confidence: of the \
                     most confident of these errors.",
                    "漏掉：该行有而没有预测出的标签。多出：预测了而该行没有的标签。置信度：这些错误中最有把握的一个。",
                ),
                _ => "",
            };
            tr!(
                "{} on {rows}.{list}{what}",
                "{rows}中有 {}。{list}{what}",
                format::plural(all, if what.is_empty() { "mistake" } else { "wrong set" })
            )
        }
        Task::Regression => {
            let metrics = run.run.final_metrics.as_ref();
            let mean = metrics.map(|m| m.get(Metric::Mae)).filter(|error| error.is_finite());
            let mean = mean.map_or(String::new(), |error| {
                tr!(" The mean absolute error is {}.", "平均绝对误差是 {}。", Metric::Mae.text(error))
            });
            let several = if run.run.labels.len() > 1 {
                tr("; with several columns, the largest", "；有几列时取最大的")
            } else {
                ""
            };
            let list = match all > listed {
                true => tr!(
                    " The {listed} largest errors of {rows} are listed; mistakes.csv has all.",
                    "列出了 {rows}中误差最大的 {listed} 行；全部见 mistakes.csv。"
                ),
                false => tr!(" All {rows} with an error are listed.", "有误差的行（共 {rows}）全部列出。"),
            };
            tr!("Error: predicted minus true{several}.{mean}{list}", "误差：预测值减真实值{several}。{mean}{list}")
        }
    }
}
