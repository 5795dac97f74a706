//! The environment in which a run is trained, for its record.

use std::process::{Command, Stdio};

use super::{DeviceChoice, Prepared};
use crate::{
    kernels,
    plan::{Precision, Rates, Source},
    store::Environment,
    train::NUMERICS,
};

/// The environment of a run on the device of that name.
pub fn environment(run: &Prepared, device: &str) -> Environment {
    let pinned = run.pinned();
    let differ = !Rates::of(&run.config.train).are_equal();
    let learning_rates = if differ { run.rates().words() } else { String::new() };
    let remote = |source: Source| if source.is_remote() { source.shown() } else { String::new() };
    let choice: Option<DeviceChoice> = device.parse().ok();
    Environment {
        taper: env!("CARGO_PKG_VERSION").into(),
        git_commit: git_commit(),
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        cpu: processor_of(device, run.config.train.precision),
        instructions: instructions(device, run.config.train.precision),
        device: device.into(),
        gpu: choice.and_then(DeviceChoice::gpu_name).unwrap_or_default(),
        gpu_libraries: if matches!(choice, Some(DeviceChoice::Cuda(_))) {
            kernels::cuda::versions()
        } else {
            String::new()
        },
        threads: super::threads() as u32,
        data_digest: run.dataset.digest.clone(),
        model_digest: run.model_digest.clone(),
        data_source: remote(pinned.data.source),
        model_source: remote(pinned.model.source),
        micro_batch_tokens: None,
        learning_rates,
        texts: Vec::new(),
        numerics: NUMERICS,
    }
}

/// Commit of the current folder's repository, with `-dirty` if files differ from it; `None` without a repository.
fn git_commit() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let commit = git(&["rev-parse", "HEAD"])?;
    let clean = git(&["status", "--porcelain", "--untracked-files=no"])?.is_empty();
    Some(if clean { commit } else { format!("{commit}-dirty") })
}

/// This machine's processor, and the best instructions that it has for matrix products.
pub fn processor() -> String {
    processor_of("cpu", Precision::Bf16)
}

/// The processor's name and, where it does the arithmetic, the instructions it does it with: `AMD EPYC 9654, avx512`.
fn processor_of(device: &str, precision: Precision) -> String {
    [name(), instructions(device, precision)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// The instructions of the processor that are used for the arithmetic; empty if another device computes.
fn instructions(device: &str, precision: Precision) -> String {
    if device == "cpu" { kernels::instructions(precision == Precision::Bf16) } else { String::new() }
}

/// The processor's name, or its architecture if the system does not say.
fn name() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    match name {
        Some((_, name)) => name.trim().to_string(),
        None => std::env::consts::ARCH.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_named_for_the_processor_that_computes() {
        assert_eq!(processor_of("cuda:0", Precision::Fp32), name());
        let cpu = processor_of("cpu", Precision::Fp32);
        assert!(cpu.starts_with(&name()) && cpu.ends_with(&kernels::instructions(false)), "{cpu}");
        assert!(!cpu.ends_with(", "), "{cpu}");
    }
}
