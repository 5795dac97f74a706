//! Cross-entropy with label smoothing and class weights, as `torch.nn.functional.cross_entropy` (reduction "mean").

use candle_core::{D, Result, Tensor};

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

    /// Sum over the rows of logits `[rows, labels]`, divided by `denominator`; a scalar.
    ///
    /// A row's loss is −Σ_c t_c·log p_c with t = (1−ε)·w_y on its own label plus ε·w_c / C on every one.
    pub fn loss(&self, logits: &Tensor, labels: &[u32], denominator: f64) -> Result<Tensor> {
        let classes = logits.dim(1)?;
        let mut target = Vec::with_capacity(labels.len() * classes);
        for &label in labels {
            for class in 0..classes {
                let own = if class == label as usize { (1.0 - self.smoothing) * self.weight(class) } else { 0.0 };
                target.push((own + self.smoothing * self.weight(class) / classes as f64) as f32);
            }
        }
        let target = Tensor::from_vec(target, (labels.len(), classes), logits.device())?;
        let log_p = candle_nn::ops::log_softmax(logits, D::Minus1)?;
        (log_p * target)?.sum_all()? * (-1.0 / denominator)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    const EXPECTED: [(Option<[f64; 3]>, f64, f64); 4] = [
        (None, 0.0, 1.3124959261703462),
        (None, 0.1, 1.328051481725902),
        (Some([0.5, 2.0, 1.0]), 0.0, 1.2803964763900173),
        (Some([0.5, 2.0, 1.0]), 0.1, 1.3088445166061453),
    ];

    /// Expected values: torch.nn.functional.cross_entropy(x, y, weight=…, label_smoothing=…) of torch 2.15 in float64.
    #[test]
    fn values_are_torchs() -> Result<()> {
        let x = Tensor::new(&[[0.5f32, -1.0, 2.0], [1.5, 0.3, -0.2], [-0.7, 0.9, 0.1]], &Device::Cpu)?;
        let labels = [2, 1, 0];
        for (weights, smoothing, want) in EXPECTED {
            let ce = CrossEntropy::new(weights.map(|w| w.to_vec()), smoothing);
            let got = ce.loss(&x, &labels, ce.denominator(labels.iter()))?.to_scalar::<f32>()?;
            assert!((f64::from(got) - want).abs() < 1e-6, "{weights:?} {smoothing}: {got}, wanted {want}");
            // Rows taken one by one, over the same denominator, add up to the same.
            let parts: f32 = (0..3)
                .map(|i| {
                    ce.loss(&x.narrow(0, i, 1)?, &labels[i..=i], ce.denominator(labels.iter()))?.to_scalar::<f32>()
                })
                .sum::<Result<f32>>()?;
            assert!((f64::from(parts) - want).abs() < 1e-6);
        }
        Ok(())
    }

    #[test]
    fn balanced_weights_are_scikit_learns() {
        // compute_class_weight("balanced", classes=[0, 1], y=[0, 0, 0, 1]) = [0.6667, 2.0]
        let got = class_weights(&ClassWeights::Balanced, 2, [0, 0, 0, 1].into_iter()).expect("weights");
        assert!((got[0] - 2.0 / 3.0).abs() < 1e-12 && (got[1] - 2.0).abs() < 1e-12);
        assert_eq!(class_weights(&ClassWeights::None, 2, [0].into_iter()), None);
    }
}
