//! The program as a user meets it: spec to report, resumption after any end, errors before any start.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::support::{Sandbox, text, words};

mod all_at_once;
mod caution;
mod doubtful;
mod engines;
mod large;
mod listing;
mod messages;
mod metrics;
mod names;
mod order;
mod outside_the_plan;
mod plans;
mod reader;
mod reused;
mod shared;
mod terminal;
mod usage;

/// A small run: 40 rows, 12 steps of 4 rows. `more` is TOML that goes below.
fn sandbox(more: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    let spec = format!(
        r#"
name = "small"
[model]
source = "scratch:tiny"
[data]
source = "path:rows.csv"
text_column = "review"
labels = {{ 0 = "negative", 1 = "positive" }}
test = 0.4
max_length = 32
[[probes]]
text = "送得快，好吃"
expect = "positive"
[train]
epochs = 2
batch_size = 4
lr = 1e-3
log_steps = 2
{more}
"#
    );
    sandbox.write("small.toml", spec);
    sandbox
}

/// Waits until `condition` holds; tells whether it came to that before the program ended.
fn wait(child: &mut Child, what: &str, mut condition: impl FnMut() -> bool) -> bool {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(60), "waited a minute for {what}");
        if child.try_wait().expect("a child").is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn stored_steps(runs: &Path) -> usize {
    let Ok(store) = taper::store::Store::open_existing(runs) else { return 0 };
    store.runs().map_or(0, |runs| runs.iter().map(|run| run.steps as usize).sum())
}

#[test]
fn a_spec_becomes_a_trained_logged_and_exported_run() {
    let sandbox = sandbox("max_grad_norm = 1.0\n");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec.replace("epochs = 2", "epochs = 10")).expect("longer");
    let plan = sandbox.json(&["plan", "small.toml"]);
    assert_eq!(plan["runs"][0]["standing"], "new");
    assert_eq!(plan["runs"][0]["data"]["train"], 24);
    assert!(!sandbox.path("runs").exists(), "plan writes nothing");

    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let list = sandbox.json(&["list"]);
    let run = &list[0];
    assert_eq!(list.as_array().expect("an array").len(), 1);
    assert_eq!(run["state"], "completed");
    assert_eq!(run["key"], plan["runs"][0]["key"]);
    assert_eq!(run["config"]["train"]["lr"], 1e-3);
    assert_eq!(run["steps"], 60);
    assert!(run["final_metrics"]["accuracy"].as_f64().expect("a number") > 0.9, "it learns: {run}");

    let key = run["key"].as_str().expect("a key");
    let show = sandbox.json(&["show", &key[..6]]);
    let whens: Vec<&str> =
        show["evaluations"].as_array().expect("some").iter().map(|e| e["when"].as_str().expect("when")).collect();
    assert_eq!((whens.len(), whens[0], whens[1], whens[11]), (12, "before", "during", "after"));
    assert_eq!(show["evaluations"][11]["metrics"]["rows"], 16);
    assert_eq!(show["probes"].as_array().expect("probes").len(), 2);

    // The model that is exported is the one that was measured.
    sandbox.ok(&["export", &key[..6], "model"]);
    #[cfg(unix)]
    for entry in fs::read_dir(sandbox.path("model")).expect("a folder") {
        use std::os::unix::fs::PermissionsExt;
        let (entry, spec) = (entry.expect("a file"), fs::metadata(sandbox.path("small.toml")).expect("the spec"));
        let mode = entry.metadata().expect("its mode").permissions().mode();
        assert_eq!(mode, spec.permissions().mode(), "{:?} is as readable as any file", entry.path());
    }
    let limit: Value =
        serde_json::from_slice(&fs::read(sandbox.path("model/tokenizer_config.json")).expect("it")).expect("JSON");
    assert_eq!(limit["model_max_length"], 32, "texts are cut as in training");
    for file in ["config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "tokenizer_config.json"] {
        assert!(sandbox.path("model").join(file).is_file(), "{file}");
    }
    let config: Value =
        serde_json::from_slice(&fs::read(sandbox.path("model/config.json")).expect("config")).expect("JSON");
    assert_eq!(config["id2label"]["1"], "positive");
    let said = sandbox.json(&["predict", key, "送得快，好吃"]);
    let stored = &show["probes"][1];
    assert_eq!(said[0]["label"], stored["predicted"]);
    let (a, b) = (said[0]["confidence"].as_f64().expect("a"), stored["probabilities"][1].as_f64().expect("b"));
    assert!((a - b).abs() < 1e-6, "predict says {a}, the probe after training said {b}");
    // It can be fine-tuned again: its head and vocabulary are taken as they are.
    let folder = ["--set", "model.source=path:model", "--runs", "again"];
    let again = sandbox.json(&[&["plan", "small.toml"], &folder[..]].concat());
    assert_eq!(again["runs"][0]["name"], "source=path:model", "what --set says is in the name");
    sandbox.ok(&[&["run", "small.toml", "--quiet", "--set", "train.max_steps=1"], &folder[..]].concat());
    let list = sandbox.json(&["list", "--runs", "again"]);
    let second = sandbox.json(&["show", list[0]["key"].as_str().expect("a key"), "--runs", "again"]);
    let loss = |show: &Value, i: usize| show["evaluations"][i]["metrics"]["loss"].as_f64().expect("a loss");
    assert!((loss(&second, 0) - loss(&show, 11)).abs() < 1e-9, "it begins where the exported one ended");
    let rows = sandbox.ok(&["predict", key, "--file", "rows.csv"]);
    assert_eq!(rows.lines().count(), 41);
    assert!(rows.lines().nth(1).expect("a row").starts_with("2,positive,"), "{rows}");

    // run.toml is itself a spec that repeats the run.
    let run_toml = format!("runs/{}/run.toml", &key[..12]);
    assert_eq!(sandbox.json(&["plan", &run_toml])["runs"][0]["key"], key);

    sandbox.ok(&["report", "small"]);
    let report = |name: &str| fs::read(sandbox.path("runs/reports/small").join(name)).expect(name);
    let before = (report("report.html"), report("loss.svg"), report("loss.png"), report("report.md"));
    sandbox.ok(&["report", "small"]);
    assert!(before == (report("report.html"), report("loss.svg"), report("loss.png"), report("report.md")));
    assert!(text(&before.0).contains("送得快，好吃"));
}

