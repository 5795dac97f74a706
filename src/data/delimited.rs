//! Rows of CSV and TSV files.

use std::{
    collections::VecDeque,
    io::{self, Chain, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use csv::{ByteRecord, ErrorKind, ReaderBuilder};

use super::{
    DataError, Problem,
    cells::{Cells, Columns, Fault, Kept},
    closing_quotes::ClosingQuotes,
    counted_rows::Noticed,
    encoding,
    error::ColumnFault,
    input_fault::{InputFault, fault_of, reading},
    layout::header_help,
    quotes::{Swallowed, line_breaks},
    record::Fields,
    row_limit::MAX_ROW,
    settings::Wording,
    source::Input,
};

/// A last line put after the file's own. The csv crate takes the end of the file for the end of any open quote; when this
/// line turns up inside a field, a quote was never closed and has swallowed the rows after it. Nothing in it can be a
/// delimiter: letters, and a character of Unicode's private use.
const END: &[u8] = "\u{e000}endofthefile\u{e000}".as_bytes();
const END_LINE: &[u8] = "\n\u{e000}endofthefile\u{e000}".as_bytes();

/// What is wrong with a quoted field that goes on.
pub(super) const GOES_ON: &str = "a quoted field in it goes on after its closing quotation mark";

/// What its cause may be, and what to do.
pub(super) const BACKSLASHES: &str = "a quotation mark in a field is written as `\"\"`, but Spark and MySQL write `\\\"`; rewrite such a file with \
    pandas.read_csv(FILE, escapechar=\"\\\\\", dtype=str, keep_default_na=False).to_csv(NEW, index=False)";

/// Bytes that are read at a time.
const BUFFER: usize = 1 << 16;

/// A CSV or TSV file with a header line, row by row. Quotes work in both, as in pandas.
pub(super) struct Delimited {
    path: PathBuf,
    wording: Wording,
    delimiter: u8,
    /// Rows that quotes may have swallowed; none where quotes mean nothing.
    swallowed: Option<Swallowed>,
    /// Rows with a text or a label in quotes, where these mean nothing.
    quoted: Noticed,
    /// Rows with a quoted field that goes on after its closing quote.
    reopened: Noticed,
    reader: csv::Reader<Lines<Chain<Input, &'static [u8]>>>,
    record: ByteRecord,
    header: Vec<String>,
    /// The names of the columns whose values are kept: all or none.
    kept: Vec<Arc<str>>,
    columns: Columns,
    /// Positions of the columns of the text.
    texts: Vec<usize>,
    text_pair: Option<usize>,
    /// Those of the target.
    labels: Vec<usize>,
    split: Option<usize>,
    group: Option<usize>,
    done: bool,
}

impl Delimited {
    pub(super) fn new(
        path: &Path,
        input: Input,
        delimiter: u8,
        quotes: bool,
        columns: Columns,
        wording: Wording,
    ) -> Result<Self, DataError> {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .quoting(quotes)
            .has_headers(false) // the header is read as a record, for its line and its errors
            .flexible(true)
            .buffer_capacity(BUFFER)
            .from_reader(Lines::new(input.chain(END_LINE), quotes.then(|| ClosingQuotes::new(delimiter))));
        let mut rows = Self {
            path: path.to_owned(),
            wording,
            delimiter,
            swallowed: quotes.then(Swallowed::default),
            quoted: Noticed::default(),
            reopened: Noticed::default(),
            reader,
            record: ByteRecord::new(),
            header: Vec::new(),
            kept: Vec::new(),
            columns,
            texts: Vec::new(),
            text_pair: None,
            labels: Vec::new(),
            split: None,
            group: None,
            done: false,
        };
        let line = match rows.advance() {
            Ok(Some(line)) => line,
            Ok(None) => return Err(DataError::Empty { path: path.to_owned() }),
            Err(Fault::File(error)) => return Err(error),
            Err(Fault::Row(problem)) => {
                return Err(DataError::Rows { path: path.to_owned(), problems: vec![problem], more: 0 });
            }
        };
        let header = Fields::new(&rows.record).map(|fields| fields.iter().map(|name| name.trim().to_owned()).collect());
        rows.header = header.map_err(|bad| rows.not_utf8(line, bad))?;
        // Its quoted fields are none of the first row.
        rows.quoted_field_goes_on();
        if rows.columns.keep {
            rows.kept = rows.header.iter().map(|name| name.as_str().into()).collect();
        }
        DataError::all(rows.columns.named().map(|(name, key)| rows.find(name, key)))?;
        let Columns { text, split, group, .. } = &rows.columns;
        let all = |names: &[String], key| names.iter().map(|name| rows.find(name, key)).collect::<Result<_, _>>();
        let find = |name: &Option<String>, key| name.as_ref().map(|name| rows.find(name, key)).transpose();
        (rows.texts, rows.text_pair, rows.labels, rows.split, rows.group) = (
            all(&text.names, text.key())?,
            find(&text.pair, "text_pair_column")?,
            all(rows.columns.targets(), rows.columns.target_key())?,
            find(split, "split_column")?,
            find(group, "group_column")?,
        );
        Ok(rows)
    }

    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        let Some(line) = self.advance()? else { return Ok(None) };
        let goes_on = self.quoted_field_goes_on();
        let record = match Fields::new(&self.record) {
            Ok(record) => record,
            Err(bad) => {
                self.done = true;
                return Err(Fault::File(self.not_utf8(line, bad)));
            }
        };
        let expected = self.header.len();
        let looks_like_rows = match &mut self.swallowed {
            Some(swallowed) => {
                swallowed.look(line, &record, char::from(self.delimiter), expected, self.labels.first().copied())
            }
            None => false,
        };
        // A stray mark that swallows rows ends at the next one, after which a text goes on: that has a warning of its own.
        let goes_on = goes_on && !looks_like_rows;
        if goes_on {
            self.reopened.add(line);
        }
        if let Some(what) = self.header_again(&record) {
            return Err(Fault::Row(Problem::new(line, what)));
        }
        if record.len() != expected {
            let why = match (goes_on, looks_like_rows) {
                (true, _) => format!("; {GOES_ON}: {BACKSLASHES}"),
                (false, true) => {
                    format!("; a quoted field in it spans lines that look like rows ({})", self.no_quoting())
                }
                (false, false) => self.why_ragged(record.len() > expected),
            };
            let what = format!(", expected {expected}{why}");
            return Err(Fault::Row(Problem::of_fields(line, record.len() as u64, what)));
        }
        // The row has as many fields as the header, in which the columns were found.
        let cell = |column: Option<usize>| column.and_then(|column| record.get(column)).unwrap_or_default();
        let is_quoted = |column: &usize| {
            let cell = cell(Some(*column)).trim();
            cell.len() > 1 && cell.starts_with('"') && cell.ends_with('"')
        };
        if self.swallowed.is_none() && self.texts.iter().chain(&self.labels).any(is_quoted) {
            self.quoted.add(line);
        }
        for &text in &self.texts {
            cells.add_text(cell(Some(text)), &self.columns.text);
        }
        cells.text_pair.push_str(cell(self.text_pair));
        match self.labels[..] {
            [label] if !self.columns.has_parts() => cells.label.push_str(cell(Some(label)).trim()),
            _ => {
                cells.labels.resize(self.labels.len(), String::new());
                let values = self.labels.iter().map(|label| cell(Some(*label)).trim());
                cells.labels.iter_mut().zip(values).for_each(|(to, value)| to.push_str(value));
            }
        }
        cells.split.push_str(cell(self.split).trim());
        cells.group.push_str(cell(self.group).trim());
        if !self.kept.is_empty() {
            let values = record.iter().map(|cell| Kept::Text(cell.to_owned()));
            cells.kept.extend(self.kept.iter().cloned().zip(values));
        }
        Ok(Some(line))
    }

    pub(super) fn input(&self) -> &Input {
        self.reader.get_ref().inner.get_ref().0
    }

    /// What separates its fields.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// Rows with a text or a label in quotes, where quotes are ordinary characters.
    pub(super) fn quoted(&self) -> &Noticed {
        &self.quoted
    }

    /// Rows with a quoted field that goes on after its closing quote.
    pub(super) fn reopened(&self) -> &Noticed {
        &self.reopened
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    pub(super) fn swallowed(&self) -> Option<&Swallowed> {
        self.swallowed.as_ref()
    }

    /// Whether the record that was read last has a quoted field that goes on after its closing quote.
    fn quoted_field_goes_on(&mut self) -> bool {
        let end = self.reader.position().byte();
        self.reader.get_mut().quotes.as_mut().is_some_and(|quotes| quotes.any_before(end))
    }

    fn find(&self, column: &str, key: &'static str) -> Result<usize, DataError> {
        let mut columns = (0..self.header.len()).filter(|&index| self.header[index] == column);
        let (what, help) = match (columns.next(), columns.next()) {
            (Some(index), None) => return Ok(index),
            (None, _) => (ColumnFault::Absent, header_help(self.wording, self.delimiter, column, &self.header)),
            (Some(_), Some(_)) => (ColumnFault::Twice, "; rename all but one of them".to_owned()),
        };
        let found = self.header.iter().map(|name| name.escape_debug().to_string()).collect();
        let (path, names) = (self.path.clone(), self.wording.named_by(key));
        let help = format!("{help}{}", self.wording.another(key)).into();
        Err(DataError::Column { path, what, column: column.into(), names, found, help })
    }

    /// What is wrong with a record that names columns: files were joined with their header lines. In a file of one column such a row
    /// may be a text.
    fn header_again(&self, record: &Fields<'_>) -> Option<&'static str> {
        let text = self.texts[0];
        let is_text = |cell: &str| same_name(cell, &self.header[text]);
        let label = self.labels.first().copied();
        let is_label = |cell: &str| label.is_none_or(|label| same_name(cell, &self.header[label]));
        if self.header.len() < 2 || !record.iter().any(is_text) || !record.iter().any(is_label) {
            return None;
        }
        let known = |cell: &&str| !cell.trim().is_empty() && self.header.iter().any(|name| same_name(cell, name));
        if record.iter().filter(known).count() < 2 {
            return None;
        }
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let same = is_text(cell(text)) && label.is_none_or(|label| is_label(cell(label)));
        Some(match same && record.len() == self.header.len() {
            true => "the header line again (were several files concatenated?); remove it",
            false => {
                "another header line, with other columns or another order (were several files concatenated?); give the files the same \
                 columns before you concatenate them"
            }
        })
    }

    /// What may be the cause of a row with too many fields, or too few, and what to do.
    fn why_ragged(&self, too_many: bool) -> String {
        let (delimiter, tabs) = match self.delimiter {
            b'\t' => ("tab".to_owned(), ""),
            byte => (format!("`{}`", char::from(byte)), ", or separate the fields by tabs (.tsv)"),
        };
        match (too_many, self.swallowed.is_some()) {
            (true, true) => {
                format!(": a text with a {delimiter} has to be in quotes, as Python's csv.writer writes it{tabs}")
            }
            (true, false) => format!(": without quotes (data.quoting), no text can contain a {delimiter}"),
            (false, true) => ": a field is missing, or a text with a line break is not in quotes".into(),
            (false, false) => String::new(),
        }
    }

    /// The setting that disables quotes.
    fn no_quoting(&self) -> String {
        format!("set {} if quotes are ordinary characters in this file", self.wording.set("quoting", "none"))
    }

    /// Reads the next record and returns the line on which it begins.
    fn advance(&mut self) -> Result<Option<u64>, Fault> {
        if self.done {
            return Ok(None);
        }
        let start = self.reader.position().byte();
        self.reader.get_mut().row = start;
        let result = self.reader.read_byte_record(&mut self.record);
        let line = self.reader.get_mut().line_at(start);
        match result {
            Ok(true) if self.reader.position().byte() - start > MAX_ROW => {
                self.done = true;
                return Err(Fault::File(self.too_long(line)));
            }
            Ok(true) => {}
            Ok(false) => {
                self.done = true;
                return Ok(None);
            }
            Err(error) => {
                self.done = true;
                return Err(Fault::File(self.file_error(error, line)));
            }
        }
        match self.record.iter().next_back() {
            Some(END) if self.record.len() == 1 => {
                self.done = true;
                Ok(None)
            }
            Some(last) if last.ends_with(END) => {
                self.done = true;
                Err(Fault::Row(self.open_quote(line)))
            }
            _ => Ok(Some(line)),
        }
    }

    /// A quote that opens in the last field of the row that begins on `line`, and is never closed.
    fn open_quote(&self, line: u64) -> Problem {
        let last = self.record.len() - 1;
        let before: u64 = self.record.iter().take(last).map(line_breaks).sum();
        let swallowed = &self.record[last];
        let swallowed = swallowed.strip_suffix(END).unwrap_or(swallowed);
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let swallowed = &swallowed[..swallowed.iter().rposition(|byte| !is_end(byte)).map_or(0, |last| last + 1)];
        let column = self.header.get(last).map_or(String::new(), |name| format!(" (column `{}`)", name.escape_debug()));
        let swallows = match line_breaks(swallowed) {
            0 => String::new(),
            1 => " and swallows the line below it".to_owned(),
            n => format!(" and swallows the {n} lines below it"),
        };
        let what =
            format!("a quote that opens here{column} is never closed{swallows}: close it, or {}", self.no_quoting());
        Problem::new(line + before, what)
    }

    /// A field of the row on `line` is not UTF-8 from an offset on.
    fn not_utf8(&self, line: u64, (field, offset): (usize, usize)) -> DataError {
        let column = self.header.get(field).map(String::as_str);
        encoding::not_utf8(&self.path, line, offset, column, self.wording)
    }

    fn too_long(&self, line: u64) -> DataError {
        let help = match self.swallowed {
            Some(_) => format!("; a quote that is not closed may be the cause ({})", self.no_quoting()),
            None => String::new(),
        };
        DataError::RowTooLong { path: self.path.clone(), line, help }
    }

    fn file_error(&self, error: csv::Error, line: u64) -> DataError {
        let path = self.path.clone();
        match error.into_kind() {
            ErrorKind::Io(error) if fault_of(&error) == Some(&InputFault::RowTooLong) => self.too_long(line),
            ErrorKind::Io(error) => reading(&path, line)(error),
            // The others are about seeking, serde and strict field counts, none of which is used here.
            other => DataError::Io { path, error: io::Error::other(format!("{other:?}")) },
        }
    }
}

/// Whether a cell names a column, as the header of another file may write it: with a byte order mark, quotes, blanks, capitals.
fn same_name(cell: &str, name: &str) -> bool {
    // Nearly every cell of a file is told by how it begins.
    if let (Some(first), Some(of_name)) = (cell.bytes().next(), name.bytes().next())
        && first.is_ascii_alphanumeric()
        && of_name.is_ascii_alphanumeric()
        && !first.eq_ignore_ascii_case(&of_name)
    {
        return false;
    }
    let cell = cell.trim_matches(|c: char| c.is_whitespace() || "\u{feff}\"'".contains(c));
    // Letters of other case have at most three bytes for one. Nearly all others are told by their length.
    let lengths = name.len() / 3..=name.len() * 3;
    lengths.contains(&cell.len())
        && cell.len() < 100
        && !name.is_empty()
        && match (cell.is_ascii(), name.is_ascii()) {
            (true, true) => cell.eq_ignore_ascii_case(name),
            _ => cell.to_lowercase() == name.to_lowercase(),
        }
}

/// Hands bytes on and notes where lines begin.
///
/// The csv crate counts `\n` only and positions a record before the line ends and blank lines in front of it, which puts
/// rows of CRLF and CR files, and rows after blank lines, on the wrong line. It keeps a whole row in memory, too, however long:
/// past [`MAX_ROW`] bytes of one no more are handed on.
struct Lines<R> {
    inner: R,
    /// Offset at which the row being read begins.
    row: u64,
    /// Bytes handed on.
    offset: u64,
    /// Lines begun.
    line: u64,
    previous: u8,
    /// Offset and number of each line that is not blank, from the first not yet asked for.
    starts: VecDeque<(u64, u64)>,
    /// Where quotes mean something.
    quotes: Option<ClosingQuotes>,
}

impl<R> Lines<R> {
    fn new(inner: R, quotes: Option<ClosingQuotes>) -> Self {
        Self { inner, row: 0, offset: 0, line: 1, previous: b'\n', starts: VecDeque::new(), quotes }
    }

    /// Bytes of one line, which are `at` bytes behind the offset.
    fn pass(&mut self, bytes: &[u8], at: usize) {
        let Some(last) = bytes.last() else { return };
        if matches!(self.previous, b'\n' | b'\r') {
            self.starts.push_back((self.offset + at as u64, self.line));
        }
        self.previous = *last;
    }

    /// The first line that begins at or after `offset` and is not blank. Offsets may only grow.
    fn line_at(&mut self, offset: u64) -> u64 {
        while self.starts.front().is_some_and(|start| start.0 < offset) {
            self.starts.pop_front();
        }
        self.starts.front().map_or(self.line, |start| start.1)
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // What is read ahead of the row is less than the reader's buffer.
        if self.offset - self.row > MAX_ROW + BUFFER as u64 {
            return Err(InputFault::RowTooLong.into());
        }
        let n = self.inner.read(buf)?;
        let buf = &buf[..n];
        if let Some(quotes) = &mut self.quotes {
            quotes.look(buf);
        }
        let mut at = 0;
        for end in memchr::memchr2_iter(b'\n', b'\r', buf) {
            self.pass(&buf[at..end], at);
            match buf[end] {
                b'\n' if self.previous == b'\r' => {} // one line end, counted at its \r
                _ => self.line += 1,
            }
            (self.previous, at) = (buf[end], end + 1);
        }
        self.pass(&buf[at..], at);
        self.offset += n as u64;
        Ok(n)
    }
}
