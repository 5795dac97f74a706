//! Losses.

use super::super::{super::LossOps, Buffer, Cuda, Driver, Kernel, launch::BLOCK, params};

impl<D: Driver> LossOps for Cuda<D> {
    fn cross_entropy(
        &mut self,
        d_logits: &mut Buffer<D>,
        logits: &Buffer<D>,
        targets: &[f32],
        gamma: f64,
        rows: usize,
        labels: usize,
    ) {
        let [targets] = self.arena.put([bytemuck::cast_slice(targets)]);
        let (sums, d_logits, logits) = (self.ledger.address(), d_logits.out(0), logits.at(0));
        let (rows, labels) = (rows as u32, labels as u32);
        if gamma == 0.0 {
            let p = params::CrossEntropy { d_logits, logits, targets, sums, rows, labels };
            return self.launch(Kernel::CrossEntropy, [1, 1], BLOCK, &p);
        }
        let p = params::FocalLoss { d_logits, logits, targets, sums, gamma, rows, labels };
        self.launch(Kernel::FocalLoss, [1, 1], BLOCK, &p);
    }

    fn binary_cross_entropy(
        &mut self,
        d_logits: &mut Buffer<D>,
        logits: &Buffer<D>,
        targets: &[f32],
        gamma: f64,
        rows: usize,
        labels: usize,
    ) {
        let [targets] = self.arena.put([bytemuck::cast_slice(targets)]);
        let (sums, d_logits, logits) = (self.ledger.address(), d_logits.out(0), logits.at(0));
        let p = params::BinaryCrossEntropy { d_logits, logits, targets, sums, gamma, len: (rows * labels) as u64 };
        self.launch(Kernel::BinaryCrossEntropy, [1, 1], BLOCK, &p);
    }

    fn squared_error(
        &mut self,
        d_outputs: &mut Buffer<D>,
        outputs: &Buffer<D>,
        targets: &[f32],
        rows: usize,
        columns: usize,
    ) {
        let [targets] = self.arena.put([bytemuck::cast_slice(targets)]);
        let (sums, d_outputs, outputs) = (self.ledger.address(), d_outputs.out(0), outputs.at(0));
        let p = params::SquaredError { d_outputs, outputs, targets, sums, len: (rows * columns) as u64 };
        self.launch(Kernel::SquaredError, [1, 1], BLOCK, &p);
    }
}
