//! Files of other layouts, and files that are something else.

use std::fs;

use taper::{
    data::{Dataset, Layout, Origin, Wording, read, read_labelled, stream_texts},
    plan::{DataConfig, Format, Quoting},
};

use crate::data::{config, file, labels};

fn texts(data: &Dataset) -> Vec<(u64, &str, &str)> {
    data.rows
        .iter()
        .map(|row| (row.line, row.text.as_str(), data.labels[row.target.ids()[0] as usize].as_str()))
        .collect()
}

fn with(name: &str, bytes: impl AsRef<[u8]>, config: &DataConfig) -> Result<Dataset, String> {
    let (dir, path) = file(name, bytes);
    read(&path, config).map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
}

fn refused(name: &str, bytes: impl AsRef<[u8]>) -> String {
    with(name, bytes, &config()).unwrap_err()
}

#[test]
fn any_character_can_separate_fields() {
    for (delimiter, name) in [
        (";", "a.csv"),
        ("|", "a.csv"),
        ("tab", "a.csv"),
        ("\u{1}", "a.csv"),
        (" ", "a.csv"),
        (",", "a.tsv"),
        (";", "a.txt"),
    ] {
        let config = DataConfig { delimiter: Some(delimiter.parse().unwrap()), ..config() };
        let sign = if delimiter == "tab" { "\t" } else { delimiter };
        let text = "label,review\n1,\"a,b\"\n0,c\n".replace(',', sign);
        let data = with(name, text, &config).unwrap();
        assert_eq!(texts(&data), [(2, format!("a{sign}b").as_str(), "1"), (3, "c", "0")], "{delimiter:?}");
    }
}

#[test]
fn a_separator_that_was_not_expected_is_named() {
    for (name, text, want) in [
        ("a.csv", "label;Review\n1;a, b\n", "; the fields seem to be separated by `;`: write data.delimiter = \";\""),
        ("a.csv", "label|Review\n1|a\n", "; the fields seem to be separated by `|`: write data.delimiter = \"|\""),
        (
            "a.csv",
            "label\tReview\n1\ta\n",
            "; the fields seem to be separated by a tab: write data.delimiter = \"tab\"",
        ),
        ("a.tsv", "label,Review\n1,a\n", "; the fields seem to be separated by `,`: write data.delimiter = \",\""),
        (
            "a.csv",
            "sep=;\nlabel;review\n",
            "; the first line is a separator hint for Excel: remove it, and write data.delimiter = \";\"",
        ),
        ("a.csv", "sep=,\nlabel,review\n", "; the first line is a separator hint for Excel: remove it"),
        ("a.tsv", "SEP=\t\nlabel\treview\n", "; the first line is a separator hint for Excel: remove it"),
        ("a.csv", "\"sep=,\"\nlabel,review\n", "; the first line is a separator hint for Excel: remove it"),
        (
            "a.csv",
            "0,菠菜没洗干净\n1,好\n",
            "; the first line looks like a row, not a header: add a line with the names of the columns above it",
        ),
        ("a.csv", "neg,It was slow. And so cold!\n1,a\n", "add a line with the names of the columns above it"),
    ] {
        let message = refused(name, text);
        assert!(message.ends_with(want), "{message}");
    }
}

