//! What can be wrong with a data file or a tokenizer folder.

use std::{
    collections::HashMap,
    fmt, io,
    path::{Path, PathBuf},
};

use super::{
    invisible::escaped,
    row_limit,
    settings::{NamedBy, Wording},
};
use crate::{
    format::{count, counted},
    sniff::FileKind,
    warning::{Warning, lines_of},
};

/// Rows that cannot be used, all for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong with them.
    pub what: String,
    /// How many there are.
    pub rows: u64,
    /// Lines of the file on which the first of them begin, from 1.
    pub lines: Vec<u64>,
    /// In which column of its line the first of them is wrong, in characters from 1, if that is known.
    pub column: Option<u64>,
    /// Whether others of them are wrong in other columns.
    pub columns_differ: bool,
    /// Rows with another number of fields than the header: the least and the most that they have. `what` follows that.
    pub fields: Option<(u64, u64)>,
}

impl Problem {
    /// A row with a fault that no other has so far.
    pub(super) fn new(line: u64, what: impl Into<String>) -> Self {
        Self { what: what.into(), rows: 1, lines: vec![line], column: None, columns_differ: false, fields: None }
    }

    /// A row with so many fields: too many, or too few.
    pub(super) fn of_fields(line: u64, fields: u64, what: impl Into<String>) -> Self {
        Self { fields: Some((fields, fields)), ..Self::new(line, what) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", lines_of(&self.lines, self.rows))?;
        if let Some(column) = self.column {
            write!(f, "{}column {column}: ", if self.columns_differ { "first at " } else { "" })?;
        }
        match self.fields {
            Some((least, most)) if least == most => write!(f, "the row has {}", counted(least, "field"))?,
            Some((least, most)) => write!(f, "the rows have {} to {} fields", count(least), count(most))?,
            None => {}
        }
        f.write_str(&self.what)
    }
}

/// What is wrong with a column that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnFault {
    /// The header has no such column.
    Absent,
    /// The first object has no such field.
    AbsentFromFirst,
    /// No object has such a field.
    AbsentFromAll,
    /// Several columns have this name.
    Twice,
}

impl fmt::Display for ColumnFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "no column",
            Self::AbsentFromFirst => "the first object has no field",
            Self::AbsentFromAll => "no object has a field",
            Self::Twice => "more than one column",
        })
    }
}

fn one_a_line(errors: &[DataError]) -> String {
    errors.iter().map(DataError::to_string).collect::<Vec<_>>().join("\n")
}

