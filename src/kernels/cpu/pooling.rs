//! Rows of the first tokens.

use super::{super::PoolingOps, Buffer, Cpu, CpuBatch};

impl PoolingOps for Cpu {
    fn first_rows(&mut self, y: &mut Buffer, x: &Buffer, batch: &CpuBatch, width: usize) {
        for (y, row) in y.chunks_exact_mut(width).zip(batch.first()) {
            y.copy_from_slice(&x[row * width..][..width]);
        }
    }

    fn add_to_first_rows(&mut self, x: &mut Buffer, y: &Buffer, batch: &CpuBatch, width: usize) {
        for (y, row) in y.chunks_exact(width).zip(batch.first()) {
            x[row * width..][..width].iter_mut().zip(y).for_each(|(x, y)| *x += y);
        }
    }
}
