//! Takes back a plan of which nothing was started: what the database says of its experiment is as it was before.

use std::collections::HashSet;

use rusqlite::{Transaction, params};

use super::{
    ExperimentRecord, PlanRecord, Store, StoreError, audit,
    columns::{Count, Json},
    write::set_experiment,
};

/// What is stored of an experiment before a plan replaces it.
#[derive(Debug)]
pub struct Before {
    experiment: Option<ExperimentRecord>,
    /// Those of all spec files and arguments.
    plans: Vec<PlanRecord>,
    /// Keys of the plan that are not stored yet.
    new: Vec<String>,
}

impl Store {
    /// What is stored of an experiment, before a plan of these runs is.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn before(&self, name: &str, keys: impl Iterator<Item = String>) -> Result<Before, StoreError> {
        let mut plans = self.plans()?;
        plans.retain(|plan| plan.experiment == name);
        let known: HashSet<String> = self.runs()?.into_iter().map(|run| run.key).collect();
        let experiment = self.experiments()?.into_iter().find(|experiment| experiment.name == name);
        Ok(Before { experiment, plans, new: keys.filter(|key| !known.contains(key)).collect() })
    }

    /// Takes back the plan `stored`: restores what was before it, and removes runs that only it has and that were never started. If another plan
    /// has replaced it since, nothing changes.
    ///
    /// # Errors
    /// Errors of the database.
    pub fn take_back(&mut self, stored: &ExperimentRecord, before: &Before) -> Result<(), StoreError> {
        let now = self.experiments()?.into_iter().find(|experiment| experiment.name == stored.name);
        if now.as_ref().is_none_or(|now| (&now.arguments, &now.runs) != (&stored.arguments, &stored.runs)) {
            return Ok(());
        }
        self.write(|tx| {
            match &before.experiment {
                Some(experiment) => set_experiment(tx, experiment)?,
                None => {
                    tx.execute("DELETE FROM experiments WHERE name = ?1", [&stored.name])?;
                }
            }
            tx.execute("DELETE FROM plans WHERE experiment = ?1", [&stored.name])?;
            before.plans.iter().try_for_each(|plan| set_plan(tx, plan))?;
            let mut remove = tx.prepare(
                "DELETE FROM runs WHERE key = ?1 AND state = 'pending'
                 AND NOT EXISTS (SELECT 1 FROM experiment_runs WHERE run = ?1) AND NOT EXISTS (SELECT 1 FROM plans WHERE run = ?1)",
            )?;
            before.new.iter().try_for_each(|key| remove.execute([key]).map(drop))?;
            audit::tidy(tx)
        })
    }
}

fn set_plan(tx: &Transaction<'_>, plan: &PlanRecord) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO plans (experiment, spec, arguments, position, run, name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (position, (key, name)) in plan.runs.iter().enumerate() {
        let at = Count(position as u64);
        insert.execute(params![plan.experiment, plan.stored, Json(&plan.arguments), at, key, name])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::{
        event::Event,
        store::{
            Store,
            testing::{experiment, register, step},
        },
    };

    fn keys(keys: &[&str]) -> impl Iterator<Item = String> {
        keys.iter().map(ToString::to_string).collect::<Vec<_>>().into_iter()
    }

    #[test]
    fn a_plan_that_is_taken_back_leaves_what_was_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        register(&mut store, "a", "a");
        store.append("a", &[step(1, 0.5), Event::Note { message: "hm".into() }]).unwrap();
        let old = experiment("e", &["a"]);
        store.save_experiment(&old).unwrap();
        let (plans, runs) = (store.plans().unwrap(), store.runs().unwrap());

        let before = store.before("e", keys(&["a", "b", "c"])).unwrap();
        ["b", "c"].iter().for_each(|key| register(&mut store, key, key));
        let mut new = experiment("e", &["a", "b", "c"]);
        new.arguments = vec!["train.lr=1".into()];
        store.save_experiment(&new).unwrap();
        // Another experiment has one of the new runs since.
        store.save_experiment(&experiment("f", &["c"])).unwrap();
        assert_eq!(store.experiment("e").unwrap().runs.len(), 3);
        store.take_back(&new, &before).unwrap();
        assert_eq!(store.experiment("e").unwrap(), old);
        assert_eq!(store.plans().unwrap().into_iter().filter(|plan| plan.experiment == "e").collect::<Vec<_>>(), plans);
        assert!(store.known("b").unwrap().is_none() && store.known("c").unwrap().is_some());
        assert_eq!(store.run("a").unwrap(), runs[0]);
        // Again: it is gone, and what there is now stays.
        store.take_back(&new, &before).unwrap();
        assert_eq!(store.experiment("e").unwrap(), old);
    }

    #[test]
    fn a_first_plan_that_is_taken_back_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let before = store.before("e", keys(&["a"])).unwrap();
        register(&mut store, "a", "a");
        let new = experiment("e", &["a"]);
        store.save_experiment(&new).unwrap();
        store.take_back(&new, &before).unwrap();
        assert!(
            store.experiments().unwrap().is_empty()
                && store.plans().unwrap().is_empty()
                && store.runs().unwrap().is_empty()
        );
    }
}
