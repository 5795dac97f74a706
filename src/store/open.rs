//! Opens the database: its folder, schema and settings.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::{
    Store,
    connection::connection,
    error::{BUSY_S, StoreError},
    fallback,
    folders::folders_of_runs,
    network::journal,
    schema::{MIGRATIONS, check_tables, check_version, migrate},
};

/// File name of the database in the runs folder.
const FILE: &str = "taper.db";

impl Store {
    /// Opens the database of the folder `runs`; creates both if they do not exist, and migrates an older schema.
    pub fn open(runs: &Path) -> Result<Self, StoreError> {
        refuse_file(runs)?;
        fs::create_dir_all(runs).map_err(|error| StoreError::Folder { path: runs.into(), error })?;
        refuse_emptied(runs)?;
        let path = runs.join(FILE);
        match Self::connect(path.clone(), OpenFlags::SQLITE_OPEN_CREATE, journal(runs)) {
            Err(StoreError::CannotOpen { .. }) if !path.exists() => {
                Err(StoreError::Unwritable { path: runs.into(), error: io::ErrorKind::PermissionDenied.into() })
            }
            opened => opened,
        }
    }

    /// Whether the folder `runs` has a database, or something else at its path that opening would report.
    pub fn is_there(runs: &Path) -> bool {
        runs.is_file() || !runs.join(FILE).symlink_metadata().is_err_and(|error| is_missing(&error))
    }

    /// Opens the database of the folder `runs` for a command that only reads, or reads before it writes; creates nothing. If the folder is
    /// not writable (read-only, full disk), neither is the [store](Store::is_read_only).
    pub fn open_existing(runs: &Path) -> Result<Self, StoreError> {
        refuse_file(runs)?;
        let path = runs.join(FILE);
        // A pipe would be waited for.
        let opened = || if path.metadata()?.is_file() { fs::File::open(&path).map(drop) } else { Ok(()) };
        match opened() {
            Err(error) if is_missing(&error) => return Err(StoreError::Missing { path }),
            // The folder may be what cannot be looked into.
            Err(error) => {
                let path = if fs::read_dir(runs).is_err() { runs.into() } else { path };
                return Err(StoreError::Unreadable { path, error });
            }
            Ok(()) => {}
        }
        refuse_emptied(runs)?;
        match Self::connect(path.clone(), OpenFlags::empty(), journal(runs)) {
            Err(e) if e.is_about_writing() => match fallback::open(&path) {
                Ok((conn, how)) => Ok(Self { opened: Opened::of(&path), conn, path, fallback: Some(how) }),
                Err(StoreError::Copy { .. }) if matches!(e, StoreError::Full { .. }) => Err(e),
                Err(other) => Err(other),
            },
            result => result,
        }
    }

    /// Whether it was opened for reading because it could not be written.
    pub fn is_read_only(&self) -> bool {
        self.fallback.is_some()
    }

    /// Reopens it for writing, if it could not be written before: a full disk has space again after files were removed.
    pub fn make_writable(&mut self) -> Result<(), StoreError> {
        if self.is_read_only() {
            *self = Self::connect(self.path.clone(), OpenFlags::empty(), journal(self.folder()))?;
        }
        Ok(())
    }

