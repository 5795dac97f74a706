//! The layout of a file that a trained model reads: where nothing says it, that of the run's data.

use std::io::Write;

use serde_json::{Value, json};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::support::{Sandbox, tiny_spec};

const SPEC: &str = tiny_spec!(
    "laid",
    r#"test = 0.3
max_length = 16
[train]
max_steps = 2
batch_size = 4
"#
);

/// Rows of two labels, with quotation marks that belong to the texts of two of them: each text, then its label.
const ROWS: [(&str, &str); 6] =
    [("味道很好", "1"), ("\"快\"很快", "1"), ("太慢", "0"), ("难吃", "0"), ("分量足", "1"), ("\"差评\"", "0")];

/// A table with these rows: text, label.
fn table(delimiter: &str) -> String {
    let rows = ROWS.map(|(text, label)| format!("{text}{delimiter}{label}\n"));
    format!("review{delimiter}label\n{}", rows.concat())
}

/// A folder with a run named `laid` whose data is `file`, read with these settings.
fn trained(file: &str, bytes: &[u8], settings: &[&str]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("laid.toml", SPEC);
    sandbox.write(file, bytes);
    let source = format!("data.source=path:{file}");
    let set: Vec<&str> = [&source[..]].iter().chain(settings).flat_map(|set| ["--set", set]).collect();
    sandbox.ok(&[&["run", "laid.toml", "--quiet"][..], &set].concat());
    sandbox
}

/// What `eval` measures and how it read the file; what `predict` reads.
fn read(sandbox: &Sandbox, file: &str, options: &[&str]) -> (Value, Value, Vec<String>) {
    let eval = sandbox.json(&[&["eval", "laid", "--file", file], options].concat());
    let lines = sandbox.ok(&[&["predict", "laid", "--json", "--file", file, "--labels"], options].concat());
    let text = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["text"].as_str().map(str::to_owned);
    let texts = lines.lines().map(|line| text(line).expect("a text")).collect();
    (eval["metrics"].clone(), eval["read_as"].clone(), texts)
}

/// A workbook with a sheet for each of these tables.
fn workbook(sheets: &[(&str, &[(&str, &str)])]) -> Vec<u8> {
    let whole: Vec<(&str, Vec<(&str, &str)>)> =
        sheets.iter().map(|(name, rows)| (*name, [&[("review", "label")], *rows].concat())).collect();
    workbook_of(&whole)
}

