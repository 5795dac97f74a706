//! How a file is laid out: by what is said about it, by its ending, by its first bytes.

use std::path::Path;

use super::{
    DataConfig, DataError, Format,
    cells::Columns,
    convert::{csv_name, pandas},
    source::{Input, Origin},
};
use crate::{
    plan::{Delimiter, Quoting},
    sniff::FileKind,
};

/// What is said about a file's layout, and by what: messages name the settings as their reader can set them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Layout {
    /// Its format; by ending and content where absent.
    pub format: Option<Format>,
    /// What separates fields; as the format has it where absent.
    pub delimiter: Option<Delimiter>,
    /// What quotes mean.
    pub quoting: Quoting,
    /// What the settings are called.
    pub wording: Wording,
}

impl From<&DataConfig> for Layout {
    fn from(config: &DataConfig) -> Self {
        let DataConfig { format, delimiter, quoting, .. } = *config;
        Self { format, delimiter, quoting, wording: Wording::Keys }
    }
}

/// What settings are called in messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wording {
    /// Keys of a spec: `data.text_column`.
    #[default]
    Keys,
    /// Options of a command: `--text-column`.
    Options,
    /// The same where the columns are those that a run was trained with, unless an option names another.
    Run {
        /// Whether the column of the texts is the run's.
        text: bool,
        /// Whether that of the second texts is.
        text_pair: bool,
        /// Whether that of the labels is.
        label: bool,
    },
}

impl Wording {
    /// A setting.
    pub(super) fn name(self, key: &str) -> String {
        match self {
            Self::Keys => format!("data.{key}"),
            Self::Run { text: true, .. } if matches!(key, "text_column" | "text_columns") => {
                Self::of_run("text_column")
            }
            Self::Run { text_pair: true, .. } if key == "text_pair_column" => Self::of_run(key),
            Self::Run { label: true, .. } if key == "label_column" => Self::of_run(key),
            Self::Options | Self::Run { .. } => format!("--{}", key.replace('_', "-")),
        }
    }

    fn of_run(key: &str) -> String {
        format!("the run's spec (--{} overrides it)", key.replace('_', "-"))
    }