#[test]
fn a_json_array_is_read_like_json_lines() {
    let array =
        "[\n  {\"review\": \"a]}\\\"\", \"label\": 1},\n  {\n    \"label\": 0.0,\n    \"review\": \"b\"\n  }\n]\n";
    for (name, format) in [("a.json", None), ("a.jsonl", None), ("a", None), ("a.txt", Some(Format::Json))] {
        let data = with(name, array, &DataConfig { format, ..config() }).unwrap();
        assert_eq!(texts(&data), [(2, "a]}\"", "1"), (3, "b", "0.0")], "{name}");
    }
    let lines = "{\"review\": \"a\", \"label\": 1}\n{\"review\": \"b\", \"label\": 0}\n";
    for name in ["a.json", "a.jsonl", "a", "a.data"] {
        assert_eq!(texts(&with(name, lines, &config()).unwrap()), [(1, "a", "1"), (2, "b", "0")], "{name}");
    }
    for (text, want) in [
        (
            "[{\"review\": \"a\", \"label\": 1}\n{\"review\": \"b\", \"label\": 0}]",
            "a.json:2: column 1: unexpected `{`; expected a comma or the `]` of the array",
        ),
        (
            "[{\"review\": \"a\",\n \"label\": 1,\n",
            "a.json:1: column 2: the file ends within the object that begins here",
        ),
        (
            "[{\"review\": \"a\", \"label\": 1},\n{\"review\": \"b\", \"label\": 0},\n]",
            "a.json:3: column 1: a comma before the `]` of the array: remove the comma",
        ),
        ("[[\"a\", 1]]", "a.json:1: column 2: unexpected `[`; expected an object of the array"),
    ] {
        assert_eq!(refused("a.json", text), want);
    }
    // Something wrong within an object is on its own line.
    let message = refused("a.json", "[\n{\"review\": \"a\",\n \"label\": x}\n]");
    assert!(message.starts_with("a.json: 1 row cannot be used\n  line 3: column 11: expected value"), "{message}");
    // Rows that are not at the top, and columns that are not rows.
    let nested =
        refused("a.json", "{\"data\": [{\"review\": \"a\", \"label\": 1}, {\"review\": \"b\", \"label\": 0}]}");
    assert!(
        nested.ends_with("; the rows are in its list `data`: write that list alone (jq '.[\"data\"]' FILE)"),
        "{nested}"
    );
    // What is named can be typed: jq reads JSON strings, and the shell what is in its quotes.
    let nested = refused("a.json", "{\"it's \\\"all\\\" \u{202e}\": [{\"review\": \"a\", \"label\": 1}]}");
    assert!(
        nested.ends_with(
            "; the rows are in its list `it's \"all\" \\u{202e}`: write that list alone (jq \
             '.[\"it'\\''s \\\"all\\\" \\u202e\"]' FILE)"
        ),
        "{nested}"
    );
    let nested = refused("a.jsonl", "{\"row\": {\"review\": \"a\", \"label\": 1}}\n");
    assert!(
        nested.ends_with("; its object `row` has one: write each row as an object with the field `review`"),
        "{nested}"
    );
    let columns = refused("a.json", "{\"review\": {\"0\": \"a\", \"1\": \"b\"}, \"label\": {\"0\": 1, \"1\": 0}}");
    assert!(columns.contains("in pandas, write it with orient=\"records\", lines=True"), "{columns}");
    // One cause is one line, wherever in their lines rows have it: the first at the end of its object.
    let twice = |text: &str| format!("{{\"review\": \"{text}\", \"label\": 1, \"label\": 0}}\n");
    let twice = refused("a.jsonl", ["a", "bb", "ccc"].map(twice).concat());
    assert_eq!(
        twice,
        "a.jsonl: 3 rows cannot be used\n  lines 1, 2 and 3: first at column 39: more than one field `label`: remove all but one of them"
    );
    let explicit = DataConfig { format: Some(Format::Jsonl), ..config() };
    assert!(with("a.json", array, &explicit).unwrap_err().contains("write data.format = \"json\""));
}

#[test]
fn numbers_are_labels_in_json_as_in_csv() {
    let csv = "label,review\n1,a\n0.5,b\n1.0,c\n-2.25,d\n";
    let json = "{\"label\": 1, \"review\": \"a\"}\n{\"label\": 0.5, \"review\": \"b\"}\n{\"label\": 1.0, \"review\": \"c\"}\n{\"label\": -2.25, \"review\": \"d\"}\n";
    let labels = |name, text| with(name, text, &config()).unwrap().labels;
    assert_eq!(labels("a.csv", csv), labels("a.jsonl", json));
    let large = "{\"label\": 1e300, \"review\": \"a\"}\n{\"label\": 0, \"review\": \"b\"}\n";
    assert!(
        refused("a.jsonl", large)
            .contains("`label` is the number 1e300, too large to be represented exactly; expected a string")
    );
}

#[test]
fn a_file_that_is_something_else_is_called_what_it_is() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    for (bytes, kind, help) in [
        (b"PAR1\x15\x04\x15\xff".as_slice(), "", "arquet"),
        (b"\x1f\x8b\x08\0\0", "the gzip file ends too early", "create or download it again"),
        (b"\x28\xb5\x2f\xfd\x04", "the Zstandard file ends too early", "create or download it again"),
        (b"BZh91AY&SY", "it is a bzip2 file (decompress it first: `bunzip2`), ", "expected CSV, TSV, JSON Lines"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
            "it is a file of an old Office program (.xls or .doc), ",
            "save it as .xlsx",
        ),
        (b"SQLite format 3\0\x10\0", "it is an SQLite database", "sqlite3 -header -csv"),
        (b"<!DOCTYPE html>\n<html><body>log in", "it is an HTML page", "expected CSV"),
        (lfs, "it is a Git LFS pointer (the file itself was not downloaded: run `git lfs pull`)", "expected CSV"),
    ] {
        for name in ["a.csv", "a.tsv", "a.jsonl", "a.json", "a", "a.csv.gz"] {
            let message = refused(name, bytes);
            assert!(message.starts_with(&format!("{name}: {kind}")) && message.contains(help), "{message}");
            assert!(!message.contains("GB18030"), "{message}");
        }
    }
    assert_eq!(
        refused("a.csv", "[{\"review\": \"a\", \"label\": 1}]"),
        "a.csv: it is JSON, which data.format = \"jsonl\" (one object per line) or data.format = \"json\" (one array) reads"
    );
    // A table is one, whatever the first bytes of its header are.
    assert!(with("a.csv", "BZh,label,review\n,1,a\n,0,b\n", &config()).is_ok());
}

