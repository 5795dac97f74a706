//! The kernels of the CPU: plain functions over slices, on all threads of rayon's pool.
//!
//! Loops over rows are cut at places that depend on shapes alone, and every sum has one order: no number of threads changes a
//! bit. Tasks are single pieces (`with_max_len`): a thread that wakes late or meets longer rows then costs one piece, not half
//! of the work. Loops are compiled several times, for the vector instructions of each generation of processors, and chosen at run time.

mod attention;
mod bf16;
mod buffer;
mod embedding;
mod gelu;
mod head;
mod matmul;
mod norm;
mod optimizer;
mod products;
mod small;
mod vector;
mod view;

use std::{borrow::Cow, ops::Range};

use rayon::prelude::*;

use super::{AdamW, Attention, Backend, Dropout, Embedding, LayerNorm, Linear, Moments, Occurrence, Sums, Untouched};
use products::Products;
use vector::vectorised;
use view::View;

pub use buffer::Buffer;

/// Σ of `value` over numbers at the same places of slices as long as the first, in sixteen lanes: vector instructions, and
/// smaller rounding errors than one running sum.
#[inline(always)]
fn sum<const N: usize>(slices: [&[f32]; N], value: impl Fn([f32; N]) -> f32) -> f32 {
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

/// The CPU. By default all arithmetic is in f32.
#[derive(Default)]
pub struct Cpu {
    products: Products,
    sums: Sums,
    finished: Vec<Sums>,
}

impl Cpu {
    /// With the products of affine maps that are not [`Linear::exact`] in bfloat16, summed in f32; all else stays f32. None on
    /// a processor without instructions for it.
    pub fn bf16() -> Option<Self> {
        bf16::level().map(|level| Self { products: Products::bf16(level), ..Self::default() })
    }
}

/// The instructions that [`Cpu::bf16`] uses, the fastest of this processor's: `amx-bf16` or `avx512-bf16`.
pub fn bf16_instructions() -> Option<&'static str> {
    bf16::level().map(bf16::Level::name)
}

/// Token ids, positions and sequences of a batch.
#[derive(Debug, Clone)]
pub struct CpuBatch {
    ids: Vec<u32>,
    positions: Vec<u32>,
    offsets: Vec<u32>,
}

impl CpuBatch {
    fn tokens(&self) -> usize {
        self.ids.len()
    }

    fn first(&self) -> impl Iterator<Item = usize> {
        self.offsets[..self.offsets.len() - 1].iter().map(|at| *at as usize)
    }
}

/// Writes or adds up gradients.
fn store(gradients: &mut [f32], at: usize, values: &[f32], fresh: bool) {
    let gradients = &mut gradients[at..at + values.len()];
    if fresh {
        gradients.copy_from_slice(values);
    } else {
        gradients.iter_mut().zip(values).for_each(|(sum, v)| *sum += v);
    }
}

/// Adds the bias to every row.
fn add_bias(y: &mut [f32], bias: &[f32]) {
    const ROWS: usize = 16;
    y.par_chunks_mut(ROWS * bias.len()).with_max_len(1).for_each(|y| {
        vectorised!({
            for row in y.chunks_exact_mut(bias.len()) {
                row.iter_mut().zip(bias).for_each(|(y, b)| *y += b);
            }
        });
    });
}

