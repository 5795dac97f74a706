//! Hints for commands in the syntax of other tools, and exit codes of invalid command lines.

use super::*;

fn refused(sandbox: &Sandbox, arguments: &[&str]) -> String {
    let output = sandbox.taper(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stderr)
}

#[test]
fn commands_of_other_tools_say_which_one_does_that_here() {
    let sandbox = sandbox("");
    for (word, command) in [
        ("best", "taper list NAME --leaderboard"),
        ("diff", "taper compare A B"),
        ("metrics", "taper show RUN"),
        ("train", "taper run SPEC"),
        ("resume", "taper run SPEC"),
        ("evaluate", "taper eval RUN"),
        ("status", "taper list"),
        ("init", "experiments/quickstart.toml"),
        ("sweep", "[sweep] table"),
        ("download", "taper fetch SPEC"),
    ] {
        let said = refused(&sandbox, &[word, "small.toml"]);
        assert!(said.contains(command) && said.contains(&format!("'{word}'")), "{word}: {said}");
        assert!(!said.contains("completions"), "{word}: {said}");
    }
    assert!(refused(&sandbox, &["lits"]).contains("'list'"), "a slip of the fingers has clap's own hint");
}

#[test]
fn keys_set_as_other_tools_do_are_shown_as_they_are_set_here() {
    let sandbox = sandbox("");
    for arguments in [
        &["run", "small.toml", "train.lr=1e-4"][..],
        &["run", "small.toml", "--set", "train.lr", "1e-4"],
        &["plan", "small.toml", "--train.lr=1e-4"],
        &["run", "small.toml", "--learning_rate", "1e-4"],
    ] {
        let said = refused(&sandbox, arguments);
        assert!(said.contains("`--set train.lr=1e-4`"), "{arguments:?}: {said}");
    }
}

#[test]
fn what_is_not_there_has_one_exit_code_whatever_the_command() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    for arguments in [
        &["show", "zzzz"][..],
        &["rm", "zzzz", "--yes"],
        &["predict", "zzzz", "x"],
        &["export", "zzzz", "x"],
        &["verify", "zzzz"],
        &["report", "zzzz"],
        &["list", "zzzz"],
        &["rm", "--experiment", "zzzz", "--yes"],
    ] {
        assert!(refused(&sandbox, arguments).contains("zzzz"), "{arguments:?}");
    }
    assert!(refused(&sandbox, &["list", "--threads", "65535"]).contains("expected a number from 1 to"));
    // Everything asked for by doctor is looked at; what does not work is in its exit code.
    let doctor = sandbox.taper(&["doctor", "--offline", "--json"]);
    let checks: Value = serde_json::from_slice(&doctor.stdout).expect("JSON");
    let bad = checks["checks"].as_array().expect("checks").iter().any(|check| check["ok"] == false);
    assert_eq!(doctor.status.code(), Some(i32::from(bad)));
    fs::write(sandbox.path("runs/taper.db"), "no database ".repeat(1000)).expect("a damaged database");
    assert_eq!(sandbox.taper(&["doctor", "--offline"]).status.code(), Some(1));
}

#[test]
fn a_run_that_is_already_completed_is_shown_with_its_metrics() {
    let sandbox = sandbox("");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    let line: Value = serde_json::from_str(&sandbox.ok(&["run", "small.toml", "--json"])).expect("one line");
    assert_eq!((&line["event"], &line["state"]), (&"run_skipped".into(), &"completed".into()));
    assert_eq!(line["metrics"], sandbox.json(&["list"])[0]["final_metrics"]);
    assert!(line["metrics"]["accuracy"].as_f64().is_some());
    assert!(line["time"].as_f64().is_some() && line["run"] == sandbox.keys()[0] && line["name"] == "small");
}

#[test]
fn more_runs_at_a_time_than_threads_are_warned_of() {
    let sandbox = sandbox("[sweep]\nseeds = [1, 2, 3, 4, 5]\n");
    let run = ["run", "small.toml", "--set", "train.max_steps=1", "--threads", "2", "--quiet", "--jobs"];
    let said = text(&sandbox.taper(&[&run[..], &["5"]].concat()).stderr);
    assert!(said.contains("warning: 5 runs at a time share 2 threads"), "{said}");
    assert!(!text(&sandbox.taper(&[&run[..], &["2"]].concat()).stderr).contains("at a time share"));
}

#[cfg(unix)]
#[test]
fn variables_that_are_not_utf8_are_ignored_unless_they_set_a_key() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let sandbox = sandbox("");
    let odd = OsStr::from_bytes(b"\xff");
    let with = |name: &OsStr, value: &OsStr, arguments: &[&str]| {
        let output = sandbox.command(arguments).env(name, value).output().expect("taper starts");
        (output.status.code(), text(&output.stderr))
    };
    for name in [OsStr::new("FOO"), odd, OsStr::new("TAPER_SOMETHING")] {
        assert_eq!(with(name, odd, &["plan", "small.toml"]), (Some(0), String::new()), "{name:?}");
    }
    assert_eq!(with(OsStr::new("FOO"), odd, &["run", "small.toml", "--quiet"]).0, Some(0));
    assert_eq!(with(OsStr::new("FOO"), odd, &["list", "small.toml"]).0, Some(0));
    for name in ["TAPER_TRAIN__LR", "TAPER_NAME", "TAPER_DESCRIPTION"] {
        let (code, said) = with(OsStr::new(name), odd, &["plan", "small.toml"]);
        assert_eq!(code, Some(2));
        assert!(said.contains(&format!("environment variable {name}: its value is not valid UTF-8")), "{said}");
    }
    let (code, said) = with(OsStr::from_bytes(b"TAPER_TRAIN__\xff"), OsStr::new("1"), &["run", "small.toml"]);
    assert_eq!(code, Some(2));
    assert!(said.contains("its name is not valid UTF-8"), "{said}");
}

/// A Chinese character takes two columns: help that counts it as one is broken by the terminal, anywhere.
#[test]
fn help_is_no_wider_than_the_terminal() {
    let sandbox = sandbox("");
    for command in [&["--help"][..], &["predict", "--help"], &["run", "--help"], &["eval", "-h"]] {
        for columns in [60, 70, 80, 90] {
            let output = sandbox.command(command).env("COLUMNS", columns.to_string()).output().expect("taper starts");
            let help = text(&output.stdout);
            assert!(!help.is_empty());
            let wide = help.lines().find(|line| console::measure_text_width(line) > columns);
            assert_eq!(wide, None, "{command:?} in {columns} columns");
        }
    }
}

/// A command at the end of a message is never broken, whichever it is.
#[test]
fn every_command_after_a_colon_stays_whole() {
    let sandbox = sandbox("");
    let help = sandbox.ok(&["--help"]);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> =
        listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next()).filter(|name| !name.is_empty()).collect();
    assert!(names.len() > 20 && names.contains(&"plan") && names.contains(&"help"), "{names:?}");
    for name in names {
        let command = format!("taper {name} 'the first argument' 'the second argument'");
        let wrapped = taper::observe::wrap(&format!("as a page: {command}"), 30);
        assert_eq!(wrapped, ["as a page:", &format!("  {command}")], "{name}");
    }
}
