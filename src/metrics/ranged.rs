//! A value with its interval as texts, for readers of any language.

use super::{Metric, Unit};
use crate::format;

/// A value and the bounds of its interval as texts, which only the word between the bounds joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranged {
    /// The value: `91.3%`.
    pub value: String,
    /// Lower and upper bound in the unit of the value, shares without `%`; `None` if the interval is of a single value.
    pub bounds: Option<[String; 2]>,
    /// Whether the lower bound is negative: after a minus sign, a dash between the bounds would be misread.
    pub is_below_zero: bool,
}

impl Ranged {
    /// `91.3% (90.1–92.4)`, or if the interval begins below zero `0.2500 (−0.2500 to 0.7500)` with the word `to` of the language.
    pub fn text(&self, to: &str) -> String {
        match (&self.bounds, self.is_below_zero) {
            (None, _) => self.value.clone(),
            (Some([low, high]), true) => format!("{} ({low} {to} {high})", self.value),
            (Some([low, high]), false) => format!("{} ({low}–{high})", self.value),
        }
    }
}

impl Metric {
    /// A value with the bounds of its interval. All three are in the unit of the metric. An interval that is so narrow that its ends would
    /// look equal has more digits; one of a single value is left out.
    pub fn ranged(self, value: f64, (low, high): (f64, f64)) -> Ranged {
        let unit = self.info().unit;
        let apart = self.score(low).rounded() != self.score(high).rounded();
        let bounds = apart.then(|| match (self.text(low) == self.text(high), unit) {
            (true, _) => self.numbers_apart(low, high),
            (false, Unit::Share) => [low, high].map(|bound| format::decimals(bound * 100.0, 1)),
            (false, Unit::Nats | Unit::Plain) => [low, high].map(|bound| self.text(bound)),
        });
        Ranged { value: self.text(value), bounds, is_below_zero: unit == Unit::Plain && low < 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_shown_in_the_unit_of_the_value() {
        let text = |metric: Metric, value, interval| metric.ranged(value, interval).text("to");
        assert_eq!(text(Metric::Accuracy, 0.913, (0.901, 0.9242)), "91.3% (90.1–92.4)");
        assert_eq!(text(Metric::Loss, 0.5, (0.25, 0.75)), "0.5000 (0.2500–0.7500)");
        // Narrower than a digit, and the same but for the last bits.
        assert_eq!(text(Metric::Accuracy, 0.95833, (0.9582, 0.9584)), "95.8% (95.82–95.84)");
        assert_eq!(text(Metric::Accuracy, 0.95833, (0.95833, 0.95833 + 1e-16)), "95.8%");
        assert_eq!(text(Metric::Mcc, 0.25, (-0.25, 0.75)), "0.2500 (−0.2500 to 0.7500)");
        assert_eq!(text(Metric::Mcc, -0.1, (-0.100_02, -0.100_01)), "−0.1000 (−0.10002 to −0.10001)");
        assert_eq!(text(Metric::Rmse, 0.5, (0.25, 0.75)), "0.5000 (0.2500–0.7500)");
    }

    #[test]
    fn each_language_has_its_word_between_the_bounds() {
        assert_eq!(Metric::Mcc.ranged(0.25, (-0.25, 0.75)).text("至"), "0.2500 (−0.2500 至 0.7500)");
    }
}
