//! Rows of Excel workbooks.
//!
//! The rows of the sheet are kept in memory as the file is opened: the library holds its texts there all the same, and Excel ends a sheet
//! at 1,048,576 rows.

use std::{
    io::{self, Read},
    path::Path,
    sync::Arc,
};

use calamine::{DataRef, Reader as _, Xlsx, XlsxError};

use super::{
    DataError, Problem,
    cells::{Cells, Columns, Fault, Kept},
    error::ColumnFault,
    guarded::guarded,
    layout::suggest,
    row_limit::MAX_ROW,
    settings::{Layout, Wording},
    source::Input,
    text_columns::TextColumns,
    xlsx_digits::Digits,
    xlsx_elsewhere,
};
use crate::{format::counted, regular, task::Task};

/// From here on not every whole number is one that Excel has.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// Bytes that the parts of a workbook may have, unpacked.
const MOST: u64 = 1 << 30;

/// A sheet, row by row. The first row that is not empty is the header.
pub(super) struct Sheet {
    rows: std::vec::IntoIter<Row>,
    text: TextColumns,
    /// Names of all columns.
    names: Vec<String>,
    input: Input,
    sheet: SheetChoice,
}

/// The values that are read of a row; what is wrong with it otherwise.
struct Row {
    /// As Excel counts them, from 1.
    number: u64,
    values: Result<Values, String>,
}

impl Row {
    /// Whether a cell of the text or the target has no value.
    fn lacks_something(&self, columns: &Columns) -> bool {
        self.values.as_ref().is_ok_and(|Values { parts, cells }| {
            let of_target = match columns.has_parts() {
                true => cells.labels.contains(&String::new()),
                false => columns.target.is_some() && cells.label.is_empty(),
            };
            of_target || parts.contains(&String::new())
        })
    }
}

struct Values {
    /// Of the columns of the text, in the order of the spec: cells come in that of the sheet.
    parts: Vec<String>,
    /// The others.
    cells: Cells,
}

impl Sheet {
    /// Its `input` is read to the end for its digest: the parts lie all over the file.
    pub(super) fn new(path: &Path, mut input: Input, layout: &Layout, columns: &Columns) -> Result<Self, DataError> {
        io::copy(&mut input, &mut io::sink()).map_err(DataError::io(path))?;
        check_size(path)?;
        let file = io::BufReader::new(regular::open(path).map_err(DataError::io(path))?);
        let unreadable = |what: String| DataError::Layout {
            path: path.to_owned(),
            what: format!("it cannot be read as an Excel workbook: {what}"),
        };
        let read = || read(file, path, layout, columns);
        let (rows, names, sheet) = match guarded("calamine", read).map_err(unreadable)? {
            Ok(sheet) => sheet,
            Err(Refused::Workbook(error)) => return Err(unreadable(error.to_string())),
            Err(Refused::Sheet(error)) => {
                return Err(xlsx_elsewhere::with_other_header(error, path, columns, layout.wording));
            }
        };
        // Only those are looked for that leave most rows without a value: the sheet is read again.
        if !rows.is_empty() && 2 * rows.iter().filter(|row| row.lacks_something(columns)).count() >= rows.len() {
            xlsx_elsewhere::refuse_unstored(path, &sheet.name, columns, rows.len())?;
        }
        Ok(Self { rows: rows.into_iter(), text: columns.text.clone(), names, input, sheet })
    }

