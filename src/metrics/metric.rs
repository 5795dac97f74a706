//! All metrics: their names, units, ranges and which direction is better. No other module knows these.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use super::{score::Score, scored::Scored};
use crate::format;

/// A number that measures how well a model predicts the rows of a split. Their definitions: `docs/metrics.md`.
///
/// It is serialised as its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// Mean of what training minimises, without label smoothing or class weights: of one label the cross-entropy in nats, of sets of labels
    /// the binary cross-entropy in nats, of numbers the squared error.
    Loss,
    /// Share of the rows whose predicted label is correct.
    Accuracy,
    /// Mean F1 of the labels that occur in the rows or in the predictions (as scikit-learn's `average="macro"` by default).
    MacroF1,
    /// Expected calibration error: mean |confidence − accuracy| over ten equal-width bins, weighted by rows (Guo et al. 2017).
    CalibrationError,
    /// Mean recall of the labels that have rows.
    BalancedAccuracy,
    /// Precision of all labels counted together.
    MicroPrecision,
    /// Recall of all labels counted together.
    MicroRecall,
    /// F1 of all labels counted together.
    MicroF1,
    /// Mean precision of the labels that occur.
    MacroPrecision,
    /// Mean recall of the labels that occur.
    MacroRecall,
    /// Mean precision of the labels that occur, weighted by their rows.
    WeightedPrecision,
    /// Mean recall of the labels that occur, weighted by their rows.
    WeightedRecall,
    /// Mean F1 of the labels that occur, weighted by their rows.
    WeightedF1,
    /// Mean precision of the rows for which a label is predicted.
    SamplesPrecision,
    /// Mean recall of the rows that have a label.
    SamplesRecall,
    /// Mean F1 of the rows.
    SamplesF1,
    /// Share of the rows whose predicted set of labels is theirs.
    SubsetAccuracy,
    /// Share of all labels of all rows that are predicted wrongly.
    HammingLoss,
    /// Matthews' correlation coefficient.
    Mcc,
    /// Cohen's kappa with squared distances of label ids as weights.
    QuadraticKappa,
    /// Area under the ROC curve.
    RocAuc,
    /// Average precision, of several labels its mean.
    AveragePrecision,
    /// Mean squared error of probabilities.
    Brier,
    /// Mean squared error.
    Mse,
    /// Root of the mean squared error.
    Rmse,
    /// Mean absolute error.
    Mae,
    /// Share of the variance that is predicted.
    R2,
    /// Pearson's correlation.
    Pearson,
    /// Spearman's correlation.
    Spearman,
    /// F1 of one label: [`Metric::f1_of`].
    F1Of(&'static NamedLabel),
}

/// The label of a [`Metric::F1Of`], with what the metric is called. There is one of each name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NamedLabel {
    id: String,
    name: String,
    short: String,
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share from 0 to 1, shown as a percentage.
    Share,
    /// Natural units of information.
    Nats,
    /// None: a number such as a correlation, or an error in the unit of the values.
    Plain,
}

/// Which values are better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Higher ones.
    Higher,
    /// Lower ones.
    Lower,
}

/// The properties of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MetricInfo {
    /// Name in specs, in the database and in JSON.
    pub id: &'static str,
    /// Name in sentences and tables.
    pub name: &'static str,
    /// Short name for narrow columns.
    pub short: &'static str,
    /// Its unit.
    pub unit: Unit,
    /// Which values are better.
    pub better: Better,
    /// The lowest and the highest possible value.
    pub range: (f64, f64),
}

impl MetricInfo {
    const fn share(id: &'static str, name: &'static str, short: &'static str, better: Better) -> Self {
        Self { id, name, short, unit: Unit::Share, better, range: (0.0, 1.0) }
    }

    const fn plain(id: &'static str, name: &'static str, short: &'static str, lowest: f64) -> Self {
        Self { id, name, short, unit: Unit::Plain, better: Better::Higher, range: (lowest, 1.0) }
    }

    const fn error(id: &'static str, name: &'static str, short: &'static str, highest: f64) -> Self {
        Self { id, name, short, unit: Unit::Plain, better: Better::Lower, range: (0.0, highest) }
    }
}

/// Decimals that tell two values apart.
const MOST_DIGITS: usize = 12;

/// What the ids of [`Metric::F1Of`] begin with.
const F1_OF: &str = "f1:";

