//! The tasks, and what follows from each.

use super::{Answer, Objective, Target, objective};
use crate::metrics::{Metric, Metrics, Scored};

/// What a model is trained to do: `problem_type` in a Hugging Face config.json.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Task {
    /// Each text belongs to one of the labels.
    #[default]
    SingleLabel,
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 1] = [Self::SingleLabel];

    /// Its name in config.json.
    pub const fn problem_type(self) -> &'static str {
        match self {
            Self::SingleLabel => "single_label_classification",
        }
    }

    /// The task of this name in config.json; `None` if taper has no such task.
    pub fn from_problem_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.problem_type() == name)
    }

    /// Logits that the head computes for a text, with `labels` labels.
    pub const fn outputs(self, labels: usize) -> usize {
        match self {
            Self::SingleLabel => labels,
        }
    }

    /// Metrics of an evaluation, in the order of tables.
    pub const fn metrics(self) -> &'static [Metric] {
        match self {
            Self::SingleLabel => &[
                Metric::Loss,
                Metric::Accuracy,
                Metric::MacroF1,
                Metric::CalibrationError,
                Metric::BalancedAccuracy,
                Metric::MicroPrecision,
                Metric::MicroRecall,
                Metric::MicroF1,
                Metric::MacroPrecision,
                Metric::MacroRecall,
                Metric::WeightedPrecision,
                Metric::WeightedRecall,
                Metric::WeightedF1,
                Metric::Mcc,
                Metric::QuadraticKappa,
                Metric::RocAuc,
                Metric::AveragePrecision,
                Metric::Brier,
            ],
        }
    }

    /// Ids of the metrics that a checkpoint can be chosen by (`checkpoint.metric`), the default first.
    pub const fn choosing(self) -> &'static [&'static str] {
        match self {
            Self::SingleLabel => {
                const {
                    &[
                        Metric::Accuracy.info().id,
                        Metric::MacroF1.info().id,
                        Metric::Loss.info().id,
                        Metric::BalancedAccuracy.info().id,
                        Metric::WeightedF1.info().id,
                        Metric::MacroPrecision.info().id,
                        Metric::MacroRecall.info().id,
                        Metric::WeightedPrecision.info().id,
                        Metric::WeightedRecall.info().id,
                        Metric::Mcc.info().id,
                        Metric::QuadraticKappa.info().id,
                        Metric::RocAuc.info().id,
                        Metric::AveragePrecision.info().id,
                        Metric::Brier.info().id,
                        Metric::ANY_F1_OF,
                    ]
                }
            }
        }
    }

    /// What training minimises. `weights` has the weight of each label (`None`: all 1); `smoothing` is in [0, 1).
    pub fn objective(self, weights: Option<Vec<f64>>, smoothing: f64) -> Objective {
        match self {
            Self::SingleLabel => Objective::cross_entropy(weights, smoothing),
        }
    }

    /// The weight of each label that gives every label the same share of the loss over these training rows, as scikit-learn's
    /// `compute_class_weight("balanced")`.
    pub fn balanced_weights(self, labels: usize, rows: impl Iterator<Item = Target>) -> Vec<f64> {
        match self {
            Self::SingleLabel => objective::balanced_weights(labels, rows),
        }
    }

    /// What logits `[outputs]` predict.
    pub fn answer(self, logits: &[f32]) -> Answer {
        match self {
            Self::SingleLabel => Answer::of(logits),
        }
    }

    /// What the logits of the windows of a text predict together, each `[outputs]`.
    ///
    /// # Panics
    /// Without windows.
    pub fn answer_of_windows(self, windows: &[Vec<f32>]) -> Answer {
        match self {
            Self::SingleLabel => Answer::mean(windows),
        }
    }

    /// The metrics of an evaluation: `labels` has the name of each id.
    pub fn measure(self, labels: &[String], rows: impl IntoIterator<Item = Scored>) -> Metrics {
        match self {
            Self::SingleLabel => Metrics::new(labels, rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_types_are_read_as_they_are_written() {
        for task in Task::ALL {
            assert_eq!(Task::from_problem_type(task.problem_type()), Some(task));
        }
        for other in ["multi_label_classification", "regression", "Single_Label_Classification", ""] {
            assert_eq!(Task::from_problem_type(other), None, "{other}");
        }
    }

    #[test]
    fn an_evaluation_has_the_metrics_of_its_task_and_no_others() {
        let names = ["a".to_owned(), "b".to_owned()];
        for task in Task::ALL {
            let measured = task.measure(&names, [Scored::new(0, &[0.75, 0.25], 0.3)]);
            let ids: Vec<&str> = task.metrics().iter().map(|metric| metric.info().id).collect();
            let written = serde_json::to_value(&measured).unwrap();
            for metric in Metric::ALL {
                assert_eq!(written.get(metric.info().id).is_some(), ids.contains(&metric.info().id), "{metric:?}");
            }
            let known = |id: &&str| ids.contains(id) || *id == Metric::ANY_F1_OF;
            assert!(task.choosing().iter().all(known), "{task:?}");
        }
    }
}
