//! Excel workbooks and Parquet files.

use std::{
    io::{Cursor, Write},
    sync::Arc,
};

use parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type, Int96, Int96Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use super::{NONE, Variant, WHOLE, text, variant};

/// The cells of a sheet: texts; nothing where empty, `=#…` for an error, `@…` for a date.
pub(super) const SHEET: [[&str; 2]; 5] =
    [["label", "review"], ["1", "味道很好"], ["0", "送得太慢"], ["1", "下次还来"], ["0", "汤都凉了"]];

const PACKAGE: &str = "http://schemas.openxmlformats.org/package/2006";
const OFFICE: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";

/// A workbook with the sheet `rows`.
pub(in crate::data) fn workbook(rows: &[[&str; 2]]) -> Vec<u8> {
    let cell = |(at, text): (String, &str)| match text.as_bytes() {
        [] => String::new(),
        [b'=', ..] => format!("<c r=\"{at}\" t=\"e\"><v>{}</v></c>", &text[1..]),
        [b'@', ..] => format!("<c r=\"{at}\" t=\"d\"><v>{}</v></c>", &text[1..]),
        _ => format!("<c r=\"{at}\" t=\"inlineStr\"><is><t>{text}</t></is></c>"),
    };
    let row = |(n, [a, b]): (usize, &[&str; 2])| {
        let n = n + 1;
        format!("<row r=\"{n}\">{}{}</row>", cell((format!("A{n}"), a)), cell((format!("B{n}"), b)))
    };
    let rows: String = rows.iter().enumerate().map(row).collect();
    let sheet = format!("<worksheet xmlns=\"{MAIN}\"><sheetData>{rows}</sheetData></worksheet>");
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{OFFICE}\"><sheets><sheet name=\"rows\" sheetId=\"1\" r:id=\"rId1\"/></sheets></workbook>"
    );
    let link = |kind: &str, target: &str| {
        format!(
            "<Relationships xmlns=\"{PACKAGE}/relationships\"><Relationship Id=\"rId1\" Type=\"{OFFICE}/{kind}\" Target=\"{target}\"/></Relationships>"
        )
    };
    archive(&[
        ("[Content_Types].xml", &format!("<Types xmlns=\"{PACKAGE}/content-types\"/>")),
        ("_rels/.rels", &link("officeDocument", "xl/workbook.xml")),
        ("xl/workbook.xml", &book),
        ("xl/_rels/workbook.xml.rels", &link("worksheet", "worksheets/sheet1.xml")),
        ("xl/worksheets/sheet1.xml", &sheet),
    ])
}

fn archive(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, part) in parts {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(part.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Required values of a column.
enum Values<'a> {
    Texts(&'a [&'a [u8]]),
    /// Lists of one text each.
    Lists(&'a [&'a [u8]]),
    Whole(&'a [i64]),
    Times(usize),
}

const LABELS: Values = Values::Whole(&[1, 0, 1, 0]);

fn parquet(schema: &str, columns: &[Values]) -> Vec<u8> {
    let schema = Arc::new(parse_message_type(&format!("message rows {{ {schema} }}")).unwrap());
    let properties = Arc::new(WriterProperties::builder().set_dictionary_enabled(false).build());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, properties).unwrap();
    let mut group = writer.next_row_group().unwrap();
    for values in columns {
        let mut column = group.next_column().unwrap().unwrap();
        let texts = |texts: &[&[u8]]| texts.iter().map(|text| ByteArray::from(*text)).collect::<Vec<_>>();
        let written = match values {
            Values::Texts(values) => column.typed::<ByteArrayType>().write_batch(&texts(values), None, None),
            Values::Lists(values) => {
                let (one, zero) = (vec![1; values.len()], vec![0; values.len()]);
                column.typed::<ByteArrayType>().write_batch(&texts(values), Some(&one), Some(&zero))
            }
            Values::Whole(values) => column.typed::<Int64Type>().write_batch(values, None, None),
            Values::Times(rows) => column.typed::<Int96Type>().write_batch(&vec![Int96::new(); *rows], None, None),
        };
        written.unwrap();
        column.close().unwrap();
    }
    group.close().unwrap();
    writer.close().unwrap();
    bytes
}

