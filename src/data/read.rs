//! Reading and cleaning a data file.

use std::{
    collections::{BTreeMap, HashMap},
    mem,
    path::{Path, PathBuf},
};

use super::{
    Cleaning, DataConfig, DataError, Dataset, Format, Problem, Row,
    error::{Problems, shorten},
    labels::Labels,
    rows::{Cells, Columns, Fault, Rows},
};
use crate::random::{Purpose, Stream};

/// Reads a labelled data file and cleans it.
///
/// A row without a text or without a label is dropped, as pandas' `dropna` does. Missing is what is empty or holds
/// nothing but white space (in JSON Lines also `null` and an absent field); words such as `NA` and `null`, which pandas
/// takes for missing too, are texts. Texts are kept as they stand, label values and column names are trimmed. Where
/// `config.limit` is set, that many of the cleaned rows are drawn at random by `config.seed` and kept in file order.
///
/// # Errors
/// Where the file cannot be read, is not UTF-8, lacks a column, has rows that cannot be used (all of them are named, up
/// to a number), or where no row or a single class is left.
pub fn read(path: &Path, config: &DataConfig) -> Result<Dataset, DataError> {
    let columns = Columns { text: config.text_column.clone(), label: Some(config.label_column.clone()) };
    let mut file = Rows::open(path, config.format, columns)?;
    let mut labels = Labels::new(&config.labels);
    let mut rows = Vec::new();
    let mut cleaning = Cleaning::default();
    let mut problems = Problems::default();
    let mut cells = Cells::default();
    loop {
        let line = match file.next(&mut cells) {
            Ok(Some(line)) => line,
            Ok(None) => break,
            Err(Fault::File(error)) => return Err(error),
            Err(Fault::Row(problem)) => {
                problems.push(problem);
                continue;
            }
        };
        cleaning.read += 1;
        if cells.text.trim().is_empty() {
            cleaning.missing_text += 1;
        } else if cells.label.is_empty() {
            cleaning.missing_label += 1;
        } else if let Some(label) = labels.id(&cells.label) {
            rows.push(Row { line, text: mem::take(&mut cells.text), label });
        } else {
            let what = unknown_label(&cells.label, &config.labels);
            problems.push(Problem { line, what });
        }
    }
    file.check_columns()?;
    problems.into_result(path)?;
    if rows.is_empty() {
        let Cleaning { read, missing_text, missing_label, .. } = cleaning;
        return Err(DataError::NoRows { path: path.to_owned(), read, missing_text, missing_label });
    }
    if u32::try_from(rows.len()).is_err() {
        return Err(DataError::TooLarge { what: "rows" });
    }

    let labels = labels.finish(&mut rows);
    if let Some(limit) = config.limit {
        sample(&mut rows, limit, config.seed);
    }
    if let Some(first) = rows.first()
        && rows.iter().all(|row| row.label == first.label)
    {
        let label = labels[first.label as usize].clone();
        return Err(DataError::OneClass { path: path.to_owned(), label });
    }
    (cleaning.duplicates, cleaning.contradicting) = duplicates(&rows);
    Ok(Dataset { rows, labels, digest: file.input().digest(), cleaning, warnings: Vec::new() })
}

/// The texts of a file, one by one with their lines, in constant memory. Labels need not be there.
///
/// Every row gives a text, so that results can be put beside their rows: a missing one is empty. A row that cannot be
/// used gives an error that names it, and the next row follows.
///
/// # Errors
/// Where the file cannot be opened or its header has no such column. A JSON Lines file whose first object has no such
/// field says so as the first item.
pub fn stream_texts(path: &Path, format: Option<Format>, text_column: &str) -> Result<Texts, DataError> {
    let file = Rows::open(path, format, Columns { text: text_column.to_owned(), label: None })?;
    Ok(Texts { path: path.to_owned(), file, cells: Cells::default(), broken: false })
}

/// The texts of a file, with the lines on which their rows begin: see [`stream_texts`].
pub struct Texts {
    path: PathBuf,
    file: Rows,
    cells: Cells,
    /// Nothing can follow.
    broken: bool,
}

impl Texts {
    /// Bytes of the file read so far, a little ahead of the last text.
    pub fn bytes_read(&self) -> u64 {
        self.file.input().bytes()
    }
}

impl Iterator for Texts {
    type Item = Result<(u64, String), DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let result = match self.file.next(&mut self.cells) {
            Ok(None) => return None,
            Ok(Some(line)) => self.file.check_columns().map(|()| (line, mem::take(&mut self.cells.text))),
            Err(Fault::File(error)) => Err(error),
            Err(Fault::Row(problem)) => {
                return Some(Err(DataError::Rows { path: self.path.clone(), problems: vec![problem], more: 0 }));
            }
        };
        self.broken = result.is_err();
        Some(result)
    }
}

fn unknown_label(value: &str, labels: &BTreeMap<String, String>) -> String {
    let keys: Vec<String> = labels.keys().map(|key| format!("`{key}`")).collect();
    format!("label `{}` is not in data.labels, which has {}", shorten(value).escape_debug(), keys.join(", "))
}

/// Keeps `limit` rows drawn at random, in their order.
fn sample(rows: &mut Vec<Row>, limit: usize, seed: u64) {
    if limit >= rows.len() {
        return;
    }
    let mut keep = vec![false; rows.len()];
    // A stream beside that of the split, which would otherwise draw the same rows again.
    for row in Stream::new(seed, Purpose::Split, 1, 0).permutation(rows.len()).into_iter().take(limit) {
        keep[row as usize] = true;
    }
    let mut keep = keep.into_iter();
    rows.retain(|_| keep.next().unwrap_or(false));
}

/// Rows whose text stood before, and texts that stand with more than one label.
fn duplicates(rows: &[Row]) -> (u64, u64) {
    let mut seen: HashMap<&str, (u32, bool)> = HashMap::with_capacity(rows.len());
    let (mut duplicates, mut contradicting) = (0, 0);
    for row in rows {
        seen.entry(&row.text)
            .and_modify(|(label, contradicts)| {
                duplicates += 1;
                if *label != row.label && !*contradicts {
                    *contradicts = true;
                    contradicting += 1;
                }
            })
            .or_insert((row.label, false));
    }
    (duplicates, contradicting)
}
