//! The schema of the database: its versions, its tables, and migrations.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;

/// The schema's history: `user_version` is the number of applied migrations. Append only.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/001.sql"),
    include_str!("migrations/002.sql"),
    include_str!("migrations/003.sql"),
    include_str!("migrations/004.sql"),
    include_str!("migrations/005.sql"),
    include_str!("migrations/006.sql"),
    include_str!("migrations/007.sql"),
    include_str!("migrations/008.sql"),
    include_str!("migrations/009.sql"),
    include_str!("migrations/010.sql"),
    include_str!("migrations/011.sql"),
    include_str!("migrations/012.sql"),
    include_str!("migrations/013.sql"),
    include_str!("migrations/014.sql"),
    include_str!("migrations/015.sql"),
    include_str!("migrations/016.sql"),
    include_str!("migrations/017.sql"),
    include_str!("migrations/018.sql"),
    include_str!("migrations/019.sql"),
    include_str!("migrations/020.sql"),
    include_str!("migrations/021.sql"),
    include_str!("migrations/022.sql"),
];

/// The number of applied migrations.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// All tables of taper's database.
pub(super) const TABLES: [&str; 18] = [
    "audits",
    "evals",
    "experiment_runs",
    "experiments",
    "kept_files",
    "metrics",
    "notes",
    "plans",
    "predictions",
    "predictions_before",
    "probes",
    "proposals",
    "runs",
    "settings",
    "steps",
    "submission_elements",
    "submissions",
    "warnings",
];

/// Names of the existing tables.
pub(super) fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names =
        conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1")?;
    let names = names.query_map([], |row| row.get(0))?;
    names.collect()
}

/// Refuses a database that cannot be migrated because it is of a newer version or of another program. Returns the version.
pub(super) fn check_version(conn: &Connection, path: &Path) -> Result<i64, StoreError> {
    let sql = |error| StoreError::sql(path, error);
    // Both are read in one transaction: another process may be creating the tables.
    let moment = conn.unchecked_transaction().map_err(sql)?;
    let (found, known) = (version(&moment).map_err(sql)?, MIGRATIONS.len() as i64);
    if found > known {
        return Err(StoreError::Newer { path: path.into(), found, known });
    }
    // A version counts migrations; each is applied together with its number or not at all.
    let tables = if found > 0 { Vec::new() } else { tables(&moment).map_err(sql)? };
    match found < 0 || !tables.is_empty() {
        true => Err(StoreError::Foreign { path: path.into(), tables }),
        false => Ok(found),
    }
}

/// Refuses a database that is up to date but lacks a table.
pub(super) fn check_tables(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = tables(conn).map_err(|error| StoreError::sql(path, error))?;
    let missing = TABLES.iter().filter(|table| found.iter().all(|name| name != *table));
    let tables: Vec<String> = missing.map(|table| table.to_string()).collect();
    match tables.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Incomplete { path: path.into(), tables }),
    }
}

/// Applies the missing `migrations`, each in its own transaction.
pub(super) fn migrate(conn: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    while (version(conn)? as usize) < migrations.len() {
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again under the lock: another process may have been faster.
        let done = version(&transaction)? as usize;
        if let Some(migration) = migrations.get(done) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", done as i64 + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
