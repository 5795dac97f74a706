//! Embedding lookup and its sparse gradient.

use rayon::prelude::*;

use super::{
    super::{Embed, EmbedBackward, EmbeddingOps, Occurrence, Table},
    Buffer, Cpu, CpuBatch, bias,
    buffer::Shared,
    norm::{norm_dropout_backward, normalise, store_parameters},
    vector::vectorised,
};

/// Rows of a task.
const ROWS: usize = 16;

impl EmbeddingOps for Cpu {
    fn embed(&mut self, args: Embed<Buffer, CpuBatch>) {
        let Embed { out, sum, stats, parameters, embedding: e, norm, untouched, batch, dropout } = args;
        let (n, rows) = (e.word.width, batch.tokens());
        let (out, sum, stats) = (&mut out[..rows * n], &mut sum[..rows * n], &mut stats[..2 * rows]);
        assert!(e.has(&batch.ids, &batch.positions, &batch.token_types), "a token of a row past the end of its table");
        let row = |table: Table, row: u32| &parameters[table.offset + row as usize * n..][..n];
        let none = vec![0.0f32; n];
        let row_if_any = |table: Option<Table>, index: u32| table.map_or(none.as_slice(), |table| row(table, index));
        let (weight, bias) = (&parameters[norm.weight..][..n], bias(parameters, norm.bias, n));
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
                        let id = batch.ids[token];
                        let touched = untouched.touched.get(id as usize).is_none_or(|touched| *touched);
                        let decay = if touched { 1.0 } else { untouched.decay };
                        let position = row_if_any(e.position, batch.positions[token]);
                        let token_type = row_if_any(e.token_type, batch.token_types[token]);
                        for (((sum, w), p), t) in sum.iter_mut().zip(row(e.word, id)).zip(position).zip(token_type) {
                            *sum = w * decay + p + t;
                        }
                        if let Some(table) = e.task {
                            sum.iter_mut().zip(row(table, 0)).for_each(|(sum, task)| *sum += task);
                        }
                        (stats[0], stats[1]) = normalise(out, sum, weight, &bias, norm.eps);
                        if let Some(dropout) = dropout {
                            dropout.fill(dropout.index(token, n), &mut factors);
                            out.iter_mut().zip(&factors).for_each(|(y, factor)| *y *= factor);
                        }
                    }
                });
            });
    }

    fn embed_backward(&mut self, args: EmbedBackward<Buffer, CpuBatch>) {
        let EmbedBackward { d_out, words, gradients, fresh, sum, stats, parameters, embedding: e, norm, batch, .. } =
            args;
        let (n, rows) = (e.word.width, batch.tokens());
        let (d_out, sum, stats) = (&mut d_out[..rows * n], &sum[..rows * n], &stats[..2 * rows]);
        let weight = &parameters[norm.weight..][..n];
        let of_norm = norm_dropout_backward(d_out, sum, stats, weight, args.dropout);
        store_parameters(gradients, norm, of_norm, fresh);
        words_backward(words, d_out, n, args.occurrences);
        let first = vec![0; if e.task.is_some() { rows } else { 0 }];
        for (table, rows_of_tokens) in
            [(e.position, &batch.positions), (e.token_type, &batch.token_types), (e.task, &first)]
        {
            let Some(table) = table else { continue };
            let table = &mut gradients[table.range()];
            if fresh {
                table.fill(0.0);
            }
            table_backward(table, d_out, n, rows_of_tokens);
        }
    }
}

/// Adds to the gradient of each word what its occurrences get; rows of `d_sum` are taken in the order of the stream.
fn words_backward(words: &mut [f32], d_sum: &[f32], n: usize, occurrences: &[Occurrence]) {
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

/// Adds to the gradient of each row of a table, `[table rows, n]`, that of the tokens which have it: `rows` holds the row of each
/// token. Tokens are taken in the order of the stream.
fn table_backward(table: &mut [f32], d_sum: &[f32], n: usize, rows: &[u32]) {
    /// Columns of a task.
    const COLS: usize = 64;
    assert!(rows.iter().all(|row| (*row as usize) < table.len() / n), "a row past the end of its table");
    // Tasks are columns, since tokens share rows.
    let shared = Shared::new(table);
    (0..n.div_ceil(COLS)).into_par_iter().with_max_len(1).for_each(|task| {
        let from = task * COLS;
        let cols = COLS.min(n - from);
        vectorised!({
            for (d, &row) in d_sum.chunks_exact(n).zip(rows) {
                // SAFETY: each task has columns of its own, and the row lies within the table.
                #[expect(unsafe_code, reason = "the tasks' columns interleave")]
                let row = unsafe { shared.part(row as usize * n + from, cols) };
                row.iter_mut().zip(&d[from..]).for_each(|(row, d)| *row += d);
            }
        });
    });
}
