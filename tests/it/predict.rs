//! `taper predict` and `taper eval` on files of every layout and on standard input, also larger than what is looked at together; and
//! rows that only their tokens show to be bad.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Command, Output, Stdio},
};

use crate::support::{Sandbox, tiny_spec};

pub const SPEC: &str = tiny_spec!(
    "small",
    r#"test = 0.2
max_length = 32
[train]
max_steps = 2
batch_size = 4
lr = 1e-3
"#
);

/// A folder with a spec, its rows and a run of it, whose model is in `model` too.
pub fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    let rows: String = (0..20).map(|i| format!("1,味道很好 第{i}次点\n0,难吃 {i}小时 差评\n")).collect();
    sandbox.write("rows.csv", format!("label,review\n{rows}"));
    sandbox.write("small.toml", SPEC);
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox.ok(&["export", "small", "model"]);
    sandbox
}

/// Rows of many lengths, more than one window: results are in order, and each as if it were alone.
#[test]
fn a_large_file_comes_back_in_its_order() {
    let sandbox = trained();
    let text = |i: usize| format!("{} 第{i}次，{}", "味道很好".repeat(i % 7), "送得慢".repeat(i * i % 5));
    let rows: String = (0..2500).map(|i| format!("\"{}\"\n", text(i))).collect();
    sandbox.write("large.csv", format!("review\n{rows}"));
    let csv = sandbox.ok(&["predict", "small", "--file", "large.csv"]);
    let mut lines = csv::Reader::from_reader(csv.as_bytes());
    let records: Vec<csv::StringRecord> = lines.records().collect::<Result<_, _>>().expect("CSV");
    assert_eq!(records.len(), 2500);
    for (i, record) in records.iter().enumerate() {
        assert_eq!((&record[0], &record[3]), ((i + 2).to_string().as_str(), text(i).as_str()));
    }
    for i in [0, 1023, 1024, 2499] {
        let alone = sandbox.ok(&["predict", "small", &text(i), "--json"]);
        let alone: serde_json::Value = serde_json::from_str(&alone).expect("JSON");
        let (confidence, stored) = (alone[0]["confidence"].as_f64().expect("a number"), &records[i][2]);
        assert_eq!(alone[0]["label"], records[i][1]);
        assert!(
            (confidence - stored.parse::<f64>().expect("a number")).abs() < 1e-4,
            "row {i}: {confidence}, {stored}"
        );
    }
    let json = sandbox.ok(&["predict", "small", "--file", "large.csv", "--json"]);
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["line"].as_u64();
    assert!(json.lines().map(line).eq((2..2502).map(Some)));
}

/// The confidence is one of the probabilities, digit for digit.
#[test]
fn the_numbers_of_an_answer_have_one_precision() {
    let sandbox = trained();
    sandbox.write("one.csv", "review\n味道很好\n");
    for arguments in [&["predict", "small", "味道很好"][..], &["predict", "small", "--file", "one.csv"]] {
        let json = sandbox.ok(&[arguments, &["--json"]].concat());
        let after = |name: &str| {
            let (_, rest) = json.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("{json}"));
            rest.trim_start().split([',', '}', '\n']).next().expect("a number").to_owned()
        };
        let (confidence, all) = (after("confidence"), [after("0"), after("1")]);
        assert!(all.contains(&confidence), "{json}");
        assert!(all.iter().all(|p| p.parse::<f32>().expect("a number").to_string() == *p), "{json}");
    }
}

#[test]
fn a_sweep_that_kept_no_model_says_so_and_what_to_do() {
    let sandbox = trained();
    sandbox.write(
        "none.toml",
        SPEC.replace("\"small\"", "\"none\"") + "[checkpoint]\nkeep = \"none\"\n[sweep]\nseeds = [1, 2]\n",
    );
    sandbox.ok(&["run", "none.toml", "--quiet"]);
    for arguments in
        [&["export", "none", "exported"][..], &["predict", "none", "好"], &["eval", "none", "--file", "rows.csv"]]
    {
        let (code, said) = sandbox.says(arguments);
        assert!(
            code == 2 && said.contains("none of the 2 runs that `none` names kept a model"),
            "{arguments:?}: {said}"
        );
        assert!(said.contains("`--set checkpoint.keep=best`") && !said.contains("best run"), "{said}");
    }
    sandbox.ok(&["run", "none.toml", "--quiet", "--set", "checkpoint.keep=last"]);
    // Now there are two models to choose from.
    let (code, said) = sandbox.says(&["predict", "none", "好"]);
    assert!(code == 2 && said.contains("`none` matches 2 runs; give the key of one of them"), "{said}");
    assert!(!said.contains("(experiment none)"), "{said}");
}

