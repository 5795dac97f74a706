//! The tasks, and what follows from each.

use serde::{Deserialize, Serialize};

use super::{Answer, Loss, Objective, Target, objective};
use crate::metrics::{Metric, Metrics, Scored};

/// What a model is trained to do: `problem_type` in a Hugging Face config.json.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Each text belongs to one of the labels.
    #[default]
    #[serde(rename = "single_label_classification")]
    SingleLabel,
    /// Each text has any number of the labels.
    #[serde(rename = "multi_label_classification")]
    MultiLabel,
    /// Each text has one or several numbers.
    #[serde(rename = "regression")]
    Regression,
}

/// The ids of these metrics, and after the semicolon other ids.
macro_rules! ids {
    ($($metric:ident)*; $($other:expr)?) => {
        const { &[$(Metric::$metric.info().id,)* $($other)?] }
    };
}

impl Task {
    /// All tasks.
    pub const ALL: [Self; 3] = [Self::SingleLabel, Self::MultiLabel, Self::Regression];

    /// Their names in config.json and in specs.
    pub const NAMES: [&'static str; 3] =
        [Self::SingleLabel.problem_type(), Self::MultiLabel.problem_type(), Self::Regression.problem_type()];

    /// Its name in config.json.
    pub const fn problem_type(self) -> &'static str {
        match self {
            Self::SingleLabel => "single_label_classification",
            Self::MultiLabel => "multi_label_classification",
            Self::Regression => "regression",
        }
    }

