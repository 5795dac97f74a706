//! `--no-texts`: no text of a data row is in any file of a report or a comparison.

use std::{fs, path::Path};

use super::report_fixtures;
use super::{files_of, typed_fixtures};
use crate::support::{Sandbox, tiny_spec};
use taper::report::{Language, ReportInput, RowName, live_page};

/// What every text of the data contains, and nothing else does.
const MARK: &str = "uniquemarker";

const CLASSES: &str = tiny_spec!(
    "classes",
    "label_column = \"label\"\nmax_length = 24\n[train]\nmax_steps = 2\n[sweep.axes]\ntrain.lr = [1e-3, 1e-4]\n"
);

/// Puts the mark into the texts of all rows; of pairs, if asked, into both.
fn marked(mut input: ReportInput, pairs: bool) -> ReportInput {
    for run in &mut input.runs {
        if pairs {
            run.run.config.data.text_pair_column = Some("second".into());
        }
        for p in &mut run.predictions {
            p.text = format!("{MARK} {}", p.row);
            p.text_pair = pairs.then(|| format!("{MARK} second {}", p.row));
        }
    }
    input
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.windows(MARK.len()).any(|part| part.eq_ignore_ascii_case(MARK.as_bytes()))
}

#[test]
fn no_file_of_a_report_has_a_text_of_a_row() {
    let inputs = [
        ("single", report_fixtures::single(), false),
        ("pairs", report_fixtures::single(), true),
        ("sweep", report_fixtures::two_rates(), false),
        ("sets", typed_fixtures::sets(), false),
        ("numbers", typed_fixtures::numbers(), false),
        ("folds", typed_fixtures::sets_folds(), false),
    ];
    for (name, input, pairs) in inputs {
        let input = marked(input, pairs);
        let predicted = input.runs.iter().any(|run| !run.predictions.is_empty());
        let with = files_of(&input);
        assert_eq!(has_mark(&with["predictions.csv"]), predicted, "{name}");
        assert!(!String::from_utf8_lossy(&with["report.html"]).contains("were left out of this report"), "{name}");
        let input = input.without_texts();
        let files = files_of(&input);
        for (file, bytes) in &files {
            assert!(!has_mark(bytes), "{name}: {file}");
        }
        assert!(files.keys().eq(with.keys()), "{name}");
        if pairs {
            assert_eq!(files, files_of(&input), "{name}: other bytes the second time");
        }
        for page in ["report.html", "report.md"] {
            assert!(String::from_utf8_lossy(&files[page]).contains("were left out of this report"), "{name}: {page}");
        }
        assert!(!has_mark(live_page(&input).unwrap().html.as_bytes()), "{name}");
    }
}

#[test]
fn rows_are_named_by_file_and_line() {
    let input = report_fixtures::single().without_texts();
    let (run, p) = (&input.runs[0], &input.runs[0].predictions[0]);
    let name = run.row_names.of(p).unwrap();
    assert_eq!((&name.file[..], name.line, name.version), ("waimai_10k.csv", p.line, 1));
    assert_eq!((&p.text, &p.text_pair), (&name.said(), &None));
    assert!(run.predictions.iter().all(|p| run.row_names.of(p).is_some_and(|name| name.version == 1)));
}

/// Pages say the name in their language, tables for programs in English.
#[test]
fn a_name_of_a_row_is_said_in_the_language_of_the_page() {
    let name = |version| RowName { file: "rows.csv".into(), line: 12, version };
    let said = |language: Language| language.during(|| [1, 2].map(|version| name(version).said()));
    assert_eq!(said(Language::English), ["rows.csv, line 12", "rows.csv, line 12 (version 2)"]);
    assert_eq!(said(Language::Chinese), ["rows.csv 第 12 行", "rows.csv 第 12 行（版本 2）"]);
}

/// What a text says decides nothing: one that reads like the name of a row is shown as it is.
#[test]
fn a_text_that_reads_like_a_name_is_a_text() {
    let mut input = report_fixtures::single();
    for p in &mut input.runs[0].predictions {
        p.text = format!("waimai_10k.csv, line {}", p.line);
    }
    let has_names = |input: &ReportInput| {
        let files = Language::Chinese.during(|| files_of(input));
        let page = String::from_utf8_lossy(&files["report.md"]).into_owned();
        ["10k.csv, line ", "10k.csv 第 "].map(|name| page.contains(name))
    };
    assert_eq!(has_names(&input), [true, false]);
    assert_eq!(has_names(&input.without_texts()), [false, true]);
}

/// Two runs on the same lines of files with other texts are not evaluated on the same rows, also without their texts.
#[test]
fn other_texts_on_the_same_lines_stay_other_rows() {
    let mut input = report_fixtures::two_rates();
    let same = input.clone().without_texts();
    assert_eq!(same.runs[0].predictions[0].text, same.runs[1].predictions[0].text);
    input.runs[1].predictions[0].text.push('!');
    let other = input.without_texts();
    assert_ne!(other.runs[0].predictions[0].text, other.runs[1].predictions[0].text);
    assert_eq!(other.runs[0].predictions[1].text, other.runs[1].predictions[1].text);
}

fn check(folder: &Path, found: &mut usize) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        match entry.path() {
            path if path.is_dir() => check(&path, found),
            path => {
                assert!(!has_mark(&fs::read(&path).unwrap()), "{}", path.display());
                *found += 1;
            }
        }
    }
}

/// From training on: rows that repeat, that contradict each other, and that are dropped.
#[test]
fn the_commands_leave_texts_out() {
    let sandbox = Sandbox::new();
    let mut rows = String::from("label,review\n");
    for row in 0..60 {
        rows.push_str(&format!("{},{MARK} {}\n", row % 2, row % 45));
    }
    rows.push_str(&format!(",{MARK} without a label\n"));
    sandbox.write("rows.csv", &rows);
    sandbox.write("a.toml", CLASSES);
    sandbox.ok(&["run", "a.toml", "--quiet"]);
    sandbox.ok(&["report", "classes", "--out", "one", "--no-texts"]);
    sandbox.ok(&["report", "--all", "--out", "all", "--no-texts"]);
    let said = sandbox.ok(&["compare", "classes#1", "classes#2", "--no-texts"]);
    let json = sandbox.ok(&["compare", "classes#1", "classes#2", "--no-texts", "--json"]);
    sandbox.ok(&["compare", "classes#1", "classes#2", "--no-texts", "--html", "one/compare.html"]);
    assert!(!has_mark(said.as_bytes()) && !has_mark(json.as_bytes()), "{said}{json}");
    let mut found = 0;
    check(&sandbox.path("one"), &mut found);
    check(&sandbox.path("all"), &mut found);
    assert!(found > 40, "{found}");
    let page = fs::read_to_string(sandbox.path("one/compare.html")).unwrap();
    assert!(page.contains("were left out of this page"), "{page}");
    sandbox.ok(&["report", "classes", "--out", "texts"]);
    assert!(has_mark(&fs::read(sandbox.path("texts/predictions.csv")).unwrap()));
}
