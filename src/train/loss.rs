//! Cross-entropy with label smoothing and class weights, as `torch.nn.functional.cross_entropy` (reduction "mean").

use crate::plan::ClassWeights;

/// The loss of a run.
#[derive(Debug, Clone)]
pub struct CrossEntropy {
    /// Weight of each class; none: all 1.
    weights: Option<Vec<f64>>,
    smoothing: f64,
}

/// Weight of each class, for training rows with these labels.
pub fn class_weights(config: &ClassWeights, labels: usize, rows: impl Iterator<Item = u32>) -> Option<Vec<f64>> {
    match config {
        ClassWeights::None => None,
        ClassWeights::Given(weights) => Some(weights.clone()),
        ClassWeights::Balanced => {
            let mut counts = vec![0u64; labels];
            rows.for_each(|label| counts[label as usize] += 1);
            let total = counts.iter().sum::<u64>() as f64;
            // A class without training rows has no weight to be found: its rows cannot occur either.
            Some(counts.iter().map(|&n| if n == 0 { 0.0 } else { total / (labels as f64 * n as f64) }).collect())
        }
    }
}

impl CrossEntropy {
    /// `smoothing` in [0, 1).
    pub fn new(weights: Option<Vec<f64>>, smoothing: f64) -> Self {
        Self { weights, smoothing }
    }

    fn weight(&self, class: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |w| w[class])
    }

    /// What the sum over rows is divided by: the weights of the rows' labels, all rows of an optimiser step together.
    pub fn denominator<'a>(&self, labels: impl Iterator<Item = &'a u32>) -> f64 {
        labels.map(|&l| self.weight(l as usize)).sum()
    }

    /// What the log-probabilities of rows with these labels are multiplied by, `[rows, classes]`: the loss is
    /// −Σ targets·log softmax(logits).
    ///
    /// A row's are (1−ε)·w_y on its own label plus ε·w_c / C on every one, all divided by `denominator`.
    pub fn targets(&self, labels: &[u32], classes: usize, denominator: f64) -> Vec<f32> {
        // Weights whose sum is beyond float64 would give a loss of 0.
        let denominator = if denominator.is_finite() { denominator } else { f64::NAN };
        let mut targets = Vec::with_capacity(labels.len() * classes);
        for &label in labels {
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
    use crate::metrics::log_softmax;

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
        let labels = [2, 1, 0];
        for (weights, smoothing, want) in EXPECTED {
            let ce = CrossEntropy::new(weights.map(|w| w.to_vec()), smoothing);
            let denominator = ce.denominator(labels.iter());
            let loss = |rows: &[[f32; 3]], labels: &[u32]| -> f64 {
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
        let got = class_weights(&ClassWeights::Balanced, 2, [0, 0, 0, 1].into_iter()).expect("weights");
        assert!((got[0] - 2.0 / 3.0).abs() < 1e-12 && (got[1] - 2.0).abs() < 1e-12);
        assert_eq!(class_weights(&ClassWeights::None, 2, [0].into_iter()), None);
    }
}
