//! Proposals of searches that depend on results. Results may change later, if another spec trains the same runs further; the stored
//! proposals keep a search's trials the same when it is run again.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    columns::{Count, Json},
};
use crate::plan::Proposal;

impl Store {
    /// The proposals of a search of an experiment, trial by trial.
    pub fn proposals(&self, experiment: &str, search: &str) -> Result<Vec<Proposal>, StoreError> {
        self.read(|tx| stored(tx, experiment, search))
    }

    /// Stores a search's proposals; a trial that already has a point keeps it. Returns all that are stored.
    pub fn propose(
        &mut self,
        experiment: &str,
        search: &str,
        points: &[Proposal],
    ) -> Result<Vec<Proposal>, StoreError> {
        self.write(|tx| {
            let mut insert = tx.prepare(
                "INSERT OR IGNORE INTO proposals (experiment, search, position, point) VALUES (?1, ?2, ?3, ?4)",
            )?;
            for (position, point) in points.iter().enumerate() {
                insert.execute(params![experiment, search, Count(position as u64), Json(point)])?;
            }
            stored(tx, experiment, search)
        })
    }
}

fn stored(conn: &Connection, experiment: &str, search: &str) -> rusqlite::Result<Vec<Proposal>> {
    let sql = "SELECT point FROM proposals WHERE experiment = ?1 AND search = ?2 ORDER BY position";
    let mut statement = conn.prepare_cached(sql)?;
    let points = statement.query_map([experiment, search], |row| row.get(0).map(|Json(point)| point))?;
    points.collect()
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_point_of_a_trial_is_kept_until_its_experiment_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let point = |lr: f64, rows: u64| vec![Some(vec![json!(lr)]), None, Some(vec![json!(rows), json!("a")])];
        let (a, b, c) = (point(0.1 + 0.2, 1), point(3e-5, 2), point(1e-300, 3));
        assert_eq!(store.proposals("e", "s").unwrap(), Vec::<Proposal>::new());
        assert_eq!(store.propose("e", "s", from_ref(&a)).unwrap(), from_ref(&a));
        // Another command has other proposals: the first ones are kept, new ones are added.
        assert_eq!(store.propose("e", "s", &[b.clone(), c.clone()]).unwrap(), [a.clone(), c.clone()]);
        assert_eq!(store.propose("e", "s", &[]).unwrap(), [a.clone(), c.clone()]);
        store.propose("f", "s", from_ref(&b)).unwrap();
        store.propose("e", "other", from_ref(&c)).unwrap();
        store.remove_experiment("e").unwrap();
        assert_eq!(store.proposals("e", "s").unwrap().len() + store.proposals("e", "other").unwrap().len(), 0);
        assert_eq!(store.proposals("f", "s").unwrap(), [b]);
    }
}
