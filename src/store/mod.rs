//! The store room: one type that owns all SQL, and read-only records.

mod records;

pub use records::*;