    pub(super) fn next(&mut self, cells: &mut Cells) -> Result<Option<u64>, Fault> {
        let Some(Row { number, values }) = self.rows.next() else { return Ok(None) };
        let values = values.map_err(|what| Fault::Row(Problem::new(number, what)))?;
        *cells = values.cells;
        values.parts.iter().for_each(|part| cells.add_text(part, &self.text));
        Ok(Some(number))
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    pub(super) fn notes(&self) -> &[String] {
        self.sheet.note.as_slice()
    }

    /// The name of the sheet.
    pub(super) fn name(&self) -> &str {
        &self.sheet.name
    }

    /// Whether only a run's spec names it.
    pub(super) fn is_of_run(&self) -> bool {
        self.sheet.of_run
    }

    pub(super) fn input(&self) -> &Input {
        &self.input
    }
}

/// Why a sheet is not read.
enum Refused {
    /// What the library says.
    Workbook(XlsxError),
    Sheet(DataError),
}

impl From<XlsxError> for Refused {
    fn from(error: XlsxError) -> Self {
        Self::Workbook(error)
    }
}

/// A workbook is an archive, whose parts may unpack to anything.
fn check_size(path: &Path) -> Result<(), DataError> {
    let refuse = |what: String| DataError::Layout { path: path.to_owned(), what };
    let damaged =
        |error: String| refuse(format!("the workbook is truncated or damaged ({error}): create or download it again"));
    let file = io::BufReader::new(regular::open(path).map_err(DataError::io(path))?);
    let mut archive = zip::ZipArchive::new(file).map_err(|error| damaged(error.to_string()))?;
    let mut bytes = 0;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| damaged(error.to_string()))?;
        bytes += io::copy(&mut part.take(MOST + 1), &mut io::sink()).map_err(|error| damaged(error.to_string()))?;
        if bytes > MOST {
            let most = crate::format::bytes(MOST);
            return Err(refuse(format!("the workbook unpacks to more than {most}: save the sheet as CSV (UTF-8)")));
        }
    }
    Ok(())
}

/// The sheet that is read.
struct SheetChoice {
    name: String,
    /// What is said about the choice.
    note: Option<String>,
    /// Whether only a run's spec names it.
    of_run: bool,
}

/// The rows of a sheet, the names of its columns and the sheet.
type Table = (Vec<Row>, Vec<String>, SheetChoice);

/// Reads a sheet.
fn read(file: io::BufReader<std::fs::File>, path: &Path, layout: &Layout, columns: &Columns) -> Result<Table, Refused> {
    let wording = layout.wording;
    let mut book = Xlsx::new(file)?;
    let sheets = book.sheet_names();
    let chosen = choose(path, &sheets, layout).map_err(Refused::Sheet)?;
    let name = chosen.name.clone();
    let mut reader = book.worksheet_cells_reader(&name)?;
    let mut header: Option<Header> = None;
    let mut names: Vec<(u32, String)> = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut current = None;
    let mut digits: Option<Digits> = None;
    while let Some(cell) = reader.next_cell()? {
        let (row, column) = cell.get_position();
        if matches!(cell.get_value(), DataRef::Empty) {
            continue;
        }
        let is_header = match (current, &header) {
            (None, _) => true,
            (Some(current), None) => current == row,
            (Some(_), Some(_)) => false,
        };
        if is_header {
            names.push((column, text(cell.get_value()).unwrap_or_default().trim().to_owned()));
            current = Some(row);
            continue;
        }
        let header = match &mut header {
            Some(header) => header,
            none => none.insert(Header::new(path, &names, &name, columns, wording).map_err(Refused::Sheet)?),
        };
        if current != Some(row) {
            current = Some(row);
            let parts = vec![String::new(); columns.text.names.len()];
            let kept = header.kept.iter().map(|(_, name)| (name.clone(), Kept::Null)).collect();
            let labels = if columns.has_parts() { vec![String::new(); columns.targets().len()] } else { Vec::new() };
            let cells = Cells { labels, kept, ..Cells::default() };
            rows.push(Row { number: u64::from(row) + 1, values: Ok(Values { parts, cells }) });
        }
        if let Some(Row { values, .. }) = rows.last_mut()
            && let Ok(filled) = values
        {
            let large = |number| {
                let digits = match &mut digits {
                    Some(digits) => digits,
                    none => none.insert(Digits::read(path).map_err(DataError::io(path))?),
                };
                Ok(digits.of(row, column, number))
            };
            let value = cell.get_value();
            let kept = header.keep(filled, column, value, large).map_err(Refused::Sheet)?;
            if let Err(what) = kept.and_then(|()| header.fill(filled, columns, column, value)) {
                *values = Err(format!("cell {}{} {what}", letters(column), row + 1));
            }
        }
    }
    if names.is_empty() {
        return Err(Refused::Sheet(DataError::Layout {
            path: path.to_owned(),
            what: format!("sheet `{name}` is empty; expected a row with the names of the columns, and rows below it"),
        }));
    }
    if header.is_none() {
        Header::new(path, &names, &name, columns, wording).map_err(Refused::Sheet)?;
    }
    Ok((rows, names.into_iter().map(|(_, name)| name).collect(), chosen))
}

