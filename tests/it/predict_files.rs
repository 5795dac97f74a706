//! `taper predict --file` of every form, its results in files, beside the columns of the input, and measured in the same pass.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use serde_json::Value;
use taper::data::{self, Layout, Origin, Wanted};

use crate::{
    predict::SPEC,
    support::{Sandbox, python_with, text},
};

/// A folder with a run, `small`, whose columns are `review` and `label`.
fn trained() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("small.toml", SPEC);
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox
}

fn refused(output: &Output, want: &str) {
    let error = text(&output.stderr);
    assert!(output.status.code() == Some(2) && error.contains(want), "{want}: {error}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
}

/// Names of the columns, and the rows by name.
fn table(csv: &[u8]) -> (Vec<String>, Vec<BTreeMap<String, String>>) {
    let mut reader = csv::Reader::from_reader(csv);
    let names: Vec<String> = reader.headers().expect("a header").iter().map(String::from).collect();
    let row = |record: csv::StringRecord| names.iter().cloned().zip(record.iter().map(String::from)).collect();
    let rows = reader.records().map(|record| row(record.expect("CSV"))).collect();
    (names, rows)
}

fn lines(jsonl: &[u8]) -> Vec<Value> {
    text(jsonl).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Row by row the float32 probability of each label, in the order of the labels; none without a text.
type Probabilities = Vec<Option<[f32; 2]>>;

fn of_lines(lines: &[Value]) -> Probabilities {
    let number = |value: &Value| value.as_f64().map(|p| p as f32);
    let of = |line: &Value| Some([number(&line["probabilities"]["0"])?, number(&line["probabilities"]["1"])?]);
    lines.iter().map(of).collect()
}

fn of_table(rows: &[BTreeMap<String, String>]) -> Probabilities {
    let of = |row: &BTreeMap<String, String>| Some([row["p(0)"].parse().ok()?, row["p(1)"].parse().ok()?]);
    rows.iter().map(of).collect()
}

/// What `--json` prints for a file, which is what every other output is held against.
fn expected(sandbox: &Sandbox, arguments: &[&str]) -> Vec<Value> {
    lines(sandbox.ok(&[&["predict", "small", "--quiet", "--json"], arguments].concat()).as_bytes())
}

/// The files were written by other programs; each has the same eight rows, one of them without a text.
#[test]
fn every_form_gives_the_same_results() {
    let sandbox = trained();
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/forms");
    let of = |name: &str, more: &[&str]| {
        let file = forms.join(name);
        let file = file.to_str().expect("a path");
        expected(&sandbox, &[&["--file", file, "--text-column", "text"], more].concat())
    };
    let results = |lines: &[Value]| -> Vec<Value> {
        let without = |line: &Value| {
            let mut line = line.clone();
            line["line"].take();
            line
        };
        lines.iter().map(without).collect()
    };
    let want = results(&of("rows.csv", &[]));
    assert_eq!(want.len(), 8);
    assert_eq!(want.iter().filter(|line| line["label"].is_null()).count(), 1);
    let plain = [
        "bom.csv",
        "crlf.csv",
        "semicolon.csv",
        "pipe.csv",
        "tabs.csv",
        "rows.tsv",
        "gbk.csv",
        "utf16.csv",
        "utf16be.csv",
        "gzip.csv.gz",
        "rows.jsonl",
        "lines.jsonl.gz",
        "rows.json",
        "rows.xlsx",
        "rows.parquet",
    ];
    for name in plain {
        assert_eq!(results(&of(name, &[])), want, "{name}");
    }
    assert_eq!(results(&of("gbk.tsv.gz", &["--encoding", "gbk"])), want);
    let big5 = results(&of("big5.csv", &["--encoding", "big5"]));
    assert!(big5.len() == 8 && big5[0]["text"] == "味道很好，下次還來", "{}", big5[0]["text"]);
    let rows = fs::read(forms.join("rows.csv")).expect("a file");
    sandbox.write("rows.csv.zst", zstd::encode_all(&rows[..], 3).expect("Zstandard"));
    assert_eq!(results(&expected(&sandbox, &["--file", "rows.csv.zst", "--text-column", "text"])), want);
    let other = of("rows.xlsx", &["--sheet", "评论"]);
    assert_eq!(results(&other), want);
}

const REVIEWS: &str = "id,review,label,note\n007,味道很好,1,=1+1\n8,,0,空\n9,\"送得慢\n差评\",0,-3.50\n";

#[test]
fn results_are_written_to_a_file_in_every_format() {
    let sandbox = trained();
    sandbox.write("r.csv", REVIEWS);
    let want = expected(&sandbox, &["--file", "r.csv"]);
    let printed = sandbox.ok(&["predict", "small", "--file", "r.csv", "--quiet"]);
    let read = |name: &str| fs::read(sandbox.path(name)).expect("a file");
    for (name, options) in [
        ("o.csv", &[][..]),
        ("o.csv.gz", &[]),
        ("o.csv.zst", &[]),
        ("o.jsonl", &[]),
        ("o.jsonl.gz", &[]),
        ("o.ndjson.zst", &[]),
        ("o.dat", &["--out-format", "jsonl"]),
    ] {
        let said = sandbox.ok(&[&["predict", "small", "--file", "r.csv", "--out", name], options].concat());
        assert_eq!(said, format!("3 rows written to {name}\n"));
        let mut bytes = read(name);
        if name.ends_with("gz") {
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut unpacked).expect("gzip");
            bytes = unpacked;
        } else if name.ends_with("zst") {
            bytes = zstd::decode_all(&bytes[..]).expect("Zstandard");
        }
        if !name.contains("csv") {
            assert_eq!(lines(&bytes), want, "{name}");
            continue;
        }
        let (names, rows) = table(&bytes);
        assert_eq!(names, ["line", "label", "confidence", "p(0)", "p(1)", "text"]);
        assert_eq!(of_table(&rows), of_lines(&want), "{name}");
        for (row, line) in rows.iter().zip(table(printed.as_bytes()).1) {
            assert!(["line", "label", "text"].iter().all(|name| row[*name] == line[*name]), "{row:?}");
            let close = row["confidence"].is_empty()
                || (row["confidence"].parse::<f32>().unwrap() - line["confidence"].parse::<f32>().unwrap()).abs()
                    < 1e-4;
            assert!(close, "{row:?}");
        }
    }
    // Its labels and texts are read again, and the probabilities are the same.
    sandbox.ok(&["predict", "small", "--file", "r.csv", "--out", "b.parquet"]);
    let again = expected(&sandbox, &["--file", "b.parquet", "--text-column", "text"]);
    assert_eq!(of_lines(&again), of_lines(&want));
    let quiet = sandbox.ok(&["predict", "small", "--file", "r.csv", "--out", "b.parquet", "--quiet"]);
    assert_eq!(quiet, "", "an existing file is replaced");
    let fed = sandbox.fed(&["predict", "small", "-", "--out", "lines.jsonl"], "好\n慢\n");
    assert!(fed.status.success() && lines(&read("lines.jsonl")).len() == 2, "{}", text(&fed.stderr));
    let left: Vec<_> = fs::read_dir(sandbox.root()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".taper")), "{left:?}");
}