/// Sum of each column of `[rows, cols]`, rows always added in order.
fn column_sums(values: &[f32], cols: usize) -> Vec<f32> {
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

impl Backend for Cpu {
    type Buffer = Buffer;
    type Batch = CpuBatch;

    /// On a thread of the pool: from outside, every kernel would hand its work over and wait, which wakes two threads.
    fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        rayon::scope(|_| work())
    }

    fn zeros(&self, len: usize) -> Buffer {
        Buffer::new(len)
    }

    fn zeros_of_parameters(&self, len: usize, dense: usize) -> Buffer {
        Buffer::on_large_pages(len, dense)
    }

    fn write(&self, buffer: &mut Buffer, at: usize, values: &[f32]) {
        buffer[at..at + values.len()].copy_from_slice(values);
    }

    fn read<'a>(&self, buffer: &'a Buffer, range: Range<usize>) -> Cow<'a, [f32]> {
        Cow::Borrowed(&buffer[range])
    }

    fn clear(&self, buffer: &mut Buffer, len: usize) {
        buffer[..len].fill(0.0);
    }

    fn batch(&mut self, ids: &[u32], positions: &[u32], offsets: &[u32]) -> CpuBatch {
        CpuBatch { ids: ids.to_vec(), positions: positions.to_vec(), offsets: offsets.to_vec() }
    }

    fn parameters_written(&mut self) {
        self.products.parameters_changed();
    }

    fn begin_step(&mut self) {
        self.sums = Sums::default();
    }

    fn sums(&mut self) -> Sums {
        self.sums
    }

    fn end_step(&mut self) {
        self.finished.push(self.sums);
    }

    fn finished(&mut self, _: bool) -> Vec<Sums> {
        std::mem::take(&mut self.finished)
    }

    fn embed(
        &mut self,
        out: &mut Buffer,
        sum: &mut Buffer,
        stats: &mut Buffer,
        parameters: &Buffer,
        embedding: Embedding,
        norm: LayerNorm,
        untouched: Untouched,
        batch: &CpuBatch,
        dropout: Option<Dropout>,
    ) {
        let (n, rows) = (batch.tokens() * embedding.width, batch.tokens());
        let written = (&mut out[..n], &mut sum[..n], &mut stats[..2 * rows]);
        embedding::forward(written, parameters, embedding, norm, untouched, &batch.ids, &batch.positions, dropout);
    }

    fn embed_backward(
        &mut self,
        d_out: &mut Buffer,
        words: &mut Buffer,
        gradients: &mut Buffer,
        fresh: bool,
        sum: &Buffer,
        stats: &Buffer,
        parameters: &Buffer,
        embedding: Embedding,
        norm: LayerNorm,
        batch: &CpuBatch,
        occurrences: &[Occurrence],
        dropout: Option<Dropout>,
    ) {
        let (n, rows) = (embedding.width, batch.tokens());
        let (d_out, sum, stats) = (&mut d_out[..rows * n], &sum[..rows * n], &stats[..2 * rows]);
        let weight = &parameters[norm.weight..][..n];
        let (dw, db) = norm::norm_dropout_backward(d_out, sum, stats, weight, dropout);
        store(gradients, norm.weight, &dw, fresh);
        store(gradients, norm.bias, &db, fresh);
        embedding::words_backward(words, d_out, n, occurrences);
        // Positions lie before the token types: see the engine's layout.
        let (positions, token_types) = gradients.split_at_mut(embedding.token_type);
        let positions = &mut positions[embedding.position..];
        let token_type = &mut token_types[..n];
        if fresh {
            positions.fill(0.0);
            token_type.fill(0.0);
        }
        embedding::positions_backward(positions, token_type, d_out, n, &batch.positions);
    }

    fn linear(&mut self, y: &mut Buffer, x: &Buffer, rows: usize, parameters: &Buffer, l: Linear, biased: bool) {
        let x = View::new(x, rows, l.width, l.width);
        self.products.forward(&mut y[..rows * l.out], x, parameters, l, biased);
    }

    fn linear_input(&mut self, dx: &mut Buffer, add: bool, dy: &Buffer, rows: usize, parameters: &Buffer, l: Linear) {
        let dy = View::new(dy, rows, l.out, l.out);
        self.products.input(&mut dx[..rows * l.width], add, dy, parameters, l);
    }

    fn linear_parameters(
        &mut self,
        gradients: &mut Buffer,
        fresh: bool,
        dy: &Buffer,
        x: &Buffer,
        rows: usize,
        l: Linear,
    ) {
        self.products.parameters(gradients, fresh, dy, x, rows, l);
    }

    fn attention(&mut self, context: &mut Buffer, q: &Buffer, kv: &Buffer, batch: &CpuBatch, attention: Attention) {
        attention.forward(context, q, kv, &batch.offsets);
    }

    fn attention_backward(
        &mut self,
        dq: &mut Buffer,
        dkv: &mut Buffer,
        d_context: &Buffer,
        q: &Buffer,
        kv: &Buffer,
        batch: &CpuBatch,
        attention: Attention,
    ) {
        attention.backward(dq, dkv, d_context, q, kv, &batch.offsets);
    }

    fn bias_gelu(
        &mut self,
        y: &mut Buffer,
        x: &mut Buffer,
        rows: usize,
        parameters: &Buffer,
        l: Linear,
        derivative: bool,
    ) {
        let bias = &parameters[l.bias..][..l.out];
        let (y, x) = (&mut y[..rows * l.out], &mut x[..rows * l.out]);
        if derivative { gelu::forward_with_derivative(y, x, bias) } else { gelu::forward(y, x, bias) }
    }

    fn multiply(&mut self, y: &mut Buffer, x: &Buffer, len: usize) {
        const CHUNK: usize = 16 * 1024;
        y[..len].par_chunks_mut(CHUNK).zip(x[..len].par_chunks(CHUNK)).with_max_len(1).for_each(|(y, x)| {
            vectorised!(y.iter_mut().zip(x).for_each(|(y, x)| *y *= x));
        });
    }

    fn add_norm(
        &mut self,
        y: &mut Buffer,
        x: &mut Buffer,
        stats: &mut Buffer,
        residual: &Buffer,
        rows: usize,
        parameters: &Buffer,
        linear: Linear,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    ) {
        let n = rows * norm.width;
        let at = |at: usize| &parameters[at..][..norm.width];
        let before = norm::Before { bias: at(linear.bias), residual: &residual[..n], dropout };
        let (y, x, stats) = (&mut y[..n], &mut x[..n], &mut stats[..2 * rows]);
        norm::add_norm(y, x, stats, &before, at(norm.weight), at(norm.bias), norm.eps);
    }

    fn add_norm_backward(
        &mut self,
        d_residual: &mut Buffer,
        dx: &mut Buffer,
        gradients: &mut Buffer,
        fresh: bool,
        dy: &Buffer,
        x: &Buffer,
        stats: &Buffer,
        rows: usize,
        parameters: &Buffer,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    ) {
        let n = rows * norm.width;
        let weight = &parameters[norm.weight..][..norm.width];
        let (d_residual, dx) = (&mut d_residual[..n], &mut dx[..n]);
        let (dw, db) = norm::add_norm_backward(d_residual, dx, &dy[..n], &x[..n], &stats[..2 * rows], weight, dropout);
        store(gradients, norm.weight, &dw, fresh);
        store(gradients, norm.bias, &db, fresh);
    }

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

    fn tanh(&mut self, y: &mut Buffer, x: &mut Buffer, rows: usize, width: usize, dropout: Option<Dropout>) {
        head::tanh_dropout(&mut y[..rows * width], &mut x[..rows * width], width, dropout);
    }

    fn tanh_backward(&mut self, dy: &mut Buffer, x: &Buffer, rows: usize, width: usize, dropout: Option<Dropout>) {
        head::tanh_dropout_backward(&mut dy[..rows * width], &x[..rows * width], width, dropout);
    }

    fn cross_entropy(&mut self, d_logits: &mut Buffer, logits: &Buffer, targets: &[f32], rows: usize, labels: usize) {
        self.sums.loss +=
            head::cross_entropy(&mut d_logits[..rows * labels], &logits[..rows * labels], targets, labels);
    }

    fn add_squares(&mut self, x: &Buffer, range: Range<usize>) {
        self.sums.squares += optimizer::sum_of_squares(&x[range]);
    }

    fn adamw(&mut self, moments: Moments<Buffer>, gradients: &Buffer, range: Range<usize>, update: AdamW) {
        let Some(clip) = update.clip.factor(self.sums) else { return };
        let Moments { values, first, second } = moments;
        let (p, m, v) = (&mut values[range.clone()], &mut first[range.clone()], &mut second[range.clone()]);
        optimizer::adamw(p, m, v, &gradients[range], update, clip);
        self.products.parameters_changed();
    }

    fn adamw_rows(
        &mut self,
        moments: Moments<Buffer>,
        gradients: &Buffer,
        table: usize,
        width: usize,
        rows: &[(u32, Option<u32>)],
        update: AdamW,
    ) {
        let Some(clip) = update.clip.factor(self.sums) else { return };
        let Moments { values, first, second } = moments;
        let tables = (&mut values[table..], &mut first[table..], &mut second[table..]);
        optimizer::adamw_rows(tables, gradients, width, rows, update, clip);
    }

    fn scale_rows(&mut self, values: &mut Buffer, table: usize, width: usize, rows: &[u32], by: f32) {
        for &row in rows {
            values[table + row as usize * width..][..width].iter_mut().for_each(|v| *v *= by);
        }
    }
}