/// Why data could not be read, split or tokenised.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// Several files, each with an error of its own.
    #[error("{}", one_a_line(_0))]
    Several(Vec<DataError>),
    /// A file could not be opened, read or written.
    #[error("{}: {}", path.display(), crate::format::io(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// Fewer rows or groups than folds.
    #[error("{folds} folds need at least as many {what}s, but there {} {}: lower sweep.folds{}",
        crate::format::by_number(*have as u64, "is", "are"), counted(*have as u64, what),
        if *what == "group" { ", or name another data.group_column" } else { "" })]
    TooFewToFold {
        /// How many there are.
        have: usize,
        /// What they are.
        what: &'static str,
        /// The number of folds.
        folds: usize,
    },
    /// All groups are held out.
    #[error("no rows remain for training: rows of a group stay together, and data.group_column forms only {}, but each of the {splits} \
             splits needs one; the largest group has {} of the {} (see line {line}); leave out a split, or name another column",
            counted(*groups as u64, "group"), count(*largest as u64), counted(*rows as u64, "row"))]
    TooFewGroups {
        /// The number of groups that were to be divided.
        groups: usize,
        /// The number of splits that need one.
        splits: usize,
        /// The rows of the largest.
        largest: usize,
        /// The rows that were to be divided.
        rows: usize,
        /// The line of a row of the largest.
        line: u64,
    },
    /// A Parquet file cannot be read.
    #[error("{}: it cannot be read as Parquet: {what}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Neither the file's ending nor its first bytes say what its layout is.
    #[error("{}: the format cannot be determined from {from}; set {key} to csv, tsv, jsonl, json, parquet or xlsx", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What does not show it.
        from: &'static str,
        /// What says it.
        key: String,
    },
    /// The file is something else.
    #[error("{}: it is {kind}, {help}", path.display())]
    OtherKind {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: FileKind,
        /// What was expected, or what to do.
        help: String,
    },
    /// The layout cannot be what was said.
    #[error("{}: {what}", path.display())]
    Layout {
        /// The file.
        path: PathBuf,
        /// What does not fit together, and what to do.
        what: String,
    },
    /// From this line on the file cannot be read.
    #[error("{}:{line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// What was found and expected.
        what: String,
    },
    /// A row that is too long to be one.
    #[error("{}:{line}: the row that begins here has more than {}, the limit for a row{help}",
        path.display(), crate::format::bytes(row_limit::MAX_ROW))]
    RowTooLong {
        /// The file.
        path: PathBuf,
        /// Line on which it begins, from 1.
        line: u64,
        /// What may be the cause.
        help: String,
    },
    /// Too many labels for a classifier.
    #[error("{}: column `{column}` has more than {most} different values, too many for labels; does {key} name the right column?",
        path.display())]
    TooManyLabels {
        /// The file.
        path: PathBuf,
        /// The column of the labels.
        column: String,
        /// What names it.
        key: String,
        /// How many a dataset may have.
        most: usize,
    },
    /// The file is not UTF-8.
    #[error("{}:{line}: {what}; {advice}", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line on which the row with the first wrong byte begins, from 1.
        line: u64,
        /// The byte and its position.
        what: String,
        /// How much of the file is, and what to do.
        advice: String,
    },
    /// The file holds nothing.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A column that the spec names is not there, or is there twice.
    #[error("{}: {what} `{column}`, which {names}; columns found: {}{help}", path.display(), found_columns(found))]
    Column {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: ColumnFault,
        /// Name looked for.
        column: Box<str>,
        /// What names it.
        names: Box<NamedBy>,
        /// Names in the file's header, or the fields of its first object.
        found: Box<[String]>,
        /// What may be the cause, and what to do.
        help: Box<str>,
    },
    /// Rows that cannot be used.
    #[error("{}: {} cannot be used{}", path.display(), counted(rows_of(problems, *more), "row"), list(problems, *more))]
    Rows {
        /// The file.
        path: PathBuf,
        /// What is wrong with them, in the order of the file: the first reasons.
        problems: Vec<Problem>,
        /// How many rows there are that have others.
        more: u64,
    },
    /// No value of a column of numbers is one.
    #[error("{}: none of the {} values of column `{column}` is a number{}{help}", path.display(), count(*rows), list(first, rows - rows_of(first, 0)))]
    NoNumber {
        /// The file.
        path: PathBuf,
        /// The column.
        column: Box<str>,
        /// How many rows there are.
        rows: u64,
        /// What is wrong with the first of them.
        first: Vec<Problem>,
        /// What to do, on a line of its own, or nothing.
        help: &'static str,
    },
    /// Cleaning left nothing.
    #[error("{}: no usable rows: {} read, of which {} without a text{} and {} without a label; check the columns that were read: {}", path.display(), count(*read), count(*missing_text), missing_pair.map_or_else(String::new, |rows| format!(", {} without a second text", count(rows))), count(*missing_label), found_columns(columns))]
    NoRows {
        /// The file.
        path: PathBuf,
        /// Rows in the file.
        read: u64,
        /// Of these, rows without a text.
        missing_text: u64,
        /// Of these, rows with a text but without the second one; none where the model reads one text.
        missing_pair: Option<u64>,
        /// Of these, rows with a text but no label.
        missing_label: u64,
        /// The columns of texts and labels, each in backticks.
        columns: Box<[String]>,
    },
    /// There is nothing to tell apart.
    #[error("{}: every row has the label `{}` (column `{}`): a classifier needs at least two labels; add rows with other labels, or name another column{}", path.display(), escaped(&shorten(label)), shorten(column), dropped.as_deref().unwrap_or(""))]
    OneClass {
        /// The file.
        path: PathBuf,
        /// Name of the only label.
        label: String,
        /// The column of the labels.
        column: String,
        /// Rows without a label that were dropped, and what to do.
        dropped: Option<String>,
    },
    /// All rows have the same target.
    #[error("{}: {what}", path.display())]
    NothingToLearn {
        /// The file.
        path: PathBuf,
        /// The target, and the columns it is in.
        what: String,
    },
    /// Row ids and token offsets are 32-bit numbers.
    #[error("more {what} than taper supports (at most {}); use data.limit", u32::MAX)]
    TooLarge {
        /// `rows` or `tokens`.
        what: &'static str,
    },
    /// The test or dev split would have no rows.
    #[error("the {split} split is empty: {share} of {rows} rounds to none; raise data.{split} to {} or more{}",
        enough(*rows), if *split == "dev" { ", or set it to 0" } else { "" }, rows = counted(*rows as u64, "row"))]
    EmptySplit {
        /// `test` or `dev`.
        split: &'static str,
        /// Its share.
        share: f64,
        /// Rows there are.
        rows: usize,
    },
    /// The other splits take everything.
    #[error("no rows remain for training: of {}, test takes {test} and dev takes {dev}; lower {}",
        counted(*rows as u64, "row"), match (*folded, *dev) {
            (true, 0) => "the number of groups in a fold: use more folds",
            (true, _) => "data.dev, or use more folds",
            (false, 0) => "data.test",
            (false, _) => "data.test or data.dev",
        })]
    NothingToTrain {
        /// Rows there are.
        rows: usize,
        /// Rows of the test split.
        test: usize,
        /// Rows of the dev split.
        dev: usize,
        /// Whether the test split is a fold.
        folded: bool,
    },
    /// A tokenizer's file cannot be used.
    #[error("{}: {what}", path.display())]
    Tokenizer {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A vocabulary cannot be used.
    #[error("{what}")]
    Vocabulary {
        /// What is wrong with it.
        what: String,
    },
    /// The tokenizer failed on a text.
    #[error("cannot tokenise {text:?}: {what}")]
    Encode {
        /// Beginning of the text.
        text: String,
        /// What the tokenizer says.
        what: String,
    },
}