fn texts() -> [&'static [u8]; 4] {
    ["味道很好", "送得太慢", "下次还来", "汤都凉了"].map(str::as_bytes)
}

pub(super) fn parquet_file() -> Vec<u8> {
    parquet("required binary review (UTF8); required int64 label;", &[Values::Texts(&texts()), LABELS])
}

pub(super) fn variants() -> Vec<Variant> {
    [workbooks(), parquet_files()].into_iter().flatten().collect()
}

fn workbooks() -> Vec<Variant> {
    let whole = workbook(&SHEET);
    let cell = |row: usize, column: usize, text: &'static str| {
        let mut cells = SHEET;
        cells[row - 1][column] = text;
        workbook(&cells)
    };
    let headless = workbook(&SHEET[1..]);
    let old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0\0\0\0\0";
    let no_book = archive(&[("[Content_Types].xml", "<Types/>"), ("xl/other.xml", "<other/>")]);
    vec![
        variant(
            "CSV named a workbook",
            "a.xlsx",
            text::CSV,
            (WHOLE, NONE),
            "but it is a text file, such as CSV: rename it",
        ),
        variant(
            "workbook cut",
            "a.xlsx",
            &whole[..whole.len() / 2],
            (WHOLE, NONE),
            "the workbook is truncated or damaged (",
        ),
        variant(
            "archive without a workbook",
            "a.xlsx",
            no_book,
            (WHOLE, NONE),
            "it cannot be read as an Excel workbook",
        ),
        variant("old workbook", "a.xlsx", old, (WHOLE, NONE), "it is a file of an old Office program"),
        variant("workbook named CSV", "a.csv", &whole, (WHOLE, NONE), "which data.format = \"xlsx\" reads"),
        variant(
            "no such sheet",
            "a.xlsx",
            &whole,
            (WHOLE, NONE),
            "no sheet `row`, which data.sheet names; sheets found: rows",
        )
        .set(|config| config.sheet = Some("row".into())),
        variant("empty sheet", "a.xlsx", workbook(&[]), (WHOLE, NONE), "sheet `rows` is empty"),
        variant("sheet without a header", "a.xlsx", headless, (WHOLE, "`review`"), "columns found: 1, 味道很好"),
        variant("merged header", "a.xlsx", cell(1, 1, ""), (WHOLE, "`review`"), "columns found: label"),
        variant("header cell twice", "a.xlsx", cell(1, 0, "review"), (WHOLE, "`review`"), "more than one column"),
        variant(
            "header of a sheet alone",
            "a.xlsx",
            workbook(&SHEET[..1]),
            (WHOLE, "`review`"),
            "no usable rows: 0 read",
        ),
        variant(
            "error for a label",
            "a.xlsx",
            cell(3, 0, "=#DIV/0!"),
            (3, "cell A3 (column `label`)"),
            "correct the formula",
        ),
        variant(
            "error for a text",
            "a.xlsx",
            cell(5, 1, "=#N/A"),
            (5, "cell B5 (column `review`)"),
            "correct the formula",
        ),
        variant("error in the header", "a.xlsx", cell(1, 0, "=#REF!"), (WHOLE, "`label`"), "no column"),
        variant(
            "date for a label",
            "a.xlsx",
            cell(2, 0, "@2024-01-31T00:00:00"),
            (2, "cell A2 (column `label`)"),
            "a date or a time",
        ),
        variant("unknown label of a sheet", "a.xlsx", cell(4, 0, "好评"), (4, "`label`"), "label `好评` ").labelled(),
    ]
}

