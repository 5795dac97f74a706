//! What the CUDA backend needs of a device: memory, launches and matrix products, all in order, as on one CUDA stream.
//!
//! The backend is written against this trait, so that the very same kernels and the very same calls run on a GPU
//! ([`super::Device`]) and, in the tests, on the processor. Addresses are those of the device.

use crate::format::bytes;

/// What can go wrong with a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This build has nothing for such devices.
    #[error(
        "this build of taper has no CUDA: build it with the feature `cuda`, which is on by default, or use --device cpu"
    )]
    NotBuilt,
    /// There is no driver.
    #[error("no NVIDIA driver was found ({0}): install it, or use --device cpu")]
    NoDriver(String),
    /// There is a driver, but no device of this number.
    #[error(
        "there is no cuda:{ordinal}: the driver shows {}; `nvidia-smi -L` lists them (CUDA_VISIBLE_DEVICES hides some), and \
         --device cpu works everywhere", match count { 0 => "no device".into(), 1 => "one device, cuda:0".into(), n => format!("{n} devices") }
    )]
    NoDevice {
        /// The number asked for.
        ordinal: usize,
        /// How many there are.
        count: usize,
    },
    /// The device is too old.
    #[error(
        "cuda:{ordinal} ({name}) has compute capability {}.{}, and {what} needs {}.{} or newer: use another device, {else_}",
        has.0, has.1, needs.0, needs.1
    )]
    Capability {
        /// Its number.
        ordinal: usize,
        /// Its name.
        name: String,
        /// What it has.
        has: (u32, u32),
        /// What was asked of it.
        what: &'static str,
        /// What that takes.
        needs: (u32, u32),
        /// What else can be done.
        else_: &'static str,
    },
    /// A library that products are made with is missing.
    #[error(
        "{0} was not found: it comes with the CUDA toolkit and with PyTorch's packages (nvidia-cublas); name its folder in \
         TAPER_CUDA_LIBS or LD_LIBRARY_PATH, or use --device cpu"
    )]
    NoLibrary(String),
    /// No memory is left.
    #[error(
        "out of memory on {device}: {} more are needed, {} of {} are free; a smaller train.micro_batch_tokens takes less, and \
         so does whatever else is on the device", bytes(*needed), bytes(*free), bytes(*total)
    )]
    OutOfMemory {
        /// `cuda:N`.
        device: String,
        /// Bytes asked for.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// Bytes of the device.
        total: u64,
    },
    /// The model's shape is beyond the kernels.
    #[error("{0}: use --device cpu")]
    Shape(String),
    /// Anything else.
    #[error("{device}: {what} failed: {cause}")]
    Failed {
        /// `cuda:N`.
        device: String,
        /// What was tried.
        what: String,
        /// The driver's words.
        cause: String,
    },
}

impl DeviceError {
    /// Whether memory ran out, as far as can be told: less at a time may do.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } => true,
            Self::Failed { cause, .. } => ["OUT_OF_MEMORY", "ALLOC_FAILED"].iter().any(|code| cause.contains(code)),
            _ => false,
        }
    }
}

/// What the driver says of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceInfo {
    /// As NVIDIA calls it.
    pub name: String,
    /// Bytes of memory.
    pub memory: u64,
    /// Compute capability.
    pub capability: (u32, u32),
    /// Newest CUDA version that the driver supports.
    pub driver: (u32, u32),
}

/// What the numbers of a product's factors are; sums and results are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// f32, multiplied as such.
    F32,
    /// f32, of which ten bits of the fraction are multiplied.
    Tf32,
    /// bfloat16.
    Bf16,
}

/// C ← op(A)·op(B) + β·C as `cublasGemmEx` has it: column by column, op(A) `[m, k]`, op(B) `[k, n]`, C `[m, n]`; `ld` is what
/// lies between the beginnings of two columns as they are stored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Product {
    /// Whether A and B are transposed.
    pub transposed: (bool, bool),
    /// Rows of op(A).
    pub m: usize,
    /// Columns of op(B).
    pub n: usize,
    /// Columns of op(A).
    pub k: usize,
    /// Where A begins, and its columns' distance in numbers.
    pub a: (u64, usize),
    /// The same for B.
    pub b: (u64, usize),
    /// 0: C is written; 1: it is added to.
    pub beta: f32,
    /// The same for C.
    pub c: (u64, usize),
    /// What A and B hold.
    pub factors: Factors,
}

/// A CUDA device, or what stands for one. Everything happens in the order of the calls; only [`Self::download`] and a waiting
/// [`Self::arrived`] wait for it.
pub trait Driver: Send {
    /// A copy to the host that has begun.
    type Copy: Send;

    /// Address of new memory, a multiple of 256; what is in it is not said.
    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError>;
    /// Gives back memory of [`Self::allocate`].
    fn free(&self, address: u64);
    /// Makes bytes zero.
    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError>;
    /// Copies to the device; the caller's bytes are free when it returns.
    fn upload(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError>;
    /// Copies from the device.
    fn download(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError>;
    /// Begins to copy from the device.
    fn begin_download(&self, address: u64, bytes: usize) -> Result<Self::Copy, DeviceError>;
    /// The bytes of a copy that has begun, where it is done; where `wait`, in any case.
    fn arrived(&self, copy: &Self::Copy, wait: bool) -> Result<Option<Vec<u8>>, DeviceError>;
    /// Runs a kernel of the source folder on `grid` blocks of `block` threads; `params` are the bytes of its parameters.
    fn launch(&self, kernel: &'static str, grid: [u32; 2], block: u32, params: &[u8]) -> Result<(), DeviceError>;
    /// Runs a product.
    fn product(&self, product: &Product) -> Result<(), DeviceError>;
}