#[test]
fn a_file_of_results_is_whole_or_not_there() {
    let sandbox = trained();
    sandbox.write("r.csv", REVIEWS);
    sandbox.write("old.csv", "old");
    let predict = |file: &str, out: &str, more: &[&str]| {
        sandbox.taper(&[&["predict", "small", "--file", file, "--out", out], more].concat())
    };
    let before = fs::read(sandbox.path("r.csv")).unwrap();
    fs::create_dir(sandbox.path("folder.csv")).unwrap();
    for (out, want) in [
        ("r.csv", "--out r.csv: it is the input file; name another one"),
        ("./folder.csv", "it is a folder; expected the name of a file"),
        ("nowhere/o.csv", "--out cannot write nowhere/o.csv: nowhere: "),
        ("o.tsv", "the extension does not tell the format; use .csv, .jsonl or .parquet"),
        ("o.parquet.gz", "Parquet is already compressed"),
    ] {
        refused(&predict("r.csv", out, &[]), want);
    }
    refused(&predict("r.csv", "-", &["--out-format", "csv"]), "expected the name of a file");
    refused(&sandbox.taper(&["predict", "small", "好", "--out", "o.csv"]), "--out can only be used with --file");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("r.csv", sandbox.path("link.csv")).unwrap();
        refused(&predict("r.csv", "link.csv", &[]), "it is the input file");
        fs::hard_link(sandbox.path("r.csv"), sandbox.path("hard.csv")).unwrap();
        refused(&predict("r.csv", "hard.csv", &[]), "it is the input file");
        assert!(Command::new("mkfifo").arg(sandbox.path("pipe.csv")).status().unwrap().success());
        refused(&predict("r.csv", "pipe.csv", &[]), "it is a pipe or a device");
        let shell = format!("{} predict small --file - --out r.csv < r.csv", env!("CARGO_BIN_EXE_taper"));
        let output = Command::new("sh").args(["-c", &shell]).current_dir(sandbox.root()).output().unwrap();
        refused(&output, "it is the input file");
        std::os::unix::fs::symlink("old.csv", sandbox.path("to.csv")).unwrap();
        std::os::unix::fs::symlink("gone/o.csv", sandbox.path("nowhere.csv")).unwrap();
        let dangling = "--out nowhere.csv: it is a symbolic link to gone/o.csv, which does not exist; remove the link";
        refused(&predict("r.csv", "nowhere.csv", &[]), dangling);
        assert_eq!(fs::read_link(sandbox.path("nowhere.csv")).unwrap(), Path::new("gone/o.csv"));
    }
    assert_eq!(fs::read(sandbox.path("r.csv")).unwrap(), before);
    // A bad row ends it: what was there stays.
    sandbox.write("bad.csv", "id,review\n1,好\n2,慢\n3\n");
    let output = predict("bad.csv", "old.csv", &[]);
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.starts_with("error: bad.csv: 1 row cannot be used") && error.contains("line 4: the row has 1 field"),
        "{error}"
    );
    assert_eq!(fs::read(sandbox.path("old.csv")).unwrap(), b"old");
    #[cfg(unix)]
    {
        assert!(predict("r.csv", "to.csv", &[]).status.success());
        assert!(
            sandbox.path("to.csv").is_symlink() && fs::read(sandbox.path("old.csv")).unwrap().starts_with(b"line,")
        );
    }
    let left: Vec<_> = fs::read_dir(sandbox.root()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with(".taper")), "{left:?}");
}

