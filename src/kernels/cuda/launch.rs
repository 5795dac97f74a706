//! Grids of kernels.

use bytemuck::Pod;

use super::{Cuda, DeviceError, Driver};

/// Threads of a block, as in `source/common.h`.
pub const BLOCK: usize = 256;
/// Threads of a warp.
pub const WARP: usize = 32;
/// Most blocks of a loop over numbers: several for each multiprocessor of a large device.
const MOST_BLOCKS: usize = 8192;

/// Threads for rows of `width` numbers.
pub fn threads_of(width: usize) -> usize {
    width.next_multiple_of(WARP).clamp(WARP, BLOCK)
}

/// Blocks for a loop over numbers.
pub fn blocks_of(len: usize) -> usize {
    len.div_ceil(BLOCK).min(MOST_BLOCKS)
}

impl<D: Driver> Cuda<D> {
    /// Runs a kernel; an empty grid is no work.
    pub(super) fn launch(&self, kernel: &'static str, grid: [usize; 2], threads: usize, params: &impl Pod) {
        if grid.iter().all(|n| *n > 0) {
            let grid = grid.map(|n| u32::try_from(n).expect("a grid's size"));
            self.device.with(|d| d.launch(kernel, grid, threads as u32, bytemuck::bytes_of(params)));
        }
    }

    /// The same for one that loops over `len` numbers.
    pub(super) fn each(&self, kernel: &'static str, len: usize, params: &impl Pod) {
        self.launch(kernel, [blocks_of(len), 1], BLOCK, params);
    }

    /// Notes that a model is beyond the kernels.
    pub(super) fn refuse(&self, what: String) {
        self.device.fail(DeviceError::Shape(what));
    }
}
