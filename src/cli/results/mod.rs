//! The results of `taper predict`, row by row: as CSV, JSON Lines or Parquet, on standard output or in a file.

mod answer;
mod file;
mod form;
mod heading;
mod lines;
mod table;
mod writer;

pub use answer::{ByLabel, Named, Says};
pub use file::{NewFile, Packed};
pub use form::{Form, Target};
pub use heading::Wanted;
pub use writer::Results;
