//! Layer normalisation (Ba et al. 2016), fused with the operations before it: bias, dropout and residual.

use rayon::prelude::*;

use super::{
    super::{AddNorm, AddNormBackward, Dropout, LayerNorm, NormOps},
    Buffer, Cpu, bias, store, sum,
    vector::vectorised,
};

/// Rows of a task: fixed, so that the order of sums does not depend on the number of threads.
const ROWS: usize = 16;

/// y = norm(x) of a row, all `[width]`; returns mean and reciprocal standard deviation.
#[inline(always)]
pub fn normalise(y: &mut [f32], x: &[f32], weight: &[f32], bias: &[f32], eps: f32) -> (f32, f32) {
    let n = x.len();
    let (y, weight, bias) = (&mut y[..n], &weight[..n], &bias[..n]);
    let mean = sum([x], |[x]| x) / n as f32;
    let variance = sum([x], |[x]| (x - mean) * (x - mean)) / n as f32;
    let rstd = 1.0 / (variance + eps).sqrt();
    for i in 0..n {
        y[i] = (x[i] - mean) * rstd * weight[i] + bias[i];
    }
    (mean, rstd)
}

/// The gradient of a row: with x̂ = (x − mean)·rstd and h = dy·w, dx = rstd·(h − mean(h) − x̂·mean(h·x̂)), dw += dy·x̂,
/// db += dy.
#[inline(always)]
fn normalise_backward(dx: &mut [f32], dw: &mut [f32], db: &mut [f32], dy: &[f32], x: &[f32], stats: &[f32], w: &[f32]) {
    let (n, mean, rstd) = (x.len(), stats[0], stats[1]);
    let (dx, dw, db, dy, w) = (&mut dx[..n], &mut dw[..n], &mut db[..n], &dy[..n], &w[..n]);
    let mean_h = sum([dy, w], |[dy, w]| dy * w) / n as f32;
    let mean_hx = sum([dy, w, x], |[dy, w, x]| dy * w * ((x - mean) * rstd)) / n as f32;
    // Two loops: with one, the compiler does not prove that the written slices are distinct, and does not vectorise.
    for i in 0..n {
        dx[i] = rstd * (dy[i] * w[i] - mean_h - (x[i] - mean) * rstd * mean_hx);
    }
    for i in 0..n {
        dw[i] += dy[i] * ((x[i] - mean) * rstd);
        db[i] += dy[i];
    }
}

/// The operations on the norm's input.
pub struct Before<'a> {
    /// The dense layer's bias, `[width]`.
    pub bias: &'a [f32],
    /// Added after dropout, `[rows, width]`, where there is one.
    pub residual: Option<&'a [f32]>,
    /// Applied to the dense layer's output.
    pub dropout: Option<Dropout>,
}

/// x ← dropout(x + bias) + residual, where there is one, y = norm(x). `y`, `x`: `[rows, width]`; `stats`: `[rows, 2]`; `weight`, `bias`: `[width]`.
pub fn add_norm(
    y: &mut [f32],
    x: &mut [f32],
    stats: &mut [f32],
    before: &Before,
    weight: &[f32],
    bias: &[f32],
    eps: f32,
) {
    let n = weight.len();
    y.par_chunks_mut(ROWS * n)
        .zip(x.par_chunks_mut(ROWS * n))
        .zip(stats.par_chunks_mut(ROWS * 2))
        .enumerate()
        .with_max_len(1)
        .for_each(|(task, ((y, x), stats))| {
            let mut factors = vec![1.0f32; n];
            vectorised!({
                let rows = y.chunks_exact_mut(n).zip(x.chunks_exact_mut(n)).zip(stats.chunks_exact_mut(2));
                for (row, ((y, x), stats)) in (task * ROWS..).zip(rows) {
                    if let Some(dropout) = before.dropout {
                        dropout.fill(dropout.index(row, n), &mut factors);
                    }
                    let dropped = x.iter_mut().zip(before.bias).zip(&factors);
                    match before.residual.map(|residual| &residual[row * n..][..n]) {
                        Some(residual) => {
                            dropped
                                .zip(residual)
                                .for_each(|(((x, b), factor), residual)| *x = (*x + b) * factor + residual);
                        }
                        None => dropped.for_each(|((x, b), factor)| *x = (*x + b) * factor),
                    }
                    (stats[0], stats[1]) = normalise(y, x, weight, bias, eps);
                }
            });
        });
}

