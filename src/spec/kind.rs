//! The kinds of values that keys take, and how messages describe them.

use std::ops::Bound;

use super::{Delimiter, Fold, TextEncoding, source};
use crate::{
    format::{count, or},
    source::{Scheme, Source},
};

/// The most bytes of a name: folder names have 255, and files beside it need some of them.
pub(super) const LONGEST_NAME: usize = 200;

/// The kind of value that a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A non-empty string.
    Text,
    /// A string that can be the name of a folder.
    Name,
    /// Any string.
    Prose,
    /// One of these strings.
    Choice(&'static [&'static str]),
    /// A source with one of these schemes.
    Source(&'static [Scheme]),
    /// `data.delimiter`.
    Delimiter,
    /// `data.encoding`.
    Encoding,
    /// `data.fold`.
    Fold,
    /// `true` or `false`.
    Boolean,
    /// A whole number between these bounds, both included.
    Whole(u64, u64),
    /// A number between these bounds; whole numbers are accepted.
    Number(Bound<f64>, Bound<f64>),
    /// Two numbers between these bounds.
    Pair(Bound<f64>, Bound<f64>),
    /// A non-empty string without line breaks.
    Line,
    /// A string without spaces and quotes.
    Word,
    /// A limit of time as Slurm writes it.
    TimeLimit,
    /// An amount of memory as Slurm writes it.
    Memory,
    /// Options of `sbatch`.
    Options,
    /// Distinct non-empty strings.
    Texts,
    /// Distinct whole numbers from 0 to this.
    Seeds(u64),
    /// `train.class_weights`.
    ClassWeights,
    /// `data.labels`.
    Labels,
    /// A share of the rows, or a source with one of these schemes.
    HeldOut(&'static [Scheme]),
    /// `data.splits`.
    Splits,
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
    /// The stand-in for a required key that no layer sets, so that the rest of the spec can be checked: `first`, the first value of its axis,
    /// if that is valid.
    pub(super) fn stand_in(&self, first: Option<&str>) -> String {
        match self {
            Self::Source(_) => first.filter(|text| text.parse::<Source>().is_ok()).unwrap_or("path:.").into(),
            _ => first.unwrap_or_default().into(),
        }
    }

    /// A description of valid values with the unit of the numbers among them, if there is one.
    pub(super) fn expects_in(&self, unit: &str) -> String {
        match (unit, self) {
            ("", kind) => kind.expects(),
            (unit, Self::HeldOut(schemes)) => share_or_file(&format!(" ({unit})"), schemes),
            (unit, kind) => format!("{} ({unit})", kind.expects()),
        }
    }

    /// A description of valid values for messages and the documentation: `a whole number from 1 to 65536`.
    pub fn expects(&self) -> String {
        match self {
            Self::Text => "a non-empty string".into(),
            Self::Name => format!(
                "a name of at most {LONGEST_NAME} bytes without `/`, `\\`, control characters, bidirectional formatting characters, or \
                 leading or trailing spaces; it must not begin with `.` or `-`"
            ),
            Self::Prose => "a string".into(),
            Self::Choice(values) => or(&values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>()),
            Self::Source(schemes) => source::forms(schemes),
            Self::Delimiter => Delimiter::EXPECTS.into(),
            Self::Encoding => TextEncoding::EXPECTS.into(),
            Self::Fold => Fold::EXPECTS.into(),
            Self::Boolean => "`true` or `false`".into(),
            Self::Whole(least, most) if *most == i64::MAX as u64 => {
                format!("an integer of at least {}", count(*least))
            }
            Self::Whole(least, most) => format!("an integer from {} to {}", count(*least), count(*most)),
            Self::Number(low, high) => format!("a number {}", between(low, high)),
            Self::Pair(low, high) => format!("two numbers {}", between(low, high)),
            Self::Line => "a non-empty string of one line".into(),
            Self::Word => "a string without spaces, quotes, `$` and `#`".into(),
            Self::TimeLimit => "a Slurm time, such as `90` (minutes), `12:00:00` or `2-12` (days-hours)".into(),
            Self::Memory => "a Slurm memory size, such as `8G` or `512M`".into(),
            Self::Options => "a list of options of `sbatch`".into(),
            Self::Texts => "a list of strings".into(),
            Self::Seeds(_) => "a list of integers of at least 0".into(),
            Self::ClassWeights => "`none`, `balanced`, or a list of numbers above 0, one for each label".into(),
            Self::Labels => "a table of label names".into(),
            Self::HeldOut(schemes) => share_or_file("", schemes),
            Self::Splits => {
                "a table with a value for `train` and, where there are such rows, for `dev` and `test`".into()
            }
            Self::Probes => "`[[probes]]` tables".into(),
            Self::Axes => "a table of keys, each with a list of values or a range".into(),
            Self::Zip => "`[[sweep.zip]]` tables with lists of values".into(),
            Self::Exclude => "`[[sweep.exclude]]` tables with values".into(),
        }
    }

    /// Whether bare text on the command line or in the environment is meant as a string.
    pub(super) fn takes_only_strings(&self) -> bool {
        matches!(
            self,
            Self::Text
                | Self::Name
                | Self::Prose
                | Self::Choice(_)
                | Self::Source(_)
                | Self::Delimiter
                | Self::Encoding
                | Self::Fold
                | Self::Line
                | Self::Word
                | Self::TimeLimit
                | Self::Memory
        )
    }
}

/// What [`Kind::HeldOut`] takes; `unit` follows the number.
fn share_or_file(unit: &str, schemes: &[Scheme]) -> String {
    format!("a number of at least 0 and below 1{unit}, or a file: {}", source::forms(schemes))
}

/// Describes bounds: `above 0 and at most 1`.
pub(super) fn between(low: &Bound<f64>, high: &Bound<f64>) -> String {
    use Bound::{Excluded, Included, Unbounded};
    match (low, high) {
        (Included(low), Included(high)) => format!("from {low} to {high}"),
        (Included(low), Excluded(high)) => format!("of at least {low} and below {high}"),
        (Excluded(low), Included(high)) => format!("above {low} and at most {high}"),
        (Excluded(low), Excluded(high)) => format!("above {low} and below {high}"),
        (Included(low), Unbounded) => format!("of at least {low}"),
        (Excluded(low), Unbounded) => format!("above {low}"),
        (Unbounded, Included(high)) => format!("of at most {high}"),
        (Unbounded, Excluded(high)) => format!("below {high}"),
        (Unbounded, Unbounded) => "of any size".into(),
    }
}
