//! What training changed in the predictions of the tested rows: pure functions of what was predicted before and after.
//!
//! The evaluation before training is that of the model as it was loaded, whose head may be random.

mod bins;
mod classes;
mod drawings;
mod errors;
mod flips;
mod gain;
mod rows;
mod tables;

#[cfg(test)]
mod oracle;

pub use classes::{ClassChange, classes};
pub use drawings::drawings;
pub use errors::{ColumnChange, columns};
pub use flips::{Flips, flips};
pub use gain::{Gained, gained};
pub use rows::{Row, joined};
pub use tables::{changes, flipped};
