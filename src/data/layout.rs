//! How a file is laid out: by what is said about it, by its ending, by its first bytes.

use std::{io::Read, path::Path};

use super::{
    DataError, Format,
    cells::Columns,
    convert::{csv_name, pandas},
    settings::{Layout, Wording},
    source::{Input, Origin},
    unpack::Packing,
};
use crate::{plan::Delimiter, regular, sniff::FileKind};

/// Bytes of a file that are searched for the names of its parts.
const MOST_SEARCHED: u64 = 256 << 20;

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
    /// A sheet of a workbook.
    Sheet,
}

/// How a file is to be read.
pub(super) struct Chosen {
    pub(super) reading: Reading,
    /// What `taper plan` says of it.
    pub(super) notes: Vec<String>,
    /// Settings that are those of a run's spec.
    pub(super) of_run: Vec<&'static str>,
}

impl Chosen {
    fn new(reading: Reading, of_run: Vec<&'static str>) -> Self {
        Self { reading, notes: Vec::new(), of_run }
    }
}

/// How the file is to be read.
pub(super) fn reading(layout: &Layout, origin: &Origin, input: &Input, columns: &Columns) -> Result<Chosen, DataError> {
    let mut of_run = Vec::new();
    let format = match layout.format {
        Some(format) => format,
        None => match by_ending(origin) {
            // Both endings are given to both layouts.
            Some(Format::Jsonl | Format::Json) => by_json(input.first()),
            Some(format) => format,
            None => by_content(layout, origin, input, (columns, &mut of_run))?,
        },
    };
    let reading = match format {
        Format::Csv | Format::Tsv => {
            refuse_settings(layout, origin, format)?;
            let own = if format == Format::Csv { Delimiter::COMMA } else { Delimiter::TAB };
            let run = layout.of_run.delimiter.filter(|_| layout.delimiter.is_none()).map(Delimiter::byte);
            let run = run.filter(|byte| fits(input.first(), *byte, own.byte(), columns));
            of_run.extend(run.filter(|byte| *byte != own.byte()).map(|_| "delimiter"));
            let said = run.or_else(|| layout.delimiter.map(Delimiter::byte));
            let found = said.is_none().then(|| header_delimiter(input.first(), own.byte(), columns)).flatten();
            let note = found.map(|byte| format!("fields are separated by {}, as in the header", named(byte)));
            let delimiter = found.or(said).unwrap_or_else(|| own.byte());
            let quoting = layout.of_run.quoting.unwrap_or(layout.quoting);
            of_run.extend(layout.of_run.quoting.map(|_| "quoting"));
            let reading = Reading::Delimited { delimiter, quotes: quoting.is_minimal() };
            return Ok(Chosen { reading, notes: note.into_iter().collect(), of_run });
        }
        Format::Jsonl => Reading::JsonLines,
        Format::Json => Reading::JsonArray,
        Format::Parquet => Reading::Parquet,
        Format::Xlsx => Reading::Sheet,
    };
    refuse_settings(layout, origin, format)?;
    refuse_other_content(layout, origin, input, format)?;
    Ok(Chosen::new(reading, of_run))
}

/// Refuses a file that begins as one of another format than was said, or than its name says.
fn refuse_other_content(layout: &Layout, origin: &Origin, input: &Input, format: Format) -> Result<(), DataError> {
    let first = input.first();
    match (first, input.kind()) {
        (_, Some(kind @ FileKind::Parquet)) if format == Format::Xlsx => {
            return Err(contradiction(layout, origin, format, &kind.to_string()));
        }
        (_, Some(kind @ FileKind::Xlsx)) if format == Format::Parquet => {
            return Err(contradiction(layout, origin, format, &kind.to_string()));
        }
        // One of its own format that is damaged is no text.
        ([b'P', b'A', b'R', b'1', ..] | [b'P', b'K', ..], _) => return Ok(()),
        _ => {}
    }
    let is_text = !first.is_empty() && first.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..));
    let is_json = matches!(first.trim_ascii_start().first(), Some(b'[' | b'{'));
    let content = match (format, input.kind()) {
        (Format::Parquet | Format::Xlsx, Some(kind @ FileKind::Json)) => kind.to_string(),
        (Format::Parquet | Format::Xlsx, None) if is_text => "a text file, such as CSV".into(),
        (Format::Jsonl | Format::Json, None) if layout.format.is_some() && is_text && !is_json => {
            "no JSON: it begins like CSV".into()
        }
        _ => return Ok(()),
    };
    Err(contradiction(layout, origin, format, &content))
}