/// A workbook with these rows; a text that begins with `=` is a formula whose value is not stored.
pub fn workbook_of(sheets: &[(&str, Vec<(&str, &str)>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let mut part = |name: &str, content: &str| {
        zip.start_file(name, SimpleFileOptions::default()).expect("a part");
        zip.write_all(format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{content}").as_bytes()).expect("its content");
    };
    let (mut names, mut relations, mut kinds) = (String::new(), String::new(), String::new());
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
    const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
    const KIND: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml";
    for (at, (name, rows)) in (1..).zip(sheets) {
        names += &format!("<sheet name=\"{name}\" sheetId=\"{at}\" r:id=\"r{at}\"/>");
        relations +=
            &format!("<Relationship Id=\"r{at}\" Type=\"{OFFICE}/worksheet\" Target=\"worksheets/sheet{at}.xml\"/>");
        kinds += &format!("<Override PartName=\"/xl/worksheets/sheet{at}.xml\" ContentType=\"{KIND}.worksheet+xml\"/>");
        let cell = |column: &str, row: usize, text: &str| match text.strip_prefix('=') {
            Some(formula) => format!("<c r=\"{column}{row}\"><f>{formula}</f></c>"),
            None => format!("<c r=\"{column}{row}\" t=\"inlineStr\"><is><t>{text}</t></is></c>"),
        };
        let rows: String = (1..)
            .zip(rows.iter().copied())
            .map(|(row, (text, label))| {
                format!("<row r=\"{row}\">{}{}</row>", cell("A", row, text), cell("B", row, label))
            })
            .collect();
        part(
            &format!("xl/worksheets/sheet{at}.xml"),
            &format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>"),
        );
    }
    part(
        "xl/workbook.xml",
        &format!("<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets>{names}</sheets></workbook>"),
    );
    part(
        "xl/_rels/workbook.xml.rels",
        &format!("<Relationships xmlns=\"{PACKAGE}/relationships\">{relations}</Relationships>"),
    );
    part(
        "_rels/.rels",
        &format!(
            "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"r\" Type=\"{OFFICE}/officeDocument\" Target=\"xl/workbook.xml\"/></Relationships>"
        ),
    );
    part(
        "[Content_Types].xml",
        &format!(
            "<Types xmlns=\"{PACKAGE}/content-types\"><Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/><Override PartName=\"/xl/workbook.xml\" ContentType=\"{KIND}.sheet.main+xml\"/>{kinds}</Types>"
        ),
    );
    zip.finish().expect("a workbook").into_inner()
}

#[test]
fn the_sheet_is_that_of_the_run() {
    let old: [(&str, &str); 3] = [("旧的", "0"), ("旧", "1"), ("很旧", "1")];
    let both = workbook(&[("old", &old), ("reviews", &ROWS)]);
    let sandbox = trained("rows.xlsx", &both, &["data.sheet=reviews"]);
    let (metrics, read_as, texts) = read(&sandbox, "rows.xlsx", &[]);
    assert_eq!((&metrics["rows"], texts.len()), (&json!(6), 6));
    assert_eq!((&read_as["sheet"], &read_as["from_run"]), (&json!("reviews"), &json!(["sheet"])));
    let (metrics, read_as, texts) = read(&sandbox, "rows.xlsx", &["--sheet", "old"]);
    assert_eq!((&metrics["rows"], &texts[..]), (&json!(3), &["旧的", "旧", "很旧"].map(String::from)[..]));
    assert_eq!((&read_as["sheet"], &read_as["from_run"]), (&json!("old"), &json!([])));
    let (code, said) = sandbox.says(&["eval", "laid", "--file", "rows.xlsx"]);
    assert!(
        code == 0
            && said
                .contains("note: rows.xlsx: read with sheet `reviews`, as in the run's spec (override with --sheet)"),
        "{said}"
    );
    // A workbook with one sheet has no other; of several none is guessed.
    sandbox.write("one.xlsx", workbook(&[("new", &old)]));
    assert_eq!(read(&sandbox, "one.xlsx", &[]).1["sheet"], "new");
    sandbox.write("two.xlsx", workbook(&[("new", &old), ("newer", &ROWS)]));
    for command in ["eval", "predict"] {
        let (code, said) = sandbox.says(&[command, "laid", "--file", "two.xlsx"]);
        let want = "no sheet `reviews`, which the run's spec names (data.sheet); sheets found: new, newer; choose one with --sheet";
        assert!(code == 2 && said.contains(want), "{said}");
    }
    // Other files have no sheets.
    sandbox.write("rows.csv", table(","));
    assert_eq!(read(&sandbox, "rows.csv", &[]).1["from_run"], json!([]));
}

#[test]
fn quotes_mean_what_they_mean_in_the_run() {
    let sandbox = trained("rows.tsv", table("\t").as_bytes(), &["data.quoting=none"]);
    let (plain, read_as, texts) = read(&sandbox, "rows.tsv", &[]);
    assert_eq!(texts, ROWS.map(|(text, _)| text.to_owned()));
    assert_eq!((&read_as["quoting"], &read_as["from_run"]), (&json!("none"), &json!(["quoting"])));
    assert_eq!(read(&sandbox, "rows.tsv", &["--quoting", "none"]).0, plain);
    let (_, read_as, texts) = read(&sandbox, "rows.tsv", &["--quoting", "minimal"]);
    assert_eq!((&texts[1][..], &texts[5][..]), ("快很快", "差评"));
    assert_eq!((&read_as["quoting"], &read_as["from_run"]), (&json!("minimal"), &json!([])));
    // Quotes around a whole text or label may only enclose it.
    for command in [&["eval", "laid"][..], &["predict", "laid"]] {
        let (code, said) = sandbox.says(&[command, &["--file", "rows.tsv"]].concat());
        assert!(
            code == 0 && said.contains("warning: 1 row (line 7) has a text or a label in quotation marks"),
            "{said}"
        );
        assert!(said.contains("set --quoting minimal"), "{said}");
        let (_, said) = sandbox.says(&[command, &["--file", "rows.tsv", "--quoting", "none"]].concat());
        assert!(!said.contains("quotation marks"), "{said}");
    }
    sandbox.write("rows.jsonl", "{\"review\": \"快\", \"label\": \"1\"}\n{\"review\": \"慢\", \"label\": \"0\"}\n");
    assert_eq!(read(&sandbox, "rows.jsonl", &[]).1["from_run"], json!([]));
}

#[test]
fn the_delimiter_and_the_format_are_those_of_the_run_where_they_fit() {
    // Nothing in `^` says that it separates fields.
    let sandbox = trained("rows.dat", table("^").as_bytes(), &["data.format=csv", "data.delimiter=^"]);
    let (metrics, read_as, texts) = read(&sandbox, "rows.dat", &["--quoting", "none"]);
    assert_eq!((&metrics["rows"], texts.len()), (&json!(6), 6));
    assert_eq!(
        (&read_as["format"], &read_as["delimiter"], &read_as["from_run"]),
        (&json!("csv"), &json!("^"), &json!(["delimiter"])),
        "with the run's delimiter the header shows the format"
    );
    for (file, delimiter, want) in
        [("a.csv", "^", json!(["delimiter"])), ("b.csv", ",", json!([])), ("c.tsv", "\t", json!([]))]
    {
        sandbox.write(file, table(delimiter));
        let (again, read_as, _) = read(&sandbox, file, &["--quoting", "none"]);
        assert_eq!((&again, &read_as["from_run"]), (&metrics, &want), "{file}");
    }
    sandbox.write("d.csv", table(";"));
    assert_eq!(read(&sandbox, "d.csv", &["--quoting", "none", "--delimiter", ";"]).0, metrics);
}

/// The texts that `predict` reads of a file without labels.
fn texts_of(sandbox: &Sandbox, file: &str) -> Vec<String> {
    let lines = sandbox.ok(&["predict", "laid", "--json", "--file", file]);
    let text = |line: &str| serde_json::from_str::<Value>(line).expect("JSON")["text"].as_str().map(str::to_owned);
    lines.lines().map(|line| text(line).expect("a text")).collect()
}

#[test]
fn the_delimiter_of_the_run_does_not_cut_the_texts_of_a_file_without_it_in_its_header() {
    let sandbox = trained("rows.csv", table(";").as_bytes(), &["data.delimiter=;", "data.quoting=none"]);
    assert_eq!(read(&sandbox, "rows.csv", &[]).1["from_run"], json!(["delimiter", "quoting"]));
    for file in ["one.csv", "one.tsv", "one.dat"] {
        sandbox.write(file, "review\n好;吃\n慢\n");
        assert_eq!(texts_of(&sandbox, file), ["好;吃", "慢"], "{file}");
        let (code, said) = sandbox.says(&["predict", "laid", "--file", file]);
        assert!(code == 0 && said.contains("read with quoting none, as in the run's spec"), "{file}: {said}");
    }
}

#[test]
fn the_format_is_that_of_the_run_where_the_file_does_not_show_one() {
    let sandbox = trained("rows.dat", table("\t").as_bytes(), &["data.format=tsv", "data.quoting=none"]);
    let (metrics, read_as, _) = read(&sandbox, "rows.dat", &[]);
    assert_eq!((&read_as["format"], &read_as["from_run"]), (&json!("tsv"), &json!(["quoting"])));
    // The header shows it, or the first object.
    sandbox.write("b.dat", table(","));
    let (again, read_as, _) = read(&sandbox, "b.dat", &[]);
    assert_eq!((&read_as["format"], &read_as["from_run"]), (&json!("csv"), &json!(["quoting"])));
    assert_eq!(again, metrics);
    sandbox.write("c.dat", "{\"review\": \"快\", \"label\": \"1\"}\n{\"review\": \"慢\", \"label\": \"0\"}\n");
    let (_, read_as, texts) = read(&sandbox, "c.dat", &[]);
    assert_eq!((&read_as["format"], &read_as["from_run"]), (&json!("jsonl"), &json!([])));
    assert_eq!(texts, ["快", "慢"]);
    // An empty line shows nothing, nor does a header of one column.
    sandbox.write("d.dat", format!("\n{}", table("\t")));
    let (again, read_as, _) = read(&sandbox, "d.dat", &[]);
    assert_eq!((&read_as["format"], &read_as["from_run"]), (&json!("tsv"), &json!(["format", "quoting"])));
    assert_eq!(again, metrics);
    sandbox.write("one.dat", "review\n好, 很好\n");
    assert_eq!(texts_of(&sandbox, "one.dat"), ["好, 很好"]);
    let (code, said) = sandbox.says(&["predict", "laid", "--file", "one.dat"]);
    let want = "read with format tsv and quoting none, as in the run's spec (override with --format and --quoting)";
    assert!(code == 0 && said.contains(want), "{said}");
}

#[test]
fn a_run_in_utf8_does_not_refuse_what_is_recognised_without_it() {
    let sandbox = trained("rows.csv", table(",").as_bytes(), &["data.encoding=utf-8", "data.quoting=none"]);
    let (metrics, read_as, _) = read(&sandbox, "rows.csv", &[]);
    assert_eq!((&read_as["encoding"], &read_as["from_run"]), (&json!("utf-8"), &json!(["quoting"])));
    let rows = table(",");
    let (bytes, _, lossy) = encoding_rs::GB18030.encode(&rows);
    assert!(!lossy && str::from_utf8(&bytes).is_err());
    sandbox.write("gbk.csv", bytes);
    let (again, read_as, texts) = read(&sandbox, "gbk.csv", &[]);
    assert_eq!((&read_as["encoding"], &read_as["from_run"]), (&json!("gb18030"), &json!(["quoting"])));
    assert_eq!((again, texts), (metrics, ROWS.map(|(text, _)| text.to_owned()).to_vec()));
    // What is set by an option is meant.
    let (code, said) = sandbox.says(&["eval", "laid", "--file", "gbk.csv", "--encoding", "utf-8"]);
    assert!(code == 2 && said.contains("UTF-8"), "{said}");
}

#[test]
fn the_encoding_is_that_of_the_run_where_the_file_is_not_utf8() {
    // `é` is one byte in Windows-1252, from which nothing can tell this encoding.
    let rows = "review,label\ncaf\u{e9} tr\u{e8}s bon,1\npas bon,0\nbon caf\u{e9},1\nmauvais,0\n";
    let latin: Vec<u8> = rows.chars().map(|c| c as u8).collect();
    let sandbox = trained("rows.csv", &latin, &["data.encoding=windows-1252"]);
    let (metrics, read_as, texts) = read(&sandbox, "rows.csv", &[]);
    assert_eq!(texts, ["café très bon", "pas bon", "bon café", "mauvais"]);
    assert_eq!((&read_as["encoding"], &read_as["from_run"]), (&json!("windows-1252"), &json!(["encoding"])));
    for (file, bytes) in [("utf8.csv", rows.as_bytes().to_vec()), ("bom.csv", format!("\u{feff}{rows}").into_bytes())] {
        sandbox.write(file, bytes);
        let (again, read_as, texts) = read(&sandbox, file, &[]);
        assert_eq!((&again, &texts[0][..]), (&metrics, "café très bon"), "{file}");
        assert_eq!((&read_as["encoding"], &read_as["from_run"]), (&json!("utf-8"), &json!([])), "{file}");
    }
    // Characters beyond ASCII that come late in a long file count as well.
    let long = format!("review,label\n{}", "plain,1\n".repeat(20_000));
    sandbox.write("late.csv", format!("{long}café,0\n"));
    assert_eq!(read(&sandbox, "late.csv", &[]).2[20_000], "café");
}

#[test]
fn what_means_that_there_is_no_text_is_that_of_the_run() {
    let rows = format!("{}无,0\n", table(","));
    let sandbox = trained("rows.csv", rows.as_bytes(), &["data.missing=[\"无\"]", "data.quoting=none"]);
    let predicted = |options: &[&str]| -> Vec<Value> {
        let lines = sandbox.ok(&[&["predict", "laid", "--json", "--file", "rows.csv"], options].concat());
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    };
    for options in [&[][..], &["--labels"]] {
        let lines = predicted(options);
        let without: Vec<&Value> =
            lines.iter().filter(|line| line["label"].is_null()).map(|line| &line["line"]).collect();
        assert_eq!((lines.len(), without), (7, vec![&json!(8)]), "{options:?}");
    }
    let (code, said) = sandbox.says(&["predict", "laid", "--file", "rows.csv"]);
    assert!(code == 0 && said.contains("1 row without a text (line 8): it has no label in the results"), "{said}");
    let eval = sandbox.json(&["eval", "laid", "--file", "rows.csv"]);
    assert_eq!((&eval["metrics"]["rows"], &eval["read_as"]["missing"]), (&json!(6), &json!(["无"])));
    assert_eq!(
        (&eval["read_as"]["text_columns"], &eval["read_as"]["label_columns"]),
        (&json!(["review"]), &json!(["label"]))
    );
    // A text that is given by itself is one, whatever it is.
    assert!(sandbox.json(&["predict", "laid", "无"])[0]["label"].is_string());
}
