//! Grids of kernels.

use bytemuck::Pod;

use super::{Cuda, DeviceError, Driver, Kernel};

/// Threads of a block, as in `source/common.h`.
pub const BLOCK: usize = 256;
/// Threads of a warp.
pub const WARP: usize = 32;
/// Columns that a block of the kernel `column_sums` sums, as in `source/sums.cu`.
pub const SUMMED_COLUMNS: usize = 8;
/// The most blocks of a loop over values: several for each multiprocessor of a large device.
const MOST_BLOCKS: usize = 8192;

/// Threads of a block for rows of `width` values.
pub fn threads_of(width: usize) -> usize {
    width.next_multiple_of(WARP).clamp(WARP, BLOCK)
}

/// Blocks for a loop over `len` values.
pub fn blocks_of(len: usize) -> usize {
    len.div_ceil(BLOCK).min(MOST_BLOCKS)
}

impl<D: Driver> Cuda<D> {
    /// Runs a kernel; does nothing for an empty grid.
    pub(super) fn launch(&self, kernel: Kernel, grid: [usize; 2], threads: usize, params: &impl Pod) {
        if grid.iter().all(|n| *n > 0) {
            let grid = grid.map(|n| u32::try_from(n).expect("a grid's size"));
            self.device.with(|d| d.launch(kernel.name(), grid, threads as u32, bytemuck::bytes_of(params)));
        }
    }

    /// Runs a kernel that loops over `len` values.
    pub(super) fn each(&self, kernel: Kernel, len: usize, params: &impl Pod) {
        self.launch(kernel, [blocks_of(len), 1], BLOCK, params);
    }

    /// Fails the device: a model's sizes exceed the kernels' limits.
    pub(super) fn refuse(&self, what: String) {
        self.device.fail(DeviceError::Shape(what));
    }
}
