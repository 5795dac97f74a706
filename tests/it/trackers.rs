//! What `taper export` writes of an experiment, and `taper run --mirror`, read by the programs that it is for.
//!
//! Python is looked for in `TAPER_TEST_PYTHON`, else as `python3`; where it lacks a program the tests say so.

use std::{fs, path::Path, process::Command};

use crate::support::{Sandbox, python_with, skipped, text, tiny_spec};

mod hostile;
mod live;

const SPEC: &str = tiny_spec!(
    "small",
    r#"test = 0.4
dev = 0.2
calibrate = true
max_length = 32
labels = { "0" = "难吃", "1" = "=好/..吃" }
[train]
epochs = 2
batch_size = 4
eval_steps = 2
[checkpoint]
metric = "f1:=好/..吃"
[sweep]
seeds = [1, 2]
[sweep.axes]
train.lr = [1e-3, 3e-4]
"#
);

/// Every format of an experiment.
const FORMATS: [&str; 5] = ["csv", "jsonl", "parquet", "tensorboard", "mlflow"];

/// The programs that read them, with their folders.
const READERS: [(&str, &str); 5] =
    [("pandas", ""), ("polars", ""), ("duckdb", ""), ("tensorboard", "tensorboard"), ("mlflow", "mlflow")];

/// Lets a program compare a folder with the views of the database.
fn read(program: &str, database: &Path, experiment: &str, folder: &Path) {
    let Some(python) = python_with(program) else { return };
    let mut command = Command::new(&python);
    command.args(["-c", include_str!("trackers/check.py"), program]).arg(database).arg(experiment).arg(folder);
    let output = command.output().expect("Python starts");
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{program}: {said}\n{error}");
    match said.lines().find_map(|line| line.strip_prefix("missing: ")) {
        Some(missing) => {
            skipped(&format!("no {missing} in {python}; name a Python that has it in TAPER_TEST_PYTHON"));
        }
        None => assert!(said.contains("equal"), "{program}: {said}"),
    }
}

/// All that lies below a folder, which is not to be touched.
fn below(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            found.push(path.strip_prefix(folder).expect("below").display().to_string());
            if path.is_dir() {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn other_programs_read_what_is_exported() {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("small.toml", SPEC);
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    for format in FORMATS {
        let folder = format!("exported %/{format}");
        let files = sandbox.json(&["export", "small", &folder, "--format", format]);
        let mut said: Vec<&str> =
            files.as_array().expect("files").iter().map(|f| f.as_str().expect("a path")).collect();
        said.sort();
        let there = below(&sandbox.path(&folder));
        let there = there.iter().map(|name| format!("{folder}/{name}"));
        let there: Vec<String> = there.filter(|name| sandbox.path(name).is_file()).collect();
        assert_eq!(said, there, "{format}");
        // The same again, given by its spec file, byte for byte.
        let again = format!("again/{format}");
        sandbox.ok(&["export", "small.toml", &again, "--format", format]);
        for name in below(&sandbox.path(&folder)) {
            let (a, b) = (sandbox.path(&folder).join(&name), sandbox.path(&again).join(&name));
            // The addresses of MLflow name the folder.
            if a.is_file() && !name.ends_with("meta.yaml") {
                assert!(fs::read(&a).expect("a file") == fs::read(&b).expect("a file"), "{name}");
            }
        }
    }
    let database = sandbox.path("runs/taper.db");
    for (program, folder) in READERS {
        read(program, &database, "small", &sandbox.path("exported %").join(folder));
    }
}

#[test]
fn what_cannot_be_exported_is_refused_and_nothing_is_left() {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("small.toml", SPEC.replace("[1e-3, 3e-4]", "[1e-3]"));
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let key = sandbox.keys().remove(0);
    sandbox.write("full/x", "");
    sandbox.write("file", "");
    for (arguments, expected) in [
        (["small", "full", "csv"], "already exists and is not an empty folder"),
        (["small", "file", "mlflow"], "already exists and is not an empty folder"),
        (["smal", "out", "csv"], "small"),
        ([&key, "out", "tensorboard"], "exports all runs of an experiment"),
        (["small", "out", "xml"], "possible values"),
    ] {
        let [name, dir, format] = arguments;
        let (code, said) = sandbox.says(&["export", name, dir, "--format", format]);
        assert!(code == 2 && said.contains(expected), "{arguments:?}: {said}");
    }
    let (code, said) = sandbox.says(&["export", "small", "out", "--format", "csv", "--dtype", "fp16"]);
    assert!(code == 2 && said.contains("--dtype fp16 needs --format onnx"), "{said}");
    assert!(!sandbox.path("out").exists());
    assert_eq!(below(&sandbox.path("full")), ["x"]);
    // A run that has not begun is not in it.
    sandbox.ok(&["rm", &key, "--yes"]);
    let output = sandbox.taper(&["export", "small", "out", "--format", "csv"]);
    assert!(output.status.success() && text(&output.stderr).contains("1 of the 2 planned runs"), "{output:?}");
}
