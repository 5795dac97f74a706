//! How labels follow from what a model computes, where that was chosen on dev rows.

use serde::{Deserialize, Serialize};

/// A temperature and thresholds. The default changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Logits are divided by it before they become probabilities (Guo et al. 2017).
    pub temperature: f64,
    /// The least probability with which a label is predicted, from 0 to 1. Where a text may have several labels, that of each, by id. Where
    /// it has one of two, that of the second alone. `None`: one half; of labels that exclude each other the most probable.
    pub thresholds: Option<Vec<f64>>,
}

impl Default for Decision {
    fn default() -> Self {
        Self { temperature: 1.0, thresholds: None }
    }
}

impl Decision {
    /// Whether two are the same but for the last digits, which the order of a search for the temperature decides.
    pub fn agrees(&self, other: &Self) -> bool {
        let near = |a: &f64, b: &f64| (a - b).abs() <= 1e-9 * a.abs().max(b.abs());
        let thresholds = match (&self.thresholds, &other.thresholds) {
            (Some(own), Some(other)) => own.len() == other.len() && own.iter().zip(other).all(|(a, b)| near(a, b)),
            (own, other) => own == other,
        };
        near(&self.temperature, &other.temperature) && thresholds
    }

    /// The labels that have a threshold, with it. `labels` are the names of all, by id.
    pub fn named<'a>(&'a self, labels: &'a [String]) -> impl Iterator<Item = (&'a String, f64)> {
        let thresholds = self.thresholds.as_deref().unwrap_or_default();
        // A single threshold of two labels is that of the second.
        let first = labels.len().saturating_sub(thresholds.len());
        labels.iter().skip(first).zip(thresholds.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_agree_but_for_the_last_digits() {
        let of = |temperature, thresholds: &[f64]| Decision { temperature, thresholds: Some(thresholds.to_vec()) };
        let own = of(1.063, &[0.5, 0.25]);
        assert!(own.agrees(&of(1.063 * (1.0 + 1e-12), &[0.5, 0.25])));
        for other in [of(1.063 + 1e-6, &[0.5, 0.25]), of(1.063, &[0.5, 0.250_001]), of(1.063, &[0.5])] {
            assert!(!own.agrees(&other), "{other:?}");
        }
        assert!(!own.agrees(&Decision { thresholds: None, ..own.clone() }));
    }
}
