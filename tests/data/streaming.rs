//! Texts to be classified.

use taper::data::{Layout, Origin, stream_lines, stream_texts};

use crate::file;

/// The line and text of each row, or the message without the folder.
fn stream(name: &str, bytes: impl AsRef<[u8]>) -> Vec<Result<(u64, String), String>> {
    let (dir, path) = file(name, bytes);
    let short = |error: taper::data::DataError| error.to_string().replace(&format!("{}/", dir.path().display()), "");
    match stream_texts(&Origin::File(path), Layout::default(), "review") {
        Ok(texts) => texts.map(|text| text.map_err(short)).collect(),
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
        stream("a.jsonl", "{\"review\":\"a\"}\n\n{\"review\":null}\n{\"id\":1}\n{\"review\":\"b\",\"label\":0.5}"),
        [row(1, "a"), row(3, ""), row(4, ""), row(5, "b")]
    );
    assert_eq!(stream("a.csv", "review\n"), []);
}

#[test]
fn a_bad_row_does_not_end_the_stream_but_a_bad_file_does() {
    assert_eq!(
        stream("a.csv", "id,review\n1,a\n2\n3,c\n4,\"d\n5,e\n"),
        [
            row(2, "a"),
            Err("a.csv: 1 row cannot be used\n  line 3: the row has 1 field, expected 2".into()),
            row(4, "c"),
            Err("a.csv: 1 row cannot be used\n  line 5: a quote that opens here (column `review`) is never closed and swallows the \
                 line below it: close it, or data.quoting = \"none\" if quotes are characters like others in this file"
                .into()),
        ]
    );
    let texts = stream("a.jsonl", b"{\"review\":\"a\"}\n{\"review\":1}\n{\"review\":\"\xFF\"}\n{\"review\":\"b\"}\n");
    assert_eq!(texts.len(), 3);
    assert!(texts[1].as_ref().unwrap_err().contains("line 2: `review` is the number 1"), "{texts:?}");
    assert!(texts[2].as_ref().unwrap_err().starts_with("a.jsonl:3: not UTF-8"), "{texts:?}");
}

#[test]
fn a_column_that_is_not_there_is_said_at_once() {
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
    let lines: Vec<(u64, String)> = stream_lines(&Origin::File(path)).unwrap().map(Result::unwrap).collect();
    assert_eq!(lines, [(1, "好".into()), (2, String::new()), (3, "\"x,y".into()), (4, "last".into())]);
}
