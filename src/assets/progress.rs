//! What a listener hears of downloads.

use std::{sync::Arc, time::Duration};

/// What happens to a file on its way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Progress<'a> {
    /// It begins, or goes on from what an earlier attempt left.
    Began {
        /// The file's name.
        file: &'a str,
        /// Bytes that are here.
        done: u64,
        /// Bytes in all, where that is known.
        total: Option<u64>,
    },
    /// More of it is here.
    Advanced {
        /// The file's name.
        file: &'a str,
        /// Bytes that are here.
        done: u64,
    },
    /// It is tried again, or another process is at it.
    Waits {
        /// The file's name, or that of the repository.
        file: &'a str,
        /// Why.
        why: &'a str,
        /// Until the next attempt; none where another process decides.
        wait: Option<Duration>,
    },
    /// It is whole and checked.
    Ended {
        /// The file's name.
        file: &'a str,
    },
}

/// Hears of downloads, from several threads.
pub type Listener = Arc<dyn Fn(Progress) + Send + Sync>;
