//! A sweep whose processes are killed again and again ends as an undisturbed one.
//!
//! `cargo test` kills a few times; `just torture` at least fifty, with `TAPER_TORTURE=50`.

#![cfg(target_os = "linux")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use taper::{
    execute::RunFolder,
    random::philox,
    store::{RunState, Store},
};

/// Twelve runs of 40 steps, some seconds of work in all, with a dev split that chooses the weights.
const SPEC: &str = r#"
name = "torture"
[model]
source = "scratch:tiny"
[data]
source = "path:rows.csv"
text_column = "review"
test = 0.2
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
"#;

const RUNS: usize = 12;

/// A folder with the spec and its rows.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut csv = String::from("label,review\n");
        for i in 0..20 {
            csv += &format!("1,味道很好 第{i}次点 快\n0,难吃 送得慢 {i}小时 差评\n");
        }
        fs::write(dir.path().join("rows.csv"), csv).expect("rows");
        fs::write(dir.path().join("torture.toml"), SPEC).expect("a spec");
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn start(&self, runs: &str, more: &[&str]) -> Child {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
        command.args(["run", "torture.toml", "--quiet", "--runs", runs]).args(more).current_dir(self.0.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("taper starts")
    }

    fn finish(&self, runs: &str, more: &[&str]) {
        let output = self.start(runs, more).wait_with_output().expect("its end");
        assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

/// (run, step) → loss, norm, rate, bit for bit; and per run the digest of its weights and its figures.
type Trail = (BTreeMap<(String, u64), [u64; 3]>, BTreeMap<String, (Option<String>, String)>);

fn trail(runs: &Path) -> Trail {
    let store = Store::open_existing(runs).expect("a store");
    let (mut steps, mut ends) = (BTreeMap::new(), BTreeMap::new());
    for run in store.runs().expect("runs") {
        for s in store.steps(&run.key).expect("steps") {
            let facts = [s.loss.to_bits(), s.grad_norm.to_bits(), s.lr.to_bits()];
            assert!(steps.insert((run.key.clone(), s.step), facts).is_none(), "a step stands twice");
        }
        let evals: Vec<_> =
            store.evals(&run.key).expect("evals").into_iter().map(|e| (e.when, e.step, e.split, e.metrics)).collect();
        let weights = fs::read(RunFolder::new(runs, &run.key).model().join("model.safetensors")).map(|w| w.len());
        ends.insert(run.key, (run.weights_sha256, format!("{evals:?} {weights:?}")));
    }
    (steps, ends)
}

/// Processes that `parent` started and that are still there.
fn children(parent: u32) -> Vec<u32> {
    let stat = |pid: u32| fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let parent_of = |stat: &str| stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse::<u32>().ok();
    let pids = fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| stat(pid).and_then(|stat| parent_of(&stat)) == Some(parent)).collect()
}

fn kill(pid: u32) {
    Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status().expect("kill");
}

fn is_alive(pid: u32) -> bool {
    // A zombie that nobody has waited for yet is dead.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// Nothing that a killed process could have left.
fn assert_clean(runs: &Path) {
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

#[test]
fn a_sweep_under_kill_9_ends_as_an_undisturbed_one() {
    let wanted: usize = std::env::var("TAPER_TORTURE").map_or(6, |n| n.parse().expect("a number of kills"));
    // Long enough that all the kills meet one sweep under way.
    let long = [format!("train.epochs={}", 8 * wanted.div_ceil(6)), "train.early_stopping_patience=0".to_string()];
    let long: Vec<&str> = long.iter().flat_map(|set| ["--set", set]).collect();
    let more: &[&str] = if wanted > 6 { &long } else { &[] };
    let place = Place::new();
    place.finish("calm", more);
    let calm = trail(&place.path("calm"));
    assert_eq!(calm.1.len(), RUNS);

    let mut draws = 0;
    let mut random = |below: u64| {
        draws += 1;
        u64::from(philox([7, 7], [draws, 0, 0, 0])[0]) % below
    };
    let (mut kills, mut of_parents, mut sweeps) = (0, 0, 0);
    while kills < wanted {
        let runs = format!("runs{sweeps}");
        sweeps += 1;
        loop {
            let mut parent = place.start(&runs, &[&["--jobs", "2"], more].concat());
            let patience = Duration::from_millis(40 + random(260));
            let begin = Instant::now();
            let mut ended = None;
            while begin.elapsed() < patience && ended.is_none() {
                std::thread::sleep(Duration::from_millis(5));
                ended = parent.try_wait().expect("a child");
            }
            if let Some(status) = ended {
                // Every run completed, or one lost its worker more often than it may.
                if status.success() {
                    break;
                }
                continue;
            }
            let workers = children(parent.id());
            let victim = match random(2) {
                0 => None,
                _ => workers.get(random(workers.len().max(1) as u64) as usize),
            };
            kills += 1;
            if let Some(&worker) = victim {
                kill(worker);
                // Its command goes on, as long as it pleases; then it is killed too.
                std::thread::sleep(Duration::from_millis(random(200)));
                if kills < wanted {
                    kills += 1;
                }
            }
            of_parents += 1;
            let workers = children(parent.id());
            parent.kill().expect("kill -9");
            parent.wait().expect("its end");
            let begin = Instant::now();
            while workers.iter().any(|&pid| is_alive(pid)) {
                assert!(begin.elapsed() < Duration::from_secs(10), "a worker outlives its command");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        place.finish(&runs, more);
        let after = trail(&place.path(&runs));
        assert!(after.0 == calm.0, "the steps differ from those of an undisturbed sweep");
        assert_eq!(after.1, calm.1, "weights or figures differ");
        let store = Store::open_existing(&place.path(&runs)).expect("a store");
        assert!(store.runs().expect("runs").iter().all(|run| run.state == RunState::Completed));
        assert_clean(&place.path(&runs));
    }
    assert!(of_parents > 0);
    eprintln!("{kills} kills, {of_parents} of them of the command itself, over {sweeps} sweeps of {RUNS} runs");
}

/// A small file system of its own, as far as this process may mount one.
struct Small(PathBuf);

impl Small {
    fn mount(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).expect("a folder");
        let mounted = Self::call(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], &path);
        mounted.then_some(Self(path))
    }

    fn resize(&self, size: &str) {
        assert!(Self::call(&["-o", &format!("remount,size={size}")], &self.0), "a larger file system");
    }

    fn call(arguments: &[&str], path: &Path) -> bool {
        let status = Command::new("mount").args(arguments).arg(path).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_a_sweep_with_a_clear_error_and_room_lets_it_go_on() {
    let place = Place::new();
    place.finish("calm", &[]);
    let calm = trail(&place.path("calm"));
    let Some(small) = Small::mount(place.path("runs"), "512k") else {
        eprintln!("skipped: this process may not mount a file system");
        return;
    };
    // From a disk on which nothing fits to one on which all does: the database, a checkpoint, a model stop it in turn.
    let mut refused = 0;
    for size in ["1m", "2m", "3m", "4m", "6m", "8m", "10m", "13m", "64m"] {
        let output = place.start("runs", &["--jobs", "2"]).wait_with_output().expect("its end");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!error.contains("panicked"), "{error}");
        if output.status.success() {
            break;
        }
        refused += 1;
        let said = error.to_lowercase();
        assert!(said.contains("full") || said.contains("no space") || said.contains("free"), "unclear: {error}");
        small.resize(size);
    }
    assert!(refused > 2, "the disk was never full");
    place.finish("runs", &[]);
    assert!(trail(&place.path("runs")) == calm, "steps, weights or figures differ from those of an undisturbed sweep");
    assert_clean(&place.path("runs"));
}