#[test]
fn a_completed_run_is_not_trained_again_and_an_edited_one_is() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml"]);
    let again = sandbox.ok(&["run", "small.toml"]);
    assert!(again.contains("1 completed before"), "{again}");
    // Another spec that means the same run shares it, under its own name.
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(
        sandbox.path("other.toml"),
        spec.replace("name = \"small\"", "name = \"other\"") + "[sweep]\nseeds = [42, 43]\n",
    )
    .expect("a spec");
    assert!(sandbox.ok(&["run", "other.toml"]).contains("other: 1 completed, 1 completed before"));
    let report = sandbox.ok(&["report", "other", "--json"]);
    assert!(report.contains("report.md"));
    let page = fs::read_to_string(sandbox.path("runs/reports/other/report.md")).expect("a report");
    assert!(page.contains("seed=42") && page.contains("seed=43"), "{page}");
    fs::remove_dir_all(sandbox.path("runs")).expect("runs");
    sandbox.ok(&["run", "small.toml"]);
    assert!(sandbox.ok(&["plan", "small.toml"]).contains("completed"));
    // What changes no number changes no identity.
    sandbox.ok(&["run", "small.toml", "--set", "train.log_steps=7"]);
    assert_eq!(sandbox.json(&["list"]).as_array().expect("runs").len(), 1);
    sandbox.ok(&["run", "small.toml", "--set", "train.lr=2e-3"]);
    assert_eq!(sandbox.json(&["list"]).as_array().expect("runs").len(), 2);
    // A probe added afterwards is scored without training again.
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    fs::write(sandbox.path("small.toml"), spec + "[[probes]]\ntext = \"难吃\"\nexpect = \"negative\"\n")
        .expect("a spec");
    assert!(sandbox.ok(&["run", "small.toml"]).contains("new probes scored"));
    let show = sandbox.json(&["show", sandbox.json(&["list"])[0]["key"].as_str().expect("a key")]);
    let scored = |when: &str| {
        let probes = show["probes"].as_array().expect("probes");
        probes.iter().filter(|p| p["when"] == when && p["text"] == "难吃").count()
    };
    assert_eq!((scored("before"), scored("after")), (1, 1));
    assert!(!sandbox.ok(&["run", "small.toml"]).contains("new probes"));
    // A deleted model is trained again.
    let key = sandbox.json(&["list"])[0]["key"].as_str().expect("a key").to_string();
    fs::remove_dir_all(sandbox.path("runs").join(&key[..12]).join("model")).expect("a model");
    assert!(sandbox.ok(&["run", "small.toml"]).contains("1 completed"));
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let sandbox = sandbox("");
    for threads in ["1", "2", "3"] {
        sandbox.ok(&["run", "small.toml", "--quiet", "--threads", threads, "--runs", threads]);
    }
    assert!(
        sandbox.steps("1").len() == 12
            && sandbox.steps("1") == sandbox.steps("2")
            && sandbox.steps("1") == sandbox.steps("3")
    );
    assert!(sandbox.weights("1") == sandbox.weights("2") && sandbox.weights("1") == sandbox.weights("3"));
}

