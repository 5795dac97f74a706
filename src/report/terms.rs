//! What the results of a task are shown by: its metrics, and the words for them. Every table, chart and sentence uses them.

use super::format;
use crate::report::language::{Said, tr};
use crate::{
    metrics::{Better, Metric, Unit},
    store::RunRecord,
    task::Task,
};

/// The metrics and the words of a task.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Terms {
    /// The task.
    pub task: Task,
    /// The metric of the answer, the curves and the comparison.
    pub first: Metric,
    /// The one beside it.
    pub second: Metric,
}

impl Terms {
    /// Those of a task.
    pub fn of_task(task: Task) -> Self {
        let [first, second] = task.headline();
        Self { task, first, second }
    }

    /// Those of the task of these runs: of several, that of the first one.
    pub fn of<'a>(mut runs: impl Iterator<Item = &'a RunRecord>) -> Self {
        Self::of_task(runs.next().map(|run| run.config.data.task()).unwrap_or_default())
    }

    /// Of the task of one run.
    pub fn of_run(run: &RunRecord) -> Self {
        Self::of(std::iter::once(run))
    }

    /// Whether each text has one label, which is predicted or not.
    pub fn is_single(&self) -> bool {
        self.task == Task::SingleLabel
    }

    /// The second metric at the beginning of a sentence: `Macro-F1`.
    pub fn second_name(&self) -> String {
        format::capital(&self.second.said())
    }

    /// The first metric with its article: `an accuracy`.
    pub fn a_first(&self) -> String {
        let article = if matches!(self.first, Metric::Accuracy | Metric::Rmse) { "an" } else { "a" };
        tr!("{article} {}", "{}", self.first.said())
    }

    /// Several values of the first metric: `accuracies`.
    pub fn firsts(&self) -> String {
        match self.first {
            Metric::Accuracy => tr("accuracies", "准确率").into(),
            other => tr!("{} values", "{}", other.said()),
        }
    }

    /// A difference of two values of the first metric, with its sign: `+1.2 points`; of an error `−0.0312`.
    pub fn difference(&self, difference: f64) -> String {
        format!("{}{}", self.bare_difference(difference), if self.is_share() { tr(" points", " 个百分点") } else { "" })
    }

    /// The same without the unit.
    pub fn bare_difference(&self, difference: f64) -> String {
        match self.is_share() {
            true => format::points(difference),
            false => signed(difference),
        }
    }

    /// Whether the first metric is a share, whose differences are percentage points.
    pub fn is_share(&self) -> bool {
        self.first.info().unit == Unit::Share
    }

    /// Whether lower values of the first metric are better.
    pub fn lower_is_better(&self) -> bool {
        self.first.info().better == Better::Lower
    }

    /// Whether a value that is `difference` higher than another is better.
    pub fn is_better(&self, difference: f64) -> bool {
        if self.lower_is_better() { difference < 0.0 } else { difference > 0.0 }
    }

    /// The definition of the loss.
    pub fn loss(&self) -> &'static str {
        match self.task {
            Task::SingleLabel => tr("Loss: mean cross-entropy in nats.", "损失：平均交叉熵，单位为奈特（nat）。"),
            Task::MultiLabel => tr(
                "Loss: mean binary cross-entropy over all labels of all rows, in nats.",
                "损失：所有行的所有标签上的平均二元交叉熵，单位为奈特（nat）。",
            ),
            Task::Regression => {
                tr("Loss: mean squared error over all numbers of all rows.", "损失：所有行的所有数值上的均方误差。")
            }
        }
    }

    /// The axis of the training loss.
    pub fn loss_axis(&self) -> &'static str {
        match self.task {
            Task::SingleLabel => tr("cross-entropy (nats)", "交叉熵（nat）"),
            Task::MultiLabel => tr("binary cross-entropy (nats)", "二元交叉熵（nat）"),
            Task::Regression => tr("squared error", "平方误差"),
        }
    }

    /// The definitions of the metrics in the table of runs.
    pub fn definitions(&self) -> Vec<&'static str> {
        match self.task {
            Task::SingleLabel => vec![tr(
                "Macro-F1: mean F1 of the labels that occur in the rows or in the predictions.",
                "宏平均 F1 值：在这些行或预测中出现的各标签的 F1 的平均值。",
            )],
            Task::MultiLabel => vec![
                tr(
                    "Macro-F1: mean F1 of the labels that occur in the rows or in the predictions.",
                    "宏平均 F1 值：在这些行或预测中出现的各标签的 F1 的平均值。",
                ),
                tr("Micro-F1: F1 of all labels counted together.", "微平均 F1 值：所有标签合在一起计算的 F1。"),
            ],
            Task::Regression => vec![
                tr(
                    "RMSE: root mean squared error; with several columns, the mean over the columns.",
                    "均方根误差（RMSE）：有几列时取各列的平均值。",
                ),
                tr(
                    "R²: share of the variance of the numbers that is predicted; 0 is predicting their mean for every row.",
                    "R²：数值的方差中被预测的比例；对每一行都预测平均值时为 0。",
                ),
            ],
        }
    }
}

/// A number with its sign: `+0.0312`, `−0.0312`, `0.0000`.
pub fn signed(value: f64) -> String {
    let text = Metric::R2.text(value);
    let zero = text.chars().all(|c| matches!(c, '0' | '.' | '–'));
    if value > 0.0 && !zero { format!("+{text}") } else { text }
}

/// What an interval over rows of this metric is: Wilson's if it is a share of rows, else from resampled rows.
pub fn over_rows(metric: Metric) -> &'static str {
    match is_share_of_rows(metric) {
        true => tr("95% Wilson interval over rows", "按行数计算的 95% 威尔逊（Wilson）区间"),
        false => tr("95% bootstrap interval over rows", "对各行重抽样的 95% 自助法（bootstrap）区间"),
    }
}

/// Whether a metric is a share of rows, to which Wilson's interval applies.
pub fn is_share_of_rows(metric: Metric) -> bool {
    matches!(metric, Metric::Accuracy | Metric::SubsetAccuracy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_task_has_its_words() {
        let of = Terms::of_task;
        let words = |task| (of(task).a_first(), of(task).firsts(), of(task).second_name());
        let texts = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(words(Task::SingleLabel), texts("an accuracy", "accuracies", "Macro-F1"));
        assert_eq!(words(Task::MultiLabel), texts("a macro-F1", "macro-F1 values", "Micro-F1"));
        assert_eq!(words(Task::Regression), texts("an RMSE", "RMSE values", "R²"));
        assert_eq!(of(Task::MultiLabel).difference(0.0123), "+1.2 points");
        assert_eq!([0.5, -0.25, 0.000_001, f64::NAN].map(signed), ["+0.5000", "−0.2500", "0.0000", "–"]);
        assert_eq!(of(Task::Regression).difference(-0.5), "−0.5000");
    }
}
