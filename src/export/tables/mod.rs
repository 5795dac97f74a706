//! Runs, metrics and steps of an experiment as three tables, each with the columns of a view of the database (`docs/database.md`).

mod csv;
mod json_lines;
mod parquet;
mod sheet;

pub use csv::Csv;
pub use json_lines::JsonLines;
pub use parquet::{ParquetTables, write_column};
