//! Texts to be classified.

use taper::data::{Layout, Origin, stream_lines, stream_texts};

use crate::data::file;

/// The line and text of each row, or the message without the folder.
fn stream(name: &str, bytes: impl AsRef<[u8]>) -> Vec<Result<(u64, String), String>> {
    let (dir, path) = file(name, bytes);
    let short = |error: taper::data::DataError| error.to_string().replace(&format!("{}/", dir.path().display()), "");
    match stream_texts(&Origin::File(path), &Layout::default(), "review") {
        Ok(texts) => texts.map(|text| text.map(|text| (text.line, text.text)).map_err(short)).collect(),
        Err(error) => vec![Err(short(error))],
    }
}

fn row(line: u64, text: &str) -> Result<(u64, String), String> {
    Ok((line, text.into()))
}

#[test]
fn every_row_gives_a_text() {
    assert_eq!(
        stream("a.csv", "id,review\r\n1,\"好\n吃\"\r\n2,\r\n3,慢\r\n"),
        [row(2, "好\n吃"), row(4, ""), row(5, "慢")]
    );
    assert_eq!(stream("a.tsv", "review\na\n\nb"), [row(2, "a"), row(4, "b")]);
    assert_eq!(
        stream("a.jsonl", "{\"review\":\"a\"}\n\n{\"review\":null}\n\n{\"review\":\"b\",\"label\":0.5}"),
        [row(1, "a"), row(3, ""), row(5, "b")]
    );
    assert_eq!(stream("a.csv", "review\n"), []);
}

#[test]
fn a_bad_row_does_not_end_the_stream_but_a_bad_file_does() {
    assert_eq!(
        stream("a.csv", "id,review\n1,a\n2\n3,c\n4,\"d\n5,e\n"),
        [
            row(2, "a"),
            Err("a.csv: 1 row cannot be used\n  line 3: the row has 1 field, expected 2: a field is missing, or a text with a line break is not in quotes".into()),
            row(4, "c"),
            Err(
                "a.csv: 1 row cannot be used\n  line 5: a quote that opens here (column `review`) is never closed and \
                 swallows the line below it: close it, or set data.quoting = \"none\" if quotes are ordinary \
                 characters in this file"
                    .into()
            ),
        ]
    );
    let texts = stream("a.jsonl", b"{\"review\":\"a\"}\n{\"review\":1}\n{\"review\":\"\xFF\"}\n{\"review\":\"b\"}\n");
    assert_eq!(texts.len(), 3);
    assert!(texts[1].as_ref().unwrap_err().contains("line 2: `review` is the number 1"), "{texts:?}");
    assert!(texts[2].as_ref().unwrap_err().starts_with("a.jsonl:3: not UTF-8"), "{texts:?}");
}

#[test]
fn a_missing_column_is_reported_at_once() {
    let csv = stream("a.csv", "id,text\n1,a\n");
    assert!(csv[0].as_ref().unwrap_err().starts_with("a.csv: no column `review`"), "{csv:?}");
    let json = stream("a.jsonl", "{\"text\":\"a\"}\n{\"text\":\"b\"}\n");
    assert_eq!(json.len(), 1);
    assert!(json[0].as_ref().unwrap_err().contains("columns found: text"), "{json:?}");
    assert_eq!(stream("a.csv", ""), [Err("a.csv: the file is empty".into())]);
}

#[test]
fn plain_lines_are_texts() {
    let (_dir, path) = file("a.txt", "好\r\n\n\"x,y\nlast");
    let lines: Vec<(u64, String)> = stream_lines(&Origin::File(path), &Layout::default())
        .unwrap()
        .map(|text| text.unwrap())
        .map(|text| (text.line, text.text))
        .collect();
    assert_eq!(lines, [(1, "好".into()), (2, String::new()), (3, "\"x,y".into()), (4, "last".into())]);
}

#[test]
fn a_row_without_the_field_is_refused_and_one_without_a_text_is_blank() {
    let error = |text: &str| {
        let found = stream("a.jsonl", text);
        found.last().unwrap().clone().unwrap_err()
    };
    assert_eq!(
        error("{\"review\":\"a\"}\n{\"reveiw\":\"b\",\"id\":1}\n"),
        "a.jsonl: 1 row cannot be used\n  line 2: no field `review`, which data.text_column names; fields found: reveiw, id; did you \
         mean `reveiw`?"
    );
    assert!(error("{\"review\":\"a\"}\n{}\n").ends_with("fields found: none"));
    let first = "a.jsonl: the first object has no field `review`, which data.text_column names; columns found: ";
    assert_eq!(error("{\"id\":1}\n{\"review\":\"b\"}\n"), format!("{first}id"));
    assert_eq!(error("{}\n"), format!("{first}none"));

    for (name, text, lines) in [
        ("a.csv", "review,id\na,1\n,2\n\" \",3\n\u{200b},4\n", [3, 4, 5]),
        ("a.jsonl", "{\"review\":null}\n{\"review\":\"\"}\n{\"review\":\"\\t\"}\n{\"review\":\"a\"}\n", [1, 2, 3]),
        ("a.json", "[{\"review\":null},\n{\"review\":\"\"},\n{\"review\":\"\u{3000}\"}]", [1, 2, 3]),
    ] {
        let (_dir, path) = file(name, text);
        let mut texts = stream_texts(&Origin::File(path), &Layout::default(), "review").unwrap();
        let blank = texts.by_ref().map(Result::unwrap).filter(|text| text.is_blank).map(|text| text.line);
        assert_eq!(blank.collect::<Vec<_>>(), lines, "{name}");
        let warnings = texts.warnings();
        assert_eq!(warnings[0].lines, lines);
        assert!(warnings[0].message.starts_with("3 rows without a text (lines "), "{warnings:?}");
    }
}

#[test]
fn a_header_line_within_a_file_is_no_text() {
    let found = stream("a.csv", "review,id\na,1\nreview,id\nb,2\n");
    assert!(
        found[1]
            .as_ref()
            .unwrap_err()
            .contains("line 3: the header line again (were several files concatenated?); remove it"),
        "{found:?}"
    );
    // Where there is one column it may be a text.
    assert_eq!(stream("a.csv", "review\nreview\n"), [row(2, "review")]);
}
