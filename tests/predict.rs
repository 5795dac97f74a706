//! `taper predict --file` on files larger than what it looks at together, and rows that only their tokens show to be bad.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Command, Output, Stdio},
};

const SPEC: &str = r#"
name = "small"
[model]
source = "scratch:tiny"
[data]
source = "path:rows.csv"
text_column = "review"
test = 0.2
max_length = 32
[train]
max_steps = 2
batch_size = 4
lr = 1e-3
"#;

/// A folder with a spec, its rows and a run of it, whose model is in `model` too.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        let rows: String = (0..20).map(|i| format!("1,味道很好 第{i}次点\n0,难吃 {i}小时 差评\n")).collect();
        place.write("rows.csv", &format!("label,review\n{rows}"));
        place.write("small.toml", SPEC);
        place.ok(&["run", "small.toml", "--quiet"]);
        place.ok(&["export", "small", "model"]);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
        command.args(arguments).current_dir(self.0.path()).env_remove("TAPER_RUNS").stdin(Stdio::null());
        command
    }

    fn taper(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("taper starts")
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.taper(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }
}

/// Rows of many lengths, more than are looked at together: each comes at its place, as if it were alone.
#[test]
fn a_large_file_comes_back_in_its_order() {
    let place = Place::new();
    let text = |i: usize| format!("{} 第{i}次，{}", "味道很好".repeat(i % 7), "送得慢".repeat(i * i % 5));
    let rows: String = (0..2500).map(|i| format!("\"{}\"\n", text(i))).collect();
    place.write("large.csv", &format!("review\n{rows}"));
    let csv = place.ok(&["predict", "small", "--file", "large.csv"]);
    let mut lines = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = lines.records().collect::<Result<_, _>>().expect("CSV");
    assert_eq!(records.len(), 2500);
    for (i, record) in records.iter().enumerate() {
        assert_eq!((&record[0], &record[3]), ((i + 2).to_string().as_str(), text(i).as_str()));
    }
    for i in [0, 1023, 1024, 2499] {
        let alone = place.ok(&["predict", "small", &text(i), "--json"]);
        let alone: serde_json::Value = serde_json::from_str(&alone).expect("JSON");
        let (confidence, stored) = (alone[0]["confidence"].as_f64().expect("a number"), &records[i][2]);
        assert_eq!(alone[0]["label"], records[i][1]);
        assert!(
            (confidence - stored.parse::<f64>().expect("a number")).abs() < 1e-4,
            "row {i}: {confidence}, {stored}"
        );
    }
    let json = place.ok(&["predict", "small", "--file", "large.csv", "--json"]);
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["line"].as_u64();
    assert!(json.lines().map(line).eq((2..2502).map(Some)));
}

#[test]
fn a_bad_row_ends_it_after_the_rows_before() {
    let place = Place::new();
    place.write("bad.csv", "id,review\n1,好\n2,慢\n3\n4,好\n");
    let output = place.taper(&["predict", "small", "--file", "bad.csv"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("bad.csv") && error.contains("line 4: the row has 1 field, expected 2"), "{error}");
}

#[test]
fn who_has_read_enough_may_leave() {
    let place = Place::new();
    place.write("large.csv", &format!("review\n{}", "味道很好\n".repeat(20_000)));
    let arguments = ["predict", "small", "--file", "large.csv"];
    let mut child =
        place.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("a line");
    let output = child.wait_with_output().expect("its end");
    assert_eq!(first, "line,label,confidence,text\n");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A tokenizer with more tokens than the model is refused where a row has one of them, before anything begins; and so is
/// a text that a tokenizer of another kind cannot take.
#[test]
fn what_only_tokens_show_is_said_before_training() {
    let place = Place::new();
    let folder = ["--set", "model.source=path:model", "--set", "data.source=path:odd.csv", "--runs", "odd"];
    let of = |command| [&[command, "small.toml"], &folder[..]].concat();
    let file = place.path("model/tokenizer.json");
    let json = fs::read_to_string(&file).expect("the tokenizer");
    let mut tokenizer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().expect("a vocabulary");
    let size = vocabulary.len();
    vocabulary.insert("龘".into(), size.into());
    place.write("model/tokenizer.json", &tokenizer.to_string());
    place.write("odd.csv", "label,review\n1,很好\n0,难吃\n1,很好\n0,难吃\n1,快\n");
    place.ok(&of("plan"));
    place.write("odd.csv", "label,review\n1,很好\n0,难吃\n1,很好\n0,难吃龘\n1,快\n");
    for command in ["plan", "run"] {
        let output = place.taper(&of(command));
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("token id {size}, but the model's vocabulary has {size}")), "{error}");
    }

    place.write("model/tokenizer.json", &json.replace(r#""unk_token": "[UNK]""#, r#""unk_token": "<?>""#));
    let output = place.taper(&of("run"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("cannot tokenise \"难吃龘\""), "{error}");
    assert!(!place.path("odd").exists(), "something was begun");
}
