//! What a model says of a text, from its logits.

use super::{Decision, Target};
use crate::metrics::{Probabilities, Scored, argmax};

/// The least probability with which a label is predicted where a text may have several.
const THRESHOLD: f32 = 0.5;

/// log softmax of a row of logits, in nats.
pub fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|v| f64::from(v - max).exp()).sum();
    logits.iter().map(|v| f64::from(v - max) - sum.ln()).collect()
}

/// log softmax of logits that are `scale` times as large as those of these logarithms of probabilities.
fn scaled(log: &[f64], scale: f64) -> Vec<f64> {
    let max = log.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = log.iter().map(|v| ((v - max) * scale).exp()).sum();
    log.iter().map(|v| (v - max) * scale - sum.ln()).collect()
}

/// log σ(x), in nats.
fn log_sigmoid(x: f64) -> f64 {
    x.min(0.0) - (-x.abs()).exp().ln_1p()
}

/// The logarithm of the mean of the values with these logarithms.
pub(super) fn log_mean_exp(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    // NaN, or a probability of 0 throughout: neither has a distance to the others.
    if !max.is_finite() {
        return logs.sum::<f64>();
    }
    let (sum, n) = logs.fold((0.0, 0.0), |(sum, n), log| (sum + (log - max).exp(), n + 1.0));
    max + (sum / n).ln()
}

/// For each output, the logarithm of the mean over the windows of the values with the logarithms `log(logits)`.
fn log_means<L: AsRef<[f32]>>(windows: &[L], log: impl Fn(&[f32]) -> Vec<f64>) -> Vec<f64> {
    let logs: Vec<Vec<f64>> = windows.iter().map(|logits| log(logits.as_ref())).collect();
    match &logs[..] {
        [only] => only.clone(),
        _ => (0..logs[0].len()).map(|output| log_mean_exp(logs.iter().map(|log| log[output]))).collect(),
    }
}

/// What a model says of a text.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub(super) predicted: Target,
    /// The probability of each label, by id; of numbers none.
    pub(super) probabilities: Vec<f32>,
    pub(super) evidence: Evidence,
}

/// What the loss of an answer is computed from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Evidence {
    /// Logarithms of the probabilities, by label.
    Label(Vec<f64>),
    /// Logarithms of the probabilities that a text has the label and that it does not have it, by label.
    Labels(Vec<f64>, Vec<f64>),
    /// The numbers are what is predicted.
    Numbers,
}

impl Answer {
    /// One label: that of the largest logit, or, of several windows, of the largest mean probability; the first of equals.
    ///
    /// The mean is taken in float64, in the order of the windows, and of logarithms, so that a small probability stays above 0.
    ///
    /// # Panics
    /// Without windows, or if they have not as many logits each.
    pub(super) fn label<L: AsRef<[f32]>>(windows: &[L]) -> Self {
        let log = log_means(windows, log_softmax);
        match windows {
            // By the logits: the logarithms can be equal after rounding though logits are not.
            [only] => Self::with_label(argmax(only.as_ref()), log),
            _ => Self::most_probable(log),
        }
    }

    /// One label, by the logarithms of the probabilities of all: the most probable; the first of equals.
    pub(super) fn most_probable(log: Vec<f64>) -> Self {
        let label = (1..log.len()).fold(0, |best, label| if log[label] > log[best] { label } else { best });
        Self::with_label(label, log)
    }

    fn with_label(label: usize, log: Vec<f64>) -> Self {
        let probabilities = log.iter().map(|v| v.exp() as f32).collect();
        Self { predicted: Target::Label(label as u32), probabilities, evidence: Evidence::Label(log) }
    }

    /// Any number of labels: those whose probability σ(logit) is at least one half; of several windows, whose mean probability is.
    ///
    /// # Panics
    /// Panics where [`Self::label`] does.
    pub(super) fn labels<L: AsRef<[f32]>>(windows: &[L]) -> Self {
        let with = log_means(windows, |logits| logits.iter().map(|x| log_sigmoid(f64::from(*x))).collect());
        let without = log_means(windows, |logits| logits.iter().map(|x| log_sigmoid(-f64::from(*x))).collect());
        Self::probable(with, without)
    }

