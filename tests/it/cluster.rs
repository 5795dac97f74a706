//! taper and a real Slurm: a controller and two nodes on this machine, where Slurm is installed.

mod client;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use taper::cluster::Slurm;

use crate::data::shared;

/// A cluster of a test's own. It stops with the value.
struct Cluster {
    script: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts it; `None`, with the reason printed, where that is not possible.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    fn start() -> Option<Self> {
        let script = shared("slurm-testbed.sh")?;
        let missing = ["slurmctld", "slurmd", "sbatch", "munged"].into_iter().find(|name| !is_installed(name));
        if let Some(missing) = missing {
            println!("skipped: `{missing}` is not installed");
            return None;
        }
        let cluster = Self { script, folder: tempfile::tempdir().expect("a folder") };
        if let Err(said) = cluster.testbed("up") {
            // It needs root and free ports.
            println!("skipped: Slurm does not start here: {said}");
            return None;
        }
        Some(cluster)
    }

    /// What the script of the cluster says when it fails.
    fn testbed(&self, what: &str) -> Result<(), String> {
        let mut command = Command::new("bash");
        command.arg(&self.script).arg(what).arg(self.folder.path()).env("TB_REQUEUE", "1").stdin(Stdio::null());
        let output = command.stdout(Stdio::null()).output().map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().into()),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    fn client(&self) -> Slurm {
        Slurm::find().expect("Slurm's commands").with_config(&self.config())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.testbed("down");
    }
}

fn is_installed(name: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).any(|folder| folder.join(name).is_file())
}

/// Waits until this is the case. The limit is only there so that a test that fails ends.
fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} did not come");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A file that a job writes.
fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}
