//! Embedding lookup and its sparse gradient.

use rayon::prelude::*;

use super::{
    super::{Dropout, Embedding, LayerNorm, Occurrence, Untouched},
    norm::normalise,
    vector::vectorised,
};

/// Rows of a task.
const ROWS: usize = 16;

/// sum = word + position + token type, out = dropout(norm(sum)) of each token.
#[expect(clippy::too_many_arguments, reason = "three tables, a norm and dropout in one pass")]
pub fn forward(
    (out, sum, stats): (&mut [f32], &mut [f32], &mut [f32]),
    parameters: &[f32],
    e: Embedding,
    norm: LayerNorm,
    untouched: Untouched,
    ids: &[u32],
    positions: &[u32],
    dropout: Option<Dropout>,
) {
    let n = e.width;
    let row = |table: usize, row: u32| &parameters[table + row as usize * n..][..n];
    let token_type = row(e.token_type, 0);
    let (weight, bias) = (&parameters[norm.weight..][..n], &parameters[norm.bias..][..n]);
    out.par_chunks_mut(ROWS * n)
        .zip(sum.par_chunks_mut(ROWS * n))
        .zip(stats.par_chunks_mut(ROWS * 2))
        .enumerate()
        .with_max_len(1)
        .for_each(|(task, ((out, sum), stats))| {
            let mut factors = vec![1.0f32; n];
            vectorised!({
                let rows = out.chunks_exact_mut(n).zip(sum.chunks_exact_mut(n)).zip(stats.chunks_exact_mut(2));
                for (i, ((out, sum), stats)) in rows.enumerate() {
                    let token = task * ROWS + i;
                    let id = ids[token];
                    let decay = if untouched.touched.get(id as usize).is_none_or(|touched| *touched) {
                        1.0
                    } else {
                        untouched.decay
                    };
                    let (word, position) = (row(e.word, id), row(e.position, positions[token]));
                    for (((sum, w), p), t) in sum.iter_mut().zip(word).zip(position).zip(token_type) {
                        *sum = w * decay + p + t;
                    }
                    (stats[0], stats[1]) = normalise(out, sum, weight, bias, norm.eps);
                    if let Some(dropout) = dropout {
                        dropout.fill(dropout.index(token, n), &mut factors);
                        out.iter_mut().zip(&factors).for_each(|(y, factor)| *y *= factor);
                    }
                }
            });
        });
}

/// Adds to the gradient of each word what its occurrences get; rows of `d_sum` are taken in the order of the stream.
pub fn words_backward(words: &mut [f32], d_sum: &[f32], n: usize, occurrences: &[Occurrence]) {
    let mut rows: Vec<Option<&mut [f32]>> = words.chunks_exact_mut(n).map(Some).collect();
    let work: Vec<_> = occurrences.iter().map(|o| (rows[o.row as usize].take().expect("each word once"), o)).collect();
    work.into_par_iter().with_min_len(16).for_each(|(row, occurrence)| {
        vectorised!({
            for &token in &occurrence.tokens {
                row.iter_mut().zip(&d_sum[token as usize * n..][..n]).for_each(|(sum, d)| *sum += d);
            }
        });
    });
}

/// Gradients of the positions and of the token type, which every token has: `positions` holds one row for each position.
pub fn positions_backward(positions: &mut [f32], token_type: &mut [f32], d_sum: &[f32], n: usize, at: &[u32]) {
    /// Columns of a task.
    const COLS: usize = 64;
    // Tasks are columns, since tokens share rows.
    let shared = super::buffer::Shared::new(positions);
    token_type.par_chunks_mut(COLS).enumerate().for_each(|(task, token_type)| {
        let (from, cols) = (task * COLS, token_type.len());
        vectorised!({
            for (d, &position) in d_sum.chunks_exact(n).zip(at) {
                // SAFETY: each task has columns of its own.
                #[expect(unsafe_code, reason = "the tasks' columns interleave")]
                let row = unsafe { shared.part(position as usize * n + from, cols) };
                for ((row, token_type), d) in row.iter_mut().zip(token_type.iter_mut()).zip(&d[from..]) {
                    *row += d;
                    *token_type += d;
                }
            }
        });
    });
}
