//! Files that are read, and files that are refused.

use taper::{
    data::{Cleaning, DataError, Dataset, read},
    plan::{DataConfig, Format},
};

use crate::data::{config, file, labels, shared};

fn ok(name: &str, bytes: impl AsRef<[u8]>) -> Dataset {
    let (_dir, path) = file(name, bytes);
    read(&path, &config()).unwrap()
}

/// The message without the folder.
fn message(name: &str, bytes: impl AsRef<[u8]>, config: &DataConfig) -> String {
    let (dir, path) = file(name, bytes);
    read(&path, config).unwrap_err().to_string().replace(&format!("{}/", dir.path().display()), "")
}

fn refused(name: &str, bytes: impl AsRef<[u8]>) -> String {
    message(name, bytes, &config())
}

/// Line, text and name of the label of each row.
fn rows(data: &Dataset) -> Vec<(u64, &str, &str)> {
    data.rows
        .iter()
        .map(|row| (row.line, row.text.as_str(), data.labels[row.target.ids()[0] as usize].as_str()))
        .collect()
}

#[test]
fn csv_with_quotes_and_embedded_line_ends() {
    let data = ok("a.csv", "label,review\n1,\"好吃,真的\n\n很\"\"好\"\"吃\"\n\n 0 , 慢 \n1,\"x\r\ny\"\n0,末");
    assert_eq!(
        rows(&data),
        [(2, "好吃,真的\n\n很\"好\"吃", "1"), (6, " 慢 ", "0"), (7, "x\r\ny", "1"), (9, "末", "0")]
    );
    assert_eq!(data.cleaning, Cleaning { read: 4, ..Cleaning::default() });
}

#[test]
fn lines_are_right_for_every_line_end() {
    for end in ["\n", "\r\n", "\r"] {
        let text = ["", "label,review", "1,a", "", "", "0,\"b", "c\"", "1,d", "", "0,e", ""].join(end);
        let (data, b) = (ok("a.csv", text), format!("b{end}c"));
        assert_eq!(rows(&data), [(3, "a", "1"), (6, &b, "0"), (8, "d", "1"), (10, "e", "0")], "{end:?}");
    }
    // Far beyond one read of the file.
    let many: String = (0..50_000).map(|i| format!("{},\"行\r\n{i}\"\r\n\r\n", i % 2)).collect();
    let data = ok("a.csv", format!("label,review\r\n{many}"));
    assert_eq!(data.rows.len(), 50_000);
    assert!(data.rows.iter().enumerate().all(|(i, row)| row.line == 2 + 3 * i as u64));
}

#[test]
fn byte_order_mark_and_spaces_in_the_header() {
    let data = ok("a.csv", "\u{feff}label, review ,more\n1,a,\n0,b,x\n");
    assert_eq!(rows(&data), [(2, "a", "1"), (3, "b", "0")]);
    let data = ok("a.csv", "\u{feff}\"label\",review\n1,a\n0,b\n");
    assert_eq!(data.labels, ["0", "1"]);
    let data = ok("a.jsonl", "\u{feff}{\"review\":\"a\",\"label\":1}\n{\"review\":\"b\",\"label\":0}");
    assert_eq!(rows(&data), [(1, "a", "1"), (2, "b", "0")]);
}

#[test]
fn digest_is_that_of_the_file() {
    // printf 'label,review\n1,a\n0,b\n' | sha256sum, and the same with a byte order mark before it
    let text = "label,review\n1,a\n0,b\n";
    assert_eq!(ok("a.csv", text).digest, "2dfc433af509ccbbdbf85abf4039ee640ed5249eb7fc3f398d323e111a5902b7");
    assert_eq!(
        ok("a.csv", format!("\u{feff}{text}")).digest,
        "89f225f5c87967b881db3ab0a05fb321f3acdce36f17b8f4664707f709f70bb3"
    );
}

