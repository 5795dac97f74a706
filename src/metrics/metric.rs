//! All metrics: their names, units, ranges and which direction is better. No other module knows these.

use serde::{Deserialize, Serialize};

use crate::format;

/// A number that measures how well a model classifies the rows of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Mean cross-entropy in nats, without label smoothing or class weights.
    Loss,
    /// Share of the rows whose predicted label is correct.
    Accuracy,
    /// Mean F1 of the classes that occur in the rows or in the predictions (as scikit-learn's `average="macro"` by default).
    MacroF1,
    /// Expected calibration error: mean |confidence − accuracy| over ten equal-width bins, weighted by rows (Guo et al. 2017).
    CalibrationError,
}

/// The unit of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A share from 0 to 1, shown as a percentage.
    Share,
    /// Natural units of information.
    Nats,
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
}

/// Decimals that tell two values apart.
const MOST_DIGITS: usize = 12;

impl Metric {
    /// All metrics, in the order of tables.
    pub const ALL: [Self; 4] = [Self::Loss, Self::Accuracy, Self::MacroF1, Self::CalibrationError];

    /// Its properties.
    pub const fn info(self) -> MetricInfo {
        match self {
            Self::Loss => MetricInfo {
                id: "loss",
                name: "loss",
                short: "loss",
                unit: Unit::Nats,
                better: Better::Lower,
                range: (0.0, f64::INFINITY),
            },
            Self::Accuracy => MetricInfo::share("accuracy", "accuracy", "acc", Better::Higher),
            Self::MacroF1 => MetricInfo::share("macro_f1", "macro-F1", "F1", Better::Higher),
            Self::CalibrationError => MetricInfo::share("calibration_error", "calibration error", "ECE", Better::Lower),
        }
    }