/// `kill -9` in the middle, at several moments: what was logged stays, nothing is shown as running, and the whole comes
/// out as if nothing had happened.
#[test]
fn a_killed_sweep_resumes_and_ends_as_an_undisturbed_one() {
    let sandbox = sandbox("[checkpoint]\nevery_steps = 3\n[sweep]\nseeds = [1, 2]\n");
    let longer = ["run", "small.toml", "--quiet", "--set", "train.epochs=10"];
    sandbox.ok(&[&longer[..], &["--runs", "calm"]].concat());
    let calm = sandbox.steps("calm");
    assert_eq!(calm.len(), 120);
    let (mut seen, mut hits) = (0, 0);
    for moment in [3, 20, 45, 70, 100] {
        let mut child = sandbox.command(&longer).spawn().expect("taper starts");
        hits += usize::from(wait(&mut child, "steps", || stored_steps(&sandbox.path("runs")) >= moment));
        child.kill().expect("kill -9");
        child.wait().expect("its end");
        let list = sandbox.json(&["list"]);
        let states: Vec<&str> =
            list.as_array().expect("runs").iter().map(|r| r["state"].as_str().expect("state")).collect();
        assert!(!states.contains(&"running"), "{states:?}");
        let trail = sandbox.steps("runs");
        assert!(trail.len() >= seen.max(moment), "steps were lost: {} of {seen}", trail.len());
        assert!(trail.iter().all(|(step, facts)| calm[step] == *facts), "a stored step differs");
        seen = trail.len();
    }
    assert!(hits >= 3, "only {hits} of five kills met a run under way");
    sandbox.ok(&longer);
    assert!(sandbox.steps("runs") == calm);
    let list = sandbox.json(&["list"]);
    assert!(list.as_array().expect("runs").iter().all(|r| r["state"] == "completed"));
    let metrics = |runs: &str| -> Vec<Value> {
        let list = sandbox.json(&["list", "--runs", runs]);
        list.as_array().expect("runs").iter().map(|r| r["final_metrics"].clone()).collect()
    };
    assert_eq!(metrics("runs"), metrics("calm"));
    // What was predicted before training too, of each row that is tested, bit for bit.
    let before = |runs: &str| -> Vec<(String, u64, Vec<u8>)> {
        let open = rusqlite::Connection::open(sandbox.path(runs).join("taper.db")).expect("the database");
        let sql = "SELECT run, rows, packed FROM predictions_before WHERE split = 'test' ORDER BY run";
        let mut rows = open.prepare(sql).expect("a table");
        let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64, row.get(2)?));
        rows.query_map([], row).expect("rows").collect::<Result<_, _>>().expect("rows")
    };
    assert!(before("runs") == before("calm"));
    let tested: Vec<u64> = before("runs").iter().map(|(_, rows, _)| *rows).collect();
    let measured = metrics("runs").iter().map(|m| m["rows"].as_u64().expect("a count")).collect::<Vec<_>>();
    assert_eq!((tested.len(), tested), (2, measured));
    // Two seeds of one trial, compared as one; there is no dev split, so the test split it is.
    let board = sandbox.json(&["list", "small", "--leaderboard"]);
    let trial = &board[0];
    assert_eq!(
        (board.as_array().expect("trials").len(), &trial["rank"], &trial["figure"]["n"]),
        (1, &1.into(), &2.into())
    );
    let accuracy = |i: usize| list[i]["final_metrics"]["accuracy"].as_f64().expect("a number");
    let mean = trial["figure"]["mean"].as_f64().expect("a mean");
    assert!((mean - (accuracy(0) + accuracy(1)) / 2.0).abs() < 1e-12, "{trial}");
    let table = sandbox.ok(&["list", "small", "--leaderboard"]);
    assert!(table.contains("TEST ACCURACY") && table.contains("epochs=10") && table.contains("two seeds: "), "{table}");
    // Watching needs a terminal, and says so.
    let watch = sandbox.taper(&["list", "--watch"]);
    assert_eq!(watch.status.code(), Some(2));
    assert!(text(&watch.stderr).contains("--watch needs a terminal"), "{}", text(&watch.stderr));
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_after_the_step_with_a_checkpoint_from_which_the_run_resumes() {
    let sandbox = sandbox("[checkpoint]\nkeep = \"last\"\n");
    let longer = ["run", "small.toml", "--set", "train.epochs=60", "--json"];
    let mut calm = longer.to_vec();
    calm.extend(["--runs", "calm"]);
    sandbox.ok(&calm);
    let mut child = sandbox.command(&longer).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper starts");
    assert!(wait(&mut child, "steps", || stored_steps(&sandbox.path("runs")) >= 5));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    let stopped = &sandbox.json(&["list"])[0];
    assert_eq!(stopped["state"], "interrupted");
    let steps = stopped["steps"].as_u64().expect("steps");
    assert_eq!(stopped["checkpoint_step"], steps, "the checkpoint is of the last step");
    assert!(steps < 360, "it was stopped before its end");

    let events = sandbox.ok(&longer);
    let started = events.lines().find(|line| line.contains("run_started")).expect("an event");
    let started: Value = serde_json::from_str(started).expect("JSON");
    assert_eq!(started["resumed_from"], steps);
    assert!(sandbox.steps("runs") == sandbox.steps("calm") && sandbox.weights("runs") == sandbox.weights("calm"));
}

