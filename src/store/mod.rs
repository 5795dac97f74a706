//! The store room: one type that owns all SQL, and read-only records.
//!
//! `<runs>/taper.db` holds everything that was measured. [`Store::open`] brings the schema up to date (its
//! migrations are append-only), [`Store::append`] turns a run's events into rows, and the reading half gives back
//! [records](RunRecord) that know nothing of SQL. [`RunLock`] says which process owns a run.
//!
//! Three promises:
//! - Every write is one transaction, on disk when the call returns.
//! - What a run logs stays visible until it is replaced: a run that goes on from a checkpoint makes the steps after it
//!   again, and each takes the place of its elder. When the run completes, nothing beyond its last step remains.
//! - Any number of processes may read and write at once; each waits for its turn.

mod columns;
mod error;
mod fallback;
mod lock;
mod open;
mod plans;
mod proposals;
mod read;
mod records;
mod remove;
mod schema;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod write;

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

pub use error::StoreError;
pub use lock::{RunLock, holder, is_free, is_locked, tidy_locks};
pub use plans::PlanRecord;
pub use records::*;
pub use write::NewRun;

/// The database of one runs folder.
#[derive(Debug)]
pub struct Store {
    conn: rusqlite::Connection,
    path: PathBuf,
    opened: open::Opened,
    /// How it was opened where nothing can be written; after the connection, which is closed before a copy is removed.
    fallback: Option<fallback::Fallback>,
}

/// Unix time in seconds; 0 where the clock stands before 1970.
pub fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