    /// A setting with its value, as it is written.
    pub(super) fn set(self, key: &str, value: &str) -> String {
        match self {
            Self::Keys => format!("{} = \"{value}\"", self.name(key)),
            _ if value.chars().all(|c| c.is_ascii_alphanumeric()) => format!("{} {value}", self.name(key)),
            _ => format!("{} '{value}'", self.name(key)),
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Fields with this between them; whether quotes mean anything.
    Delimited { delimiter: u8, quotes: bool },
    /// One object a line.
    JsonLines,
    /// One array of objects.
    JsonArray,
    /// Parquet.
    Parquet,
}

/// How the file is to be read.
pub(super) fn reading(layout: Layout, origin: &Origin, input: &Input, columns: &Columns) -> Result<Reading, DataError> {
    let format = match layout.format {
        Some(format) => format,
        None => match by_ending(origin) {
            // Both endings are given to both layouts.
            Some(Format::Jsonl | Format::Json) => by_json(input.first()),
            Some(format) => format,
            None => by_content(layout, origin, input, columns)?,
        },
    };
    let reading = match format {
        Format::Csv | Format::Tsv => {
            let own = if format == Format::Csv { Delimiter::COMMA } else { Delimiter::TAB };
            let delimiter = layout.delimiter.unwrap_or(own).byte();
            return Ok(Reading::Delimited { delimiter, quotes: layout.quoting.is_minimal() });
        }
        Format::Jsonl => Reading::JsonLines,
        Format::Json => Reading::JsonArray,
        Format::Parquet => Reading::Parquet,
    };
    let said = [("delimiter", layout.delimiter.is_some()), ("quoting", !layout.quoting.is_minimal())];
    match said.into_iter().find(|(_, said)| *said) {
        Some((key, _)) => {
            let (name, format) = (layout.wording.name(key), layout.wording.name("format"));
            let what =
                format!("{name} is for CSV and TSV, and this file is read as neither; leave it out, or set {format}");
            Err(DataError::Layout { path: origin.name(), what })
        }
        None => Ok(reading),
    }
}

fn by_ending(origin: &Origin) -> Option<Format> {
    let Origin::File(path) = origin else { return None };
    match path.extension()?.to_string_lossy().to_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "json" => Some(Format::Json),
        "parquet" => Some(Format::Parquet),
        _ => None,
    }
}

/// Which of both JSON layouts a file has that begins so.
fn by_json(first: &[u8]) -> Format {
    if first.trim_ascii_start().starts_with(b"[") { Format::Json } else { Format::Jsonl }
}

/// The layout that the first bytes show, where they show it beyond doubt: JSON, or a header with the column of the texts.
fn by_content(layout: Layout, origin: &Origin, input: &Input, columns: &Columns) -> Result<Format, DataError> {
    match input.kind() {
        Some(FileKind::Json) => return Ok(by_json(input.first())),
        Some(FileKind::Parquet) => return Ok(Format::Parquet),
        Some(kind) => return Err(other_kind(layout.wording, &origin.name(), kind)),
        None => {}
    }
    if layout.delimiter.is_some() {
        return Ok(Format::Csv);
    }
    let head = input.first();
    let end = head.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(head.len());
    let header = String::from_utf8_lossy(&head[..end]);
    let has_column = |delimiter| {
        header
            .split(delimiter)
            .any(|name| columns.text.names.iter().any(|text| name.trim().trim_matches('"').trim() == text))
    };
    match (has_column('\t'), has_column(',')) {
        (true, false) => Ok(Format::Tsv),
        // Alone in its line it has no delimiter, and either will do.
        (_, true) => Ok(Format::Csv),
        (false, false) => Err(DataError::UnknownFormat { path: origin.name(), key: layout.wording.name("format") }),
    }
}

/// What is wrong with a file that is something else than what it was read as.
pub(super) fn other_kind(wording: Wording, path: &Path, kind: FileKind) -> DataError {
    let help = match kind {
        FileKind::Parquet if cfg!(feature = "parquet") => format!("which {} reads", wording.set("format", "parquet")),
        FileKind::Parquet => return DataError::NoParquet { path: path.to_owned() },
        FileKind::Json => {
            let (lines, array) = (wording.set("format", "jsonl"), wording.set("format", "json"));
            format!("which {lines} (one object a line) or {array} (one array) reads")
        }
        FileKind::Xlsx | FileKind::Ods | FileKind::Ole => {
            format!("not a text file: save the sheet as CSV (UTF-8), or convert it: {}", pandas("excel", path))
        }
        FileKind::Arrow => format!("not a text file: convert it: {}", pandas("feather", path)),
        FileKind::Sqlite => format!(
            "not a text file: export the table: sqlite3 -header -csv '{}' 'select * from TABLE' > {}",
            path.display(),
            csv_name(path)
        ),
        _ => "not a table of texts; expected CSV, TSV, JSON Lines, a JSON array or Parquet".into(),
    };
    DataError::OtherKind { path: path.to_owned(), kind, help }
}

/// What may be wrong with a header that lacks a column, and what to do.
pub(super) fn header_help(wording: Wording, delimiter: u8, column: &str, found: &[String]) -> String {
    let set = |byte: u8| match byte {
        b'\t' => wording.set("delimiter", "tab"),
        byte => wording.set("delimiter", &char::from(byte).to_string()),
    };
    let line = found.join(&char::from(delimiter).to_string());
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep=")) {
        let write = match line.as_bytes().get(4) {
            Some(&separator) if separator != delimiter => format!(", and write {}", set(separator)),
            _ => String::new(),
        };
        return format!("; the first line is a note of Excel's: remove it{write}");
    }
    if let [only] = found {
        let others = [b'\t', b';', b'|', b','].into_iter().filter(|byte| *byte != delimiter);
        let parts = |byte: u8| only.split(char::from(byte)).count();
        if let Some(byte) = others.max_by_key(|byte| (parts(*byte), *byte == b'\t')).filter(|byte| parts(*byte) > 1) {
            let name = if byte == b'\t' { "a tab".to_string() } else { format!("`{}`", char::from(byte)) };
            return format!("; the fields seem to be separated by {name}: write {}", set(byte));
        }
    }
    // Names are words: short, and neither numbers nor sentences.
    let is_value = |name: &String| {
        name.parse::<f64>().is_ok()
            || name.chars().count() > 40
            || name.contains(['。', '，', '！', '？', '!', '?', '…'])
    };
    if found.iter().any(is_value) {
        return "; the first line looks like a row and not like a header: put a line above it that names the columns"
            .into();
    }
    suggest(column, found)
}

/// `; did you mean …?` where one of the names found is near the one looked for.
pub(super) fn suggest(column: &str, found: &[String]) -> String {
    let near = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &column.to_lowercase());
    let best = found.iter().map(|name| (near(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, name)) if likeness > 0.75 && name != column => format!("; did you mean `{name}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_as_their_reader_sets_them() {
        assert_eq!(Wording::Keys.name("text_column"), "data.text_column");
        assert_eq!(Wording::Options.name("text_column"), "--text-column");
        let own = Wording::Run { text: true, text_pair: true, label: false };
        assert_eq!(own.name("text_column"), "the run's spec (--text-column overrides it)");
        assert_eq!(own.name("text_columns"), "the run's spec (--text-column overrides it)");
        assert_eq!(own.name("text_pair_column"), "the run's spec (--text-pair-column overrides it)");
        assert_eq!([own.name("label_column"), own.set("format", "tsv")], ["--label-column", "--format tsv"]);
        assert_eq!(Wording::Keys.set("delimiter", ";"), "data.delimiter = \";\"");
        assert_eq!(Wording::Options.set("delimiter", ";"), "--delimiter ';'");
        assert_eq!(Wording::Options.set("format", "tsv"), "--format tsv");
    }
}