#[cfg(unix)]
#[test]
fn a_resumed_run_says_that_its_training_time_includes_earlier_commands() {
    let sandbox = sandbox("");
    let longer = ["run", "small.toml", "--set", "train.epochs=60"];
    let mut child = sandbox.command(&longer).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper starts");
    assert!(wait(&mut child, "steps", || stored_steps(&sandbox.path("runs")) >= 5));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    let said = sandbox.ok(&longer);
    assert!(
        said.contains(" 1 completed; took ") && said.contains(" of training, earlier commands included)"),
        "{said}"
    );
    let whole = sandbox.ok(&["run", "small.toml"]);
    assert!(whole.contains(" 1 completed; took ") && !whole.contains("earlier commands"), "{whole}");
}

#[test]
fn a_damaged_checkpoint_costs_time_and_nothing_else() {
    let sandbox = sandbox("");
    let longer = ["small.toml", "--set", "train.epochs=100"];
    sandbox.ok(&[&["run", "--quiet", "--runs", "calm"], &longer[..]].concat());
    let key = sandbox.json(&[&["plan"], &longer[..]].concat())["runs"][0]["key"].as_str().expect("a key").to_string();
    let folder = sandbox.path("runs").join(&key[..12]);
    let (state, before) = (folder.join("state.safetensors"), folder.join("state.previous.safetensors"));
    // A kill between the two renames of a checkpoint leaves one of them; then the run continues for a little.
    while !(state.is_file() && before.is_file()) {
        let mut child = sandbox.command(&[&["run", "--quiet"], &longer[..]].concat()).spawn().expect("taper starts");
        assert!(wait(&mut child, "two checkpoints", || state.is_file() && before.is_file()));
        child.kill().expect("kill -9");
        child.wait().expect("its end");
        while taper::store::is_locked(&sandbox.path("runs"), &format!("{key}.worker")) {
            std::thread::sleep(Duration::from_millis(5)); // its worker is about to end
        }
    }
    for (damaged, said) in [(&state, "resumes from the previous checkpoint"), (&before, "begins again")] {
        let whole = fs::read(damaged).expect("a checkpoint");
        fs::write(damaged, &whole[..whole.len() - 100]).expect("a truncated one");
        if damaged == &before {
            fs::write(&state, b"nothing that was ever a checkpoint").expect("both damaged");
        }
        let one_step = ["run", "--json", "--set", "train.log_steps=1"];
        let mut child = sandbox.command(&[&one_step[..], &longer[..]].concat());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taper starts");
        let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
        let note = lines.next().expect("a line").expect("text");
        assert!(note.contains("note") && note.contains(said), "{note}");
        child.kill().expect("kill -9");
        child.wait().expect("its end");
        while taper::store::is_locked(&sandbox.path("runs"), &format!("{key}.worker")) {
            std::thread::sleep(Duration::from_millis(5));
        }
        fs::write(&before, &whole).expect("a whole one again");
    }
    sandbox.ok(&[&["run", "--quiet"], &longer[..]].concat());
    assert!(sandbox.steps("runs") == sandbox.steps("calm"));
}

