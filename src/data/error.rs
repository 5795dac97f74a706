//! What can be wrong with a data file or a tokenizer folder.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// A row that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line of the file on which the row begins, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Why data could not be read, split or tokenised.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file could not be opened, read or written.
    #[error("{}: {}", path.display(), crate::format::io(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A Parquet file cannot be read.
    #[error("{}: it cannot be read as Parquet: {what}", path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// This program cannot read Parquet.
    #[error(
        "{}: this build of taper reads no Parquet: build it with `--features parquet`, or convert the file to CSV",
        path.display()
    )]
    NoParquet {
        /// The file.
        path: PathBuf,
    },
    /// The file's ending says nothing about its layout.
    #[error("{}: cannot tell the layout from the file's ending; set data.format to csv, tsv, jsonl or parquet", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// The file is not UTF-8.
    #[error("{}:{line}: {what}; convert the file first: iconv -f {from} -t UTF-8 '{}' > utf8-{}",
        path.display(), path.display(), path.file_name().unwrap_or_default().display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line on which the row with the first wrong byte begins, from 1.
        line: u64,
        /// The byte and where it stands.
        what: String,
        /// Encoding that the file probably has, as iconv calls it.
        from: &'static str,
    },
    /// The file holds nothing.
    #[error("{}: the file is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A column that the spec names is not there, or is there twice.
    #[error("{}: {what} `{column}`, which {key} names; columns found: {}{}",
        path.display(), found.join(", "), suggest(column, found))]
    Column {
        /// The file.
        path: PathBuf,
        /// `no column` or `more than one column`.
        what: &'static str,
        /// Name looked for.
        column: String,
        /// Key of the spec that holds the name.
        key: &'static str,
        /// Names in the file's header, or the fields of its first object.
        found: Vec<String>,
    },
    /// Rows that cannot be used.
    #[error("{}: {} cannot be used{}", path.display(), count(problems.len() + more, "row"), list(problems, *more))]
    Rows {
        /// The file.
        path: PathBuf,
        /// The first of them.
        problems: Vec<Problem>,
        /// How many more there are.
        more: usize,
    },
    /// Cleaning left nothing.
    #[error("{}: no row is left: {read} read, {missing_text} without a text, {missing_label} without a label", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
        /// Rows in the file.
        read: u64,
        /// Of these, rows without a text.
        missing_text: u64,
        /// Of these, rows with a text but no label.
        missing_label: u64,
    },
    /// There is nothing to tell apart.
    #[error("{}: every row has the label `{label}`: a classifier needs at least two", path.display())]
    OneClass {
        /// The file.
        path: PathBuf,
        /// Name of the only label.
        label: String,
    },
    /// Row ids and token offsets are 32-bit numbers.
    #[error("more {what} than fit into memory as planned (at most {}); use data.limit", u32::MAX)]
    TooLarge {
        /// `rows` or `tokens`.
        what: &'static str,
    },
    /// The test or dev split would have no rows.
    #[error("the {split} split is empty: {share} of {rows} rounds to none; raise data.{split}, or set it to 0",
        rows = count(*rows, "row"))]
    EmptySplit {
        /// `test` or `dev`.
        split: &'static str,
        /// Its share.
        share: f64,
        /// Rows there are.
        rows: usize,
    },
    /// The other splits take everything.
    #[error("no row is left to train on: of {}, test takes {test} and dev takes {dev}; lower data.test or data.dev",
        count(*rows, "row"))]
    NothingToTrain {
        /// Rows there are.
        rows: usize,
        /// Rows of the test split.
        test: usize,
        /// Rows of the dev split.
        dev: usize,
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
    /// For `map_err`: what the operating system says about `path`.
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |error| Self::Io { path: path.to_owned(), error }
    }
}

/// Problems of many rows, of which the first few are kept.
#[derive(Default)]
pub(super) struct Problems {
    first: Vec<Problem>,
    more: usize,
}

impl Problems {
    const SHOWN: usize = 20;

    pub(super) fn push(&mut self, problem: Problem) {
        if self.first.len() < Self::SHOWN {
            self.first.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// The error that names them, where there are any.
    pub(super) fn into_result(self, path: &Path) -> Result<(), DataError> {
        if self.first.is_empty() {
            return Ok(());
        }
        Err(DataError::Rows { path: path.to_owned(), problems: self.first, more: self.more })
    }
}

/// The beginning of a value that stands in a message.
pub(super) fn shorten(value: &str) -> String {
    const CHARS: usize = 40;
    match value.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

fn list(problems: &[Problem], more: usize) -> String {
    let mut text: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    if more > 0 {
        text += &format!("\n  and {more} more");
    }
    text
}

/// `; did you mean …?` where one of the names found is near the one looked for.
fn suggest(column: &str, found: &[String]) -> String {
    let near = |name: &String| strsim::jaro_winkler(&name.to_lowercase(), &column.to_lowercase());
    let best = found.iter().map(|name| (near(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((likeness, name)) if likeness > 0.75 && name != column => format!("; did you mean `{name}`?"),
        _ => String::new(),
    }
}
