//! Progress of downloads, for listeners.

use std::{sync::Arc, time::Duration};

/// Progress of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress<'a> {
    /// Its download starts or continues.
    Began {
        /// The file's name.
        file: &'a str,
        /// Bytes received so far.
        done: u64,
        /// Total bytes, if known.
        total: Option<u64>,
    },
    /// More bytes were received.
    Advanced {
        /// The file's name.
        file: &'a str,
        /// Bytes received so far.
        done: u64,
    },
    /// It will be retried, or another process is downloading it.
    Waits {
        /// The file's name, or that of the repository.
        file: &'a str,
        /// Why.
        why: &'a str,
        /// Time until the next attempt; `None` if it depends on another process.
        wait: Option<Duration>,
    },
    /// It is complete and verified.
    Ended {
        /// The file's name.
        file: &'a str,
    },
}

/// Receives progress of downloads, from several threads.
pub type Listener = Arc<dyn Fn(Progress) + Send + Sync>;
