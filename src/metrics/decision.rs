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
    /// The labels that have a threshold, with it. `labels` are the names of all, by id.
    pub fn named<'a>(&'a self, labels: &'a [String]) -> impl Iterator<Item = (&'a String, f64)> {
        let thresholds = self.thresholds.as_deref().unwrap_or_default();
        // A single threshold of two labels is that of the second.
        let first = labels.len().saturating_sub(thresholds.len());
        labels.iter().skip(first).zip(thresholds.iter().copied())
    }
}
