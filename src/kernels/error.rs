//! Failures of devices.

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
    /// The library of matrix products is missing.
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
        /// Whether its code says that memory ran out.
        for_want_of_memory: bool,
    },
}

impl DeviceError {
    /// Whether memory ran out, as far as can be told: less at a time may do.
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } => true,
            Self::Failed { for_want_of_memory, .. } => *for_want_of_memory,
            _ => false,
        }
    }
}
