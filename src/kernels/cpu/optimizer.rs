//! AdamW in one pass over parameters, moments and gradients.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    super::{AdamW, Moments, OptimizerOps, Table},
    Buffer, Cpu,
    vector::vectorised,
};

/// Values of a task: fixed, so that the order of sums does not depend on the number of threads.
const CHUNK: usize = 32 * 1024;

/// Updates parameters and moments by gradients at the same indices, which are multiplied by `clip` first.
fn adamw(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], u: AdamW, clip: f64) {
    let factors = u.factors(clip);
    let chunks = p.par_chunks_mut(CHUNK).zip(m.par_chunks_mut(CHUNK)).zip(v.par_chunks_mut(CHUNK));
    chunks
        .zip(g.par_chunks(CHUNK))
        .with_max_len(1)
        .for_each(|(((p, m), v), g)| vectorised!(update(p, m, v, g, u, factors)));
}

/// Updates rows of a table, `[rows, width]`; the gradient of a row without one is zero.
fn adamw_rows(
    (p, m, v): (&mut [f32], &mut [f32], &mut [f32]),
    gradients: &[f32],
    width: usize,
    rows: &[(u32, Option<u32>)],
    u: AdamW,
    clip: f64,
) {
    let factors = u.factors(clip);
    let (p, m, v) = (super::buffer::Shared::new(p), super::buffer::Shared::new(m), super::buffer::Shared::new(v));
    let zeros = vec![0.0f32; width];
    debug_assert!(rows.is_sorted_by(|a, b| a.0 < b.0), "each row once");
    rows.par_iter().with_min_len(16).for_each(|&(row, gradient)| {
        let at = row as usize * width;
        // SAFETY: each row occurs once (ascending), so tasks have rows of their own.
        #[expect(unsafe_code, reason = "scattered rows of a table")]
        let (p, m, v) = unsafe { (p.part(at, width), m.part(at, width), v.part(at, width)) };
        let g = gradient.map_or(zeros.as_slice(), |row| &gradients[row as usize * width..][..width]);
        vectorised!(update(p, m, v, g, u, factors));
    });
}

#[inline(always)]
fn update(p: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], u: AdamW, factors: (f32, f32)) {
    for (((p, m), v), g) in p.iter_mut().zip(m).zip(v).zip(g) {
        *m = u.betas.0 * *m + factors.0 * g;
        *v = u.betas.1 * *v + factors.1 * g * g;
        *p = u.decay_factor * *p - u.step_size * *m / (v.sqrt() * u.rsqrt_correction2 + u.eps);
    }
}

/// Σ of squares in float64.
fn sum_of_squares(x: &[f32]) -> f64 {
    let parts: Vec<f64> = x.par_chunks(CHUNK).with_max_len(1).map(|x| vectorised!(squares(x))).collect();
    parts.iter().sum()
}

#[inline(always)]
fn squares(x: &[f32]) -> f64 {
    let mut lanes = [0.0f64; 16];
    let mut chunks = x.chunks_exact(16);
    for x in &mut chunks {
        for (lane, x) in lanes.iter_mut().zip(x) {
            *lane += f64::from(*x) * f64::from(*x);
        }
    }
    lanes.iter().sum::<f64>() + chunks.remainder().iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>()
}

impl OptimizerOps for Cpu {
    fn add_squares(&mut self, x: &Buffer, range: Range<usize>) {
        self.sums.squares += sum_of_squares(&x[range]);
    }

    fn adamw(&mut self, moments: Moments<Buffer>, gradients: &Buffer, range: Range<usize>, update: AdamW) {
        let Some(clip) = update.clip.factor(self.sums) else { return };
        let Moments { values, first, second } = moments;
        let (p, m, v) = (&mut values[range.clone()], &mut first[range.clone()], &mut second[range.clone()]);
        adamw(p, m, v, &gradients[range], update, clip);
        self.products.parameters_changed();
    }

    fn adamw_rows(
        &mut self,
        moments: Moments<Buffer>,
        gradients: &Buffer,
        table: Table,
        rows: &[(u32, Option<u32>)],
        update: AdamW,
    ) {
        let Some(clip) = update.clip.factor(self.sums) else { return };
        let Moments { values, first, second } = moments;
        let range = || table.range();
        let tables = (&mut values[range()], &mut first[range()], &mut second[range()]);
        adamw_rows(tables, gradients, table.width, rows, update, clip);
    }

    fn scale_rows(&mut self, values: &mut Buffer, table: Table, rows: &[u32], by: f32) {
        let values = &mut values[table.range()];
        for &row in rows {
            values[row as usize * table.width..][..table.width].iter_mut().for_each(|v| *v *= by);
        }
    }
}