/// Ids of all metrics, for messages.
const IDS: [&str; Metric::ALL.len() + 1] = {
    let mut ids = [Metric::ANY_F1_OF; Metric::ALL.len() + 1];
    let mut i = 0;
    while i < Metric::ALL.len() {
        ids[i] = Metric::ALL[i].info().id;
        i += 1;
    }
    ids
};

impl Metric {
    /// All metrics but those of one label, in the order of tables.
    pub const ALL: [Self; 29] = [
        Self::Loss,
        Self::Accuracy,
        Self::MacroF1,
        Self::CalibrationError,
        Self::BalancedAccuracy,
        Self::MicroPrecision,
        Self::MicroRecall,
        Self::MicroF1,
        Self::MacroPrecision,
        Self::MacroRecall,
        Self::WeightedPrecision,
        Self::WeightedRecall,
        Self::WeightedF1,
        Self::SamplesPrecision,
        Self::SamplesRecall,
        Self::SamplesF1,
        Self::SubsetAccuracy,
        Self::HammingLoss,
        Self::Mcc,
        Self::QuadraticKappa,
        Self::RocAuc,
        Self::AveragePrecision,
        Self::Brier,
        Self::Mse,
        Self::Rmse,
        Self::Mae,
        Self::R2,
        Self::Pearson,
        Self::Spearman,
    ];

    /// The ids of the F1 of one label in lists of ids: `LABEL` is any name.
    pub const ANY_F1_OF: &'static str = "f1:LABEL";

    /// Its properties.
    pub const fn info(self) -> MetricInfo {
        use Better::{Higher, Lower};
        match self {
            Self::Loss => MetricInfo {
                id: "loss",
                name: "loss",
                short: "loss",
                unit: Unit::Nats,
                better: Lower,
                range: (0.0, f64::INFINITY),
            },
            Self::Accuracy => MetricInfo::share("accuracy", "accuracy", "acc", Higher),
            Self::MacroF1 => MetricInfo::share("macro_f1", "macro-F1", "F1", Higher),
            Self::CalibrationError => MetricInfo::share("calibration_error", "calibration error", "ECE", Lower),
            Self::BalancedAccuracy => MetricInfo::share("balanced_accuracy", "balanced accuracy", "bal. acc", Higher),
            Self::MicroPrecision => MetricInfo::share("micro_precision", "micro-precision", "micro-P", Higher),
            Self::MicroRecall => MetricInfo::share("micro_recall", "micro-recall", "micro-R", Higher),
            Self::MicroF1 => MetricInfo::share("micro_f1", "micro-F1", "micro-F1", Higher),
            Self::MacroPrecision => MetricInfo::share("macro_precision", "macro-precision", "macro-P", Higher),
            Self::MacroRecall => MetricInfo::share("macro_recall", "macro-recall", "macro-R", Higher),
            Self::WeightedPrecision => {
                MetricInfo::share("weighted_precision", "weighted precision", "weighted P", Higher)
            }
            Self::WeightedRecall => MetricInfo::share("weighted_recall", "weighted recall", "weighted R", Higher),
            Self::WeightedF1 => MetricInfo::share("weighted_f1", "weighted F1", "weighted F1", Higher),
            Self::SamplesPrecision => MetricInfo::share("samples_precision", "samples-precision", "samples-P", Higher),
            Self::SamplesRecall => MetricInfo::share("samples_recall", "samples-recall", "samples-R", Higher),
            Self::SamplesF1 => MetricInfo::share("samples_f1", "samples-F1", "samples-F1", Higher),
            Self::SubsetAccuracy => MetricInfo::share("subset_accuracy", "subset accuracy", "subset acc", Higher),
            Self::HammingLoss => MetricInfo::share("hamming_loss", "Hamming loss", "Hamming", Lower),
            Self::Mcc => MetricInfo::plain("mcc", "MCC", "MCC", -1.0),
            Self::QuadraticKappa => MetricInfo::plain("quadratic_kappa", "quadratic-weighted kappa", "QWK", -1.0),
            Self::RocAuc => MetricInfo::plain("roc_auc", "ROC AUC", "AUC", 0.0),
            Self::AveragePrecision => MetricInfo::plain("average_precision", "average precision", "AP", 0.0),
            Self::Brier => MetricInfo::error("brier", "Brier score", "Brier", 2.0),
            Self::Mse => MetricInfo::error("mse", "MSE", "MSE", f64::INFINITY),
            Self::Rmse => MetricInfo::error("rmse", "RMSE", "RMSE", f64::INFINITY),
            Self::Mae => MetricInfo::error("mae", "MAE", "MAE", f64::INFINITY),
            Self::R2 => MetricInfo::plain("r2", "R²", "R²", f64::NEG_INFINITY),
            Self::Pearson => MetricInfo::plain("pearson", "Pearson correlation", "Pearson", -1.0),
            Self::Spearman => MetricInfo::plain("spearman", "Spearman correlation", "Spearman", -1.0),
            Self::F1Of(NamedLabel { id, name, short }) => {
                MetricInfo::share(id.as_str(), name.as_str(), short.as_str(), Higher)
            }
        }
    }

