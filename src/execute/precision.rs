//! Whether a run's precision can be had where it is to be made.

use super::{DeviceChoice, ExecuteError};
use crate::{
    kernels,
    plan::{Precision, RunConfig},
};

/// Refuses a run whose `train.precision` the device, or the processor, cannot compute in. Whether a
/// device that is named is here is not looked at.
pub fn check_precision(config: &RunConfig, device: DeviceChoice) -> Result<(), ExecuteError> {
    let precision = config.train.precision;
    let refused = refused(precision, device.resolve(), kernels::bf16_instructions().is_some());
    refused.or_else(|| device.refuses(precision)).map_or(Ok(()), |why| Err(ExecuteError::Setting(why)))
}

/// Why a device, with a processor that can multiply bf16 or cannot, does not do.
fn refused(precision: Precision, device: DeviceChoice, processor_can: bool) -> Option<String> {
    match (precision, device) {
        (Precision::Fp32, _) => None,
        (_, DeviceChoice::Cuda(_)) => None,
        (Precision::Bf16, DeviceChoice::Cpu) if processor_can => None,
        (Precision::Bf16, DeviceChoice::Cpu) => Some(
            "train.precision is `bf16`, but this processor has no instructions for it: set train.precision = \"fp32\", or \
             use a machine with AVX512_BF16 (AMD Zen 4 or later, Intel Cooper Lake or Sapphire Rapids or later) or AMX, or \
             an NVIDIA GPU (compute capability 8.0 or newer) with --device cuda"
                .into(),
        ),
        (Precision::Bf16, device) => Some(format!(
            "train.precision is `bf16`, but taper computes in float32 on {device}: set train.precision = \"fp32\", or use \
             --device cpu"
        )),
        (Precision::Tf32, device) => Some(format!(
            "train.precision is `tf32`, but the run is to be made on {device}, and TF32 is a precision of NVIDIA GPUs (compute \
             capability 8.0 or newer): use --device cuda, or set train.precision = \"fp32\""
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(precision: Precision, device: DeviceChoice, can: bool) -> String {
        refused(precision, device, can).expect("refused")
    }

    #[test]
    fn bf16_needs_a_cpu_that_has_it_or_a_gpu() {
        for device in [DeviceChoice::Cpu, DeviceChoice::Cuda(1)] {
            assert_eq!(refused(Precision::Bf16, device, true), None);
        }
        assert_eq!(refused(Precision::Bf16, DeviceChoice::Cuda(1), false), None);
        let cpu = message(Precision::Bf16, DeviceChoice::Cpu, false);
        for words in ["train.precision is `bf16`", "this processor", "precision = \"fp32\"", "AVX512_BF16", "AMX"] {
            assert!(cpu.contains(words), "{words}");
        }
        let metal = message(Precision::Bf16, DeviceChoice::Metal, true);
        assert!(metal.contains("on metal") && metal.contains("--device cpu"), "{metal}");
    }

    #[test]
    fn tf32_is_for_nvidia_gpus() {
        assert_eq!(refused(Precision::Tf32, DeviceChoice::Cuda(0), false), None);
        for device in [DeviceChoice::Cpu, DeviceChoice::Metal] {
            let message = message(Precision::Tf32, device, true);
            for words in
                ["train.precision is `tf32`", &device.name(), "NVIDIA GPUs", "8.0", "--device cuda", "\"fp32\""]
            {
                assert!(message.contains(words), "no {words} in {message}");
            }
            assert_eq!(refused(Precision::Fp32, device, false), None);
        }
    }
}
