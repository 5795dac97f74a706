//! What is legal and probably a mistake.

use taper::{
    data::{Dataset, read},
    plan::{DataConfig, Quoting},
    warning::Kind,
};

use crate::data::{config, file, labels};

fn data(name: &str, text: &str) -> Dataset {
    let (_dir, path) = file(name, text);
    read(&path, &config()).unwrap()
}

/// Messages of a kind.
fn says(data: &Dataset, kind: Kind) -> Vec<&str> {
    data.warnings.iter().filter(|warning| warning.kind == kind).map(|warning| warning.message.as_str()).collect()
}

/// Forty rows with these labels in turn.
fn with_labels(labels: &[&str]) -> Dataset {
    let rows: String = (0..40).map(|i| format!("\"{}\",t{i}\n", labels[i % labels.len()])).collect();
    data("a.csv", &format!("label,review\n{rows}"))
}

#[test]
fn a_sound_file_is_not_warned_of() {
    for labels in [vec!["pos", "neg"], vec!["1", "0", "-1"], vec!["体育", "娱乐", "财经"]] {
        assert_eq!(with_labels(&labels).warnings, [], "{labels:?}");
    }
    let quoted = data("a.csv", "label,review\n1,\"one\ntwo, three\n\nfour\"\n0,\"a\nb\"\n1,c\n");
    assert_eq!(quoted.warnings, []);
}

#[test]
fn labels_that_look_alike_are_shown_with_what_tells_them_apart() {
    for (labels, shown) in [
        (
            ["pos", "neg", "pos\u{200b}"],
            "labels `pos` (14 rows), `pos\\u{200b}` (13 rows) look alike but count as 2 classes",
        ),
        (["1", "0", "1.0"], "labels `1` (14 rows), `1.0` (13 rows) look alike"),
        (["Positive", "neg", "positive"], "labels `Positive` (14 rows), `positive` (13 rows) look alike"),
        (["caf\u{e9}", "the", "cafe\u{301}"], "`cafe\\u{301}` (13 rows), `caf\\u{e9}` (14 rows) look alike"),
    ] {
        let data = with_labels(&labels);
        let found = says(&data, Kind::Labels);
        assert!(found.len() == 1 && found[0].contains(shown), "{found:?}");
        // The rows of the rarer label: each third one.
        assert!(found[0].contains("number format (lines 4, 7, 10, 13, 16 and 8 more)"), "{found:?}");
        assert_eq!(data.warnings[0].lines[..2], [4, 7]);
    }
    // Values that data.labels gives one name are one label.
    let (_dir, path) = file("a.csv", "label,review\n1,a\n1.0,b\n0,c\n");
    let one = DataConfig { labels: labels(&[("1", "pos"), ("1.0", "pos"), ("0", "neg")]), ..config() };
    assert_eq!(read(&path, &one).unwrap().warnings, []);
}

#[test]
fn labels_for_missing_values_give_a_warning_unless_they_are_named() {
    for (values, shown) in [
        (
            ["pos", "nan"],
            "label `nan` (20 rows, lines 3, 5, 7, 9, 11 and 15 more) is treated as a class, but programs often write it for a missing value",
        ),
        (["NA", "pos"], "label `NA` (20 rows"),
        (["None", "null"], "labels `None`, `null` (40 rows"),
        (["<NA>", "1"], "label `<NA>` (20 rows"),
    ] {
        let data = with_labels(&values);
        let found = says(&data, Kind::Labels);
        assert!(found[0].starts_with(shown), "{found:?}");
    }
    let (_dir, path) = file("a.csv", "label,review\nnone,a\nfavor,b\nnone,c\n");
    let meant = DataConfig { labels: labels(&[("none", "none"), ("favor", "favor")]), ..config() };
    assert_eq!(read(&path, &meant).unwrap().warnings, []);
}

#[test]
fn texts_damaged_by_a_wrong_conversion_give_a_warning() {
    // 好吃得很，真的好 and café crème as UTF-8 read as GB18030 and as Windows-1252, by Python's codecs.
    for (text, read_as) in [("濂藉悆寰楀緢锛岀湡鐨勫ソ", "GB18030"), ("cafÃ© crÃ¨me", "Windows-1252")] {
        let found = data("a.csv", &format!("label,review\n1,好吃\n0,{text}\n1,慢\n0,{text}\n"));
        let want = format!("2 rows (lines 3 and 5) look like UTF-8 misread as {read_as} by");
        assert!(says(&found, Kind::DataFile)[0].starts_with(&want), "{:?}", found.warnings);
    }
}

#[test]
fn texts_with_several_labels_give_a_warning() {
    let pairs: String = (0..20).map(|i| format!("1,t{i}\n0,t{i}\n")).collect();
    let found = data("a.csv", &format!("label,review\n{pairs}"));
    let want = "40 of 40 rows (lines 2, 3, 4, 5, 6 and 35 more) have the same text as other rows but a different label: at most 20 of these 40";
    assert!(says(&found, Kind::Labels)[0].starts_with(want), "{:?}", found.warnings);
    assert_eq!((found.cleaning.duplicates, found.cleaning.contradicting), (20, 20));
    let same = data("a.csv", &format!("label,review\n{}", "1,好\n0,好\n".repeat(20)));
    assert!(
        says(&same, Kind::Labels)[0].starts_with("all 40 rows have the same text but different labels"),
        "{:?}",
        same.warnings
    );
    // Repeated with the same label, or a doubt or two in a hundred: no mistake of the file.
    assert_eq!(data("a.csv", &format!("label,review\n{}", "1,a\n0,b\n".repeat(20))).warnings, []);
    let one: String = (0..99).map(|i| format!("{},t{i}\n", i % 2)).collect();
    assert_eq!(data("a.csv", &format!("label,review\n{one}1,t0\n")).warnings, []);
}

