//! Losses.

use super::Memory;

/// Losses and their gradients.
pub trait LossOps: Memory {
    /// Adds −Σ targets·log softmax(logits), in float64, to the step's loss, and writes its gradient; all `[rows, labels]`.
    fn cross_entropy(
        &mut self,
        d_logits: &mut Self::Buffer,
        logits: &Self::Buffer,
        targets: &[f32],
        rows: usize,
        labels: usize,
    );
}