#[test]
fn all_columns_are_kept_as_they_are_written() {
    let sandbox = trained();
    sandbox.write("r.csv", REVIEWS);
    let keep = |file: &str, more: &[&str]| {
        sandbox.ok(&[&["predict", "small", "--quiet", "--keep-columns", "--file", file], more].concat())
    };
    let want = of_lines(&expected(&sandbox, &["--file", "r.csv"]));
    let head = ["id", "review", "label", "note", "line", "predicted_label", "confidence", "p(0)", "p(1)"];
    let (names, rows) = table(keep("r.csv", &[]).as_bytes());
    assert_eq!(names, head);
    assert_eq!(of_table(&rows), want);
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("id"), ["007", "8", "9"]);
    assert_eq!(column("review"), ["味道很好", "", "送得慢\n差评"]);
    assert_eq!(column("label"), ["1", "0", "0"]);
    assert_eq!(column("note"), ["'=1+1", "空", "-3.50"]);
    let json = lines(keep("r.csv", &["--json"]).as_bytes());
    assert_eq!(of_lines(&json), want);
    assert_eq!(json[0]["note"], "=1+1");
    assert_eq!(
        json[0].as_object().unwrap().keys().take(6).collect::<Vec<_>>(),
        ["id", "review", "label", "note", "line", "predicted_label"]
    );

    // Of its own the predicted label has its short name.
    let plain = sandbox.ok(&["predict", "small", "--quiet", "--file", "r.csv"]);
    assert_eq!(table(plain.as_bytes()).0, ["line", "label", "confidence", "text"]);

    // Values of JSON stay what they are, also those that a program's numbers cannot hold.
    let objects = "{\"n\":12345678901234567890123,\"review\":\"好\",\"tags\":[1, {\"a\":null}],\"x\":null}\n{\"review\":\"慢\",\"ok\":true,\"n\":1.50}\n";
    sandbox.write("o.jsonl", objects);
    let kept = keep("o.jsonl", &["--json"]);
    for (line, object) in kept.lines().zip(objects.lines()) {
        assert!(line.starts_with(&format!("{},\"line\":", object.trim_end_matches('}'))), "{line}");
    }
    let array = format!("[{}]", objects.trim().replace('\n', ",\n").replace("[1, ", "[1,\n"));
    sandbox.write("o.json", array);
    assert_eq!(lines(keep("o.json", &["--json"]).as_bytes())[0]["tags"], serde_json::json!([1, {"a": null}]));
    let (names, rows) = table(keep("o.jsonl", &[]).as_bytes());
    assert_eq!(names[..5], ["n", "review", "tags", "x", "ok"]);
    assert_eq!(
        (&*rows[0]["n"], &*rows[0]["tags"], &*rows[0]["x"]),
        ("12345678901234567890123", "[1, {\"a\":null}]", "")
    );
    assert_eq!((&*rows[1]["n"], &*rows[1]["ok"], &*rows[1]["tags"]), ("1.50", "true", ""));

    // A workbook and a Parquet file.
    let forms = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/forms");
    let form = |name: &str, more: &[&str]| {
        keep(forms.join(name).to_str().unwrap(), &[&["--text-column", "text"], more].concat())
    };
    let (names, rows) = table(form("rows.xlsx", &[]).as_bytes());
    assert_eq!(names[..5], ["编号", "text", "label", "line", "predicted_label"]);
    assert_eq!((&*rows[1]["编号"], &*rows[1]["label"], &*rows[7]["label"]), ("2", "0", ""));
    let rows = lines(form("rows.parquet", &["--json"]).as_bytes());
    assert_eq!((&rows[0]["label"], &rows[7]["label"]), (&serde_json::json!(1), &Value::Null));
}

