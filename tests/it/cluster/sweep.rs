//! A sweep from its submission to its report, trained by Slurm.

use std::{
    io::Read,
    process::{Child, Command, Stdio},
};

use taper::{
    cluster::{Element, ElementId, ElementState},
    experiment::log,
    store::ElementRecord,
};

use super::{Cluster, read, send, wait_for};
use crate::{
    element::{Rows, SPEC, assert_same, rows},
    support::{Sandbox, store, text},
};

/// What is added to the spec of the tests without a cluster.
const MORE: &str = "[sweep]\nseeds = [1, 2, 3, 4]\n[slurm]\ncpus_per_task = 1\n";

/// One seed, and long enough to be met under way.
pub const LONG: [&str; 6] = [
    "--set",
    "sweep.seeds=[1]",
    "--set",
    "train.epochs=40",
    "--set",
    "sweep.axes.train.lr=[1e-4, 3e-4, 1e-3, 3e-3, 5e-3]",
];

pub struct Sweep {
    pub cluster: Cluster,
    pub sandbox: Sandbox,
    sets: Vec<String>,
}

impl Sweep {
    pub fn new(cluster: Cluster, sets: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write_rows();
        sandbox.write("away.toml", format!("{SPEC}{MORE}"));
        Self { cluster, sandbox, sets: sets.iter().map(|set| set.to_string()).collect() }
    }

    /// `taper` where Slurm is this cluster.
    pub fn taper(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command: Command = self.sandbox.command(arguments);
        let output = command.env("SLURM_CONF", self.cluster.config()).output().expect("taper starts");
        (output.status.code().expect("an exit code"), text(&output.stdout), text(&output.stderr))
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let (code, said, errors) = self.taper(arguments);
        assert_eq!(code, 0, "taper {arguments:?}: {said}{errors}");
        said
    }

    /// `taper submit`, with what the spec of this test is changed by.
    pub fn submit(&self, more: &[&str]) -> String {
        let sets: Vec<&str> = self.sets.iter().map(String::as_str).collect();
        self.ok(&[&["submit", "away.toml"], &sets[..], more].concat())
    }

    /// `taper run --executor slurm`, with what the spec of this test is changed by.
    pub fn attached(&self, more: &[&str]) -> (i32, String, String) {
        let sets: Vec<&str> = self.sets.iter().map(String::as_str).collect();
        self.taper(&[&["run", "away.toml", "--executor", "slurm"], &sets[..], more].concat())
    }

    /// The same in the background.
    pub fn start(&self, more: &[&str]) -> Child {
        let sets: Vec<&str> = self.sets.iter().map(String::as_str).collect();
        let mut command =
            self.sandbox.command(&[&["run", "away.toml", "--executor", "slurm"], &sets[..], more].concat());
        command.env("SLURM_CONF", self.cluster.config()).stdout(Stdio::null()).stderr(Stdio::piped());
        command.spawn().expect("taper starts")
    }

    /// What a command in the background says until these words, or with none of them until its end.
    pub fn read_until(&self, command: &mut Child, words: &str) -> String {
        let errors = command.stderr.as_mut().expect("its errors");
        let (mut said, mut byte) = (Vec::new(), [0]);
        while words.is_empty() || !text(&said).contains(words) {
            match errors.read(&mut byte).expect("its errors") {
                0 if words.is_empty() => break,
                0 => panic!("it ended: {}", text(&said)),
                _ => said.extend(byte),
            }
        }
        text(&said)
    }

    /// Stops the worker of a run if it has a checkpoint, so that the run is under way whatever the speed of the machine.
    pub fn hold(&self, run: &ElementRecord) -> Option<u32> {
        // An element that is queued again has no worker at the moment.
        let worker = if has_checkpoint(self, run) { worker(self, run) } else { None };
        worker.inspect(|worker| send("-STOP", *worker))
    }

