//! What training minimises, and the targets that the kernels of the losses take: cross-entropy with label smoothing and class weights, as
//! `torch.nn.functional.cross_entropy` (reduction "mean"); binary cross-entropy with weights of the positive cells, as
//! `binary_cross_entropy_with_logits` (mean over all cells); the squared error, as `mse_loss` (mean over all values).

use super::Target;

/// The form of a loss: which function of logits and targets the kernels compute. gamma is the exponent of the focal loss (Lin et al. 2017):
/// with 0 it is the plain one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Loss {
    /// −Σ t·(1−p)^γ·log p, p = softmax(logits); targets t `[rows, outputs]`.
    CrossEntropy {
        /// The exponent γ.
        gamma: f64,
    },
    /// −Σ a·(1−p)^γ·log p + b·p^γ·log(1−p), p = σ(logit); targets (a, b) `[rows, outputs, 2]`.
    BinaryCrossEntropy {
        /// The exponent γ.
        gamma: f64,
    },
    /// Σ factor·(output − value)²; targets (value, factor) `[rows, outputs, 2]`.
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
    loss: Loss,
    /// Weight of each class, or of the positive cells of each label; none: all 1.
    weights: Option<Vec<f64>>,
    smoothing: f64,
}

/// The weight of each label that gives every label the same share of the loss: rows / (labels × rows of the label). A label without
/// rows has the weight 0.
pub(super) fn balanced_weights<'a>(labels: usize, rows: impl Iterator<Item = &'a Target>) -> Vec<f64> {
    let (counts, _) = counts(labels, rows);
    let total = counts.iter().sum::<u64>() as f64;
    counts.iter().map(|&n| if n == 0 { 0.0 } else { total / (labels as f64 * n as f64) }).collect()
}

/// The weight of the positive cells of each label that gives them the same share of the loss as the negative ones: rows without the
/// label / rows with it. Of a label that no row or every row
/// has 1: there is nothing to balance.
pub(super) fn balanced_positives<'a>(labels: usize, rows: impl Iterator<Item = &'a Target>) -> Vec<f64> {
    let (counts, rows) = counts(labels, rows);
    counts.iter().map(|&n| if n == 0 || n == rows { 1.0 } else { (rows - n) as f64 / n as f64 }).collect()
}

/// The rows of each label, and all rows.
fn counts<'a>(labels: usize, rows: impl Iterator<Item = &'a Target>) -> (Vec<u64>, u64) {
    let (mut counts, mut n) = (vec![0u64; labels], 0);
    for target in rows {
        n += 1;
        target.ids().iter().for_each(|&label| counts[label as usize] += 1);
    }
    (counts, n)
}

impl Objective {
    /// `weights` has the weight of each class or of the positive cells of each label (`None`: all 1); `smoothing` is in [0, 1), and 0 unless the loss is the
    /// plain cross-entropy.
    pub(super) fn new(loss: Loss, weights: Option<Vec<f64>>, smoothing: f64) -> Self {
        Self { loss, weights, smoothing }
    }