impl DataError {
    /// This error, or where it stands for several, each of them.
    pub fn each(&self) -> Vec<&Self> {
        match self {
            Self::Several(errors) => errors.iter().flat_map(Self::each).collect(),
            error => vec![error],
        }
    }

    /// The key of a spec that is wrong, if it is a key that names a column.
    pub fn key(&self) -> Option<&str> {
        let Self::Column { names, .. } = self else { return None };
        names.key.as_deref()
    }

    /// What was found, or all errors at once, each once.
    pub(super) fn all<T>(found: impl IntoIterator<Item = Result<T, Self>>) -> Result<Vec<T>, Self> {
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for one in found {
            match one {
                Ok(value) => values.push(value),
                Err(error) => errors.push(error),
            }
        }
        match errors.len() {
            0 => Ok(values),
            1 => Err(errors.remove(0)),
            _ => Err(Self::Several(errors)),
        }
    }

    /// For `map_err`: what the operating system says about `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io { path: path.to_owned(), error }
    }
}

/// Rows that have a text where a number is expected, all in the same column.
#[derive(Debug, Default)]
pub(super) struct TextsOf {
    pub(super) column: String,
    pub(super) rows: u64,
    /// Whether some are more than numbers with commas.
    pub(super) have_words: bool,
}

/// Problems of many rows by what is wrong, of which the first few are kept.
#[derive(Default)]
pub(super) struct Problems {
    groups: Vec<Problem>,
    /// Where each reason is in `groups`.
    known: HashMap<String, usize>,
    more: u64,
}

impl Problems {
    const SHOWN: usize = 20;

    pub(super) fn push(&mut self, problem: Problem) {
        if let Some(group) = self.known.get(&problem.what).map(|&at| &mut self.groups[at]) {
            group.rows += problem.rows;
            group.columns_differ |= group.column != problem.column;
            if let (Some((least, most)), Some((low, high))) = (&mut group.fields, problem.fields) {
                (*least, *most) = ((*least).min(low), (*most).max(high));
            }
            if group.lines.len() < Warning::MAX_LINES {
                group.lines.extend(problem.lines);
            }
        } else if self.groups.len() < Self::SHOWN {
            self.known.insert(problem.what.clone(), self.groups.len());
            self.groups.push(problem);
        } else {
            self.more += problem.rows;
        }
    }

    /// The error that names them, where there are any.
    pub(super) fn into_result(self, path: &Path) -> Result<(), DataError> {
        if self.groups.is_empty() { Ok(()) } else { Err(self.into_error(path)) }
    }

    /// Where these are all rows of the file, and each has a text instead of a number in the same column: one error about this column.
    pub(super) fn about_column(
        mut self,
        path: &Path,
        texts: Option<TextsOf>,
        wording: Wording,
    ) -> Result<(), DataError> {
        /// So many different values are named in full.
        const FEW: usize = 3;
        let rows = rows_of(&self.groups, self.more);
        match texts.filter(|texts| texts.rows == rows && self.groups.len() > FEW) {
            None => self.into_result(path),
            Some(TextsOf { column, have_words, .. }) => {
                self.groups.truncate(FEW);
                let help = match wording {
                    // Each line says how to write it.
                    _ if !have_words => "",
                    Wording::Keys => {
                        "\nif they are labels, remove data.problem_type; if the numbers are in another column, name it in \
                         data.label_column"
                    }
                    _ => "\nthe model predicts numbers: choose the column that has them",
                };
                Err(DataError::NoNumber {
                    path: path.to_owned(),
                    column: column.into(),
                    rows,
                    first: self.groups,
                    help,
                })
            }
        }
    }

    /// The error that names them.
    pub(super) fn into_error(self, path: &Path) -> DataError {
        DataError::Rows { path: path.to_owned(), problems: self.groups, more: self.more }
    }
}

/// The beginning of a value in a message.
pub(super) fn shorten(value: &str) -> String {
    const CHARS: usize = 40;
    match value.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn rows_of(problems: &[Problem], more: u64) -> u64 {
    problems.iter().map(|problem| problem.rows).sum::<u64>() + more
}

fn list(problems: &[Problem], more: u64) -> String {
    let mut text: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    if more > 0 {
        text += &format!("\n  and {more} more");
    }
    text
}

/// The names of columns as far as they can be read.
pub(super) fn found_columns(found: &[String]) -> String {
    if found.is_empty() {
        return "none".into();
    }
    const SHOWN: usize = 30;
    let mut names: Vec<String> = found.iter().take(SHOWN).map(|name| shorten(name)).collect();
    if found.len() > SHOWN {
        names.push(format!("and {} more", found.len() - SHOWN));
    }
    names.join(", ")
}

/// The least share, in hundredths, of which so many rows are one or more.
fn enough(rows: usize) -> f64 {
    (50.0 / rows as f64).ceil() / 100.0
}