/// The error of a file with content of another format.
fn contradiction(layout: &Layout, origin: &Origin, format: Format, content: &str) -> DataError {
    let what = match layout.format {
        Some(format) => {
            let set = layout.wording.set("format", format.name());
            format!("{set} does not fit the file, which is {content}: leave {} out", layout.wording.name("format"))
        }
        None => format!(
            "its name is that of a {} file, but it is {content}: rename it, or set {}",
            format.name(),
            layout.wording.name("format")
        ),
    };
    DataError::Layout { path: origin.name(), what }
}

/// Refuses settings that are for other formats.
fn refuse_settings(layout: &Layout, origin: &Origin, format: Format) -> Result<(), DataError> {
    let delimited = matches!(format, Format::Csv | Format::Tsv);
    let text = delimited || matches!(format, Format::Jsonl | Format::Json);
    let said = [
        ("delimiter", layout.delimiter.is_some(), delimited, "CSV and TSV"),
        ("quoting", !layout.quoting.is_minimal(), delimited, "CSV and TSV"),
        ("encoding", layout.encoding.is_some(), text, "CSV, TSV and JSON"),
        ("sheet", layout.sheet.is_some(), format == Format::Xlsx, "Excel workbooks"),
    ];
    let Some((key, .., of)) = said.into_iter().find(|(_, said, fits, _)| *said && !fits) else { return Ok(()) };
    let (name, set) = (layout.wording.name(key), layout.wording.name("format"));
    let what = format!("{name} is only for {of}, but this file is read as {}; remove it, or set {set}", format.name());
    Err(DataError::Layout { path: origin.name(), what })
}