#[test]
fn a_diverged_run_says_where_and_the_sweep_continues() {
    // Class weights beyond what can be added up: the loss is not finite at the first step.
    let sandbox = sandbox("[sweep.axes]\ntrain.class_weights = [[1e308, 1e308], \"none\"]\n");
    let output = sandbox.taper(&["run", "small.toml"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let list = sandbox.json(&["list"]);
    assert_eq!((&list[0]["state"], &list[1]["state"]), (&"failed".into(), &"completed".into()));
    assert_eq!(list[0]["failure"], "diverged");
    let message = list[0]["message"].as_str().expect("a message");
    assert!(message.contains("the loss is") && message.contains("at step 1 (lr 1e-3)"), "{message}");
    let advice = "the same command leaves it out; with --retry it is trained again";
    assert!(text(&output.stdout).contains(advice), "{}", text(&output.stdout));
    let two = text(&sandbox.taper(&["run", "small.toml", "--set", "sweep.seeds=[1, 2]", "--set", "name=two"]).stdout);
    let advice = "the same command leaves them out; with --retry they are trained again";
    assert!(two.contains("\n2 runs failed: ") && two.contains(advice), "{two}");
    sandbox.ok(&["rm", "--experiment", "two", "--yes"]);
    // It would diverge again: left alone unless asked for.
    let again = sandbox.taper(&["run", "small.toml"]);
    let said = text(&again.stdout);
    assert!(again.status.code() == Some(1) && said.contains("--retry"), "{said}");
    assert!(said.contains("small: 1 completed before, 1 skipped (diverged before)\n"), "{said}");
    // The plan says what the next command does.
    let plan = sandbox.ok(&["plan", "small.toml"]);
    let nothing = "nothing to do: 2 runs (1 completed, 1 failed); 1 diverged is left out (--retry trains it again)";
    assert!(plan.contains(nothing), "{plan}");
    // The reason is below the table, with its advice.
    assert!(
        plan.contains("  failed (diverged)  ") && plan.contains("\n1 run failed (diverged)\n  the loss is "),
        "{plan}"
    );
    let more = ["plan", "small.toml", "--set", "sweep.axes.train.class_weights=[[1e308, 1e308], \"none\", [1, 2]]"];
    let plan = sandbox.ok(&more);
    assert!(plan.contains("1 of 3 runs to do: about") && plan.contains("; 1 diverged is left out (--retry"), "{plan}");
}

#[test]
fn bad_specs_and_bad_data_start_nothing() {
    let sandbox = sandbox("");
    let cases: &[(&[&str], &[&str])] = &[
        (&["--set", "train.lr=-1", "--set", "train.batchsize=3"], &["train.lr", "did you mean `train.batch_size`"]),
        (&["--set", "data.source=path:none.csv"], &["none.csv"]),
        (&["--set", "data.text_column=text"], &["text", "review"]),
        (&["--set", "data.max_length=600"], &["512 positions"]),
        (&["--set", "model.source=path:."], &["config.json"]),
        (&["--set", "train.class_weights=[1.0,2.0,3.0]"], &["class_weights"]),
        (&["--set", "checkpoint.keep=best"], &["data.dev"]),
        (&["--set", "train.freeze=[\"encoder.layer.9\"]"], &["encoder.layer.9"]),
        (&["--set", "train.freeze=[\"bert.embeddings\"]"], &["without `bert.`", "write \"embeddings\""]),
        // Whether for want of a driver, of so many devices, or of the feature.
        (&["--device", "cuda:99"], &["--device cpu"]),
        (&["--device", "cuda:99", "--set", "train.precision=bf16"], &["--device cpu"]),
        (&["--device", "cpu", "--set", "train.precision=tf32"], &["train.precision", "TF32", "--device cuda"]),
        (&["--set", "train.precision=bf17"], &["`fp32`, `tf32` or `bf16`", "did you mean \"bf16\""]),
        (&["--set", "train.bf16=true"], &["did you mean `train.precision`"]),
    ];
    for (arguments, wanted) in cases {
        let mut all = vec!["run", "small.toml"];
        all.extend(*arguments);
        let output = sandbox.taper(&all);
        let error = text(&output.stderr);
        assert!(!output.status.success(), "{arguments:?}");
        for words in *wanted {
            assert!(error.contains(words), "{arguments:?} does not say `{words}`:\n{error}");
        }
        assert!(
            !sandbox.path("runs").exists() || sandbox.json(&["list"]) == Value::Array(Vec::new()),
            "{arguments:?} started something"
        );
    }
    assert_eq!(sandbox.taper(&["run", "none.toml"]).status.code(), Some(2));
    // What the device cannot do is said by the plan for it, whether or not it is here.
    let metal = ["plan", "small.toml", "--device", "metal"];
    let output = sandbox.taper(&metal);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("no kernels for metal"), "{}", text(&output.stderr));
    let plan = [&metal[..], &["--engine", "candle"]].concat();
    assert_eq!(sandbox.taper(&plan).status.code(), Some(0));
    let output = sandbox.taper(&[&plan[..], &["--set", "train.precision=bf16"]].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("float32 only"), "{}", text(&output.stderr));
    // Heads of 192 values: too wide for a GPU's attention.
    let wide = serde_json::json!({
        "model_type": "bert", "hidden_act": "gelu", "vocab_size": 100, "hidden_size": 384, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 64, "max_position_embeddings": 512, "type_vocab_size": 2,
    });
    fs::write(sandbox.path("wide.json"), wide.to_string()).expect("a shape");
    let plan = ["plan", "small.toml", "--set", "model.source=scratch:wide.json", "--device"];
    assert_eq!(sandbox.taper(&[&plan[..], &["cpu"]].concat()).status.code(), Some(0));
    let output = sandbox.taper(&[&plan[..], &["cuda:0"]].concat());
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("the size of an attention head is 192") && error.contains("--device cpu"), "{error}");
    // There is nothing to list yet, which is no fault; an experiment that is named is.
    let output = sandbox.taper(&["list"]);
    assert!(output.status.success() && output.stdout.is_empty(), "{}", text(&output.stdout));
    assert!(
        text(&output.stderr).contains("no runs in runs; start some with `taper run SPEC`"),
        "{}",
        text(&output.stderr)
    );
    assert_eq!(sandbox.taper(&["list", "small"]).status.code(), Some(2));
    // Folders of runs whose database is gone are not nothing.
    sandbox.write("runs/0123456789ab/run.toml", "");
    let said = words(&sandbox.taper(&["list"]));
    assert!(
        said.contains("runs has 1 folder of runs, but no taper.db, which says what they are: restore it from a backup"),
        "{said}"
    );
}
