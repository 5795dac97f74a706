//! Devices and threads.

use std::{fmt, str::FromStr, sync::OnceLock};

use super::ExecuteError;
use crate::{
    engine::Device,
    kernels::{
        CPU_LIMITS, Requirements,
        cuda::{self, DeviceError, DeviceInfo, Factors},
    },
    plan::{EngineKind, Precision},
};

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
            ("cuda", n) => n.parse().map(Self::Cuda).map_err(|_| format!("`{n}` is not a device number")),
            _ => Err(format!("`{text}` is not a device; expected auto, cpu, cuda, cuda:N or metal")),
        }
    }
}

impl DeviceChoice {
    /// The device: `auto` is resolved; a named device stays the same, whether it is present or not.
    pub fn resolve(self) -> Self {
        static AUTO: OnceLock<DeviceChoice> = OnceLock::new();
        match self {
            Self::Auto => *AUTO.get_or_init(|| {
                let count = cuda::devices().map_or(0, |devices| devices.len());
                (0..count).find(|&n| cuda::usable(n, Factors::F32).is_ok()).map_or(Self::Cpu, Self::Cuda)
            }),
            named => named,
        }
    }

    /// The name that [`Self::open`] returns; whether the device is present is not checked.
    pub fn name(self) -> String {
        self.resolve().to_string()
    }

    /// The driver's description of a GPU, if it is present.
    fn gpu(self) -> Option<DeviceInfo> {
        match self.resolve() {
            Self::Cuda(n) => cuda::devices().ok()?.into_iter().nth(n),
            _ => None,
        }
    }

    /// The description of a GPU, if it is present: `NVIDIA H200, compute capability 9.0, CUDA 13.0`, the last being the newest version
    /// that the driver supports.
    pub fn gpu_name(self) -> Option<String> {
        let DeviceInfo { name, capability, driver, .. } = self.gpu()?;
        Some(format!("{name}, compute capability {}.{}, CUDA {}.{}", capability.0, capability.1, driver.0, driver.1))
    }

    /// The name with the description: `cuda:0 (NVIDIA H200, …)`.
    pub fn description(self) -> String {
        match self.gpu_name() {
            Some(gpu) => format!("{} ({gpu})", self.name()),
            None => self.name(),
        }
    }

    /// Why `auto` chose no GPU although a driver is installed.
    pub fn why_no_gpu() -> Option<String> {
        let error = match (Self::Auto.resolve(), cuda::devices()) {
            (Self::Cuda(_), _) | (_, Err(DeviceError::NotBuilt | DeviceError::NoDriver(_))) => return None,
            (_, Ok(devices)) if devices.is_empty() => return None,
            (_, Ok(_)) => cuda::usable(0, Factors::F32).err()?,
            (_, Err(e)) => e,
        };
        Some(format!("not on a GPU: {error}"))
    }

    /// Why `auto` chose no GPU; `None` if it chose one.
    pub fn without_gpu() -> Option<String> {
        match (Self::Auto.resolve(), cuda::devices()) {
            (Self::Cuda(_), _) => None,
            (_, Err(DeviceError::NotBuilt)) => Some("no GPU: this build of taper has no CUDA support".into()),
            (_, Err(DeviceError::NoDriver(why))) => Some(format!("no GPU: no NVIDIA driver was found ({why})")),
            (_, Ok(devices)) if devices.is_empty() => Some("no GPU: the driver reports no devices".into()),
            _ => Self::why_no_gpu(),
        }
    }

    /// Free bytes of a GPU's memory; `None` if that is not known. Opens the GPU briefly.
    pub fn free_memory(self) -> Option<u64> {
        match self.resolve() {
            Self::Cuda(n) => cuda::free_memory(n).ok(),
            _ => None,
        }
    }

    /// The message if a present GPU is too old for a precision.
    pub(super) fn refuses(self, precision: Precision) -> Option<String> {
        let factors = match precision {
            Precision::Fp32 => Factors::F32,
            Precision::Tf32 => Factors::Tf32,
            Precision::Bf16 => Factors::Bf16,
        };
        match (self.resolve(), factors) {
            (Self::Cuda(n), factors) => match cuda::usable(n, factors) {
                Err(e @ DeviceError::Capability { .. }) => Some(e.to_string()),
                _ => None,
            },
            _ => None,
        }
    }

