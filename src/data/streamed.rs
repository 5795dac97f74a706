//! The rows of a file, one by one, for results beside them.

use std::{collections::BTreeMap, mem, path::PathBuf};

use super::{
    Cleaning, DataError, Problem,
    cells::{Cells, Columns, Fault, Kept, KeptColumns},
    counted_rows::{Noticed, note},
    error::{Problems, TextsOf},
    labels::Known,
    missing::{clear_target, is_no_text},
    noticed::{guessed, quoted, reopened, swallowed},
    read_as::ReadAs,
    rows::Rows,
    settings::{Layout, Wording},
    source::Origin,
    target_columns::TargetColumns,
    targets::Targets,
    text_columns::{RowText, TextColumns},
};
use crate::{
    format::{by_number, counted},
    task::Target,
    warning::{Kind, Warning, lines_of},
};

/// What is read of each row.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Columns of the texts.
    pub text: TextColumns,
    /// The targets, to measure predictions.
    pub target: Option<Labelled>,
    /// Whether the values of all columns are kept.
    pub keep: bool,
}

/// The targets of rows that a trained model is measured on.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// Where they are.
    pub columns: TargetColumns,
    /// Value → name of each label that there is; where each label has a column, of each column.
    pub labels: BTreeMap<String, String>,
}

/// The targets that are read.
struct Targeted {
    columns: TargetColumns,
    targets: Targets,
    labels: BTreeMap<String, String>,
}

/// The texts of a file: as [`stream_rows`], without anything else.
///
/// # Errors
/// As [`stream_rows`].
pub fn stream_texts(origin: &Origin, layout: &Layout, text: impl Into<TextColumns>) -> Result<Texts, DataError> {
    stream_rows(origin, layout, Wanted { text: text.into(), target: None, keep: false })
}

/// The rows of a file, one by one with their lines, in constant memory. Targets need not be there unless they are wanted.
///
/// Every row gives a text, so that results can be put beside their rows: a missing one is empty. A row that cannot be
/// used gives an error that names it, and the next row follows; a JSON object without the field is such a row. A target that cannot be
/// read, such as a label that is none of those given, is an error, before which the rest of the file is read: it names all rows that have
/// one. If targets are wanted, it is an error at the end of the file that no row has a text and a target.
///
/// # Errors
/// Where the file cannot be opened or its header has no such column. A JSON file whose first object has no such field says so
/// as the first item.
pub fn stream_rows(origin: &Origin, layout: &Layout, wanted: Wanted) -> Result<Texts, DataError> {
    let Wanted { text, target: labelled, keep } = wanted;
    let target = labelled.as_ref().map(|labelled| labelled.columns.clone());
    let (has_pairs, texts) = (text.pair.is_some(), text.clone());
    let columns = Columns { text, target, split: None, group: None, text_in_each: true, keep };
    let shown = columns.shown();
    let file = Rows::open(origin, layout, columns)?;
    Ok(Texts {
        has_pairs,
        texts: Some(texts),
        targeted: labelled.map(|Labelled { columns, labels }| Targeted {
            targets: Targets::new(&columns, &labels, layout.wording),
            columns,
            labels,
        }),
        shown,
        missing: layout.missing.clone(),
        ..Texts::new(origin.name(), layout.wording, file)
    })
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
    /// Its target, if targets are read and neither it nor the text is missing. Ids of labels are those of [`Texts::targets`].
    pub target: Option<Target>,
    /// The values of all columns, if they are kept.
    pub kept: KeptColumns,
}

impl Text {
    /// Bytes of its texts and of the values that are kept.
    pub fn bytes(&self) -> usize {
        let kept = self.kept.iter().map(|(name, value)| match value {
            Kept::Null => name.len(),
            Kept::Text(text) | Kept::Json(text) => name.len() + text.len(),
        });
        RowText::from(self).bytes() + kept.sum::<usize>()
    }
}

impl<'a> From<&'a Text> for RowText<'a> {
    fn from(row: &'a Text) -> Self {
        Self { text: &row.text, text_pair: row.text_pair.as_deref() }
    }
}

