//! The whole program without a GPU: `tests/cuda/driver.cu` replaces NVIDIA's driver and for cuBLAS and runs the
//! kernels on the processor, late, as a GPU does. What the host's side asks of a driver, and what becomes of it, is checked so on
//! every machine; the arithmetic is checked by `tests/cuda`.

#![cfg(all(target_os = "linux", feature = "cuda"))]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

#[allow(dead_code, reason = "only the driver is wanted")]
#[path = "../cuda/compiled.rs"]
mod compiled;
#[allow(dead_code, reason = "only the folder is wanted")]
#[path = "../parity/pytorch.rs"]
mod pytorch;
#[allow(dead_code, reason = "most of it is for other tests")]
#[path = "../it/support.rs"]
mod support;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Output,
};

use support::{Sandbox, tiny_spec, words};
use taper::store::Store;

const SPEC: &str = tiny_spec!(
    "small",
    r#"test = 0.25
max_length = 24
[train]
epochs = 1
batch_size = 8
max_grad_norm = 1.0
lr = 1e-3
[[probes]]
text = "很快"
expect = "1"
"#
);

/// A folder with a spec, its rows, and the libraries of the driver.
struct GpuSandbox(Sandbox);

impl GpuSandbox {
    /// None, with a word, where there is no C++ compiler.
    fn new() -> Option<Self> {
        let Some(driver) = compiled::driver() else {
            eprintln!("skipped: no C++ compiler");
            return None;
        };
        let sandbox = Self(Sandbox::new());
        fs::create_dir(sandbox.path("lib")).expect("a folder");
        for name in ["libcuda.so", "libcublas.so", "libcublasLt.so"] {
            symlink(&driver, sandbox.path("lib").join(name)).expect("a link");
        }
        let rows = (0..12).map(|i| format!("1,味道很好 第{i}次点 快\n0,难吃 送得慢 {i}小时 差评\n"));
        sandbox.0.write("rows.csv", format!("label,review\n{}", rows.collect::<String>()));
        sandbox.0.write("small.toml", SPEC);
        Some(sandbox)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    /// taper with arguments and variables, its runs in the folder `runs`.
    fn taper(&self, runs: &str, vars: &[(&str, &str)], arguments: &[&str]) -> Output {
        let mut command = self.0.command(arguments);
        command.env("LD_LIBRARY_PATH", self.path("lib")).env("TAPER_RUNS", self.path(runs));
        command.envs(vars.iter().copied()).output().expect("taper runs")
    }

    /// Trains the runs of the spec; returns the (loss, norm) of each step, run after run.
    fn run(&self, runs: &str, arguments: &[&str]) -> Vec<Vec<(f64, f64)>> {
        let output = self.taper(runs, &[], &[&["run", "small.toml"], arguments].concat());
        assert!(output.status.success(), "{}", words(&output));
        trail(&self.path(runs))
    }
}

fn trail(runs: &Path) -> Vec<Vec<(f64, f64)>> {
    let store = Store::open(runs).expect("a database");
    let all = store.runs().expect("runs");
    let steps = all.iter().map(|run| store.steps(&run.key).expect("steps"));
    steps.map(|steps| steps.iter().map(|s| (s.loss, s.grad_norm)).collect()).collect()
}

/// Largest difference, of the larger of the two.
fn difference(a: &[Vec<(f64, f64)>], b: &[Vec<(f64, f64)>]) -> f64 {
    let flat = |runs: &[Vec<(f64, f64)>]| runs.iter().flatten().flat_map(|(l, n)| [*l, *n]).collect::<Vec<_>>();
    let (a, b) = (flat(a), flat(b));
    assert!(a.len() == b.len() && !a.is_empty());
    a.iter().zip(&b).map(|(a, b)| (a - b).abs() / a.abs().max(b.abs())).fold(0.0, f64::max)
}

/// Every step's loss and norm arrive on the host, in order, and equal the CPU's.
#[test]
fn a_run_on_the_gpu_is_the_cpus() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let (cpu, gpu) = (sandbox.run("cpu", &["--device", "cpu"]), sandbox.run("gpu", &["--device", "cuda:0"]));
    assert!(difference(&cpu, &gpu) < 1e-5, "{cpu:?} {gpu:?}");
    assert!(cpu != gpu, "both used the same arithmetic");
    assert_eq!(gpu, sandbox.run("again", &["--device", "cuda"]), "another time the same");
    for precision in ["bf16", "tf32"] {
        let set = format!("train.precision={precision}");
        let rounded = sandbox.run(precision, &["--device", "cuda:0", "--set", &set]);
        let apart = difference(&cpu, &rounded);
        assert!((1e-6..3e-2).contains(&apart), "{precision}: {apart}");
    }
}

