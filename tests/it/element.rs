//! Runs that are trained detached from any command, as the elements of a job array are; without a cluster.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, types::Value};
use taper::{
    execute::{SubmitOptions, Submitted},
    experiment::{Experiment, Options},
};

use crate::support::{Sandbox, tiny_spec, words};

pub const SPEC: &str = tiny_spec!(
    "away",
    r#"test = 0.25
dev = 0.25
max_length = 24
[train]
epochs = 6
batch_size = 4
[checkpoint]
keep = "best"
metric = "loss"
every_steps = 3
[[probes]]
text = "味道很好"
[sweep.axes]
train.lr = [3e-4, 1e-3, 3e-3]
"#
);

/// Long enough to be met under way.
const LONG: &str = "train.epochs=40";

struct Away {
    sandbox: Sandbox,
    sets: Vec<String>,
}

impl Away {
    fn new(sets: &[&str]) -> Self {
        let sandbox = Sandbox::new();
        sandbox.write_rows();
        sandbox.write("away.toml", SPEC);
        // The library does not run in the folder of the test.
        let source = format!("data.source=path:{}", sandbox.path("rows.csv").display());
        let sets = std::iter::once(source).chain(sets.iter().map(|set| set.to_string())).collect();
        Self { sandbox, sets }
    }

    /// Every row of the same sweep trained by `taper run`.
    fn trained_here(&self) -> Rows {
        let mut arguments = vec!["run", "away.toml", "--quiet", "--runs", "here", "--threads", "1"];
        arguments.extend(self.sets.iter().flat_map(|set| ["--set", set]));
        self.sandbox.ok(&arguments);
        rows(&self.sandbox.path("here"))
    }

    /// `taper run` in the folder of the submissions; returns what it says.
    fn run(&self) -> String {
        let sets: Vec<&str> = self.sets.iter().flat_map(|set| ["--set", set]).collect();
        let (code, said) = self.sandbox.says(&[&["run", "away.toml", "--threads", "1"], &sets[..]].concat());
        assert_eq!(code, 0, "{said}");
        said
    }

    fn submit(&self, runs_per_element: usize) -> Submitted {
        self.submit_in(self.sandbox.path("runs"), runs_per_element)
    }

    fn submit_in(&self, runs: PathBuf, runs_per_element: usize) -> Submitted {
        let options = Options { runs: runs.clone(), sets: self.sets.clone(), ..Options::default() };
        let mut experiment = Experiment::open(self.sandbox.path("away.toml"), options).expect("the spec");
        let how = SubmitOptions {
            runs: &runs,
            underway: &HashSet::new(),
            retry: false,
            retries: 2,
            requeues: 3,
            runs_per_element,
            command: "taper submit away.toml",
        };
        experiment.write_jobs(&how).expect("jobs").0.expect("runs that are not done")
    }

    fn start(&self, submitted: &Submitted, element: usize) -> Child {
        let folder = submitted.folder.path().to_str().expect("UTF-8");
        let number = element.to_string();
        let mut command = self.sandbox.command(&["worker", "--element", folder, "--task", &number, "--threads", "1"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts")
    }

    fn attend(&self, submitted: &Submitted, element: usize) -> Output {
        self.start(submitted, element).wait_with_output().expect("its end")
    }

    fn attend_all(&self, submitted: &Submitted) {
        for element in 0..submitted.elements.len() {
            let output = self.attend(submitted, element);
            assert!(output.status.success(), "{}", words(&output));
        }
    }

    fn collect(&self) -> String {
        self.sandbox.ok(&["collect"])
    }

    fn rows(&self) -> Rows {
        rows(&self.sandbox.path("runs"))
    }
}

/// The rows of all tables about runs, without times and paths.
pub type Rows = BTreeMap<String, Vec<String>>;

pub fn rows(runs: &Path) -> Rows {
    let database = Connection::open(runs.join("taper.db")).expect("the database");
    let tables =
        ["runs", "steps", "evals", "metrics", "predictions", "predictions_before", "probes", "kept_files", "warnings"];
    let passed_over =
        ["id", "at", "created_at", "started_at", "finished_at", "elapsed_s", "environment", "modified_ns"];
    let read = |table: &str| {
        let mut statement = database.prepare(&format!("SELECT * FROM {table}")).expect("the table");
        let names: Vec<String> = statement.column_names().map(String::from).collect();
        let columns: Vec<usize> = (0..names.len()).filter(|i| !passed_over.contains(&names[*i].as_str())).collect();
        let row = |row: &rusqlite::Row| {
            let value = |i: &usize| Ok(format!("{}={:?}", names[*i], row.get::<_, Value>(*i)?));
            Ok(columns.iter().map(value).collect::<rusqlite::Result<Vec<_>>>()?.join("; "))
        };
        let mut found: Vec<String> = statement.query_map([], row).expect("rows").map(Result::unwrap).collect();
        found.sort();
        found
    };
    tables.map(|table| (table.to_string(), read(table))).into()
}

/// The first difference, so that a failure does not print whole tables.
pub fn assert_same(left: &Rows, right: &Rows) {
    for (table, rows) in left {
        assert_eq!(rows.len(), right[table].len(), "rows of {table}");
        assert!(!rows.is_empty() || table == "warnings", "{table} is empty");
        if let Some((one, other)) = rows.iter().zip(&right[table]).find(|(one, other)| one != other) {
            panic!("{table}:\n{one}\n{other}");
        }
    }
}

fn shards(submitted: &Submitted, ending: &str) -> Vec<PathBuf> {
    let entries =
        fs::read_dir(submitted.folder.shards()).expect("the folder").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|e| e == ending)).collect();
    found.sort();
    found
}

