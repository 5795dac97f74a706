//! The forms that tables come in: encodings, separators, packed files, workbooks. The files were written by Python's codecs, openpyxl and
//! pyarrow (tests/fixtures/forms/make.py).

use std::{fs, io::Write, path::PathBuf};

use taper::{
    data::{Layout, Origin, Wording, read, stream_texts},
    plan::{DataConfig, Format},
};

use super::{config, file};

/// Text and label of each row that is kept.
const ROWS: [(&str, &str); 6] = [
    ("味道很好，下次还来", "1"),
    ("送餐太慢了，汤都凉了", "0"),
    ("老板说\"马上到\"，等了一小时", "0"),
    ("分量足; 价格也实惠", "1"),
    ("第一行\n第二行", "1"),
    ("包装破了，洒了一袋子", "0"),
];

fn form(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/forms").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(form(name)).unwrap()
}

fn texts() -> DataConfig {
    DataConfig { text_column: "text".into(), ..config() }
}

/// The rows of a file as it is, with its notes and warnings.
fn rows(path: &std::path::Path, config: &DataConfig) -> (Vec<(String, String)>, Vec<String>, Vec<String>) {
    let data = read(path, config).unwrap_or_else(|error| panic!("{error}"));
    let cleaning = &data.cleaning;
    assert_eq!((cleaning.read, cleaning.missing_text, cleaning.missing_label), (8, 1, 1), "{}", path.display());
    let rows =
        data.rows.iter().map(|row| (row.text.to_string(), data.labels[row.target.ids()[0] as usize].clone())).collect();
    (rows, data.notes, data.warnings.into_iter().map(|warning| warning.message).collect())
}

#[test]
fn every_form_of_a_table_has_the_same_rows() {
    let gb = "the file is not UTF-8 and is read as gb18030, judging by its bytes; if that is right, set data.encoding = \"gb18030\"";
    let by_header = |delimiter: &str| format!("fields are separated by {delimiter}, as in the header");
    let cases: [(&str, Vec<String>, Option<&str>); 16] = [
        ("rows.csv", vec![], None),
        ("bom.csv", vec![], None),
        ("crlf.csv", vec![], None),
        ("rows.tsv", vec![], None),
        ("semicolon.csv", vec![by_header("`;`")], None),
        ("pipe.csv", vec![by_header("`|`")], None),
        ("tabs.csv", vec![by_header("a tab")], None),
        ("gbk.csv", vec!["read as gb18030, based on its bytes".into()], Some(gb)),
        ("utf16.csv", vec!["read as utf-16le, as its byte order mark shows".into()], None),
        ("utf16be.csv", vec!["read as utf-16be, as its byte order mark shows".into()], None),
        ("gzip.csv.gz", vec!["decompressed from gzip".into()], None),
        ("gbk.tsv.gz", vec!["decompressed from gzip".into(), "read as gb18030, based on its bytes".into()], Some(gb)),
        ("rows.jsonl", vec![], None),
        ("lines.jsonl.gz", vec!["decompressed from gzip".into()], None),
        ("rows.json", vec![], None),
        ("rows.parquet", vec![], None),
    ];
    let want: Vec<(String, String)> = ROWS.map(|(text, label)| (text.into(), label.into())).into();
    for (name, notes, warning) in cases {
        let (found, said, warnings) = rows(&form(name), &texts());
        assert_eq!(found, want, "{name}");
        assert_eq!(said, notes, "{name}");
        assert_eq!(warnings, warning.into_iter().collect::<Vec<_>>(), "{name}");
    }
    let (found, said, _) = rows(&form("rows.xlsx"), &texts());
    assert_eq!(found, want);
    assert_eq!(said, ["sheet `评论`, the first of 2 (choose another with data.sheet)"]);
}

#[test]
fn what_is_set_is_not_guessed() {
    let set = |encoding: &str| DataConfig { encoding: Some(encoding.parse().unwrap()), ..texts() };
    for (name, encoding) in [
        ("gbk.csv", "gbk"),
        ("gbk.csv", "GB18030"),
        ("utf16.csv", "utf-16"),
        ("utf16be.csv", "utf-16"),
        ("rows.csv", "utf-8"),
    ] {
        let (found, said, warnings) = rows(&form(name), &set(encoding));
        assert_eq!(found[0], (ROWS[0].0.into(), ROWS[0].1.into()), "{name}");
        assert_eq!((said.len(), warnings.len()), (0, 0), "{name}: {said:?} {warnings:?}");
    }
    let (found, ..) = rows(&form("big5.csv"), &set("big5"));
    assert_eq!(found[0], ("味道很好，下次還來".into(), "1".into()));
    let sheet = DataConfig { sheet: Some("评论".into()), ..texts() };
    assert_eq!(rows(&form("rows.xlsx"), &sheet).1, Vec::<String>::new());
}