/// The rows of a file, with the lines on which they begin: see [`stream_rows`].
pub struct Texts {
    path: PathBuf,
    wording: Wording,
    file: Rows,
    cells: Cells,
    /// Whether each row has a second text.
    has_pairs: bool,
    /// The columns of the texts; none of lines.
    texts: Option<TextColumns>,
    /// What reads the targets, if they are.
    targeted: Option<Targeted>,
    /// The columns that are read, for messages.
    shown: Box<[String]>,
    /// Texts and labels that mean that there is none.
    missing: Vec<String>,
    /// Rows without a text so far.
    blank: Noticed,
    /// What could not be measured so far, if targets are read.
    cleaning: Cleaning,
    /// Nothing can follow.
    broken: bool,
}

impl Texts {
    fn new(path: PathBuf, wording: Wording, file: Rows) -> Self {
        Self {
            path,
            wording,
            file,
            cells: Cells::default(),
            has_pairs: false,
            texts: None,
            targeted: None,
            shown: Box::default(),
            missing: Vec::new(),
            blank: Noticed::default(),
            cleaning: Cleaning::default(),
            broken: false,
        }
    }

    /// Whether each row has a second text.
    pub fn has_pairs(&self) -> bool {
        self.has_pairs
    }

    /// Share of the file read so far, from 0 to 1, a little ahead of the last text; 0 if its size is not known.
    pub fn share(&self) -> f64 {
        self.file.share()
    }

    /// SHA-256 of the file, in hex. Right once everything has been read.
    pub fn digest(&self) -> String {
        self.file.input().digest()
    }

    /// How the file is read.
    pub fn read_as(&self) -> ReadAs {
        let Self { file, texts, targeted, missing, .. } = self;
        let read_as = file.read_as();
        match texts {
            Some(texts) => read_as.of(texts, targeted.as_ref().map(|targeted| &targeted.columns), missing),
            None => read_as,
        }
    }

    /// Names of the file's columns, as far as it has been read: those of its header, or the fields of its first object.
    pub fn columns(&self) -> &[String] {
        self.file.columns()
    }

    /// The names of the labels, or numbers, of targets, by id; none if targets are not read.
    pub fn targets(&self) -> &[String] {
        self.targeted.as_ref().map_or(&[], |targeted| targeted.targets.names())
    }

    /// Rows so far, and those among them that lack a text or a target, if targets are read.
    pub fn cleaning(&self) -> &Cleaning {
        &self.cleaning
    }

    /// What is probably a mistake in what has been read.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut found: Vec<Warning> = guessed(&self.file, self.wording).into_iter().collect();
        let is_label = self.targeted.as_ref().map(|targeted| |value: &str| targeted.targets.knows(value));
        let is_label = is_label.as_ref().map(|is_label| is_label as &dyn Fn(&str) -> bool);
        found.extend(swallowed(&self.file, is_label, self.wording));
        found.extend(quoted(&self.file, self.wording));
        found.extend(reopened(&self.file));
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

    /// The row on `line`, which has just been read; what is wrong with it if its target cannot be read.
    fn row(&mut self, line: u64) -> Result<Text, Problem> {
        let target = self.target(line).map_err(|what| Problem::new(line, what))?;
        let (text, kept) = (mem::take(&mut self.cells.text), mem::take(&mut self.cells.kept));
        let text_pair = self.has_pairs.then(|| mem::take(&mut self.cells.text_pair));
        let mut row = Text { line, text, text_pair, is_blank: false, target, kept };
        if RowText::from(&row).texts().any(|text| is_no_text(&self.missing, text)) {
            (row.is_blank, row.target) = (true, None);
            self.blank.add(line);
        }
        Ok(row)
    }

