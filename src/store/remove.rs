//! Removes runs and experiments.

use super::{Store, StoreError, audit};

impl Store {
    /// Removes runs with all their measurements, in one transaction. They stay in the plans of experiments, whose views say that they have no
    /// record; the next `taper run` trains them. Unknown keys are ignored.
    pub fn remove_runs(&mut self, keys: &[String]) -> Result<(), StoreError> {
        self.write(|tx| {
            let mut delete = tx.prepare("DELETE FROM runs WHERE key = ?1")?;
            keys.iter().try_for_each(|key| delete.execute([key]).map(drop))?;
            audit::tidy(tx)
        })
    }

    /// Removes an experiment's plan, text and settings of runs, and its searches' proposals; its runs stay.
    pub fn remove_experiment(&mut self, name: &str) -> Result<(), StoreError> {
        self.write(|tx| {
            tx.execute("DELETE FROM proposals WHERE experiment = ?1", [name])?;
            tx.execute("DELETE FROM settings WHERE experiment = ?1", [name])?;
            tx.execute("DELETE FROM experiments WHERE name = ?1", [name]).map(drop)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        event::{Event, Split, When},
        store::{
            Store, StoreError,
            testing::{eval, experiment, prediction, probe, register, step},
        },
        warning::{Kind, Warning},
    };

    #[test]
    fn removing_a_run_removes_all_its_rows_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        for key in ["a", "b"] {
            register(&mut store, key, key);
            let events = [
                step(1, 0.5),
                eval(When::After, 1, Split::Test, 3),
                Event::PredictedBefore { split: Split::Test, predictions: vec![prediction(0, "x").into()] },
                Event::Predicted { split: Split::Test, predictions: vec![prediction(0, "x")] },
                Event::ProbesScored { when: When::After, step: 1, scores: vec![probe(0, 0.5)] },
                Event::Note { message: "hm".into() },
                Event::Warned(Warning::new(Kind::Tokens, "2 texts are cut")),
            ];
            store.append(key, &events).unwrap();
        }
        store.save_experiment(&experiment("e", &["a", "b"])).unwrap();
        store.save_experiment(&experiment("f", &["a"])).unwrap();
        store.remove_runs(&["a".into(), "unknown".into()]).unwrap();

        assert!(matches!(store.run("a"), Err(StoreError::UnknownRun { .. })));
        let rows = |table: &str, key: &str| {
            let sql = format!("SELECT count(*) FROM {table} WHERE run = ?1");
            store.conn.query_row(&sql, [key], |row| row.get::<_, i64>(0)).unwrap()
        };
        for table in ["steps", "evals", "predictions", "predictions_before", "probes", "notes", "warnings", "settings"]
        {
            assert_eq!((rows(table, "a"), rows(table, "b")), (0, 1), "{table}");
        }
        let plans = store.experiments().unwrap().into_iter().map(|e| e.runs.len()).collect::<Vec<_>>();
        assert_eq!(plans, [2, 1], "plans are unchanged");
        assert_eq!(store.runs_of("e").unwrap().len(), 1);
        store.remove_experiment("e").unwrap();
        assert!(store.experiment("e").is_err() && store.run("b").is_ok() && store.experiment("f").is_ok());
    }
}
