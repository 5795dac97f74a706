//! Cross-entropy on the CPU. A row for each sequence: little work, one thread.

use super::{super::LossOps, Buffer, Cpu};

/// Returns −Σ targets·log softmax(logits), and writes its gradient softmax(logits)·Σ targets − targets; in float64 throughout. All
/// `[rows, labels]`.
fn cross_entropy(d_logits: &mut [f32], logits: &[f32], targets: &[f32], labels: usize) -> f64 {
    let rows = d_logits.chunks_exact_mut(labels).zip(logits.chunks_exact(labels)).zip(targets.chunks_exact(labels));
    let loss_of = |((d, x), t): ((&mut [f32], &[f32]), &[f32])| {
        // f64::max passes over NaN; a sum does not, so a spoilt row still gives a spoilt loss.
        let max = x.iter().copied().map(f64::from).fold(f64::NEG_INFINITY, f64::max);
        let log_sum = max + x.iter().map(|x| (f64::from(*x) - max).exp()).sum::<f64>().ln();
        let mass: f64 = t.iter().copied().map(f64::from).sum();
        let mut loss = 0.0;
        for ((d, x), t) in d.iter_mut().zip(x).zip(t) {
            let (log_p, t) = (f64::from(*x) - log_sum, f64::from(*t));
            // 0·∞ is not a loss: a class without a share of the target may have any logit.
            loss -= if t == 0.0 { 0.0 } else { t * log_p };
            *d = (log_p.exp() * mass - t) as f32;
        }
        // Of an impossible logit (NaN, two infinities) no row is free.
        if log_sum.is_nan() { f64::NAN } else { loss }
    };
    rows.map(loss_of).sum()
}

impl LossOps for Cpu {
    fn cross_entropy(&mut self, d_logits: &mut Buffer, logits: &Buffer, targets: &[f32], rows: usize, labels: usize) {
        self.sums.loss += cross_entropy(&mut d_logits[..rows * labels], &logits[..rows * labels], targets, labels);
    }
}
