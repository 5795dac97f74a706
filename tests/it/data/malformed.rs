//! One valid table in each form that taper reads, broken in many ways: each is refused with the file, the row and the column.

mod json;
pub(super) mod tables;
mod text;

use std::{fs, io::Read};

use proptest::prelude::*;
use taper::{
    data::{Layout, Origin, read, stream_texts},
    plan::{DataConfig, SplitValues},
};

use crate::data::{
    config, file, labels,
    mutations::{damage, damages},
};

/// For [`Variant::row`]: the fault is of the file as a whole.
const WHOLE: u64 = 0;
/// For [`Variant::column`]: the fault is of the row as a whole, or of the file.
const NONE: &str = "";

/// A broken table.
struct Variant {
    /// What is wrong with it.
    what: &'static str,
    /// The name of the file, which the message has.
    file: &'static str,
    /// What it holds; nothing: it is a folder.
    bytes: Option<Vec<u8>>,
    config: DataConfig,
    /// Whether it is read as texts to classify, without labels.
    predict: bool,
    /// The line (without lines, the row) that the message has.
    row: u64,
    /// The column that the message has, as written there: its name, or the position in the line.
    column: &'static str,
    /// What else it has.
    says: &'static str,
}

fn variant(
    what: &'static str,
    file: &'static str,
    bytes: impl AsRef<[u8]>,
    (row, column): (u64, &'static str),
    says: &'static str,
) -> Variant {
    let bytes = Some(bytes.as_ref().to_vec());
    Variant { what, file, bytes, config: config(), predict: false, row, column, says }
}

impl Variant {
    /// With these settings.
    fn set(mut self, change: impl FnOnce(&mut DataConfig)) -> Self {
        change(&mut self.config);
        self
    }

    /// With two labels given, `0` and `1`.
    fn labelled(self) -> Self {
        self.set(|config| config.labels = labels(&[("0", "bad"), ("1", "good")]))
    }

    /// In this encoding.
    fn encoded(self, encoding: &str) -> Self {
        let encoding = encoding.parse().unwrap();
        self.set(|config| config.encoding = Some(encoding))
    }

    /// With the splits `train` and `test` in the column `part`.
    fn split(self) -> Self {
        self.set(|config| {
            config.split_column = Some("part".into());
            config.splits = Some(SplitValues { train: "train".into(), dev: None, test: Some("test".into()) });
        })
    }

    /// The error without the folder; none if the file is read.
    fn message(&self) -> Option<String> {
        let (dir, path) = file(self.file, self.bytes.as_deref().unwrap_or_default());
        if self.bytes.is_none() {
            fs::remove_file(&path).unwrap();
            fs::create_dir(&path).unwrap();
        }
        let error = match self.predict {
            false => read(&path, &self.config).err(),
            true => match stream_texts(&Origin::File(path), &Layout::from(&self.config), "review") {
                Ok(mut rows) => rows.find_map(Result::err),
                Err(error) => Some(error),
            },
        };
        error.map(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
    }

    /// What the message of a file that must be refused lacks.
    fn fault(&self) -> Option<String> {
        let Some(message) = self.message() else { return Some(format!("{}: it is read", self.what)) };
        let lacks = |what: &str| Some(format!("{}: no {what} in: {message}", self.what));
        let rows = rows_in(&message, self.file);
        match () {
            () if !message.starts_with(&format!("{}:", self.file)) => lacks(self.file),
            () if self.row != WHOLE && !rows.contains(&self.row) => lacks(&format!("row {}", self.row)),
            () if self.row == WHOLE && !rows.is_empty() => Some(format!("{}: it has a row: {message}", self.what)),
            () if !names(&message, self.column) => lacks(self.column),
            () if !message.contains(self.says) => lacks(self.says),
            () => None,
        }
    }
}

/// Whether a message has this column, and not only the first digits of its position.
fn names(message: &str, column: &str) -> bool {
    let mut after = message.match_indices(column).map(|(at, _)| &message[at + column.len()..]);
    after.any(|rest| column.is_empty() || !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The rows that a message names: after the name of the file, or after `line`, `lines` or `row`.
fn rows_in(message: &str, file: &str) -> Vec<u64> {
    let starts = [format!("{file}:"), "line ".into(), "lines ".into(), "row ".into()];
    let after = starts.iter().flat_map(|start| message.match_indices(start).map(|(at, _)| at + start.len()));
    let number = |at: usize| message[at..].split(|c: char| !c.is_ascii_digit()).next()?.parse().ok();
    after.filter_map(number).collect()
}

/// `table` with another text in its line `line`, from 1.
fn with_line(table: &str, line: usize, text: &str) -> String {
    let lines = table.lines().enumerate().map(|(at, old)| if at + 1 == line { text } else { old });
    lines.map(|line| format!("{line}\n")).collect()
}

/// The table in each form: the name of its file, its bytes and settings. The text forms come first.
fn forms() -> Vec<(&'static str, Vec<u8>, DataConfig)> {
    let gbk = DataConfig { encoding: Some("gb18030".parse().unwrap()), ..config() };
    vec![
        ("rows.csv", text::CSV.into(), config()),
        ("rows.tsv", text::tsv().into(), config()),
        ("semicolon.csv", text::semicolons().into(), config()),
        ("rows.jsonl", json::LINES.into(), config()),
        ("rows.json", json::ARRAY.into(), config()),
        ("gbk.csv", text::gbk(text::CSV), gbk),
        ("utf16.csv", text::utf16(text::CSV), config()),
        ("rows.csv.gz", text::gzip(text::CSV.as_bytes()), config()),
        ("rows.csv.zst", text::zstandard(text::CSV.as_bytes()), config()),
        ("rows.xlsx", tables::workbook(&tables::SHEET), config()),
        ("rows.parquet", tables::parquet_file(), config()),
    ]
}

const TEXT_FORMS: usize = 9;

#[test]
fn the_valid_table_is_read_in_every_form() {
    for (name, bytes, config) in forms() {
        let (_dir, path) = file(name, bytes);
        let data = read(&path, &config).unwrap_or_else(|error| panic!("{error}"));
        let rows: Vec<_> = data.rows.iter().map(|row| (row.text.as_str(), row.target.ids()[0])).collect();
        assert_eq!(rows, [("味道很好", 1), ("送得太慢", 0), ("下次还来", 1), ("汤都凉了", 0)], "{name}");
    }
}

#[test]
fn each_malformed_variant_is_refused_with_file_row_and_column() {
    let variants: Vec<Variant> =
        [text::variants(), text::packed(), json::variants(), tables::variants()].into_iter().flatten().collect();
    assert!(variants.len() >= 40, "{} variants", variants.len());
    let mut names: Vec<&str> = variants.iter().map(|variant| variant.what).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), variants.len(), "two variants have the same name");
    let faults: Vec<String> = variants.iter().filter_map(Variant::fault).collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), variants.len(), faults.join("\n"));
}

