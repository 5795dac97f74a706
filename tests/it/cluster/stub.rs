//! `taper submit` and `taper cancel` where Slurm's commands fail or are slow: scripts take their parts.

use std::{
    fs,
    io::Read,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use taper::{
    execute::SubmissionFolder,
    store::{ExperimentRecord, Store},
};

use super::{read, send, wait_for};
use crate::support::{Sandbox, store, text, tiny_spec, words};

const SPEC: &str = tiny_spec!("away", "test = 0.25\n[sweep]\nseeds = [1, 2]\n");

/// The commands of Slurm: `sbatch` counts from 100, and does first what the file `before` says. They run in the folder of the test.
const COMMANDS: [(&str, &str); 4] = [
    (
        "sbatch",
        "id=$((100 + $(grep -c ^sbatch log)))\necho sbatch >> log\nif [ -e before ]; then . ./before; fi\necho $id",
    ),
    ("squeue", "if [ -e queue ]; then cat queue; fi"),
    ("scancel", "echo scancel \"$@\" >> log\nif [ -e refusal ]; then cat refusal >&2; exit 1; fi"),
    (
        "scontrol",
        "if [ \"$1\" = show ]; then echo \"MaxArraySize = $(cat most)\"; else echo scontrol \"$@\" >> log; fi",
    ),
];

struct Stub {
    sandbox: Sandbox,
}

impl Stub {
    /// A cluster whose arrays have this many elements at most.
    fn new(most: u64) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write_rows();
        sandbox.write("away.toml", SPEC);
        let stub = Self { sandbox };
        for (name, what) in COMMANDS {
            let here = stub.sandbox.root().display();
            stub.sandbox.write(&format!("bin/{name}"), format!("#!/bin/bash\ncd '{here}'\n{what}\n"));
            let executable = fs::Permissions::from_mode(0o755);
            fs::set_permissions(stub.sandbox.path("bin").join(name), executable).expect("executable");
        }
        stub.sandbox.write("most", most.to_string());
        stub.sandbox.write("log", "");
        stub
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.sandbox.command(arguments);
        let path = std::env::var("PATH").expect("a search path");
        command.env("PATH", format!("{}:{path}", self.sandbox.path("bin").display()));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn says(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().expect("taper starts");
        (output.status.code().expect("an exit code"), words(&output))
    }

    /// What was asked of Slurm that changes something.
    fn log(&self) -> Vec<String> {
        read(&self.sandbox.path("log")).expect("the log").lines().map(String::from).collect()
    }

    /// Starts `taper submit`, whose `sbatch` waits for the file `go` and has begun.
    fn start_slowly(&self) -> Child {
        self.sandbox.write("before", "touch begun\nfor i in $(seq 1200); do [ -e go ] && break; sleep 0.05; done");
        // A group of its own, as a terminal gives a command.
        let child = self.command(&["submit", "away.toml"]).process_group(0).spawn().expect("taper starts");
        wait_for("sbatch", || self.sandbox.path("begun").exists().then_some(()));
        child
    }

    /// The arrays of all runs that were submitted.
    fn arrays(&self) -> Vec<Option<u64>> {
        let submitted = store(&self.sandbox.path("runs")).submitted(None).expect("submissions");
        submitted.iter().map(|run| run.array_job).collect()
    }

    fn folder(&self) -> PathBuf {
        self.sandbox.path("runs/slurm/1")
    }

    /// What `squeue` says of the two jobs of array 100.
    fn queue(&self, state: &str) {
        let line = |task: u64| format!("100|{task}|{}|{state}|None|0|9999999999|0|away|\n", 100 + task);
        self.sandbox.write("queue", line(0) + &line(1));
    }
}

#[test]
fn two_commands_do_not_submit_the_same_runs() {
    let stub = Stub::new(1001);
    let first = stub.start_slowly();
    let (code, said) = stub.says(&["submit", "away.toml"]);
    assert!(code == 2 && said.contains("another `taper submit` is running in this runs folder"), "{code}: {said}");
    stub.sandbox.write("go", "");
    let first = first.wait_with_output().expect("its end");
    assert!(first.status.success(), "{}", words(&first));
    assert_eq!(stub.log(), ["sbatch"]);
    // A dry run counts what the command would submit.
    let dry = |stub: &Stub| stub.says(&["submit", "away.toml", "--dry-run"]).1;
    assert!(dry(&stub).contains("would submit 2 jobs for 2 of 2 runs"), "{}", dry(&stub));
    for state in ["PENDING", "A_LATER_STATE"] {
        stub.queue(state);
        assert!(
            dry(&stub).contains("nothing to submit: all 2 runs are done, or were submitted before")
                && !dry(&stub).contains("#SBATCH"),
            "{}",
            dry(&stub)
        );
        let (code, said) = stub.says(&["submit", "away.toml"]);
        assert!(code == 0 && said.contains("nothing to submit"), "{code}: {said}");
    }
    assert_eq!(stub.log(), ["sbatch"]);
}

#[test]
fn ctrl_c_waits_for_the_answer_and_stores_it() {
    let stub = Stub::new(1);
    let mut child = stub.start_slowly();
    let mut errors = child.stderr.take().expect("its errors");
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().expect("kill").success());
    let mut said = Vec::new();
    while !text(&said).contains("stopping when `sbatch` has answered") {
        let mut byte = [0];
        assert_eq!(errors.read(&mut byte).expect("its errors"), 1, "it ended: {}", text(&said));
        said.extend(byte);
    }
    stub.sandbox.write("go", "");
    errors.read_to_end(&mut said).expect("its errors");
    let code = child.wait_with_output().expect("its end").status.code();
    let said = text(&said);
    assert!(code == Some(130) && said.contains("stopped; Slurm accepted 1 job (array 100)"), "{code:?}: {said}");
    assert_eq!((stub.log(), stub.arrays()), (vec!["sbatch".to_string()], vec![Some(100), None]));
}

