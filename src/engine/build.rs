//! Creates the engine for a device.

use super::{Autograd, Device, Engine, Explicit, Recipe};
use crate::{
    kernels::{
        Cpu,
        cuda::{self, Cuda, Factors},
    },
    model::{ModelConfig, ModelError, Parameters},
    plan::{EngineKind, Precision},
};

/// Computes on a device at a precision, independent of a model. Opening a GPU takes a moment.
pub struct Arithmetic(Kind);

enum Kind {
    Candle(candle_core::Device),
    Cpu(Box<Cpu>),
    Cuda(Box<cuda::Device>, Factors),
}

impl Arithmetic {
    /// Opens a device for a recipe.
    ///
    /// # Errors
    /// The device does not support the precision, or cannot be opened.
    pub fn open(recipe: &Recipe, device: &Device) -> Result<Self, ModelError> {
        if recipe.engine == EngineKind::Candle {
            return Ok(Self(Kind::Candle(candle_device(device, recipe.precision)?)));
        }
        Ok(Self(match (device, recipe.precision) {
            (Device::Cuda(ordinal), precision) => {
                let factors = match precision {
                    Precision::Fp32 => Factors::F32,
                    Precision::Tf32 => Factors::Tf32,
                    Precision::Bf16 => Factors::Bf16,
                };
                Kind::Cuda(Box::new(cuda::Device::open(*ordinal, factors)?), factors)
            }
            (Device::Metal(_), _) => return Err(ModelError::NoKernels),
            (Device::Cpu, Precision::Tf32) => return Err(ModelError::NoTf32),
            (Device::Cpu, Precision::Fp32) => Kind::Cpu(Box::default()),
            (Device::Cpu, Precision::Bf16) => Kind::Cpu(Box::new(Cpu::bf16().ok_or(ModelError::NoBf16)?)),
        }))
    }

    /// Creates the engine for a model.
    ///
    /// # Errors
    /// Out of memory.
    pub fn engine(
        self,
        config: &ModelConfig,
        parameters: Parameters,
        recipe: &Recipe,
    ) -> Result<Box<dyn Engine>, ModelError> {
        Ok(match self.0 {
            Kind::Candle(device) => Box::new(Autograd::new(config, parameters, recipe, &device)?),
            Kind::Cpu(cpu) => {
                let cpu = if recipe.predicts { cpu.for_predictions() } else { *cpu };
                Box::new(Explicit::new(cpu, config, parameters, recipe)?)
            }
            Kind::Cuda(device, factors) => {
                Box::new(Explicit::new(Cuda::new(*device, factors)?, config, parameters, recipe)?)
            }
        })
    }
}

/// The engine for a device.
///
/// # Errors
/// As [`Arithmetic::open`] and [`Arithmetic::engine`].
pub fn engine(
    config: &ModelConfig,
    parameters: Parameters,
    recipe: &Recipe,
    device: &Device,
) -> Result<Box<dyn Engine>, ModelError> {
    Arithmetic::open(recipe, device)?.engine(config, parameters, recipe)
}

/// The device on which candle computes; float32 only.
fn candle_device(device: &Device, precision: Precision) -> Result<candle_core::Device, ModelError> {
    match (precision, device) {
        (Precision::Tf32, _) => Err(ModelError::NoTf32),
        (Precision::Bf16, _) => Err(ModelError::NoBf16),
        (Precision::Fp32, Device::Cpu) => Ok(candle_core::Device::Cpu),
        (Precision::Fp32, Device::Metal(device)) => Ok(device.clone()),
        (Precision::Fp32, Device::Cuda(ordinal)) => Ok(candle_core::Device::new_cuda(*ordinal)?),
    }
}
