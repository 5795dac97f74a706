//! NVIDIA GPUs: the same layers as the CPU's, as kernels of CUDA.
//!
//! The kernels are in `source`, one module in CUDA's C++, which `build.sh` compiles to `kernels.ptx`; the driver of any GPU turns
//! that into its own instructions. [`Cuda`] is the host's side: it launches kernels, and never waits for the device
//! inside a step. All goes through a [`Driver`]: [`Device`] is a real one; the tests have another, that runs the same
//! kernels on the processor. Matrix products are cuBLAS's.
//!
//! The order of sums depends on shapes alone and there are no atomic additions: the same device gives the same results.

#[cfg(not(feature = "cuda"))]
mod absent;
#[cfg(feature = "cuda")]
mod context;
#[cfg(feature = "cuda")]
mod device;
mod driver;
mod kernel;
mod launch;
mod ledger;
#[cfg(feature = "cuda")]
mod library;
mod memory;
mod ops;
pub(in crate::kernels) mod params;
#[cfg(feature = "cuda")]
mod products;
#[cfg(feature = "cuda")]
mod staging;

pub use super::DeviceError;
#[cfg(not(feature = "cuda"))]
pub use absent::{Device, devices, find_cublas, free_memory, usable, versions};
#[cfg(feature = "cuda")]
pub use context::{devices, free_memory, usable};
#[cfg(feature = "cuda")]
pub use device::Device;
pub use driver::{DeviceInfo, Driver, Factors, Product};
#[cfg(feature = "cuda")]
pub use library::{find_cublas, versions};

use std::{cell::OnceCell, sync::Arc};

use super::{MASK_WIDTH, Requirements};
use kernel::Kernel;
use launch::{BLOCK, SUMMED_COLUMNS};
use ledger::Ledger;
use memory::{Arena, Memory, Shared};
use ops::positions::PairsAt;
use params::Address;

pub use memory::Buffer;

/// The largest sizes that the kernels take: by the registers of a norm's threads, the tiles of attention, and the width of its
/// dropout mask.
pub const LIMITS: Requirements = Requirements { norm_width: 2048, head_width: 128, longest: MASK_WIDTH };

/// Bytes of scratch memory at first.
const SCRATCH: usize = 1 << 16;

/// Bytes that scratch memory grows to when more is asked for.
fn grown(bytes: usize) -> usize {
    2 * bytes
}

/// Bytes of a device that [`Cuda`] takes beside the engine's buffers, when steps have up to so many tokens in a part; `is_relative`: whether
/// attention has relative positions.
pub fn own_bytes(tokens: usize, width: usize, heads: usize, is_relative: bool) -> usize {
    let largest = ops::attention::scratch_bytes(tokens, heads).max(ops::norm::scratch_bytes(tokens, width));
    let scratch = if largest > SCRATCH { grown(largest) } else { SCRATCH };
    let partial = if is_relative { ops::attention::partial_bytes(width, heads) } else { 0 };
    Arena::<Device>::BYTES + Ledger::<Device>::BYTES + scratch + partial
}

/// The engine's operations on a device.
pub struct Cuda<D: Driver> {
    device: Arc<Shared<D>>,
    /// What factors of products that need not be exact are.
    factors: Factors,
    arena: Arena<D>,
    ledger: Ledger<D>,
    /// For sums on their way; what is in it is one call's.
    scratch: Memory<D>,
    /// For the sums of relative positions: empty in a model that has none, and of one size otherwise.
    partial: Memory<D>,
}

/// The tokens of a batch: see [`super::TokenStream`].
pub struct CudaBatch {
    ids: Vec<u32>,
    positions: Vec<u32>,
    token_types: Vec<u32>,
    offsets: Vec<u32>,
    /// The same four on the device.
    on_device: [Address; 4],
    /// (sequence, first row) of attention's tiles: where, and how many.
    tiles: OnceCell<(Address, u32)>,
    /// Pairs of these tiles, with queries of all tokens, and of the first of each sequence.
    pairs: [OnceCell<PairsAt>; 2],
}

impl CudaBatch {
    fn tokens(&self) -> usize {
        self.ids.len()
    }

    fn sequences(&self) -> usize {
        self.offsets.len() - 1
    }

    fn device_offsets(&self) -> Address {
        self.on_device[3]
    }
}

impl<D: Driver> Cuda<D> {
    /// On a device; products that are not [`super::Linear::exact`] multiply `factors`.
    ///
    /// # Errors
    /// No memory.
    pub fn new(driver: D, factors: Factors) -> Result<Self, DeviceError> {
        let device = Arc::new(Shared::new(driver));
        let (arena, ledger, scratch) = (Arena::new(&device), Ledger::new(&device), Memory::new(&device, SCRATCH));
        let partial = Memory::new(&device, 0);
        device.health()?;
        Ok(Self { device, factors, arena, ledger, scratch, partial })
    }

    /// At least so many bytes that are this call's.
    fn scratch(&mut self, bytes: usize) -> Address {
        if bytes > self.scratch.bytes() {
            self.scratch = Memory::new(&self.device, grown(bytes));
        }
        self.scratch.address()
    }

    /// Sums of the columns of a matrix.
    fn column_sums(&self, sums: params::ColumnSums) {
        self.launch(Kernel::ColumnSums, [(sums.width as usize).div_ceil(SUMMED_COLUMNS), 1], BLOCK, &sums);
    }
}

/// The address of an offset; 0, which kernels know as none, where there is none.
fn address<D: Driver>(buffer: &Buffer<D>, at: Option<usize>) -> Address {
    at.map_or(0, |at| buffer.at(at))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use sha2::{Digest, Sha256};

    use super::Kernel;

    const PTX: &str = include_str!("kernels.ptx");

    /// `build.sh` notes which sources it compiled.
    #[test]
    fn the_kernels_are_those_of_the_sources() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/kernels/cuda/source");
        let entries = folder.read_dir().expect("the sources").map(|entry| entry.expect("an entry").path());
        let mut files: Vec<_> = entries.collect();
        files.sort();
        let mut digest = Sha256::new();
        files.iter().for_each(|file| digest.update(std::fs::read(file).expect("a source")));
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let noted = PTX.lines().find_map(|line| line.strip_prefix("// sources: "));
        assert_eq!(noted, Some(digest.as_str()), "run src/kernels/cuda/build.sh: kernels.ptx is of other sources");
    }

    /// The sources have the kernels of [`Kernel`], and no others.
    #[test]
    fn every_kernel_is_there() {
        let entries = PTX.lines().filter_map(|line| line.strip_prefix(".visible .entry ")?.strip_suffix('('));
        let mut entries: Vec<&str> = entries.collect();
        let mut names = Kernel::ALL.map(Kernel::name);
        entries.sort_unstable();
        names.sort_unstable();
        assert_eq!(entries, names);
    }
}
