//! Rows from one buffer to another.

use super::{super::Dropout, Memory};

/// Arguments of [`CopyOps::copy_rows`].
#[derive(Debug)]
pub struct CopyRows<'a, B> {
    /// Receives the rows, from offset `to_at` on.
    pub to: &'a mut B,
    /// Where the first row goes, counted in values.
    pub to_at: usize,
    /// Whether the rows are added to what is there.
    pub add: bool,
    /// Where the rows are, from offset `from_at` on.
    pub from: &'a B,
    /// Where the first row is, counted in values.
    pub from_at: usize,
    /// Rows, and values of each.
    pub shape: (usize, usize),
    /// Applied to the rows.
    pub dropout: Option<Dropout>,
}

/// Copies of rows.
pub trait CopyOps: Memory {
    /// to = dropout(from), or to += dropout(from).
    fn copy_rows(&mut self, args: CopyRows<Self::Buffer>);
}
