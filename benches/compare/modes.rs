//! What is measured.

use taper::plan::Precision::{self, Bf16, Fp32, Tf32};

/// What a mode does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Training steps.
    Train,
    /// An evaluation.
    Evaluate,
    /// The whole experiment, from the start of a process to its end.
    Run,
}

/// One thing to measure, in a process of its own.
pub struct Mode {
    /// Its name on the command line; for PyTorch also that in the peer script.
    pub name: &'static str,
    /// Its name in the table.
    pub label: &'static str,
    /// Whether PyTorch does it.
    pub peer: bool,
    /// What is done.
    pub task: Task,
    /// What factors of products are.
    pub precision: Precision,
    /// Whether it is measured on GPUs alone.
    pub gpu: bool,
    /// One in how many of the steps it makes: some are slow, and as slow for every batch.
    pub every: u64,
}

const fn mode(name: &'static str, label: &'static str, task: Task, precision: Precision) -> Mode {
    Mode { name, label, peer: false, task, precision, gpu: false, every: 1 }
}

const fn peer(mode: Mode) -> Mode {
    Mode { peer: true, ..mode }
}

const fn gpu(mode: Mode) -> Mode {
    Mode { gpu: true, ..mode }
}

/// All of them, in the order of the table.
pub const MODES: [Mode; 20] = [
    mode("taper", "taper fp32", Task::Train, Fp32),
    gpu(mode("taper-tf32", "taper tf32", Task::Train, Tf32)),
    mode("taper-bf16", "taper bf16", Task::Train, Bf16),
    Mode { every: 10, ..peer(mode("padded", "PyTorch padded", Task::Train, Fp32)) },
    peer(mode("dynamic", "PyTorch dynamic", Task::Train, Fp32)),
    peer(mode("dynamic-bf16", "PyTorch dynamic bf16", Task::Train, Bf16)),
    gpu(peer(mode("compile-bf16", "PyTorch compile bf16", Task::Train, Bf16))),
    peer(mode("grouped", "PyTorch grouped", Task::Train, Fp32)),
    peer(mode("grouped-bf16", "PyTorch grouped bf16", Task::Train, Bf16)),
    mode("taper-eval", "taper eval fp32", Task::Evaluate, Fp32),
    mode("taper-eval-bf16", "taper eval bf16", Task::Evaluate, Bf16),
    peer(mode("eval", "PyTorch eval fp32", Task::Evaluate, Fp32)),
    peer(mode("eval-bf16", "PyTorch eval bf16", Task::Evaluate, Bf16)),
    mode("taper-run", "taper fp32", Task::Run, Fp32),
    gpu(mode("taper-run-tf32", "taper tf32", Task::Run, Tf32)),
    mode("taper-run-bf16", "taper bf16", Task::Run, Bf16),
    peer(mode("run-padded", "PyTorch padded", Task::Run, Fp32)),
    peer(mode("run-dynamic", "PyTorch dynamic", Task::Run, Fp32)),
    peer(mode("run-dynamic-bf16", "PyTorch dynamic bf16", Task::Run, Bf16)),
    gpu(peer(mode("run-compile-bf16", "PyTorch compile bf16", Task::Run, Bf16))),
];

impl Mode {
    /// The mode of that name.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        let names = || MODES.iter().map(|mode| mode.name).collect::<Vec<_>>().join(", ");
        MODES.iter().find(|mode| mode.name == name).ok_or_else(|| format!("no such mode; there are {}", names()))
    }
}

/// A precision as the spec has it.
pub fn key(precision: Precision) -> &'static str {
    match precision {
        Fp32 => "fp32",
        Tf32 => "tf32",
        Bf16 => "bf16",
    }
}