/// Products are cuBLASLt's; where it has no algorithm they are cuBLAS's, and the numbers are the same here.
#[test]
fn products_find_another_way_where_the_first_fails() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    for precision in ["fp32", "bf16"] {
        let set = format!("train.precision={precision}");
        let train = |name: &str, vars: &[(&str, &str)]| {
            let output = sandbox.taper(name, vars, &["run", "small.toml", "--device", "cuda:0", "--set", &set]);
            (output.status.success(), words(&output))
        };
        for (vars, succeeds) in [
            (&[("EMULATED_GEMM", "0")][..], true),
            (&[("EMULATED_LT", "0")], true),
            (&[("EMULATED_GEMM", "0"), ("EMULATED_LT", "0")], false),
        ] {
            let (success, says) =
                train(&format!("{precision}-{}", vars[0].0.to_lowercase() + &vars.len().to_string()), vars);
            assert_eq!(success, succeeds, "{precision} {vars:?}: {says}");
        }
        let digest = |name: &str| {
            let store = Store::open(&sandbox.path(name)).expect("a database");
            store.runs().expect("runs")[0].weights_sha256.clone().expect("weights")
        };
        let of = |name: &str| digest(&format!("{precision}-{name}1"));
        assert_eq!(of("emulated_gemm"), of("emulated_lt"), "{precision}");
    }
}

/// Where there is a GPU it is used, and said so.
#[test]
fn the_gpu_is_used_where_there_is_one() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let output = sandbox.taper("runs", &[], &["run", "small.toml", "--set", "train.max_steps=1"]);
    assert!(output.status.success() && words(&output).contains("cuda:0"), "{}", words(&output));
    let store = Store::open(&sandbox.path("runs")).expect("a database");
    let run = &store.runs().expect("runs")[0];
    let shown = words(&sandbox.taper("runs", &[], &["show", &run.key]));
    assert!(shown.contains("cuda:0") && shown.contains("Emulated GPU") && shown.contains("cuBLAS 13.1.2"), "{shown}");
    for (arguments, expected) in [
        (["predict", &run.key, "很快", "--device", "cuda:0"], "很快"),
        (["verify", &run.key, "--device", "cuda:0", "--json"], "\"equal\": true"),
    ] {
        let output = sandbox.taper("runs", &[], &arguments);
        assert!(output.status.success() && words(&output).contains(expected), "{}", words(&output));
    }
    // The same device is held to the last bit, another one within a tolerance.
    for (device, says) in [("cuda:0", "the same, bit for bit"), ("cpu", "the same within the tolerance")] {
        let output = sandbox.taper("runs", &[], &["verify", &run.key, "--device", device]);
        assert!(output.status.success() && words(&output).contains(says), "{device}: {}", words(&output));
    }
}

#[test]
fn several_runs_share_a_device() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let sweep = ["--device", "cuda:0", "--set", "sweep.seeds=[1,2,3]", "--runs-per-device", "2"];
    let together = sandbox.run("together", &sweep);
    assert_eq!(together.len(), 3);
    let one_by_one = sandbox.run("apart", &[&sweep[..5], &["1"]].concat());
    assert_eq!(together, one_by_one);
}

/// A step whose batch does not fit is computed in parts, and the run has the metrics it would have had.
#[test]
fn a_batch_too_large_for_the_memory_is_computed_in_parts() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let arguments = ["--device", "cuda:0", "--set", "train.batch_size=18"];
    let whole = sandbox.run("whole", &arguments);
    // Weights, moments, gradients and cuBLAS's workspace fit; the batch does not.
    let mut met = false;
    for half_mib in 72..=76 {
        let (runs, memory) = (format!("runs{half_mib}"), (half_mib << 19).to_string());
        let run = [&["run", "small.toml"][..], &arguments].concat();
        let output = sandbox.taper(&runs, &[("EMULATED_MEMORY", &memory)], &run);
        let said = words(&output);
        if output.status.success() && said.contains("with micro-batches of at most") {
            assert!(said.contains("out of memory on cuda:0") && said.contains("more are needed"), "{said}");
            assert!(difference(&whole, &trail(&sandbox.path(&runs))) < 1e-5);
            met = true;
        } else if !output.status.success() {
            assert!(said.contains("out of memory on cuda:0"), "{said}");
        }
    }
    assert!(met, "no size of memory was between too small and large enough");
}