fn parquet_files() -> Vec<Variant> {
    let whole = parquet_file();
    let texts = texts();
    let with = |from_end: usize, byte: u8| {
        let mut bytes = whole.clone();
        let at = bytes.len() - from_end;
        bytes[at] = byte;
        bytes
    };
    // The header of the first page, which is that of the texts.
    let page = {
        let mut bytes = whole.clone();
        bytes[4..20].fill(0xff);
        bytes
    };
    let of = |review: &str, values: Values| parquet(&format!("{review} required int64 label;"), &[values, LABELS]);
    let twice = parquet(
        "required binary review (UTF8); required binary review (UTF8); required int64 label;",
        &[Values::Texts(&texts), Values::Texts(&texts), LABELS],
    );
    let invalid = of("required binary review (UTF8);", Values::Texts(&[texts[0], b"\xE5\xBE", texts[2], texts[3]]));
    let list = "group review (LIST) { repeated group list { required binary element (UTF8); } }";
    let label_lists = parquet(
        "required binary review (UTF8); required group label (LIST) { repeated group list { required binary element (UTF8); } }",
        &[Values::Texts(&texts), Values::Lists(&texts)],
    );
    let labels = parquet(
        "required binary review (UTF8); required int64 label;",
        &[Values::Texts(&texts), Values::Whole(&[1, 0, 2, 0])],
    );
    let group = of("required group review { required binary body (UTF8); }", Values::Texts(&texts));
    let uncompressed = "only from an uncompressed file";
    let one = parquet(
        "required binary review (UTF8); required int64 label;",
        &[Values::Texts(&texts[..2]), Values::Whole(&[1, 1])],
    );
    vec![
        variant("Parquet cut", "a.parquet", &whole[..whole.len() / 2], (WHOLE, NONE), "it cannot be read as Parquet"),
        variant("Parquet's first bytes alone", "a.parquet", b"PAR1", (WHOLE, NONE), "it cannot be read as Parquet"),
        variant(
            "CSV named Parquet",
            "a.parquet",
            text::CSV,
            (WHOLE, NONE),
            "but it is a text file, such as CSV: rename it",
        ),
        variant("wrong last bytes", "a.parquet", with(1, b'2'), (WHOLE, NONE), "it cannot be read as Parquet"),
        variant(
            "wrong length of the footer",
            "a.parquet",
            with(6, 0x7f),
            (WHOLE, NONE),
            "it cannot be read as Parquet",
        ),
        variant("wrong footer", "a.parquet", with(60, 0xff), (WHOLE, NONE), "a.parquet"),
        variant("damaged page", "a.parquet", page, (1, "column `review`"), "it cannot be read as Parquet"),
        variant("packed Parquet", "a.parquet.gz", text::gzip(&whole), (WHOLE, NONE), uncompressed),
        variant("Parquet named CSV", "a.csv", &whole, (WHOLE, NONE), "which data.format = \"parquet\" reads"),
        variant("no column of Parquet", "a.parquet", &whole, (WHOLE, "`text`"), "columns found: review, label")
            .set(|config| config.text_column = "text".into()),
        variant("column of Parquet twice", "a.parquet", twice, (WHOLE, "`review`"), "more than one column"),
        variant(
            "integers for texts",
            "a.parquet",
            of("required int64 review;", Values::Whole(&[3, 4, 5, 6])),
            (1, "`review`"),
            "is 3, expected a string",
        ),
        variant(
            "lists for texts",
            "a.parquet",
            of(&format!("required {list}"), Values::Lists(&texts)),
            (WHOLE, "`review`"),
            "is a list or a group of columns",
        ),
        variant("lists for labels", "a.parquet", label_lists, (WHOLE, "`label`"), "is a list or a group of columns"),
        variant("group for texts", "a.parquet", group, (WHOLE, "`review`"), "is a list or a group of columns"),
        variant(
            "times for texts",
            "a.parquet",
            of("required int96 review;", Values::Times(4)),
            (WHOLE, "`review`"),
            "is INT96; expected strings",
        ),
        variant(
            "bytes for texts",
            "a.parquet",
            of("required binary review;", Values::Texts(&texts)),
            (WHOLE, "`review`"),
            "is BYTE_ARRAY; expected strings",
        ),
        variant("invalid text of Parquet", "a.parquet", invalid, (2, "`review`"), "is not UTF-8 from byte 0 on"),
        variant("unknown label of Parquet", "a.parquet", labels, (3, "`label`"), "label `2` ").labelled(),
        variant("one class of Parquet", "a.parquet", one, (WHOLE, "`label`"), "every row has the label `1`"),
    ]
}