/// The most rows that bytes can hold: a row of JSON is an object, any other has a line below the header. In each encoding that is
/// read, a line break has one of the bytes of ASCII.
fn most_rows(name: &str, bytes: &[u8]) -> usize {
    let mut unpacked = Vec::new();
    // What is unpacked before a fault counts.
    let _ = match bytes {
        [0x1f, 0x8b, ..] => flate2::bufread::MultiGzDecoder::new(bytes).read_to_end(&mut unpacked),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => zstd::Decoder::new(bytes).and_then(|mut file| file.read_to_end(&mut unpacked)),
        mut plain => plain.read_to_end(&mut unpacked),
    };
    let marks: &[u8] = if name.contains(".json") { b"{" } else { b"\n\r" };
    unpacked.iter().filter(|byte| marks.contains(byte)).count()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_form_is_refused_with_its_file_or_has_no_more_rows_than_lines(
        which in 0..TEXT_FORMS,
        damaged in damages(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (name, mut bytes, config) = forms().swap_remove(which);
        damaged.into_iter().for_each(|damaging| damage(&mut bytes, damaging));
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len() + 1));
        }
        let most = most_rows(name, &bytes);
        let (_dir, path) = file(name, bytes);
        match read(&path, &config) {
            Ok(data) => prop_assert!(data.rows.len() <= most, "{} rows of {most} in {name}", data.rows.len()),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.contains(&format!("{name}:")), "no {name} in {message}");
            }
        }
    }
}