#[test]
fn tsv_by_ending_or_by_config() {
    let text = "review\tlabel\n\"a\tb\"\tgood\nc, d\tbad\n";
    assert_eq!(rows(&ok("a.TSV", text)), [(2, "a\tb", "good"), (3, "c, d", "bad")]);
    let (_dir, path) = file("a.txt", text);
    let config = DataConfig { format: Some(Format::Tsv), ..config() };
    assert_eq!(read(&path, &config).unwrap().rows.len(), 2);
    assert_eq!(rows(&ok("a.txt", text)).len(), 2, "its header tells it");
    assert_eq!(
        refused("a.txt", "no\theader\n"),
        "a.txt: the format cannot be determined from the file's extension or its first line; set data.format to csv, tsv, jsonl, json, parquet or xlsx"
    );
}

#[test]
fn json_lines() {
    let text = concat!(
        "{\"id\": [1, {\"review\": 2}], \"review\": \"送餐\\n快\", \"label\": 1}\n\n",
        "{\"label\": false, \"review\": \"慢\"}\r\n",
        "{\"label\": \" true \", \"re\\u0076iew\": \"好\"}\n",
        "{\"label\": null, \"review\": \"x\"}\n{\"label\": 0, \"review\": null}\n{\"label\": 0}\n{\"review\": \" \"}",
    );
    let data = ok("a.jsonl", text);
    assert_eq!(rows(&data), [(1, "送餐\n快", "1"), (3, "慢", "false"), (4, "好", "true")]);
    assert_eq!(data.labels, ["1", "false", "true"]);
    let missing = Cleaning { missing_text_lines: vec![6, 7, 8], missing_label_lines: vec![5], ..Cleaning::default() };
    assert_eq!(data.cleaning, Cleaning { read: 7, missing_text: 3, missing_label: 1, ..missing });
}

#[test]
fn json_lines_that_are_refused() {
    let text = concat!(
        "{\"review\": \"a\", \"label\": 1}\n",
        "{\"review\": \"a\", \"label\": 1\n",
        "[1]\n",
        "{\"review\": 3, \"label\": 1}\n",
        "{\"review\": \"a\", \"label\": 0.5}\n",
        "{\"review\": \"a\", \"label\": [0]}\n",
        "{\"review\": \"a\", \"label\": 0} {}\n",
    );
    assert_eq!(
        refused("a.jsonl", text),
        concat!(
            "a.jsonl: 5 rows cannot be used",
            "\n  line 2: column 26: the object does not end on this line: each line must be one complete object; `jq \
             -c .` writes them that way",
            "\n  line 3: an array, expected an object; for one array of objects write data.format = \"json\"",
            "\n  line 4: `review` is the number 3, expected a string",
            "\n  line 6: `label` is an array, expected a string, a number or a boolean; if a text can have several labels, set \
             data.problem_type = \"multi_label_classification\"",
            "\n  line 7: column 29: a second object begins here: each line is one object; `jq -c .` puts each on a line of its own",
        )
    );
    assert_eq!(
        refused("a.jsonl", "{\"reviews\": \"a\", \"label\": 1}\n{\"text\": \"a\", \"label\": 0}\n"),
        "a.jsonl: no object has a field `review`, which data.text_column names; columns found: reviews, label; \
         did you mean `reviews`?"
    );
    assert_eq!(
        refused("a.jsonl", "{\"review\": \"a\", \"y\": 1}\n"),
        "a.jsonl: no object has a field `label`, which data.label_column names; columns found: review, y"
    );
}

#[test]
fn missing_texts_and_labels_are_dropped() {
    let data = ok("a.csv", "label,review\n1,\n1,\"\"\n1, \u{3000}\t\n,a\n\" \",b\n,\n0,NA\n1,null\n");
    assert_eq!(rows(&data), [(8, "NA", "0"), (9, "null", "1")]);
    let missing =
        Cleaning { missing_text_lines: vec![2, 3, 4, 7], missing_label_lines: vec![5, 6], ..Cleaning::default() };
    assert_eq!(data.cleaning, Cleaning { read: 8, missing_text: 4, missing_label: 2, ..missing });
}