    /// Stops the worker of each of the runs after its first checkpoint.
    pub fn hold_all(&self, runs: &[ElementRecord]) -> Vec<u32> {
        let mut held: Vec<Option<u32>> = vec![None; runs.len()];
        wait_quickly("checkpoints", || {
            for (run, held) in runs.iter().zip(&mut held).filter(|(_, held)| held.is_none()) {
                *held = self.hold(run);
            }
            held.iter().all(Option::is_some).then(|| held.iter().flatten().copied().collect())
        })
    }

    /// The runs that a command has submitted so far, also before there is a database.
    pub fn all_submitted(&self) -> Vec<ElementRecord> {
        match self.sandbox.path("runs/taper.db").exists() {
            true => self.submitted(None),
            false => Vec::new(),
        }
    }

    /// The runs of all submissions, or of one.
    pub fn submitted(&self, number: Option<u64>) -> Vec<ElementRecord> {
        store(&self.sandbox.path("runs")).submitted(number).expect("submissions")
    }

    /// What Slurm says of the job of a run.
    pub fn element(&self, run: &ElementRecord) -> Element {
        let all = self.cluster.client().elements(&[id(run).array]).expect("the cluster");
        all.into_iter().find(|element| element.id == id(run)).expect("the element")
    }

    /// Waits until no job of a submission waits or runs, and returns how each ended.
    pub fn wait(&self, number: u64) -> Vec<ElementState> {
        let runs = self.submitted(Some(number));
        let states = || {
            let states: Vec<ElementState> = runs.iter().map(|run| self.element(run).state).collect();
            states.iter().all(|state| !state.is_underway()).then_some(states)
        };
        wait_for("the end of the jobs", states)
    }

    pub fn log(&self, run: &ElementRecord) -> String {
        read(&log(&self.sandbox.path("runs"), run)).unwrap_or_default()
    }

    pub fn rows(&self) -> Rows {
        rows(&self.sandbox.path("runs"))
    }

    /// Every row of the same sweep trained by `taper run`.
    pub fn trained_here(&self) -> Rows {
        let sets: Vec<&str> = self.sets.iter().map(String::as_str).collect();
        self.sandbox.ok(&[&["run", "away.toml", "--quiet", "--runs", "here", "--threads", "1"], &sets[..]].concat());
        rows(&self.sandbox.path("here"))
    }

    /// The states of all runs, as `taper list` has them.
    pub fn states(&self) -> Vec<String> {
        let listed: serde_json::Value = serde_json::from_str(&self.ok(&["list", "--json"])).expect("JSON");
        let state = |run: &serde_json::Value| run["state"].as_str().expect("a state").to_string();
        listed.as_array().expect("runs").iter().map(state).collect()
    }
}

pub fn id(run: &ElementRecord) -> ElementId {
    ElementId { array: run.array_job.expect("an accepted array"), task: run.task }
}

#[test]
fn a_sweep_on_a_cluster_gives_the_rows_of_a_local_one() {
    let Some(cluster) = Cluster::start() else { return };
    let sweep = Sweep::new(cluster, &[]);
    let script = sweep.submit(&["--dry-run"]);
    assert!(
        script.contains("#SBATCH --cpus-per-task=1\n") && script.contains("#SBATCH --signal=B:USR1@120\n"),
        "{script}"
    );
    assert!(!sweep.sandbox.path("runs/slurm").exists(), "nothing is submitted");
    sweep.submit(&[]);
    let runs = sweep.submitted(None);
    assert_eq!(runs.len(), 12);
    let again = sweep.taper(&["submit", "away.toml"]);
    assert!(again.1.contains("submitted before") || again.2.contains("submitted before"), "{again:?}");
    assert_eq!(sweep.wait(1), vec![ElementState::Completed; 12], "{}", sweep.log(&runs[0]));
    let log = sweep.ok(&["logs", &runs[3].run]);
    assert!(log == sweep.log(&runs[3]) && log.contains(": completed\n"), "{log}");
    assert_eq!(sweep.states(), vec!["completed"; 12]);
    let page = sweep.ok(&["report", "away"]);
    assert!(page.contains("report.html"), "{page}");
    assert_same(&sweep.rows(), &sweep.trained_here());
    assert_eq!(sweep.ok(&["cancel", "away"]), "nothing to cancel: no job of these runs is pending or running\n");
    assert_eq!(sweep.submitted(None).len(), 12);
}