    /// The F1 of the label with this name. Each name takes a few bytes for as long as the process lives.
    pub fn f1_of(label: &str) -> Self {
        static KNOWN: Mutex<BTreeMap<String, &'static NamedLabel>> = Mutex::new(BTreeMap::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        Self::F1Of(known.entry(label.into()).or_insert_with(|| {
            Box::leak(Box::new(NamedLabel {
                id: format!("{F1_OF}{label}"),
                name: format!("F1 of {label}"),
                short: format!("F1 {label}"),
            }))
        }))
    }

    /// The name of the one label that it measures. The data must have this label.
    pub fn label_name(self) -> Option<&'static str> {
        match self {
            Self::F1Of(of) => of.id.strip_prefix(F1_OF),
            _ => None,
        }
    }

    /// The most labels with which it is measured; `None` if any number will do.
    pub fn most_labels(self) -> Option<usize> {
        matches!(self, Self::RocAuc | Self::AveragePrecision | Self::Brier).then_some(Scored::MOST)
    }

    /// The metric with this id; `None` if there is none.
    pub fn from_id(id: &str) -> Option<Self> {
        let of_one = || id.strip_prefix(F1_OF).filter(|label| !label.trim().is_empty()).map(Self::f1_of);
        Self::ALL.into_iter().find(|metric| metric.info().id == id).or_else(of_one)
    }

    /// Its name in sentences and tables.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// A value as text: `91.3%` for shares, `0.2841` for nats, `−0.2841` for plain numbers. A plain number that is undefined is `–`.
    pub fn text(self, value: f64) -> String {
        match self.info().unit {
            Unit::Share => format::percent(value),
            Unit::Nats => format::loss(value),
            Unit::Plain if value.is_nan() => format::NOTHING.into(),
            Unit::Plain => signed(format::loss(value)),
        }
    }

    /// Two values as text, with as many digits as it takes to tell them apart if they differ by more than what summing in another order
    /// changes.
    pub fn texts_apart(self, a: f64, b: f64) -> [String; 2] {
        let usual = [a, b].map(|value| self.text(value));
        if usual[0] != usual[1] || self.score(a).rounded() == self.score(b).rounded() {
            return usual;
        }
        let unit = if self.info().unit == Unit::Share { "%" } else { "" };
        self.numbers_apart(a, b).map(|number| format!("{number}{unit}"))
    }

    /// Two different values that look alike, without their unit and with as many digits as it takes to tell them apart.
    pub(super) fn numbers_apart(self, a: f64, b: f64) -> [String; 2] {
        let (scale, least) = match self.info().unit {
            Unit::Share => (100.0, 1),
            Unit::Nats | Unit::Plain => (1.0, 4),
        };
        let finer = (least + 1..=MOST_DIGITS)
            .map(|digits| [a, b].map(|value| format::decimals(value * scale, digits)))
            .find(|texts| texts[0] != texts[1]);
        finer.unwrap_or_else(|| [a, b].map(|value| (value * scale).to_string())).map(signed)
    }

    /// The score of a value: higher is better.
    pub fn score(self, value: f64) -> Score {
        match self.info().better {
            Better::Higher => Score(value),
            Better::Lower => Score(-value),
        }
    }

    /// The value with this score, in the unit of the metric.
    pub fn value(self, score: Score) -> f64 {
        match self.info().better {
            Better::Higher => score.0,
            Better::Lower => -score.0,
        }
    }
}

/// A number with a true minus sign, and none before a rounded zero.
fn signed(number: String) -> String {
    match number.strip_prefix('-') {
        Some(zero) if zero.chars().all(|digit| matches!(digit, '0' | '.')) => zero.into(),
        Some(positive) => format!("−{positive}"),
        None => number,
    }
}