/// Each with the name of its file, the settings, and the error.
#[test]
fn files_that_are_not_what_is_said_are_refused() {
    let refused = |name: &str, bytes: &[u8], config: &DataConfig| {
        let (dir, path) = file(name, bytes);
        let message = read(&path, config).unwrap_err().to_string();
        message.replace(&format!("{}/", dir.path().display()), "")
    };
    let set = |encoding: &str| DataConfig { encoding: Some(encoding.parse().unwrap()), ..texts() };
    let gz = bytes("gzip.csv.gz");
    let mut damaged = gz.clone();
    damaged[40] ^= 0xff;
    let mut trailing = gz.clone();
    trailing.extend(b"and more than that, at length");
    let zst = zstd::encode_all(bytes("rows.csv").as_slice(), 3).unwrap();
    let mut invalid = bytes("gbk.csv");
    let end = invalid.len() - 8;
    invalid[end] = 0xff;
    let xlsx = bytes("rows.xlsx");
    let parquet_gz = {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&bytes("rows.parquet")).unwrap();
        packer.finish().unwrap()
    };
    let other_sheet = |name: &str| DataConfig { sheet: Some(name.into()), ..texts() };
    let cases: Vec<(&str, Vec<u8>, DataConfig, &str)> = vec![
        (
            "a.csv.gz",
            gz[..gz.len() / 2].to_vec(),
            texts(),
            "a.csv.gz: the gzip file ends too early: it was truncated; create or download it again",
        ),
        (
            "a.csv.gz",
            gz[..gz.len() - 3].to_vec(),
            texts(),
            "a.csv.gz: the gzip file ends too early: it was truncated; create or download it again",
        ),
        ("a.csv.gz", damaged, texts(), "a.csv.gz: the gzip file is damaged ("),
        (
            "a.csv.gz",
            trailing,
            texts(),
            "a.csv.gz: the gzip file is damaged (invalid gzip header): create or download it again",
        ),
        (
            "a.csv.zst",
            zst[..zst.len() / 2].to_vec(),
            texts(),
            "a.csv.zst: the Zstandard file ends too early: it was truncated",
        ),
        (
            "a.parquet.gz",
            parquet_gz,
            texts(),
            "a.parquet.gz: Parquet and Excel data is read only from an uncompressed file, not from a stream: save it \
             to a file first",
        ),
        (
            "a.csv",
            bytes("utf16.csv"),
            set("gb18030"),
            "a.csv: it begins with the byte order mark of utf-16le, but data.encoding says gb18030; remove \
             data.encoding to read it as utf-16le",
        ),
        (
            "a.csv",
            bytes("bom.csv"),
            set("gbk"),
            "a.csv: it begins with the byte order mark of utf-8, but data.encoding says gbk; remove data.encoding to \
             read it as utf-8",
        ),
        (
            "a.csv",
            invalid,
            set("gb18030"),
            "a.csv:10: the row that begins here is not valid gb18030, the encoding that the file is read in; correct \
             data.encoding or the file",
        ),
        (
            "a.csv",
            bytes("gbk.csv"),
            set("utf-8"),
            "a.csv:1: not UTF-8: the byte at offset 0 of this row is invalid; the file decodes as GB18030; if that is its encoding, set data.encoding = \"gb18030\"",
        ),
        (
            "a.csv",
            bytes("big5.csv"),
            texts(),
            "its bytes look like big5; if that is its encoding, set data.encoding = \"big5\"",
        ),
        (
            "a.xlsx",
            xlsx.clone(),
            other_sheet("评轮"),
            "a.xlsx: no sheet `评轮`, which data.sheet names; sheets found: 评论, 其他",
        ),
        (
            "a.xlsx",
            xlsx.clone(),
            other_sheet("其他"),
            "a.xlsx: no column `text`, which data.text_column names; columns found: note (the first row of sheet `其他`)",
        ),
        ("a.xlsx", xlsx[..xlsx.len() / 2].to_vec(), texts(), "a.xlsx: the workbook is truncated or damaged ("),
        ("a.csv", xlsx.clone(), texts(), "a.csv: it is an Excel workbook (.xlsx), which data.format = \"xlsx\" reads"),
        (
            "a.csv",
            bytes("rows.csv"),
            other_sheet("x"),
            "a.csv: data.sheet is only for Excel workbooks, but this file is read as csv; remove it, or set data.format",
        ),
        (
            "a.xlsx",
            xlsx.clone(),
            set("gbk"),
            "a.xlsx: data.encoding is only for CSV, TSV and JSON, but this file is read as xlsx; remove it, or set \
             data.format",
        ),
        (
            "a.csv",
            b"a;text;label|b\n".to_vec(),
            texts(),
            "a.csv: no column `text`, which data.text_column names; columns found: a;text;label|b; the fields seem to be separated by `;`",
        ),
        (
            "a.xlsx",
            bytes("rows.csv"),
            DataConfig { format: Some(Format::Xlsx), ..texts() },
            "a.xlsx: data.format = \"xlsx\" does not fit the file, which is a text file, such as CSV: leave data.format out",
        ),
    ];
    for (name, bytes, config, want) in cases {
        let message = refused(name, &bytes, &config);
        assert!(message.contains(want), "{message}\n  expected {want}");
        // One for each column that is not there.
        assert!(message.lines().all(|line| line.starts_with(&format!("{name}:"))), "{message}");
    }
}

