//! What may be wrong with a workbook whose sheet lacks a column, or has empty cells: the columns are on another sheet or below a title, or
//! the cells are formulas whose values were never stored.

use std::{
    collections::{HashMap, HashSet},
    io,
    path::Path,
};

use calamine::{DataRef, Reader as _, Xlsx};

use super::{DataError, cells::Columns, error::ColumnFault, guarded::guarded, settings::Wording};
use crate::{format::counted, regular};

/// Rows of a sheet among which a header is looked for.
const ROWS: usize = 20;

type Book = Xlsx<io::BufReader<std::fs::File>>;

/// A workbook that was read before; nothing if it cannot be read again.
fn open<T>(path: &Path, read: impl FnOnce(Book) -> Option<T>) -> Option<T> {
    let file = io::BufReader::new(regular::open(path).ok()?);
    guarded("calamine", || Xlsx::new(file).ok().and_then(read)).ok()?
}

/// The error of a sheet whose first row lacks columns, with where the workbook has all of them.
pub(super) fn with_other_header(error: DataError, path: &Path, columns: &Columns, wording: Wording) -> DataError {
    let lacks = error.each().iter().all(|error| matches!(error, DataError::Column { what: ColumnFault::Absent, .. }));
    let Some(found) = lacks.then(|| other_header(path, columns, wording)).flatten() else { return error };
    let with = |error| match error {
        DataError::Column { path, what, column, names, found: header, help } => {
            let help = format!("{help}; {found}").into();
            DataError::Column { path, what, column, names, found: header, help }
        }
        other => other,
    };
    match error {
        DataError::Several(errors) => DataError::Several(errors.into_iter().map(with).collect()),
        one => with(one),
    }
}

/// The row that has all columns, in words: the first one of another sheet, or one below a title.
fn other_header(path: &Path, columns: &Columns, wording: Wording) -> Option<String> {
    let wanted: Vec<&str> = columns.named().map(|(name, _)| name.as_str()).collect();
    let rows = open(path, |mut book| {
        let names = book.sheet_names();
        Some(names.into_iter().filter_map(|name| Some((headers(&mut book, &name, &wanted)?, name))).collect::<Vec<_>>())
    })?;
    let first = rows.iter().find(|((at, _), _)| *at == 0);
    match first {
        Some((_, sheet)) => {
            Some(format!("sheet `{sheet}` has {}: set {}", all_of(&wanted), wording.set("sheet", sheet)))
        }
        None => rows.first().map(|((_, row), sheet)| {
            format!("row {row} of sheet `{sheet}` looks like the header: remove the rows above it")
        }),
    }
}

/// The text of a cell that has one.
fn text_of<'a>(value: &'a DataRef<'_>) -> Option<&'a str> {
    match value {
        DataRef::String(text) => Some(text),
        DataRef::SharedString(text) => Some(text),
        _ => None,
    }
}

fn all_of(wanted: &[&str]) -> &'static str {
    if wanted.len() == 1 { "this column" } else { "all columns" }
}

/// Among the first rows of a sheet that are not empty, the position of the one that has all columns, and its number in Excel.
fn headers(book: &mut Book, sheet: &str, wanted: &[&str]) -> Option<(usize, u32)> {
    let mut reader = book.worksheet_cells_reader(sheet).ok()?;
    let mut rows: Vec<(u32, HashSet<String>)> = Vec::new();
    while let Some(cell) = reader.next_cell().ok()? {
        let row = cell.get_position().0;
        let Some(text) = text_of(cell.get_value()) else { continue };
        if rows.last().is_none_or(|(last, _)| *last != row) {
            if rows.len() == ROWS {
                break;
            }
            rows.push((row, HashSet::new()));
        }
        rows.last_mut()?.1.insert(text.trim().to_owned());
    }
    let at = rows.iter().position(|(_, names)| wanted.iter().all(|name| names.contains(*name)))?;
    Some((at, rows[at].0 + 1))
}

/// Refuses a sheet in which most cells of a column that is read are formulas without a stored value, which read as empty. `rows`: those below
/// the header.
pub(super) fn refuse_unstored(path: &Path, sheet: &str, columns: &Columns, rows: usize) -> Result<(), DataError> {
    let unstored = open(path, |mut book| {
        let mut read: Vec<(u32, String)> = Vec::new();
        let mut header = None;
        let mut values: HashSet<(u32, u32)> = HashSet::new();
        let mut cells = book.worksheet_cells_reader(sheet).ok()?;
        while let Some(cell) = cells.next_cell().ok()? {
            let at = cell.get_position();
            match cell.get_value() {
                DataRef::Empty => {}
                value if *header.get_or_insert(at.0) == at.0 => {
                    let name = text_of(value).unwrap_or_default().trim();
                    if columns.named().any(|(column, _)| column == name) {
                        read.push((at.1, name.to_owned()));
                    }
                }
                _ => {
                    values.insert(at);
                }
            }
        }
        drop(cells);
        let mut of_columns: HashMap<u32, (u64, u64)> = HashMap::new();
        let mut formulas = book.worksheet_cells_reader(sheet).ok()?;
        while let Some(cell) = formulas.next_formula().ok()? {
            let at = cell.get_position();
            let is_read = Some(at.0) > header && read.iter().any(|(column, _)| *column == at.1);
            if is_read && !cell.get_value().is_empty() {
                let (all, stored) = of_columns.entry(at.1).or_default();
                *all += 1;
                *stored += u64::from(values.contains(&at));
            }
        }
        // A formula may say "", which is stored as no value.
        let (column, (all, _)) =
            of_columns.into_iter().find(|(_, (all, stored))| *stored == 0 && 2 * all >= rows as u64)?;
        let name = read.iter().find(|(at, _)| *at == column)?.1.clone();
        Some((name, all))
    });
    match unstored {
        None => Ok(()),
        Some((name, all)) => Err(DataError::Layout {
            path: path.to_owned(),
            what: format!(
                "column `{name}` of sheet `{sheet}` has {} without stored values, as openpyxl and other programs write them: open \
                 the workbook in Excel or LibreOffice and save it, which stores them",
                counted(all, "formula")
            ),
        }),
    }
}
