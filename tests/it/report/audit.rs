//! The section on the data: what was read, dropped and noticed, and the splits, against what is known of the files.

use std::fs;

use sha2::{Digest, Sha256};
use taper::{
    event::{Split, SplitTexts, TextLengths},
    store::{AuditedFile, AuditedLeak, AuditedSource, AuditedSplit, DataAudit, FoundRows},
};

use super::{
    files_of,
    report_fixtures::{Recipe, experiment, single},
    text,
};
use crate::support::Sandbox;

/// A text of so many characters: one token each, between two special ones.
fn chinese(i: u32, characters: u32) -> String {
    let of = |k: u32| char::from_u32(0x4E00 + i * 12 + k).expect("a Chinese character");
    (0..characters).map(of).collect()
}

/// Texts of 1 to 7 characters, of which every third is negative, for train (30) and dev (10); then what is wrong with the file.
fn rows() -> String {
    let mut file = "part,label,review\n".to_owned();
    for i in 0..40 {
        let (part, label) = (if i < 30 { "train" } else { "dev" }, if i % 3 == 0 { "neg" } else { "pos" });
        file += &format!("{part},{label},{}\n", chinese(i, i % 7 + 1));
    }
    // Lines 42 to 46.
    file += "train,pos,\n";
    file += "train,,没有标签\n";
    file += "dev,pos,\n";
    // The text of line 8, once more, which is negative; that of line 9, which is not.
    file += &format!("train,neg,{}\n", chinese(6, 7));
    file += &format!("dev,neg,{}\n", chinese(7, 1));
    file
}

/// Of the four rows with a label, one has a text of train, and one a text of dev.
fn test_rows() -> String {
    let [train, dev] = [chinese(1, 2), chinese(33, 6)];
    format!("label,review\npos,{train}\nneg,{dev}\npos,新的\n,不知道\nneg,ok FINE\n")
}

/// A model of one step, from the rest of `[data]` on.
fn spec(data: &str) -> String {
    format!(
        "name = \"d\"\n[model]\nsource = \"scratch:tiny\"\nvocab_size = 4000\n[data]\nsource = \"path:rows.csv\"\ntext_column = \
         \"review\"\n{data}"
    )
}

/// The cells of the section on the data in the Markdown page, by the first of each row.
fn cells(md: &str) -> Vec<Vec<String>> {
    let section = md.split("\n## Data\n").nth(1).expect("a section on the data").split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with('|') && !line.starts_with("|--") && *line != "| | |");
    rows.map(|line| {
        line.trim_matches('|').split(" |").map(|cell| cell.trim_matches([' ', '|']).replace('\\', "")).collect()
    })
    .collect()
}

fn row<'a>(cells: &'a [Vec<String>], name: &str) -> &'a [String] {
    cells.iter().find(|row| row[0] == name).map(|row| &row[1..]).unwrap_or_else(|| panic!("no row {name}: {cells:#?}"))
}

fn page(sandbox: &Sandbox) -> String {
    sandbox.ok(&["report", "d", "--out", "report"]);
    fs::read_to_string(sandbox.path("report/report.md")).unwrap()
}