    /// The target of the row that has just been read, if it can be measured; what is wrong with the target.
    fn target(&mut self, line: u64) -> Result<Option<Target>, String> {
        let Some(Targeted { targets, labels, .. }) = &mut self.targeted else { return Ok(None) };
        let (cells, cleaning) = (&mut self.cells, &mut self.cleaning);
        clear_target(&self.missing, cells);
        // Of class labels, -1 is the value of a row that has none.
        if self.file.classes().is_some() && cells.label == "-1" {
            cells.label.clear();
            cells.is_unknown = true;
        }
        cleaning.read += 1;
        let (count, lines) = if is_no_text(&self.missing, &cells.text) {
            (&mut cleaning.missing_text, &mut cleaning.missing_text_lines)
        } else if self.has_pairs && is_no_text(&self.missing, &cells.text_pair) {
            (&mut cleaning.missing_pair, &mut cleaning.missing_pair_lines)
        } else if targets.is_missing(cells) {
            (&mut cleaning.missing_label, &mut cleaning.missing_label_lines)
        } else {
            return targets.of(cells, Known { labels, classes: None, of: None }).map(Some);
        };
        *count += 1;
        note(lines, line);
        Ok(None)
    }

    /// The error about a row whose target cannot be read, with those of the rest of the file.
    fn unreadable(&mut self, first: Problem) -> DataError {
        let mut problems = Problems::default();
        problems.push(first);
        while let Ok(Some(line)) = self.file.next(&mut self.cells) {
            if let Err(problem) = self.row(line) {
                problems.push(problem);
            }
        }
        problems.into_error(&self.path)
    }

    /// Reads the whole file and calls `each` with every row that can be used, and the share of the file read so far. Returns its SHA-256, in hex.
    ///
    /// # Errors
    /// As when a dataset is read: one error names all rows that cannot be used, up to a number. From where the file cannot be read no rows
    /// are known.
    pub fn check(mut self, mut each: impl FnMut(&Text, f64)) -> Result<String, DataError> {
        let (mut problems, mut texts) = (Problems::default(), None);
        let fault = loop {
            match self.file.next(&mut self.cells) {
                Ok(None) => break self.end().err(),
                Ok(Some(line)) => match self.row(line) {
                    Ok(row) => each(&row, self.share()),
                    Err(problem) => {
                        self.targeted.iter().for_each(|of| of.targets.count_texts(&self.cells, &mut texts));
                        problems.push(problem);
                    }
                },
                Err(Fault::Row(problem)) => problems.push(problem),
                Err(Fault::File(error)) => break Some(error),
            }
        };
        let (path, digest) = (self.path.clone(), self.digest());
        let Cleaning { read, missing_text, missing_pair, missing_label, .. } = self.cleaning;
        let with_target = read - missing_text - missing_pair - missing_label;
        let texts = texts.filter(|texts: &TextsOf| texts.rows == with_target);
        let rows = problems.about_column(&path, texts, self.wording).map_err(|error| self.file.explained(error)).err();
        match (rows, fault) {
            (None, None) => Ok(digest),
            // Where no row can be used that is said already.
            (Some(error), None | Some(DataError::NoRows { .. })) | (None, Some(error)) => Err(error),
            (Some(rows), Some(fault)) => Err(DataError::Several(vec![rows, fault])),
        }
    }

    /// What is only known at the end of the file: a column that no object has, or nothing to be measured.
    fn end(&self) -> Result<(), DataError> {
        if self.targeted.is_none() {
            return Ok(());
        }
        self.file.check_columns()?;
        let Cleaning { read, missing_text, missing_pair, missing_label, .. } = self.cleaning;
        if read > missing_text + missing_pair + missing_label {
            return Ok(());
        }
        let missing_pair = self.has_pairs.then_some(missing_pair);
        let (path, columns) = (self.path.clone(), self.shown.clone());
        Err(DataError::NoRows { path, read, missing_text, missing_pair, missing_label, columns })
    }
}

impl Iterator for Texts {
    type Item = Result<Text, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.broken {
            return None;
        }
        let result = match self.file.next(&mut self.cells) {
            Ok(None) => match self.end() {
                Ok(()) => return None,
                Err(error) => Err(error),
            },
            Ok(Some(line)) => self.row(line).map_err(|problem| self.unreadable(problem)),
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
