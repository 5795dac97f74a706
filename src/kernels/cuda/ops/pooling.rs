//! Rows of the first tokens.

use super::super::{super::PoolingOps, Buffer, Cuda, CudaBatch, Driver, Kernel, launch::threads_of, params};

impl<D: Driver> PoolingOps for Cuda<D> {
    fn first_rows(&mut self, y: &mut Buffer<D>, x: &Buffer<D>, batch: &CudaBatch, width: usize) {
        let (y, y_half) = y.both(0);
        let p = params::FirstRows { x: x.at(0), y, y_half, offsets: batch.device_offsets(), width: width as u64 };
        self.launch(Kernel::FirstRows, [batch.sequences(), 1], threads_of(width), &p);
    }

    fn add_to_first_rows(&mut self, x: &mut Buffer<D>, y: &Buffer<D>, batch: &CudaBatch, width: usize) {
        let (x, offsets) = (x.out(0), batch.device_offsets());
        let p = params::FirstRows { x, y: y.at(0), y_half: 0, offsets, width: width as u64 };
        self.launch(Kernel::AddToFirstRows, [batch.sequences(), 1], threads_of(width), &p);
    }
}
