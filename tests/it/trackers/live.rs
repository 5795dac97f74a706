//! `taper run --mirror`.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::{below, read};
use crate::support::{Sandbox, text, tiny_spec};

const SPEC: &str = tiny_spec!(
    "live",
    r#"test = 0.4
dev = 0.2
max_length = 32
[train]
epochs = 25
batch_size = 4
log_steps = 3
[checkpoint]
every_steps = 10
"#
);

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("live.toml", SPEC);
    sandbox
}

/// Kills a run after step 15, which no checkpoint has.
fn kill(sandbox: &Sandbox, arguments: &[&str]) {
    let mut command = sandbox.command(&[&["run", "live.toml", "--json"], arguments].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("taper starts");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let trained = |line: &str| line.contains("\"step_completed\"") && line.contains("\"step\":15,");
    assert!(lines.map(|line| line.expect("a line")).any(|line| trained(&line)), "step 15 never came");
    child.kill().expect("killed");
    child.wait().expect("its end");
}

#[test]
fn a_mirror_has_each_step_once_after_a_kill_and_all_of_them_if_it_begins_later() {
    let sandbox = sandbox();
    let mirrors = ["--mirror", "tensorboard=live of all"];
    kill(&sandbox, &mirrors);
    let second = ["--mirror", "tensorboard=later", "--quiet"];
    sandbox.ok(&[&["run", "live.toml"], &mirrors[..], &second[..]].concat());
    let database = sandbox.path("runs/taper.db");
    for (folder, files) in [("live of all", 2), ("later", 1)] {
        let names = below(&sandbox.path(folder));
        assert_eq!(names.iter().filter(|name| name.contains("/events.out.tfevents.")).count(), files, "{names:?}");
        assert!(names[0] == "live" && names[1].starts_with("live/"), "{names:?}");
        read("tensorboard", &database, "live", &sandbox.path(folder));
    }
    // Nothing is trained, so nothing is written; nor is anything without the option.
    let before = below(&sandbox.path("later"));
    sandbox.ok(&[&["run", "live.toml"], &second[..]].concat());
    assert_eq!(below(&sandbox.path("later")), before);
}

/// Nothing is mirrored where nothing is trained; the command says so, and names one that writes what is stored.
#[test]
fn a_mirror_of_completed_runs_says_that_nothing_is_mirrored() {
    let sandbox = sandbox();
    let mirrored = |dir: &str| {
        let output = sandbox.taper(&["run", "live.toml", "--mirror", &format!("tensorboard={dir}")]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    assert!(!mirrored("first").contains("nothing is mirrored"));
    let said = mirrored("second");
    assert!(said.contains("nothing is mirrored, because this command trains nothing: `taper export "), "{said}");
    assert!(said.contains(" DIR --format tensorboard`"), "{said}");
}

#[test]
fn a_mirror_that_fails_is_one_warning() {
    let sandbox = sandbox();
    sandbox.write("file", "");
    let output = sandbox.taper(&["run", "live.toml", "--mirror", "tensorboard=file/x", "--quiet"]);
    let said = text(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert_eq!(said.matches("the mirror in file/x failed: ").count(), 1, "{said}");
    assert_eq!(sandbox.json(&["list"])[0]["state"], "completed");
    let (code, said) = sandbox.says(&["run", "live.toml", "--mirror", "mlflow=x"]);
    assert!(code == 2 && said.contains("tensorboard=DIR"), "{said}");
}
