//! Connections to a database file.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, config::DbConfig};

/// Opens the file. Cached statements stay as they were compiled: by default SQLite compiles one with a comparison anew each time that it is
/// taken from the cache, in case other parameters would need another query plan.
pub(super) fn connection(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(path, flags)?;
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(conn)
}