/// The backward pass of [`add_norm`], from the sum that it left in `x`: all as in [`AddNormBackward`]. Returns the gradients of the norm's
/// weight and bias, summed in the order of the rows.
fn add_norm_backward(args: &mut AddNormBackward<Buffer>) -> (Vec<f32>, Vec<f32>) {
    let AddNormBackward { d_residual, dx, dy, x, stats, parameters, .. } = args;
    let (add, rows, norm, dropout) = (args.add, args.rows, args.norm, args.dropout);
    let (n, len) = (norm.width, rows * norm.width);
    let weight = &parameters[norm.weight..][..n];
    // A part for each task, of nothing where dx is not wanted.
    let mut dx: Vec<_> =
        dx.as_deref_mut().map_or_else(Vec::new, |dx| dx[..len].chunks_mut(ROWS * n).map(Some).collect());
    dx.resize_with(rows.div_ceil(ROWS), || None);
    let tasks = d_residual[..len]
        .par_chunks_mut(ROWS * n)
        .zip(dx)
        .zip(dy[..len].par_chunks(ROWS * n))
        .zip(x[..len].par_chunks(ROWS * n))
        .zip(stats[..2 * rows].par_chunks(ROWS * 2))
        .enumerate()
        .with_max_len(1);
    let partial = tasks.map(|(task, ((((d_residual, mut dx), dy), x), stats))| {
        let (mut dw, mut db, mut factors) = (vec![0.0f32; n], vec![0.0f32; n], vec![1.0f32; n]);
        let mut before = vec![0.0f32; if add { n } else { 0 }];
        vectorised!({
            let read = dy.chunks_exact(n).zip(x.chunks_exact(n)).zip(stats.chunks_exact(2));
            for (i, (d_residual, ((dy, x), stats))) in d_residual.chunks_exact_mut(n).zip(read).enumerate() {
                if add {
                    before.copy_from_slice(d_residual);
                }
                normalise_backward(d_residual, &mut dw, &mut db, dy, x, stats, weight);
                if add {
                    d_residual.iter_mut().zip(&before).for_each(|(d, before)| *d += before);
                }
                let Some(dx) = dx.as_deref_mut().map(|dx| &mut dx[i * n..][..n]) else { continue };
                if let Some(dropout) = dropout {
                    dropout.fill(dropout.index(task * ROWS + i, n), &mut factors);
                }
                for ((dx, d), factor) in dx.iter_mut().zip(d_residual).zip(&factors) {
                    *dx = *d * factor;
                }
            }
        });
        (dw, db)
    });
    add_up(partial.collect(), n)
}

/// The backward pass of y = dropout(norm(x)) in place: dy becomes dx. Returns the gradients of weight and bias.
pub fn norm_dropout_backward(
    dy: &mut [f32],
    x: &[f32],
    stats: &[f32],
    weight: &[f32],
    dropout: Option<Dropout>,
) -> (Vec<f32>, Vec<f32>) {
    let n = weight.len();
    let tasks = dy
        .par_chunks_mut(ROWS * n)
        .zip(x.par_chunks(ROWS * n))
        .zip(stats.par_chunks(ROWS * 2))
        .enumerate()
        .with_max_len(1);
    let partial = tasks.map(|(task, ((dy, x), stats))| {
        let (mut dw, mut db, mut factors) = (vec![0.0f32; n], vec![0.0f32; n], vec![1.0f32; n]);
        let mut dropped = vec![0.0f32; n];
        vectorised!({
            for (i, ((dy, x), stats)) in
                dy.chunks_exact_mut(n).zip(x.chunks_exact(n)).zip(stats.chunks_exact(2)).enumerate()
            {
                if let Some(dropout) = dropout {
                    dropout.fill(dropout.index(task * ROWS + i, n), &mut factors);
                }
                for ((dropped, dy), factor) in dropped.iter_mut().zip(&*dy).zip(&factors) {
                    *dropped = dy * factor;
                }
                normalise_backward(dy, &mut dw, &mut db, &dropped, x, stats, weight);
            }
        });
        (dw, db)
    });
    add_up(partial.collect(), n)
}

fn add_up(partial: Vec<(Vec<f32>, Vec<f32>)>, n: usize) -> (Vec<f32>, Vec<f32>) {
    let (mut dw, mut db) = (vec![0.0f32; n], vec![0.0f32; n]);
    vectorised!({
        for (part_w, part_b) in &partial {
            dw.iter_mut().zip(part_w).for_each(|(sum, part)| *sum += part);
            db.iter_mut().zip(part_b).for_each(|(sum, part)| *sum += part);
        }
    });
    (dw, db)
}

/// Overwrites or accumulates the gradients of a norm's parameters.
pub fn store_parameters(gradients: &mut [f32], norm: LayerNorm, (dw, db): (Vec<f32>, Vec<f32>), fresh: bool) {
    store(gradients, norm.weight, &dw, fresh);
    if let Some(at) = norm.bias {
        store(gradients, at, &db, fresh);
    }
}

impl NormOps for Cpu {
    fn add_norm(&mut self, args: AddNorm<Buffer>) {
        let AddNorm { y, x, stats, residual, rows, parameters, bias: before, norm, dropout } = args;
        let n = rows * norm.width;
        let (before, after) = (bias(parameters, before, norm.width), bias(parameters, norm.bias, norm.width));
        let before = Before { bias: &before, residual: residual.map(|residual| &residual[..n]), dropout };
        let weight = &parameters[norm.weight..][..norm.width];
        add_norm(&mut y[..n], &mut x[..n], &mut stats[..2 * rows], &before, weight, &after, norm.eps);
    }

    fn add_norm_backward(&mut self, mut args: AddNormBackward<Buffer>) {
        let of_parameters = add_norm_backward(&mut args);
        store_parameters(args.gradients, args.norm, of_parameters, args.fresh);
    }
}
