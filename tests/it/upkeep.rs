//! Looking after stored runs: `taper verify`, `taper rm`, `taper gc`.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use taper::store::{RunLock, Store};

use crate::support::{Sandbox, text, tiny_spec};

mod own;
mod unreadable;
mod unwritable;

const SPEC: &str = tiny_spec!(
    "small",
    r#"test = 0.4
dev = 0.1
max_length = 32
[train]
epochs = 2
batch_size = 4
lr = 1e-3
[checkpoint]
keep = "best"
[sweep]
seeds = [1, 2]
"#
);

/// A folder with the runs of an experiment of two seeds, each of 12 steps.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    let rows: String = (0..20).map(|i| format!("1,味道很好 第{i}次点 快\n0,难吃 送得慢 {i}小时\n")).collect();
    sandbox.write("rows.csv", format!("label,review\n{rows}"));
    sandbox.write("small.toml", SPEC);
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox
}

impl Sandbox {
    /// Changes the database behind taper's back.
    fn sql(&self, sql: &str) {
        let changed = rusqlite::Connection::open(self.path("runs/taper.db")).and_then(|c| c.execute(sql, []));
        assert!(changed.expect(sql) > 0, "{sql}: nothing changed");
    }

    /// What lies in the runs folder, but for the database.
    fn lies(&self) -> BTreeSet<String> {
        fn walk(folder: &Path, root: &Path, found: &mut BTreeSet<String>) {
            for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
                found.insert(entry.strip_prefix(root).expect("below").display().to_string());
                if entry.is_dir() {
                    walk(&entry, root, found);
                }
            }
        }
        let mut found = BTreeSet::new();
        walk(&self.path("runs"), &self.path("runs"), &mut found);
        found.retain(|name| !name.starts_with("taper.db") && !name.starts_with("locks"));
        found
    }
}

#[test]
fn verify_tells_the_same_from_what_differs_and_from_what_cannot_be_compared() {
    let sandbox = trained();
    let key = sandbox.keys().remove(0);
    let lies = sandbox.lies();
    let said = sandbox.ok(&["verify", &key[..8], "--threads", "3"]);
    for words in ["the same, bit for bit", "10 steps", "6 evaluations", "36 predictions", "the kept weights"] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    assert_eq!(sandbox.lies(), lies, "it leaves nothing");
    // From another folder the data is found by the path that the run's folder keeps.
    let mut elsewhere = sandbox.command(&["verify", &key, "--steps", "1", "--quiet", "--runs"]);
    elsewhere.arg(sandbox.path("runs")).current_dir("/");
    assert!(elsewhere.stdout(Stdio::null()).status().expect("taper").success());

    sandbox
        .sql(&format!("UPDATE steps SET grad_norm = grad_norm * 1.000000000000001 WHERE run = '{key}' AND step = 7"));
    let (code, said) = sandbox.says(&["verify", &key]);
    assert!(code == 1 && said.contains("differs at step 7") && said.contains("gradient norm stored"), "{said}");
    let json: Value = serde_json::from_str(&text(&sandbox.taper(&["verify", &key, "--json"]).stdout)).expect("JSON");
    assert_eq!((&json["equal"], &json["difference"]["step"], &json["steps"]), (&false.into(), &7.into(), &7.into()));
    assert_ne!(json["difference"]["stored"], json["difference"]["now"]);
    let (code, said) = sandbox.says(&["verify", &key, "--steps", "6"]);
    assert!(code == 0 && said.contains("6 steps") && !said.contains("weights"), "{said}");
    let (_, one) = sandbox.says(&["verify", &key, "--steps", "1"]);
    assert!(one.contains("1 step (") && one.contains("2 evaluations") && !one.contains("1 steps"), "{one}");
    // What is shown on the way are the steps that are trained here.
    let shown = String::from_utf8_lossy(&sandbox.taper(&["verify", &key, "--steps", "6"]).stderr).into_owned();
    assert!(shown.contains("): 6 steps, ") && !shown.contains("10 steps") && !shown.contains("/10 "), "{shown}");

    let other = sandbox.keys().remove(1);
    sandbox
        .sql(&format!("UPDATE predictions SET probabilities = '[0.25,0.75]' WHERE run = '{other}' AND split = 'test'"));
    let (code, said) = sandbox.says(&["verify", &other]);
    assert!(code == 1 && said.contains("the prediction of row") && said.contains("[0.25, 0.75]"), "{said}");
    sandbox.sql(&format!("DELETE FROM predictions WHERE run = '{other}'"));
    sandbox.sql(&format!("UPDATE runs SET weights_sha256 = 'x' WHERE key = '{other}'"));
    let (code, said) = sandbox.says(&["verify", &other]);
    assert!(code == 1 && said.contains("the kept weights"), "{said}");

    let rows = fs::read_to_string(sandbox.path("rows.csv")).expect("rows");
    fs::write(sandbox.path("rows.csv"), rows.replacen('快', "慢", 1)).expect("other rows");
    sandbox.sql("UPDATE runs SET environment = json_set(environment, '$.numerics', 1, '$.cpu', 'Abacus, beads', '$.instructions', 'beads')");
    let (code, said) = sandbox.says(&["verify", &other]);
    assert_eq!(code, 2, "{said}");
    for words in ["version 1 of the engine's arithmetic", "the data file is not what it was", "Abacus, beads"] {
        assert!(said.contains(words), "no `{words}` in {said}");
    }
    assert_eq!(sandbox.says(&["verify", "nothing"]).0, 2);
    assert_eq!(sandbox.lies(), lies);
}