/// Waits until an element has a checkpoint beyond this step.
fn wait_for_checkpoint(away: &Away, submitted: &Submitted, element: usize, child: &mut Child) {
    let begin = Instant::now();
    let state = away.sandbox.folder(&submitted.elements[element][0]).join("state.previous.safetensors");
    while !state.exists() {
        assert!(child.try_wait().expect("its state").is_none(), "it ended before its second checkpoint");
        assert!(begin.elapsed() < Duration::from_secs(60), "no checkpoint");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Starts an element, and kills it when it has written checkpoints; returns the shard that it leaves.
fn kill_under_way(away: &Away, submitted: &Submitted) -> PathBuf {
    let mut element = away.start(submitted, 0);
    wait_for_checkpoint(away, submitted, 0, &mut element);
    element.kill().expect("kill -9");
    element.wait().expect("its end");
    let [part] = &shards(submitted, "part")[..] else { panic!("no shard") };
    part.clone()
}

fn send(signal: &str, process: &Child) {
    assert!(Command::new("kill").args([signal, &process.id().to_string()]).status().expect("kill").success());
}

#[test]
fn a_sweep_trained_away_gives_the_rows_of_one_trained_here() {
    let away = Away::new(&[]);
    let submitted = away.submit(1);
    assert_eq!(submitted.elements.len(), 3);
    assert_eq!(away.collect(), "nothing to collect\n");
    away.attend_all(&submitted);
    assert_eq!(shards(&submitted, "shard").len(), 3);
    let said = away.collect();
    assert_eq!(said.matches("collected: completed").count(), 3, "{said}");
    let rows = away.rows();
    assert_same(&rows, &away.trained_here());
    assert_eq!((away.collect().as_str(), shards(&submitted, "shard").len()), ("nothing to collect\n", 0));
    assert_same(&rows, &away.rows());
    // An element that a cluster starts once more has nothing to do, and a command neither.
    away.attend_all(&submitted);
    assert_eq!(away.collect(), "nothing to collect\n");
    away.run();
    assert_same(&rows, &away.rows());
}

#[test]
fn several_runs_share_an_element_and_list_collects() {
    let away = Away::new(&[]);
    let submitted = away.submit(2);
    assert_eq!(submitted.elements.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    away.attend_all(&submitted);
    let listed = away.sandbox.json(&["list"]);
    assert!(listed.as_array().expect("runs").iter().all(|run| run["state"] == "completed"), "{listed}");
    assert_same(&away.rows(), &away.trained_here());
}

#[test]
fn an_element_that_was_killed_goes_on_and_nothing_is_doubled() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]", LONG]);
    let submitted = away.submit(1);
    for _ in 0..2 {
        let mut element = away.start(&submitted, 0);
        wait_for_checkpoint(&away, &submitted, 0, &mut element);
        element.kill().expect("kill -9");
        element.wait().expect("its end");
        assert_eq!(away.collect(), "nothing to collect\n", "a shard whose run is not done is left");
        let [part] = &shards(&submitted, "part")[..] else { panic!("no shard") };
        // As a machine that loses its power leaves it.
        fs::File::options().append(true).open(part).expect("the shard").write_all(&[7; 99]).expect("written");
        let previous = away.sandbox.folder(&submitted.elements[0][0]).join("state.previous.safetensors");
        fs::remove_file(previous).expect("a checkpoint");
    }
    let output = away.attend(&submitted, 0);
    let said = words(&output);
    assert!(output.status.success() && said.contains("lr=1e-3: resumes at step "), "{said}");
    assert!(away.collect().contains("collected: completed"));
    assert_same(&away.rows(), &away.trained_here());
}

#[test]
fn an_element_that_is_signalled_writes_a_checkpoint_and_goes() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]", LONG]);
    let submitted = away.submit(1);
    let mut element = away.start(&submitted, 0);
    wait_for_checkpoint(&away, &submitted, 0, &mut element);
    (0..2).for_each(|_| send("-USR1", &element));
    let output = element.wait_with_output().expect("its end");
    let said = words(&output);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(said.contains("stopped with a checkpoint; not requeued: this process is not in a Slurm job"), "{said}");
    assert_eq!(away.collect(), "nothing to collect\n");
    let said = words(&away.attend(&submitted, 0));
    assert!(said.contains("lr=1e-3: resumes at step ") && said.contains("lr=1e-3: completed"), "{said}");
    assert!(away.collect().contains("collected: completed"));
    assert_same(&away.rows(), &away.trained_here());
}

