//! Shared by tests of sweeps: a sweep of twelve runs, its results, and what it may not leave behind.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use taper::execute::RunFolder;

pub use crate::support::{Sandbox, Steps, steps};
use crate::support::{store, tiny_spec};

/// Twelve runs of 40 steps, some seconds of work in all, with a dev split that chooses the weights.
pub const SPEC: &str = tiny_spec!(
    "torture",
    r#"test = 0.2
dev = 0.2
max_length = 32
[train]
epochs = 8
batch_size = 4
max_grad_norm = 1.0
early_stopping_patience = 7
[checkpoint]
keep = "best"
metric = "loss"
every_steps = 3
[sweep]
seeds = [1, 2, 3]
[sweep.axes]
train.lr = [3e-4, 1e-3]
train.dropout = [0.1, 0.3]
"#
);

pub const RUNS: usize = 12;

/// A folder with the spec and its rows.
pub fn twelve_runs() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("torture.toml", SPEC);
    sandbox
}

impl Sandbox {
    /// `taper run` of the sweep.
    pub fn start(&self, runs: &str, more: &[&str]) -> Child {
        let mut command = self.command(&[&["run", "torture.toml", "--quiet", "--runs", runs], more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts")
    }

    /// The same with so many KiB of address space for each process, and not quiet.
    pub fn limited(&self, runs: &str, kib: u64, more: &[&str]) -> Output {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {kib}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_taper")]);
        command.args(["run", "torture.toml", "--runs", runs]).args(more).current_dir(self.root());
        // Else each thread reserves some for itself, more than it ever uses.
        command.env("MALLOC_ARENA_MAX", "1").stdin(Stdio::null()).output().expect("a shell")
    }

    pub fn finish(&self, runs: &str, more: &[&str]) {
        let output = self.start(runs, more).wait_with_output().expect("its end");
        assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

/// All steps, bit for bit; and the digest of the weights and the metrics of each run.
pub type Trail = (Steps, BTreeMap<String, (Option<String>, String)>);

pub fn trail(runs: &Path) -> Trail {
    let store = store(runs);
    let mut ends = BTreeMap::new();
    for run in store.runs().expect("runs") {
        let evals: Vec<_> =
            store.evals(&run.key).expect("evals").into_iter().map(|e| (e.when, e.step, e.split, e.metrics)).collect();
        let weights = fs::read(RunFolder::new(runs, &run.key).model().join("model.safetensors")).map(|w| w.len());
        ends.insert(run.key, (run.weights_sha256, format!("{evals:?} {weights:?}")));
    }
    (steps(runs), ends)
}

/// Processes that `parent` started and that are still there.
pub fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let parent_of = |stat: &str| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok();
    let pids = fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| stat(pid).and_then(|stat| parent_of(&stat)) == Some(parent)).collect()
}

pub fn kill(pid: u32) {
    Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status().expect("kill");
}

pub fn is_alive(pid: u32) -> bool {
    // A zombie that has not been waited for is dead.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Nothing that a killed process could have left.
pub fn assert_clean(runs: &Path) {
    let database = rusqlite::Connection::open(runs.join("taper.db")).expect("the database");
    let verdict: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
    assert_eq!(verdict, "ok");
    let mut left = Vec::new();
    let mut folders = vec![runs.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let temporary = [".tmp", ".new", ".lock", ".permissions"].iter().any(|ending| name.ends_with(ending));
            if path.is_dir() {
                folders.push(path);
            } else if temporary || name.starts_with("state") || name.starts_with("best") {
                left.push(path);
            }
        }
    }
    assert!(left.is_empty(), "left behind: {left:?}");
}
