//! What a classifier says of a text to which one label belongs, from its logits.

use super::Target;
use crate::metrics::{Probabilities, Scored, argmax};

/// log softmax of a row of logits, in nats.
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|v| f64::from(v - max).exp()).sum();
    logits.iter().map(|v| f64::from(v - max) - sum.ln()).collect()
}

/// The logarithm of the mean of the values with these logarithms.
fn log_mean_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    // NaN, or a probability of 0 throughout: neither has a distance to the others.
    if !max.is_finite() {
        return logs.sum::<f64>();
    }
    let (sum, n) = logs.fold((0.0, 0.0), |(sum, n), log| (sum + (log - max).exp(), n + 1.0));
    max + (sum / n).ln()
}

/// The answer of a classifier of one label for each text.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// The label of the largest logit, or, of several windows, of the largest mean probability; the first of equals.
    pub label: u32,
    /// Logarithms of the probabilities, by label.
    log: Vec<f64>,
    /// The probabilities.
    probabilities: Vec<f32>,
}

impl Answer {
    /// From logits `[labels]`.
    pub fn of(logits: &[f32]) -> Self {
        let log = log_softmax(logits);
        let probabilities = log.iter().map(|v| v.exp() as f32).collect();
        Self { label: argmax(logits) as u32, log, probabilities }
    }

    /// The mean of the probabilities that the windows of a text have by their logits, each `[labels]`. The label is that of the largest
    /// mean, the first of equals. One window: as [`Self::of`].
    ///
    /// The mean is taken in float64, in the order of the windows, and of logarithms, so that a small probability stays above 0.
    ///
    /// # Panics
    /// Without windows, or if they have not as many logits each.
    pub fn mean<L: AsRef<[f32]>>(windows: &[L]) -> Self {
        if let [only] = windows {
            return Self::of(only.as_ref());
        }
        let logs: Vec<Vec<f64>> = windows.iter().map(|logits| log_softmax(logits.as_ref())).collect();
        let log: Vec<f64> = (0..logs[0].len()).map(|label| log_mean_exp(logs.iter().map(|log| log[label]))).collect();
        let label = (1..log.len()).fold(0, |best, label| if log[label] > log[best] { label } else { best });
        let probabilities = log.iter().map(|v| v.exp() as f32).collect();
        Self { label: label as u32, log, probabilities }
    }

    /// How it is counted for a row with this target.
    ///
    /// # Panics
    /// If the target is a label that there is no logit for.
    pub fn scored(&self, target: Target) -> Scored {
        let Target::Label(label) = target;
        // By the logits: probabilities can be equal after rounding though logits are not.
        let confidence = self.probabilities[self.label as usize];
        Scored::of_label(label, (self.label, confidence), &self.probabilities, -self.log[label as usize])
    }

    /// The probability of each label, by id.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// Likewise.
    pub fn into_probabilities(self) -> Vec<f32> {
        self.probabilities
    }

    /// The label as a target, to show it.
    pub fn predicted(&self) -> Target {
        Target::Label(self.label)
    }

    /// The probabilities that are stored: of many labels the highest, and that of the row's target.
    pub fn stored(self, target: Option<Target>) -> Probabilities {
        Probabilities::new(self.probabilities, target.map(|Target::Label(label)| label))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANT_MEAN: [f64; 3] = [0.442_920_782_734_493_7, 0.318_992_665_616_689, 0.238_086_551_648_817_23];

    #[test]
    fn log_softmax_of_large_logits_is_finite() {
        for shift in [0.0, 1e4, -1e4] {
            let got = log_softmax(&[shift, shift, shift - 2.0]);
            let whole = (2.0 + (-2.0f64).exp()).ln();
            assert!((got[0] + whole).abs() < 1e-12 && (got[2] + 2.0 + whole).abs() < 1e-12, "{got:?}");
        }
    }

    /// scipy.special.softmax of [1, 3, 2], [4, 0, 0] and [0, 0, 0.5] in float64, their mean by numpy: label 0 has the largest, though most
    /// windows are of others.
    #[test]
    fn an_answer_of_windows_is_the_mean_of_their_probabilities() {
        let windows = [vec![1.0, 3.0, 2.0], vec![4.0, 0.0, 0.0], vec![0.0, 0.0, 0.5]];
        let want = WANT_MEAN;
        let answer = Answer::mean(&windows);
        assert_eq!((answer.label, answer.predicted()), (0, Target::Label(0)));
        for (label, want) in want.into_iter().enumerate() {
            assert!((f64::from(answer.probabilities()[label]) - want).abs() < 1e-7, "{:?}", answer.probabilities());
            let loss = answer.scored(Target::Label(label as u32)).loss();
            assert!((loss + want.ln()).abs() < 1e-12, "{loss}, wanted {}", -want.ln());
        }
        // Probabilities that float64 cannot hold have a finite loss all the same.
        let far = Answer::mean(&[[0.0f32, 2000.0], [0.0, 2000.0]]);
        assert!((far.scored(Target::Label(0)).loss() - 2000.0).abs() < 1e-9);
        assert!(Answer::mean(&[[f32::NAN, 0.0], [0.0, 0.0]]).scored(Target::Label(1)).loss().is_nan());
        assert_eq!(Answer::mean(&[[0.5f32, 0.25]]), Answer::of(&[0.5, 0.25]), "one window");
    }

    /// Logits that differ by less than their probabilities can show: metrics count the label that is stored as predicted.
    #[test]
    fn metrics_and_predictions_agree_where_probabilities_are_equal() {
        let answer = Answer::of(&[0.0, 1e-9]);
        let scored = answer.scored(Target::Label(1));
        assert!(matches!(scored, Scored::Single { label: 1, predicted: 1, .. }), "{scored:?}");
        assert_eq!((answer.label, answer.predicted()), (1, Target::Label(1)));
        let p = answer.into_probabilities();
        assert_eq!(p[0].to_bits(), p[1].to_bits());
    }

    /// torch.softmax and cross_entropy of [1, 3, 2] in float64: 0.09003057, 0.66524096, 0.24472847; 0.40760596 for label 1.
    #[test]
    fn an_answer_is_softmaxs() {
        let answer = Answer::of(&[1.0, 3.0, 2.0]);
        assert_eq!(answer.label, 1);
        let Scored::Single { label: 1, predicted: 1, confidence, probabilities, loss } =
            answer.scored(Target::Label(1))
        else {
            panic!("{answer:?}")
        };
        assert!((loss - 0.407_605_96).abs() < 1e-7 && (confidence - 0.665_240_96).abs() < 1e-6);
        assert_eq!(probabilities, answer.probabilities());
        assert!((answer.scored(Target::Label(0)).loss() - 2.407_605_96).abs() < 1e-7);
        assert_eq!(answer.clone().stored(Some(Target::Label(0))).argmax(), 1);
        let p = answer.into_probabilities();
        assert!((p[0] - 0.090_030_57).abs() < 1e-6 && (p[2] - 0.244_728_47).abs() < 1e-6, "{p:?}");
        assert_eq!(Answer::of(&[0.5, 2.0, 2.0]).label, 1, "the first of equals");
    }
}