/// A text that is longer than the run's texts is cut, and that is said, once for all of them.
#[test]
fn texts_that_are_cut_are_counted() {
    let sandbox = trained();
    let long = "好".repeat(2000);
    sandbox.write("some.csv", format!("id,review,label\n1,{long},1\n2,慢,0\n3,{long},1\n"));
    let says = |arguments: &[&str]| {
        let output = sandbox.taper(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let one = "note: 1 text is longer than 32 tokens (the run's data.max_length) and was cut";
    let two = "note: 2 texts are longer than 32 tokens (the run's data.max_length) and were cut";
    for (arguments, expected) in [
        (&["predict", "small", &long, "慢"][..], one),
        (&["predict", "small", "--file", "some.csv"], two),
        (&["eval", "small", "--file", "some.csv"], two),
    ] {
        let said = says(arguments);
        assert!(said.contains(expected), "{said}");
    }
    for arguments in [&["predict", "small", "好"][..], &["predict", "small", &long, "-q"]] {
        assert!(!says(arguments).contains("cut"));
    }
}

#[test]
fn a_reader_can_close_the_output_early() {
    let sandbox = trained();
    sandbox.write("large.csv", format!("review\n{}", "味道很好\n".repeat(20_000)));
    let arguments = ["predict", "small", "--file", "large.csv"];
    let mut child =
        sandbox.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut first).expect("a line");
    let output = child.wait_with_output().expect("its end");
    assert_eq!(first, "line,label,confidence,text\n");
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A tokenizer with more tokens than the model is refused where a row has one of them, before anything begins; and so is
/// a text that a tokenizer of another kind cannot take.
#[test]
fn what_only_tokens_show_is_reported_before_training() {
    let sandbox = trained();
    let folder = ["--set", "model.source=path:model", "--set", "data.source=path:odd.csv", "--runs", "odd"];
    let of = |command| [&[command, "small.toml"], &folder[..]].concat();
    let file = sandbox.path("model/tokenizer.json");
    let json = fs::read_to_string(&file).expect("the tokenizer");
    let mut tokenizer: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().expect("a vocabulary");
    let size = vocabulary.len();
    vocabulary.insert("龘".into(), size.into());
    sandbox.write("model/tokenizer.json", tokenizer.to_string());
    sandbox.write("odd.csv", "label,review\n1,很好\n0,难吃\n1,很好\n0,难吃\n1,快\n");
    sandbox.ok(&of("plan"));
    sandbox.write("odd.csv", "label,review\n1,很好\n0,难吃\n1,很好\n0,难吃龘\n1,快\n");
    for command in ["plan", "run"] {
        let output = sandbox.taper(&of(command));
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(&format!("token id {size}, but the model's vocabulary has {size}")), "{error}");
    }

    sandbox.write("model/tokenizer.json", json.replace(r#""unk_token": "[UNK]""#, r#""unk_token": "<?>""#));
    sandbox.write("model/tokenizer_config.json", r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#);
    let output = sandbox.taper(&of("run"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("cannot tokenise \"难吃龘\""), "{error}");
    assert!(!sandbox.path("odd").exists(), "something was begun");
}

/// Line and text of each row of predict's CSV.
fn rows(csv: &[u8]) -> Vec<(String, String)> {
    let records = csv::Reader::from_reader(csv).into_records().map(|record| record.expect("CSV"));
    records.map(|record| (record[0].to_string(), record[3].to_string())).collect()
}

#[test]
fn predict_reads_every_layout_and_standard_input() {
    let sandbox = trained();
    let texts = |lines: [u64; 3]| -> Vec<(String, String)> {
        lines.iter().zip(["好", "慢 ", "快"]).map(|(line, text)| (line.to_string(), text.to_string())).collect()
    };
    let csv = "review,x\n好,1\n慢 ,2\n快,3\n";
    let lines = "{\"review\": \"好\"}\n{\"review\": \"慢 \"}\n{\"review\": \"快\"}\n";
    for (name, text, options, at) in [
        ("a.csv", csv.to_string(), &[][..], [2, 3, 4]),
        ("a.txt", csv.to_string(), &[], [2, 3, 4]),
        ("b.txt", csv.replace(',', "\t"), &[], [2, 3, 4]),
        ("c.txt", csv.replace(',', ";"), &["--format", "csv", "--delimiter", ";"], [2, 3, 4]),
        ("lines.json", lines.to_string(), &[], [1, 2, 3]),
        ("array.json", format!("[{}]", lines.trim().replace('\n', ",\n")), &[], [1, 2, 3]),
        ("d.csv", csv.replace("好", "\"好").replace("快", "\"快"), &["--quoting", "none"], [2, 3, 4]),
    ] {
        sandbox.write(name, &text);
        let unquote = |rows: Vec<(String, String)>| -> Vec<(String, String)> {
            rows.into_iter().map(|(line, text)| (line, text.replace('"', ""))).collect()
        };
        let found = sandbox.taper(&[&["predict", "small", "--file", name], options].concat());
        assert!(found.status.success(), "{name}: {}", String::from_utf8_lossy(&found.stderr));
        assert_eq!(unquote(rows(&found.stdout)), texts(at), "{name}");
        for input in ["-", "/dev/stdin"] {
            let found = sandbox.fed(&[&["predict", "small", "--file", input], options].concat(), &text);
            assert!(found.status.success(), "{name}: {}", String::from_utf8_lossy(&found.stderr));
            assert_eq!(unquote(rows(&found.stdout)), texts(at), "{name} on {input}");
        }
    }
    // The path that a shell passes for `<(COMMAND)`.
    let shell = format!("{} predict small --file <(cat a.csv)", env!("CARGO_BIN_EXE_taper"));
    let found = Command::new("bash").args(["-c", &shell]).current_dir(sandbox.root()).output().expect("bash starts");
    assert_eq!(rows(&found.stdout), texts([2, 3, 4]), "{}", String::from_utf8_lossy(&found.stderr));
    let found = sandbox.fed(&["predict", "small", "-"], "好\n慢 \n快");
    assert_eq!(rows(&found.stdout), texts([1, 2, 3]));
    let found = sandbox.fed(&["predict", "small", "-", "--json"], "好\n\n");
    let line = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["text"].to_string();
    assert_eq!(String::from_utf8_lossy(&found.stdout).lines().map(line).collect::<Vec<_>>(), ["\"好\"", "\"\""]);
}

/// A row without a text has no label, whatever the format; one without the field is an error, as a column that is not there is.
#[test]
fn rows_without_a_text_get_no_label() {
    let sandbox = trained();
    let csv = "review,x\n好,1\n,2\n\" \t\",3\n慢,4\n";
    let lines = "{\"review\":\"好\"}\n{\"review\":null}\n{\"review\":\" \\u200b\"}\n{\"review\":\"慢\"}\n";
    let warns = |output: &Output, at: &str| {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(said.contains(&format!("warning: 2 rows without a text (lines {at}): they have no label")), "{said}");
    };
    let labels = |csv: &[u8]| -> Vec<(String, String)> {
        let records = csv::Reader::from_reader(csv).into_records().map(|record| record.expect("CSV"));
        records.map(|record| (record[1].to_string(), record[2].to_string())).collect()
    };
    for (name, text, at) in [
        ("e.csv", csv.to_string(), "3 and 4"),
        ("e.jsonl", lines.to_string(), "2 and 3"),
        ("e.json", format!("[{}]", lines.trim().replace('\n', ",\n")), "2 and 3"),
    ] {
        sandbox.write(name, &text);
        let format = name.split_once('.').expect("an ending").1;
        let arguments = ["predict", "small", "--file", "-", "--format", format];
        for output in [sandbox.taper(&["predict", "small", "--file", name]), sandbox.fed(&arguments, &text)] {
            warns(&output, at);
            let found = labels(&output.stdout);
            let empty = (String::new(), String::new());
            assert!(found.len() == 4 && found[1] == empty && found[2] == empty, "{name}: {found:?}");
            assert!(!found[0].0.is_empty() && !found[3].0.is_empty(), "{name}: {found:?}");
        }
        let output = sandbox.taper(&["predict", "small", "--file", name, "--json"]);
        warns(&output, at);
        let found: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect();
        for (row, is_blank) in found.iter().zip([false, true, true, false]) {
            let parts = ["label", "confidence", "probabilities"];
            assert!(parts.iter().all(|part| row[part].is_null() == is_blank), "{name}: {row}");
        }
    }
    let output = sandbox.fed(&["predict", "small", "-"], "好\n\n   \n慢\n");
    warns(&output, "2 and 3");
    assert_eq!(labels(&output.stdout).iter().filter(|(label, _)| label.is_empty()).count(), 2);
    let output = sandbox.fed(&["predict", "small", "-"], "\n");
    assert!(output.status.success() && labels(&output.stdout).len() == 1, "nothing but a blank line");
    for text in ["", " ", "\u{200b}"] {
        let output = sandbox.taper(&["predict", "small", "好", text]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains("text 2 is empty"), "{error}");
    }

    sandbox.write("miss.jsonl", "{\"review\":\"好\"}\n{\"reveiw\":\"慢\",\"id\":3}\n");
    sandbox.write("none.json", "{\"a\":1}");
    sandbox.write("misses.json", "[{\"review\":\"好\"},\n{\"text\":\"慢\"}]");
    for (name, want) in [
        (
            "miss.jsonl",
            "line 2: no field `review`, which the run's spec names; fields found: reveiw, id; did you mean `reveiw`?",
        ),
        ("none.json", "the first object has no field `review`, which the run's spec names; columns found: a"),
        ("misses.json", "line 2: no field `review`, which the run's spec names; fields found: text"),
    ] {
        let output = sandbox.taper(&["predict", "small", "--file", name]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(name) && error.contains(want), "{error}");
    }
}

#[test]
fn what_predict_cannot_read_is_an_error_in_its_own_terms() {
    let sandbox = trained();
    sandbox.write("x.csv", "a;Review\n1;好\n");
    sandbox.write("x.dat", "好 1\n");
    sandbox.write("x.gz", "\x1f\u{8b}");
    fs::write(sandbox.path("x.gz"), b"\x1f\x8b\x08\0").expect("a file");
    for (arguments, want) in [
        (&["--file", "nope.csv"][..], "error: nope.csv: there is no such file or folder"),
        (&["--file", "."], "error: .: it is a folder; expected a file"),
        (
            &["--file", "x.csv"],
            "error: x.csv: no column `review`, which the run's spec names; columns found: a;Review; the fields seem",
        ),
        (
            &["--file", "x.dat"],
            "error: x.dat: the format cannot be determined from the file's extension or its first line; set --format to",
        ),
        (&["--file", "x.gz"], "error: x.gz: the gzip file ends too early: it was truncated"),
        (&["--file", "x.csv", "--delimiter", "ab"], "error: invalid value 'ab' for '--delimiter"),
        (
            &["好", "--format", "csv"],
            "error: --text-column, --text-pair-column, --format, --encoding, --sheet, --delimiter and --quoting can \
             only be used with --file",
        ),
    ] {
        let output = sandbox.taper(&[&["predict", "small"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.starts_with(want) && !error.contains("data."), "{arguments:?}: {error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_spreadsheet_runs_nothing_of_what_predict_writes() {
    let sandbox = trained();
    sandbox.write("f.csv", "review\n=1+1\n\"@x\"\n-2\n好=1\n\"\t=2\"\n");
    let texts: Vec<String> =
        rows(sandbox.ok(&["predict", "small", "--file", "f.csv"]).as_bytes()).into_iter().map(|row| row.1).collect();
    assert_eq!(texts, ["'=1+1", "'@x", "-2", "好=1", "'\t=2"]);
    let json = sandbox.ok(&["predict", "small", "--file", "f.csv", "--json"]);
    assert!(json.lines().next().expect("a line").contains("\"text\":\"=1+1\""), "{json}");
}

/// The test rows of a run, evaluated again from a file, have the metrics stored for the run.
#[test]
fn eval_gives_the_metrics_of_the_run_on_its_own_test_rows() {
    let sandbox = trained();
    sandbox.ok(&["plan", "small.toml", "--order", "order.json"]);
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).expect("a file");
    let order: serde_json::Value = serde_json::from_str(&read("order.json")).expect("JSON");
    let file = order["file"].as_str().expect("a path").to_string();
    assert!(file.ends_with("rows.csv"), "{file}");
    let rows = read("rows.csv");
    let lines: Vec<&str> = rows.lines().collect();
    let line = |row: &serde_json::Value| {
        let line = order["lines"][row.as_u64().expect("a row") as usize].as_u64().expect("a line");
        lines[line as usize - 1]
    };
    let test: Vec<&str> = order["test"].as_array().expect("rows").iter().map(line).collect();
    assert_eq!(test.len(), 8);
    sandbox.write("test.csv", format!("label,review\n{}\n", test.join("\n")));
    let stored: serde_json::Value = serde_json::from_str(&sandbox.ok(&["show", "small", "--json"])).expect("JSON");
    let evals = stored["evaluations"].as_array().unwrap_or_else(|| panic!("{stored:#}"));
    let last = &evals.iter().rfind(|eval| eval["split"] == "test").expect("an evaluation")["metrics"];
    let found: serde_json::Value =
        serde_json::from_str(&sandbox.ok(&["eval", "small", "--file", "test.csv", "--json"])).expect("JSON");
    for key in ["accuracy", "macro_f1"] {
        assert_eq!(found["metrics"][key], last[key], "{key}");
    }
    let loss = |of: &serde_json::Value| of["loss"].as_f64().expect("a number");
    assert!((loss(&found["metrics"]) - loss(last)).abs() < 1e-6, "{found:#} {last:#}");
    assert_eq!(found["metrics"]["rows"], 8);
    let text = sandbox.ok(&["eval", "small", "--file", "test.csv"]);
    for part in ["rows      8 of test.csv", "accuracy  ", "(95% interval ", "macro-F1  ", "loss      ", "PRECISION"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn eval_warns_of_rows_that_the_run_was_trained_on() {
    let sandbox = trained();
    let order: serde_json::Value = {
        sandbox.ok(&["plan", "small.toml", "--order", "order.json"]);
        serde_json::from_str(&fs::read_to_string(sandbox.path("order.json")).expect("a file")).expect("JSON")
    };
    let rows = fs::read_to_string(sandbox.path("rows.csv")).expect("rows");
    let lines: Vec<&str> = rows.lines().collect();
    let text = |row: &serde_json::Value| lines[1 + row.as_u64().expect("a row") as usize];
    let train = order["train"][0][0].as_u64().expect("a row") as usize;
    let held_out: Vec<&str> = order["test"].as_array().expect("rows").iter().map(text).collect();
    let warned = |file: &str, column: &[&str]| {
        let output = sandbox.taper(&[&["eval", "small", "--file", file], column].concat());
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let all = lines.len() - 1;
    let of_all = format!("warning: {} of the {all} rows (lines ", all - held_out.len());
    let said = warned("rows.csv", &[]);
    assert!(said.contains(&of_all) && said.contains("have a text that the run was trained on"), "{said}");
    sandbox.write("test.csv", format!("label,review\n{}\n", held_out.join("\n")));
    assert!(!warned("test.csv", &[]).contains("trained on"));
    // The same text in another column is the same text.
    let (label, review) = lines[1 + train].split_once(',').expect("two fields");
    sandbox.write("one.csv", format!("text,label\n{review},{label}\n没有见过,{label}\n"));
    let said = warned("one.csv", &["--text-column", "text"]);
    assert!(said.contains("warning: 1 of the 2 rows (line 2) has a text that the run was trained on"), "{said}");
    // Where the data is not what the run was trained on, nothing is known.
    sandbox.write("rows.csv", format!("{rows}1,新的\n"));
    assert!(!warned("one.csv", &["--text-column", "text"]).contains("trained on"));
}

#[test]
fn eval_takes_other_columns_and_refuses_labels_that_the_model_does_not_know() {
    let sandbox = trained();
    sandbox.write("other.tsv", "stars\ttext\n1\t好\n0\t慢\n\t快\n1\t\n");
    let arguments = ["eval", "small", "--file", "other.tsv", "--text-column", "text", "--label-column", "stars"];
    let text = sandbox.ok(&arguments);
    assert!(
        text.contains(
            "rows      2 of other.tsv; 1 without a text left out (line 5); 1 without a label left out (line 4)"
        ),
        "{text}"
    );
    let found = sandbox.fed(&["eval", "small", "--file", "-", "--format", "csv"], "label,review\n1,好\n1,快\n");
    assert!(found.status.success(), "{}", String::from_utf8_lossy(&found.stderr));
    sandbox.write("odd.csv", "label,review\n1,好\n2,慢\n0,慢\n2,慢\n");
    let output = sandbox.taper(&["eval", "small", "--file", "odd.csv"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error.contains(
            "2 rows cannot be used\n  lines 3 and 5: label `2` (column `label`) is not a label of the model, whose \
             labels are `0`, `1`"
        ),
        "{error}"
    );
    // predict says that there is something to be measured.
    let output = sandbox.taper(&["predict", "small", "--file", "odd.csv"]);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.starts_with("note: odd.csv has a column `label`: to score predictions, run `taper eval ")
            && said.contains(" --file odd.csv`"),
        "{said}"
    );
}

#[test]
fn columns_that_an_option_names_and_those_of_the_run_are_called_so() {
    let sandbox = trained();
    sandbox.write("other.csv", "text,stars\n好,1\n");
    for (arguments, want) in [
        (&["eval", "small", "--file", "other.csv"][..], "no column `review`, which the run's spec names"),
        (
            &["eval", "small", "--file", "other.csv", "--text-column", "texts"],
            "no column `texts`, which --text-column names",
        ),
        (
            &["eval", "small", "--file", "other.csv", "--text-column", "text"],
            "no column `label`, which the run's spec names",
        ),
        (
            &["eval", "small", "--file", "other.csv", "--text-column", "text", "--label-column", "star"],
            "no column `star`, which --label-column names",
        ),
        (
            &["predict", "small", "--file", "other.csv", "--text-column", "texts"],
            "no column `texts`, which --text-column names",
        ),
    ] {
        let output = sandbox.taper(arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && error.contains(want), "{arguments:?}: {error}");
    }
}

/// What came through a pipe is spent: the note names no file that there is not.
#[test]
fn labelled_rows_on_standard_input_are_reported_without_a_file() {
    let sandbox = trained();
    let said = |input: &str, arguments: &[&str]| {
        let output = sandbox.fed(arguments, input);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let predict = ["predict", "small", "--file", "-"];
    let note = said("review,label\n好吃,1\n难吃,0\n", &predict);
    assert!(note.starts_with("note: the input has a column `label`: to score predictions, run `taper eval "), "{note}");
    assert!(note.contains("--file FILE` on a file of these rows"), "{note}");
    assert_eq!(said("review\n好吃\n", &predict), "", "there are no labels");
    let quiet = said("review,label\n好吃,1\n", &["predict", "small", "--file", "-", "--quiet"]);
    assert_eq!(quiet, "");
}

#[test]
fn rows_that_a_quote_has_swallowed_are_reported_after_predicting() {
    let sandbox = trained();
    let rows: String = (0..10).map(|i| format!("{}{i}\tx\n", if i == 1 || i == 5 { "\"好" } else { "慢" })).collect();
    sandbox.write("q.tsv", format!("review\tid\n{rows}"));
    let output = sandbox.taper(&["predict", "small", "--file", "q.tsv"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("warning: the quoted field on line 3 contains") && said.contains("set --quoting none"),
        "{said}"
    );
    let output = sandbox.taper(&["predict", "small", "--file", "q.tsv", "--quoting", "none"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A text with a token that the model has no row for: named, after the rows before it.
#[test]
fn a_text_whose_tokens_the_model_does_not_have_is_refused_by_name() {
    let sandbox = trained();
    let vocab = fs::read_to_string(sandbox.path("model/vocab.txt")).expect("a vocabulary");
    let size = vocab.lines().count();
    fs::remove_file(sandbox.path("model/tokenizer.json")).expect("a file");
    sandbox.write("model/vocab.txt", format!("{vocab}龘\n"));
    sandbox.write("wider.toml", SPEC.replace("\"small\"", "\"wider\"").replace("scratch:tiny", "path:model"));
    let output = sandbox.taper(&["run", "wider.toml"]);
    let error = String::from_utf8_lossy(&output.stderr);
    let sizes = format!("the tokenizer has {} token ids, but the model's vocabulary has {size}", size + 1);
    assert!(output.status.success() && error.contains("warning: ") && error.contains(&sizes), "{error}");

    sandbox.ok(&["predict", "wider", "很好"]);
    let words = format!("has the token `龘` with the id {size}, but the model's vocabulary has {size}");
    let refused = |arguments: &[&str], lines: usize| {
        let output = sandbox.taper(&[&["predict", "wider"], arguments].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        // 1 where rows are written, below the names of the columns.
        let code = if lines > 1 { 1 } else { 2 };
        assert!(output.status.code() == Some(code) && error.contains(&words), "{arguments:?}: {error}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), lines, "{arguments:?}");
        error
    };
    assert!(refused(&["很好", "难吃龘"], 0).contains("the text \"难吃龘\""));
    sandbox.write("p.csv", "review\n很快\n难吃\n很好龘\n漏了油\n");
    for arguments in [&["--file", "p.csv"][..], &["--file", "p.csv", "--json"]] {
        let lines = if arguments.len() > 2 { 2 } else { 3 };
        assert!(refused(arguments, lines).contains("line 4"));
    }
}

/// What the tokens of the rows say is said by `plan` of all rows and by `run` of the first.
#[test]
fn tokens_that_do_not_fit_the_texts_are_warned_about() {
    let sandbox = trained();
    let warnings = |command: &str, data: &str| {
        let set = format!("data.source=path:{data}");
        let arguments = [command, "small.toml", "--set", "model.source=path:model", "--set", &set, "--set", "name=w"];
        let output = sandbox.taper(&arguments);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{text}");
        text.lines().filter(|line| line.starts_with("warning: ")).collect::<Vec<_>>().join("\n")
    };
    let rows = |odd: &str, n: usize| {
        let rows: String = (0..10).map(|i| format!("1,味道很好 第{i}次点\n0,难吃 {i}小时 差评\n")).collect();
        format!("label,review\n{rows}{}", format!("1,{odd}\n").repeat(n))
    };
    sandbox.write("plain.csv", rows("很好", 1));
    assert_eq!(warnings("plan", "plain.csv").matches("tokens").count(), 0);
    sandbox.write("unknown.csv", rows("龘龘龘龘龘龘龘龘龘龘龘龘龘龘龘龘龘龘", 2));
    sandbox.write("nothing.csv", rows("\u{fffd}\u{e000}", 2));
    for command in ["plan", "run"] {
        let said = warnings(command, "unknown.csv");
        assert!(said.contains("of the tokens are [UNK]: ") && said.contains("of 22 rows"), "{said}");
        assert!(said.contains("22 and 23"), "{said}");
        let said = warnings(command, "nothing.csv");
        assert!(said.contains("2 rows are texts without a single token") && said.contains("lines 22 and 23"), "{said}");
    }
    // Unknown words far behind are found if all rows are checked; an empty row is always found.
    let many = |odd: &str| format!("{}{}", rows("很好", 3000), format!("0,{odd}\n").repeat(2000));
    sandbox.write("late.csv", many("龘龘龘龘"));
    assert!(warnings("plan", "late.csv").contains("of 5,020 rows have words that the vocabulary lacks"));
    assert!(!warnings("run", "late.csv").contains("[UNK]"));
    sandbox.write("early.csv", format!("label,review\n{}{}", "0,龘龘\n".repeat(500), "1,很好\n".repeat(3000)));
    assert!(warnings("run", "early.csv").contains("[UNK]: 500 of the first 2,000 rows"));

    // A vocabulary that was truncated.
    let vocab = fs::read_to_string(sandbox.path("model/vocab.txt")).expect("a vocabulary");
    let (all, some) = (vocab.lines().count(), vocab.lines().count() / 2);
    fs::remove_file(sandbox.path("model/tokenizer.json")).expect("a file");
    sandbox.write("model/vocab.txt", vocab.lines().take(some).map(|line| format!("{line}\n")).collect::<String>());
    let said = warnings("plan", "plain.csv");
    assert!(said.contains(&format!("the tokenizer has {some} token ids and the model's vocabulary {all}")), "{said}");
}
