//! What the CUDA backend needs of a device: memory, launches and matrix products, all in order, as on one CUDA stream.
//!
//! The backend is written against this trait, so that the very same kernels and the very same calls run on a GPU
//! ([`super::Device`]) and, in the tests, on the processor. Addresses are those of the device.

use super::DeviceError;

/// The driver's description of a device.
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

/// The precision of a product's inputs; sums and results are f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Factors {
    /// f32.
    F32,
    /// f32, of which ten bits of the fraction are used.
    Tf32,
    /// bfloat16.
    Bf16,
}

/// C ← op(A)·op(B) + β·C as in `cublasGemmEx`: column-major, op(A) `[m, k]`, op(B) `[k, n]`, C `[m, n]`; `ld` is the distance between
/// the starts of two columns in memory.
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
    /// Address of A, and the distance of its columns in values.
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

/// A CUDA device, or the tests' emulator of one. Everything happens in the order of the calls; only [`Self::download`] and a waiting
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
