//! Targets of several labels and of numbers. The files were written by pandas, openpyxl, pyarrow and Python's own modules
//! (tests/fixtures/targets/make.py).

mod refused;

use std::path::PathBuf;

use taper::{
    data::{DataFiles, Dataset, Layout, Origin, TargetColumns, Wording, read, read_files, read_labelled, split},
    plan::DataConfig,
    task::{Target, Task},
};

use super::{config, file, labels};

const LABELS: [&str; 3] = ["价格", "味道", "服务"];

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/targets").join(name)
}

fn names(of: &[&str]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

fn of(task: Task) -> DataConfig {
    DataConfig { text_column: "text".into(), problem_type: task, ..config() }
}

/// Labels in one column.
fn tags(separator: Option<&str>) -> DataConfig {
    DataConfig { label_column: "tags".into(), label_separator: separator.map(Into::into), ..of(Task::MultiLabel) }
}

/// A column for each label.
fn flags(columns: &[&str]) -> DataConfig {
    DataConfig { label_column: String::new(), label_columns: names(columns), ..of(Task::MultiLabel) }
}

/// Numbers in these columns.
fn numbers(columns: &[&str]) -> DataConfig {
    match columns {
        [one] => DataConfig { label_column: (*one).into(), ..of(Task::Regression) },
        several => DataConfig { label_column: String::new(), label_columns: names(several), ..of(Task::Regression) },
    }
}

fn targets(data: &Dataset) -> Vec<Target> {
    data.rows.iter().map(|row| row.target.clone()).collect()
}

/// The targets of a file of this text.
fn read_text(name: &str, text: &str, config: &DataConfig) -> Dataset {
    let (_dir, path) = file(name, text);
    read(&path, config).unwrap_or_else(|error| panic!("{error}"))
}

fn with(ids: &[u32]) -> Target {
    Target::labels(ids.to_vec())
}

fn messages(data: &Dataset) -> Vec<&str> {
    data.warnings.iter().map(|warning| warning.message.as_str()).collect()
}

const PARQUET: [&str; 4] = ["pandas.parquet", "arrow.parquet", "decimals.parquet", "integers.parquet"];

#[test]
fn labels_in_one_column_are_the_same_in_every_form() {
    let bar = ["rows.csv", "floats.csv", "rows.xlsx"].map(|name| (name, Some("|")));
    let lists = ["json_lists.csv", "rows.jsonl", "rows.json", "classes.parquet"].into_iter().chain(PARQUET);
    for (name, separator) in bar.into_iter().chain(lists.map(|name| (name, None))) {
        let data = read(&fixture(name), &tags(separator)).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(data.labels, LABELS, "{name}");
        // The row of which no labels are known, too, has none.
        assert_eq!(targets(&data), [with(&[0, 1]), with(&[2]), with(&[]), with(&[0, 1]), with(&[])], "{name}");
        assert_eq!((data.cleaning.missing_text, data.cleaning.missing_label), (1, 0), "{name}");
        assert_eq!(data.class_counts(&[0, 1, 2, 3, 4]), [2, 2, 1], "{name}");
        assert_eq!(messages(&data), [""; 0], "{name}");
    }
}

#[test]
fn columns_of_0_and_1_are_the_same_in_every_form() {
    // In another order than that of the file: that of the spec gives the ids.
    let config = flags(&["服务", "价格", "味道"]);
    let text = ["rows.csv", "json_lists.csv", "floats.csv", "rows.xlsx", "rows.jsonl", "rows.json"];
    for name in text.into_iter().chain(PARQUET) {
        let data = read(&fixture(name), &config).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(data.labels, ["服务", "价格", "味道"], "{name}");
        assert_eq!(targets(&data), [with(&[1, 2]), with(&[0]), with(&[]), with(&[1, 2])], "{name}");
        // All columns of the last row are empty.
        assert_eq!((data.cleaning.missing_text, data.cleaning.missing_label), (1, 1), "{name}");
        assert_eq!(messages(&data), [""; 0], "{name}");
    }
    let named = DataConfig { labels: labels(&[("服务", "service"), ("味道", "taste")]), ..config };
    assert_eq!(read(&fixture("rows.csv"), &named).unwrap().labels, ["service", "价格", "taste"]);
}

/// float16, whose largest number is 65504, and whose smallest is 2^-24.
#[test]
fn numbers_of_half_precision_are_read() {
    let data = read(&fixture("halves.parquet"), &numbers(&["score"])).unwrap_or_else(|error| panic!("{error}"));
    let want = [4.5, -1.0, 0.0999755859375, 65504.0, 2f64.powi(-24)];
    assert_eq!(targets(&data), want.map(|score| Target::values(vec![score])));
    assert_eq!(data.cleaning.missing_label, 1);
}

#[test]
fn numbers_are_the_same_in_every_form() {
    let text = ["rows.csv", "json_lists.csv", "floats.csv", "rows.xlsx", "rows.jsonl", "rows.json"];
    let want = [[4.5, -1.0], [1.0, 0.25], [3.0, 0.001], [12.75, 100.0]];
    for name in text.into_iter().chain(PARQUET) {
        let data = read(&fixture(name), &numbers(&["score"])).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(data.labels, ["score"], "{name}");
        assert_eq!(targets(&data), want.map(|[score, _]| Target::values(vec![score])), "{name}");
        assert_eq!((data.cleaning.missing_text, data.cleaning.missing_label), (1, 1), "{name}");
        assert_eq!(messages(&data), [""; 0], "{name}");
        let data = read(&fixture(name), &numbers(&["change", "score"])).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(data.labels, ["change", "score"], "{name}");
        assert_eq!(targets(&data), want.map(|[score, change]| Target::values(vec![change, score])), "{name}");
    }
}

/// An empty list is known to have no labels; a field that is absent, or a value of `data.missing`, is not known.
#[test]
fn rows_without_labels_stay_and_rows_of_which_nothing_is_known_do_not() {
    let lines = "{\"text\": \"a\", \"tags\": []}\n{\"text\": \"b\"}\n{\"text\": \"c\", \"tags\": null}\n{\"text\": \"d\", \"tags\": \" \"}\n\
                 {\"text\": \"e\", \"tags\": [\"x\", \"\", \" y \"]}\n{\"text\": \"f\", \"tags\": 7}\n";
    let data = read_text("a.jsonl", lines, &tags(None));
    assert_eq!(data.labels, ["7", "x", "y"]);
    assert_eq!(targets(&data), [with(&[]), with(&[]), with(&[]), with(&[1, 2]), with(&[0])]);
    assert_eq!(data.cleaning.missing_label_lines, [2]);
    let missing = DataConfig { missing: names(&["?"]), ..tags(Some(";")) };
    let data = read_text("a.csv", "text,tags\na,\nb,?\nc,x; ;y;x\nd,\";\"\ne,y\n", &missing);
    assert_eq!(targets(&data), [with(&[]), with(&[0, 1]), with(&[]), with(&[1])]);
    assert_eq!(data.cleaning.missing_label_lines, [3]);
    let missing = DataConfig { missing: names(&["?", "9"]), ..flags(&["x", "y"]) };
    let data = read_text("a.csv", "text,x,y\na,0,0\nb,?,9\nc,1,0\n", &missing);
    assert_eq!(targets(&data), [with(&[]), with(&[0])]);
    assert_eq!(data.cleaning.missing_label_lines, [3]);
    let missing = DataConfig { missing: names(&["NaN"]), ..numbers(&["score"]) };
    let data = read_text("a.csv", "text,score\na,NaN\nb,2\nc,-1\n", &missing);
    assert_eq!((targets(&data).len(), data.cleaning.missing_label_lines), (2, vec![2]));
}

#[test]
fn a_text_without_a_separator_is_one_label() {
    let data = read_text("a.csv", "text,tags\na,food\nb,\nc,food + price\n", &tags(None));
    assert_eq!(data.labels, ["food", "food + price"]);
    assert_eq!(targets(&data), [with(&[0]), with(&[]), with(&[1])]);
    // One label alone can be learnt: a text has it or not.
    let data = read_text("a.csv", "text,tags\na,spam\nb,\nc,spam\n", &tags(None));
    assert_eq!((data.labels.len(), targets(&data)), (1, vec![with(&[0]), with(&[]), with(&[0])]));
    // What is in a list is not divided.
    let data = read_text(
        "a.jsonl",
        "{\"text\":\"a\",\"tags\":[\"x|y\"]}\n{\"text\":\"b\",\"tags\":\"x|y\"}\n",
        &tags(Some("|")),
    );
    assert_eq!((data.labels, data.rows[1].target.ids()), (names(&["x", "x|y", "y"]), &[0, 2][..]));
}

/// The ids of labels in lists are those of their sorted values, numbers by size.
#[test]
fn labels_have_the_ids_of_their_sorted_values() {
    let lines =
        "{\"text\":\"a\",\"tags\":[10, 9]}\n{\"text\":\"b\",\"tags\":[2, 10]}\n{\"text\":\"c\",\"tags\":[\"b\", 9]}\n";
    let data = read_text("a.jsonl", lines, &tags(None));
    assert_eq!(data.labels, ["2", "9", "10", "b"]);
    assert_eq!(targets(&data), [with(&[1, 2]), with(&[0, 2]), with(&[1, 3])]);
    let given = DataConfig { labels: labels(&[("10", "ten"), ("9", "nine"), ("2", "two"), ("b", "B")]), ..tags(None) };
    let data = read_text("a.jsonl", lines, &given);
    assert_eq!(data.labels, ["two", "nine", "ten", "B"]);
    assert_eq!(targets(&data), [with(&[1, 2]), with(&[0, 2]), with(&[1, 3])]);
}

#[test]
fn files_of_other_splits_have_the_same_ids() {
    let (_a, train) = file("train.csv", "text,tags,score\na,x;z,1\nb,y,2\nc,,3\n");
    let (_b, test) = file("test.csv", "text,tags,score\nd,z;y,5\ne,,7\n");
    let files = DataFiles { source: vec![train], test: vec![test], ..DataFiles::default() };
    let data = read_files(&files, &tags(Some(";"))).unwrap();
    assert_eq!((data.labels.clone(), data.test.clone()), (names(&["x", "y", "z"]), vec![3, 4]));
    assert_eq!(targets(&data), [with(&[0, 2]), with(&[1]), with(&[]), with(&[1, 2]), with(&[])]);
    let data = read_files(&files, &numbers(&["score"])).unwrap();
    assert_eq!(targets(&data), [1.0, 2.0, 3.0, 5.0, 7.0].map(|score| Target::values(vec![score])));
}

/// Groups, a column of splits, a limit and folds: whatever the targets are.
#[test]
fn rows_are_divided_as_those_of_single_labels() {
    let rows = |target: &dyn Fn(usize) -> String| -> String {
        let row = |i: usize| format!("text {i},{},{},{}\n", target(i), if i < 40 { "train" } else { "test" }, i / 4);
        std::iter::once("text,tags,part,author\n".to_owned()).chain((0..60).map(row)).collect()
    };
    let single = rows(&|i| (i % 2).to_string());
    let several = rows(&|i| ["a", "b", "a;b", ""][i % 4].to_owned());
    let scores = rows(&|i| format!("{}.5", i % 7));
    let changes: [&dyn Fn(DataConfig) -> DataConfig; 4] = [
        &|config| DataConfig { dev: 0.1.into(), ..config },
        &|config| DataConfig { limit: Some(30), ..config },
        &|config| DataConfig { group_column: Some("author".into()), ..config },
        &|config| DataConfig { fold: Some("2/5".parse().unwrap()), test: 0.0.into(), ..config },
    ];
    for change in changes {
        let of = |text: &str, config: DataConfig| {
            let config = change(config);
            let data = read_text("a.csv", text, &config);
            let texts =
                |rows: &[u32]| rows.iter().map(|row| data.rows[*row as usize].text.to_string()).collect::<Vec<_>>();
            let splits = split(&data, &config).unwrap();
            [texts(&splits.train), texts(&splits.dev), texts(&splits.test)]
        };
        let want = of(&single, DataConfig { label_column: "tags".into(), ..of_single() });
        assert_eq!(of(&several, tags(Some(";"))), want);
        assert_eq!(of(&scores, numbers(&["tags"])), want);
    }
}

fn of_single() -> DataConfig {
    of(Task::SingleLabel)
}

/// What is legal and probably a mistake: each with what is said.
#[test]
fn doubts_are_said() {
    let csv = |values: &[&str]| -> String {
        let rows = (0..40).map(|i| format!("t{i},\"{}\"\n", values[i % values.len()]));
        std::iter::once("text,tags\n".to_owned()).chain(rows).collect()
    };
    let in_tags = |config: DataConfig| DataConfig { label_column: "tags".into(), ..config };
    let single = in_tags(of_single());
    let cases: Vec<(&[&str], DataConfig, &str)> = vec![
        (
            &["food|price", "food", "price"],
            single.clone(),
            "if a text can have several labels, set data.problem_type = \"multi_label_classification\" and data.label_separator = \"|\"",
        ),
        (
            &["food|price", "food", "price"],
            tags(None),
            "each list counts as one label; to divide them, set data.label_separator = \"|\"",
        ),
        (&["food|price", "food", "price"], tags(Some(";")), "separated by `|`, but data.label_separator is `;`"),
        (
            &["food|price", "Food", "price"],
            tags(Some("|")),
            "labels `Food` (13 rows), `food` (14 rows) look alike but count as 2 classes",
        ),
        (
            &["food|nan", "food", "price"],
            tags(Some("|")),
            "if it is one, list it in data.missing so that the rows are left out",
        ),
        (&["a|b", "a", "a|c"], tags(Some("|")), "every row has the label `a`: there is nothing to learn about it"),
        (
            &["1", "0"],
            in_tags(numbers(&["tags"])),
            "the numbers in column `tags` are only 0 and 1: they look like two classes",
        ),
        (&["2000", "3000", "1000.5"], in_tags(numbers(&["tags"])), "the numbers in column `tags` have the mean 2000"),
    ];
    for (values, config, want) in cases {
        let data = read_text("a.csv", &csv(values), &config);
        let said = messages(&data);
        assert!(said.len() == 1 && said[0].contains(want), "{values:?}: {said:?}\n  expected {want}");
    }
    for (values, config) in [
        (&["food|price", "food", "", "price|service"][..], tags(Some("|"))),
        (&["3.5", "4", "2.25"], numbers(&["tags"])),
        (&["a/b|c", "c", "a/b"], tags(Some("|"))),
    ] {
        assert_eq!(messages(&read_text("a.csv", &csv(values), &config)), [""; 0], "{values:?}");
    }
}

#[test]
fn texts_with_other_targets_are_said() {
    let of = |rows: &str, config: &DataConfig| {
        let data = read_text("a.csv", rows, config);
        let found =
            data.warnings.iter().find(|warning| warning.message.contains("same text")).map(|w| w.message.clone());
        (data.cleaning.duplicates, data.cleaning.contradicting_lines, found)
    };
    let (again, lines, said) = of("text,tags\na,x;y\na,y;x\nb,x\nb,\nc,y\n", &tags(Some(";")));
    assert_eq!((again, lines), (2, vec![4, 5]));
    let want = "2 of 5 rows (lines 4 and 5) have the same text as other rows but different labels: at most 1 of these 2 can be predicted \
                without a mistake. Give each text the same labels, or remove these rows";
    assert_eq!(said.as_deref(), Some(want));
    let (again, lines, said) = of("text,score\na,1\na,1.0\nb,2\nb,2.5\nc,0\n", &numbers(&["score"]));
    assert_eq!((again, lines), (2, vec![4, 5]));
    let want = "2 of 5 rows (lines 4 and 5) have the same text as other rows but a different number: a model can at best learn the mean of \
                each text's numbers. Give each text a single number, or remove these rows";
    assert_eq!(said.as_deref(), Some(want));
}

/// As `taper eval` reads rows to measure a model on.
#[test]
fn rows_are_read_for_a_trained_model() {
    let options = Layout {
        wording: Wording::Run { text: true, text_pair: true, label: true, label_option: "label-column" },
        ..Layout::default()
    };
    let known = labels(&[("x", "x"), ("y", "y")]);
    let (_dir, path) = file("a.csv", "text,tags,x,y,score,other\na,y|x,1,1,3,y\nb,,0,0,4.5,\nc,z,0,2,x,z\n");
    let origin = Origin::File(path.clone());
    let read = |config: &DataConfig, other: Option<&str>| {
        let columns = TargetColumns::of_run(config, other, "--label-column")?;
        read_labelled(&origin, &options, "text", columns, &known)
            .map_err(|error| error.to_string().replace(&path.display().to_string(), "a.csv"))
    };
    let all = read(&tags(Some("|")), None).unwrap_err();
    assert_eq!(
        all,
        "a.csv: 1 row cannot be used\n  line 4: label `z` (column `tags`) is not a label of the model, whose labels are `x`, `y`"
    );
    assert!(read(&tags(Some("|")), Some("other")).unwrap_err().contains("label `z` (column `other`)"));
    assert!(read(&flags(&["x", "y"]), None).unwrap_err().ends_with("line 4: `y` is `2`, expected 0 or 1"));
    assert!(
        read(&numbers(&["score"]), None)
            .unwrap_err()
            .ends_with("line 4: `score` is `x`, expected a number such as 3.5")
    );
    let columns = read(&numbers(&["x", "y"]), None).unwrap();
    assert_eq!((columns.rows[2].target.numbers(), columns.labels.len()), (&[0.0, 2.0][..], 2));
    assert_eq!(
        read(&numbers(&["x", "y"]), Some("score")).unwrap_err(),
        "--label-column names one column, but the model predicts 2 numbers (`x`, `y`), each in a column of its own: leave it out, and give \
         the columns of the file these names"
    );
    assert!(read(&flags(&["x", "w"]), None).unwrap_err().contains("no column `w`, which the run's spec names"));
}
