//! Buffers and batches in the memory of the process.

use std::{borrow::Cow, ops::Range};

use super::{
    super::{Backend, Memory, Sums, TokenStream},
    Buffer, Cpu,
};

/// The tokens of a batch: see [`TokenStream`].
#[derive(Debug, Clone)]
pub struct CpuBatch {
    pub(super) ids: Vec<u32>,
    pub(super) positions: Vec<u32>,
    pub(super) token_types: Vec<u32>,
    pub(super) offsets: Vec<u32>,
}

impl CpuBatch {
    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }

    /// Index of the first token of each sequence.
    pub(super) fn first(&self) -> impl Iterator<Item = usize> {
        self.offsets[..self.offsets.len() - 1].iter().map(|at| *at as usize)
    }
}

impl Backend for Cpu {}

impl Memory for Cpu {
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
        // Of a buffer that was never written, pages that stay zero take no memory: the moments of words that never occur.
        const PAGE: usize = 1024;
        for (to, from) in buffer[at..at + values.len()].chunks_mut(PAGE).zip(values.chunks(PAGE)) {
            if bytemuck::cast_slice::<f32, u32>(to) != bytemuck::cast_slice::<f32, u32>(from) {
                to.copy_from_slice(from);
            }
        }
    }

    fn read<'a>(&self, buffer: &'a Buffer, range: Range<usize>) -> Cow<'a, [f32]> {
        Cow::Borrowed(&buffer[range])
    }

    fn clear(&self, buffer: &mut Buffer, len: usize) {
        buffer[..len].fill(0.0);
    }

    fn batch(&mut self, tokens: TokenStream) -> CpuBatch {
        CpuBatch {
            ids: tokens.ids.to_vec(),
            positions: tokens.positions.to_vec(),
            token_types: tokens.token_types.to_vec(),
            offsets: tokens.offsets.to_vec(),
        }
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
}
