//! Several labels of a text in the results of `taper predict`: tables of them can be read back, whatever the labels contain.

use std::{collections::BTreeSet, sync::Arc};

use parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::writer::SerializedFileWriter,
    schema::parser::parse_message_type,
};
use serde_json::{Value, json};

use crate::support::{Sandbox, tiny_spec};

const SPEC: &str = tiny_spec!(
    "several",
    r#"problem_type = "multi_label_classification"
label_column = "tags"
test = 0.25
max_length = 16
[train]
max_steps = 30
batch_size = 4
lr = 1e-2
"#
);

/// The labels of each row, in turn: one of them has the usual separator in it.
const TAGS: [&[&str]; 4] = [&["a|b", "c"], &["a|b", "c"], &["a|b", "a", "c"], &[]];

/// A folder with the run `several` of such rows, whose tags are written so, and these settings.
fn trained(tags: impl Fn(&[&str]) -> Value, settings: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    let row = |i: usize| json!({"review": format!("味道第{i}次点"), "tags": tags(TAGS[i % 4])}).to_string() + "\n";
    sandbox.write("rows.jsonl", (0..24).map(row).collect::<String>());
    sandbox.write("several.toml", SPEC);
    let all = ["data.source=path:rows.jsonl"].iter().chain(settings);
    let set: Vec<&str> = all.flat_map(|set| ["--set", *set]).collect();
    sandbox.ok(&[&["run", "several.toml", "--quiet"][..], &set].concat());
    sandbox
}

/// Each row's labels in a table of results, as JSON; and the labels in JSON Lines.
fn predicted(sandbox: &Sandbox, column: &str) -> (Vec<String>, Vec<BTreeSet<String>>) {
    sandbox.ok(&["predict", "several", "--file", "rows.jsonl", "--out", "o.csv"]);
    let mut reader = csv::Reader::from_path(sandbox.path("o.csv")).expect("CSV");
    let at = reader.headers().expect("a header").iter().position(|name| name == column).expect("the column");
    let cells = reader.records().map(|row| row.expect("a row")[at].to_owned()).collect();
    let lines = sandbox.ok(&["predict", "several", "--file", "rows.jsonl", "--json"]);
    let set = |line: &str| {
        let line: Value = serde_json::from_str(line).expect("JSON");
        line["labels"].as_array().expect("labels").iter().map(|label| label.as_str().expect("a label").into()).collect()
    };
    (cells, lines.lines().map(set).collect())
}

/// The predictions, read back as the truth, are right; and they have the label that contains the separator.
fn assert_read_back(sandbox: &Sandbox, named: &str) {
    let (cells, sets) = predicted(sandbox, "labels");
    for (cell, set) in cells.iter().zip(&sets) {
        let list: BTreeSet<String> = serde_json::from_str(cell).expect("a JSON list");
        assert_eq!(list, *set);
    }
    assert!(sets.len() == 24 && sets.iter().any(|set| set.contains(named)), "{sets:?}");
    let eval = ["eval", "several", "--file", "o.csv", "--text-column", "text", "--label-column", "labels"];
    let measured = sandbox.json(&eval)["metrics"].clone();
    assert_eq!((&measured["rows"], &measured["subset_accuracy"]), (&json!(24), &json!(1.0)));
    let predict =
        ["predict", "several", "--file", "o.csv", "--text-column", "text", "--labels", "labels", "--out", "p.csv"];
    assert_eq!(sandbox.json(&predict)["evaluation"]["metrics"]["subset_accuracy"], 1.0);
}

#[test]
fn lists_are_json_where_no_separator_is_set() {
    let sandbox = trained(|tags| json!(tags), &[]);
    assert_read_back(&sandbox, "a|b");
}