#[test]
fn columns_that_are_not_there() {
    assert_eq!(
        refused("a.csv", "Label,reviews\n1,a\n"),
        "a.csv: no column `review`, which data.text_column names; columns found: Label, reviews; did you mean `reviews`?\n\
         a.csv: no column `label`, which data.label_column names; columns found: Label, reviews; did you mean `Label`?"
    );
    assert_eq!(
        refused("a.csv", "Label,review\n1,a\n"),
        "a.csv: no column `label`, which data.label_column names; columns found: Label, review; did you mean `Label`?"
    );
    let said = refused("a.csv", "label\tReview\n1\ta\n");
    assert_eq!(
        said.lines().next(),
        Some(
            "a.csv: no column `review`, which data.text_column names; columns found: label\\tReview; the fields seem to be \
             separated by a tab: write data.delimiter = \"tab\""
        )
    );
    assert_eq!(
        refused("a.csv", "label,review,label\n1,a,1\n"),
        "a.csv: more than one column `label`, which data.label_column names; columns found: label, review, label; \
         rename all but one of them"
    );
}

#[test]
fn files_without_rows() {
    for nothing in ["", "\n\r\n", "\u{feff}"] {
        assert_eq!(refused("a.csv", nothing), "a.csv: the file is empty", "{nothing:?}");
    }
    let none = |read, text, label| {
        format!(
            "no usable rows: {read} read, of which {text} without a text and {label} without a label; check the columns that were read: `review`, `label`"
        )
    };
    assert_eq!(refused("a.csv", "label,review"), format!("a.csv: {}", none(0, 0, 0)));
    assert_eq!(refused("a.csv", "label,review\n1,\n,x\n"), format!("a.csv: {}", none(2, 1, 1)));
    assert_eq!(refused("a.jsonl", "\n\n"), format!("a.jsonl: {}", none(0, 0, 0)));
    let (dir, _) = file("a.csv", "");
    let error = read(&dir.path().join("b.csv"), &config()).unwrap_err();
    assert!(matches!(&error, DataError::Io { error, .. } if error.kind() == std::io::ErrorKind::NotFound), "{error}");
}

/// What is said of rows with too many fields, and with too few.
const TOO_MANY: &str =
    "a text with a `,` has to be in quotes, as Python's csv.writer writes it, or separate the fields by tabs (.tsv)";
const TOO_FEW: &str = "a field is missing, or a text with a line break is not in quotes";

#[test]
fn all_columns_that_a_file_lacks_are_named_together() {
    let several = |error: DataError| error.each().iter().map(ToString::to_string).collect::<Vec<_>>();
    for (name, text) in [("a.csv", "text,class\nx,1\n"), ("a.tsv", "text\tclass\nx\t1\n")] {
        let (_dir, path) = file(name, text);
        let config = DataConfig { text_column: "review".into(), label_column: "label".into(), ..config() };
        let errors = several(read(&path, &config).unwrap_err());
        assert!(errors.len() == 2 && errors[0].contains("no column `review`"), "{errors:?}");
        assert!(errors[1].contains("no column `label`, which data.label_column names"), "{errors:?}");
    }
    // Objects without the text are refused at once; these lack other fields.
    let (_dir, path) = file("a.jsonl", "{\"review\": \"x\", \"class\": 1}\n{\"review\": \"y\"}\n");
    let config = DataConfig { label_column: "label".into(), group_column: Some("user".into()), ..config() };
    let errors = several(read(&path, &config).unwrap_err());
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors[0].contains("no object has a field `label`, which data.label_column names"), "{errors:?}");
    assert!(errors[1].contains("no object has a field `user`, which data.group_column names"), "{errors:?}");
}

