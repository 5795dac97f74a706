//! How long a row may be.

/// Bytes that one row may have. The longest texts that a model sees have a few thousand; what is longer is no row: a file
/// without line breaks, or a quote that is never closed.
pub(super) const MAX_ROW: u64 = 16 << 20;
