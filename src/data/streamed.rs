//! The texts of a file, one by one, to be classified.

use std::{mem, path::PathBuf};

use super::{
    DataError,
    cells::{Cells, Columns, Fault},
    invisible::is_blank,
    noticed::{Noticed, guessed, second, swallowed},
    rows::Rows,
    settings::{Layout, Wording},
    source::Origin,
    text_columns::{RowText, TextColumns},
};
use crate::{
    format::{by_number, counted},
    warning::{Kind, Warning, lines_of},
};

/// The texts of a file, one by one with their lines, in constant memory. Labels need not be there.
///
/// Every row gives a text, so that results can be put beside their rows: a missing one is empty. A row that cannot be
/// used gives an error that names it, and the next row follows; a JSON object without the field is such a row.
///
/// # Errors
/// Where the file cannot be opened or its header has no such column. A JSON file whose first object has no such field says so
/// as the first item.
pub fn stream_texts(origin: &Origin, layout: &Layout, text: impl Into<TextColumns>) -> Result<Texts, DataError> {
    let columns = Columns { text: text.into(), label: None, split: None, text_in_each: true };
    let has_pairs = columns.text.pair.is_some();
    let file = Rows::open(origin, layout, columns)?;
    Ok(Texts { has_pairs, ..Texts::new(origin.name(), layout.wording, file) })
}

/// The lines of a file, each a text: see [`stream_texts`].
///
/// # Errors
/// Where the file cannot be opened.
pub fn stream_lines(origin: &Origin, layout: &Layout) -> Result<Texts, DataError> {
    Ok(Texts::new(origin.name(), layout.wording, Rows::plain(origin, layout)?))
}

/// A text to be classified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Line of the file on which its row begins, from 1.
    pub line: u64,
    /// The text.
    pub text: String,
    /// The second text, if the model reads two.
    pub text_pair: Option<String>,
    /// Whether nothing of it can be seen (of a pair: of one of both): there is nothing to classify.
    pub is_blank: bool,
}

impl<'a> From<&'a Text> for RowText<'a> {
    fn from(row: &'a Text) -> Self {
        Self { text: &row.text, text_pair: row.text_pair.as_deref() }
    }
}

/// The texts of a file, with the lines on which their rows begin: see [`stream_texts`].
pub struct Texts {
    path: PathBuf,
    wording: Wording,
    file: Rows,
    cells: Cells,
    /// Whether each row has a second text.
    has_pairs: bool,
    /// Rows without a text so far.
    blank: Noticed,
    /// Nothing can follow.
    broken: bool,
}

impl Texts {
    fn new(path: PathBuf, wording: Wording, file: Rows) -> Self {
        let (cells, blank) = (Cells::default(), Noticed::default());
        Self { path, wording, file, cells, has_pairs: false, blank, broken: false }
    }

    /// Whether each row has a second text.
    pub fn has_pairs(&self) -> bool {
        self.has_pairs
    }

    /// Bytes of the file read so far, a little ahead of the last text.
    pub fn bytes_read(&self) -> u64 {
        self.file.input().bytes()
    }

    /// Names of the file's columns, as far as it has been read: those of its header, or the fields of its first object.
    pub fn columns(&self) -> &[String] {
        self.file.columns()
    }

    /// What is probably a mistake in what has been read.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found: Vec<Warning> = guessed(&self.file, self.wording).into_iter().collect();
        found.extend(swallowed(&self.file, None, self.wording));
        let Noticed { rows, lines } = &self.blank;
        if *rows > 0 {
            let message = format!(
                "{} without a text ({}): {} no label in the results",
                counted(*rows, "row"),
                lines_of(lines, *rows),
                by_number(*rows, "it has", "they have")
            );
            found.push(Warning::new(Kind::DataFile, message).at(lines.iter().copied()));
        }
        found
    }
}

impl Iterator for Texts {
    type Item = Result<Text, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let result = match self.file.next(&mut self.cells) {
            Ok(None) => return None,
            Ok(Some(line)) => {
                let text = mem::take(&mut self.cells.text);
                let text_pair = second(&mut self.cells, self.has_pairs);
                let mut text = Text { line, text, text_pair, is_blank: false };
                if RowText::from(&text).texts().any(is_blank) {
                    text.is_blank = true;
                    self.blank.add(line);
                }
                Ok(text)
            }
            Err(Fault::File(error)) => Err(error),
            Err(Fault::Row(problem)) => {
                let error = DataError::Rows { path: self.path.clone(), problems: vec![problem], more: 0 };
                return Some(Err(self.file.explained(error)));
            }
        };
        self.broken = result.is_err();
        Some(result)
    }
}
