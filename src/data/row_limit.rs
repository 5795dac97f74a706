//! How long a row may be.

use std::{fmt, io};

/// Bytes that one row may have. The longest texts that a model sees have a few thousand; what is longer is no row: a file
/// without line breaks, or a quote that is never closed.
pub(super) const MAX_ROW: u64 = 16 << 20;

/// A row has more than [`MAX_ROW`] bytes.
#[derive(Debug)]
pub(super) struct RowTooLong;

impl fmt::Display for RowTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row has more than {} bytes", MAX_ROW)
    }
}

impl std::error::Error for RowTooLong {}

impl RowTooLong {
    pub(super) fn error() -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self)
    }
}
