//! A folder of a test's own, and `taper` in it.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use taper::{
    execute::RunFolder,
    store::{RunState, Store},
};

/// A spec of a tiny model that is trained on `rows.csv`: its name, and the lines from the rest of `[data]` on.
macro_rules! tiny_spec {
    ($name:literal, $rest:literal) => {
        concat!(
            "name = \"",
            $name,
            "\"\n[model]\nsource = \"scratch:tiny\"\n[data]\nsource = \"path:rows.csv\"\ntext_column = \"review\"\n",
            $rest
        )
    };
}
pub(crate) use tiny_spec;

/// A temporary folder in which `taper` runs; it is removed with the value.
pub struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder") }
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// A file, with the folders that it needs.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, bytes).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }

    /// `rows.csv`: 20 positive and 20 negative reviews, in turn.
    pub fn write_rows(&self) {
        let rows = (0..20).map(|i| format!("1,味道很好 第{i}次点 快\n0,难吃 送得慢 {i}小时 差评\n"));
        self.write("rows.csv", format!("label,review\n{}", rows.collect::<String>()));
    }

    /// `taper` in this folder, with its runs in `runs` whatever the environment says.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
        command.args(arguments).current_dir(self.root()).env_remove("TAPER_RUNS").stdin(Stdio::null());
        command
    }

    pub fn taper(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("taper starts")
    }

    /// The same with this on standard input.
    pub fn fed(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("taper starts");
        child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it reads");
        child.wait_with_output().expect("its end")
    }

    /// Standard output of a command that must succeed.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.taper(arguments);
        assert!(output.status.success(), "taper {arguments:?}: {}\n{}", output.status, text(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    /// The JSON that a command prints; it must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.ok(&[arguments, &["--json"]].concat())).expect("JSON")
    }

    /// Exit code, and what was said in all.
    pub fn says(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.taper(arguments);
        (output.status.code().expect("an exit code"), words(&output))
    }

    /// The keys of all runs, in their order.
    pub fn keys(&self) -> Vec<String> {
        let list = self.json(&["list"]);
        list.as_array().expect("runs").iter().map(|run| run["key"].as_str().expect("a key").to_string()).collect()
    }

    /// The folder of a run.
    pub fn folder(&self, key: &str) -> PathBuf {
        self.path("runs").join(&key[..12])
    }

    /// All steps of all runs in the folder `runs`.
    pub fn steps(&self, runs: &str) -> Steps {
        steps(&self.path(runs))
    }

    /// The bytes of the kept model of the first run in the folder `runs`.
    pub fn weights(&self, runs: &str) -> Vec<u8> {
        let runs = self.path(runs);
        let run = store(&runs).runs().expect("runs").remove(0);
        fs::read(RunFolder::new(&runs, &run.key).model().join("model.safetensors")).expect("weights")
    }
}

/// The stored steps without their times: (run, step) → epoch, loss, norm, rate and tokens, bit for bit.
pub type Steps = BTreeMap<(String, u64), [u64; 5]>;

/// All steps of all runs in the folder `runs`.
pub fn steps(runs: &Path) -> Steps {
    let store = store(runs);
    let mut steps = BTreeMap::new();
    for run in store.runs().expect("runs") {
        for s in store.steps(&run.key).expect("steps") {
            let facts = [u64::from(s.epoch), s.loss.to_bits(), s.grad_norm.to_bits(), s.lr.to_bits(), s.tokens];
            assert!(steps.insert((run.key.clone(), s.step), facts).is_none(), "step {} was stored twice", s.step);
        }
    }
    steps
}

/// The database of the folder `runs`.
pub fn store(runs: &Path) -> Store {
    Store::open_existing(runs).expect("a store")
}

/// Starts a run in the folder `runs` and kills it with `kill -9` once a checkpoint is saved after a third of its steps.
pub fn kill_after_a_third(sandbox: &Sandbox, runs: &str, arguments: &[&str]) {
    let mut command = sandbox.command(&[arguments, &["--json", "--runs", runs]].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taper starts");
    let (mut total, mut is_killed) = (u64::MAX, false);
    for line in BufReader::new(child.stdout.take().expect("its output")).lines() {
        let event: Value = serde_json::from_str(&line.expect("a line")).expect("JSON");
        total = event["total_steps"].as_u64().unwrap_or(total);
        let saved = if event["event"] == "checkpoint_saved" { event["step"].as_u64() } else { None };
        if saved.is_some_and(|step| step >= total / 3) {
            child.kill().expect("kill -9");
            is_killed = true;
            break;
        }
    }
    child.wait().expect("its end");
    assert!(is_killed, "{arguments:?} ended without a checkpoint");
    let run = store(&sandbox.path(runs)).runs().expect("runs").remove(0);
    let at = run.checkpoint_step.unwrap_or(run.steps);
    let state = run.state;
    assert!(state != RunState::Completed && (total / 3..total).contains(&at), "{arguments:?}: {state:?} at {at}");
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command said in all.
pub fn words(output: &Output) -> String {
    text(&output.stdout) + &text(&output.stderr)
}

/// Reports a test that is skipped here.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub fn skipped(why: &str) {
    println!("skipped: {why}");
}

/// The Python of `TAPER_TEST_PYTHON`, else `python3`; `None` where it cannot import these modules, which is reported.
pub fn python_with(modules: &str) -> Option<String> {
    let program = env::var("TAPER_TEST_PYTHON").unwrap_or("python3".into());
    let has = Command::new(&program).args(["-c", &format!("import {modules}")]).output();
    if has.is_ok_and(|output| output.status.success()) {
        return Some(program);
    }
    skipped(&format!("{program} cannot import {modules}; name a Python that can in TAPER_TEST_PYTHON"));
    None
}