#[test]
fn settings_of_other_layouts_are_refused() {
    let lines = "{\"review\": \"a\", \"label\": 1}\n";
    let unquoted = DataConfig { quoting: Quoting::None, ..config() };
    assert_eq!(
        with("a.jsonl", lines, &unquoted).unwrap_err(),
        "a.jsonl: data.quoting is only for CSV and TSV, but this file is read as jsonl; remove it, or set data.format"
    );
    let (_dir, path) = file("a.jsonl", lines);
    let layout = Layout { delimiter: Some(";".parse().unwrap()), wording: Wording::Options, ..Layout::default() };
    let error = stream_texts(&Origin::File(path), &layout, "review").err().unwrap().to_string();
    assert!(error.contains("--delimiter is only for CSV and TSV") && error.ends_with("set --format"), "{error}");
}

#[test]
fn a_command_names_its_own_options() {
    let options = Layout { wording: Wording::Options, ..Layout::default() };
    let says = |name: &str, text: &str| {
        let (_dir, path) = file(name, text);
        match stream_texts(&Origin::File(path), &options, "review") {
            Err(error) => error.to_string(),
            Ok(mut texts) => texts.find_map(Result::err).unwrap().to_string(),
        }
    };
    for (name, text, want) in [
        ("a.txt", "x y\n", "set --format to csv, tsv, jsonl, json, parquet or xlsx"),
        (
            "a.csv",
            "x;Review\n",
            "no column `review`, which --text-column names; columns found: x;Review; the fields seem to be separated by `;`: write --delimiter ';'",
        ),
        ("a.csv", "x,review\n1,\"a\n2,b\n", "close it, or set --quoting none if"),
        ("a.jsonl", "{\"text\": \"a\"}\n", "the first object has no field `review`, which --text-column names"),
    ] {
        let message = says(name, text);
        assert!(message.contains(want) && !message.contains("data."), "{message}");
    }
}

#[test]
fn labelled_rows_of_one_class_can_be_measured() {
    let (_dir, path) = file("a.csv", "label,review\npos,a\n1,b\n,c\n");
    let values = labels(&[("1", "pos"), ("0", "neg"), ("pos", "pos"), ("neg", "neg")]);
    let options = Layout { wording: Wording::Options, ..Layout::default() };
    let origin = Origin::File(path);
    let data = read_labelled(&origin, &options, "review", "label", &values).unwrap();
    assert_eq!((data.rows.len(), data.cleaning.missing_label), (2, 1));
    assert!(data.rows.iter().all(|row| data.labels[row.target.ids()[0] as usize] == "pos"));
    let (_dir, path) = file("a.csv", "label,review\npos,a\nneutral,b\n0,c\nneutral,d\n");
    let error = read_labelled(&Origin::File(path), &options, "review", "label", &values).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "2 rows cannot be used\n  lines 3 and 5: label `neutral` (column `label`) is not a label of the model, \
             whose labels are `0`, `1`, `neg`, `pos`"
        ),
        "{error}"
    );
}

/// Sixteen MiB and a little: no text is that long.
fn too_long() -> String {
    "好".repeat((16 << 20) / 3 + 100)
}

#[test]
fn a_row_has_a_length_at_most() {
    let text = too_long();
    for (name, bytes, line) in [
        ("a.csv", format!("label,review\n1,a\n0,{text}\n1,b\n"), 3),
        ("a.csv", format!("label,review\n1,a\n0,\"{}\n", "b\n".repeat(9 << 20)), 3),
        ("a.csv", text.clone(), 1),
        ("a.jsonl", format!("{{\"review\": \"a\", \"label\": 1}}\n\n{{\"review\": \"{text}\", \"label\": 1}}\n"), 3),
        ("a.json", format!("[\n{{\"review\": \"{text}\", \"label\": 1}}]\n"), 2),
    ] {
        let message = refused(name, bytes);
        assert!(
            message.starts_with(&format!(
                "{name}:{line}: the row that begins here has more than 16.0 MiB, the limit for a row"
            )),
            "{}",
            &message[..message.len().min(200)]
        );
    }
    // Lines that a reader takes ahead are not counted for the row, and a long one is read.
    let long = "a".repeat(15 << 20);
    let data = with("a.csv", format!("label,review\n1,{long}\n{}", "0,b\n".repeat(200_000)), &config()).unwrap();
    assert_eq!((data.rows.len(), data.rows[0].text.len()), (200_001, 15 << 20));
}

#[cfg(unix)]
#[test]
fn only_regular_files_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("pipe.csv");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let folder = dir.path().join("folder.csv");
    fs::create_dir(&folder).unwrap();
    let says = |path: &std::path::Path| {
        let named = DataConfig { format: Some(Format::Csv), ..config() };
        let error = read(path, &named).unwrap_err().to_string();
        error.split_once(": ").unwrap().1.to_owned()
    };
    assert!(says(&pipe).starts_with("it is a pipe; expected a regular file"), "{}", says(&pipe));
    assert_eq!(says(&folder), "it is a folder; expected a file");
    assert_eq!(says("/dev/zero".as_ref()), "it is a device; expected a regular file");
}