#[test]
fn a_format_that_the_content_contradicts_is_named_with_the_content() {
    let said = |name: &str, text: &str, format| {
        let (_dir, path) = file(name, text);
        read(&path, &DataConfig { format, ..config() }).unwrap_err().to_string()
    };
    let csv = "label,review\n1,x\n0,y\n";
    for (format, word) in [(Format::Parquet, "parquet"), (Format::Xlsx, "xlsx")] {
        let said = said("a.csv", csv, Some(format));
        let want = format!(
            "a.csv: data.format = \"{word}\" does not fit the file, which is a text file, such as CSV: leave data.format out"
        );
        assert!(said.ends_with(&want), "{said}");
    }
    let json = said("a.csv", csv, Some(Format::Jsonl));
    assert!(
        json.contains("data.format = \"jsonl\" does not fit the file, which is no JSON: it begins like CSV"),
        "{json}"
    );
    let named = said("a.parquet", csv, None);
    assert!(
        named.contains("its name is that of a parquet file, but it is a text file, such as CSV: rename it"),
        "{named}"
    );
}

#[test]
fn rows_that_cannot_be_used_are_named_by_what_is_wrong() {
    assert_eq!(
        refused("a.csv", "label,review\n1,a\n\n0,b,c\n1\n0,\"x\ny\",,\n0,d,e\n"),
        format!(
            "a.csv: 4 rows cannot be used\n  lines 4, 6 and 8: the rows have 3 to 4 fields, expected 2: {TOO_MANY}\
             \n  line 5: the row has 1 field, expected 2: {TOO_FEW}"
        )
    );
    // Where it is a quote that has joined rows, that is said.
    assert_eq!(
        refused("a.csv", "label,review\n1,\"a\n0,c\n0,\"b,x\n"),
        "a.csv: 1 row cannot be used\n  line 2: the row has 3 fields, expected 2; a quoted field in it spans lines that look like \
         rows (set data.quoting = \"none\" if quotes are ordinary characters in this file)"
    );
    let message = refused("a.csv", format!("label,review\n{}", "1\n".repeat(25)));
    assert_eq!(
        message,
        format!(
            "a.csv: 25 rows cannot be used\n  lines 2, 3, 4, 5, 6 and 20 more: the row has 1 field, expected 2: {TOO_FEW}"
        )
    );
    let many: String = (2..30).map(|n| format!("{}\n", ",".repeat(n))).collect();
    let message = refused("a.csv", format!("label,review\n{many}"));
    let lines = "lines 2, 3, 4, 5, 6 and 23 more";
    assert_eq!(
        message,
        format!("a.csv: 28 rows cannot be used\n  {lines}: the rows have 3 to 30 fields, expected 2: {TOO_MANY}")
    );
    let tabs = refused("a.tsv", "label\treview\n1\ta\tb\n");
    assert!(tabs.ends_with("a text with a tab has to be in quotes, as Python's csv.writer writes it"), "{tabs}");
}

#[test]
fn a_quote_that_is_never_closed_swallows_no_rows() {
    let help = "close it, or set data.quoting = \"none\" if quotes are ordinary characters in this file";
    for (end, ending) in [("", "\n"), ("\n", "")] {
        assert_eq!(
            refused("a.csv", format!("label,review\n1,a\n0,\"b\n1,c\n0,d{end}")),
            format!(
                "a.csv: 1 row cannot be used\n  line 3: a quote that opens here (column `review`) is never closed and swallows \
                 the 2 lines below it: {help}"
            ),
            "{ending:?}"
        );
    }
    // It is named by its own line, not by that of its row.
    let message = refused("a.csv", "label,review,more\n1,\"a\nb\",\"c\nd\n");
    assert!(
        message.contains(
            "\n  line 3: a quote that opens here (column `more`) is never closed and swallows the line below it:"
        ),
        "{message}"
    );
    // A quote inside a field opens nothing, and a text may end with a line end.
    let data = ok("a.csv", "label,review\n1,12\" pizza\n0,\"b\n\"");
    assert_eq!(rows(&data), [(2, "12\" pizza", "1"), (3, "b\n", "0")]);
}

