//! The store: one type that owns all SQL, and read-only records.
//!
//! `<runs>/taper.db` holds all measurements. [`Store::open`] migrates the schema (migrations are append-only), [`Store::append`] turns a
//! run's events into rows, and the reading half returns [records](RunRecord) without SQL. A [`RunLock`] marks the process that owns a
//! run.
//!
//! Guarantees:
//! - Every write is one transaction, durable when the call returns.
//! - A run's rows stay visible until they are replaced: a run that resumes from a checkpoint trains the steps after it again, and each
//!   replaces the earlier one. When the run completes, nothing beyond its last step remains.
//! - Any number of processes may read and write concurrently; writers wait for each other.

mod audit;
mod changes;
mod columns;
mod connection;
mod error;
mod fallback;
mod find;
mod folders;
mod lock;
mod network;
mod open;
mod packed;
mod plans;
mod proposals;
mod read;
mod records;
mod remove;
mod schema;
mod submissions;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod views;
mod withdraw;
mod write;

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

pub use audit::{AuditedFile, AuditedLeak, AuditedNumbers, AuditedSource, AuditedSplit, DataAudit, FoundRows};
pub use error::StoreError;
pub use folders::folders_of_runs;
pub use lock::{RunLock, holder, is_free, is_locked, tidy_locks};
pub use network::OnlyCommand;
pub use plans::PlanRecord;
pub use records::*;
pub use submissions::{ElementRecord, Merged, Reported, ReportedRun, SubmissionRecord};
pub use views::{Cell, Column, Kind, View};
pub use withdraw::Before;
pub use write::NewRun;

/// The database of one runs folder.
#[derive(Debug)]
pub struct Store {
    conn: rusqlite::Connection,
    path: PathBuf,
    opened: open::Opened,
    /// How it was opened if it cannot be written; declared after the connection, which must be closed before a copy is removed.
    fallback: Option<fallback::Fallback>,
}

/// Unix time in seconds; 0 if the clock is before 1970.
pub fn unix_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
