//! What was found in the data of a run: stored once for all runs that have the same rows in the same splits.

use std::collections::HashSet;

use rusqlite::{Transaction, params};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Store, StoreError, columns::Json, read::all};
use crate::event::Split;

/// What was found in the data of a run before it was trained. Label ids are those of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DataAudit {
    /// What was read: first `data.source`, then what single splits have to themselves.
    pub sources: Vec<AuditedSource>,
    /// Rows of `data.source` that are used; less than were read and not dropped if `data.limit` is set.
    pub rows: u64,
    /// Among them, texts (with pairs: both texts) that occur again, without their first occurrence.
    pub repeats: u64,
    /// Among them, texts that occur with different labels.
    pub contradictions: u64,
    /// The rows with such a text.
    pub contradicting: FoundRows,
    /// Each split that has rows.
    pub splits: Vec<AuditedSplit>,
    /// Rows of each fold, if the test split is one of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<u64>,
    /// Pairs of splits that have texts in common.
    pub leaks: Vec<AuditedLeak>,
}

/// Files that were read together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditedSource {
    /// The split that has them to itself; `None` for `data.source`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Each file.
    pub files: Vec<AuditedFile>,
    /// How they were read, where that is not what their names say: `decompressed from gzip`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read_as: Vec<String>,
    /// Their rows.
    pub read: u64,
    /// Dropped: rows without a text.
    pub without_text: FoundRows,
    /// Dropped: rows with a text but without the second one, where the model reads two.
    pub without_pair: FoundRows,
    /// Dropped: rows with texts but without a label.
    pub without_label: FoundRows,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditedFile {
    /// Its name, without its folder.
    pub name: String,
    /// SHA-256 of its bytes, in hex.
    pub sha256: String,
}

/// Rows with something in common.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FoundRows {
    /// How many there are.
    pub rows: u64,
    /// Lines of the first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u64>,
}

/// A split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditedSplit {
    /// Which one.
    pub split: Split,
    /// Its rows.
    pub rows: u64,
    /// How many of them have each label, by label id.
    pub rows_of_label: Vec<u64>,
    /// How many groups of `data.group_column` they are of; `None` without the key, and for a file without groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<u64>,
    /// Rows without any label, where a row may have several. Of earlier versions, and where there are none, it is not stored.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub without_labels: u64,
    /// The numbers of each column, where rows have numbers. Empty in records of earlier versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<AuditedNumbers>,
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The numbers of a column.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AuditedNumbers {
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation (n − 1); 0 of a single one.
    pub sd: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

/// Rows of one split whose texts are also in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditedLeak {
    /// The split of the rows.
    pub rows_of: Split,
    /// The split that has their texts too.
    pub also_in: Split,
    /// Rows with exactly the same text.
    pub exact: u64,
    /// Rows with the same text apart from case and white space; includes those with exactly the same.
    pub alike: u64,
}

impl Store {
    /// What was found in the data of a run; `None` in records of earlier versions.
    pub fn audit(&self, key: &str) -> Result<Option<DataAudit>, StoreError> {
        let sql = "SELECT a.audit FROM runs r JOIN audits a ON a.id = r.audit WHERE r.key = ?1";
        let found = self.read(|tx| all(tx, sql, [key], |row| row.get::<_, Json<DataAudit>>(0)))?;
        Ok(found.into_iter().next().map(|json| json.0))
    }

    /// Keys of the runs of which it is stored what was found in their data.
    pub fn audited(&self) -> Result<HashSet<String>, StoreError> {
        let sql = "SELECT key FROM runs WHERE audit IS NOT NULL";
        Ok(self.read(|tx| all(tx, sql, [], |row| row.get(0)))?.into_iter().collect())
    }
}

/// Stores an audit and returns its id.
pub(super) fn save(tx: &Transaction<'_>, audit: &DataAudit) -> rusqlite::Result<String> {
    let text = serde_json::to_string(audit).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    let id: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    tx.prepare_cached("INSERT OR IGNORE INTO audits (id, audit) VALUES (?1, ?2)")?.execute(params![id, text])?;
    Ok(id)
}

/// Removes the audits of which no run is left.
pub(super) fn tidy(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    let sql = "DELETE FROM audits WHERE id NOT IN (SELECT audit FROM runs WHERE audit IS NOT NULL)";
    tx.execute(sql, []).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{
        NewRun,
        testing::{self, insert_run, older},
    };

    fn audit(repeats: u64) -> DataAudit {
        let (split, rows_of_label) = (Split::Test, vec![3, 1]);
        DataAudit {
            repeats,
            splits: vec![AuditedSplit {
                split,
                rows: 4,
                rows_of_label,
                groups: Some(2),
                without_labels: 0,
                numbers: Vec::new(),
            }],
            ..DataAudit::default()
        }
    }

    fn register(store: &mut Store, key: &str, audit: Option<&DataAudit>) {
        let config = testing::config();
        let run = NewRun { key, name: key, experiment: "e", config: &config, labels: &[], total_steps: 1, audit };
        store.register(&run).unwrap();
    }

    #[test]
    fn equal_audits_are_stored_once_and_go_with_their_last_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        for (key, of) in [("a", 1), ("b", 1), ("c", 2)] {
            register(&mut store, key, Some(&audit(of)));
        }
        let stored = |store: &Store| store.conn.query_row("SELECT count(*) FROM audits", [], |row| row.get(0)).unwrap();
        assert_eq!((stored(&store), store.audit("b").unwrap()), (2i64, Some(audit(1))));
        store.remove_runs(&["a".into(), "c".into()]).unwrap();
        assert_eq!((stored(&store), store.audit("b").unwrap(), store.audit("a").unwrap()), (1, Some(audit(1)), None));
    }

    /// A run of an earlier version has none, until a command plans it again: its key says that its data are the same.
    #[test]
    fn a_stored_run_keeps_its_audit_and_a_run_without_one_gets_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        register(&mut store, "a", None);
        assert_eq!((store.audit("a").unwrap(), store.audited().unwrap().len()), (None, 0));
        register(&mut store, "a", Some(&audit(1)));
        register(&mut store, "a", None);
        register(&mut store, "a", Some(&audit(2)));
        assert_eq!(store.audit("a").unwrap(), Some(audit(1)));
        assert!(store.audited().unwrap().contains("a"));
    }

    #[test]
    fn runs_of_version_14_have_none() {
        let folder = tempfile::tempdir().unwrap();
        let old = older(folder.path(), 14);
        insert_run(&old, "k", "completed");
        drop(old);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!((store.audit("k").unwrap(), store.run("k").unwrap().labels.len()), (None, 0));
    }
}