    /// Its form.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    fn weight(&self, class: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[class])
    }

    /// What the sum over rows is divided by, all rows of an optimizer step together: the weights of the rows' labels; where each output
    /// has a loss of its own, the number of all of them.
    pub fn denominator<'a>(&self, targets: impl Iterator<Item = &'a Target>, outputs: usize) -> f64 {
        match self.loss {
            Loss::CrossEntropy { .. } => {
                targets.map(|target| target.label().map_or(f64::NAN, |label| self.weight(label as usize))).sum()
            }
            Loss::BinaryCrossEntropy { .. } | Loss::SquaredError => (targets.count() * outputs) as f64,
        }
    }

    /// The targets of rows as the kernel of the loss takes them ([`Loss`]), all divided by `denominator`.
    ///
    /// Cross-entropy: a row's are (1−ε)·w_y on its own label plus ε·w_c / C on every one.
    pub fn targets(&self, rows: &[Target], outputs: usize, denominator: f64) -> Vec<f32> {
        // Weights whose sum is beyond float64 would give a loss of 0.
        let denominator = if denominator.is_finite() { denominator } else { f64::NAN };
        let mut targets = Vec::with_capacity(rows.len() * outputs * 2);
        for row in rows {
            match self.loss {
                Loss::CrossEntropy { .. } => {
                    let label = row.label().map(|id| id as usize);
                    for class in 0..outputs {
                        let own = if label == Some(class) { (1.0 - self.smoothing) * self.weight(class) } else { 0.0 };
                        let target = own + self.smoothing * self.weight(class) / outputs as f64;
                        targets.push((target / denominator) as f32);
                    }
                }
                Loss::BinaryCrossEntropy { .. } => {
                    let first = targets.len();
                    targets.extend((0..outputs).flat_map(|_| [0.0, (1.0 / denominator) as f32]));
                    for &id in row.ids() {
                        let positive = (self.weight(id as usize) / denominator) as f32;
                        targets[first + 2 * id as usize..][..2].copy_from_slice(&[positive, 0.0]);
                    }
                }
                Loss::SquaredError => {
                    let numbers = row.numbers().iter();
                    targets.extend(numbers.flat_map(|&value| [value as f32, (1.0 / denominator) as f32]));
                }
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
            let ce = Objective::new(Loss::default(), weights.map(|w| w.to_vec()), smoothing);
            let denominator = ce.denominator(labels.iter(), 3);
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
        let got = balanced_weights(3, [0, 0, 0, 1].map(Target::Label).iter());
        assert!((got[0] - 4.0 / 9.0).abs() < 1e-12 && (got[1] - 4.0 / 3.0).abs() < 1e-12 && got[2] == 0.0, "{got:?}");
        let got = balanced_weights(2, [0, 0, 0, 1].map(Target::Label).iter());
        assert!((got[0] - 2.0 / 3.0).abs() < 1e-12 && (got[1] - 2.0).abs() < 1e-12, "{got:?}");
    }

    /// Of rows with several labels, by torch 2.15 in float64: binary_cross_entropy_with_logits, and with pos_weight = [0.5, 2, 3].
    #[test]
    fn values_of_several_labels_are_torchs() {
        let x = [[0.5f64, -1.0, 2.0], [1.5, 0.3, -0.2]];
        let rows = [Target::labels(vec![0, 2]), Target::labels(vec![])];
        let expected = [(None, 0.678_029_012_429_029), (Some(vec![0.5, 2.0, 3.0]), 0.680_831_934_095_011)];
        for (weights, want) in expected {
            let objective = Objective::new(Loss::BinaryCrossEntropy { gamma: 0.0 }, weights, 0.0);
            let denominator = objective.denominator(rows.iter(), 3);
            let loss = |x: &[[f64; 3]], rows: &[Target]| -> f64 {
                let targets = objective.targets(rows, 3, denominator);
                let cell = |(x, t): (&f64, &[f32])| {
                    let log = |x: f64| -(-x).exp().ln_1p();
                    -f64::from(t[0]) * log(*x) - f64::from(t[1]) * log(-x)
                };
                x.iter().flatten().zip(targets.chunks_exact(2)).map(cell).sum()
            };
            let got = loss(&x, &rows);
            assert!((got - want).abs() < 1e-6, "{got}, wanted {want}");
            let parts: f64 = (0..2).map(|i| loss(&x[i..=i], &rows[i..=i])).sum();
            assert!((parts - want).abs() < 1e-6);
        }
    }

    /// torch's mse_loss of two rows with three numbers.
    #[test]
    fn values_of_numbers_are_torchs() {
        let x = [0.5f64, -1.0, 2.0, 1.5, 0.3, -0.2];
        let rows = [Target::values(vec![1.0, 0.0, 1.5]), Target::values(vec![0.0, -2.0, 0.0])];
        let objective = Objective::new(Loss::SquaredError, None, 0.0);
        let targets = objective.targets(&rows, 3, objective.denominator(rows.iter(), 3));
        let squares =
            x.iter().zip(targets.chunks_exact(2)).map(|(x, t)| f64::from(t[1]) * (x - f64::from(t[0])).powi(2));
        let got = squares.sum::<f64>();
        assert!((got - 1.513_333_333_333_333).abs() < 1e-6, "{got}");
    }

    #[test]
    fn balanced_positives_are_negatives_by_positives() {
        let rows = [vec![0], vec![0, 1], vec![0], vec![]].map(Target::labels);
        assert_eq!(balanced_positives(3, rows.iter()), [1.0 / 3.0, 3.0, 1.0]);
        assert_eq!(balanced_positives(2, rows[..3].iter()), [1.0, 2.0], "every row has the first");
    }
}