#[test]
fn other_encodings_are_refused() {
    // 很好 in GB18030 is BA DC BA C3.
    let gb = b"label,review\n1,a\n\n0,\xBA\xDC\xBA\xC3\n";
    let convert = "the file decodes as GB18030; if that is its encoding, set data.encoding = \"gb18030\"";
    assert_eq!(
        refused("a.csv", gb),
        format!("a.csv:4: not UTF-8: the byte at offset 0 of column `review` is invalid; {convert}")
    );
    assert_eq!(
        refused("a.csv", b"\xB1\xEA,review\n"),
        format!("a.csv:1: not UTF-8: the byte at offset 0 of this row is invalid; {convert}")
    );
    assert_eq!(
        refused("a.jsonl", b"{\"review\":\"a\",\"label\":1}\n{\"review\":\"\xBA\xDC\"}\n"),
        "a.jsonl:2: not UTF-8: the byte at offset 11 of this row is invalid; \
         the file decodes as GB18030; if that is its encoding, set data.encoding = \"gb18030\""
    );
    // Latin-1: nothing is guessed.
    let message = refused("a.csv", b"label,review\n1,caf\xE9\n0,cafe\n");
    assert!(
        message.ends_with(
            "only line 2 is not ASCII; find out its encoding and set it, for example: data.encoding = \"windows-1252\""
        ),
        "{message}"
    );
    let utf32: Vec<u8> = "\u{feff}label,review\n".chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    assert!(
        refused("a.csv", &utf32).contains("the file is UTF-32, not UTF-8; convert the file first: iconv -f UTF-32 -t")
    );
    assert!(refused("a.csv", &utf32[4..]).contains("iconv -f UTF-32LE -t UTF-8"));
    // UTF-16 is read, without its mark, too.
    let bare: Vec<u8> = "label,review\n1,x\n0,y\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let data = ok("a.csv", bare);
    assert_eq!(rows(&data), [(2, "x", "1"), (3, "y", "0")]);
    assert_eq!(data.notes, ["read as utf-16be, as its first bytes show"]);
    // Two wrong halves that form a valid character across a field border are still wrong.
    assert!(
        refused("a.csv", b"label,review\n\xE5\xA5,\xBD\n")
            .contains("the byte at offset 0 of column `label` is invalid")
    );
}

/// A file that is UTF-8 but for a part is never to be converted as a whole: that destroys the rest.
#[test]
fn a_file_that_is_partly_utf8_gives_an_error_with_the_part() {
    // 很好 in GB18030, as Python's codec writes it.
    const GB: &[u8] = b"1,\xBA\xDC\xBA\xC3\n";
    let sound = format!("label,review\n{}", "1,味道很好\n0,难吃\n".repeat(6));
    for (more, line, want) in [
        (
            b"1,\xE5\xBE".as_slice(),
            14,
            "the file ends inside a character, on line 14: it was truncated, but everything before that is UTF-8",
        ),
        (
            GB,
            14,
            "only line 14 is not UTF-8: it decodes as GB18030; if that is right, convert only that part: { head -n 13 'a.csv'; \
             tail -n +14 'a.csv' | iconv -f GB18030 -t UTF-8; } > utf8-a.csv",
        ),
        (
            b"1,\xBA\xDC\xBA\xC3\n1,\xBA\xC3\xBA\xDC\n",
            14,
            "the first 13 lines are UTF-8, and the lines from 14 on decode as GB18030: two files were concatenated",
        ),
        (
            "1,好\u{e5}".as_bytes().split_last().unwrap().1,
            14,
            "the file ends inside a character, on line 14: it was truncated",
        ),
        (
            b"1,\xE5\xBE\xE5\xA5\xBD\n0,a\n",
            14,
            "only line 14 is not UTF-8; the rest of the file is UTF-8: correct or remove this line, and do not convert the whole file",
        ),
    ] {
        let message = refused("a.csv", [sound.as_bytes(), more].concat());
        assert!(message.starts_with(&format!("a.csv:{line}: not UTF-8")) && message.contains(want), "{message}");
        assert!(!message.contains("iconv -f GB18030 -t UTF-8 'a.csv'"), "{message}");
    }
    let lines = "{\"review\":\"味道很好\",\"label\":1}\n".repeat(3);
    let message =
        refused("a.jsonl", [lines.as_bytes(), b"{\"review\":\"\xE5\xA5\",\"label\":1}\n", lines.as_bytes()].concat());
    assert!(
        message.contains("only line 4 is not UTF-8") && message.contains("the rest of the file is UTF-8"),
        "{message}"
    );
}