#[test]
fn rm_asks_and_removes_rows_and_folders_of_runs_that_are_not_running() {
    let sandbox = trained();
    let [a, b] = sandbox.keys().try_into().expect("two runs");
    let (code, said) = sandbox.says(&["rm", &a]);
    assert!(code == 2 && said.contains("--yes") && sandbox.keys().len() == 2, "{said}");
    for lock in [a.clone(), format!("{a}.worker")] {
        let _lock = RunLock::acquire(&sandbox.path("runs"), &lock).expect("a lock").expect("free");
        let (code, said) = sandbox.says(&["rm", &b, &a, "--yes"]);
        assert!(code == 2 && said.contains("still running: seed=1") && sandbox.keys().len() == 2, "{said}");
    }
    // A run that another experiment has too stays with it.
    let other = SPEC.replace("\"small\"", "\"other\"").replace("[1, 2]", "[2]");
    fs::write(sandbox.path("other.toml"), other).expect("a spec");
    sandbox.ok(&["run", "other.toml", "--quiet"]);
    sandbox.ok(&["rm", "--experiment", "small", "--yes"]);
    assert_eq!(sandbox.keys(), [b.as_str()]);
    assert!(!sandbox.folder(&a).exists() && sandbox.folder(&b).join("model").is_dir());
    assert!(sandbox.says(&["report", "small"]).1.contains("there is no experiment `small`"));

    // Removed runs are trained again.
    let json: Value = serde_json::from_str(&sandbox.ok(&["rm", &b[..6], "--yes", "--json"])).expect("JSON");
    assert_eq!(json["removed"], serde_json::json!([b]));
    assert!(
        json["bytes"].as_u64().is_some_and(|n| n > 100_000) && sandbox.keys().is_empty() && sandbox.lies().is_empty()
    );
    assert!(sandbox.ok(&["run", "other.toml"]).contains("1 completed"));
    assert_eq!(sandbox.says(&["rm", "nothing", "--yes"]).0, 2);
}

#[test]
fn gc_removes_what_no_run_needs_and_nothing_else() {
    let sandbox = trained();
    let [a, b] = sandbox.keys().try_into().expect("two runs");
    sandbox.sql(&format!("UPDATE runs SET state = 'interrupted' WHERE key = '{b}'"));
    let put = |path: PathBuf| {
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, "left").expect("a file");
    };
    put(sandbox.folder(&b).join("state.safetensors"));
    put(sandbox.folder(&b).join("best.safetensors"));
    put(sandbox.path("runs/reports/small/report.md"));
    put(sandbox.path("runs/notes/of-mine.tmp"));
    // Folders of runs that another database may know.
    put(sandbox.path("runs/0123456789ab/model/model.safetensors"));
    let stays = sandbox.lies();

    let waste = [
        sandbox.folder(&a).join("state.safetensors"),
        sandbox.folder(&a).join("state.previous.safetensors"),
        sandbox.folder(&a).join("best.safetensors"),
        sandbox.folder(&b).join("state.tmp"),
        sandbox.folder(&b).join("model.new/model.tmp"),
        sandbox.folder(&b).join("models/step-3.new/config.json"),
        sandbox.path("runs").join(format!("verify-{}/best.safetensors", &a[..12])),
        sandbox.path("runs/0123456789ac.gone/run.toml"),
    ];
    waste.iter().cloned().for_each(put);
    // What belongs to a process stays.
    let locks = [format!("{}.worker", a), format!("verify-{}", &a[..12])]
        .map(|name| RunLock::acquire(&sandbox.path("runs"), &name).expect("a lock").expect("free"));
    let before = sandbox.lies();
    let json: Value = serde_json::from_str(&sandbox.ok(&["gc", "--yes", "--json"])).expect("JSON");
    let removed = |json: &Value| json["removed"].as_array().expect("a list").iter().filter(|w| w["bytes"] != 0).count();
    assert_eq!(removed(&json), 4, "{json}");
    assert_eq!(json["unknown"].as_array().expect("a list").len(), 1, "{json}");
    assert_eq!(before.difference(&sandbox.lies()).count(), 7);
    drop(locks);

    let said = sandbox.ok(&["gc"]);
    assert!(
        said.contains("the training state of a completed run") && said.contains("`taper gc --yes` removes these files"),
        "{said}"
    );
    let json: Value = serde_json::from_str(&sandbox.ok(&["gc", "--yes", "--json"])).expect("JSON");
    assert_eq!(removed(&json), 4, "{json}");
    let mut expected = stays.clone();
    expected.insert(format!("{}/models", &b[..12]));
    assert_eq!(sandbox.lies(), expected);
    assert!(Store::open_existing(&sandbox.path("runs")).expect("a store").runs().expect("runs").len() == 2);
    sandbox.ok(&["verify", &a, "--quiet"]);
}
