//! Devices and threads.

use std::{fmt, str::FromStr};

use super::ExecuteError;
use crate::{engine::Device, kernels::cuda};

/// `--device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first GPU where this build can use one and there is one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
    /// Apple's GPU.
    Metal,
}

/// As it is written after `--device`.
impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':').unwrap_or((text, "0")) {
            ("auto", "0") => Ok(Self::Auto),
            ("cpu", "0") => Ok(Self::Cpu),
            ("metal", "0") => Ok(Self::Metal),
            ("cuda", n) => n.parse().map(Self::Cuda).map_err(|_| format!("`{n}` is no device number")),
            _ => Err(format!("`{text}` is no device; expected auto, cpu, cuda, cuda:N or metal")),
        }
    }
}

impl DeviceChoice {
    /// The name under which [`Self::open`] gives the device; whether one that is named is here is not looked at.
    pub fn name(self) -> String {
        match self {
            Self::Auto => self.open().map_or_else(|_| "cpu".into(), |(_, name)| name),
            named => named.to_string(),
        }
    }

    /// The device that is meant: `auto` is decided, one that is named stays, whether it is here or not.
    pub fn resolve(self) -> Self {
        match self {
            Self::Auto => self.name().parse().unwrap_or(Self::Cpu),
            named => named,
        }
    }

    /// The device in words.
    pub fn description(self) -> String {
        self.name()
    }

    /// Why `auto` is not a GPU, where there is one or should be.
    pub fn why_no_gpu() -> Option<String> {
        None
    }

    /// Bytes of a GPU's memory that nobody uses; none where that is not known.
    pub fn free_memory(self) -> Option<u64> {
        None
    }

    /// The device and its name.
    pub fn open(self) -> Result<(Device, String), ExecuteError> {
        match self {
            Self::Auto => match cuda::devices() {
                Ok(devices) if !devices.is_empty() => Self::Cuda(0).open(),
                _ => Self::Cpu.open(),
            },
            Self::Cpu => Ok((Device::Cpu, "cpu".into())),
            Self::Cuda(n) => {
                let failed = |e: cuda::DeviceError| ExecuteError::Device(e.to_string());
                let count = cuda::devices().map_err(failed)?.len();
                match n < count {
                    true => Ok((Device::Cuda(n), format!("cuda:{n}"))),
                    false => Err(failed(cuda::DeviceError::NoDevice { ordinal: n, count })),
                }
            }
            Self::Metal if !candle_core::utils::metal_is_available() => Err(ExecuteError::Device(
                "this build of taper has no Metal: build it with `--features metal`, or use --device cpu".into(),
            )),
            Self::Metal => {
                let refused = |e| ExecuteError::Device(format!("metal cannot be used: {e}; use --device cpu"));
                Ok((Device::Tape(candle_core::Device::new_metal(0).map_err(refused)?), "metal".into()))
            }
        }
    }
}

/// Sets the number of threads of all arithmetic. Must come before the first of it, while there is one thread only.
pub fn set_threads(n: usize) -> Result<(), ExecuteError> {
    for variable in ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"] {
        // SAFETY: called at the start of `main`, before any other thread exists that could read the environment.
        #[expect(unsafe_code, reason = "candle takes the number of threads from the environment alone")]
        unsafe {
            std::env::set_var(variable, n.to_string());
        }
    }
    rayon::ThreadPoolBuilder::new()
        .num_threads(n)
        .build_global()
        .map_err(|e| ExecuteError::Device(format!("the threads cannot be started: {e}")))
}

/// The number of threads of all arithmetic.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_devices() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        assert_eq!(DeviceChoice::Cuda(3).name(), "cuda:3");
        for device in [DeviceChoice::Auto, DeviceChoice::Cpu, DeviceChoice::Cuda(1), DeviceChoice::Metal] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        assert_eq!(DeviceChoice::Cpu.name(), "cpu");
        for wrong in ["gpu", "cuda:x", "cpu:1", ""] {
            assert!(wrong.parse::<DeviceChoice>().is_err(), "{wrong}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_how_to_get_it() {
        let error = DeviceChoice::Cuda(0).open().expect_err("no CUDA");
        assert!(error.to_string().contains("--features cuda"));
        assert_eq!(DeviceChoice::Auto.open().expect("the CPU").1, "cpu");
    }
}