#[test]
fn header_lines_of_joined_files_are_refused() {
    let again = "the header line again (were several files concatenated?); remove it";
    let other = "another header line, with other columns or another order (were several files concatenated?)";
    for (name, header, inner, want) in [
        ("a.csv", "label,review", "label,review", again),
        ("a.csv", "label,review", "\u{feff}label, review ", again),
        ("a.csv", "label,review", "\"Label\",Review", again),
        ("a.tsv", "label\treview", "label\treview", again),
        ("a.csv", ",review,label", ",review,label", again),
        ("a.csv", "id,review,label", "index,review,label", again),
        ("a.csv", "label,review", "review,label", other),
        ("a.csv", "label,review", "id,label,review", other),
    ] {
        let sign = if name == "a.tsv" { "\t" } else { "," };
        let row = vec!["x"; header.split(sign).count()].join(sign);
        let message = refused(name, format!("{header}\n{row}\n{inner}\n{row}\n{inner}\n"));
        assert!(message.contains(&format!("2 rows cannot be used\n  lines 3 and 5: {want}")), "{inner}: {message}");
    }
    // A row with the name of one column is a row.
    assert_eq!(ok("a.csv", "label,review\nlabel,a\n1,label\n").rows.len(), 2);
}

#[test]
fn labels_that_are_found_are_sorted() {
    let data = ok("a.csv", "label,review\n10,a\n2,b\n-1,c\n2,d\n");
    assert_eq!(data.labels, ["-1", "2", "10"]);
    assert_eq!(data.rows.iter().map(|row| row.target.ids()[0]).collect::<Vec<_>>(), [2, 1, 0, 1]);
    assert_eq!(ok("a.csv", "label,review\nb,a\n10,b\n好,c\nB,d\n2,e\n").labels, ["2", "10", "B", "b", "好"]);
}

#[test]
fn labels_that_are_given_have_the_ids_of_their_sorted_values() {
    let text = "label,review\n10,a\n2,b\n1,c\n10,d\n";
    let (_dir, path) = file("a.csv", text);
    let given = |pairs| DataConfig { labels: labels(pairs), ..config() };
    let data = read(&path, &given(&[("10", "great"), ("2", "fair"), ("1", "poor"), ("0", "none")])).unwrap();
    assert_eq!(data.labels, ["none", "poor", "fair", "great"]);
    assert_eq!(data.rows.iter().map(|row| row.target.ids()[0]).collect::<Vec<_>>(), [3, 2, 1, 3]);
    assert_eq!(data.class_counts(&[0, 1, 3]), [0, 0, 1, 2]);
    // Values of one name are one label.
    let data = read(&path, &given(&[("1", "bad"), ("10", "good"), ("2", "bad")])).unwrap();
    assert_eq!(data.labels, ["bad", "good"]);
    assert_eq!(data.rows.iter().map(|row| row.target.ids()[0]).collect::<Vec<_>>(), [1, 0, 0, 1]);

    assert_eq!(
        message("a.csv", text, &given(&[("1", "good"), ("0", "bad")])),
        "a.csv: 3 rows cannot be used\n  lines 2 and 5: label `10` (column `label`) is not in data.labels, which has `0`, `1`; correct the label, or add it to data.labels\
         \n  line 3: label `2` (column `label`) is not in data.labels, which has `0`, `1`; correct the label, or add it to data.labels"
    );
    let long = format!("label,review\n{},a\n", "很".repeat(50));
    assert!(
        message("a.csv", long, &given(&[("1", "a")]))
            .contains(&format!("label `{}…` (column `label`) is", "很".repeat(40)))
    );
}

