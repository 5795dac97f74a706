//! CSV, TSV, other encodings, packed files, and files that are no table.

use std::io::Write;

use super::{NONE, Variant, WHOLE, variant, with_line};

pub(super) const CSV: &str = "label,review\n1,味道很好\n0,送得太慢\n1,下次还来\n0,汤都凉了\n";

pub(super) fn tsv() -> String {
    CSV.replace(',', "\t")
}

pub(super) fn semicolons() -> String {
    CSV.replace(',', ";")
}

pub(super) fn gbk(text: &str) -> Vec<u8> {
    encoding_rs::GBK.encode(text).0.into_owned()
}

/// With its byte order mark.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// With a checksum.
pub(super) fn zstandard(bytes: &[u8]) -> Vec<u8> {
    let mut packer = zstd::Encoder::new(Vec::new(), 3).unwrap();
    packer.include_checksum(true).unwrap();
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

/// The table with another line, from 1.
fn csv(line: usize, text: &str) -> String {
    with_line(CSV, line, text)
}

/// The bytes with `with` for the first `what` in them.
fn replaced(bytes: &[u8], what: &[u8], with: &[u8]) -> Vec<u8> {
    let at = bytes.windows(what.len()).position(|window| window == what).unwrap();
    [&bytes[..at], with, &bytes[at + what.len()..]].concat()
}

pub(super) fn variants() -> Vec<Variant> {
    [fields(), columns(), labels(), splits(), encodings(), no_tables()].into_iter().flatten().collect()
}

fn fields() -> Vec<Variant> {
    vec![
        variant(
            "quote never closed",
            "a.csv",
            csv(3, "0,\"送得太慢"),
            (3, "`review`"),
            "swallows the 2 lines below it",
        ),
        variant("quote of the last row", "a.csv", csv(5, "0,\"汤都凉了"), (5, "`review`"), "is never closed"),
        variant(
            "quotes that join rows",
            "a.csv",
            "label,review\n1,\"a\n0,c\n0,\"b,x\n",
            (2, NONE),
            "a quoted field in it spans lines that look like rows",
        ),
        variant("too few fields", "a.csv", csv(3, "0"), (3, NONE), "the row has 1 field, expected 2"),
        variant("too many fields", "a.csv", csv(4, "1,下次,还来"), (4, NONE), "the row has 3 fields, expected 2"),
        variant("blanks for a tab", "a.tsv", with_line(&tsv(), 3, "0    慢"), (3, NONE), "1 field, expected 2"),
        variant("a tab too many", "a.tsv", with_line(&tsv(), 5, "0\t汤\t凉"), (5, NONE), "3 fields, expected 2"),
        variant("a comma for `;`", "a.csv", with_line(&semicolons(), 4, "1,来"), (4, NONE), "1 field, expected 2"),
        variant("the header again", "a.csv", csv(4, "label,review"), (4, NONE), "the header line again"),
        variant(
            "another header",
            "a.csv",
            csv(3, "review,label"),
            (3, NONE),
            "another header line, with other columns",
        ),
        variant(
            "zero bytes at the end",
            "a.csv",
            format!("{CSV}{}", "\0".repeat(40)),
            (6, NONE),
            "1 field, expected 2",
        ),
    ]
}

fn columns() -> Vec<Variant> {
    let semicolon = ";".parse().unwrap();
    vec![
        variant(
            "no header",
            "a.csv",
            CSV.strip_prefix("label,review\n").unwrap(),
            (WHOLE, "`review`"),
            "the first line looks like a row, not a header",
        ),
        variant("no column of texts", "a.csv", csv(1, "label,text"), (WHOLE, "`review`"), "columns found: label, text"),
        variant("a capital", "a.tsv", tsv().replace("review", "Review"), (WHOLE, "`review`"), "did you mean `Review`?"),
        variant("no column of labels", "a.csv", csv(1, "y,review"), (WHOLE, "`label`"), "data.label_column names"),
        variant(
            "column of texts twice",
            "a.csv",
            "label,review,review\n1,好,好\n0,慢,慢\n",
            (WHOLE, "`review`"),
            "more than one column",
        ),
        variant(
            "column of labels twice",
            "a.csv",
            "label,review,label\n1,好,1\n0,慢,0\n",
            (WHOLE, "`label`"),
            "more than one column",
        ),
        variant("zero byte in the header", "a.csv", csv(1, "label\0,review"), (WHOLE, "`label`"), "label\\0, review"),
        variant(
            "a line of Excel's",
            "a.csv",
            format!("sep=,\n{CSV}"),
            (WHOLE, "`review`"),
            "a separator hint for Excel: remove it",
        ),
        variant("another separator set", "a.csv", CSV, (WHOLE, "`review`"), "write data.delimiter = \",\"")
            .set(|config| config.delimiter = Some(semicolon)),
        variant("header alone", "a.csv", "label,review\n", (WHOLE, "`review`"), "no usable rows: 0 read"),
        variant(
            "no texts",
            "a.csv",
            "label,review\n1,\n0, \n",
            (WHOLE, "`review`"),
            "2 read, of which 2 without a text",
        ),
        variant(
            "no second texts",
            "a.csv",
            "label,review,reply\n1,好,\n0,慢,\n",
            (WHOLE, "`reply`"),
            "2 without a second text",
        )
        .set(|config| config.text_pair_column = Some("reply".into())),
        variant("no labels", "a.csv", "label,review\n,好\n,慢\n", (WHOLE, "`label`"), "2 without a label"),
    ]
}

fn labels() -> Vec<Variant> {
    vec![
        variant("one class", "a.csv", "label,review\n1,好\n1,快\n", (WHOLE, "`label`"), "every row has the label `1`"),
        variant("unknown label", "a.csv", csv(5, "2,汤都凉了"), (5, "`label`"), "label `2` ").labelled(),
        variant("NA for a label", "a.csv", csv(3, "NA,送得太慢"), (3, "`label`"), "label `NA` ").labelled(),
        variant("zero byte in a label", "a.csv", csv(2, "1\0,味道很好"), (2, "`label`"), "is not in data.labels")
            .labelled(),
        variant("decimal for a whole label", "a.csv", csv(4, "1.0,下次还来"), (4, "`label`"), "label `1.0` ")
            .labelled(),
        variant(
            "missing labels alone",
            "a.csv",
            "label,review\nNA,好\nNA,慢\n",
            (WHOLE, "`label`"),
            "2 without a label",
        )
        .set(|config| config.missing = vec!["NA".into()]),
    ]
}

fn splits() -> Vec<Variant> {
    let table = "part,label,review\ntrain,1,好\ntrain,0,慢\ntest,1,快\ntest,0,凉\n";
    let line = |line, text| with_line(table, line, text);
    vec![
        variant(
            "unknown split",
            "a.csv",
            line(4, "dev,1,快"),
            (4, "`part`"),
            "is `dev`, which data.splits does not have",
        )
        .split(),
        variant("no split", "a.csv", line(3, ",0,慢"), (3, "`part`"), "is empty, which data.splits does not have")
            .split(),
        variant("split without rows", "a.csv", table.replace("test", "train"), (WHOLE, "`part`"), "has `test` (test)")
            .split(),
        variant("no column of splits", "a.csv", CSV, (WHOLE, "`part`"), "which data.split_column names").split(),
    ]
}

fn encodings() -> Vec<Variant> {
    let (utf8, gb, wide) = (CSV.as_bytes(), gbk(CSV), utf16(CSV));
    let lone = replaced(&wide, &utf16("得")[2..], &[0x00, 0xd8]);
    let utf32: Vec<u8> = CSV.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect();
    let bare = b"label,review\n1,caf\xE9\n0,cr\xE8me\n";
    vec![
        variant(
            "invalid text",
            "a.csv",
            replaced(utf8, "得".as_bytes(), b"\xE5\xBE"),
            (3, "column `review`"),
            "only line 3 is not UTF-8",
        ),
        variant(
            "invalid label",
            "a.tsv",
            replaced(tsv().as_bytes(), b"\n0", b"\n\xFF"),
            (3, "column `label`"),
            "offset 0 of",
        ),
        variant("invalid header", "a.csv", replaced(utf8, b"label", b"\xB1\xEA"), (1, "offset 0 "), "not UTF-8"),
        variant(
            "cut inside a character",
            "a.csv",
            &utf8[..utf8.len() - 2],
            (5, "`review`"),
            "the file ends inside a character",
        ),
        variant("GBK set as UTF-8", "a.csv", &gb, (2, "`review`"), "set data.encoding = \"gb18030\"").encoded("utf-8"),
        variant(
            "UTF-8 set as GB18030",
            "a.csv",
            csv(3, "0,慢"),
            (3, NONE),
            "is not valid gb18030, the encoding that the file is read in",
        )
        .encoded("gb18030"),
        variant(
            "GB18030 cut",
            "a.csv",
            &gb[..gb.len() - 2],
            (5, NONE),
            "is not valid gbk, the encoding that the file is read in",
        )
        .encoded("gbk"),
        variant("GB18030 cut and not set", "a.csv", &gb[..gb.len() - 2], (2, "`review`"), "it ends inside a character"),
        variant("invalid GB18030", "a.csv", replaced(&gb, &gbk("下"), b"\xFF\xFF"), (4, NONE), "is not valid gb18030")
            .encoded("gb18030"),
        variant("Windows-1252 not set", "a.csv", bare, (2, "`review`"), "its bytes look like windows-1252"),
        variant(
            "UTF-16 cut inside a unit",
            "a.csv",
            &wide[..wide.len() - 3],
            (5, NONE),
            "is not valid utf-16le, the encoding that the file is read in",
        ),
        variant(
            "UTF-16 with half a character",
            "a.csv",
            lone,
            (3, NONE),
            "is not valid utf-16le, the encoding that the file is read in",
        ),
        variant(
            "UTF-8 set as UTF-16",
            "a.csv",
            format!("\u{feff}{CSV}"),
            (WHOLE, NONE),
            "the byte order mark of utf-8",
        )
        .encoded("utf-16"),
        variant("UTF-16 set as GBK", "a.csv", &wide, (WHOLE, NONE), "the byte order mark of utf-16le").encoded("gbk"),
        variant("UTF-32", "a.csv", utf32, (1, NONE), "the file is UTF-32, not UTF-8"),
    ]
}

/// Files that were packed.
pub(super) fn packed() -> Vec<Variant> {
    let (gz, zst) = (gzip(CSV.as_bytes()), zstandard(CSV.as_bytes()));
    let flipped = |bytes: &[u8], from_end: usize| {
        let mut bytes = bytes.to_vec();
        let at = bytes.len() - from_end;
        bytes[at] ^= 0xff;
        bytes
    };
    let cut = "ends too early";
    let short = gzip(csv(3, "0").as_bytes());
    let invalid = zstandard(&replaced(CSV.as_bytes(), "得".as_bytes(), b"\xE5\xBE"));
    vec![
        variant("gzip cut in the middle", "a.csv.gz", &gz[..gz.len() / 2], (WHOLE, NONE), cut),
        variant("gzip cut in its checksum", "a.csv.gz", &gz[..gz.len() - 6], (WHOLE, NONE), cut),
        variant("gzip cut in its header", "a.csv.gz", &gz[..6], (WHOLE, NONE), cut),
        variant("gzip with a wrong checksum", "a.csv.gz", flipped(&gz, 8), (WHOLE, NONE), "the gzip file is damaged ("),
        variant("gzip with a wrong length", "a.csv.gz", flipped(&gz, 1), (WHOLE, NONE), "the gzip file is damaged ("),
        variant(
            "gzip and more",
            "a.csv.gz",
            [&gz[..], b"and more than that"].concat(),
            (WHOLE, NONE),
            "the gzip file is damaged (",
        ),
        variant("gzip of nothing", "a.csv.gz", gzip(b""), (WHOLE, NONE), "the file is empty"),
        variant("gzip of gzip", "a.csv.gz", gzip(&gz), (WHOLE, NONE), "it is a gzip file (decompress it first"),
        variant("gzip of a row too short", "a.csv.gz", short, (3, NONE), "the row has 1 field, expected 2"),
        variant("Zstandard cut", "a.csv.zst", &zst[..zst.len() / 2], (WHOLE, NONE), cut),
        variant(
            "Zstandard with a wrong checksum",
            "a.csv.zst",
            flipped(&zst, 1),
            (WHOLE, NONE),
            "the Zstandard file is damaged (",
        ),
        variant("Zstandard of an invalid row", "a.csv.zst", invalid, (3, "column `review`"), "not UTF-8"),
    ]
}

/// Files that are something else, or nothing.
fn no_tables() -> Vec<Variant> {
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
    let page = "<!DOCTYPE html>\n<html><body>Please log in</body></html>\n";
    vec![
        variant("empty", "a.csv", "", (WHOLE, NONE), "the file is empty"),
        variant("blank lines", "a.csv", "\n\r\n\n", (WHOLE, NONE), "the file is empty"),
        variant("zeros", "a.csv", [0; 64], (WHOLE, NONE), "it is a file of zeros"),
        Variant { bytes: None, ..variant("folder", "a.csv", "", (WHOLE, NONE), "it is a folder; expected a file") },
        variant("picture", "a.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", (WHOLE, NONE), "it is an image"),
        variant("web page", "a.csv", page, (WHOLE, NONE), "it is an HTML page"),
        variant("LFS pointer", "a.csv", lfs, (WHOLE, NONE), "it is a Git LFS pointer"),
        variant("PDF", "a.csv", b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n", (WHOLE, NONE), "it is a PDF"),
        variant("database", "a.csv", b"SQLite format 3\0\x10\0", (WHOLE, NONE), "it is an SQLite database"),
        variant("JSON named CSV", "a.csv", super::json::ARRAY, (WHOLE, NONE), "it is JSON, which data.format"),
        variant("no form", "a.txt", "好\n慢\n", (WHOLE, NONE), "the format cannot be determined"),
    ]
}
