//! taper and a real Slurm: a controller and two nodes on this machine, where Slurm is installed.

mod attached;
mod client;
#[cfg(unix)]
mod stub;
mod sweep;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use taper::cluster::{ElementId, Slurm};

use crate::data::shared;

/// A cluster of a test's own. It stops with the value.
struct Cluster {
    script: PathBuf,
    folder: tempfile::TempDir,
}

impl Cluster {
    /// Starts it; `None`, with the reason printed, where Slurm is not installed.
    #[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
    fn start() -> Option<Self> {
        let script = shared("slurm-testbed.sh")?;
        let missing = ["slurmctld", "slurmd", "sbatch", "munged"].into_iter().find(|name| !is_installed(name));
        if let Some(missing) = missing {
            println!("skipped: `{missing}` is not installed");
            return None;
        }
        let cluster = Self { script, folder: tempfile::tempdir().expect("a folder") };
        // Otherwise none of these tests would run for a long time, and nobody would know.
        cluster
            .testbed("up")
            .unwrap_or_else(|said| panic!("Slurm does not start here, as root with free ports: {said}"));
        Some(cluster)
    }

    /// What the script of the cluster says when it fails.
    fn testbed(&self, what: &str) -> Result<(), String> {
        let mut command = Command::new("bash");
        command.arg(&self.script).arg(what).arg(self.folder.path()).stdin(Stdio::null());
        let output = command.stdout(Stdio::null()).output().map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().into()),
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("slurm.conf")
    }

    /// The process id of one of its services.
    fn service(&self, name: &str) -> u32 {
        let pids = read(&self.folder.path().join("pids").join(name)).expect("its process");
        pids.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a process id")
    }

    /// Stops the controller, until it is gone.
    fn stop_controller(&self) {
        let pid = self.service("slurmctld");
        send("-TERM", pid);
        wait_for("the controller's end", || (!is_running(pid)).then_some(()));
    }

    /// Starts the controller again, with the state that it left.
    fn start_controller(&self) {
        let mut command = Command::new("slurmctld");
        command.arg("-D").arg("-f").arg(self.config()).env("SLURM_TESTBED", self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut controller = command.spawn().expect("slurmctld starts");
        let pid = controller.id();
        // Its end is not waited for: the script of the cluster ends it.
        thread::spawn(move || controller.wait());
        // As the script writes it: the process, and when it began.
        let stat = read(Path::new(&format!("/proc/{pid}/stat"))).expect("its state");
        let began = stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(19)).expect("its beginning");
        fs::write(self.folder.path().join("pids/slurmctld"), format!("{pid} {began}\n")).expect("written");
        wait_for("the controller", || self.client().max_array_size().ok());
    }

    /// The processes of an element whose command line contains all of these words.
    fn processes(&self, job: ElementId, words: &[&str]) -> Vec<u32> {
        let of_it = [
            format!("SLURM_CONF={}", self.config().display()),
            format!("SLURM_ARRAY_JOB_ID={}", job.array),
            format!("SLURM_ARRAY_TASK_ID={}", job.task.expect("an element")),
        ];
        let is_of = |pid: &u32| {
            let part = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let (environment, line) = (part("environ"), part("cmdline"));
            let has = |bytes: &[u8], word: &str| bytes.split(|byte| *byte == 0).any(|part| part == word.as_bytes());
            of_it.iter().all(|word| has(&environment, word)) && words.iter().all(|word| has(&line, word))
        };
        let entries = fs::read_dir("/proc").expect("processes").flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_of).collect()
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

fn send(signal: &str, pid: u32) {
    assert!(
        Command::new("kill").args([signal, &pid.to_string()]).status().expect("kill").success(),
        "kill {signal} {pid}"
    );
}

/// Whether there is such a process that has not ended.
fn is_running(pid: u32) -> bool {
    let stat = read(Path::new(&format!("/proc/{pid}/stat"))).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

/// A file that a job writes.
fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}