#[test]
fn one_class_is_refused() {
    let says = |label: &str| {
        format!(
            "a.csv: every row has the label `{label}` (column `label`): a classifier needs at least two labels; add rows with other labels, \
             or name another column"
        )
    };
    assert_eq!(refused("a.csv", "label,review\n1,a\n1,b\n"), says("1"));
    let config = DataConfig { labels: labels(&[("1", "good"), ("0", "bad")]), ..config() };
    assert_eq!(message("a.csv", "label,review\n1,a\n1,b\n0,\n", &config), says("good"));
}

#[test]
fn duplicates_are_counted_and_kept() {
    let data = ok("a.csv", "label,review\n1,a\n0,b\n1,a\n0,a\n1,a\n0,b\n1,c\n1,A\n");
    assert_eq!(data.rows.len(), 8);
    // `a` is 1, 1, 0 and 1.
    let repeats = Cleaning { duplicates: 4, contradicting: 1, ..Cleaning::default() };
    let lines = vec![2, 4, 5, 6];
    assert_eq!(data.cleaning, Cleaning { read: 8, contradicting_rows: 4, contradicting_lines: lines, ..repeats });
}

#[test]
fn limit_draws_by_seed_and_keeps_the_order() {
    let text: String = (0..100).map(|i| format!("{},t{i}\n", i % 2)).collect();
    let (_dir, path) = file("a.csv", format!("label,review\n{text}"));
    let draw = |limit, seed| read(&path, &DataConfig { limit: Some(limit), seed, ..config() }).unwrap().rows;
    let rows = draw(40, 1);
    assert_eq!(rows.len(), 40);
    assert!(rows.is_sorted_by_key(|row| row.line));
    assert_ne!(rows.last().unwrap().line, 41, "not simply the first");
    assert_eq!(rows, draw(40, 1));
    assert_ne!(rows, draw(40, 2));
    assert_eq!(draw(100, 1).len(), 100);
    assert_eq!(draw(1000, 1).len(), 100);
    // Labels are those of the file, whichever rows are drawn.
    let (_dir, path) = file("a.csv", format!("label,review\n2,x\n{text}"));
    assert_eq!(read(&path, &DataConfig { limit: Some(40), ..config() }).unwrap().labels, ["0", "1", "2"]);
    let (_dir, path) = file("a.csv", format!("label,review\n1,x\n{}", "0,t\n".repeat(50)));
    // What is drawn has one label, the file has two.
    for (limit, want) in [
        (
            1,
            "the row that data.limit = 1 leaves has the label `0` (column `label`); other rows of the file do not: raise data.limit, or draw",
        ),
        (
            2,
            "the 2 rows that data.limit = 2 leaves all have the label `0` (column `label`); other rows of the file do not",
        ),
    ] {
        let error = read(&path, &DataConfig { limit: Some(limit), ..config() }).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
    let (_dir, path) = file("a.csv", format!("label,review\n{}", "0,t\n".repeat(50)));
    let error = read(&path, &DataConfig { limit: Some(2), ..config() }).unwrap_err();
    assert!(matches!(error, DataError::OneClass { .. }), "{error}");
    // Why there is only one label is said: the others count as none.
    let (_dir, path) = file("a.csv", "label,review\n0,a\nyes,b\nyes,c\n0,d\n");
    let error = read(&path, &DataConfig { missing: vec!["yes".into()], ..config() }).unwrap_err().to_string();
    let want = "; 2 rows without a label were dropped: values that count as none are empty cells and those in data.missing (`yes`)";
    assert!(error.contains("every row has the label `0`") && error.ends_with(want), "{error}");
}

#[test]
fn waimai() {
    let Some(path) = shared("data/waimai_10k.csv") else { return };
    let data = read(&path, &config()).unwrap();
    assert_eq!(data.digest, "b8b5c11c00b51578d35937fca56e03a126b45381f1ea4b22893237cb377a26fe");
    assert_eq!(data.labels, ["0", "1"]);
    let all: Vec<u32> = (0..data.rows.len() as u32).collect();
    assert_eq!(data.class_counts(&all), [7987, 4000]);
    // Computed with pandas: the lines of the texts that have both labels.
    let contradicting_lines = vec![983, 1209, 1213, 1461, 1471, 1774, 3224, 4412, 5021, 7050, 8332, 8545, 8943, 11_369];
    let cleaning = Cleaning {
        duplicates: 7,
        contradicting: 7,
        contradicting_rows: 14,
        contradicting_lines,
        ..Cleaning::default()
    };
    assert_eq!(data.cleaning, Cleaning { read: 11_987, ..cleaning });
    assert_eq!(data.rows.last().map(|row| row.line), Some(11_988));
    let characters: usize = data.rows.iter().map(|row| row.text.chars().count()).sum();
    assert_eq!(characters / all.len(), 25);
}

/// A file of some size is read on another thread, ahead of the parser: what is wrong with it is said as of a small one.
#[test]
fn faults_of_large_files_name_their_rows() {
    const ROWS: usize = 20_000;
    let text = |row: usize| format!("第{row}次点，味道很好 {}", row * 7919 % 10_007);
    let csv = |odd: &[u8]| {
        let row = |row: usize| match row {
            15_000 => [odd, b",1\n"].concat(),
            row => format!("{},{}\n", text(row), row % 2).into_bytes(),
        };
        [b"review,label\n".to_vec(), (0..ROWS).flat_map(row).collect()].concat()
    };
    let said = |name: &str, bytes: Vec<u8>| {
        assert!(bytes.len() > 1 << 18, "{name} has only {} bytes", bytes.len());
        let (_dir, path) = file(name, bytes);
        read(&path, &config()).unwrap_err().to_string()
    };
    for (odd, words) in [
        (&b"good \xff"[..], &["rows.csv:15002: not UTF-8: the byte at offset 5 of column `review` is invalid"][..]),
        (b"good,better", &["line 15002: the row has 3 fields, expected 2"]),
        (
            b"\"good",
            &[
                "line 15002: a quote that opens here (column `review`) is never closed and swallows the 4999 lines below it",
            ],
        ),
    ] {
        let said = said("rows.csv", csv(odd));
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
    let gzip = |bytes: &[u8]| {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        std::io::Write::write_all(&mut packer, bytes).unwrap();
        packer.finish().unwrap()
    };
    let whole = gzip(&csv(b"good"));
    let cut = said("rows.csv.gz", whole[..whole.len() - 1000].to_vec());
    assert!(cut.contains("rows.csv.gz") && cut.contains("the gzip file ends too early"), "{cut}");
    let utf16: Vec<u8> = String::from_utf8(csv(b"good")).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut utf16 = [&b"\xff\xfe"[..], &utf16].concat();
    let at = utf16.len() - 1000;
    utf16[at..at + 2].copy_from_slice(&[0, 0xD8]); // half of a pair
    let half = said("rows.csv", utf16);
    assert!(half.contains("rows.csv:19"), "{half}");
}