    /// Any number of labels, by the logarithms of the probabilities that a text has each and that it does not: those of at least one half.
    pub(super) fn probable(with: Vec<f64>, without: Vec<f64>) -> Self {
        let probabilities: Vec<f32> = with.iter().map(|log| log.exp() as f32).collect();
        let predicted = (0..).zip(&probabilities).filter(|(_, p)| **p >= THRESHOLD).map(|(id, _)| id).collect();
        Self { predicted: Target::labels(predicted), probabilities, evidence: Evidence::Labels(with, without) }
    }

    /// The numbers themselves; of several windows their means.
    ///
    /// # Panics
    /// Panics where [`Self::label`] does.
    pub(super) fn numbers<L: AsRef<[f32]>>(windows: &[L]) -> Self {
        let outputs: Vec<Vec<f64>> =
            windows.iter().map(|window| window.as_ref().iter().copied().map(f64::from).collect()).collect();
        Self::mean_values(&outputs)
    }

    /// Numbers: the means of these, each `[outputs]`.
    pub(super) fn mean_values<V: AsRef<[f64]>>(all: &[V]) -> Self {
        let mean = |output: usize| all.iter().map(|values| values.as_ref()[output]).sum::<f64>() / all.len() as f64;
        let values = (0..all[0].as_ref().len()).map(mean).collect();
        Self { predicted: Target::values(values), probabilities: Vec::new(), evidence: Evidence::Numbers }
    }

    /// What was said of a text, by what is stored of it: what was predicted, and the probability of each label, by id. What follows from it is as
    /// exact as these float32 numbers. Of numbers there are no probabilities.
    pub fn of_stored(predicted: Target, probabilities: Vec<f32>) -> Self {
        let log = |of: &dyn Fn(f64) -> f64| probabilities.iter().map(|p| of(f64::from(*p)).ln()).collect::<Vec<f64>>();
        let evidence = match &predicted {
            Target::Label(_) => Evidence::Label(log(&|p| p)),
            Target::Labels(_) => Evidence::Labels(log(&|p| p), log(&|p| 1.0 - p)),
            Target::Values(_) => Evidence::Numbers,
        };
        Self { predicted, probabilities, evidence }
    }

    /// The same with another temperature and other thresholds; numbers stay. The temperature divides the logits that belong to its
    /// probabilities: of a text of one window, the model's own.
    #[must_use]
    pub fn decided(self, decision: &Decision) -> Self {
        let Decision { temperature, thresholds } = decision;
        let scale = 1.0 / temperature;
        let of = |log: &[f64]| log.iter().map(|v| v.exp() as f32).collect::<Vec<f32>>();
        match self.evidence {
            Evidence::Label(log) => {
                let log = if *temperature == 1.0 { log } else { scaled(&log, scale) };
                let probabilities = of(&log);
                let predicted = match thresholds.as_deref() {
                    Some([threshold]) if log.len() == 2 => {
                        Target::Label(u32::from(f64::from(probabilities[1]) >= *threshold))
                    }
                    _ => self.predicted,
                };
                Self { predicted, probabilities, evidence: Evidence::Label(log) }
            }
            Evidence::Labels(with, without) => {
                let logits: Vec<f64> =
                    with.iter().zip(&without).map(|(with, without)| (with - without) * scale).collect();
                let (with, without) = match *temperature == 1.0 {
                    true => (with, without),
                    false => (
                        logits.iter().map(|x| log_sigmoid(*x)).collect(),
                        logits.iter().map(|x| log_sigmoid(-x)).collect(),
                    ),
                };
                let probabilities = of(&with);
                let threshold = |id: usize| {
                    thresholds.as_ref().and_then(|all| all.get(id).copied()).unwrap_or(f64::from(THRESHOLD))
                };
                let has = |(id, p): &(u32, &f32)| f64::from(**p) >= threshold(*id as usize);
                let predicted = (0..).zip(&probabilities).filter(has).map(|(id, _)| id).collect();
                Self { predicted: Target::labels(predicted), probabilities, evidence: Evidence::Labels(with, without) }
            }
            Evidence::Numbers => Self { evidence: Evidence::Numbers, ..self },
        }
    }

