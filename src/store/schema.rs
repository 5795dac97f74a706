//! The schema of the database: its versions, its tables, and how an older one is brought up to date.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::StoreError;

/// The schema's history: `user_version` counts how many of these a database has been through. Append only.
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
];

/// How many migrations a database has been through.
pub(super) fn version(conn: &Connection) -> rusqlite::Result<i64> {
    conn.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Every table that taper's database has.
pub(super) const TABLES: [&str; 13] = [
    "evals",
    "experiment_runs",
    "experiments",
    "kept_files",
    "metrics",
    "notes",
    "plans",
    "predictions",
    "probes",
    "proposals",
    "runs",
    "steps",
    "warnings",
];

/// Names of the tables that there are.
pub(super) fn tables(conn: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut names =
        conn.prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1")?;
    let names = names.query_map([], |row| row.get(0))?;
    names.collect()
}

/// Refuses a database that this taper cannot bring up to date: of a newer one, or of another program. Tells the version.
pub(super) fn check_version(conn: &Connection, path: &Path) -> Result<i64, StoreError> {
    let sql = |error| StoreError::sql(path, error);
    // Both at one moment: another process may be creating the tables.
    let moment = conn.unchecked_transaction().map_err(sql)?;
    let (found, known) = (version(&moment).map_err(sql)?, MIGRATIONS.len() as i64);
    if found > known {
        return Err(StoreError::Newer { path: path.into(), found, known });
    }
    // A version counts migrations, each of which is applied with its number or not at all.
    let tables = if found > 0 { Vec::new() } else { tables(&moment).map_err(sql)? };
    match found < 0 || !tables.is_empty() {
        true => Err(StoreError::Foreign { path: path.into(), tables }),
        false => Ok(found),
    }
}

/// Refuses a database that lacks a table, though it is up to date.
pub(super) fn check_tables(conn: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = tables(conn).map_err(|error| StoreError::sql(path, error))?;
    let missing = TABLES.iter().filter(|table| found.iter().all(|name| name != *table));
    let tables: Vec<String> = missing.map(|table| table.to_string()).collect();
    match tables.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Incomplete { path: path.into(), tables }),
    }
}

/// Applies what is missing of `migrations`, each in a transaction of its own.
pub(super) fn migrate(conn: &mut Connection, migrations: &[&str]) -> rusqlite::Result<()> {
    while (version(conn)? as usize) < migrations.len() {
        let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Read again under the lock: another process may have been quicker.
        let done = version(&transaction)? as usize;
        if let Some(migration) = migrations.get(done) {
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", done as i64 + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}