#[test]
fn the_section_has_what_is_known_of_the_files() {
    let sandbox = Sandbox::new();
    sandbox.write("rows.csv", rows());
    sandbox.write("test.csv", test_rows());
    sandbox.write(
        "d.toml",
        spec(
            "test = \"path:test.csv\"\nsplit_column = \"part\"\nsplits = { train = \"train\", dev = \"dev\" \
             }\nmax_length = 6\n[train]\nepochs = 1\nbatch_size = 8\n",
        ),
    );
    sandbox.ok(&["run", "d.toml", "--quiet"]);
    let md = page(&sandbox);
    let cells = cells(&md);
    let digest = |file: String| Sha256::digest(file).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected = [
        ["Rows read", "45"],
        ["Dropped, without a text", "2 (lines 42 and 44)"],
        ["Dropped, without a label", "1 (line 43)"],
        ["Rows used", "42"],
        ["SHA-256", &digest(rows())],
        ["Rows read", "5"],
        ["Dropped, without a label", "1 (line 5)"],
        ["SHA-256", &digest(test_rows())],
        ["Repeats", "rows that repeat an earlier text: 2"],
        ["Contradictions", "texts with different labels: 1; their rows: 2 (lines 9 and 46)"],
    ];
    assert_eq!(cells[..expected.len()], expected.map(|row| row.map(String::from).to_vec()));
    // A table for each file, one for all rows, one for the splits.
    let titles: Vec<&str> = md.lines().filter(|line| line.starts_with("#### ")).collect();
    assert_eq!(
        titles,
        ["#### data.source = path:rows.csv", "#### data.test = path:test.csv", "#### All rows together", "#### Splits"]
    );
    // Train: rows 0 to 29 and a seventh character; dev: rows 30 to 39 and a text of train.
    let lengths = |rows: std::ops::Range<u32>, more: u32| {
        let mut tokens: Vec<u32> = rows.map(|i| i % 7 + 1 + 2).chain([more]).collect();
        tokens.sort_unstable();
        tokens
    };
    let [train, dev, test] = [lengths(0..30, 9), lengths(30..40, 3), vec![4, 4, 4, 8]];
    let all = [&train, &dev, &test];
    let at = |percent: usize| all.map(|tokens| tokens[(tokens.len() * percent).div_ceil(100) - 1].to_string());
    assert_eq!(row(&cells, "Rows"), ["31", "11", "4"]);
    assert_eq!(row(&cells, "“neg”"), ["35.5%", "45.5%", "50.0%"], "11 of 31, 5 of 11, 2 of 4");
    assert_eq!(row(&cells, "“pos”"), ["64.5%", "54.5%", "50.0%"]);
    assert_eq!(row(&cells, "Text also in train"), ["–", "1 (9.1%)", "1 (25.0%)"]);
    assert_eq!(row(&cells, "Text also in dev"), ["–", "–", "1 (25.0%)"]);
    assert_eq!(row(&cells, "Tokens, median"), at(50));
    assert_eq!(row(&cells, "Tokens, 95th percentile"), at(95));
    assert_eq!(row(&cells, "Tokens, longest text"), at(100));
    let cut = all.map(|tokens| {
        let cut = tokens.iter().filter(|tokens| **tokens > 6).count();
        format!("{cut} ({:.1}%)", 100.0 * cut as f64 / tokens.len() as f64)
    });
    assert_eq!(row(&cells, "Texts cut to 6 tokens"), cut);

    // The same records give the same bytes; a command that finds nothing to do changes none of them.
    let files = |folder: &str| {
        sandbox.ok(&["report", "d", "--out", folder]);
        ["report.md", "report.html"].map(|name| fs::read(sandbox.path(&format!("{folder}/{name}"))).unwrap())
    };
    let before = files("a");
    sandbox.ok(&["run", "d.toml", "--quiet"]);
    assert!(before == files("b"));

    // Records of before have no such section, until the run is planned again.
    let database = rusqlite::Connection::open(sandbox.path("runs/taper.db")).unwrap();
    database.execute_batch("UPDATE runs SET audit = NULL").unwrap();
    assert!(!page(&sandbox).contains("## Data"));
    sandbox.ok(&["run", "d.toml", "--quiet"]);
    assert_eq!(page(&sandbox), md);
}

