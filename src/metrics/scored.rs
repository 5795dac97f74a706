//! The predictions for one row, with what metrics are computed from.

use std::sync::Arc;

use super::probabilities::Probabilities;

/// The prediction for one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Scored {
    /// One label.
    Single {
        /// Id of its label.
        label: u32,
        /// Id of the predicted label.
        predicted: u32,
        /// Probability of the predicted label, from 0 to 1.
        confidence: f32,
        /// Probability of each label, by id; empty if they are not all known or more than [`Scored::MOST`].
        probabilities: Vec<f32>,
        /// Its cross-entropy, in nats.
        loss: f64,
    },
    /// A set of labels.
    Multi {
        /// Ids of its labels, each once.
        labels: Arc<Vec<u32>>,
        /// Ids of the predicted labels, each once.
        predicted: Vec<u32>,
        /// Probability of each label, by id; empty if they are not all known or more than [`Scored::MOST`].
        probabilities: Vec<f32>,
        /// The mean over all labels of the binary cross-entropy, in nats.
        loss: f64,
    },
    /// Numbers.
    Values {
        /// Its values.
        values: Arc<Vec<f64>>,
        /// The predicted values.
        predicted: Vec<f64>,
        /// The mean of their squared errors.
        loss: f64,
    },
}

impl Scored {
    /// The most labels with which the probabilities of all are kept for metrics.
    pub const MOST: usize = Probabilities::ALL;

    /// The prediction for a row with this label id, these probabilities by label id and this loss in nats: the most probable label, the
    /// lower id of equals.
    ///
    /// # Panics
    /// If `probabilities` is empty.
    pub fn new(label: u32, probabilities: &[f32], loss: f64) -> Self {
        let predicted = argmax(probabilities);
        let confidence = probabilities[predicted];
        Self::of_label(label, (predicted as u32, confidence), probabilities, loss)
    }

    /// The prediction for a row with this label id: id and probability of the predicted label, the probabilities of all labels by id (empty
    /// if they are not known; of more than [`Self::MOST`] labels they are not kept), and its cross-entropy in nats.
    pub fn of_label(label: u32, (predicted, confidence): (u32, f32), probabilities: &[f32], loss: f64) -> Self {
        Self::Single { label, predicted, confidence, probabilities: Self::kept(probabilities), loss }
    }

    /// The probabilities of all labels by id, if they are kept for metrics; else none.
    pub fn kept(probabilities: &[f32]) -> Vec<f32> {
        if probabilities.len() > Self::MOST { Vec::new() } else { probabilities.to_vec() }
    }

    /// The loss of the row.
    pub fn loss(&self) -> f64 {
        match self {
            Self::Single { loss, .. } | Self::Multi { loss, .. } | Self::Values { loss, .. } => *loss,
        }
    }
}

/// Index of the largest value, the first of equals; 0 if there are no values. NaNs never win unless the first value is NaN.
pub fn argmax(values: &[f32]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v > values[best] {
            best = i;
        }
    }
    best
}
