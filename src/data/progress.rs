//! Progress of reading and tokenising, for listeners.

use std::sync::Arc;

/// Progress of work on the rows of a dataset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress<'a> {
    /// A file is read.
    Reading {
        /// Its name.
        file: &'a str,
        /// Rows so far.
        rows: u64,
        /// Share of the file so far, from 0 to 1.
        share: f64,
    },
    /// A vocabulary is built from rows.
    Vocabulary {
        /// Rows so far.
        rows: u64,
        /// How many there are.
        of: u64,
    },
    /// Rows are tokenised.
    Tokenizing {
        /// Rows so far.
        rows: u64,
        /// How many there are.
        of: u64,
    },
    /// The work is over, or has failed.
    Ended,
}

/// Receives progress, from several threads.
pub type Listener = Arc<dyn Fn(Progress<'_>) + Send + Sync>;

/// Tells a listener about one piece of work; that it has ended when this is dropped.
pub struct Meter<'a>(&'a Listener);

impl<'a> Meter<'a> {
    /// Rows between two reports.
    pub const EVERY: u64 = 4096;

    /// The beginning of a piece of work.
    pub fn new(listener: &'a Listener) -> Self {
        Self(listener)
    }

    /// Tells how far it is.
    pub fn tell(&self, progress: Progress<'_>) {
        (self.0)(progress);
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        (self.0)(Progress::Ended);
    }
}

/// A listener that ignores everything.
pub fn silent() -> Listener {
    Arc::new(|_| {})
}
