//! The engine of a device.

use super::{Autograd, Device, Engine, Explicit, Recipe};
use crate::{
    kernels::{
        Cpu,
        cuda::{self, Cuda, Factors},
    },
    model::{ModelConfig, ModelError, Parameters},
    plan::{EngineKind, Precision},
};

/// The engine for a device.
///
/// # Errors
/// A precision that the device does not have, a device that cannot be opened, no memory.
pub fn engine(
    config: &ModelConfig,
    parameters: Parameters,
    recipe: &Recipe,
    device: &Device,
) -> Result<Box<dyn Engine>, ModelError> {
    if recipe.engine == EngineKind::Candle {
        return Ok(Box::new(Autograd::new(config, parameters, recipe, &candle_device(device, recipe.precision)?)?));
    }
    Ok(match (device, recipe.precision) {
        (Device::Cuda(ordinal), precision) => {
            let factors = match precision {
                Precision::Fp32 => Factors::F32,
                Precision::Tf32 => Factors::Tf32,
                Precision::Bf16 => Factors::Bf16,
            };
            let backend = Cuda::new(cuda::Device::open(*ordinal, factors)?, factors)?;
            Box::new(Explicit::new(backend, config, parameters, recipe)?)
        }
        (Device::Metal(_), _) => return Err(ModelError::NoKernels),
        (Device::Cpu, Precision::Tf32) => return Err(ModelError::NoTf32),
        (Device::Cpu, Precision::Fp32) => Box::new(Explicit::new(Cpu::default(), config, parameters, recipe)?),
        (Device::Cpu, Precision::Bf16) => {
            let cpu = Cpu::bf16().ok_or(ModelError::NoBf16)?;
            Box::new(Explicit::new(cpu, config, parameters, recipe)?)
        }
    })
}

/// Where candle computes; in float32 alone.
fn candle_device(device: &Device, precision: Precision) -> Result<candle_core::Device, ModelError> {
    match (precision, device) {
        (Precision::Tf32, _) => Err(ModelError::NoTf32),
        (Precision::Bf16, _) => Err(ModelError::NoBf16),
        (Precision::Fp32, Device::Cpu) => Ok(candle_core::Device::Cpu),
        (Precision::Fp32, Device::Metal(device)) => Ok(device.clone()),
        (Precision::Fp32, Device::Cuda(ordinal)) => Ok(candle_core::Device::new_cuda(*ordinal)?),
    }
}
