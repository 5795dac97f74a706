//! Rows that cannot be used, files that change, and Ctrl-C while rows are read.

use std::{
    fs,
    process::{Command, Stdio},
};

use crate::predict::trained;

#[test]
fn bad_rows_of_a_file_are_all_named_and_one_of_a_pipe_ends_it_after_the_rows_before() {
    let sandbox = trained();
    let bad = "id,review\n1,好\n2,慢\n3\n4,好\n5,好,坏\n6\n";
    // Of a file all bad rows are named before anything is classified, as when it is read for training.
    sandbox.write("bad.csv", bad);
    let output = sandbox.taper(&["predict", "small", "--file", "bad.csv"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && output.stdout.is_empty(), "{error}");
    assert!(error.starts_with("error: bad.csv: 3 rows cannot be used\n"), "{error}");
    assert!(
        error.contains("lines 4 and 7: the row has 1 field, expected 2")
            && error.contains("line 6: the row has 3 fields"),
        "{error}"
    );
    // A pipe cannot be read twice.
    let output = sandbox.fed(&["predict", "small", "--file", "-", "--format", "csv"], bad);
    // Something was written, and the code says that something is missing.
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("error: the output ends after 2 rows: "), "{error}");
    assert!(error.contains("line 4: the row has 1 field, expected 2"), "{error}");
    // Nothing was classified where the first row is bad.
    sandbox.write("bad.csv", "id,review\n3\n4,好\n");
    let output = sandbox.taper(&["predict", "small", "--file", "bad.csv"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("error: bad.csv") && error.contains("line 2: the row has 1 field"), "{error}");
}

#[test]
fn a_pipe_without_a_format_is_called_as_it_was_given() {
    let sandbox = trained();
    let output = sandbox.fed(&["predict", "small", "--file", "-"], "好吃\n");
    let error = String::from_utf8_lossy(&output.stderr);
    let want = "error: standard input (`-`): the format cannot be determined from its first line; set --format to csv, tsv, jsonl, json, \
                parquet or xlsx; if each line is a text, leave --file out: `taper predict small -` reads the lines of standard input";
    assert!(output.status.code() == Some(2) && error.contains(want), "{error}");
    sandbox.write("texts", "好吃\n");
    let output = sandbox.taper(&["predict", "small", "--file", "texts"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        error.contains(
            "texts: the format cannot be determined from the file's extension or its first line; set --format"
        ) && error.ends_with("; if each line is a text: `taper predict small - < texts`\n"),
        "{error}"
    );
}

/// A table with one column, which is not the wanted one, may be no table.
#[test]
fn lines_that_are_read_as_a_table_are_told_how_to_be_read() {
    let sandbox = trained();
    sandbox.write("my texts.csv", "好吃\n太慢\n");
    let says = |file: &str| sandbox.says(&["predict", "small", "--file", file]);
    let (code, said) = says("my texts.csv");
    let hint = "if each line is a text: `taper predict small - < 'my texts.csv'`";
    assert!(code == 2 && said.contains("no column `review`") && said.contains(hint), "{said}");
    // It does what it says.
    let output = sandbox.fed(&["predict", "small", "-"], "好吃\n太慢\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3, "{output:?}");
    // With several columns it is a table.
    sandbox.write("two.csv", "id,text\n1,好吃\n");
    let (code, said) = says("two.csv");
    assert!(code == 2 && said.contains("no column `review`") && !said.contains("each line"), "{said}");
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_command_that_reads_rows_at_once_and_says_so() {
    let sandbox = trained();
    let rows: String = (0..400_000).map(|i| format!("{},味道很好 第{i}次点\n", i % 2)).collect();
    sandbox.write("many.csv", format!("label,review\n{rows}"));
    let set = "data.source=path:many.csv";
    for (arguments, said) in [
        (&["plan", "small.toml", "--set", set][..], "stopped: the plan is not complete"),
        (&["run", "small.toml", "--set", set], "stopped: nothing was trained"),
        (&["eval", "small", "--file", "many.csv"], "stopped: nothing was measured"),
    ] {
        let mut command = sandbox.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
        let begin = std::time::Instant::now();
        // The mask of signals that are caught: bit 1 is SIGINT.
        let catches = || {
            let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
            let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default();
            u64::from_str_radix(mask.trim(), 16).unwrap_or(0) & 2 != 0
        };
        while !catches() {
            assert!(begin.elapsed().as_secs() < 60, "{arguments:?}");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
        let output = child.wait_with_output().expect("its end");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(130) && error.contains(said), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

/// What is wrong with --out is said before the rows are checked, which can take minutes.
#[test]
fn a_file_of_results_is_refused_before_the_rows_are_read() {
    let sandbox = trained();
    sandbox.write("bad.csv", "id,review\n1\n");
    let output = sandbox.taper(&["predict", "small", "--file", "bad.csv", "--out", "none/results.csv"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && error.contains("--out cannot write none/results.csv"), "{error}");
    // A file that was begun does not stay if the rows cannot be used.
    let output = sandbox.taper(&["predict", "small", "--file", "bad.csv", "--out", "results.csv"]);
    assert_eq!(output.status.code(), Some(2));
    let names = fs::read_dir(sandbox.path("")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().contains("taper-predict")).collect();
    assert!(left.is_empty() && !sandbox.path("results.csv").exists(), "{left:?}");
}

/// A file is read twice: what is classified must be what was checked.
#[cfg(target_os = "linux")]
#[test]
fn a_file_that_changes_between_its_readings_is_refused() {
    let sandbox = trained();
    // What the system says of the process that reads it: its memory grows with the model.
    let arguments = ["predict", "small", "--file", "/proc/self/status", "--format", "csv", "--delimiter", ";"];
    let output = sandbox.taper(&[&arguments[..], &["--text-column", "Name:\ttaper", "--out", "results.csv"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.contains("changed while it was read"), "{error}");
    assert!(!sandbox.path("results.csv").exists());
}

/// Spark writes a quotation mark in a field as `\"`. Read as CSV (and by pandas without `escapechar`) the text is mangled.
#[test]
fn quoted_fields_that_go_on_after_their_closing_quote_are_named() {
    let sandbox = trained();
    let rows = |text: fn(usize) -> String| (0..40).map(|i| format!("{},{}\n", text(i), i % 2)).collect::<String>();
    let spark = rows(|i| format!("\"他说 \\\"很好{i}\\\" 然后走了\""));
    sandbox.write("spark.csv", format!("review,label\n{spark}"));
    let right = rows(|i| format!("\"他说 \"\"很好{i}\"\", C:\\\""));
    sandbox.write("right.csv", format!("review,label\n{right}"));
    let said = |file: &str, command: &str| {
        let source = format!("data.source=path:{file}");
        let output = match command {
            "plan" | "run" => sandbox.taper(&[command, "small.toml", "--set", &source, "--set", "name=other"]),
            _ => sandbox.taper(&[command, "small", "--file", file]),
        };
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).split_whitespace().collect::<Vec<_>>().join(" ");
        text(&output.stdout) + &text(&output.stderr)
    };
    for command in ["plan", "run", "predict", "eval"] {
        let found = said("spark.csv", command);
        assert!(found.contains("40 rows (lines 2, 3, 4"), "{command}: {found}");
        assert!(found.contains("have a quoted field that goes on after its closing quotation mark"), "{found}");
        assert!(!said("right.csv", command).contains("goes on after"), "{command}");
    }
    let planned = sandbox.json(&["plan", "small.toml", "--set", "data.source=path:spark.csv"]);
    let planned = planned.to_string();
    assert!(planned.contains("goes on after its closing quotation mark"), "{planned}");
    // With a comma in the field there is one field too many.
    sandbox.write("comma.csv", format!("review,label\n{spark}\"说 \\\"好\\\", 走了\",1\n"));
    let output = sandbox.taper(&["predict", "small", "--file", "comma.csv"]);
    let error = String::from_utf8_lossy(&output.stderr);
    let want =
        "line 42: the row has 3 fields, expected 2; a quoted field in it goes on after its closing quotation mark";
    assert!(output.status.code() == Some(2) && error.contains(want), "{error}");
    assert!(error.contains("escapechar=\"\\\\\""), "{error}");
}

/// An OLE container with the part `EncryptedPackage`, as Excel and WPS write a workbook with a password.
#[test]
fn a_workbook_with_a_password_is_called_so() {
    let sandbox = trained();
    let mut bytes = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1".to_vec();
    bytes.resize(2048, 0);
    sandbox.write("old.xlsx", &bytes);
    bytes.extend("EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes));
    bytes.resize(4096, 0);
    sandbox.write("locked.xlsx", &bytes);
    for (file, want) in [
        ("locked.xlsx", "it is an Office file that is protected with a password, which cannot be read: open it"),
        ("old.xlsx", "it is a file of an old Office program (.xls or .doc)"),
    ] {
        let output = sandbox.taper(&["predict", "small", "--file", file]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(want), "{error}");
    }
}
