//! Errors of the store, with messages for the user.

use std::{
    io,
    path::{Path, PathBuf},
};

use rusqlite::ErrorCode;

use super::RunRecord;
use crate::format::{command::with_runs as command, short};

/// An error of the store. Each message is complete; there is no chain of causes.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("nothing here yet: run `{}` first ({} does not exist)", command("taper run SPEC", folder_of(path)), path.display())]
    Missing { path: PathBuf },
    #[error("cannot read {}: {}; --runs DIR names another runs folder", path.display(), crate::format::io(error))]
    Unreadable { path: PathBuf, error: io::Error },
    #[error(
        "cannot create the folder {}: {}; --runs DIR names another runs folder",
        path.display(),
        crate::format::io(error)
    )]
    Folder { path: PathBuf, error: io::Error },
    #[error(
        "{} was written by a newer taper (its schema has version {found}, this taper knows versions up to {known}): \
         update taper, or choose another runs folder",
        path.display()
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error(
        "{} is not an SQLite database: restore it from a backup, or move it away (all runs then start over), or choose another runs \
         folder",
        path.display()
    )]
    NotADatabase { path: PathBuf },
    #[error("{} is a file; expected the runs folder (--runs, or TAPER_RUNS)", path.display())]
    NotAFolder { path: PathBuf },
    #[error(
        "{} is {what}, not taper's database: move it away (all runs then start over), or choose another runs folder",
        path.display()
    )]
    NotAFile { path: PathBuf, what: String },
    #[error(
        "{} is not taper's database: it is that of another program (with the tables {}), or it was damaged: restore taper's from a \
         backup, or move it away (all runs then start over), or choose another runs folder",
        path.display(),
        tables.join(", ")
    )]
    Foreign { path: PathBuf, tables: Vec<String> },
    #[error(
        "{} is damaged: the {} {} missing: restore it from a backup, or move it away to start over",
        path.display(),
        crate::format::by_number(tables.len() as u64, "table", "tables"),
        tables.join(", ") + crate::format::by_number(tables.len() as u64, " is", " are")
    )]
    Incomplete { path: PathBuf, tables: Vec<String> },
    #[error(
        "{} cannot be used ({message}): it was changed by hand, by another program or by another version of taper; restore it from a \
         backup, or move it away to start over",
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
        "{} is empty (0 bytes), but there {} of {}: it was truncated or replaced; restore it from a backup, or move \
         those folders elsewhere to start over",
        path.display(),
        crate::format::by_number(*runs as u64, "is the folder", "are the folders"),
        crate::format::counted(*runs as u64, "run")
    )]
    Emptied { path: PathBuf, runs: usize },
    #[error(
        "{} cannot be read in its folder, because the folder is not writable, and it cannot be copied to {} ({}); choose another \
         folder for the copy with TMPDIR=DIR",
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
        "cannot open {} ({message}): it must be a file in a writable folder, because SQLite keeps its log there; copy it to \
         such a folder, or choose another runs folder",
        path.display()
    )]
    CannotOpen { path: PathBuf, message: String },
    #[error(
        "cannot read or write {} ({message}): check whether its disk is full or failing",
        path.display()
    )]
    Disk { path: PathBuf, message: String },
    #[error(
        "{} was removed, moved or replaced while this command worked with it: results recorded since then are lost; \
         restore it together with its `-wal` file, then run the same command again (without them, all runs start \
         over)",
        path.display()
    )]
    Gone { path: PathBuf },
    #[error("{} stayed locked by another process for {waited_s} s: end that process, then try again", path.display())]
    Busy { path: PathBuf, waited_s: u64 },
    #[error(
        "{}: a stored value cannot be read: {message}; it was changed by hand or by another version of taper",
        path.display()
    )]
    Value { path: PathBuf, message: String },
    #[error("{}: {error}", path.display())]
    Sql { path: PathBuf, error: rusqlite::Error },
    #[error("cannot lock {}: it is not a plain file: remove it", path.display())]
    NoLock { path: PathBuf },
    #[error("cannot write {}: {}; --runs DIR names another runs folder", path.display(), crate::format::io(error))]
    Unwritable { path: PathBuf, error: io::Error },
    #[error(
        "cannot lock {}: {}; the runs folder needs a file system with locks (some network ones have none)",
        path.display(),
        crate::format::io(error)
    )]
    Lock { path: PathBuf, error: io::Error },
    #[error(
        "{} is on {system}, where only one command at a time can train, and {by} is training; wait until it ends (if it was killed, remove {})",
        runs.display(),
        path.display()
    )]
    Shared { runs: PathBuf, system: &'static str, by: String, path: PathBuf },
    #[error("run {key} is not registered: its plan has to be stored before its events")]
    NotRegistered { key: String },
    #[error("no run has the key or the name `{wanted}`{hint} (`{}` shows them all)", command("taper list", runs))]
    UnknownRun { wanted: String, hint: String, runs: PathBuf },
    #[error(
        "the experiment `{experiment}` has no runs: they were removed, or none was started; run `taper run` with its spec"
    )]
    NoRuns { experiment: String },
    #[error("`{wanted}` matches {} runs; give the key of one of them:\n{candidates}", keys.len())]
    AmbiguousRun { wanted: String, keys: Vec<String>, candidates: String },
    #[error("there is no experiment `{wanted}`{hint} (`{}` lists all experiments)", command("taper list", runs))]
    UnknownExperiment { wanted: String, hint: String, runs: PathBuf },
}

/// Seconds that a connection waits for another one's transaction.
pub(super) const BUSY_S: u64 = 30;

/// The most candidates listed if a text matches several runs.
pub(super) const CANDIDATES: usize = 10;

/// The runs folder of a database.
fn folder_of(database: &Path) -> &Path {
    database.parent().unwrap_or(Path::new(""))
}

impl StoreError {
    /// `wanted` fits the runs with these keys, of which `runs` are the first; the first few of them are listed.
    pub fn ambiguous(wanted: &str, keys: Vec<String>, runs: &[RunRecord]) -> Self {
        let runs = &runs[..runs.len().min(CANDIDATES)];
        // More digits of the keys than the text has, if it is how several begin.
        let shown = wanted.len() + 4;
        let key = |run: &RunRecord| run.key.get(..shown.max(8)).filter(|key| key.starts_with(wanted)).map(String::from);
        let shown_keys: Vec<String> =
            runs.iter().map(|run| key(run).unwrap_or_else(|| short(&run.key).into())).collect();
        // After the name, whatever its width: in columns, a terminal would break the longer lines only.
        // All of one experiment, as its name means them, have nothing to be told apart by.
        let one =
            runs.iter().all(|run| (&run.experiments, &run.experiment) == (&runs[0].experiments, &runs[0].experiment));
        let of = |run: &RunRecord| if one { String::new() } else { belongs_to(run) };
        let mut lines: Vec<String> =
            shown_keys.iter().zip(runs).map(|(key, run)| format!("  {key}  {}{}", run.name, of(run))).collect();
        if keys.len() > runs.len() {
            lines.push(format!("  … and {} more", keys.len() - runs.len()));
        }
        Self::AmbiguousRun { wanted: wanted.into(), keys, candidates: lines.join("\n") }
    }

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

/// What tells a run from others of its name: ` (experiments a, b)`.
fn belongs_to(run: &RunRecord) -> String {
    match (&run.experiments[..], &run.experiment) {
        ([], None) => String::new(),
        ([], Some(earlier)) => format!(" (experiment {earlier}, not in its current plan)"),
        ([one], _) => format!(" (experiment {one})"),
        (several, _) => format!(" (experiments {})", several.join(", ")),
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
