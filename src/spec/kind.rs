//! What a key takes, and what is said to be expected.

use std::ops::Bound;

use super::{Delimiter, source};
use crate::source::{Scheme, Source};

/// Bytes of a name at most: a folder's name has 255, of which files beside it need some.
pub(super) const LONGEST_NAME: usize = 200;

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A string that is not empty.
    Text,
    /// A string that can be the name of a folder.
    Name,
    /// Any string.
    Prose,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A source of one of these schemes.
    Source(&'static [Scheme]),
    /// `data.delimiter`.
    Delimiter,
    /// `true` or `false`.
    Boolean,
    /// A whole number from the first to the second, both included.
    Whole(u64, u64),
    /// A number between these bounds; a whole one is taken too.
    Number(Bound<f64>, Bound<f64>),
    /// Two numbers between these bounds.
    Pair(Bound<f64>, Bound<f64>),
    /// Strings that are not empty, none twice.
    Texts,
    /// Whole numbers from 0 to this, none twice.
    Seeds(u64),
    /// `train.class_weights`.
    ClassWeights,
    /// `data.labels`.
    Labels,
    /// `[[probes]]`.
    Probes,
    /// `[sweep.axes]`.
    Axes,
    /// `[[sweep.zip]]`.
    Zip,
    /// `[[sweep.exclude]]`.
    Exclude,
}

impl Kind {
    /// What a required key holds where nothing gives it, so that the rest of the spec can be checked: `first`, what its axis begins
    /// with, where that can be read.
    pub(super) fn stand_in(&self, first: Option<&str>) -> String {
        match self {
            Self::Source(_) => first.filter(|text| text.parse::<Source>().is_ok()).unwrap_or("path:.").into(),
            _ => first.unwrap_or_default().into(),
        }
    }

    /// What is expected, for messages and the documentation: `a whole number from 1 to 65536`.
    pub fn expects(&self) -> String {
        match self {
            Self::Text => "a string that is not empty".into(),
            Self::Name => format!(
                "a name of at most {LONGEST_NAME} bytes without `/`, `\\`, control characters and marks of text direction, not beginning \
                 with `.` or `-`, without blanks at its ends"
            ),
            Self::Prose => "a string".into(),
            Self::Choice(values) => values.iter().map(|v| format!("`{v}`")).collect::<Vec<_>>().join(", "),
            Self::Source(schemes) => source::forms(schemes),
            Self::Delimiter => Delimiter::EXPECTS.into(),
            Self::Boolean => "`true` or `false`".into(),
            Self::Whole(least, most) if *most == i64::MAX as u64 => format!("a whole number, {least} or more"),
            Self::Whole(least, most) => format!("a whole number from {least} to {most}"),
            Self::Number(low, high) => format!("a number {}", between(low, high)),
            Self::Pair(low, high) => format!("two numbers {}", between(low, high)),
            Self::Texts => "a list of strings".into(),
            Self::Seeds(_) => "a list of whole numbers, 0 or more".into(),
            Self::ClassWeights => "`none`, `balanced`, or a list of numbers above 0, one for each label".into(),
            Self::Labels => "a table of strings".into(),
            Self::Probes => "`[[probes]]` tables".into(),
            Self::Axes => "a table of lists and ranges".into(),
            Self::Zip => "`[[sweep.zip]]` tables of lists".into(),
            Self::Exclude => "`[[sweep.exclude]]` tables".into(),
        }
    }

    /// Whether a value given as bare text on the command line or in the environment can be meant as a string.
    pub(super) fn takes_only_strings(&self) -> bool {
        matches!(self, Self::Text | Self::Name | Self::Prose | Self::Choice(_) | Self::Source(_) | Self::Delimiter)
    }
}

/// `above 0, at most 1`.
pub(super) fn between(low: &Bound<f64>, high: &Bound<f64>) -> String {
    use Bound::{Excluded, Included, Unbounded};
    match (low, high) {
        (Included(low), Included(high)) => format!("from {low} to {high}"),
        (Included(low), Excluded(high)) => format!("from {low} to below {high}"),
        (Excluded(low), Included(high)) => format!("above {low}, at most {high}"),
        (Excluded(low), Excluded(high)) => format!("above {low} and below {high}"),
        (Included(low), Unbounded) => format!("from {low}"),
        (Excluded(low), Unbounded) => format!("above {low}"),
        (Unbounded, Included(high)) => format!("at most {high}"),
        (Unbounded, Excluded(high)) => format!("below {high}"),
        (Unbounded, Unbounded) => "of any size".into(),
    }
}
