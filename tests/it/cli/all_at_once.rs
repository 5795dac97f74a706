//! Problems of a spec that only its data and its model show: all at once, each with its line.

use super::*;

/// What `taper plan` says of the small spec with these lines below `[train]`, and these arguments.
fn refused(train: &str, arguments: &[&str]) -> String {
    let sandbox = sandbox("");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("[train]\n", &format!("[train]\n{train}")));
    let output = sandbox.taper(&[&["plan", "small.toml"], arguments].concat());
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[test]
fn columns_and_names_of_parameters_are_reported_together() {
    let names = "freeze = [\"embeddings\", \"bert\", \"head\"]\nno_decay = [\"bais\"]\n";
    let said = refused(names, &["--set", "data.text_column=x", "--set", "data.label_column=y"]);
    for words in [
        "error: --set: rows.csv: no column `x`, which data.text_column names",
        "error: --set: rows.csv: no column `y`, which data.label_column names",
        "small.toml:15:10: train.freeze: no parameter's name begins with `bert`",
        "small.toml:15:10: train.freeze: no parameter's name begins with `head`",
        "small.toml:16:12: train.no_decay: no parameter's name contains `bais`",
        "15 | freeze = [\"embeddings\", \"bert\", \"head\"]",
    ] {
        assert!(said.contains(words), "no `{words}` in:\n{said}");
    }
    assert_eq!(said.matches("error: ").count(), 5, "{said}");
    // The same without the columns, which the data have.
    assert_eq!(refused(names, &[]).matches("error: small.toml:1").count(), 3);
}

#[test]
fn excluded_points_and_too_many_evaluations_have_a_line() {
    let sweep =
        ["--set", "sweep.axes.train.lr=[1e-3,1e-4]", "--set", "sweep.exclude=[{train.lr=1e-3},{train.lr=1e-4}]"];
    let said = refused("", &sweep);
    assert!(said.starts_with("error: --set: sweep.exclude leaves out all 2 points"), "{said}");
    assert!(said.contains(" | sweep.exclude=[{train.lr=1e-3}"), "{said}");
    // 24 rows train, 6 steps of 4 rows an epoch.
    let said = refused("eval_steps = 1\n", &["--set", "train.epochs=50000"]);
    let want = "small.toml:15:14: train.eval_steps = 1 means 300,000 evaluations in 300,000 steps, and at most 100,000 are possible: raise it";
    assert!(said.contains(want), "{said}");
    let said = refused("", &["--set", "train.max_steps=1000000"]);
    let want = "--set: train.max_steps means 166,667 evaluations in 1,000,000 steps, and at most 100,000 are possible: lower it, or set train.eval_steps";
    assert!(said.contains(want), "{said}");
}

#[test]
fn a_path_with_a_tab_says_that_a_backslash_was_read_as_an_escape() {
    let sandbox = sandbox("");
    let spec = fs::read_to_string(sandbox.path("small.toml")).expect("the spec");
    sandbox.write("small.toml", spec.replace("path:rows.csv", "path:d\\t.csv"));
    let output = sandbox.taper(&["plan", "small.toml"]);
    let said = text(&output.stderr);
    assert!(said.contains("data.source: d\\t.csv does not exist"), "{said}");
    assert!(said.contains("in double quotes, \\t is a tab") && said.contains("in single quotes, or with /"), "{said}");
}