#[test]
fn the_log_of_an_element_says_why_it_stopped() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]", LONG]);
    let submitted = away.submit(1);
    for (is_ordered, expected) in [
        (false, "lr=1e-3: stopped with a checkpoint; not requeued: it was asked to end"),
        (true, "lr=1e-3: stopped with a checkpoint, as requested"),
    ] {
        if is_ordered {
            submitted.folder.order_to_stop(0).expect("the order");
        }
        let mut element = away.start(&submitted, 0);
        wait_for_checkpoint(&away, &submitted, 0, &mut element);
        send("-TERM", &element);
        let said = words(&element.wait_with_output().expect("its end"));
        assert!(said.contains(expected), "{said}");
        let previous = away.sandbox.folder(&submitted.elements[0][0]).join("state.previous.safetensors");
        fs::remove_file(previous).expect("a checkpoint");
    }
    assert!(away.collect().contains("collected: interrupted"));
}

#[test]
fn a_run_that_a_command_trains_is_taken_over_from_its_job() {
    let mut away = Away::new(&["sweep.axes.train.lr=[1e-3]", LONG]);
    let submitted = away.submit(1);
    let part = kill_under_way(&away, &submitted);
    let left = fs::read(&part).expect("the shard");
    let said = away.run();
    assert!(said.contains("a job of submission 1 began it") && said.contains("resumes from step"), "{said}");
    assert!(!part.exists());
    let expected = away.trained_here();
    assert_same(&away.rows(), &expected);
    // Queued again, the job has nothing to do.
    let model = away.sandbox.folder(&submitted.elements[0][0]).join("model/model.safetensors");
    let written = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).expect("the model");
    let before = written(&model);
    let said = words(&away.attend(&submitted, 0));
    assert!(said.contains("lr=1e-3: nothing is left to do") && !said.contains("resumes"), "{said}");
    assert_eq!((written(&model), away.collect().as_str()), (before, "nothing to collect\n"));
    // What a killed job left is no part of the scores of new probes.
    fs::remove_file(part.with_extension("collected")).expect("the mark");
    fs::write(&part, left).expect("written");
    away.sets.push(r#"probes=[{text="味道很好"},{text="太差"}]"#.into());
    let probes = away.submit(1);
    assert!(part.exists() && shards(&probes, "part").is_empty());
    away.attend_all(&probes);
    assert!(away.collect().contains("collected: completed"));
    let rows = away.rows();
    assert!(rows["probes"].len() > expected["probes"].len());
    assert!(rows["steps"] == expected["steps"] && rows["runs"][0].contains("state=Text(\"completed\")"));
}

#[test]
fn a_job_that_waits_does_not_train_what_a_command_has_trained() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]"]);
    let submitted = away.submit(1);
    away.run();
    let said = words(&away.attend(&submitted, 0));
    assert!(said.contains("lr=1e-3: nothing is left to do") && !said.contains("starts"), "{said}");
}

#[test]
fn an_unfinished_shard_that_cannot_be_continued_is_set_aside() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]"]);
    let submitted = away.submit(1);
    let key = &submitted.elements[0][0];
    let part = submitted.folder.shards().join(format!("{key}.part"));
    fs::write(&part, b"taper shard\x02of another version").expect("written");
    let output = away.attend(&submitted, 0);
    let said = words(&output);
    assert!(output.status.success() && said.contains("starts over") && said.contains("another version"), "{said}");
    assert_eq!(shards(&submitted, "damaged").len(), 1);
    assert!(away.collect().contains("collected: completed"));
    // One that is finished is left for the version that wrote it.
    fs::write(part.with_extension("shard"), b"taper shard\x02of another version").expect("written");
    let (code, said) = away.sandbox.says(&["collect"]);
    assert!(
        code == 1 && said.split_whitespace().collect::<Vec<_>>().join(" ").contains("collect it with that version")
    );
    assert!(!said.contains("remove"), "{said}");
}

#[test]
fn shards_of_runs_that_the_database_does_not_know_are_collected_when_they_are_planned_again() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]"]);
    let submitted = away.submit(1);
    away.attend_all(&submitted);
    for name in ["taper.db", "taper.db-wal", "taper.db-shm"] {
        let _ = fs::remove_file(away.sandbox.path("runs").join(name));
    }
    let said = away.run();
    assert!(said.contains("completed before") && !said.contains("epoch 1"), "{said}");
    assert_same(&away.rows(), &away.trained_here());
}