/// Splits of several seeds are not those of one: what differs is a range.
#[test]
fn splits_of_several_seeds_are_ranges() {
    let sandbox = Sandbox::new();
    let file: String =
        (0..40).map(|i| format!("{},{}\n", if i % 5 == 0 { "neg" } else { "pos" }, chinese(i, i % 7 + 1))).collect();
    sandbox.write("rows.csv", format!("label,review\n{file}"));
    let sweep = "[train]\nepochs = 1\n[sweep.axes]\ndata.seed = [1, 2, 3]\ndata.max_length = [6, 16]\n";
    sandbox.write("d.toml", spec(&format!("test = 0.25\n{sweep}")));
    sandbox.ok(&["run", "d.toml", "--quiet"]);
    let md = page(&sandbox);
    let section = md.split("\n## Data\n").nth(1).unwrap().split("\n## ").next().unwrap().replace('\\', "");
    assert_eq!(section.matches("#### data.source = ").count(), 1, "one data set: {section}");
    assert_eq!(section.matches("| Rows |").count(), 2, "two lengths: {section}");
    assert_eq!(section.matches("“a–b”: from the lowest to the highest value over 3 values of data.seed.").count(), 2);
    assert!(
        section.contains("#### Splits of seed=1 max_length=6; seed=2 max_length=6; seed=3 max_length=6\n"),
        "{section}"
    );
    // As the plan has the rows.
    let negative: Vec<u64> = sandbox.json(&["plan", "d.toml"])["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["data"]["rows_of_label_by_split"]["test"][0].as_u64().unwrap())
        .collect();
    let share = |rows: Option<&u64>| format!("{:.1}", 10.0 * *rows.unwrap() as f64);
    let (low, high) = (share(negative.iter().min()), share(negative.iter().max()));
    assert_ne!(low, high, "the seeds draw other rows: {negative:?}");
    assert_eq!(row(&cells(&md), "“neg”")[1], format!("{low}–{high}%"));
    assert_eq!(row(&cells(&md), "Rows"), ["30", "10"]);
}

fn audit() -> DataAudit {
    let file = |i: u32| AuditedFile { name: format!("train-{i:05}.parquet"), sha256: format!("{i:064x}") };
    let split = |split, rows_of_label: Vec<u64>| AuditedSplit {
        split,
        rows: rows_of_label.iter().sum(),
        rows_of_label,
        groups: Some(7),
        without_labels: 0,
        numbers: vec![],
    };
    DataAudit {
        sources: vec![AuditedSource {
            files: (0..6).map(file).collect(),
            read_as: vec!["6 files, <b>a</b> to |z|".into()],
            read: 3000,
            without_pair: FoundRows { rows: 30, lines: (2..22).collect() },
            ..AuditedSource::default()
        }],
        rows: 2970,
        splits: vec![split(Split::Train, vec![1600, 800]), split(Split::Test, vec![450, 150])],
        leaks: vec![AuditedLeak { rows_of: Split::Test, also_in: Split::Train, exact: 0, alike: 6 }],
        ..DataAudit::default()
    }
}

#[test]
fn labels_and_names_cannot_become_markup() {
    let mut input = single();
    input.runs[0].run.labels = vec!["<img src=x onerror=alert(1)>".into(), "a|b `c`".into()];
    input.runs[0].audit = Some(audit());
    let files = files_of(&input);
    let html = text(&files, "report.html");
    let section = html.split(">Data</h2>").nth(1).unwrap().split("<h2").next().unwrap();
    assert!(!html.contains("<img") && !html.contains("<b>a</b>"), "{section}");
    assert!(section.contains("“&#60;img src=x onerror=alert(1)&#62;”"), "{section}");
    let cells = cells(text(&files, "report.md"));
    assert_eq!(row(&cells, "“&lt;img src=x onerror=alert(1)&gt;”"), ["66.7%", "75.0%"]);
    assert!(text(&files, "report.md").contains("| “a\\|b \\`c\\`” | 33.3% | 25.0% |"));
    assert!(text(&files, "report.md").contains("| Read | 6 files, &lt;b&gt;a&lt;/b&gt; to \\|z\\| |"));
    assert_eq!(row(&cells, "Dropped, without a second text"), ["30 (lines 2, 3, 4, 5, 6 and 25 more)"]);
    assert_eq!(row(&cells, "SHA-256 of train-00003.parquet"), [format!("{:064x}", 3)]);
    assert_eq!(
        row(&cells, "and 2 more files"),
        ["their digests are included in the digest of the data, under Reproduce"]
    );
    assert_eq!(row(&cells, "Groups"), ["7", "7"]);
    assert_eq!(row(&cells, "The same if case and spaces are ignored"), ["–", "6 (1.0%)"]);
}

/// Every split is compared with those before it: a number that is 0 is said wherever another is not.
#[test]
fn a_split_without_texts_of_another_has_0() {
    let rows_of = |rows: u64, leaks: &[(Split, Split)]| -> Vec<Vec<String>> {
        let mut found = audit();
        let dev = AuditedSplit {
            split: Split::Dev,
            rows,
            rows_of_label: vec![rows, 0],
            groups: Some(7),
            without_labels: 0,
            numbers: vec![],
        };
        found.splits.insert(1, dev);
        found.leaks = leaks
            .iter()
            .map(|(rows_of, also_in)| AuditedLeak { rows_of: *rows_of, also_in: *also_in, exact: 3, alike: 6 })
            .collect();
        let mut input = single();
        input.runs[0].audit = Some(found);
        let cells = cells(text(&files_of(&input), "report.md"));
        cells.into_iter().filter(|row| row[0].starts_with("Text also") || row[0].starts_with("The same")).collect()
    };
    let same = |name: &str, cells: [&str; 3]| -> Vec<String> {
        [&[name][..], &cells].concat().into_iter().map(String::from).collect()
    };
    let (text_in, alike) = ("Text also in train", "The same if case and spaces are ignored");
    let found = rows_of(200, &[(Split::Test, Split::Train)]);
    assert_eq!(found, [same(text_in, ["–", "0", "3 (0.5%)"]), same(alike, ["–", "0", "6 (1.0%)"])]);
    let found = rows_of(200, &[(Split::Dev, Split::Train)]);
    assert_eq!(found, [same(text_in, ["–", "3 (1.5%)", "0"]), same(alike, ["–", "6 (3.0%)", "0"])]);
    // No texts are in dev, and dev has none.
    let found = rows_of(0, &[(Split::Test, Split::Train)]);
    assert_eq!(found[0], same(text_in, ["–", "–", "3 (0.5%)"]));
}

/// With many labels the first ones are listed; of runs of which nothing is stored that is said; very long texts have bounds.
#[test]
fn long_lists_are_cut_and_runs_of_before_are_named() {
    let run = |name: &str| Recipe { seed: name.len() as u64, ..Recipe::new(name, &["a", "b"]) }.completed();
    let (mut one, old) = (run("one"), run("older"));
    one.run.labels = (0..30).map(|i| format!("label {i}")).collect();
    let rows_of_label: Vec<u64> = (0..30).map(|i| if i < 11 { 10 } else { 2 }).collect();
    let mut found = audit();
    found.splits = vec![AuditedSplit {
        split: Split::Train,
        rows: rows_of_label.iter().sum(),
        rows_of_label,
        groups: None,
        without_labels: 0,
        numbers: vec![],
    }];
    one.audit = Some(found);
    let lengths = Some(TextLengths { median: 40, p95: 300, longest: 4096 });
    let texts = SplitTexts {
        lengths,
        longer_than_counted: 1,
        uncounted: 48,
        rows_cut: 5,
        ..SplitTexts::new(Split::Train, 148)
    };
    one.run.environment.as_mut().unwrap().texts = vec![texts];
    let md = text(&files_of(&experiment(vec![one, old])), "report.md").to_owned();
    let cells = cells(&md);
    assert_eq!(row(&cells, "“label 10”"), ["6.8%"]);
    assert_eq!(row(&cells, "19 other labels together"), ["25.7%"]);
    assert!(!md.contains("“label 11”"));
    assert_eq!(row(&cells, "Tokens, longest text"), ["more than 4,096"]);
    assert_eq!(row(&cells, "Texts cut to 512 tokens"), ["5 (5.0%)"]);
    assert_eq!(row(&cells, "Rows whose tokens were counted"), ["100"]);
    assert!(md.contains("\n1 run was recorded by an earlier version, which did not store this: older.\n"), "{md}");
}

/// Numbers have no labels whose share could be shown. Expected: numpy's mean, std(ddof=1), min and max.
#[test]
fn numbers_have_their_mean_and_their_range() {
    let sandbox = Sandbox::new();
    let stars = [1.0, 2.0, 2.5, 4.0, -5.0];
    let row = |(i, stars): (usize, &f64)| {
        format!("{},{stars},{}\n", if i < 3 { "train" } else { "test" }, chinese(i as u32, 3))
    };
    let file: String = stars.iter().enumerate().map(row).collect();
    sandbox.write("rows.csv", format!("part,stars,review\n{file}"));
    let data = "problem_type = \"regression\"\nlabel_column = \"stars\"\nsplit_column = \"part\"\nsplits = { train = \"train\", test = \
                \"test\" }\nmax_length = 6\n[train]\nepochs = 1\n";
    sandbox.write("d.toml", spec(data));
    sandbox.ok(&["run", "d.toml", "--quiet"]);
    let cells = cells(&page(&sandbox));
    assert_eq!(self::row(&cells, "“stars”, mean (SD)"), ["1.8333 (0.7638)", "−0.5 (6.364)"]);
    assert_eq!(self::row(&cells, "“stars”, lowest to highest"), ["1 to 2.5", "−5 to 4"]);
}

/// Of sets of labels, rows may have none.
#[test]
fn rows_without_labels_are_counted() {
    let mut input = super::typed_fixtures::sets();
    let mut found = audit();
    found.splits.iter_mut().for_each(|split| split.without_labels = split.rows / 4);
    input.runs[0].audit = Some(found);
    let cells = cells(text(&files_of(&input), "report.md"));
    assert_eq!(row(&cells, "Without a label"), ["25.0%", "25.0%"]);
}