#[test]
fn an_array_that_cannot_be_stored_is_cancelled() {
    for refused in [false, true] {
        let stub = Stub::new(1001);
        stub.sandbox.write("before", "mv runs/taper.db gone.db");
        if refused {
            stub.sandbox.write("refusal", "scancel: error: Kill job error on job id 100: Access/permission denied");
        }
        let (code, said) = stub.says(&["submit", "away.toml"]);
        let advice = if refused { "cancel them with `scancel 100`" } else { "as array 100: they were cancelled" };
        assert!(code != 0 && said.contains(advice), "{code}: {said}");
        assert_eq!(stub.log(), ["sbatch", "scancel 100"]);
    }
}

#[test]
fn jobs_without_an_answer_keep_their_folder() {
    let stub = Stub::new(1001);
    let late = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation";
    stub.sandbox.write("before", format!("echo '{late}' >&2; exit 1"));
    let (code, said) = stub.says(&["submit", "away.toml"]);
    assert!(code != 0 && said.contains("may have been accepted all the same: look with `squeue --me`"), "{said}");
    assert!(stub.folder().join("jobs/0").exists(), "the job that may come needs it");
    fs::remove_file(stub.sandbox.path("before")).expect("removed");
    let (code, said) = stub.says(&["submit", "away.toml"]);
    assert!(code == 0 && said.contains("runs/slurm/2/script.sh"), "{code}: {said}");
    // A refusal leaves nothing.
    let stub = Stub::new(1001);
    stub.sandbox.write("before", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1");
    assert!(stub.says(&["submit", "away.toml"]).0 != 0 && !stub.folder().exists());
}

/// What Slurm refuses changes nothing of the experiment: its results stay in its leaderboard, and no run waits for ever.
#[test]
fn a_refused_submission_keeps_the_plan_before_it() {
    let stub = Stub::new(1001);
    stub.sandbox.ok(&["run", "away.toml", "--quiet", "--set", "train.max_steps=2"]);
    let board = || stub.says(&["list", "away", "--leaderboard", "--json"]);
    let (before, keys) = (board(), stub.sandbox.keys());
    assert!(before.0 == 0 && keys.len() == 2, "{before:?}");
    let refusal = "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1";
    // The first is an array, the second a job that would submit the runs.
    for set in ["train.max_steps=3", "sweep.max_runs=1"] {
        stub.sandbox.write("before", refusal);
        let (code, said) = stub.says(&["submit", "away.toml", "--set", set]);
        assert!(code == 2 && said.contains("invalid partition"), "{set}: {code}: {said}");
        assert_eq!((board(), stub.sandbox.keys()), (before.clone(), keys.clone()), "{set}");
    }
    // What may have been accepted is known.
    let late = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation";
    stub.sandbox.write("before", format!("echo '{late}' >&2; exit 1"));
    assert_ne!(stub.says(&["submit", "away.toml", "--set", "train.max_steps=3"]).0, 0);
    assert_eq!(stub.sandbox.keys().len(), 4);
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_before_anything_is_submitted() {
    let stub = Stub::new(100);
    stub.sandbox.write("runs/locks", "a file in the way");
    let (code, said) = stub.says(&["submit", "away.toml"]);
    assert!(code == 2 && said.contains("--runs DIR names another runs folder"), "{said}");
    assert_eq!(stub.log(), Vec::<String>::new());
}

#[test]
fn a_failed_cancel_leaves_no_order_to_stop() {
    let stub = Stub::new(1001);
    assert_eq!(stub.says(&["submit", "away.toml"]).0, 0);
    stub.queue("RUNNING");
    stub.sandbox.write("refusal", "scancel: error: Unable to contact slurm controller (connect failure)");
    let (code, said) = stub.says(&["cancel", "away"]);
    assert!(code != 0 && said.contains("cancel them again, here or with `scancel 100_0 100_1`"), "{code}: {said}");
    let is_to_stop = || SubmissionFolder::at(&stub.folder()).is_to_stop(0);
    assert!(!is_to_stop());
    fs::remove_file(stub.sandbox.path("refusal")).expect("removed");
    let (code, said) = stub.says(&["cancel", "away"]);
    assert!(code == 0 && is_to_stop(), "{code}: {said}");
}

#[test]
fn a_job_is_queued_again_where_only_scontrol_is_installed() {
    let stub = Stub::new(1001);
    let (code, said) = stub.says(&["submit", "away.toml", "--set", "train.epochs=2000"]);
    assert_eq!(code, 0, "{said}");
    ["sbatch", "squeue", "scancel"].iter().for_each(|name| {
        fs::remove_file(stub.sandbox.path("bin").join(name)).expect("removed");
    });
    let folder = stub.folder().display().to_string();
    let mut command = stub.sandbox.command(&["worker", "--element", &folder, "--task", "0", "--threads", "1"]);
    command.env("PATH", stub.sandbox.path("bin")).stdout(Stdio::null()).stderr(Stdio::piped());
    for (name, value) in [("SLURM_ARRAY_JOB_ID", "100"), ("SLURM_ARRAY_TASK_ID", "0"), ("SLURM_JOB_ID", "100")] {
        command.env(name, value);
    }
    let mut child = command.spawn().expect("taper starts");
    let mut errors = child.stderr.take().expect("its errors");
    let mut said = Vec::new();
    while !text(&said).contains(": starts") {
        let mut byte = [0];
        assert_eq!(errors.read(&mut byte).expect("its errors"), 1, "it ended: {}", text(&said));
        said.extend(byte);
    }
    send("-USR1", child.id());
    errors.read_to_end(&mut said).expect("its errors");
    let code = child.wait().expect("its end").code();
    assert!(code == Some(130) && stub.log().contains(&"scontrol requeue 100_0".into()), "{code:?}: {}", text(&said));
}

/// Each end of a job has its own words, and only the one that somebody cancelled is no failure.
#[test]
fn ends_of_jobs_are_told_apart() {
    let stub = Stub::new(1001);
    let ends = [
        ("PREEMPTED", "None", "its job 100_0 was preempted"),
        ("NODE_FAIL", "NodeDown", "the node of its job 101_0 failed (NodeDown)"),
        ("TIMEOUT", "TimeLimit", "its job 102_0 reached its time limit without a checkpoint (TimeLimit)"),
        ("OUT_OF_MEMORY", "OutOfMemory", "memory ran out: its job 103_0 was ended by Slurm (OutOfMemory)"),
        ("CANCELLED", "None", "seed=5` was cancelled"),
    ];
    let line = |(i, (state, reason, _)): (usize, &(&str, &str, &str))| {
        format!("{}|0|{}|{state}|{reason}|0|9999999999|0|away|\n", 100 + i, 100 + i)
    };
    stub.sandbox.write("queue", ends.iter().enumerate().map(line).collect::<String>());
    let sets = ["--set", "sweep.seeds=[1,2,3,4,5]", "--set", "train.micro_batch_tokens=64", "--retries", "0"];
    let (code, said) = stub.says(&[&["run", "away.toml", "--executor", "slurm"], &sets[..]].concat());
    assert_ne!(code, 0, "{said}");
    ends.iter().for_each(|(state, _, words)| assert!(said.contains(words), "{state}: {said}"));
    let states: Vec<String> =
        store(&stub.sandbox.path("runs")).runs().expect("runs").iter().map(|run| run.state.word().into()).collect();
    assert_eq!(states.iter().filter(|state| *state == "failed").count(), 4, "{states:?}");
    assert_eq!(states.iter().filter(|state| *state == "interrupted").count(), 1, "{states:?}");
}

/// The jobs of a submission wait while `taper run` trains their runs here.
#[test]
fn jobs_that_have_nothing_left_to_do_are_cancelled() {
    let stub = Stub::new(1001);
    assert_eq!(stub.says(&["submit", "away.toml"]).0, 0);
    stub.queue("PENDING");
    let (code, said) = stub.says(&["run", "away.toml"]);
    assert!(code == 0 && said.contains("cancelled 2 waiting jobs whose runs are done: 100_0, 100_1"), "{code}: {said}");
    assert_eq!(stub.log(), ["sbatch", "scancel 100_0 100_1"]);
    // A dry run looks into the folders of the runs, as the command does.
    let dry = || stub.says(&["submit", "away.toml", "--dry-run"]).1;
    assert!(dry().contains("nothing to submit: all 2 runs are done, or were submitted before"), "{}", dry());
    let key = store(&stub.sandbox.path("runs")).runs().expect("runs")[0].key.clone();
    fs::remove_file(stub.sandbox.folder(&key).join("model/model.safetensors")).expect("its model");
    assert!(dry().contains("would submit 1 job for 1 of 2 runs"), "{}", dry());
}

#[test]
fn slurm_refuses_the_first_job_of_an_attached_command() {
    let stub = Stub::new(1001);
    stub.sandbox.write("before", "echo 'sbatch: error: invalid partition specified: x' >&2; exit 1");
    let (code, said) = stub.says(&["run", "away.toml", "--executor", "slurm"]);
    assert!(code != 0 && said.contains("Slurm refused `sbatch`: invalid partition specified: x"), "{code}: {said}");
    let (code, said) = stub.says(&["run", "away.toml", "--executor", "slurm", "--devices", "cpu"]);
    assert!(code == 2 && said.contains("--devices and --runs-per-device apply to this machine"), "{code}: {said}");
}

/// The runs of an edited spec are no longer planned by it, and here by another experiment: their jobs were submitted all the same.
#[test]
fn jobs_of_runs_that_another_experiment_plans_now_are_cancelled_with_the_one_that_submitted_them() {
    let stub = Stub::new(1001);
    assert_eq!(stub.says(&["submit", "away.toml"]).0, 0);
    stub.queue("RUNNING");
    let mut store = Store::open(&stub.sandbox.path("runs")).expect("the store");
    let away = store.experiment("away").expect("the experiment");
    store.save_experiment(&ExperimentRecord { name: "other".into(), ..away.clone() }).expect("saved");
    let runs = vec![("f".repeat(64), "seed=3".into())];
    store.save_experiment(&ExperimentRecord { runs, trials: Vec::new(), ..away }).expect("saved");
    assert!(store.runs_ever_of("away").expect("runs").is_empty());
    drop(store);
    let (code, said) = stub.says(&["cancel", "away"]);
    assert_eq!((code, stub.log()), (0, vec!["sbatch".to_string(), "scancel 100_0 100_1".into()]), "{said}");
}
