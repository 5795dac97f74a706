//! Whether two environments give comparable numbers, and with which tolerance.

use super::{DeviceChoice, ExecuteError, compare::TOLERANCE};
use crate::{kernels, plan::Precision, store::Environment};

/// The device for verifying a run: the requested one, or that of the run for `auto`.
pub fn device(asked: DeviceChoice, trained_with: &Environment) -> Result<DeviceChoice, ExecuteError> {
    match asked {
        DeviceChoice::Auto => trained_with.device.parse().map_err(ExecuteError::Device),
        asked => Ok(asked),
    }
}

/// The tolerance for comparing a run that was trained in one environment with one that is trained `here` (`None`: bitwise), and messages for
/// the user.
///
/// # Errors
/// If they are not comparable: another version of the arithmetic, other files, other instructions.
pub fn compare(
    trained_with: &Environment,
    here: &Environment,
    precision: Precision,
) -> Result<(Option<f64>, Vec<String>), ExecuteError> {
    let mut problems = Vec::new();
    if trained_with.numerics != here.numerics {
        problems.push(format!(
            "it was trained with version {} of the engine's arithmetic, and this taper has version {}: verify it with \
             taper {}",
            trained_with.numerics, here.numerics, trained_with.taper
        ));
    }
    for (what, was, is) in [
        ("data file is", &trained_with.data_digest, &here.data_digest),
        ("model's files are", &trained_with.model_digest, &here.model_digest),
    ] {
        if was != is {
            problems.push(format!(
                "the {what} not what it was trained from (SHA-256 was {was}, is {is}): restore the original, then \
                 verify again"
            ));
        }
    }
    let on_the_cpu = trained_with.device == "cpu" && here.device == "cpu";
    let of_gpu = |e: &Environment| (e.gpu.clone(), e.gpu_libraries.clone());
    let same_gpu = of_gpu(trained_with) == of_gpu(here) && !here.gpu.is_empty() && !here.gpu_libraries.is_empty();
    let bitwise = on_the_cpu || same_gpu;
    let instructions = kernels::instructions(precision == Precision::Bf16);
    if on_the_cpu && !has(trained_with, &instructions) {
        problems.push(format!(
            "it was trained on a processor with a different instruction set ({}), which rounds differently; this one \
             has {instructions}: verify it on a processor like that one",
            trained_with.cpu
        ));
    }
    if !problems.is_empty() {
        return Err(ExecuteError::Setting(problems.join("\n")));
    }
    let mut notes = Vec::new();
    if on_the_cpu && trained_with.cpu != here.cpu {
        notes.push(format!("trained on another processor: {}; this one is {}", trained_with.cpu, here.cpu));
    }
    if !bitwise {
        let (was, is, share) = (trained_with.device_in_full(), here.device_in_full(), TOLERANCE * 100.0);
        notes.push(format!(
            "trained on {was}, verified on {is}: losses may differ by up to {share}%, and only losses are compared"
        ));
    }
    if trained_with.micro_batch_tokens.is_some() {
        notes.push(
            "memory ran out while it was trained: batches are split here as they were at its end, so its earlier steps \
             may differ"
                .into(),
        );
    }
    Ok(((!bitwise).then_some(TOLERANCE), notes))
}

/// Whether a run was trained with exactly these instructions of the processor.
fn has(trained_with: &Environment, instructions: &str) -> bool {
    match (trained_with.instructions.as_str(), trained_with.cpu.as_str()) {
        // Not recorded: only the comparison can show a difference.
        ("", "") => true,
        // Earlier versions recorded the instructions with the name.
        ("", cpu) => cpu == instructions || cpu.ends_with(&format!(", {instructions}")),
        (recorded, _) => recorded == instructions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Environment {
        Environment {
            taper: "1.2.3".into(),
            cpu: format!("Some CPU, {}", kernels::instructions(false)),
            device: "cpu".into(),
            data_digest: "d".into(),
            numerics: 7,
            ..Environment::default()
        }
    }

    #[test]
    fn all_reasons_against_a_comparison_are_in_one_error() {
        let other = Environment {
            numerics: 6,
            data_digest: "e".into(),
            cpu: "Some CPU, sse2".into(),
            model_digest: "m".into(),
            ..here()
        };
        let error = compare(&other, &here(), Precision::Fp32).unwrap_err().to_string();
        for words in ["version 6", "version 7", "taper 1.2.3", "SHA-256 was e, is d", "model's files", "sse2"] {
            assert!(error.contains(words), "no `{words}` in {error}");
        }
        assert_eq!(compare(&here(), &here(), Precision::Fp32).unwrap(), (None, vec![]));
        // Recorded instructions count, not the name of the processor.
        let recorded = |instructions: &str| Environment { instructions: instructions.into(), ..here() };
        assert!(compare(&recorded(&kernels::instructions(false)), &here(), Precision::Fp32).is_ok());
        assert!(compare(&recorded("sse2"), &here(), Precision::Fp32).is_err());
    }

    #[test]
    fn another_processor_is_named_and_a_gpu_gets_a_tolerance() {
        let cpu = |cpu: &str| Environment { cpu: cpu.into(), ..here() };
        let same = format!("Other, CPU, {}", kernels::instructions(false));
        let (tolerance, notes) = compare(&cpu(&same), &here(), Precision::Fp32).unwrap();
        assert!(tolerance.is_none() && notes[0].contains("Other, CPU"), "{notes:?}");
        assert!(compare(&cpu(""), &here(), Precision::Fp32).is_ok());
        let gpu = Environment { device: "cuda:0".into(), cpu: "Other CPU".into(), ..here() };
        let (tolerance, notes) = compare(&gpu, &here(), Precision::Fp32).unwrap();
        assert!(tolerance == Some(TOLERANCE) && notes[0].contains("differ by up to 0.1%"), "{notes:?}");
        // The same GPU with the same libraries gives the same bits, also under another device number.
        let h200 = |device: &str, libraries: &str| Environment {
            device: device.into(),
            gpu: "NVIDIA H200, compute capability 9.0, CUDA 13.0".into(),
            gpu_libraries: libraries.into(),
            ..here()
        };
        let of = |was: &str, is: &str| compare(&h200("cuda:0", was), &h200("cuda:1", is), Precision::Fp32).unwrap();
        assert_eq!(of("cuBLAS 13.1.0", "cuBLAS 13.1.0"), (None, vec![]));
        // Another cuBLAS, or a record of an earlier version: a tolerance, with the reason in the note.
        for (was, is) in [("cuBLAS 13.1.0", "cuBLAS 13.2.0"), ("", "cuBLAS 13.1.0"), ("", "")] {
            let (tolerance, notes) = of(was, is);
            assert!(tolerance == Some(TOLERANCE) && notes[0].contains(was) && notes[0].contains(is), "{notes:?}");
        }
        assert_eq!(device(DeviceChoice::Auto, &gpu).unwrap(), DeviceChoice::Cuda(0));
        assert_eq!(device(DeviceChoice::Cpu, &gpu).unwrap(), DeviceChoice::Cpu);
    }
}
