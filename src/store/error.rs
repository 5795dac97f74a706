//! Errors of the store, with messages for the user.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

/// An error of the store. Each message is complete; there is no chain of causes.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("nothing here yet: run `taper run SPEC` first ({} does not exist)", path.display())]
    Missing { path: PathBuf },
    #[error(
        "cannot create the folder {}: {}; --runs DIR names another runs folder",
        path.display(),
        crate::format::io(error)
    )]
    Folder { path: PathBuf, error: io::Error },
    #[error(
        "{} was written by a newer taper (its schema is {found}, this taper knows up to {known}): update taper, or choose \
         another runs folder",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{} is not an SQLite database: put back the one that was there; or move it away, then all runs begin anew; or choose \
         another runs folder",
        path.display()
    )]
    NotADatabase { path: PathBuf },
    #[error("{} is a file; expected the folder of the runs (--runs, or TAPER_RUNS)", path.display())]
    NotAFolder { path: PathBuf },
    #[error(
        "{} is {what}, and not taper's database: move it away, then all runs begin anew; or choose another runs folder",
        path.display()
    )]
    NotAFile { path: PathBuf, what: String },
    #[error(
        "{} is not taper's database: it is one of another program (with the tables {}), or one that was damaged: put back a copy of \
         taper's; or move it away, then all runs begin anew; or choose another runs folder",
        path.display(),
        tables.join(", ")
    )]
    Foreign { path: PathBuf, tables: Vec<String> },
    #[error(
        "{} is damaged: the {} {} missing: put back a copy of it, or move it away to begin anew",
        path.display(),
        crate::format::by_number(tables.len() as u64, "table", "tables"),
        tables.join(", ") + crate::format::by_number(tables.len() as u64, " is", " are")
    )]
    Incomplete { path: PathBuf, tables: Vec<String> },
    #[error(
        "{} cannot be used ({message}): it was changed by hand, by another program or by another version of taper; put back a copy \
         of it, or move it away to begin anew",
        path.display()
    )]
    Changed { path: PathBuf, message: String },
    #[error(
        "{} is damaged ({message}): keep a copy, then save what can be read with \
         `sqlite3 taper.db .recover | sqlite3 saved.db` and put saved.db in its place",
        path.display()
    )]
    Corrupt { path: PathBuf, message: String },
    #[error(
        "{} is empty (0 bytes) beside the {} of {}: it was cut or replaced; put back a copy of it, or move those \
         folders elsewhere to begin anew",
        path.display(),
        crate::format::by_number(*runs as u64, "folder", "folders"),
        crate::format::counted(*runs as u64, "run")
    )]
    Emptied { path: PathBuf, runs: usize },
    #[error(
        "{} cannot be read where it is, for nothing can be written beside it, and {} takes no copy of it ({}); TMPDIR=DIR \
         names another folder for the copy",
        path.display(),
        folder.display(),
        crate::format::io(error)
    )]
    Copy { path: PathBuf, folder: PathBuf, error: io::Error },
    #[error(
        "the disk of {} is full: free some space, then run the same command again; what was stored is safe",
        path.display()
    )]
    Full { path: PathBuf },
    #[error(
        "cannot write {} ({message}): make the file and its folder writable, or choose another runs folder",
        path.display()
    )]
    ReadOnly { path: PathBuf, message: String },
    #[error(
        "cannot open {} ({message}): it has to be a file in a folder that may be written, for SQLite keeps its log \
         beside it; copy it to such a folder, or choose another runs folder",
        path.display()
    )]
    CannotOpen { path: PathBuf, message: String },
    #[error(
        "cannot read or write {} ({message}): see whether its disk is full or failing",
        path.display()
    )]
    Disk { path: PathBuf, message: String },
    #[error(
        "{} was removed, moved or replaced while this command worked with it: what was measured since then is not there; put \
         it back with its `-wal` file, or leave it away to begin anew, then run the same command again",
        path.display()
    )]
    Gone { path: PathBuf },
    #[error("{} stayed locked by another process for {waited_s} s: end that process, then try again", path.display())]
    Busy { path: PathBuf, waited_s: u64 },
    #[error(
        "{}: a stored value cannot be read: {message}; it was changed by hand or by another version",
        path.display()
    )]
    Value { path: PathBuf, message: String },
    #[error("{}: {error}", path.display())]
    Sql { path: PathBuf, error: rusqlite::Error },
    #[error("cannot lock {}: it is not a plain file: remove it", path.display())]
    NoLock { path: PathBuf },
    #[error(
        "cannot lock {}: {}; the runs folder needs a file system with locks (some network ones have none)",
        path.display(),
        crate::format::io(error)
    )]
    Lock { path: PathBuf, error: io::Error },
    #[error("run {key} is not registered: its plan has to be stored before its events")]
    NotRegistered { key: String },
    #[error("no run has the key or the name `{wanted}`{hint}; `taper list` shows them all")]
    UnknownRun { wanted: String, hint: String },
    #[error(
        "the experiment `{experiment}` has no runs: they were removed, or none was begun; run `taper run` with its spec"
    )]
    NoRuns { experiment: String },
    #[error("`{wanted}` means {count} runs; name one of them by its key:\n{candidates}")]
    AmbiguousRun { wanted: String, count: usize, candidates: String },
    #[error("no experiment is called `{wanted}`{hint}; `taper list` shows the runs of all")]
    UnknownExperiment { wanted: String, hint: String },
}

/// Seconds that a connection waits for another one's transaction.
pub(super) const BUSY_S: u64 = 30;

impl StoreError {
    /// Whether only writing may have failed: the folder is read-only, or its disk is full.
    pub fn is_about_writing(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::ReadOnly { .. } | Self::CannotOpen { .. } | Self::Disk { .. })
    }

    /// SQLite's error about the database at `path`, with what to do about it.
    pub(super) fn sql(path: &Path, error: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        let rusqlite::Error::SqliteFailure(failure, _) = &error else {
            return match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => Self::Value { path, message: error.to_string() },
                // Without the SQL statement, which does not help users.
                rusqlite::Error::SqlInputError { msg, .. } => Self::Changed { path, message: msg },
                _ => Self::Sql { path, error },
            };
        };
        let message = error.to_string();
        match failure.code {
            ErrorCode::NotADatabase => Self::NotADatabase { path },
            ErrorCode::DatabaseCorrupt => Self::Corrupt { path, message },
            ErrorCode::DiskFull => Self::Full { path },
            // There is no space for the index of the log.
            _ if failure.extended_code == rusqlite::ffi::SQLITE_IOERR_SHMSIZE => Self::Full { path },
            ErrorCode::ReadOnly | ErrorCode::PermissionDenied => Self::ReadOnly { path, message },
            ErrorCode::CannotOpen => Self::CannotOpen { path, message },
            ErrorCode::SystemIoFailure => Self::Disk { path, message },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Busy { path, waited_s: BUSY_S },
            ErrorCode::Unknown => Self::Changed { path, message },
            _ => Self::Sql { path, error },
        }
    }
}

/// `, did you mean …?` if one of `names` is similar to `wanted`.
pub(super) fn hint<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        // An identical name is no suggestion.
        .filter(|name| *name != wanted)
        .map(|name| (strsim::damerau_levenshtein(wanted, name), name))
        .filter(|(distance, name)| *distance <= wanted.chars().count().max(name.chars().count()) / 3)
        .min()
        .map(|(_, name)| format!(", did you mean `{name}`?"))
        .unwrap_or_default()
}
