//! Losses.

use super::super::{super::LossOps, Buffer, Cuda, Driver, Kernel, launch::BLOCK, params};

impl<D: Driver> LossOps for Cuda<D> {
    fn cross_entropy(
        &mut self,
        d_logits: &mut Buffer<D>,
        logits: &Buffer<D>,
        targets: &[f32],
        rows: usize,
        labels: usize,
    ) {
        let [targets] = self.arena.put([bytemuck::cast_slice(targets)]);
        let (sums, d_logits) = (self.ledger.address(), d_logits.out(0));
        let (rows, labels) = (rows as u32, labels as u32);
        let p = params::CrossEntropy { d_logits, logits: logits.at(0), targets, sums, rows, labels };
        self.launch(Kernel::CrossEntropy, [1, 1], BLOCK, &p);
    }
}