#[test]
fn names_and_fields_that_have_no_room_are_refused() {
    let sandbox = trained();
    let keep = |file: &str, more: &[&str]| {
        sandbox.taper(&[&["predict", "small", "--keep-columns", "--file", file], more].concat())
    };
    for option in [&["--keep-columns"][..], &["--labels", "label"]] {
        let output = sandbox.taper(&[&["predict", "small"], option, &["好"]].concat());
        refused(&output, "--file <FILE>");
    }
    sandbox.write("both.csv", "review,label,predicted_label\n好,1,0\n");
    refused(
        &keep("both.csv", &[]),
        "the input has a column `predicted_label`, which is also the name of a result; rename it",
    );
    sandbox.write("lines.csv", "review,line,predicted_line\n好,1,0\n");
    refused(&keep("lines.csv", &[]), "the input has the columns `line` and `predicted_line`");
    sandbox.write("twice.csv", "review,a,a\n好,1,0\n");
    refused(&keep("twice.csv", &[]), "more than one column `a`; rename all but one of them");
    let late = "{\"review\":\"好\"}\n".repeat(1100) + "{\"review\":\"慢\",\"late\":1}\n";
    sandbox.write("late.jsonl", &late);
    // A file is read for its fields before anything is classified; standard input cannot be.
    for name in ["o.csv", "o.parquet", "l.csv"] {
        let more: &[&str] = if name == "l.csv" { &["--labels", "label"] } else { &[] };
        let file = if name == "l.csv" { "labelled.jsonl" } else { "late.jsonl" };
        sandbox.write("labelled.jsonl", late.replace("}\n", ",\"label\":1}\n"));
        let output = keep(file, &[&["--out", name], more].concat());
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let (names, rows) = table(&fs::read(sandbox.path("o.csv")).unwrap());
    // Whether or not the input has a column `label`.
    assert_eq!(names[..4], ["review", "late", "line", "predicted_label"]);
    assert_eq!((&*rows[0]["late"], &*rows[1099]["late"], &*rows[1100]["late"]), ("", "", "1"));
    let (names, _) = table(&fs::read(sandbox.path("l.csv")).unwrap());
    assert_eq!(names[..5], ["review", "label", "late", "line", "predicted_label"]);
    let piped = ["predict", "small", "--keep-columns", "--file", "-", "--format", "jsonl", "--out", "p.parquet"];
    let output = sandbox.fed(&piped, &late);
    let error = text(&output.stderr);
    assert!(
        output.status.code() == Some(1)
            && error.contains("line 1101: the field `late` is in none of the first rows")
            && error.contains("give the rows as a file (--file FILE)"),
        "{error}"
    );
    assert!(!sandbox.path("p.parquet").exists());
    let output = keep("late.jsonl", &["--out", "o.jsonl"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(lines(&fs::read(sandbox.path("o.jsonl")).unwrap())[1100]["late"], 1);
    // Values as names of fields: JSON Lines can have them, a table cannot.
    let ids: String = (0..10_001).map(|id| format!("{{\"review\":\"好\",\"id {id}\":1}}\n")).collect();
    sandbox.write("ids.jsonl", ids);
    refused(
        &keep("ids.jsonl", &["--out", "i.parquet"]),
        "its objects have more than 10,000 fields, each of which would be a column",
    );
    assert!(keep("ids.jsonl", &["--out", "i.jsonl"]).status.success());
}

/// Texts are batched with others than in `taper eval`: the last bits of a sum may differ.
fn same_metrics(found: &Value, want: &Value) {
    // Those that compare all rows with each other.
    let (comparing, want): (Vec<_>, Vec<_>) = want
        .as_object()
        .expect("metrics")
        .iter()
        .partition(|(key, _)| ["roc_auc", "average_precision"].contains(&key.as_str()));
    assert!(comparing.len() == 2 && comparing.iter().all(|(key, _)| found.get(key).is_none()), "{found}");
    for (key, value) in want {
        let close = || (found[key].as_f64().unwrap() - value.as_f64().unwrap()).abs() < 1e-6;
        assert!(found[key] == *value || value.is_f64() && close(), "{key}: {} {value}", found[key]);
    }
}

/// The metrics are those of `taper eval`, which reads all rows first.
#[test]
fn labels_are_measured_in_the_same_pass() {
    let sandbox = trained();
    let rows: String = (0..1500)
        .map(|i| format!("{},{}\n", ["味道很好", "难吃 差评", "送得慢", ""][i % 4], ["1", "0", ""][i % 3]))
        .collect();
    sandbox.write("r.csv", format!("review,stars\n{rows}"));
    let want = sandbox.json(&["eval", "small", "--file", "r.csv", "--label-column", "stars"]);
    let labels = ["predict", "small", "--file", "r.csv", "--labels", "stars"];
    let found = sandbox.json(&[&labels[..], &["--out", "o.jsonl"]].concat());
    assert_eq!((&found["out"], &found["rows"]), (&"o.jsonl".into(), &1500.into()));
    for (key, value) in want.as_object().unwrap() {
        match key.as_str() {
            // One of them is about the results, which eval has none of.
            "warnings" => {}
            "metrics" => same_metrics(&found["evaluation"]["metrics"], value),
            _ => assert_eq!(&found["evaluation"][key], value, "{key}"),
        }
    }
    let said = sandbox.ok(&["eval", "small", "--file", "r.csv", "--label-column", "stars"]);
    let printed = sandbox.ok(&[&labels[..], &["--out", "o.csv"]].concat());
    assert_eq!(printed, format!("1,500 rows written to o.csv\n{said}"));
    for input in [sandbox.taper(&labels), sandbox.taper(&[&labels[..], &["--json"]].concat())] {
        assert!(text(&input.stderr).ends_with(&said), "{}", text(&input.stderr));
    }
    let plain = sandbox.ok(&["predict", "small", "--file", "r.csv"]);
    assert_eq!(text(&sandbox.taper(&labels).stdout), plain);
    let trained_on = sandbox.taper(&["predict", "small", "--file", "rows.csv", "--labels", "label"]);
    let warning = "that the run was trained on: results on them show memorisation";
    assert!(text(&trained_on.stderr).contains(warning), "{}", text(&trained_on.stderr));

    // Every row with an unknown label is named before anything is classified; of a pipe, after the rows before it.
    let many = "好,1\n".repeat(1100);
    sandbox.write("odd.csv", format!("review,stars\n{many}慢,2\n慢,0\n慢,2\n"));
    let odd = ["predict", "small", "--labels", "stars", "--file"];
    let unknown = "2 rows cannot be used\n  lines 1102 and 1104: label `2` (column `stars`) is not a label of the \
                   model, whose labels are `0`, `1`";
    refused(&sandbox.taper(&[&odd[..], &["odd.csv"]].concat()), unknown);
    let bytes = fs::read_to_string(sandbox.path("odd.csv")).unwrap();
    let output = sandbox.fed(&[&odd[..], &["-"]].concat(), &bytes);
    let error = text(&output.stderr);
    assert!(
        output.status.code() == Some(1)
            && error.contains("the output ends after 1,100 rows")
            && error.contains(unknown),
        "{error}"
    );
    sandbox.write("none.csv", "review,stars\n好,\n慢,\n");
    refused(&sandbox.taper(&[&odd[..], &["none.csv"]].concat()), "no usable rows: 2 read");
    refused(&sandbox.taper(&["predict", "small", "--file", "r.csv", "--labels", "star"]), "no column `star`");
}

/// pandas and pyarrow read from each format what `--json` prints.
#[test]
fn pandas_reads_the_same_values() {
    let Some(program) = python_with("pandas, pyarrow") else { return };
    let sandbox = trained();
    let text_of = |i: usize| format!("{} 第{i}次，{}", "味道很好".repeat(i % 7), "送得慢".repeat(i * i % 5));
    let rows: String =
        (0..1500).map(|i| format!("{i:04},{},{}\n", if i == 7 { String::new() } else { text_of(i) }, i % 2)).collect();
    sandbox.write("r.csv", format!("id,review,label\n{rows}"));
    for (name, more) in [("plain", None), ("kept", Some("--keep-columns"))] {
        let arguments: Vec<&str> = ["predict", "small", "--quiet", "--file", "r.csv"].into_iter().chain(more).collect();
        sandbox.write(&format!("{name}.json"), sandbox.ok(&[&arguments[..], &["--json"]].concat()));
        for ending in ["csv", "csv.gz", "jsonl", "parquet"] {
            sandbox.ok(&[&arguments[..], &["--out", &format!("{name}.{ending}")]].concat());
        }
    }
    let code = "import json, numpy as np, pandas as pd, pyarrow.parquet as pq\n\
        def check(name, label, columns):\n\
        \x20   want = [json.loads(line) for line in open(name + '.json', encoding='utf-8')]\n\
        \x20   def same(frame, each):\n\
        \x20       assert len(frame) == len(want) == 1500\n\
        \x20       for row, line in zip(frame.to_dict('records'), want):\n\
        \x20           for column in columns:\n\
        \x20               assert str(row[column]) == str(line[column]), (row, line)\n\
        \x20           if line[label] is None:\n\
        \x20               assert pd.isna(row[label]) or row[label] == '', row\n\
        \x20               continue\n\
        \x20           assert str(row[label]) == line[label]\n\
        \x20           for found, value in each(row, line):\n\
        \x20               assert np.float32(found) == np.float32(value), (row, line)\n\
        \x20   def cells(row, line):\n\
        \x20       yield row['confidence'], line['confidence']\n\
        \x20       for name, p in line['probabilities'].items():\n\
        \x20           yield row['p(' + name + ')'], p\n\
        \x20   def fields(row, line):\n\
        \x20       yield row['confidence'], line['confidence']\n\
        \x20       for name, p in line['probabilities'].items():\n\
        \x20           yield row['probabilities'][name], p\n\
        \x20   for ending in ['csv', 'csv.gz']:\n\
        \x20       same(pd.read_csv(name + '.' + ending, dtype=str, keep_default_na=False), cells)\n\
        \x20   same(pd.DataFrame([json.loads(line) for line in open(name + '.jsonl', encoding='utf-8')]), fields)\n\
        \x20   table = pq.read_table(name + '.parquet')\n\
        \x20   types = {field.name: str(field.type) for field in table.schema}\n\
        \x20   assert types['p(0)'] == types['p(1)'] == types['confidence'] == 'double' and types[label] == 'string', types\n\
        \x20   assert pq.ParquetFile(name + '.parquet').metadata.row_group(0).column(0).compression == 'SNAPPY'\n\
        \x20   same(table.to_pandas(), cells)\n\
        check('plain', 'label', ['line', 'text'])\n\
        check('kept', 'predicted_label', ['id', 'review', 'label', 'line'])\n";
    let output = Command::new(&program).args(["-c", code]).current_dir(sandbox.root()).output().expect("Python starts");
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Ctrl-C and a request to end leave nothing beside the output; what an earlier `kill -9` left disturbs nobody.
#[cfg(unix)]
#[test]
fn a_prediction_that_is_stopped_leaves_no_file() {
    let sandbox = trained();
    let row = "这家的菜很好吃,送得也快,下次还会再来\n".replace(',', "，");
    sandbox.write("many.csv", format!("review\n{}", row.repeat(400_000)));
    sandbox.write("r.csv", REVIEWS);
    sandbox.write(".taper-predict-1-1", "left");
    let unfinished = || -> Vec<String> {
        let names = fs::read_dir(sandbox.root()).unwrap().map(|file| file.unwrap().file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".taper-predict-") && name != ".taper-predict-1-1").collect()
    };
    for signal in ["-INT", "-TERM"] {
        let mut command = sandbox.command(&["predict", "small", "--file", "many.csv", "--out", "o.csv"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("taper");
        while unfinished().is_empty() {
            assert!(child.try_wait().expect("a state").is_none(), "it ended before it was stopped");
            std::thread::sleep(Duration::from_millis(5));
        }
        Command::new("kill").args([signal, &child.id().to_string()]).status().expect("kill");
        let output = child.wait_with_output().expect("the end");
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(130), "{signal}: {said}");
        assert!(said.ends_with("stopped: o.csv was not written\n"), "{said}");
        assert!(unfinished().is_empty() && !sandbox.path("o.csv").exists(), "{signal}: {:?}", unfinished());
    }
    // A hangup that it was started to ignore, as by `nohup`, does not end it.
    sandbox.write("some.csv", format!("review\n{}", row.repeat(60_000)));
    let command = sandbox.command(&["predict", "small", "--file", "some.csv", "--out", "o.csv"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(command.get_current_dir().unwrap_or(sandbox.root()));
    let mut child = shell.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("taper");
    while unfinished().is_empty() {
        assert!(child.try_wait().expect("a state").is_none(), "it ended before it was signalled");
        std::thread::sleep(Duration::from_millis(5));
    }
    Command::new("kill").args(["-HUP", &child.id().to_string()]).status().expect("kill");
    let output = child.wait_with_output().expect("the end");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(fs::read_to_string(sandbox.path("o.csv")).unwrap().lines().count(), 60_001);
    sandbox.ok(&["predict", "small", "--file", "r.csv", "--out", "o.csv"]);
    assert_eq!(fs::read(sandbox.path(".taper-predict-1-1")).unwrap(), b"left");
    assert!(sandbox.ok(&["gc"]).starts_with("nothing to remove"));
}

/// How far the check of a file is, by which its bar moves: a Parquet file's rows count, whose bytes are read by another thread.
#[test]
fn the_share_of_a_file_that_was_read_follows_its_rows() {
    let sandbox = trained();
    let rows: String = (0..3000).map(|i| format!("好 {i}\n")).collect();
    sandbox.write("many.csv", format!("review\n{rows}"));
    sandbox.ok(&["predict", "small", "--file", "many.csv", "--keep-columns", "--out", "many.parquet"]);
    let origin = Origin::of(&sandbox.path("many.parquet"));
    let wanted = Wanted { text: "review".into(), target: None, keep: false };
    let texts = data::stream_rows(&origin, &Layout::default(), wanted).expect("rows");
    let mut shares = Vec::new();
    texts.check(|_, share| shares.push(share)).expect("checked");
    assert!(
        shares.iter().enumerate().all(|(i, share)| (share * 3000.0 - (i + 1) as f64).abs() < 1e-6),
        "{:?}",
        &shares[..3]
    );
    assert_eq!(shares.len(), 3000);
}
