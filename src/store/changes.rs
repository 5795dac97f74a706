//! Whether the database has changed.

use super::{Store, StoreError};

impl Store {
    /// A number that differs from the last one if another connection has changed the database since. What this store writes itself does
    /// not count.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn changes(&self) -> Result<i64, StoreError> {
        let version = self.conn.query_row("PRAGMA data_version", [], |row| row.get(0));
        version.map_err(|error| StoreError::sql(&self.path, error))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn changes_of_others_are_seen_and_reading_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Store::open(folder.path()).unwrap();
        let reader = Store::open_existing(folder.path()).unwrap();
        let before = reader.changes().unwrap();
        reader.experiments().unwrap();
        writer.runs().unwrap();
        assert_eq!(reader.changes().unwrap(), before);
        writer.save_experiment(&testing::experiment("e", &[])).unwrap();
        assert_ne!(reader.changes().unwrap(), before);
    }
}