    fn connect(path: PathBuf, extra: OpenFlags, journal: &str) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | extra;
        let sql = |error| StoreError::sql(&path, error);
        // Opening a pipe would block.
        if let Ok(facts) = path.metadata()
            && !facts.is_file()
        {
            let what = if facts.is_dir() { "a folder" } else { "a pipe or a device" };
            return Err(StoreError::NotAFile { path, what: what.into() });
        }
        let mut conn = connection(&path, flags).map_err(sql)?;
        conn.busy_timeout(Duration::from_secs(BUSY_S)).map_err(sql)?;
        check_version(&conn, &path)?;
        set_journal(&conn, journal).map_err(sql)?;
        // A migration that rebuilds a table drops the old one, which must not cascade to its children.
        conn.pragma_update(None, "foreign_keys", false).map_err(sql)?;
        migrate(&mut conn, MIGRATIONS).map_err(sql)?;
        check_tables(&conn, &path)?;
        conn.pragma_update(None, "foreign_keys", true).map_err(sql)?;
        // FULL, not NORMAL: with WAL neither is corrupted by a power failure, but NORMAL may lose the last transactions, and then a
        // checkpoint would be ahead of the stored steps. The cost is one fsync per transaction.
        // A rollback journal is removed to commit, and only EXTRA also writes that removal to the disk.
        let synchronous = if journal == "wal" { "full" } else { "extra" };
        conn.pragma_update(None, "synchronous", synchronous).map_err(sql)?;
        let opened = Opened::of(&path);
        Ok(Self { conn, path, opened, fallback: None })
    }

    /// Checks that the database is still the file that was opened, with its current write-ahead log.
    ///
    /// SQLite continues with files that were removed, moved or replaced as if nothing had happened; what it then writes is lost.
    ///
    /// # Errors
    /// [`StoreError::Gone`] if it is not.
    pub fn check_is_there(&self) -> Result<(), StoreError> {
        match self.opened.is_there(&self.path) {
            true => Ok(()),
            false => Err(StoreError::Gone { path: self.path.clone() }),
        }
    }

    /// Runs `f` in a transaction that takes the write lock at its start: it may wait for it, but never fails halfway for lack of it.
    pub(super) fn write<T>(
        &mut self,
        f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        if self.is_read_only() {
            let message = "nothing can be written in its folder".into();
            return Err(StoreError::ReadOnly { path: self.path.clone(), message });
        }
        self.check_is_there()?;
        let in_transaction = || {
            let transaction = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = f(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let result = in_transaction();
        let value = result.map_err(|error| StoreError::sql(&self.path, error))?;
        self.opened.note_log(&self.path);
        // Checked again afterwards, since callers rely on what is stored.
        self.check_is_there()?;
        Ok(value)
    }

    /// Runs `f`, which only reads, on a consistent snapshot of the database.
    pub(super) fn read<T>(&self, f: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        let in_transaction = || f(&self.conn.unchecked_transaction()?);
        in_transaction().map_err(|error| StoreError::sql(&self.path, error))
    }
}

/// Whether nothing has this path. In a folder without read permission that is not known.
fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Refuses an empty database file beside run folders: it was truncated or replaced, and treating it as a new one would orphan those
/// folders.
fn refuse_emptied(runs: &Path) -> Result<(), StoreError> {
    let path = runs.join(FILE);
    if !path.metadata().is_ok_and(|facts| facts.is_file() && facts.len() == 0) || log_has_bytes(&path) {
        return Ok(());
    }
    match folders_of_runs(runs) {
        0 => Ok(()),
        runs => Err(StoreError::Emptied { path, runs }),
    }
}

/// Whether the first transactions of a new database are only in its write-ahead log.
fn log_has_bytes(path: &Path) -> bool {
    log_of(path).metadata().is_ok_and(|facts| facts.len() > 0)
}

/// The files that a connection uses.
#[derive(Debug)]
pub(super) struct Opened {
    database: Option<FileId>,
    /// The write-ahead log: it exists from the first write until the last connection is closed, if the file system supports it.
    log: Option<FileId>,
}

/// Identifies a file, even if another gets its name.
type FileId = (u64, u64);

impl Opened {
    fn of(path: &Path) -> Self {
        Self { database: id(path), log: id(&log_of(path)) }
    }

    /// Remembers the log, once it exists.
    fn note_log(&mut self, path: &Path) {
        self.log = self.log.or_else(|| id(&log_of(path)));
    }

    fn is_there(&self, path: &Path) -> bool {
        self.database == id(path) && self.log.is_none_or(|log| id(&log_of(path)) == Some(log))
    }
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

#[cfg(unix)]
fn id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    path.metadata().ok().map(|facts| (facts.dev(), facts.ino()))
}

/// On systems without file ids, an open file can be neither removed nor replaced.
#[cfg(not(unix))]
fn id(_: &Path) -> Option<FileId> {
    None
}

/// Refuses a file in place of the runs folder.
fn refuse_file(runs: &Path) -> Result<(), StoreError> {
    match runs.metadata() {
        Ok(facts) if !facts.is_dir() => Err(StoreError::NotAFolder { path: runs.into() }),
        _ => Ok(()),
    }
}

/// Sets the journal. The setting is stored in the file.
///
/// Changing it needs exclusive access and ignores the busy timeout, so processes that open a new database at the same time take turns
/// here.
fn set_journal(conn: &Connection, journal: &str) -> rusqlite::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(BUSY_S);
    loop {
        let mode: String = conn.pragma_query_value(None, "journal_mode", |row| row.get(0))?;
        if mode == journal {
            return Ok(());
        }
        match conn.pragma_update_and_check(None, "journal_mode", journal, |_| Ok(())) {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(10));
            }
            // File systems that cannot share memory keep the rollback journal: slower, but as safe.
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        schema::{TABLES, tables, version},
        testing::register,
    };

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    /// SQLite compiles a cached statement with a comparison anew by default, which took most of the time of listing runs.
    #[test]
    fn cached_statements_are_compiled_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        for key in ["a", "b", "c"] {
            let mut statement =
                store.conn.prepare_cached("SELECT name FROM runs WHERE key = ?1 AND name <> ?1").unwrap();
            assert!(!statement.exists([key]).unwrap());
            assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0, "{key}");
        }
    }

    #[test]
    fn settings_are_as_documented() {
        let folder = folder();
        let store = Store::open(&folder.path().join("a/b")).unwrap();
        let pragma = |name| store.conn.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(pragma("foreign_keys"), 1);
        assert_eq!(pragma("synchronous"), 2, "FULL");
        assert_eq!(pragma("user_version"), MIGRATIONS.len() as i64);
        assert_eq!(pragma("busy_timeout"), 30_000);
        let mode: String = store.conn.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }

    /// SQLite keeps the setting in bytes 18 and 19 of the file: 2 with a write-ahead log, 1 without.
    #[test]
    fn a_folder_that_machines_share_has_no_log() {
        let folder = folder();
        let path = folder.path().join(FILE);
        let mut number = 0;
        let mut kept = |journal: &str| {
            let mut store = Store::connect(path.clone(), OpenFlags::SQLITE_OPEN_CREATE, journal).expect("a database");
            number += 1;
            register(&mut store, &number.to_string(), "n");
            let (bytes, runs) = (fs::read(&path).expect("its file"), store.runs().expect("runs").len());
            let synchronous = store.conn.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0));
            (bytes[18], log_of(&path).exists(), runs, synchronous.expect("a setting"))
        };
        assert_eq!(["delete", "wal", "delete"].map(&mut kept), [(1, false, 1, 3), (2, true, 2, 2), (1, false, 3, 3)]);
    }

    #[test]
    fn each_migration_is_applied_once_and_whole() {
        let mut conn = Connection::open_in_memory().unwrap();
        let mut steps = vec!["CREATE TABLE t (a); INSERT INTO t VALUES (1);"];
        migrate(&mut conn, &steps).unwrap();
        migrate(&mut conn, &steps).unwrap();
        steps.push("ALTER TABLE t ADD COLUMN b DEFAULT 7;");
        steps.push("INSERT INTO t VALUES (2, 8); INSERT INTO nowhere VALUES (1);");
        assert!(migrate(&mut conn, &steps).is_err());
        // The second was kept, the third was rolled back.
        assert_eq!(version(&conn).unwrap(), 2);
        let rows = |conn: &Connection| {
            let mut rows = conn.prepare("SELECT a, b FROM t").unwrap();
            let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect::<Vec<(i64, i64)>>()
        };
        assert_eq!(rows(&conn), [(1, 7)]);
        steps[2] = "INSERT INTO t VALUES (2, 8);";
        migrate(&mut conn, &steps).unwrap();
        assert_eq!((version(&conn).unwrap(), rows(&conn)), (3, vec![(1, 7), (2, 8)]));
    }

    #[test]
    fn a_newer_database_is_left_alone() {
        let folder = folder();
        drop(Store::open(folder.path()).unwrap());
        let newer = Connection::open(folder.path().join(FILE)).unwrap();
        newer.pragma_update(None, "user_version", 99).unwrap();
        let error = Store::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("taper.db was written by a newer taper (its schema has version 99"), "{error}");
        assert_eq!(version(&newer).unwrap(), 99);
    }

    #[test]
    fn reading_creates_nothing() {
        let folder = folder();
        let runs = folder.path().join("runs");
        let error = Store::open_existing(&runs).unwrap_err().to_string();
        assert!(error.starts_with("nothing here yet: run `taper run SPEC --runs "), "{error}");
        assert!(!runs.exists());
    }

    #[test]
    fn an_empty_database_is_new_only_without_run_folders() {
        let folder = folder();
        let runs = folder.path();
        fs::write(runs.join(FILE), "").unwrap();
        drop(Store::open_existing(runs).unwrap());
        for name in ["0123456789ab", "reports", "202411261200"] {
            fs::create_dir(runs.join(name)).unwrap();
        }
        fs::write(runs.join(FILE), "").unwrap();
        drop(Store::open(runs).unwrap());
        fs::write(runs.join("0123456789ab/run.toml"), "").unwrap();
        drop(Store::open(runs).unwrap());
        fs::write(runs.join(FILE), "").unwrap();
        for opened in [Store::open(runs), Store::open_existing(runs)] {
            let error = opened.unwrap_err().to_string();
            assert!(error.contains("taper.db is empty (0 bytes), but there is the folder of 1 run"), "{error}");
        }
    }

    #[test]
    fn what_is_not_a_database_is_named() {
        let folder = folder();
        let runs = folder.path();
        fs::write(runs.join(FILE), "label,review\n".repeat(100)).unwrap();
        let error = Store::open(runs).unwrap_err().to_string();
        assert!(error.contains("taper.db is not an SQLite database"), "{error}");

        fs::remove_file(runs.join(FILE)).unwrap();
        fs::create_dir(runs.join(FILE)).unwrap();
        let error = Store::open(runs).unwrap_err().to_string();
        assert!(error.contains("taper.db is a folder, not taper's database"), "{error}");
        let error = Store::open_existing(runs).unwrap_err().to_string();
        assert!(error.contains("taper.db is a folder, not taper's database"), "{error}");

        let file = runs.join("in the way");
        fs::write(&file, "").unwrap();
        for opened in [Store::open(&file), Store::open_existing(&file)] {
            let error = opened.unwrap_err().to_string();
            assert!(error.contains("in the way is a file; expected the runs folder"), "{error}");
        }
        let error = Store::open(&file.join("runs")).unwrap_err().to_string();
        assert!(error.starts_with("cannot create the folder") && !error.contains("os error"), "{error}");
    }

    #[test]
    fn foreign_and_damaged_databases_are_reported_without_sql() {
        type Change = (&'static str, &'static str);
        let foreign: [Change; 3] = [
            ("CREATE TABLE songs (a); CREATE TABLE albums (b);", "another program (with the tables albums, songs)"),
            ("CREATE TABLE runs (id);", "another program (with the tables runs)"),
            ("PRAGMA user_version = -3;", "not taper's database"),
        ];
        for (change, said) in foreign {
            let folder = folder();
            let other = Connection::open(folder.path().join(FILE)).unwrap();
            other.execute_batch(change).unwrap();
            for opened in [Store::open(folder.path()), Store::open_existing(folder.path())] {
                let error = opened.unwrap_err();
                assert!(matches!(error, StoreError::Foreign { .. }) && error.to_string().contains(said), "{error}");
            }
            let mode: String = other.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
            assert_eq!(mode, "delete", "a database of another program is left as it is");
        }
        let damaged: [Change; 4] = [
            ("DROP TABLE evals;", "is damaged: the table evals is missing"),
            ("DROP TABLE evals; DROP TABLE steps;", "is damaged: the tables evals, steps are missing"),
            ("PRAGMA user_version = 0;", "with the tables audits, evals, experiment_runs"),
            ("PRAGMA user_version = 1;", "cannot be used ("),
        ];
        for (change, said) in damaged {
            let folder = folder();
            drop(Store::open(folder.path()).unwrap());
            Connection::open(folder.path().join(FILE)).unwrap().execute_batch(change).unwrap();
            let error = Store::open_existing(folder.path()).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("from a backup"), "{error}");
            assert!(!error.contains("CREATE") && !error.contains('\n'), "{error}");
        }
        let folder = folder();
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(tables(&store.conn).unwrap(), TABLES);
        store.conn.execute_batch("ALTER TABLE notes RENAME COLUMN message TO text;").unwrap();
        let error = store.notes("k").unwrap_err().to_string();
        assert!(error.contains("taper.db cannot be used (no such column"), "{error}");
        assert!(!error.contains("SELECT") && error.contains("restore it from a backup"), "{error}");
    }

    /// Writes to a file without a name are lost.
    #[cfg(unix)]
    #[test]
    fn a_removed_database_is_not_written_to() {
        let changes: [fn(&Path); 4] = [
            |file| fs::remove_file(file).unwrap(),
            |file| fs::rename(file, file.with_extension("old")).unwrap(),
            |file| {
                fs::copy(file, file.with_extension("new")).unwrap();
                fs::rename(file.with_extension("new"), file).unwrap();
            },
            |file| fs::remove_file(file.with_extension("db-wal")).unwrap(),
        ];
        for change in changes {
            let folder = folder();
            let mut store = Store::open(folder.path()).unwrap();
            register(&mut store, "k", "n");
            store.check_is_there().unwrap();
            change(&folder.path().join(FILE));
            let error = store.remove_runs(&["k".into()]).unwrap_err().to_string();
            assert!(error.contains("taper.db was removed, moved or replaced"), "{error}");
            assert!(matches!(store.check_is_there(), Err(StoreError::Gone { .. })));
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_a_database() {
        let folder = folder();
        assert!(std::process::Command::new("mkfifo").arg(folder.path().join(FILE)).status().unwrap().success());
        let error = Store::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("taper.db is a pipe or a device"), "{error}");
    }

    #[test]
    fn damage_is_reported() {
        let folder = folder();
        let path = folder.path().join(FILE);
        let mut store = Store::open(folder.path()).unwrap();
        register(&mut store, "k", "n");
        drop(store);
        let mut bytes = fs::read(&path).unwrap();
        let page = 4096;
        bytes[page..].fill(0xa5);
        fs::write(&path, bytes).unwrap();
        let error = Store::open(folder.path()).and_then(|store| store.runs()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("taper.db is damaged") && error.to_string().contains(".recover"), "{error}");
    }

    #[test]
    fn many_processes_can_open_a_new_database_at_once() {
        let folder = folder();
        thread::scope(|scope| {
            let opened: Vec<_> = (0..8).map(|_| scope.spawn(|| Store::open(folder.path()).map(drop))).collect();
            opened.into_iter().for_each(|handle| handle.join().unwrap().unwrap());
        });
    }
}
