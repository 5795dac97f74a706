//! Sums of slices, and of the columns of rows.

use std::borrow::Cow;

use rayon::prelude::*;

use super::vector::vectorised;

/// Σ of `value` over the elements of slices at the same index, in sixteen lanes: vector instructions, and
/// smaller rounding errors than one running sum.
#[inline(always)]
pub(super) fn sum<const N: usize>(slices: [&[f32]; N], value: impl Fn([f32; N]) -> f32) -> f32 {
    let n = slices[0].len();
    // Arrays of sixteen: with an index into each slice the loop would have bounds to check, and stay scalar.
    let chunks = slices.map(|slice| slice[..n].as_chunks::<16>());
    let mut lanes = [0.0f32; 16];
    for at in 0..n / 16 {
        let parts = chunks.map(|(whole, _)| &whole[at]);
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane += value(parts.map(|part| part[i]));
        }
    }
    let rest: f32 = (0..n % 16).map(|i| value(chunks.map(|(_, rest)| rest[i]))).sum();
    lanes.iter().sum::<f32>() + rest
}

/// Writes (`fresh`) or adds gradients at an offset.
pub(super) fn store(gradients: &mut [f32], at: usize, values: &[f32], fresh: bool) {
    let gradients = &mut gradients[at..at + values.len()];
    if fresh {
        gradients.copy_from_slice(values);
    } else {
        gradients.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
    }
}

/// A bias of `width` values; zeros where there is none.
pub(super) fn bias(parameters: &[f32], at: Option<usize>, width: usize) -> Cow<'_, [f32]> {
    match at {
        Some(at) => Cow::Borrowed(&parameters[at..][..width]),
        None => Cow::Owned(vec![0.0; width]),
    }
}

/// Adds the bias, `[width]`, to every row of y, `[rows, width]`.
pub(super) fn add_bias(y: &mut [f32], bias: &[f32]) {
    const ROWS: usize = 16;
    y.par_chunks_mut(ROWS * bias.len()).with_max_len(1).for_each(|y| {
        vectorised!({
            for row in y.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        });
    });
}

/// Sums of the columns of `[rows, cols]`, rows added in order.
pub(super) fn column_sums(values: &[f32], cols: usize) -> Vec<f32> {
    const WIDTH: usize = 256;
    let mut sums = vec![0.0f32; cols];
    sums.par_chunks_mut(WIDTH).enumerate().with_max_len(1).for_each(|(chunk, sums)| {
        vectorised!({
            for row in values.chunks_exact(cols) {
                sums.iter_mut().zip(&row[chunk * WIDTH..]).for_each(|(sum, v)| *sum += v);
            }
        });
    });
    sums
}
