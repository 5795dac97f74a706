//! Cross-entropy with label smoothing and class weights, as `torch.nn.functional.cross_entropy` (reduction "mean").

use super::Target;

/// The function of logits and targets that an engine computes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// Cross-entropy of the softmax of a row's logits.
    CrossEntropy {
        /// Above 0: the focal loss (Lin et al. 2017).
        gamma: f64,
    },
    /// Binary cross-entropy of each logit.
    BinaryCrossEntropy {
        /// Above 0: the focal loss.
        gamma: f64,
    },
    /// The squared error of each output.
    SquaredError,
}

impl Default for Loss {
    fn default() -> Self {
        Self::CrossEntropy { gamma: 0.0 }
    }
}

/// What training minimises.
#[derive(Debug, Clone)]
pub struct Objective {
    /// Weight of each class; none: all 1.
    weights: Option<Vec<f64>>,
    smoothing: f64,
}

/// The weight of each label that gives every label the same share of the loss: rows / (labels × rows of the label). A label without
/// rows has the weight 0.
pub(super) fn balanced_weights(labels: usize, rows: impl Iterator<Item = Target>) -> Vec<f64> {
    let mut counts = vec![0u64; labels];
    rows.for_each(|Target::Label(label)| counts[label as usize] += 1);
    let total = counts.iter().sum::<u64>() as f64;
    counts.iter().map(|&n| if n == 0 { 0.0 } else { total / (labels as f64 * n as f64) }).collect()
}

impl Objective {
    /// Cross-entropy. `weights` has the weight of each class (`None`: all 1); `smoothing` is in [0, 1).
    pub(super) fn cross_entropy(weights: Option<Vec<f64>>, smoothing: f64) -> Self {
        Self { weights, smoothing }
    }

    fn weight(&self, class: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[class])
    }

    /// What the sum over rows is divided by: the weights of the rows' labels, all rows of an optimiser step together.
    pub fn denominator<'a>(&self, targets: impl Iterator<Item = &'a Target>) -> f64 {
        targets.map(|&Target::Label(label)| self.weight(label as usize)).sum()
    }

    /// The factors of the log-probabilities of rows with these targets, `[rows, classes]`: the loss is
    /// −Σ factors·log softmax(logits).
    ///
    /// A row's are (1−ε)·w_y on its own label plus ε·w_c / C on every one, all divided by `denominator`.
    pub fn targets(&self, rows: &[Target], classes: usize, denominator: f64) -> Vec<f32> {
        // Weights whose sum is beyond float64 would give a loss of 0.
        let denominator = if denominator.is_finite() { denominator } else { f64::NAN };
        let mut targets = Vec::with_capacity(rows.len() * classes);
        for &Target::Label(label) in rows {
            for class in 0..classes {
                let own = if class == label as usize { (1.0 - self.smoothing) * self.weight(class) } else { 0.0 };
                let target = own + self.smoothing * self.weight(class) / classes as f64;
                targets.push((target / denominator) as f32);
            }
        }
        targets
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::log_softmax;

    const EXPECTED: [(Option<[f64; 3]>, f64, f64); 4] = [
        (None, 0.0, 1.3124959261703462),
        (None, 0.1, 1.328051481725902),
        (Some([0.5, 2.0, 1.0]), 0.0, 1.2803964763900173),
        (Some([0.5, 2.0, 1.0]), 0.1, 1.3088445166061453),
    ];

    /// Expected values: torch.nn.functional.cross_entropy(x, y, weight=…, label_smoothing=…) of torch 2.15 in float64.
    #[test]
    fn values_are_torchs() {
        let x = [[0.5f32, -1.0, 2.0], [1.5, 0.3, -0.2], [-0.7, 0.9, 0.1]];
        let labels = [2, 1, 0].map(Target::Label);
        for (weights, smoothing, want) in EXPECTED {
            let ce = Objective::cross_entropy(weights.map(|w| w.to_vec()), smoothing);
            let denominator = ce.denominator(labels.iter());
            let loss = |rows: &[[f32; 3]], labels: &[Target]| -> f64 {
                let log_p = rows.iter().flat_map(|row| log_softmax(row));
                let targets = ce.targets(labels, 3, denominator);
                -log_p.zip(&targets).map(|(log_p, target)| log_p * f64::from(*target)).sum::<f64>()
            };
            let got = loss(&x, &labels);
            assert!((got - want).abs() < 1e-6, "{weights:?} {smoothing}: {got}, wanted {want}");
            // Rows taken one by one, over the same denominator, add up to the same.
            let parts: f64 = (0..3).map(|i| loss(&x[i..=i], &labels[i..=i])).sum();
            assert!((parts - want).abs() < 1e-6);
        }
    }

    #[test]
    fn balanced_weights_are_scikit_learns() {
        // compute_class_weight("balanced", classes=[0, 1], y=[0, 0, 0, 1]) = [0.6667, 2.0]
        let got = balanced_weights(3, [0, 0, 0, 1].into_iter().map(Target::Label));
        assert!((got[0] - 4.0 / 9.0).abs() < 1e-12 && (got[1] - 4.0 / 3.0).abs() < 1e-12 && got[2] == 0.0, "{got:?}");
        let got = balanced_weights(2, [0, 0, 0, 1].into_iter().map(Target::Label));
        assert!((got[0] - 2.0 / 3.0).abs() < 1e-12 && (got[1] - 2.0).abs() < 1e-12, "{got:?}");
    }
}
