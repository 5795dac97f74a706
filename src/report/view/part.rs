//! A part of the section on the sweep: what it holds, and its tables.

use super::Picture;
use crate::report::{format, language::tr, sentence::Sentence};

/// A part of the section.
pub struct SweepPart {
    /// Its title.
    pub title: String,
    /// What it says.
    pub sentences: Vec<String>,
    /// Its charts.
    pub pictures: Vec<Picture>,
    /// Its tables.
    pub tables: Vec<SweepRows>,
    /// How to read it.
    pub notes: Vec<String>,
}

/// A table.
pub struct SweepRows {
    /// Headings, each with whether its cells are numbers.
    pub heads: Vec<(String, bool)>,
    /// The first rows.
    pub rows: Vec<Vec<Sentence>>,
    /// If the page folds all of it away, what it says instead.
    pub folded_whole: Option<String>,
    /// Further rows, which the page folds away.
    pub folded: Vec<Vec<Sentence>>,
    /// What it says instead of these.
    pub folded_name: String,
}

/// Rows that the page shows at once; the others are folded away.
const MOST_ROWS: usize = 20;

pub(super) fn part(title: &str, sentences: Vec<String>, pictures: Vec<Picture>) -> SweepPart {
    SweepPart { title: title.into(), sentences, pictures, tables: Vec::new(), notes: Vec::new() }
}

/// A table whose rows after the first ones are folded away. `what` they are: `value`.
pub(super) fn table<Cell: Into<Sentence>>(heads: &[(&str, bool)], rows: Vec<Vec<Cell>>, what: &str) -> SweepRows {
    let mut rows: Vec<Vec<Sentence>> = rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect();
    // A few more are no reason to fold.
    let folded = if rows.len() > MOST_ROWS + 4 { rows.split_off(MOST_ROWS) } else { Vec::new() };
    let heads = heads.iter().map(|(head, number)| (head.to_string(), *number)).collect();
    let folded_name = tr!("The other {}", "其余 {}", format::plural(folded.len(), what));
    SweepRows { heads, rows, folded_whole: None, folded, folded_name }
}

/// User text in a cell, in which backticks are no code.
pub(super) fn plain(text: &str) -> String {
    text.replace('`', "'")
}