    /// Its name in sentences.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SingleLabel => "single-label classification",
            Self::MultiLabel => "multi-label classification",
            Self::Regression => "regression",
        }
    }

    /// The task of this name in config.json; `None` if taper has no such task.
    pub fn from_problem_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|task| task.problem_type() == name)
    }

    /// Whether it is the default.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Logits that the head computes for a text, with `labels` labels (of regression: columns of values).
    pub const fn outputs(self, labels: usize) -> usize {
        match self {
            Self::SingleLabel | Self::MultiLabel | Self::Regression => labels,
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
            Self::MultiLabel => &[
                Metric::Loss,
                Metric::MacroF1,
                Metric::MicroPrecision,
                Metric::MicroRecall,
                Metric::MicroF1,
                Metric::MacroPrecision,
                Metric::MacroRecall,
                Metric::WeightedPrecision,
                Metric::WeightedRecall,
                Metric::WeightedF1,
                Metric::SamplesPrecision,
                Metric::SamplesRecall,
                Metric::SamplesF1,
                Metric::SubsetAccuracy,
                Metric::HammingLoss,
                Metric::RocAuc,
                Metric::AveragePrecision,
                Metric::Brier,
            ],
            Self::Regression => {
                &[Metric::Loss, Metric::Mse, Metric::Rmse, Metric::Mae, Metric::R2, Metric::Pearson, Metric::Spearman]
            }
        }
    }

    /// The metrics by which results are shown where there is room for one or two: the first is that of rows and tables.
    pub const fn headline(self) -> [Metric; 2] {
        match self {
            Self::SingleLabel => Metrics::HEADLINE_OF_LABEL,
            Self::MultiLabel => Metrics::HEADLINE_OF_SET,
            Self::Regression => Metrics::HEADLINE_OF_NUMBERS,
        }
    }

    /// Ids of the metrics that a checkpoint can be chosen by (`checkpoint.metric`), the default first.
    pub const fn choosing(self) -> &'static [&'static str] {
        match self {
            Self::SingleLabel => ids!(
                Accuracy MacroF1 Loss BalancedAccuracy WeightedF1 MacroPrecision MacroRecall WeightedPrecision WeightedRecall
                Mcc QuadraticKappa RocAuc AveragePrecision Brier CalibrationError; Metric::ANY_F1_OF
            ),
            Self::MultiLabel => ids!(
                MacroF1 MicroF1 Loss WeightedF1 SamplesF1 SamplesPrecision SamplesRecall SubsetAccuracy HammingLoss
                MicroPrecision MicroRecall MacroPrecision MacroRecall WeightedPrecision WeightedRecall
                RocAuc AveragePrecision Brier; Metric::ANY_F1_OF
            ),
            Self::Regression => ids!(Rmse Loss Mse Mae R2 Pearson Spearman;),
        }
    }

    /// The metrics of [`Self::choosing`] of any task.
    pub const CHOOSING: &'static [&'static str] = ids!(
        Accuracy MacroF1 Loss BalancedAccuracy MicroF1 WeightedF1
        SamplesF1 SamplesPrecision SamplesRecall SubsetAccuracy HammingLoss
        MicroPrecision MicroRecall MacroPrecision MacroRecall WeightedPrecision WeightedRecall
        Mcc QuadraticKappa RocAuc AveragePrecision Brier CalibrationError
        Rmse Mse Mae R2 Pearson Spearman; Metric::ANY_F1_OF
    );

    /// Whether this metric can choose checkpoints.
    pub fn is_chosen_by(self, metric: Metric) -> bool {
        let id = if metric.label_name().is_some() { Metric::ANY_F1_OF } else { metric.info().id };
        self.choosing().contains(&id)
    }

    /// The metric that chooses checkpoints where the spec names none.
    pub const fn default_metric(self) -> Metric {
        self.headline()[0]
    }

    /// The form of its loss. gamma is that of the focal loss, 0 for the plain one.
    pub const fn loss(self, gamma: f64) -> Loss {
        match self {
            Self::SingleLabel => Loss::CrossEntropy { gamma },
            Self::MultiLabel => Loss::BinaryCrossEntropy { gamma },
            Self::Regression => Loss::SquaredError,
        }
    }

    /// What training minimises. `weights` has the weight of each label (`None`: all 1); `smoothing` is in [0, 1).
    pub fn objective(self, gamma: f64, weights: Option<Vec<f64>>, smoothing: f64) -> Objective {
        Objective::new(self.loss(gamma), weights, smoothing)
    }

    /// The weight of each label that gives every label the same share of the loss over these training rows, as scikit-learn's
    /// `compute_class_weight("balanced")`; with several labels to a row, the weight of its positive cells that gives them the same share
    /// as its negative ones. Of numbers 1.
    pub fn balanced_weights<'a>(self, labels: usize, rows: impl Iterator<Item = &'a Target>) -> Vec<f64> {
        match self {
            Self::SingleLabel => objective::balanced_weights(labels, rows),
            Self::MultiLabel => objective::balanced_positives(labels, rows),
            Self::Regression => vec![1.0; labels],
        }
    }

    /// What logits `[outputs]` predict.
    pub fn answer(self, logits: &[f32]) -> Answer {
        self.answer_of_windows(&[logits])
    }

    /// What the logits of the windows of a text predict together, each `[outputs]`: the means of their probabilities, or of their numbers.
    ///
    /// # Panics
    /// Panics without windows.
    pub fn answer_of_windows<L: AsRef<[f32]>>(self, windows: &[L]) -> Answer {
        match self {
            Self::SingleLabel => Answer::label(windows),
            Self::MultiLabel => Answer::labels(windows),
            Self::Regression => Answer::numbers(windows),
        }
    }

    /// The metrics of an evaluation: `labels` has the name of each id.
    pub fn measure(self, labels: &[String], rows: impl IntoIterator<Item = Scored>) -> Metrics {
        Metrics::new(labels, rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problem_types_are_read_as_they_are_written() {
        for task in Task::ALL {
            assert_eq!(Task::from_problem_type(task.problem_type()), Some(task));
            assert_eq!(serde_json::to_value(task).unwrap(), task.problem_type());
        }
        for other in ["multi_label", "Single_Label_Classification", ""] {
            assert_eq!(Task::from_problem_type(other), None, "{other}");
        }
    }

    #[test]
    fn an_evaluation_has_the_metrics_of_its_task_and_no_others() {
        let names = ["a".to_owned(), "b".to_owned()];
        for task in Task::ALL {
            let target = match task {
                Task::SingleLabel => Target::Label(0),
                Task::MultiLabel => Target::labels(vec![0, 1]),
                Task::Regression => Target::values(vec![0.5, 1.5]),
            };
            let measured = task.measure(&names, [task.answer(&[0.75, 0.25]).scored(&target)]);
            let ids: Vec<&str> = task.metrics().iter().map(|metric| metric.info().id).collect();
            let written = serde_json::to_value(&measured).unwrap();
            for metric in Metric::ALL {
                assert_eq!(written.get(metric.info().id).is_some(), ids.contains(&metric.info().id), "{metric:?}");
            }
            let known = |id: &&str| ids.contains(id) || *id == Metric::ANY_F1_OF;
            assert!(task.choosing().iter().all(known), "{task:?}");
            assert_eq!(task.choosing()[0], task.default_metric().info().id);
            assert!(task.choosing().iter().all(|id| Task::CHOOSING.contains(id)), "{task:?}");
        }
    }
}
