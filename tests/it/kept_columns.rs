//! `taper predict --keep-columns` of workbooks and Parquet files, against what pandas, pyarrow and openpyxl read there
//! (tests/fixtures/kept/make.py).

use std::{collections::BTreeMap, fs, path::PathBuf};

use serde_json::Value;

use crate::{predict::trained, support::Sandbox};

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kept").join(name)
}

fn want(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(fixture(name)).expect("a fixture")).expect("JSON")
}

/// The rows that `predict` writes of a fixture, by the names of their columns.
fn kept(sandbox: &Sandbox, name: &str, more: &[&str]) -> Vec<BTreeMap<String, String>> {
    let file = fixture(name).display().to_string();
    let options = ["predict", "small", "--quiet", "--keep-columns", "--text-column", "text", "--file", &file];
    let csv = sandbox.ok(&[&options, more].concat());
    csv::Reader::from_reader(csv.as_bytes()).deserialize().map(|row| row.expect("a row")).collect()
}

fn check(name: &str, found: &[BTreeMap<String, String>], want: &Value) {
    let want = want.as_array().expect("rows");
    assert_eq!(found.len(), want.len(), "{name}");
    for (row, (found, want)) in found.iter().zip(want).enumerate() {
        for (column, value) in want.as_object().expect("columns") {
            assert_eq!(found[column], value.as_str().expect("a text"), "{name}, row {row}, column {column}");
        }
    }
}

#[test]
fn values_of_each_kind_are_those_of_other_programs() {
    let sandbox = trained();
    let kinds = want("kinds.json");
    check("kinds", &kept(&sandbox, "kinds.parquet", &[]), &kinds["kinds"]);
    check("int96", &kept(&sandbox, "int96.parquet", &[]), &kinds["int96"]);
    let numbers = want("numbers.json");
    check("numbers", &kept(&sandbox, "numbers.xlsx", &[]), &numbers);

    // JSON has numbers for numbers, and texts for what its readers would round or not know.
    let file = fixture("kinds.parquet").display().to_string();
    let options = ["predict", "small", "--keep-columns", "--text-column", "text", "--json", "--file", &file];
    let first = sandbox.ok(&options);
    let first: Value = serde_json::from_str(first.lines().next().expect("a line")).expect("JSON");
    let of = |column: &str| &first[column];
    assert_eq!((of("d20"), of("us")), (&"12345678901234567890".into(), &"2024-02-29 01:02:03".into()));
    assert_eq!((of("u64"), of("f16"), of("none")), (&u64::MAX.into(), &0.5.into(), &Value::Null));
    assert_eq!(of("group"), &serde_json::json!({"d": "7", "at": "2024-02-29 13:05:07"}));
}