/// The sheet that is read. That of a run is taken where the workbook has it, and where it has only one sheet that one.
fn choose(path: &Path, sheets: &[String], layout: &Layout) -> Result<SheetChoice, DataError> {
    let (wording, wanted, of_run) = (layout.wording, layout.sheet.as_deref(), layout.of_run.sheet.as_deref());
    let refuse = |what: String| DataError::Layout { path: path.to_owned(), what };
    let has = |name: &str| sheets.iter().any(|sheet| sheet == name);
    let named = |name: &str, of_run| SheetChoice { name: name.to_owned(), note: None, of_run };
    let unknown = |name: &str, names: &str, help: String| {
        Err(refuse(format!("no sheet `{name}`, which {names}; sheets found: {}{help}", sheets.join(", "))))
    };
    match (wanted, of_run, sheets) {
        (.., []) => Err(refuse("the workbook has no sheet".into())),
        (Some(name), ..) if has(name) => Ok(named(name, false)),
        (Some(name), ..) => unknown(name, &wording.names("sheet"), suggest(name, sheets)),
        (None, Some(name), _) if has(name) => Ok(named(name, true)),
        (None, _, [only]) => Ok(named(only, false)),
        (None, Some(name), _) => {
            unknown(name, "the run's spec names (data.sheet)", format!("; choose one with {}", wording.name("sheet")))
        }
        (None, None, [first, ..]) => {
            let note = format!(
                "sheet `{first}`, the first of {} (choose another with {})",
                sheets.len(),
                wording.name("sheet")
            );
            Ok(SheetChoice { note: Some(note), ..named(first, false) })
        }
    }
}

/// Where the columns that are read are.
struct Header {
    texts: Vec<u32>,
    text_pair: Option<u32>,
    labels: Vec<u32>,
    split: Option<u32>,
    group: Option<u32>,
    /// The columns whose values are kept: all or none.
    kept: Vec<(u32, Arc<str>)>,
}

impl Header {
    fn new(
        path: &Path,
        names: &[(u32, String)],
        sheet: &str,
        columns: &Columns,
        wording: Wording,
    ) -> Result<Self, DataError> {
        let find = |column: &str, key: &str| {
            let mut at = names.iter().filter(|(_, name)| name == column).map(|(at, _)| *at);
            let found: Box<[String]> = names.iter().map(|(_, name)| name.clone()).collect();
            let (what, help) = match (at.next(), at.next()) {
                (Some(at), None) => return Ok(at),
                (None, _) => {
                    (ColumnFault::Absent, format!("{} (the first row of sheet `{sheet}`)", suggest(column, &found)))
                }
                (Some(_), Some(_)) => (ColumnFault::Twice, "; rename all but one of them".to_owned()),
            };
            let (path, names) = (path.to_owned(), wording.named_by(key));
            Err(DataError::Column { path, what, column: column.into(), names, found, help: help.into() })
        };
        DataError::all(columns.named().map(|(name, key)| find(name, key)))?;
        Ok(Self {
            texts: columns.text.names.iter().map(|name| find(name, columns.text.key())).collect::<Result<_, _>>()?,
            text_pair: columns.text.pair.as_deref().map(|name| find(name, "text_pair_column")).transpose()?,
            labels: columns
                .targets()
                .iter()
                .map(|label| find(label, columns.target_key()))
                .collect::<Result<_, _>>()?,
            split: columns.split.as_deref().map(|split| find(split, "split_column")).transpose()?,
            group: columns.group.as_deref().map(|group| find(group, "group_column")).transpose()?,
            kept: match columns.keep {
                true => names.iter().map(|(at, name)| (*at, name.as_str().into())).collect(),
                false => Vec::new(),
            },
        })
    }

