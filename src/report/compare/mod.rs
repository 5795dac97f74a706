//! Compares runs and trials with each other: `taper compare`. Pure functions of records.
//!
//! [`compare`] takes two or more [`Side`]s and gives a [`Comparison`]: the settings that differ, the metrics with the intervals of their
//! differences, for each side but the first a test and a sentence, the rows on which two sides disagree, and warnings. [`page`] is the same as
//! one HTML page, with curves.
//!
//! What is tested depends on what is compared: two runs on the same rows row by row, on other rows as independent samples; trials of several
//! seeds by their means; cross-validations by their folds.

mod answers;
mod check;
mod comparison;
mod curves;
mod differ;
mod error;
mod finding;
mod flips;
mod measured;
mod over_folds;
mod page;
mod settings;
mod side;
mod texts;
mod warnings;
mod words;

pub use comparison::{Against, Comparison, Shown, Test, compare};
pub use differ::{Difference, MetricRow};
pub use error::{CompareError, PageError};
pub use flips::{Flip, Flipped};
pub use page::{page, write};
pub use settings::Differs;
pub use side::{MOST_SIDES, Side, letter};
pub use texts::difference_text;
pub use words::interval_text;
