//! Losses.

use super::Memory;

/// Losses and their gradients. Each operation adds a loss to that of the step and writes its gradient; both are computed in float64.
///
/// What a target gives the factor 0 costs nothing, whatever the logit. A logit that is no number gives a loss that is none.
pub trait LossOps: Memory {
    /// −Σ targets·(1 − p)^gamma·log p, where p = softmax(logits) of a row: cross-entropy, and with `gamma` > 0 the focal loss (Lin et al. 2017). All
    /// `[rows, labels]`.
    fn cross_entropy(
        &mut self,
        d_logits: &mut Self::Buffer,
        logits: &Self::Buffer,
        targets: &[f32],
        gamma: f64,
        rows: usize,
        labels: usize,
    );

    /// −Σ (a·(1 − p)^gamma·log p + b·p^gamma·log(1 − p)), where p = σ(logits), and `targets` holds a and b, `[rows, labels, 2]`: binary
    /// cross-entropy of each label, and with `gamma` > 0 its focal loss. The others `[rows, labels]`.
    fn binary_cross_entropy(
        &mut self,
        d_logits: &mut Self::Buffer,
        logits: &Self::Buffer,
        targets: &[f32],
        gamma: f64,
        rows: usize,
        labels: usize,
    );

    /// Σ factor·(outputs − value)², where `targets` holds value and factor, `[rows, columns, 2]`. The others `[rows, columns]`.
    fn squared_error(
        &mut self,
        d_outputs: &mut Self::Buffer,
        outputs: &Self::Buffer,
        targets: &[f32],
        rows: usize,
        columns: usize,
    );
}
