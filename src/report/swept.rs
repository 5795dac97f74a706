//! Which keys of the resolved config differ between the runs of an experiment.

use std::collections::BTreeMap;

use serde_json::Value;

use super::input::ReportInput;
use crate::{
    format::inert,
    plan::{CHANGES_NO_NUMBER, reduce_evaluations, remove_key},
};

/// The keys that differ, and their values in each run.
pub struct Swept {
    keys: Vec<String>,
    runs: Vec<BTreeMap<String, String>>,
}

impl Swept {
    /// Finds the keys that differ between the runs of an experiment.
    pub fn of(input: &ReportInput) -> Self {
        let mut runs: Vec<BTreeMap<String, String>> = input
            .runs
            .iter()
            .map(|run| {
                let mut values = BTreeMap::new();
                let mut config = serde_json::to_value(&run.run.config).unwrap_or_default();
                // What changes no result is no axis; a reused run may have other values than a new one.
                let keep = config["checkpoint"]["keep"].clone();
                reduce_evaluations(&mut config, &run.run.config);
                config["checkpoint"]["keep"] = keep;
                CHANGES_NO_NUMBER.iter().for_each(|key| remove_key(&mut config, key));
                flatten("", &config, &mut values);
                // A default that is not written, as in records of earlier versions.
                values.entry("data.long".into()).or_insert_with(|| run.run.config.data.long.name().into());
                let seed = values.get("train.seed").cloned();
                // They follow `train.seed` unless a spec sets them apart.
                for follower in ["train.init_seed", "train.order_seed"] {
                    if values.get(follower) == seed.as_ref() {
                        values.remove(follower);
                    }
                }
                values
            })
            .collect();
        // Beside "best", which of them are kept changes no result.
        let is_best = |run: &BTreeMap<String, String>| run.get("checkpoint.keep").is_some_and(|keep| keep == "best");
        if runs.iter().all(|run| is_best(run) == is_best(&runs[0])) {
            runs.iter_mut().for_each(|run| _ = run.remove("checkpoint.keep"));
        }
        // A run in which a learning rate is that of all does not write it.
        for (key, default) in [("train.head_lr", Some("train.lr")), ("train.layer_lr_decay", None)] {
            if runs.iter().any(|run| run.contains_key(key)) {
                for run in &mut runs {
                    let default = default.and_then(|key| run.get(key).cloned()).unwrap_or_else(|| "1.0".into());
                    run.entry(key.into()).or_insert(default);
                }
            }
        }
        let mut keys: Vec<String> = runs.iter().flat_map(BTreeMap::keys).cloned().collect();
        keys.sort_unstable();
        keys.dedup();
        let differs = |key: &String| runs.iter().any(|run| run.get(key) != runs[0].get(key));
        keys.retain(|key| key != "name" && !key.starts_with("probes") && differs(key));
        Self { keys, runs }
    }

    /// The keys, sorted.
    pub fn keys(&self) -> impl Iterator<Item = String> + '_ {
        self.keys.iter().map(|key| inert(key).into_owned())
    }

    /// Each key, as it is, with its value in each of some runs; empty where a run has none.
    pub fn columns<'a>(&'a self, runs: &'a [usize]) -> impl Iterator<Item = (String, Vec<String>)> + 'a {
        let value = |key: &String, run: usize| self.runs[run].get(key).cloned().unwrap_or_default();
        self.keys.iter().map(move |key| (key.clone(), runs.iter().map(|&run| value(key, run)).collect()))
    }

    /// Their values in a run; empty where it has none.
    pub fn values(&self, run: usize) -> impl Iterator<Item = String> + '_ {
        self.keys.iter().map(move |key| self.runs[run].get(key).map(|v| inert(v).into_owned()).unwrap_or_default())
    }
}

/// Values by dotted key; a list is one value, as JSON.
fn flatten(prefix: &str, value: &Value, into: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, into);
            }
        }
        Value::Null => {}
        Value::String(text) => {
            into.insert(prefix.into(), text.clone());
        }
        other => {
            into.insert(prefix.into(), other.to_string());
        }
    }
}