#[test]
fn packed_rows_are_streamed_for_predictions() {
    let packed = zstd::encode_all(bytes("gbk.csv").as_slice(), 3).unwrap();
    let (_dir, path) = file("rows.zst", packed);
    let layout = Layout { wording: Wording::Options, ..Layout::default() };
    let mut rows = stream_texts(&Origin::File(path), &layout, "text").unwrap();
    let found: Vec<String> = rows.by_ref().map(|row| row.unwrap().text).collect();
    assert_eq!((found.len(), found[1].as_str()), (8, ROWS[1].0));
    let said: Vec<String> = rows.warnings().into_iter().map(|warning| warning.message).collect();
    assert!(said[0].contains("read as gb18030") && said[0].ends_with("set --encoding gb18030"), "{said:?}");
}

#[test]
fn missing_values_are_those_that_the_spec_names() {
    let text = "text,label\nNA,1\ngood,1\nbad,0\nfine,null\nnull,0\n";
    let (_dir, path) = file("a.csv", text);
    let kept = read(&path, &texts()).unwrap();
    assert_eq!((kept.rows.len(), kept.labels.len()), (5, 3));
    let said = &kept.warnings.iter().find(|warning| warning.message.contains("pandas")).unwrap().message;
    assert!(said.starts_with("2 rows (lines 2 and 6) have `NA` and `null` as a text"), "{said}");
    let named = DataConfig { missing: vec!["NA".into(), "null".into()], ..texts() };
    let dropped = read(&path, &named).unwrap();
    assert_eq!((dropped.rows.len(), dropped.labels.len()), (2, 2));
    assert_eq!((dropped.cleaning.missing_text_lines, dropped.cleaning.missing_label_lines), (vec![2, 6], vec![5]));
    assert_eq!(dropped.warnings.iter().filter(|warning| warning.message.contains("pandas")).count(), 0);
}

/// Text that is not Chinese is not taken for it, though its bytes may have the form of GB18030.
#[test]
fn other_encodings_are_not_taken_for_gb18030() {
    // "맛있어요 또 올게요" and "おいしかった、また来ます" by Python's codecs euc_kr and shift_jis.
    let korean = b"\xb8\xc0\xc0\xd6\xbe\xee\xbf\xe4 \xb6\xc7 \xbf\xc3\xb0\xd4\xbf\xe4";
    let japanese = b"\x82\xa8\x82\xa2\x82\xb5\x82\xa9\x82\xc1\x82\xbd\x81A\x82\xdc\x82\xbd\x97\x88\x82\xdc\x82\xb7";
    for (text, name) in [(korean.as_slice(), "euc-kr"), (japanese, "shift_jis")] {
        let row = [b"1,", text, b"\n0,", text, b"!\n"].concat();
        let (_dir, path) = file("a.csv", [b"label,text\n".as_slice(), &row, &row].concat());
        let message = read(&path, &texts()).unwrap_err().to_string();
        assert!(
            message.contains(&format!("its bytes look like {name}"))
                && message.ends_with(&format!("data.encoding = \"{name}\"")),
            "{message}"
        );
    }
}

#[test]
fn columns_of_another_sheet_or_below_a_title_and_formulas_without_values_are_named() {
    let said = |sheets: &[(&str, Vec<(&str, &str)>)]| {
        let (_dir, path) = file("a.xlsx", crate::run_layout::workbook_of(sheets));
        read(&path, &config()).unwrap_err().to_string()
    };
    let rows = vec![("review", "label"), ("好", "1"), ("差", "0")];
    let notes = ("notes", vec![("About", "this file")]);
    let elsewhere = said(&[notes.clone(), ("data", rows.clone())]);
    assert!(elsewhere.contains("no column `review`, which data.text_column names"), "{elsewhere}");
    assert!(elsewhere.contains("; sheet `data` has all columns: set data.sheet = \"data\""), "{elsewhere}");
    let title = said(&[("data", [&[("Export of reviews", "")][..], &rows].concat())]);
    assert!(title.contains("; row 2 of sheet `data` looks like the header: remove the rows above it"), "{title}");
    let neither = said(&[notes.clone(), ("more", vec![("x", "y"), ("1", "2")])]);
    assert!(neither.contains("no column `review`") && !neither.contains("set data.sheet"), "{neither}");
    let formulas = said(&[("data", vec![("review", "label"), ("好", "=IF(1,1,0)"), ("差", "=0+0")])]);
    let want = "column `label` of sheet `data` has 2 formulas without stored values";
    assert!(
        formulas.contains(want) && formulas.contains("open the workbook in Excel or LibreOffice and save it"),
        "{formulas}"
    );
    // One among many may be a text that is empty.
    let one =
        vec![("review", "label"), ("好", "1"), ("差", "0"), ("=IF(1,&quot;&quot;,1)", "1"), ("好", "1"), ("差", "0")];
    let (_dir, path) = file("a.xlsx", crate::run_layout::workbook_of(&[("data", one)]));
    assert_eq!(read(&path, &config()).expect("it is read").rows.len(), 4);
}
