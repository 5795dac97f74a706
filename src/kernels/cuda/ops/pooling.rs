//! Rows of the first tokens, and means over tokens.

use super::super::{super::PoolingOps, Buffer, Cuda, CudaBatch, Driver, Kernel, launch::threads_of, params};

impl<D: Driver> Cuda<D> {
    /// `y` is written: rows of sequences, from those of tokens.
    fn write_sequences(&self, kernel: Kernel, y: &mut Buffer<D>, x: &Buffer<D>, batch: &CudaBatch, width: usize) {
        let (y, y_half) = y.both(0);
        let p = params::FirstRows { x: x.at(0), y, y_half, offsets: batch.device_offsets(), width: width as u64 };
        self.launch(kernel, [batch.sequences(), 1], threads_of(width), &p);
    }

    /// `x` is written: rows of tokens, from those of sequences.
    fn write_tokens(&self, kernel: Kernel, x: &mut Buffer<D>, y: &Buffer<D>, batch: &CudaBatch, width: usize) {
        let (x, offsets) = (x.out(0), batch.device_offsets());
        let p = params::FirstRows { x, y: y.at(0), y_half: 0, offsets, width: width as u64 };
        self.launch(kernel, [batch.sequences(), 1], threads_of(width), &p);
    }
}

impl<D: Driver> PoolingOps for Cuda<D> {
    fn first_rows(&mut self, y: &mut Buffer<D>, x: &Buffer<D>, batch: &CudaBatch, width: usize) {
        self.write_sequences(Kernel::FirstRows, y, x, batch, width);
    }

    fn add_to_first_rows(&mut self, x: &mut Buffer<D>, y: &Buffer<D>, batch: &CudaBatch, width: usize) {
        self.write_tokens(Kernel::AddToFirstRows, x, y, batch, width);
    }

    fn mean_rows(&mut self, y: &mut Buffer<D>, x: &Buffer<D>, batch: &CudaBatch, width: usize) {
        self.write_sequences(Kernel::MeanRows, y, x, batch, width);
    }

    fn mean_rows_backward(&mut self, x: &mut Buffer<D>, y: &Buffer<D>, batch: &CudaBatch, width: usize) {
        self.write_tokens(Kernel::MeanRowsBackward, x, y, batch, width);
    }
}