#[test]
#[cfg(unix)]
fn a_run_whose_job_is_under_way_is_not_removed() {
    use std::os::unix::fs::PermissionsExt;

    let away = Away::new(&["sweep.axes.train.lr=[1e-3]"]);
    let submitted = away.submit(1);
    let database = Connection::open(away.sandbox.path("runs/taper.db")).expect("the database");
    database.execute("UPDATE submission_elements SET array_job = 7, task = 0, submitted_at = 1000", []).expect("a row");
    drop(database);
    let slurm = away.sandbox.path("slurm");
    fs::create_dir(&slurm).expect("a folder");
    let key = &submitted.elements[0][0][..8];
    let remove = |queue: &str| {
        for name in ["sbatch", "squeue", "scontrol", "scancel"] {
            let path = slurm.join(name);
            fs::write(&path, format!("#!/bin/sh\necho '{queue}'\n")).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        let mut command = away.sandbox.command(&["rm", key, "--yes"]);
        let output = command.env("PATH", &slurm).output().expect("taper starts");
        (output.status.code(), words(&output))
    };
    let (code, said) = remove("7|0|7|PENDING|Priority|0|1000|0|away");
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == Some(2) && flat.contains("7_0 is pending (Priority)") && flat.contains("taper cancel"), "{said}");
    let (code, said) = remove("");
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn jobs_name_the_folder_of_runs_wherever_they_begin() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]"]);
    // The same folder, as seen from the folder of this process.
    let here = std::env::current_dir().expect("a folder");
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    let relative = up.join(away.sandbox.path("runs").strip_prefix("/").expect("an absolute path"));
    assert!(relative.is_relative());
    let submitted = away.submit_in(relative, 1);
    let mut elsewhere = away.sandbox.path("elsewhere");
    // Deeper than this folder: from there the path leads to another one.
    elsewhere.extend(here.components().map(|_| "deeper"));
    fs::create_dir_all(&elsewhere).expect("a folder");
    let folder = away.sandbox.path("runs/slurm/1");
    let folder = folder.to_str().expect("UTF-8");
    let mut element = away.sandbox.command(&["worker", "--element", folder, "--task", "0", "--threads", "1"]);
    let output = element.current_dir(elsewhere).output().expect("taper starts");
    assert!(output.status.success(), "{}", words(&output));
    let key = &submitted.elements[0][0];
    assert!(away.sandbox.folder(key).join("model/model.safetensors").exists());
}

#[test]
fn a_damaged_shard_is_named_and_left() {
    let away = Away::new(&["sweep.axes.train.lr=[1e-3]"]);
    let submitted = away.submit(1);
    away.attend_all(&submitted);
    let [shard] = &shards(&submitted, "shard")[..] else { panic!("no shard") };
    let bytes = fs::read(shard).expect("the shard");
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    fs::write(shard, damaged).expect("written");
    let (code, said) = away.sandbox.says(&["collect"]);
    assert!(code == 1 && said.contains("damaged: what follows byte"), "{said}");
    fs::write(shard, bytes).expect("written");
    assert!(away.collect().contains("collected: completed"));
    assert_same(&away.rows(), &away.trained_here());
}

#[test]
fn what_would_be_submitted_is_shown_and_nothing_is_written() {
    let away = Away::new(&[]);
    let submit = |more: &[&str]| {
        let mut command = away.sandbox.command(&[&["submit", "away.toml"], more].concat());
        // No command of Slurm is found.
        let output = command.env("PATH", "").output().expect("taper starts");
        (output.status.code(), words(&output))
    };
    let (code, said) = submit(&["--dry-run", "--partition", "gpu", "--time", "1:00:00", "--runs-per-job", "2"]);
    assert_eq!(code, Some(0), "{said}");
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "would submit 2 jobs for 3 of 3 runs:",
        "#SBATCH --partition=gpu",
        "#SBATCH --time=1:00:00",
        "#SBATCH --signal=B:USR1@120",
        "worker --element",
        "runs/slurm/1 --task \"$element\"",
    ] {
        assert!(flat.contains(expected), "{expected}: {said}");
    }
    let (code, said) = submit(&["--dry-run", "--set", "sweep.prune=asha"]);
    assert!(code == Some(0) && said.contains("would submit 1 job, which submits the jobs of the runs"), "{said}");
    let (code, said) = submit(&[]);
    assert!(code == Some(2) && said.contains("`sbatch` is not found"), "{said}");
    let (code, said) = submit(&["--dry-run", "--time", "soon"]);
    assert!(code == Some(2) && said.contains("slurm.time"), "{said}");
    assert!(!away.sandbox.path("runs").exists());
}