    /// How it is counted for a row with this target.
    ///
    /// # Panics
    /// If the target is of another task, or has a label that there is no logit for.
    pub fn scored(&self, target: &Target) -> Scored {
        match (target, &self.predicted, &self.evidence) {
            (Target::Label(label), Target::Label(predicted), Evidence::Label(log)) => {
                // By the logits: probabilities can be equal after rounding though logits are not.
                let confidence = self.probabilities[*predicted as usize];
                let loss = -log[*label as usize];
                Scored::of_label(*label, (*predicted, confidence), &self.probabilities, loss)
            }
            (Target::Labels(labels), Target::Labels(predicted), Evidence::Labels(with, without)) => {
                let has = |id: usize| labels.binary_search(&(id as u32)).is_ok();
                let cell = |id: usize| if has(id) { -with[id] } else { -without[id] };
                Scored::Multi {
                    loss: (0..with.len()).map(cell).sum::<f64>() / with.len() as f64,
                    labels: labels.clone(),
                    predicted: predicted.to_vec(),
                    probabilities: Scored::kept(&self.probabilities),
                }
            }
            (Target::Values(values), Target::Values(predicted), Evidence::Numbers) => {
                let squares = values.iter().zip(predicted.iter()).map(|(value, predicted)| (value - predicted).powi(2));
                Scored::Values {
                    loss: squares.sum::<f64>() / values.len() as f64,
                    values: values.clone(),
                    predicted: predicted.to_vec(),
                }
            }
            _ => panic!("a target of another task: {target:?}"),
        }
    }

    /// The probability of each label, by id; of numbers none.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// Likewise.
    pub fn into_probabilities(self) -> Vec<f32> {
        self.probabilities
    }

    /// What is predicted.
    pub fn predicted(&self) -> &Target {
        &self.predicted
    }

    /// Logits that belong to its probabilities: their softmax, or with several labels a text their sigmoid; numbers stay.
    pub fn logits(&self) -> Vec<f64> {
        match &self.evidence {
            Evidence::Label(log) => log.clone(),
            Evidence::Labels(with, without) => with.iter().zip(without).map(|(with, without)| with - without).collect(),
            Evidence::Numbers => self.predicted.numbers().to_vec(),
        }
    }

    /// The probabilities that are stored: of many labels the highest, and those of the row's target.
    pub fn stored(self, target: Option<&Target>) -> Probabilities {
        Probabilities::new(self.probabilities, target.map_or(&[], Target::ids))
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
        let answer = Answer::label(&windows);
        assert_eq!(answer.predicted(), &Target::Label(0));
        for (label, want) in want.into_iter().enumerate() {
            assert!((f64::from(answer.probabilities()[label]) - want).abs() < 1e-7, "{:?}", answer.probabilities());
            let loss = answer.scored(&Target::Label(label as u32)).loss();
            assert!((loss + want.ln()).abs() < 1e-12, "{loss}, wanted {}", -want.ln());
        }
        // Probabilities that float64 cannot hold have a finite loss all the same.
        let far = Answer::label(&[[0.0f32, 2000.0], [0.0, 2000.0]]);
        assert!((far.scored(&Target::Label(0)).loss() - 2000.0).abs() < 1e-9);
        assert!(Answer::label(&[[f32::NAN, 0.0], [0.0, 0.0]]).scored(&Target::Label(1)).loss().is_nan());
        assert_eq!(Answer::label(&[[0.5f32, 0.25]]).probabilities(), [0.562_176_5, 0.437_823_5], "one window");
    }

    /// Logits that differ by less than their probabilities can show: metrics count the label that is stored as predicted.
    #[test]
    fn metrics_and_predictions_agree_where_probabilities_are_equal() {
        let answer = Answer::label(&[[0.0, 1e-9]]);
        let Scored::Single { predicted, .. } = answer.scored(&Target::Label(1)) else { panic!("one label") };
        assert_eq!((predicted, answer.predicted()), (1, &Target::Label(1)));
        let p = answer.into_probabilities();
        assert_eq!(p[0].to_bits(), p[1].to_bits());
    }

