//! What can be wrong with the bytes of a data file, as the inner error of an [`io::Error`]: the libraries that parse rows hand it on.

use std::{fmt, io, path::Path};

use super::{DataError, row_limit::MAX_ROW};
use crate::plan::TextEncoding;

/// Why the bytes of a file cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InputFault {
    /// A row has more than [`MAX_ROW`] bytes.
    RowTooLong,
    /// The packed file ends too early.
    Cut { packing: &'static str },
    /// The packed file is not sound.
    Damaged { packing: &'static str, what: String },
    /// It unpacks to more than this many times its size.
    Bomb { packing: &'static str, most: u64 },
    /// Bytes that the encoding does not have.
    Undecodable { encoding: TextEncoding, setting: String },
}

impl fmt::Display for InputFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RowTooLong => write!(f, "a row has more than {MAX_ROW} bytes"),
            Self::Cut { packing } => {
                write!(f, "the {packing} file ends too early: it was truncated; create or download it again")
            }
            Self::Damaged { packing, what } => {
                write!(f, "the {packing} file is damaged ({what}): create or download it again")
            }
            Self::Bomb { packing, most } => write!(
                f,
                "the {packing} file decompresses to more than {most} times its size, which is implausible for a table \
                 of texts; if it is one, decompress it first"
            ),
            Self::Undecodable { encoding, setting } => {
                write!(
                    f,
                    "the row that begins here is not valid {encoding}, the encoding that the file is read in; correct \
                     {setting} or the file"
                )
            }
        }
    }
}

impl std::error::Error for InputFault {}

impl From<InputFault> for io::Error {
    fn from(fault: InputFault) -> Self {
        Self::new(io::ErrorKind::InvalidData, fault)
    }
}

/// The fault in an error, if it is one of these.
pub(super) fn fault_of(error: &io::Error) -> Option<&InputFault> {
    error.get_ref()?.downcast_ref()
}

/// For `map_err` around the reading of the row that begins on `line`.
pub(super) fn reading(path: &Path, line: u64) -> impl FnOnce(io::Error) -> DataError + '_ {
    move |error| match fault_of(&error) {
        Some(InputFault::RowTooLong) => DataError::RowTooLong { path: path.to_owned(), line, help: String::new() },
        Some(fault @ InputFault::Undecodable { .. }) => {
            DataError::Line { path: path.to_owned(), line, what: fault.to_string() }
        }
        Some(fault) => DataError::Layout { path: path.to_owned(), what: fault.to_string() },
        None => DataError::Io { path: path.to_owned(), error },
    }
}
