//! Rows of the first tokens, and means over tokens.

use rayon::prelude::*;

use super::{super::PoolingOps, Buffer, Cpu, CpuBatch, vector::vectorised};

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

    fn mean_rows(&mut self, y: &mut Buffer, x: &Buffer, batch: &CpuBatch, width: usize) {
        let sequences = batch.offsets.len() - 1;
        let rows = y[..sequences * width].par_chunks_mut(width).zip(batch.offsets.par_windows(2));
        rows.with_max_len(1).for_each(|(y, o)| {
            let x = &x[o[0] as usize * width..o[1] as usize * width];
            y.fill(0.0);
            vectorised!({
                for x in x.chunks_exact(width) {
                    y.iter_mut().zip(x).for_each(|(y, x)| *y += x);
                }
                let share = 1.0 / (o[1] - o[0]) as f32;
                y.iter_mut().for_each(|y| *y *= share);
            });
        });
    }

    fn mean_rows_backward(&mut self, x: &mut Buffer, y: &Buffer, batch: &CpuBatch, width: usize) {
        for (y, o) in y.chunks_exact(width).zip(batch.offsets.windows(2)) {
            let share = 1.0 / (o[1] - o[0]) as f32;
            for x in x[o[0] as usize * width..o[1] as usize * width].chunks_exact_mut(width) {
                vectorised!(x.iter_mut().zip(y).for_each(|(x, y)| *x = y * share));
            }
        }
    }
}