/// The job of run 0 goes on by itself; of 1 it is cancelled; 2 reaches its time limit; of 3 the worker, of 4 all is killed.
#[test]
fn a_sweep_outlives_what_happens_on_a_cluster() {
    let Some(cluster) = Cluster::start() else { return };
    let sweep = Sweep::new(cluster, &LONG);
    // Slurm looks at the limits every 30 s: the signal comes half a minute after the start.
    sweep.submit(&["--set", "slurm.time=2", "--set", "slurm.signal_seconds=118"]);
    let runs = sweep.submitted(Some(1));
    let workers = sweep.hold_all(&runs);
    assert_eq!(sweep.submitted(None).iter().filter(|run| run.collected_at.is_some()).count(), 0);

    let cancelled = sweep.ok(&["cancel", &runs[1].run]);
    assert_eq!(cancelled, format!("cancelled {} ({}): it was running\n", id(&runs[1]), &runs[1].run[..12]));
    send("-CONT", workers[1]);
    send("-KILL", workers[3]);
    let [element] = sweep.cluster.processes(id(&runs[4]), &["worker", "--element"])[..] else { panic!("an element") };
    send("-KILL", element);
    send("-KILL", workers[4]);
    send("-CONT", workers[0]);
    sweep.cluster.stop_controller();
    assert_eq!(sweep.states().len(), 5, "what is known is shown without the controller");
    sweep.cluster.start_controller();
    wait_for("the signal before the time limit", || sweep.log(&runs[2]).contains("asked to stop").then_some(()));
    send("-CONT", workers[2]);

    use ElementState::{Cancelled, Completed, Failed};
    let states = sweep.wait(1);
    let logs: Vec<String> = runs.iter().map(|run| sweep.log(run)).collect();
    assert_eq!((states[1], states[2], states[3], states[4]), (Cancelled, Completed, Completed, Failed), "{logs:#?}");
    assert!(
        logs[2].contains("stopped with a checkpoint and requeued") && logs[2].contains("resumes at step"),
        "{}",
        logs[2]
    );
    assert!(sweep.element(&runs[2]).restarts >= Some(1));
    assert!(logs[3].contains("retried (1 of 2)"), "{}", logs[3]);

    // What was cancelled or killed continues when it is submitted again.
    let again = sweep.submit(&[]);
    let more: Vec<String> = sweep.submitted(Some(2)).into_iter().map(|run| run.run).collect();
    assert_eq!(more, [&runs[1], &runs[4]].map(|run| run.run.clone()), "{again}");
    assert_eq!(sweep.wait(2), [Completed; 2]);
    assert!(sweep.submitted(Some(2)).iter().all(|run| sweep.log(run).contains("resumes at step")));
    assert_eq!(sweep.states(), ["completed"; 5]);
    assert_same(&sweep.rows(), &sweep.trained_here());
}

fn has_checkpoint(sweep: &Sweep, run: &ElementRecord) -> bool {
    sweep.sandbox.folder(&run.run).join("state.safetensors").exists()
}

/// The process that trains a run.
fn worker(sweep: &Sweep, run: &ElementRecord) -> Option<u32> {
    let of = |words: &[&str]| sweep.cluster.processes(id(run), words);
    let elements = of(&["worker", "--element"]);
    of(&["worker"]).into_iter().find(|pid| !elements.contains(pid))
}

/// [`wait_for`] what may be over soon.
pub fn wait_quickly<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    wait_for(what, || {
        (0..100).find_map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(2));
            found()
        })
    })
}
