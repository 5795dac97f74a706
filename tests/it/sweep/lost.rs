//! What a run left is lost in part, or damaged: the run ends as if nothing had happened, or says what is wrong.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use rusqlite::Connection;
use taper::{
    execute::{Planning, RunFolder},
    store::{RunRecord, RunState, Store},
};

use super::twelve::*;
use crate::support::{store, tiny_spec, words as text};

/// A single run of some seconds, whose checkpoints come often, and which stops for want of time after its first steps with
/// [`STOPPED`].
const ONE: &str = tiny_spec!(
    "one",
    r#"test = 0.2
dev = 0.2
max_length = 32
[train]
epochs = 40
batch_size = 4
eval_steps = 5
[checkpoint]
keep = "best"
metric = "loss"
every_steps = 3
"#
);

const STOPPED: [&str; 2] = ["--set", "sweep.max_hours=1e-12"];

fn one() -> Sandbox {
    let sandbox = twelve_runs();
    fs::write(sandbox.path("torture.toml"), ONE).expect("a spec");
    sandbox
}

fn only_run(runs: &Path) -> RunRecord {
    store(runs).runs().expect("runs").pop().expect("a run")
}

fn sql(runs: &Path, statement: &str) {
    let database = Connection::open(runs.join("taper.db")).expect("the database");
    database.execute_batch(&format!("PRAGMA foreign_keys = on; {statement}")).expect(statement);
}

fn notes(runs: &Path) -> Vec<String> {
    let run = only_run(runs);
    store(runs).notes(&run.key).expect("notes").into_iter().map(|note| note.message).collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry").path();
        let to = to.join(entry.file_name().expect("a name"));
        if entry.is_dir() { copy(&entry, &to) } else { _ = fs::copy(&entry, to).expect("a copy") }
    }
}

/// The run, stopped after some steps, with its checkpoint.
fn stopped(sandbox: &Sandbox, runs: &str) {
    sandbox.start(runs, &STOPPED).wait_with_output().expect("its end");
    let run = only_run(&sandbox.path(runs));
    assert_eq!(run.state, RunState::Interrupted, "it is stopped before its end");
    assert!(run.checkpoint_step.is_some() && RunFolder::new(&sandbox.path(runs), &run.key).state().is_file());
}

#[test]
fn a_checkpoint_whose_log_is_lost_is_not_resumed() {
    let sandbox = one();
    sandbox.finish("calm", &[]);
    let calm = trail(&sandbox.path("calm"));
    stopped(&sandbox, "stopped");
    type Loss = fn(&Path);
    let losses: [(&str, Loss, bool); 6] = [
        ("nothing", |_| {}, false),
        ("the database", |runs| fs::remove_file(runs.join("taper.db")).expect("removed"), true),
        ("the rows of the run", |runs| sql(runs, "DELETE FROM runs"), true),
        ("the first step", |runs| sql(runs, "DELETE FROM steps WHERE step = 1"), true),
        ("all steps", |runs| sql(runs, "DELETE FROM steps"), true),
        ("the evaluation before training", |runs| sql(runs, "DELETE FROM evals WHERE phase = 'before'"), true),
    ];
    for (what, lose, begins_anew) in losses {
        let runs = sandbox.path(&format!("lost {what}"));
        copy(&sandbox.path("stopped"), &runs);
        lose(&runs);
        sandbox.finish(runs.to_str().expect("text"), &[]);
        assert!(trail(&runs) == calm, "without {what} it ends differently");
        let said =
            notes(&runs).iter().any(|note| note.contains("the run begins again") && note.contains("the database"));
        assert_eq!(said, begins_anew, "{what}: {:?}", notes(&runs));
        assert_clean(&runs);
    }
}

