//! Why runs cannot be compared.

use std::path::PathBuf;

use super::side::MOST_SIDES;
use crate::report::ReportError;

/// Why runs cannot be compared.
#[derive(Debug, thiserror::Error, PartialEq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum CompareError {
    #[error("nothing to compare with: name at least two runs or trials")]
    TooFew,
    #[error("{found} runs or trials: at most {MOST_SIDES} can be compared at once")]
    TooMany { found: usize },
    #[error("{first} and {second} are the same run, {key}: name two different runs or trials")]
    SameRun { first: char, second: char, key: String },
    #[error("{first} and {second} both contain the run {key}: compare runs and trials that have no run in common")]
    SharedRun { first: char, second: char, key: String },
    #[error(
        "{other} has the problem type {found}, {first} has {wanted}: only runs of the same problem type have metrics in common"
    )]
    OtherTask { first: char, other: char, wanted: &'static str, found: &'static str },
    #[error(
        "{first} and {other} have different labels, so their metrics measure different things: {only_first}{only_other}; \
         compare runs with the same labels, or give them the same names with data.labels"
    )]
    OtherLabels { first: char, other: char, only_first: String, only_other: String },
    #[error("{first} and {other} have the same labels in a different order; give both the same data.labels")]
    OtherOrder { first: char, other: char },
    #[error("{side} ({name}) has no results yet: {why}")]
    NoResult { side: char, name: String, why: String },
    #[error(
        "{first} is evaluated on the {of_first} split, {other} only on the {of_other} split: compare runs that are evaluated on the \
         same split"
    )]
    OtherSplit { first: char, other: char, of_first: &'static str, of_other: &'static str },
}

/// Why the page of a comparison could not be written.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The file is another's.
    #[error(
        "{} exists, and no `taper compare` wrote it: choose another file with --html FILE, or replace it with --force",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It could not be drawn or written.
    #[error(transparent)]
    Report(#[from] ReportError),
}
