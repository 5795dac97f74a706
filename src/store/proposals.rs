//! What searches proposed from results. Results may change afterwards, where another spec trains the same runs further: a search that is
//! run again has the trials that it had.

use rusqlite::{Connection, params};

use super::{
    Store, StoreError,
    columns::{Count, Json},
};
use crate::plan::Proposal;

impl Store {
    /// What a search of an experiment has proposed, trial by trial.
    pub fn proposals(&self, experiment: &str, search: &str) -> Result<Vec<Proposal>, StoreError> {
        self.read(|tx| stored(tx, experiment, search))
    }

    /// Stores what a search proposes; of a trial that has a point already that one stays. Gives back all that is stored.
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
    fn the_first_point_of_a_trial_stays_and_an_experiment_takes_its_own_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let point = |lr: f64, rows: u64| vec![Some(vec![json!(lr)]), None, Some(vec![json!(rows), json!("a")])];
        let (a, b, c) = (point(0.1 + 0.2, 1), point(3e-5, 2), point(1e-300, 3));
        assert_eq!(store.proposals("e", "s").unwrap(), Vec::<Proposal>::new());
        assert_eq!(store.propose("e", "s", from_ref(&a)).unwrap(), from_ref(&a));
        // Another command proposes otherwise: what was first stays, what is new is added.
        assert_eq!(store.propose("e", "s", &[b.clone(), c.clone()]).unwrap(), [a.clone(), c.clone()]);
        assert_eq!(store.propose("e", "s", &[]).unwrap(), [a.clone(), c.clone()]);
        store.propose("f", "s", from_ref(&b)).unwrap();
        store.propose("e", "other", from_ref(&c)).unwrap();
        store.remove_experiment("e").unwrap();
        assert_eq!(store.proposals("e", "s").unwrap().len() + store.proposals("e", "other").unwrap().len(), 0);
        assert_eq!(store.proposals("f", "s").unwrap(), [b]);
    }
}
