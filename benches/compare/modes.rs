//! What is measured.

/// What a mode does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Training steps.
    Train,
    /// An evaluation.
    Evaluate,
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
    /// Whether products are in bf16.
    pub bf16: bool,
    /// One in how many of the steps it makes: some are slow, and as slow for every batch.
    pub every: u64,
}

const fn mode(name: &'static str, label: &'static str, peer: bool, task: Task, bf16: bool) -> Mode {
    Mode { name, label, peer, task, bf16, every: 1 }
}

/// All of them, in the order of the table.
pub const MODES: [Mode; 11] = [
    mode("taper", "taper fp32", false, Task::Train, false),
    mode("taper-bf16", "taper bf16", false, Task::Train, true),
    Mode { every: 10, ..mode("padded", "PyTorch padded", true, Task::Train, false) },
    mode("dynamic", "PyTorch dynamic", true, Task::Train, false),
    mode("dynamic-bf16", "PyTorch dynamic bf16", true, Task::Train, true),
    mode("grouped", "PyTorch grouped", true, Task::Train, false),
    mode("grouped-bf16", "PyTorch grouped bf16", true, Task::Train, true),
    mode("taper-eval", "taper eval fp32", false, Task::Evaluate, false),
    mode("taper-eval-bf16", "taper eval bf16", false, Task::Evaluate, true),
    mode("eval", "PyTorch eval fp32", true, Task::Evaluate, false),
    mode("eval-bf16", "PyTorch eval bf16", true, Task::Evaluate, true),
];

impl Mode {
    /// The mode of that name.
    pub fn find(name: &str) -> Result<&'static Self, String> {
        let names = || MODES.iter().map(|mode| mode.name).collect::<Vec<_>>().join(", ");
        MODES.iter().find(|mode| mode.name == name).ok_or_else(|| format!("no such mode; there are {}", names()))
    }
}