impl Serialize for Metric {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.info().id)
    }
}

impl<'de> Deserialize<'de> for Metric {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = Metric;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a metric")
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<Metric, E> {
                Metric::from_id(id).ok_or_else(|| E::unknown_variant(id, &IDS))
            }
        }
        deserializer.deserialize_str(Id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_serialised_names_and_parse_back() {
        let of_one = ["toxic", "a:b", "f1:x", " 好 "].map(Metric::f1_of);
        for metric in Metric::ALL.into_iter().chain(of_one) {
            let id = serde_json::to_value(metric).unwrap();
            assert_eq!(id, metric.info().id);
            assert_eq!(serde_json::from_value::<Metric>(id).unwrap(), metric);
        }
        let error = serde_json::from_str::<Metric>("\"nonsense\"").unwrap_err().to_string();
        assert!(error.contains("nonsense") && error.contains("macro_f1") && error.contains("f1:LABEL"), "{error}");
        assert!(serde_json::from_str::<Metric>("\"f1: \"").is_err());
    }

    #[test]
    fn all_metrics_are_in_the_order_of_their_variants() {
        assert!(Metric::ALL.is_sorted());
        let mut both = [Metric::f1_of("toxic"), Metric::f1_of("calm"), Metric::Spearman];
        both.sort();
        assert_eq!(both.map(|metric| metric.info().id), ["spearman", "f1:calm", "f1:toxic"]);
    }

    #[test]
    fn the_f1_of_a_label_knows_its_name() {
        let metric = Metric::f1_of("toxic");
        assert_eq!((metric, metric.label_name()), (Metric::f1_of("toxic"), Some("toxic")));
        assert_eq!(
            (metric.name(), metric.info().short, metric.text(0.25)),
            ("F1 of toxic", "F1 toxic", "25.0%".into())
        );
        assert_eq!((Metric::from_id("f1:toxic"), Metric::MacroF1.label_name()), (Some(metric), None));
    }

    #[test]
    fn a_better_value_has_the_higher_score_and_every_score_its_value() {
        let better = [(Metric::Loss, 0.2, 0.3), (Metric::Accuracy, 0.9, 0.8), (Metric::MacroF1, 0.9, 0.8)];
        for (metric, good, bad) in better.into_iter().chain([(Metric::CalibrationError, 0.01, 0.2)]) {
            assert!(metric.score(good) > metric.score(bad), "{metric:?}");
            assert!(metric.score(good).above(metric.score(bad)) > 0.0, "{metric:?}");
            assert!(metric.score(good).cost() < metric.score(bad).cost(), "{metric:?}");
            assert_eq!(metric.value(metric.score(good)), good, "{metric:?}");
            assert!(metric.score(bad) > Score::WORST, "{metric:?}");
        }
    }

    #[test]
    fn values_are_shown_in_their_unit() {
        assert_eq!(Metric::Loss.text(0.28412), "0.2841");
        assert_eq!(Metric::MacroF1.text(0.5), "50.0%");
        assert_eq!([-0.5, -0.000_01, f64::NAN, 1e9].map(|v| Metric::R2.text(v)), ["−0.5000", "0.0000", "–", "1.000e9"]);
    }

    #[test]
    fn values_that_differ_differ_as_text() {
        let texts = |metric: Metric, a, b| metric.texts_apart(a, b).join(" ");
        assert_eq!(texts(Metric::Loss, 0.45, 0.4), "0.4500 0.4000");
        assert_eq!(texts(Metric::Loss, 0.593_17, 0.593_19), "0.59317 0.59319");
        assert_eq!(texts(Metric::Loss, 0.693_200_04, 0.693_200_01), "0.69320004 0.69320001");
        assert_eq!(texts(Metric::Accuracy, 0.9001, 0.9004), "90.01% 90.04%");
        assert_eq!(texts(Metric::Accuracy, 0.5, 0.5), "50.0% 50.0%");
        // Two means of the same two values.
        let next = f64::from_bits(0.25f64.to_bits() + 1);
        assert_eq!(texts(Metric::Loss, 0.25, next), "0.2500 0.2500");
        assert_eq!(texts(Metric::Accuracy, 0.843_333_333_333_333_3, 0.843_333_333_333_333_4), "84.3% 84.3%");
    }
}