#[test]
fn lists_are_json_where_a_name_contains_the_separator() {
    let joined = |tags: &[&str]| json!(tags.iter().map(|tag| tag.replace("a|b", "ab")).collect::<Vec<_>>().join("|"));
    let names = "data.labels={ab=\"a|b\", a=\"a\", c=\"c\"}";
    let sandbox = trained(joined, &["data.label_separator=|", names]);
    assert_read_back(&sandbox, "a|b");
}

#[test]
fn labels_are_joined_where_the_separator_tells_them_apart() {
    let joined = |tags: &[&str]| json!(tags.iter().map(|tag| tag.replace("a|b", "ab")).collect::<Vec<_>>().join("|"));
    let sandbox = trained(joined, &["data.label_separator=|"]);
    let (cells, sets) = predicted(&sandbox, "labels");
    let split = |cell: &String| cell.split('|').filter(|label| !label.is_empty()).map(String::from).collect();
    assert_eq!(cells.iter().map(split).collect::<Vec<BTreeSet<String>>>(), sets);
    assert!(sets.iter().any(|set| set.len() > 1), "{sets:?}");
}

/// A Parquet file with the columns `review` and `tags`, a list of texts, and `count`.
fn parquet(rows: &[(&str, &[&str], i64)]) -> Vec<u8> {
    let schema = "message rows { required binary review (UTF8); required group tags (LIST) { repeated group list { required binary \
                  element (UTF8); } } required int64 count; }";
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(schema).expect("a schema"));
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).expect("a file");
    let mut group = writer.next_row_group().expect("rows");
    let mut column = group.next_column().expect("a column").expect("a column");
    let texts: Vec<ByteArray> = rows.iter().map(|row| row.0.into()).collect();
    column.typed::<ByteArrayType>().write_batch(&texts, None, None).expect("texts");
    column.close().expect("a column");
    let mut column = group.next_column().expect("a column").expect("a column");
    let tags: Vec<ByteArray> = rows.iter().flat_map(|row| row.1.iter().map(|tag| ByteArray::from(*tag))).collect();
    let (mut present, mut repeated) = (Vec::new(), Vec::new());
    for (_, tags, _) in rows {
        present.extend(vec![i16::from(!tags.is_empty()); tags.len().max(1)]);
        repeated.extend((0..tags.len().max(1)).map(|at| i16::from(at > 0)));
    }
    column.typed::<ByteArrayType>().write_batch(&tags, Some(&present), Some(&repeated)).expect("lists");
    column.close().expect("a column");
    let mut column = group.next_column().expect("a column").expect("a column");
    let counts: Vec<i64> = rows.iter().map(|row| row.2).collect();
    column.typed::<Int64Type>().write_batch(&counts, None, None).expect("numbers");
    column.close().expect("a column");
    group.close().expect("rows");
    writer.close().expect("a file");
    bytes
}

#[test]
fn lists_of_kept_columns_are_json() {
    let sandbox = trained(|tags| json!(tags), &[]);
    let tags: [&[&str]; 3] = [&["say \"x\"", "a\\b"], &[], &["c"]];
    let rows: Vec<(&str, &[&str], i64)> = tags.iter().map(|tags| ("味道很好", *tags, 7)).collect();
    sandbox.write("kept.parquet", parquet(&rows));
    let predict =
        |out: &str| sandbox.ok(&["predict", "several", "--file", "kept.parquet", "--keep-columns", "--out", out]);
    predict("k.csv");
    let mut reader = csv::Reader::from_path(sandbox.path("k.csv")).expect("CSV");
    let found: Vec<Vec<String>> =
        reader.records().map(|row| serde_json::from_str(&row.expect("a row")[1]).expect("a JSON list")).collect();
    assert_eq!(found, tags);
    predict("k.jsonl");
    let lines = std::fs::read_to_string(sandbox.path("k.jsonl")).expect("a file");
    let found: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(found.iter().map(|line| line["tags"].clone()).collect::<Vec<_>>(), tags.map(|tags| json!(tags)));
    assert_eq!(found[0]["count"], 7);
}
