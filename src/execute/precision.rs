//! Whether a run's precision can be had where it is to be made.

use super::{DeviceChoice, ExecuteError};
use crate::{
    kernels,
    plan::{Precision, RunConfig},
};

/// Refuses a run whose `train.precision` the device, or the processor, cannot compute in. Opens no device that is named.
pub fn check_precision(config: &RunConfig, device: DeviceChoice) -> Result<(), ExecuteError> {
    match config.train.precision {
        Precision::Fp32 => Ok(()),
        Precision::Bf16 => bf16(&device.name(), kernels::bf16_instructions().is_some()),
    }
}

/// The same for `bf16` alone: on the device of that name, with a processor that can or cannot.
fn bf16(device: &str, processor_can: bool) -> Result<(), ExecuteError> {
    match (device, processor_can) {
        ("cpu", true) => Ok(()),
        ("cpu", false) => Err(ExecuteError::Setting(
            "train.precision is `bf16`, but this processor has no instructions for it: set train.precision = \"fp32\", or \
             use a machine with AVX512_BF16 (AMD Zen 4 or later, Intel Cooper Lake or Sapphire Rapids or later) or AMX"
                .into(),
        )),
        (device, _) => Err(ExecuteError::Setting(format!(
            "train.precision is `bf16`, but taper computes in float32 on {device}: set train.precision = \"fp32\", or use \
             --device cpu"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bf16_needs_a_cpu_that_has_it() {
        assert!(bf16("cpu", true).is_ok());
        let refused = |device, can| bf16(device, can).expect_err("refused").to_string();
        for words in ["train.precision is `bf16`", "this processor", "precision = \"fp32\"", "AVX512_BF16", "AMX"] {
            assert!(refused("cpu", false).contains(words), "{words}");
        }
        for can in [true, false] {
            let message = refused("cuda:1", can);
            assert!(message.contains("on cuda:1") && message.contains("--device cpu"), "{message}");
        }
    }
}