    /// Checks that an engine on the device can compute a model of these sizes. Whether the device is present is not checked.
    ///
    /// # Errors
    /// Names the size that is too large, and what to do.
    pub fn supports(self, engine: EngineKind, model: Requirements) -> Result<(), ExecuteError> {
        let unsupported = match (engine, self.resolve()) {
            (EngineKind::Fused, Self::Cuda(_)) => {
                model.within(cuda::LIMITS, "NVIDIA GPUs").map_err(|e| format!("{e}: use --device cpu"))
            }
            // candle's limits are those of dropout's masks, as the CPU's are.
            _ => model.within(CPU_LIMITS, "the CPU").map_err(|e| e.to_string()),
        };
        unsupported.map_err(ExecuteError::Setting)
    }

    /// The device and its name, after checking for the libraries that every run on it needs.
    pub(super) fn ready(self) -> Result<(Device, String), ExecuteError> {
        let opened = self.open()?;
        if let Device::Cuda(_) = &opened.0 {
            cuda::find_cublas().map_err(|e| ExecuteError::Device(e.to_string()))?;
        }
        Ok(opened)
    }

    /// The device and its name. A GPU is only checked here; the engine opens it.
    pub fn open(self) -> Result<(Device, String), ExecuteError> {
        match self.resolve() {
            Self::Auto | Self::Cpu => Ok((Device::Cpu, "cpu".into())),
            Self::Cuda(n) => {
                cuda::usable(n, Factors::F32).map_err(|e| ExecuteError::Device(e.to_string()))?;
                Ok((Device::Cuda(n), format!("cuda:{n}")))
            }
            Self::Metal if !candle_core::utils::metal_is_available() => Err(ExecuteError::Device(
                "this build of taper has no Metal support: build it with `--features metal`, or use --device cpu"
                    .into(),
            )),
            Self::Metal => {
                let refused = |e| ExecuteError::Device(format!("metal cannot be used: {e}; use --device cpu"));
                Ok((Device::Metal(candle_core::Device::new_metal(0).map_err(refused)?), "metal".into()))
            }
        }
    }
}

/// Sets the number of threads for all arithmetic. To be called before any arithmetic, while there is only one thread.
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

/// The number of threads for all arithmetic.
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

    #[test]
    fn models_that_a_gpus_kernels_cannot_compute_are_refused_for_gpus_only() {
        let gpu = DeviceChoice::Cuda(0);
        let fits = cuda::LIMITS;
        assert!(gpu.supports(EngineKind::Fused, fits).is_ok());
        for (model, words) in [
            (Requirements { norm_width: fits.norm_width + 1, ..fits }, "the hidden size is 2049"),
            (Requirements { head_width: fits.head_width + 1, ..fits }, "the size of an attention head is 129"),
            (Requirements { longest: fits.longest + 1, ..fits }, "data.max_length is 8193"),
        ] {
            let message = gpu.supports(EngineKind::Fused, model).expect_err("too large").to_string();
            assert!(message.contains(words) && message.ends_with("use --device cpu"), "{message}");
            let by_candle = gpu.supports(EngineKind::Candle, model);
            assert_eq!(by_candle.is_ok(), model.longest <= CPU_LIMITS.longest, "{by_candle:?}");
        }
        let wide = Requirements { norm_width: 1 << 16, head_width: 1 << 16, longest: 512 };
        assert!(DeviceChoice::Cpu.supports(EngineKind::Fused, wide).is_ok());
    }

    #[test]
    fn auto_is_resolved_and_a_missing_device_is_refused_with_advice() {
        let auto = DeviceChoice::Auto.resolve();
        assert!(matches!(auto, DeviceChoice::Cpu | DeviceChoice::Cuda(_)), "{auto}");
        assert_eq!(auto.gpu_name().is_some(), auto != DeviceChoice::Cpu);
        assert_eq!(DeviceChoice::Auto.open().expect("some device").1, auto.to_string());
        assert_eq!(DeviceChoice::Cpu.description(), "cpu");
        assert_eq!(DeviceChoice::Cpu.free_memory(), None);
        let message = DeviceChoice::Cuda(99).open().expect_err("so many").to_string();
        assert!(message.contains("--device cpu"), "{message}");
        assert_eq!(message.contains("feature `cuda`"), !cfg!(feature = "cuda"), "{message}");
        if auto == DeviceChoice::Cpu {
            // The plan can be for another machine: a GPU that is not present is not checked.
            assert_eq!(DeviceChoice::Cuda(0).refuses(Precision::Tf32), None);
        }
    }
}