    /// Keeps the value of one cell, if the columns are kept; says what is wrong with it. `large`: the digits of a number from [`EXACT`] on.
    fn keep<E>(
        &self,
        row: &mut Values,
        column: u32,
        value: &DataRef<'_>,
        large: impl FnOnce(f64) -> Result<Option<String>, E>,
    ) -> Result<Result<(), String>, E> {
        let Some(at) = self.kept.iter().position(|(at, _)| *at == column) else { return Ok(Ok(())) };
        let text = match value {
            DataRef::Float(number) if number.fract() == 0.0 && number.abs() >= EXACT => match large(*number)? {
                Some(digits) => digits,
                None => {
                    let name = &self.kept[at].1;
                    return Ok(Err(format!(
                        "(column `{name}`) is a number of more digits than a number in Excel has, and another sheet has a similar \
                         one there; format the column as text, or save the sheet as CSV"
                    )));
                }
            },
            other => kept(other),
        };
        row.cells.kept[at].1 = Kept::Text(text);
        Ok(Ok(()))
    }

    /// Fills in the value of one cell, if it is read.
    fn fill(&self, row: &mut Values, columns: &Columns, column: u32, value: &DataRef<'_>) -> Result<(), String> {
        let named = |key: &str, found: String| format!("(column `{key}`) is {found}");
        let number = |key: &str| number(value).map_err(|found| named(key, found));
        let value = |key: &str| text(value).map_err(|found| named(key, found));
        for (part, name) in self
            .texts
            .iter()
            .zip(&columns.text.names)
            .enumerate()
            .filter(|(_, (at, _))| **at == column)
            .map(|(part, (_, name))| (part, name))
        {
            row.parts[part] = value(name)?;
        }
        let cells = &mut row.cells;
        if self.text_pair == Some(column) {
            cells.text_pair = value(columns.text.pair.as_deref().unwrap_or_default())?;
        }
        let is_number = columns.target.as_ref().is_some_and(|target| target.task == Task::Regression);
        for (part, (_, name)) in
            self.labels.iter().zip(columns.targets()).enumerate().filter(|(_, (at, _))| **at == column)
        {
            let value = if is_number { number(name)? } else { value(name)? };
            let cell = if columns.has_parts() { &mut cells.labels[part] } else { &mut cells.label };
            *cell = value.trim().to_owned();
        }
        for (at, key, cell) in
            [(self.split, &columns.split, &mut cells.split), (self.group, &columns.group, &mut cells.group)]
        {
            if at == Some(column) {
                *cell = value(key.as_deref().unwrap_or_default())?.trim().to_owned();
            }
        }
        Ok(())
    }
}

/// The value of a cell as a text, as [`text`], but with any number.
fn number(value: &DataRef<'_>) -> Result<String, String> {
    match value {
        DataRef::Float(number) => Ok(format!("{number:?}")),
        other => text(other),
    }
}