#[test]
fn a_column_without_labels_gives_a_warning() {
    let ids: String = (0..50).map(|i| format!("u{i}x,t\n")).collect();
    assert!(says(&data("a.csv", &format!("label,review\n{ids}")), Kind::Labels)[0].contains("looks like an id"));
    let amounts: String = (0..100).map(|i| format!("{}.{},t\n", i % 5, i % 9 + 1)).collect();
    assert!(says(&data("a.csv", &format!("label,review\n{amounts}")), Kind::Labels)[0].contains("regression"));
    let lists = with_labels(&["food", "service", "food,service"]);
    assert!(says(&lists, Kind::Labels)[0].contains("look like lists of several labels, separated by `,`"));
    let typing: String = (0..400)
        .map(|i| {
            format!(
                "{},t{i}\n",
                if i == 7 {
                    "positve"
                } else if i % 2 == 0 {
                    "positive"
                } else {
                    "negative"
                }
            )
        })
        .collect();
    assert!(
        says(&data("a.csv", &format!("label,review\n{typing}")), Kind::Labels)[0]
            .starts_with("label `positve` (1 row, line 9) is possibly a misspelt `positive` (200 rows)")
    );
}

#[test]
fn too_many_labels_are_refused() {
    let rows: String = (0..10_001).map(|i| format!("id{i},t\nid{i},t\n")).collect();
    let (_dir, path) = file("a.csv", format!("label,review\n{rows}"));
    let error = read(&path, &config()).unwrap_err().to_string();
    assert!(
        error.ends_with(
            "column `label` has more than 10000 different values, too many for labels; does data.label_column name the \
             right column?"
        ),
        "{error}"
    );
    let enough: String = (0..10_000).map(|i| format!("id{i},t\nid{i},t\n")).collect();
    let (_dir, path) = file("a.csv", format!("label,review\n{enough}"));
    assert_eq!(read(&path, &config()).unwrap().labels.len(), 10_000);
}

#[test]
fn invisible_texts_are_kept_with_a_warning() {
    let data = data("a.csv", "label,review\n1,a\n0,\u{200b}\n1,\u{feff} \u{ad}\n0,b\n");
    assert_eq!((data.rows.len(), data.cleaning.missing_text), (4, 0), "rows are what they were");
    let found = says(&data, Kind::DataFile);
    assert!(
        found[0].starts_with("2 rows with texts consisting only of invisible characters (lines 3 and 4): "),
        "{found:?}"
    );
    assert_eq!(data.warnings[0].lines, [3, 4]);
}

/// Thirty rows, two of which begin with a quotation mark that means nothing.
fn marks(delimiter: char, second: &str, label_first: bool) -> String {
    let row = |text: &str, label: &str| match label_first {
        true => format!("{label}{delimiter}{text}\n"),
        false => format!("{text}{delimiter}{label}\n"),
    };
    let text = |i: usize| match i {
        4 => "\"很好".into(),
        11 => second.to_owned(),
        i => format!("评论{i}"),
    };
    row("review", "label") + &(0..30).map(|i| row(&text(i), ["pos", "neg"][i % 2])).collect::<String>()
}

#[test]
fn rows_that_a_quote_has_swallowed_give_a_warning_and_can_be_read() {
    for (name, delimiter) in [("a.tsv", '\t'), ("a.csv", ',')] {
        for label_first in [false, true] {
            // A second mark that opens nothing, and one that ends a text: both close what the first opened.
            for second in ["\"又一个", "结尾\""] {
                let text = marks(delimiter, second, label_first);
                let (_dir, path) = file(name, &text);
                let found = read(&path, &config()).unwrap();
                assert_eq!(found.rows.len(), 23);
                let warning = &found.warnings[0];
                assert!(
                    warning.message.starts_with(
                        "the quoted field on line 6 contains 7 line breaks and what look like separate rows"
                    ),
                    "{:?}",
                    found.warnings
                );
                assert!(warning.message.ends_with("set data.quoting = \"none\"") && warning.lines == [6]);
                let unquoted = read(&path, &DataConfig { quoting: Quoting::None, ..config() }).unwrap();
                assert_eq!((unquoted.rows.len(), unquoted.warnings.len()), (30, 0));
                assert_eq!((unquoted.rows[4].text.as_str(), unquoted.rows[11].text.as_str()), ("\"很好", second));
            }
        }
    }
    // Two neighbouring rows: one line break alone.
    let near = data("a.csv", "review,label\na,1\nb,0\n\"c,1\n\"d,0\ne,1\n");
    assert_eq!(near.rows.len(), 4);
    assert!(
        says(&near, Kind::DataFile)[0].starts_with("the quoted field on line 4 contains 1 line break and"),
        "{:?}",
        near.warnings
    );
}

/// Pandas reads the column as `review`, too.
#[test]
fn a_mark_in_the_header_is_none_of_the_first_row() {
    let rows = "1,good\n0,bad\n".repeat(20);
    assert_eq!(data("a.csv", &format!("label,\"re\"view\n{rows}")).warnings, []);
    let blanks = "1,\"good\" \n\"0\" ,bad\n".repeat(20);
    assert_eq!(data("a.csv", &format!("label,\"review\" \n{blanks}")).warnings, []);
    let goes_on = data("a.csv", &format!("label,\"re\"view\n1,\"he said \\\"good\\\"\"\n{rows}"));
    let said = says(&goes_on, Kind::DataFile);
    assert!(said.len() == 1 && said[0].starts_with("1 row (line 2) has a quoted field that goes on"), "{said:?}");
}