/// Unsupported settings are refused before any run is trained.
#[test]
fn what_cannot_be_is_refused_before_training() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let old = [("EMULATED_CAPABILITY", "7.0")];
    let turing = [("EMULATED_CAPABILITY", "7.5")];
    let none = [("EMULATED_DEVICES", "0")];
    let missing = [("LD_LIBRARY_PATH", "/nowhere")];
    let on = |device: &'static str| ["run", "small.toml", "--device", device];
    let bf16 = ["run", "small.toml", "--device", "cuda:0", "--set", "train.precision=bf16"];
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str], &'a [&'a str]);
    let cases: [Case; 5] = [
        (&[], &on("cuda:1"), &["there is no cuda:1", "one device"]),
        (&none, &on("cuda:0"), &["no device", "--device cpu"]),
        (&missing, &on("cuda:0"), &["no NVIDIA driver", "libcuda.so"]),
        (&old, &on("cuda:0"), &["Emulated GPU", "compute capability 7.0", "7.5 or higher"]),
        (&turing, &bf16, &["compute capability 7.5", "bf16", "8.0 or higher", "fp32"]),
    ];
    for (vars, arguments, expected) in cases {
        let output = sandbox.taper("runs", vars, arguments);
        let said = words(&output);
        assert!(!output.status.success(), "{said}");
        expected.iter().for_each(|part| assert!(said.contains(part), "`{part}` is not in: {said}"));
        assert!(!said.contains("before training"), "{said}");
        assert!(!sandbox.path("runs").join("taper.db").exists() || trail(&sandbox.path("runs")).is_empty(), "{said}");
    }
}

/// A kernel that fails ends its run with the driver's words, and no other.
#[test]
fn a_failing_kernel_is_named() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let output = sandbox.taper("runs", &[("EMULATED_LAUNCH", "100")], &["run", "small.toml", "--device", "cuda:0"]);
    let said = words(&output);
    assert!(!output.status.success() && said.contains("cuda:0: starting the kernel"), "{said}");
    assert!(said.contains("unspecified launch failure"), "{said}");
}

/// Weights that could not be read are written nowhere: neither as a checkpoint nor as a model.
#[test]
fn what_cannot_be_read_from_the_device_is_not_kept() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let whole = sandbox.run("whole", &["--device", "cuda:0"]);
    let digest = |runs: &str| {
        let runs = Store::open(&sandbox.path(runs)).expect("a database").runs().expect("runs");
        runs[0].weights_sha256.clone()
    };
    let mut failed = 0;
    for download in [2, 6, 20, 45, 70, 95] {
        let (runs, number) = (format!("runs{download}"), download.to_string());
        let run = ["run", "small.toml", "--device", "cuda:0", "--retries", "0"];
        let output = sandbox.taper(&runs, &[("EMULATED_DOWNLOAD", &number)], &run);
        let said = words(&output);
        if !output.status.success() {
            assert!(said.contains("(crashed)") && said.contains("cuda:0: copying from it failed"), "{said}");
            failed += 1;
        }
        assert_eq!(sandbox.run(&runs, &["--device", "cuda:0"]), whole, "after download {download}");
        assert_eq!(digest(&runs), digest("whole"), "after download {download}");
    }
    assert!(failed > 4, "{failed}");
}

/// A device that has failed once does nothing more for its process: what comes next gets another one.
#[test]
fn a_run_whose_device_failed_is_trained_again_by_another_process() {
    let Some(sandbox) = GpuSandbox::new() else { return };
    let runs = ["run", "small.toml", "--device", "cuda:0", "--set", "sweep.seeds=[1,2]", "--runs-per-device", "1"];
    let output = sandbox.taper("runs", &[("EMULATED_LAUNCH", "300")], &runs);
    let said = words(&output);
    // 300 launches are enough for one run but not for two: the second fails in the first's process, and succeeds in its own.
    assert!(output.status.success() && said.contains("retried"), "{said}");
    assert_eq!(trail(&sandbox.path("runs")).len(), 2);
}
