//! Opens a database for reading if it cannot be written: another user's folder, a read-only or a full disk.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU64, Ordering},
};

use rusqlite::{Connection, OpenFlags};

use super::{
    StoreError,
    connection::connection,
    schema::{MIGRATIONS, check_tables, check_version, migrate},
};

/// How a read-only database was opened.
#[derive(Debug)]
pub(super) enum Fallback {
    /// The file itself.
    Immutable,
    /// A copy, which is removed with this value.
    Copy {
        /// Held until the store is dropped.
        _held: Copy,
    },
}

/// Opens the database at `path` without writing anything beside it.
///
/// SQLite keeps an index beside a database with a write-ahead log, even for readers. Without a log (the last process closed the
/// database properly) the file alone is complete and is read directly. With a log, or with an older schema, a copy in the temporary folder
/// is opened and migrated.
pub(super) fn open(path: &Path) -> Result<(Connection, Fallback), StoreError> {
    let sql = |error| StoreError::sql(path, error);
    if !has_log(path) {
        let conn = immutable(path).map_err(sql)?;
        if check_version(&conn, path)? == MIGRATIONS.len() as i64 {
            check_tables(&conn, path)?;
            return Ok((conn, Fallback::Immutable));
        }
    }
    let copy =
        Copy::of(path).map_err(|error| StoreError::Copy { path: path.into(), folder: env::temp_dir(), error })?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut conn = connection(&copy.0.join(NAME), flags).map_err(sql)?;
    check_version(&conn, path)?;
    migrate(&mut conn, MIGRATIONS).map_err(sql)?;
    check_tables(&conn, path)?;
    Ok((conn, Fallback::Copy { _held: copy }))
}

fn immutable(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = connection(&uri(path), flags)?;
    // Temporary data that does not fit into memory cannot be stored elsewhere.
    conn.pragma_update(None, "temp_store", "memory")?;
    Ok(conn)
}

/// `file:` and the path, with special characters of URIs percent-encoded.
fn uri(path: &Path) -> PathBuf {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte => uri += &format!("%{byte:02x}"),
        }
    }
    (uri + "?immutable=1").into()
}

/// Whether a log beside the database has transactions that are not in it yet.
fn has_log(path: &Path) -> bool {
    log_of(path).metadata().is_ok_and(|facts| facts.len() > 0)
}

fn log_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// Name of the database in a copy's folder.
const NAME: &str = "taper.db";

/// A folder with a copy of a database and its log.
#[derive(Debug)]
pub(super) struct Copy(PathBuf);

impl Copy {
    fn of(path: &Path) -> io::Result<Self> {
        static COPIES: AtomicU64 = AtomicU64::new(0);
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("taper-{}-{number}", process::id()));
        let mut builder = fs::DirBuilder::new();
        // Only the owner may read the copy, as other users may not be allowed to read the runs folder.
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&folder)?;
        let copy = Self(folder);
        let files = [(path.to_path_buf(), NAME.to_string()), (log_of(path), format!("{NAME}-wal"))];
        for (from, name) in files.iter().filter(|(from, _)| from.exists()) {
            // Not `fs::copy`, which would keep a file read-only.
            io::copy(&mut crate::regular::open(from)?, &mut fs::File::create(copy.0.join(name))?)?;
        }
        Ok(copy)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::{super::schema::version, *};
    use crate::store::{
        Store,
        testing::{insert_run, older, register, step},
    };

    fn facts(folder: &Path) -> Vec<(String, u64)> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        let mut facts: Vec<_> =
            entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.metadata().unwrap().len())).collect();
        facts.sort();
        facts
    }

    #[test]
    fn a_database_is_read_without_writing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("a?b#c%20 好/runs");
        let mut store = Store::open(&runs).unwrap();
        register(&mut store, "k", "n");
        store.append("k", &[step(1, 0.5)]).unwrap();
        drop(store);
        let before = facts(&runs);
        let (conn, how) = open(&runs.join("taper.db")).unwrap();
        assert!(matches!(how, Fallback::Immutable), "{how:?}");
        assert_eq!(conn.query_row("SELECT count(*) FROM steps", [], |row| row.get::<_, i64>(0)).unwrap(), 1);
        assert_eq!(facts(&runs), before);
    }

    #[test]
    fn transactions_in_the_log_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        register(&mut store, "k", "n");
        store.append("k", &[step(1, 0.5), step(2, 0.25)]).unwrap();
        // Another process has it open.
        let (conn, how) = open(&folder.path().join("taper.db")).unwrap();
        let Fallback::Copy { _held: copy } = how else { panic!("the log was passed over") };
        assert_eq!(conn.query_row("SELECT count(*) FROM steps", [], |row| row.get::<_, i64>(0)).unwrap(), 2);
        let folder_of_copy = copy.0.clone();
        assert!(folder_of_copy.is_dir());
        drop((conn, copy));
        assert!(!folder_of_copy.exists());
    }

    #[test]
    fn an_older_schema_is_brought_up_to_date_in_a_copy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("taper.db");
        let old = older(folder.path(), 1);
        insert_run(&old, "k", "pending");
        drop(old);
        let bytes = fs::read(&path).unwrap();
        let (conn, how) = open(&path).unwrap();
        assert!(matches!(how, Fallback::Copy { .. }));
        assert_eq!(version(&conn).unwrap(), MIGRATIONS.len() as i64);
        assert!(fs::read(&path).unwrap() == bytes);
        fs::write(&path, "no database".repeat(100)).unwrap();
        assert!(matches!(open(&path).unwrap_err(), StoreError::NotADatabase { .. }));
    }
}