/// `taper rm` that is killed: between the files of a run and its rows, which wait for another writer, and at any other moment.
#[test]
fn after_a_removal_that_was_killed_no_checkpoint_is_resumed_without_its_steps() {
    let sandbox = one();
    sandbox.finish("calm", &[]);
    let calm = trail(&sandbox.path("calm"));
    stopped(&sandbox, "stopped");
    let key = only_run(&sandbox.path("stopped")).key;
    for at_ms in [None, Some(5), Some(15), Some(30)] {
        let name = format!("killed {at_ms:?}");
        let runs = sandbox.path(&name);
        copy(&sandbox.path("stopped"), &runs);
        let folder = RunFolder::new(&runs, &key);
        let writer = Connection::open(runs.join("taper.db")).expect("the database");
        if at_ms.is_none() {
            writer.execute_batch("BEGIN IMMEDIATE").expect("the lock of writers");
        }
        let mut rm = sandbox.command(&["rm", "--yes", "--experiment", "one", "--runs", &name]);
        let mut rm = rm.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper starts");
        match at_ms {
            Some(ms) => std::thread::sleep(Duration::from_millis(ms)),
            None => {
                while folder.path().exists() {
                    assert!(rm.try_wait().expect("a child").is_none(), "it ended with the files there");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        }
        rm.kill().expect("kill -9");
        rm.wait().expect("its end");
        drop(writer);
        // The log of a checkpoint never goes before the checkpoint.
        let stored = store(&runs).runs().expect("runs");
        assert!(!stored.is_empty() || !folder.state().exists(), "{name}: a checkpoint without its steps");
        if at_ms.is_none() {
            assert_eq!((stored.len(), folder.state().exists()), (1, false), "killed between the two");
        }
        sandbox.finish(&name, &[]);
        assert!(trail(&runs) == calm, "{name}: it ends differently");
    }
}

/// An older copy of the database is put back: the checkpoint is ahead of it.
#[test]
fn a_checkpoint_that_is_ahead_of_the_database_is_not_resumed() {
    let sandbox = one();
    sandbox.finish("calm", &[]);
    let calm = trail(&sandbox.path("calm"));
    stopped(&sandbox, "runs");
    let runs = sandbox.path("runs");
    fs::copy(runs.join("taper.db"), sandbox.path("older.db")).expect("a copy");
    let before = only_run(&runs).steps;
    // Until the state before the newest is ahead too.
    let mut child = sandbox.start("runs", &[]);
    while only_run(&runs).checkpoint_step < Some(before + 12) {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("kill -9");
    child.wait().expect("its end");
    let _ = (fs::remove_file(runs.join("taper.db-wal")), fs::remove_file(runs.join("taper.db-shm")));
    fs::copy(sandbox.path("older.db"), runs.join("taper.db")).expect("a copy");
    sandbox.finish("runs", &[]);
    assert!(trail(&runs) == calm);
    let said = notes(&runs);
    assert!(said.iter().any(|note| note.contains(&format!("contains only the steps up to {before}"))), "{said:?}");
}

#[test]
fn a_completed_run_with_holes_is_trained_again() {
    let sandbox = one();
    sandbox.finish("calm", &[]);
    let calm = trail(&sandbox.path("calm"));
    let weights = |runs: &Path| fs::read(RunFolder::new(runs, &only_run(runs).key).model().join("model.safetensors"));
    let kept = weights(&sandbox.path("calm")).expect("weights");
    let last = only_run(&sandbox.path("calm")).steps;
    for (loss, words) in [
        (
            "DELETE FROM steps WHERE step <= 30; UPDATE runs SET steps = steps - 30".to_string(),
            format!("of its {last} steps"),
        ),
        ("DELETE FROM steps WHERE step = 17".into(), format!("of its {last} steps")),
        (format!("DELETE FROM steps WHERE step = {last}"), format!("of its {last} steps")),
        ("DELETE FROM evals WHERE phase = 'before'".into(), "its evaluation on dev before training".into()),
        ("DELETE FROM evals WHERE phase = 'after' AND split = 'test'".into(), "on test with the kept weights".into()),
    ] {
        let runs = sandbox.path("holes");
        copy(&sandbox.path("calm"), &runs);
        sql(&runs, &loss);
        sandbox.finish("holes", &[]);
        assert!(trail(&runs) == calm, "{loss}");
        assert_eq!(weights(&runs).expect("weights"), kept);
        let notes = notes(&runs);
        let said = |note: &String| note.contains(&words) && note.contains("trained again");
        assert!(notes.iter().any(said), "{loss}: {notes:?}");
        // And then it is done.
        let again = sandbox.taper(&["run", "torture.toml", "--runs", "holes"]);
        assert!(text(&again).contains("one: 1 completed before"), "{}", text(&again));
        fs::remove_dir_all(&runs).expect("removed");
    }
}

/// Writes to a file without changing its size or the time at which it was written.
fn spoil(path: &Path) {
    let time = path.metadata().and_then(|facts| facts.modified()).expect("a time");
    let mut bytes = fs::read(path).expect("bytes");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(path, bytes).expect("written");
    File::options().write(true).open(path).and_then(|file| file.set_modified(time)).expect("a time");
}

fn model(runs: &Path) -> PathBuf {
    RunFolder::new(runs, &only_run(runs).key).model()
}

#[test]
fn a_kept_model_is_used_only_as_it_was_written() {
    let sandbox = one();
    let short = ["--set", "train.epochs=1"];
    sandbox.finish("sound", &short);
    let key = only_run(&sandbox.path("sound")).key;
    let run = ["run", "torture.toml", "--runs", "runs", "--set", "train.epochs=1"];
    let runs = sandbox.path("runs");
    let uses = |out: &str| {
        let predict = sandbox.taper(&["predict", "--runs", "runs", &key, "好"]);
        let export = sandbox.taper(&["export", "--runs", "runs", &key, out]);
        (predict, export, sandbox.taper(&["verify", "--runs", "runs", &key]))
    };
    copy(&sandbox.path("sound"), &runs);
    let (predict, export, verify) = uses("sound-model");
    assert!(predict.status.success() && export.status.success() && verify.status.success(), "{}", text(&verify));
    assert!(text(&verify).contains("the files of the kept model"), "{}", text(&verify));
    // The six files of the kept model, and README.md.
    assert_eq!(fs::read_dir(sandbox.path("sound-model")).expect("a folder").count(), 7);
    type Damage = fn(&Path);
    let damages: [(&str, Damage, bool); 6] = [
        ("model.safetensors", |model| spoil(&model.join("model.safetensors")), false),
        ("config.json", |model| spoil(&model.join("config.json")), false),
        ("tokenizer.json", |model| spoil(&model.join("tokenizer.json")), false),
        ("model.safetensors", |model| fs::write(model.join("model.safetensors"), "").expect("written"), true),
        ("config.json", |model| fs::write(model.join("config.json"), "garbage").expect("written"), true),
        ("vocab.txt", |model| fs::remove_file(model.join("vocab.txt")).expect("removed"), true),
    ];
    for (i, (name, damage, shows)) in damages.into_iter().enumerate() {
        fs::remove_dir_all(&runs).expect("removed");
        copy(&sandbox.path("sound"), &runs);
        // Copies have times of their own: they are looked at, and found to be sound.
        assert!(text(&sandbox.taper(&run)).contains("one: 1 completed before"));
        damage(&model(&runs));
        let out = format!("out{i}");
        let (predict, export, verify) = uses(&out);
        for (output, code) in [(&predict, 2), (&export, 2), (&verify, 1)] {
            assert_eq!(output.status.code(), Some(code), "{name}: {}", text(output));
            assert!(text(output).contains(name), "{name}: {}", text(output));
        }
        assert!(text(&predict).contains("the kept model is damaged"), "{}", text(&predict));
        assert!(!sandbox.path(&out).exists(), "nothing is left");
        let output = sandbox.taper(&run);
        assert_eq!(text(&output).contains("its kept model is damaged"), shows, "{name}: {}", text(&output));
        if shows {
            assert!(text(&output).contains("one: 1 completed"), "{}", text(&output));
            let same = |name: &str| {
                fs::read(model(&runs).join(name)).ok() == fs::read(model(&sandbox.path("sound")).join(name)).ok()
            };
            assert!(same("model.safetensors") && same("config.json") && same("vocab.txt"));
        }
    }
}

/// Of runs of a version that did not write down what the files of a model were.
#[test]
fn an_older_kept_model_is_checked_by_the_digest_of_its_weights() {
    let sandbox = one();
    let short = ["--set", "train.epochs=1"];
    sandbox.finish("sound", &short);
    sql(&sandbox.path("sound"), "DELETE FROM kept_files");
    let key = only_run(&sandbox.path("sound")).key;
    let run = ["run", "torture.toml", "--runs", "runs", "--set", "train.epochs=1"];
    let runs = sandbox.path("runs");
    copy(&sandbox.path("sound"), &runs);
    assert!(sandbox.taper(&["predict", "--runs", "runs", &key, "好"]).status.success());
    assert!(text(&sandbox.taper(&run)).contains("one: 1 completed before"));
    assert_eq!(
        store(&runs).kept_files(&key).expect("files").len(),
        6,
        "what was found to be sound is known from now on"
    );
    for (name, damage) in [
        ("model.safetensors", spoil as fn(&Path)),
        ("model.safetensors", |path| fs::write(path, "").expect("written")),
        ("config.json", |path| fs::write(path, "garbage").expect("written")),
    ] {
        fs::remove_dir_all(&runs).expect("removed");
        copy(&sandbox.path("sound"), &runs);
        damage(&model(&runs).join(name));
        assert_eq!(sandbox.taper(&["predict", "--runs", "runs", &key, "好"]).status.code(), Some(2));
        for some in [&[][..], &["--steps", "1"]] {
            let verify = [&["verify", "--runs", "runs", &key][..], some].concat();
            assert_eq!(sandbox.taper(&verify).status.code(), Some(1), "{name} {some:?}");
        }
        let output = text(&sandbox.taper(&run));
        assert!(output.contains("its kept model is damaged") && output.contains("one: 1 completed"), "{output}");
    }
}

/// What `run` would find, `plan` says, and how much there is to do; it writes nothing.
#[test]
fn plan_shows_what_of_a_completed_run_is_lost() {
    let sandbox = one();
    let short = ["--set", "train.epochs=1"];
    sandbox.finish("sound", &short);
    type Loss = fn(&Path);
    let losses: [(&str, Loss, Option<&str>); 9] = [
        ("nothing", |_| {}, None),
        (
            "times",
            |runs| {
                fs::write(model(runs).join("config.json"), fs::read(model(runs).join("config.json")).expect("it"))
                    .expect("written")
            },
            None,
        ),
        ("a foreign file", |runs| fs::write(model(runs).join("notes"), "mine").expect("written"), None),
        (
            "a step",
            |runs| sql(runs, "DELETE FROM steps WHERE step = 2"),
            Some("of its 6 steps the database contains only the first 1 without a gap"),
        ),
        (
            "the last steps",
            |runs| sql(runs, "DELETE FROM steps WHERE step > 3"),
            Some("of its 6 steps the database contains only the first 3 without"),
        ),
        (
            "an evaluation",
            |runs| sql(runs, "DELETE FROM evals WHERE phase = 'after'"),
            Some("does not contain its evaluation"),
        ),
        ("the model", |runs| fs::remove_dir_all(model(runs)).expect("removed"), Some("its kept model is missing")),
        (
            "weights",
            |runs| {
                spoil(&model(runs).join("model.safetensors"));
                let file = File::options().write(true).open(model(runs).join("model.safetensors")).expect("a file");
                file.set_modified(std::time::SystemTime::now()).expect("a time");
            },
            Some("its kept model is damaged (model.safetensors has SHA-256 "),
        ),
        (
            "a file",
            |runs| fs::remove_file(model(runs).join("vocab.txt")).expect("removed"),
            Some("its kept model is damaged"),
        ),
    ];
    for (what, lose, words) in losses {
        let runs = sandbox.path(what);
        copy(&sandbox.path("sound"), &runs);
        lose(&runs);
        let before = fs::read(runs.join("taper.db")).expect("the database");
        let plan =
            |more: &[&str]| sandbox.taper(&[&["plan", "torture.toml", "--runs", what], &short[..], more].concat());
        let said = text(&plan(&[]));
        let json: serde_json::Value = serde_json::from_slice(&plan(&["--json"]).stdout).expect("JSON");
        let (standing, why) = (&json["runs"][0]["standing"], json["runs"][0]["why"].as_str());
        match words {
            None => {
                assert!(standing == "completed" && why.is_none(), "{what}: {standing} {why:?}");
                assert!(said.contains("nothing to do: 1 run (1 completed)"), "{what}: {said}");
            }
            Some(words) => {
                assert_eq!(standing, "completed, will be trained again", "{what}");
                assert!(why.is_some_and(|why| why.contains(words)), "{what}: {why:?}");
                assert!(
                    said.contains("1 of 1 run to do") && said.contains("completed, will be trained again: "),
                    "{what}: {said}"
                );
            }
        }
        assert!(fs::read(runs.join("taper.db")).expect("the database") == before, "{what}: plan wrote");
        let run = text(&sandbox.taper(&[&["run", "torture.toml", "--runs", what], &short[..]].concat()));
        assert_eq!(run.contains("it is trained again from the beginning"), words.is_some(), "{what}: {run}");
    }
}

#[test]
fn runs_that_a_command_plans_are_not_removed() {
    let sandbox = one();
    stopped(&sandbox, "runs");
    let (runs, key) = (sandbox.path("runs"), only_run(&sandbox.path("runs")).key);
    let rm = || sandbox.taper(&["rm", "--yes", "--runs", "runs", &key]);
    let other = Planning::begin(&runs, "other").expect("a lock");
    let mine = [Planning::begin(&runs, "one").expect("a lock"), Planning::begin(&runs, "one").expect("it is shared")];
    let refused = rm();
    assert!(!refused.status.success() && text(&refused).contains("is using the runs of `one`"), "{}", text(&refused));
    let all = sandbox.taper(&["rm", "--yes", "--runs", "runs", "--experiment", "one"]);
    assert!(!all.status.success(), "{}", text(&all));
    let gc = sandbox.taper(&["gc", "--yes", "--runs", "runs"]);
    assert!(text(&gc).contains("nothing to remove"), "{}", text(&gc));
    assert_eq!(only_run(&runs).key, key);
    drop(mine);
    assert!(rm().status.success() && store(&runs).runs().expect("runs").is_empty());
    drop(other);
}

/// A database that goes away under a command takes with it what is measured: the command must not say that all is well.
#[test]
fn a_database_that_goes_away_ends_the_command() {
    let sandbox = one();
    type Change = fn(&Path);
    let changes: [(&str, Change); 3] = [
        ("removed", |file| fs::remove_file(file).expect("removed")),
        ("moved", |file| fs::rename(file, file.with_extension("away")).expect("moved")),
        ("replaced", |file| {
            File::create(file.with_extension("new")).expect("a file");
            fs::rename(file.with_extension("new"), file).expect("moved");
        }),
    ];
    for (what, change) in changes {
        let child = sandbox.start(what, &["--set", "train.epochs=400"]);
        let runs = sandbox.path(what);
        let under_way = || {
            let runs = Store::open_existing(&runs).and_then(|store| store.runs()).unwrap_or_default();
            runs.iter().any(|run| run.checkpoint_step.is_some())
        };
        while !under_way() {
            std::thread::sleep(Duration::from_millis(10));
        }
        change(&runs.join("taper.db"));
        let output = child.wait_with_output().expect("its end");
        assert!(!output.status.success(), "{what}: {}", text(&output));
        assert!(text(&output).contains("taper.db was removed, moved or replaced"), "{what}: {}", text(&output));
        // And then it is run as if for the first time.
        if what == "removed" {
            stopped(&sandbox, what);
        }
    }
}

#[test]
fn a_runs_folder_can_have_a_name_that_is_not_unicode() {
    use std::os::unix::ffi::OsStringExt;
    let sandbox = one();
    let name = std::ffi::OsString::from_vec(b"r\xff".to_vec());
    let taper =
        |arguments: &[&str]| sandbox.command(arguments).arg("--runs").arg(&name).output().expect("taper starts");
    let run = ["run", "torture.toml", "--set", "train.epochs=1"];
    for said in ["one: 1 completed", "one: 1 completed before"] {
        let output = taper(&run);
        assert!(output.status.success() && text(&output).contains(said), "{}", text(&output));
    }
    let key = only_run(&sandbox.root().join(&name)).key;
    for command in ["verify", "show"] {
        let output = taper(&[command, &key]);
        assert!(output.status.success(), "{command}: {}", text(&output));
    }
    // The folder that everything is in may have such a name too.
    let inner = sandbox.root().join(&name).join("inner");
    fs::create_dir(&inner).expect("a folder");
    for file in ["rows.csv", "torture.toml"] {
        fs::copy(sandbox.path(file), inner.join(file)).expect("a copy");
    }
    let output = sandbox.command(&run).current_dir(&inner).output().expect("taper starts");
    assert!(output.status.success(), "{}", text(&output));
}

/// The same run, of which no model was kept before: `plan` and `run` say so, and what it was.
#[test]
fn a_run_that_kept_no_model_is_trained_again_where_one_is_to_be_kept() {
    let sandbox = twelve_runs();
    let one_run = SPEC.split("[sweep]").next().expect("what comes before it").replace("epochs = 8\n", "");
    fs::write(sandbox.path("torture.toml"), one_run).expect("a spec");
    let one = ["--set", "train.max_steps=2", "--set", "train.early_stopping_patience=0"];
    let keep = |keep: &'static str| [&one[..], &["--set", keep]].concat();
    sandbox.finish("runs", &keep("checkpoint.keep=none"));
    let plan = |keep: Vec<&str>| {
        let output = sandbox.taper(&[&["plan", "torture.toml", "--runs", "runs"], &keep[..]].concat());
        String::from_utf8(output.stdout).expect("text")
    };
    let said = plan(keep("checkpoint.keep=none"));
    assert!(said.contains("nothing to do: 1 run (1 completed)"), "{said}");
    let said = plan(keep("checkpoint.keep=last"));
    assert!(said.contains("it kept no model: it was run with checkpoint.keep = \"none\""), "{said}");
    assert!(said.contains("1 of 1 run to do"), "{said}");
    sandbox.finish("runs", &keep("checkpoint.keep=last"));
    let store = Store::open_existing(&sandbox.path("runs")).expect("a store");
    let run = store.runs().expect("runs").remove(0);
    let notes: Vec<String> = store.notes(&run.key).expect("notes").into_iter().map(|note| note.message).collect();
    assert!(notes.iter().any(|note| note.contains("it kept no model: it was run with checkpoint.keep")), "{notes:?}");
    let said = plan(keep("checkpoint.keep=all"));
    assert!(said.contains("only checkpoint.keep = \"all\" keeps them"), "{said}");
}
