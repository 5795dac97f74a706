//! Checks that a device supports the engine and the precision of a run.

use super::{DeviceChoice, ExecuteError};
use crate::{
    kernels,
    plan::{EngineKind, Precision, RunConfig},
};

/// Refuses a run whose `train.engine` or `train.precision` the device or the processor does not support. Whether the device is present is not
/// checked.
pub fn check_engine(config: &RunConfig, device: DeviceChoice) -> Result<(), ExecuteError> {
    let (engine, precision) = (config.train.engine, config.train.precision);
    if let Some(why) = without_engine(engine, precision, device.resolve(), cfg!(feature = "candle-cuda")) {
        return Err(ExecuteError::Setting(why));
    }
    let refused = refused(TRAINING, precision, device.resolve(), kernels::bf16_instructions().is_some());
    refused.or_else(|| device.refuses(precision)).map_or(Ok(()), |why| Err(ExecuteError::Setting(why)))
}

/// Refuses a precision for predictions (`--precision`) that the device or the processor does not support. Whether the device is present is not
/// checked.
///
/// # Errors
/// Why it is not supported, and what to do.
pub fn check_precision(precision: Precision, device: DeviceChoice) -> Result<(), ExecuteError> {
    let refused = refused(PREDICTING, precision, device.resolve(), kernels::bf16_instructions().is_some());
    refused.or_else(|| device.refuses(precision)).map_or(Ok(()), |why| Err(ExecuteError::Setting(why)))
}

/// How messages name the setting, and the one that every device supports.
#[derive(Clone, Copy)]
struct Words {
    setting: &'static str,
    otherwise: &'static str,
}

const TRAINING: Words = Words { setting: "train.precision", otherwise: "set train.precision = \"fp32\"" };
const PREDICTING: Words = Words { setting: "--precision", otherwise: "use --precision fp32" };

/// Why an engine does not support a device or a precision.
fn without_engine(engine: EngineKind, precision: Precision, device: DeviceChoice, has_cuda: bool) -> Option<String> {
    match (engine, device) {
        (EngineKind::Fused, DeviceChoice::Metal) => Some(
            "train.engine is `fused`, but taper has no kernels for metal: use --engine candle, or --device cpu".into(),
        ),
        (EngineKind::Fused, _) => None,
        (EngineKind::Candle, _) if precision != Precision::Fp32 => Some(
            "train.engine is `candle`, which computes in float32 only: set train.precision = \"fp32\", or use \
             --engine fused"
                .into(),
        ),
        (EngineKind::Candle, DeviceChoice::Cuda(_)) if !has_cuda => Some(
            "train.engine is `candle`, but this build's candle has no CUDA support: build taper with `--features \
             candle-cuda`, or use --device cpu"
                .into(),
        ),
        (EngineKind::Candle, _) => None,
    }
}

/// Why a device does not support a precision; `processor_can` is whether the processor multiplies bf16.
fn refused(words: Words, precision: Precision, device: DeviceChoice, processor_can: bool) -> Option<String> {
    let Words { setting, otherwise } = words;
    match (precision, device) {
        (Precision::Fp32, _) => None,
        (_, DeviceChoice::Cuda(_)) => None,
        (Precision::Bf16, DeviceChoice::Cpu) if processor_can => None,
        (Precision::Bf16, DeviceChoice::Cpu) => Some(format!(
            "{setting} is `bf16`, but this processor has no instructions for it: {otherwise}, or \
             use a machine with AVX512_BF16 (AMD Zen 4 or later, Intel Cooper Lake or Sapphire Rapids or later) or AMX, or \
             an NVIDIA GPU (compute capability 8.0 or higher) with --device cuda"
        )),
        (Precision::Bf16, device) => Some(format!(
            "{setting} is `bf16`, but taper computes in float32 on {device}: {otherwise}, or use --device cpu"
        )),
        (Precision::Tf32, device) => Some(format!(
            "{setting} is `tf32`, but taper would compute on {device}, and only NVIDIA GPUs (compute capability \
             8.0 or higher) support TF32: use --device cuda, or {otherwise}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(precision: Precision, device: DeviceChoice, can: bool) -> String {
        refused(TRAINING, precision, device, can).expect("refused")
    }

    #[test]
    fn bf16_needs_a_cpu_that_has_it_or_a_gpu() {
        for device in [DeviceChoice::Cpu, DeviceChoice::Cuda(1)] {
            assert_eq!(refused(TRAINING, Precision::Bf16, device, true), None);
        }
        assert_eq!(refused(TRAINING, Precision::Bf16, DeviceChoice::Cuda(1), false), None);
        let cpu = message(Precision::Bf16, DeviceChoice::Cpu, false);
        for words in ["train.precision is `bf16`", "this processor", "precision = \"fp32\"", "AVX512_BF16", "AMX"] {
            assert!(cpu.contains(words), "{words}");
        }
        let metal = message(Precision::Bf16, DeviceChoice::Metal, true);
        assert!(metal.contains("on metal") && metal.contains("--device cpu"), "{metal}");
    }

    #[test]
    fn each_engine_has_its_devices_and_precisions() {
        use DeviceChoice::{Cpu, Cuda, Metal};
        for device in [Cpu, Cuda(0)] {
            assert_eq!(without_engine(EngineKind::Fused, Precision::Bf16, device, false), None);
            assert_eq!(without_engine(EngineKind::Candle, Precision::Fp32, device, true), None);
        }
        assert_eq!(without_engine(EngineKind::Candle, Precision::Fp32, Metal, false), None);
        for (engine, precision, device, words) in [
            (EngineKind::Fused, Precision::Fp32, Metal, "--engine candle"),
            (EngineKind::Candle, Precision::Bf16, Cpu, "float32 only"),
            (EngineKind::Candle, Precision::Tf32, Cuda(0), "float32 only"),
            (EngineKind::Candle, Precision::Fp32, Cuda(0), "--features candle-cuda"),
        ] {
            let why = without_engine(engine, precision, device, false).expect("refused");
            assert!(why.contains(words) && why.contains(engine.name()), "{why}");
        }
    }

    #[test]
    fn tf32_is_for_nvidia_gpus() {
        assert_eq!(refused(TRAINING, Precision::Tf32, DeviceChoice::Cuda(0), false), None);
        for device in [DeviceChoice::Cpu, DeviceChoice::Metal] {
            let predicting = refused(PREDICTING, Precision::Tf32, device, true).expect("refused");
            assert!(predicting.starts_with("--precision is `tf32`"), "{predicting}");
            assert!(predicting.ends_with("or use --precision fp32") && !predicting.contains("train."), "{predicting}");
            let message = message(Precision::Tf32, device, true);
            for words in
                ["train.precision is `tf32`", &device.name(), "NVIDIA GPUs", "8.0", "--device cuda", "\"fp32\""]
            {
                assert!(message.contains(words), "no {words} in {message}");
            }
            assert_eq!(refused(TRAINING, Precision::Fp32, device, false), None);
        }
    }
}