/// The format that the ending of a file's name says, apart from one that says that it is packed.
fn by_ending(origin: &Origin) -> Option<Format> {
    let Origin::File(path) = origin else { return None };
    let name = path.file_name()?.to_string_lossy().to_lowercase();
    match Packing::inner_name(&name).rsplit_once('.')?.1 {
        "csv" => Some(Format::Csv),
        "tsv" | "tab" => Some(Format::Tsv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        "json" => Some(Format::Json),
        "parquet" => Some(Format::Parquet),
        "xlsx" | "xlsm" => Some(Format::Xlsx),
        _ => None,
    }
}

/// Which of both JSON layouts a file has that begins so.
fn by_json(first: &[u8]) -> Format {
    if first.trim_ascii_start().starts_with(b"[") { Format::Json } else { Format::Jsonl }
}

/// The layout that the first bytes show, where they show it beyond doubt: JSON, or a header with the column of the texts.
fn by_content(
    layout: &Layout,
    origin: &Origin,
    input: &Input,
    (columns, of_run): (&Columns, &mut Vec<&'static str>),
) -> Result<Format, DataError> {
    match input.kind() {
        Some(FileKind::Json) => return Ok(by_json(input.first())),
        Some(FileKind::Parquet) => return Ok(Format::Parquet),
        Some(FileKind::Xlsx) => return Ok(Format::Xlsx),
        Some(kind) => return Err(other_kind(layout.wording, &origin.name(), kind)),
        None => {}
    }
    if layout.delimiter.is_some() {
        return Ok(Format::Csv);
    }
    let header = header_line(input.first());
    if layout.of_run.delimiter.is_some_and(|of_run| splits(&header, of_run.byte(), columns)) {
        return Ok(Format::Csv);
    }
    let text_of_run = layout.of_run.format.filter(|format| match format {
        Format::Csv | Format::Tsv | Format::Jsonl | Format::Json => true,
        Format::Parquet | Format::Xlsx => false,
    });
    let is_tsv = text_of_run == Some(Format::Tsv);
    match (has_columns(&header, b'\t', columns), header_delimiter(input.first(), b'\t', columns), text_of_run) {
        (true, ..) if header.contains('\t') => Ok(Format::Tsv),
        // Alone in its line it has no delimiter, and any will do.
        (true, ..) if !is_tsv => Ok(Format::Csv),
        (_, Some(_), _) => Ok(Format::Csv),
        (.., Some(format)) => {
            of_run.push("format");
            Ok(format)
        }
        _ => {
            let (path, from) = match origin {
                Origin::StandardInput => ("standard input (`-`)".into(), "its first line"),
                _ => (origin.name(), "the file's extension or its first line"),
            };
            Err(DataError::UnknownFormat { path, from, key: layout.wording.name("format") })
        }
    }
}

/// The first line of a file.
fn header_line(first: &[u8]) -> std::borrow::Cow<'_, str> {
    let end = first.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(first.len());
    String::from_utf8_lossy(&first[..end])
}

/// Whether a header that is separated so has the columns that are read.
fn has_columns(header: &str, delimiter: u8, columns: &Columns) -> bool {
    let mut names = header.split(char::from(delimiter)).map(|name| name.trim().trim_matches('"').trim());
    let names: Vec<&str> = names.by_ref().collect();
    let texts = columns.text.named().map(|(name, _)| name);
    texts
        .chain(columns.targets())
        .chain(&columns.split)
        .chain(&columns.group)
        .all(|name| names.contains(&name.as_str()))
}

/// Whether a header has this delimiter, and with it the columns that are read.
fn splits(header: &str, byte: u8, columns: &Columns) -> bool {
    header.contains(char::from(byte)) && has_columns(header, byte, columns)
}

/// Whether a run's delimiter can be that of a file that begins so: the header has it, and with it the columns, or it does not have that of the format.
/// A header without it is that of one column, or has another.
fn fits(first: &[u8], byte: u8, own: u8, columns: &Columns) -> bool {
    let header = header_line(first);
    let has = |byte: u8| header.contains(char::from(byte));
    has(byte) && (has_columns(&header, byte, columns) || !has(own))
}

/// What separates the fields of a header, if that is not `own` beyond doubt: only with it, the header has the columns that are read.
fn header_delimiter(first: &[u8], own: u8, columns: &Columns) -> Option<u8> {
    let header = header_line(first);
    if has_columns(&header, own, columns) {
        return None;
    }
    let mut others =
        [b',', b';', b'\t', b'|'].into_iter().filter(|byte| *byte != own && splits(&header, *byte, columns));
    others.next().filter(|_| others.next().is_none())
}

/// A delimiter in a sentence.
fn named(byte: u8) -> String {
    if byte == b'\t' { "a tab".into() } else { format!("`{}`", char::from(byte)) }
}

/// What is wrong with a file that is something else than what it was read as.
pub(super) fn other_kind(wording: Wording, path: &Path, kind: FileKind) -> DataError {
    let kind = if kind == FileKind::Ole && is_protected(path) { FileKind::Protected } else { kind };
    let help = match kind {
        FileKind::Parquet => format!("which {} reads", wording.set("format", "parquet")),
        FileKind::Xlsx => format!("which {} reads", wording.set("format", "xlsx")),
        FileKind::Json => {
            let (lines, array) = (wording.set("format", "jsonl"), wording.set("format", "json"));
            format!("which {lines} (one object per line) or {array} (one array) reads")
        }
        FileKind::Ods | FileKind::Ole => {
            format!("not a text file: save it as .xlsx or CSV (UTF-8), or convert it: {}", pandas("excel", path))
        }
        FileKind::Protected => {
            "which cannot be read: open it in the program that wrote it, remove the password, and save it as .xlsx or CSV (UTF-8)".into()
        }
        FileKind::Arrow => format!("not a text file: convert it: {}", pandas("feather", path)),
        FileKind::Sqlite => format!(
            "not a text file: export the table: sqlite3 -header -csv '{}' 'select * from TABLE' > {}",
            path.display(),
            csv_name(path)
        ),
        _ => "not a table of texts; expected CSV, TSV, JSON Lines, a JSON array, Parquet or an Excel workbook".into(),
    };
    DataError::OtherKind { path: path.to_owned(), kind, help }
}

/// Whether an Office file is encrypted: it then has a part of this name, which is written in UTF-16.
fn is_protected(path: &Path) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut bytes = Vec::new();
    let read = regular::open(path).and_then(|file| file.take(MOST_SEARCHED).read_to_end(&mut bytes));
    read.is_ok() && memchr::memmem::find(&bytes, &name).is_some()
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
        return format!("; the first line is a separator hint for Excel: remove it{write}");
    }
    if let [only] = found {
        let others = [b'\t', b';', b'|', b','].into_iter().filter(|byte| *byte != delimiter);
        let parts = |byte: u8| only.split(char::from(byte)).count();
        if let Some(byte) = others.max_by_key(|byte| (parts(*byte), *byte == b'\t')).filter(|byte| parts(*byte) > 1) {
            return format!("; the fields seem to be separated by {}: write {}", named(byte), set(byte));
        }
    }
    // Names are words: short, and neither numbers nor sentences.
    let is_value = |name: &String| {
        name.parse::<f64>().is_ok()
            || name.chars().count() > 40
            || name.contains(['。', '，', '！', '？', '!', '?', '…'])
    };
    if found.iter().any(is_value) {
        return "; the first line looks like a row, not a header: add a line with the names of the columns above it"
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