    /// Its name in sentences and tables.
    pub const fn name(self) -> &'static str {
        self.info().name
    }

    /// A value as text: `91.3%` for shares, `0.2841` for nats.
    pub fn text(self, value: f64) -> String {
        match self.info().unit {
            Unit::Share => format::percent(value),
            Unit::Nats => format::loss(value),
        }
    }

    /// Two values as text, with as many digits as it takes to tell them apart if they differ.
    pub fn texts_apart(self, a: f64, b: f64) -> [String; 2] {
        let usual = [a, b].map(|value| self.text(value));
        if usual[0] != usual[1] || a == b {
            return usual;
        }
        let (scale, unit, least) = match self.info().unit {
            Unit::Share => (100.0, "%", 1),
            Unit::Nats => (1.0, "", 4),
        };
        let finer = (least + 1..=MOST_DIGITS)
            .map(|digits| [a, b].map(|value| format!("{}{unit}", format::decimals(value * scale, digits))))
            .find(|texts| texts[0] != texts[1]);
        finer.unwrap_or_else(|| [a, b].map(|value| format!("{}{unit}", value * scale)))
    }

    /// A value with the bounds of its interval as text: `91.3% (90.1–92.4)`. All three are in the unit of the metric.
    pub fn text_with(self, value: f64, (low, high): (f64, f64)) -> String {
        let text = self.text(value);
        match self.info().unit {
            Unit::Share => format!("{text} ({})", format::percents((low, high))),
            Unit::Nats => format!("{text} ({}–{})", format::loss(low), format::loss(high)),
        }
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

/// A value of a metric with its sign set so that higher is better. [`Metric::score`] returns it, [`Metric::value`] converts it back.
///
/// It is serialised as a plain number: the value, negated if lower values are better.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(f64);

impl Score {
    /// The score of a failed run.
    pub const WORST: Self = Self(f64::NEG_INFINITY);

    /// The score, or [`Self::WORST`] if it is NaN.
    #[must_use]
    pub fn or_worst(self) -> Self {
        if self.0.is_nan() { Self::WORST } else { self }
    }

    /// Whether it is a finite number: neither NaN nor the score of a failed run.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// By how much it is better than another score of the same metric, in its unit; negative if it is worse.
    pub fn above(self, other: Self) -> f64 {
        self.0 - other.0
    }

    /// Whether two scores can be of the same model: a repeated evaluation on a device that is not deterministic differs by less than 0.1%,
    /// another run usually by more. Two NaNs are near.
    pub fn is_near(self, other: Self) -> bool {
        let (a, b) = (self.0, other.0);
        a == b || (a - b).abs() <= 1e-3 * a.abs().max(b.abs()) || (a.is_nan() && b.is_nan())
    }

    /// The negated score, for code that minimises.
    pub fn cost(self) -> f64 {
        -self.0
    }

    /// The mean of scores; `None` without scores.
    pub fn mean(scores: impl IntoIterator<Item = Self>) -> Option<Self> {
        let (sum, count) = scores.into_iter().fold((0.0, 0u32), |(sum, count), score| (sum + score.0, count + 1));
        (count > 0).then(|| Self(sum / f64::from(count)))
    }

    /// The median of scores, in any order: of an even number the mean of the middle two; `None` without scores.
    pub fn median(mut scores: Vec<Self>) -> Option<Self> {
        scores.sort_by(Self::total_cmp);
        let middle = scores.len() / 2;
        match scores.len() {
            0 => None,
            odd if odd % 2 == 1 => Some(scores[middle]),
            // Halved before adding, so that two huge losses do not overflow.
            _ => Some(Self(scores[middle - 1].0 / 2.0 + scores[middle].0 / 2.0)),
        }
    }

    /// A total order of scores, the worst first; NaN as in [`f64::total_cmp`].
    pub fn total_cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }

    /// The score rounded to 1e-12 and scaled, for comparisons only: means of the same values summed in another order can differ in their
    /// last bits.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self((self.0 * 1e12).round())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_serialised_names_and_parse_back() {
        for metric in Metric::ALL {
            let id = serde_json::to_value(metric).unwrap();
            assert_eq!(id, metric.info().id);
            assert_eq!(serde_json::from_value::<Metric>(id).unwrap(), metric);
        }
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
        assert_eq!(Metric::Accuracy.text_with(0.913, (0.901, 0.9242)), "91.3% (90.1–92.4)");
        assert_eq!(Metric::Loss.text_with(0.5, (0.25, 0.75)), "0.5000 (0.2500–0.7500)");
    }

    #[test]
    fn values_that_differ_differ_as_text() {
        let texts = |metric: Metric, a, b| metric.texts_apart(a, b).join(" ");
        assert_eq!(texts(Metric::Loss, 0.45, 0.4), "0.4500 0.4000");
        assert_eq!(texts(Metric::Loss, 0.593_17, 0.593_19), "0.59317 0.59319");
        assert_eq!(texts(Metric::Loss, 0.693_200_04, 0.693_200_01), "0.69320004 0.69320001");
        assert_eq!(texts(Metric::Accuracy, 0.9001, 0.9004), "90.01% 90.04%");
        assert_eq!(texts(Metric::Accuracy, 0.5, 0.5), "50.0% 50.0%");
        let next = f64::from_bits(0.25f64.to_bits() + 1);
        let [a, b] = Metric::Loss.texts_apart(0.25, next);
        assert!(a != b && a.starts_with("0.25"), "{a} {b}");
    }

    #[test]
    fn means_and_medians_of_scores() {
        let scores = |values: &[f64]| values.iter().map(|v| Metric::Loss.score(*v)).collect::<Vec<_>>();
        let value = |score: Option<Score>| score.map(|score| Metric::Loss.value(score));
        assert_eq!(value(Score::mean(scores(&[0.25, 0.5, 0.75]))), Some(0.5));
        assert_eq!(value(Score::median(scores(&[9.0, 0.5, 0.25]))), Some(0.5));
        assert_eq!(value(Score::median(scores(&[1.0, 0.25, 0.5, 0.125]))), Some(0.375));
        assert_eq!(value(Score::median(scores(&[1.7e308, 1.7e308]))), Some(1.7e308));
        assert_eq!((Score::mean([]), Score::median(vec![])), (None, None));
        assert_eq!(Metric::Loss.score(f64::NAN).or_worst(), Score::WORST);
    }
}
