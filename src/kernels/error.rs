//! Failures of devices.

use crate::format::bytes;

/// Errors of a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This build does not support such devices.
    #[error(
        "this build of taper has no CUDA support: build it with the feature `cuda`, which is on by default, or use --device cpu"
    )]
    NotBuilt,
    /// No driver is installed.
    #[error("no NVIDIA driver was found ({0}): install it, or use --device cpu")]
    NoDriver(String),
    /// There is no device with this number.
    #[error(
        "there is no cuda:{ordinal}: the driver reports {}; `nvidia-smi -L` lists them (CUDA_VISIBLE_DEVICES may hide \
         some), and --device cpu works everywhere", match count { 0 => "no device".into(), 1 => "one device, cuda:0".into(), n => format!("{n} devices") }
    )]
    NoDevice {
        /// The requested number.
        ordinal: usize,
        /// The number of devices.
        count: usize,
    },
    /// The device is too old.
    #[error(
        "cuda:{ordinal} ({name}) has compute capability {}.{}, but {what} needs {}.{} or higher: use another device, {else_}",
        has.0, has.1, needs.0, needs.1
    )]
    Capability {
        /// Its number.
        ordinal: usize,
        /// Its name.
        name: String,
        /// Its compute capability.
        has: (u32, u32),
        /// What was requested.
        what: &'static str,
        /// The compute capability that this needs.
        needs: (u32, u32),
        /// The alternative.
        else_: &'static str,
    },
    /// cuBLAS is missing.
    #[error(
        "{0} was not found: it comes with the CUDA toolkit and with PyTorch's packages (nvidia-cublas); name its folder in \
         TAPER_CUDA_LIBS or LD_LIBRARY_PATH, or use --device cpu"
    )]
    NoLibrary(String),
    /// No memory is left.
    #[error(
        "out of memory on {device}: {} more are needed, {} of {} are free; lower train.micro_batch_tokens, or stop other programs that \
         use the device", bytes(*needed), bytes(*free), bytes(*total)
    )]
    OutOfMemory {
        /// `cuda:N`.
        device: String,
        /// Requested bytes.
        needed: u64,
        /// Bytes free.
        free: u64,
        /// Total bytes of the device.
        total: u64,
    },
    /// The model's shape exceeds the kernels' limits.
    #[error("{0}: use --device cpu")]
    Shape(String),
    /// Any other error.
    #[error("{device}: {what} failed: {cause}")]
    Failed {
        /// `cuda:N`.
        device: String,
        /// The failed operation.
        what: String,
        /// The driver's message.
        cause: String,
        /// Whether its code means that memory ran out.
        for_want_of_memory: bool,
    },
}

impl DeviceError {
    /// Whether memory ran out, as far as is known: smaller micro-batches may help.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } => true,
            Self::Failed { for_want_of_memory, .. } => *for_want_of_memory,
            _ => false,
        }
    }
}