/// The value of a cell as a text, as CSV would have it; what it is if it cannot be one.
fn text(value: &DataRef<'_>) -> Result<String, String> {
    let long = |length: usize| length as u64 > MAX_ROW;
    match value {
        DataRef::Empty => Ok(String::new()),
        DataRef::String(text) if long(text.len()) => Err(counted(text.len() as u64, "byte")),
        DataRef::String(text) => Ok(text.clone()),
        DataRef::SharedString(text) if long(text.len()) => Err(counted(text.len() as u64, "byte")),
        DataRef::SharedString(text) => Ok((*text).to_owned()),
        DataRef::Int(number) => Ok(number.to_string()),
        // Excel has no whole numbers: 1 is stored as 1.0.
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => Ok(format!("{number:.0}")),
        DataRef::Float(number) => super::json::number(*number),
        DataRef::Bool(value) => Ok(value.to_string()),
        DataRef::DateTime(_) | DataRef::DateTimeIso(_) | DataRef::DurationIso(_) => {
            Err("a date or a time, expected a text or a number; format the column as text".into())
        }
        DataRef::Error(error) => Err(format!("the error {error}; correct the formula, or empty the cell")),
    }
}

/// A value of any column as a text. Dates and times are as ISO 8601 has them, with a fraction of a second if there is one, as Python writes
/// it; a duration is a number of days, as Excel stores it.
fn kept(value: &DataRef<'_>) -> String {
    match value {
        DataRef::Empty => String::new(),
        DataRef::DateTime(date) if date.is_datetime() => {
            let (year, month, day, hour, minute, second, milli) = date.to_ymd_hms_milli();
            let mut time = format!("{hour:02}:{minute:02}:{second:02}");
            if milli != 0 {
                time.push_str(&format!(".{milli:03}000"));
            }
            // Day 0 is none: Excel has a time of day there.
            match (date.as_f64(), time.as_str()) {
                (0.0..1.0, _) => time,
                (_, "00:00:00") => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02} {time}"),
            }
        }
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::Error(error) => error.to_string(),
        DataRef::DateTime(number) => number.as_f64().to_string(),
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(number) => number.to_string(),
        DataRef::Float(number) if number.fract() == 0.0 && number.abs() < EXACT => format!("{number:.0}"),
        DataRef::Float(number) => format!("{number:?}"),
        DataRef::Bool(value) => value.to_string(),
    }
}

/// The letters of a column, from 0: A, B, …, Z, AA.
fn letters(column: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column + 1;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use calamine::DataRef;

    use super::{Cells, Columns, Row, Task, TextColumns, Values, letters, text};
    use crate::data::TargetColumns;

    /// Where no targets are read, no cell has one.
    #[test]
    fn a_row_lacks_what_is_read_alone() {
        let lacks = |text: &str, label: &str, with_target: bool| {
            let target =
                TargetColumns { task: Task::SingleLabel, names: vec!["label".into()], each: false, separator: None };
            let text_columns =
                TextColumns { names: vec!["text".into()], separator: " ".into(), pair: None, missing: Vec::new() };
            let columns = Columns {
                text: text_columns,
                target: with_target.then_some(target),
                split: None,
                group: None,
                text_in_each: true,
                keep: false,
            };
            let cells = Cells { label: label.into(), ..Cells::default() };
            Row { number: 2, values: Ok(Values { parts: vec![text.into()], cells }) }.lacks_something(&columns)
        };
        assert_eq!([lacks("a", "1", true), lacks("a", "", true), lacks("", "1", true)], [false, true, true]);
        assert_eq!([lacks("a", "", false), lacks("", "", false)], [false, true]);
    }

    /// 2^53 is the first whole number that two ids may become.
    #[test]
    fn whole_numbers_are_labels_without_a_point() {
        for (number, want) in [
            (0.0, "0"),
            (999_999_999_999_999.0, "999999999999999"),
            (1_234_567_890_123_456.0, "1234567890123456"),
            (-9_007_199_254_740_991.0, "-9007199254740991"),
            (0.5, "0.5"),
        ] {
            assert_eq!(text(&DataRef::Float(number)).as_deref(), Ok(want));
        }
        let large = text(&DataRef::Float(9_007_199_254_740_992.0)).unwrap_err();
        assert!(large.contains("too large to be represented exactly"), "{large}");
    }

    #[test]
    fn columns_are_lettered_as_excel_letters_them() {
        for (column, want) in [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")] {
            assert_eq!(letters(column), want);
        }
    }
}