    /// torch.softmax and cross_entropy of [1, 3, 2] in float64: 0.09003057, 0.66524096, 0.24472847; 0.40760596 for label 1.
    #[test]
    fn an_answer_is_softmaxs() {
        let answer = Answer::label(&[[1.0, 3.0, 2.0]]);
        let Scored::Single { label, predicted, confidence, loss, .. } = answer.scored(&Target::Label(1)) else {
            panic!("one label")
        };
        assert!((loss - 0.407_605_96).abs() < 1e-7 && (confidence - 0.665_240_96).abs() < 1e-6);
        assert_eq!((label, predicted), (1, 1));
        assert!((answer.scored(&Target::Label(0)).loss() - 2.407_605_96).abs() < 1e-7);
        assert_eq!(answer.clone().stored(Some(&Target::Label(0))).argmax(), 1);
        let p = answer.into_probabilities();
        assert!((p[0] - 0.090_030_57).abs() < 1e-6 && (p[2] - 0.244_728_47).abs() < 1e-6, "{p:?}");
        assert_eq!(Answer::label(&[[0.5, 2.0, 2.0]]).predicted(), &Target::Label(1), "the first of equals");
    }

    /// torch.sigmoid and binary_cross_entropy_with_logits in float64.
    #[test]
    fn an_answer_of_several_labels_is_sigmoids() {
        let answer = Answer::labels(&[[1.5, -0.25, 0.0, -3.0]]);
        assert_eq!(answer.predicted(), &Target::labels(vec![0, 2]), "0.5 is enough");
        let want = [0.817_574_476, 0.437_823_499, 0.5, 0.047_425_873];
        assert!(answer.probabilities().iter().zip(want).all(|(p, want)| (f64::from(*p) - want).abs() < 1e-7));
        let loss = answer.scored(&Target::labels(vec![0, 2])).loss();
        assert!((loss - 0.379_771_807_498_820_83).abs() < 1e-12, "{loss}");
        // Logits whose probabilities float64 rounds to 0 and 1.
        let far = Answer::labels(&[[1000.0, -1000.0]]);
        assert!((far.scored(&Target::labels(vec![1])).loss() - 1000.0).abs() < 1e-9);
        assert_eq!(far.scored(&Target::labels(vec![0])).loss(), 0.0);
        assert!(Answer::labels(&[[f32::NAN]]).scored(&Target::labels(vec![])).loss().is_nan());
    }

    /// The mean of torch.sigmoid of three windows, and its binary_cross_entropy.
    #[test]
    fn windows_of_several_labels_have_the_mean_of_their_probabilities() {
        let answer = Answer::labels(&[[1.5, -0.25], [-2.0, 0.5], [0.25, -0.5]]);
        let want = [0.499_651_299_700_519_75, 0.479_274_499_704_733_96];
        assert!(answer.probabilities().iter().zip(want).all(|(p, want)| (f64::from(*p) - want).abs() < 1e-7));
        assert_eq!(answer.predicted(), &Target::labels(vec![]));
        let loss = answer.scored(&Target::labels(vec![1])).loss();
        assert!((loss - 0.713_965_900_233_405_8).abs() < 1e-12, "{loss}");
    }

    /// log of scipy's mean of probabilities, and the logit of the mean of two of torch's sigmoids.
    #[test]
    fn logits_of_windows_give_their_mean_probabilities() {
        let one = Answer::label(&[[1.0f32, 3.0, 2.0], [4.0, 0.0, 0.0], [0.0, 0.0, 0.5]]).logits();
        assert!(one.iter().zip(WANT_MEAN).all(|(x, p)| (x.exp() - p).abs() < 1e-12), "{one:?}");
        let several = Answer::labels(&[[1.5f32], [-2.0], [0.25]]).logits();
        let p: f64 = 0.499_651_299_700_519_75;
        assert!((several[0] - (p / (1.0 - p)).ln()).abs() < 1e-6, "{several:?}");
        assert_eq!(Answer::numbers(&[[1.5f32, -2.0], [2.5, -1.0]]).logits(), [2.0, -1.5]);
    }

    #[test]
    fn numbers_are_the_logits_and_of_windows_their_means() {
        let answer = Answer::numbers(&[[1.5f32, -2.0], [2.5, -1.0]]);
        assert_eq!(answer.predicted(), &Target::values(vec![2.0, -1.5]));
        assert!(answer.probabilities().is_empty());
        assert_eq!(answer.scored(&Target::values(vec![1.0, -1.5])).loss(), 0.5);
    }
}
