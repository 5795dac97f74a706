//! How an edited spec changed its runs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{RunConfig, key::identity};

/// A key in which two configs mean different runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key of the spec, `train.lr`.
    pub key: String,
    /// Its value in the one config, `1e-5`; `unset` if it has none.
    pub old: String,
    /// Its value in the other.
    pub new: String,
}

/// Keys in which two configs mean different runs, each with both values: `train.lr 1e-5 → 2e-5`. Empty if only files or the engine
/// can explain the difference.
pub fn changes(old: &RunConfig, new: &RunConfig) -> Vec<String> {
    let text = |Change { key, old, new }| format!("{key} {old} → {new}");
    Settings::of(old).changes_to(&Settings::of(new)).into_iter().map(text).collect()
}

/// The settings of a run on which its result depends, as keys and values.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// Those of this config.
    pub fn of(config: &RunConfig) -> Self {
        let mut values = BTreeMap::new();
        flatten(&identity(config), String::new(), &mut values);
        // Its default is not in the identity.
        values.entry("data.long".into()).or_insert_with(|| config.data.long.name().into());
        Self(values)
    }

    /// The keys whose values differ, in order.
    pub fn changes_to(&self, new: &Self) -> Vec<Change> {
        let keys: BTreeSet<&String> = self.0.keys().chain(new.0.keys()).collect();
        let differs = |key: &&String| self.0.get(*key) != new.0.get(*key);
        let change = |key: &String| Change { key: key.clone(), old: show(self.0.get(key)), new: show(new.0.get(key)) };
        keys.into_iter().filter(differs).map(change).collect()
    }
}

fn show(value: Option<&Value>) -> String {
    match value {
        None => "unset".to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) if n.is_f64() => match n.as_f64() {
            Some(x) if x != 0.0 && x.abs() < 1e-2 => format!("{x:e}"),
            _ => n.to_string(),
        },
        Some(other) => other.to_string(),
    }
}

fn flatten(value: &Value, path: String, into: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(value, path, into);
            }
        }
        leaf => _ = into.insert(path, leaf.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Long, testing::full_config},
        *,
    };

    #[test]
    fn what_changes_a_run_is_named_with_both_values() {
        let old = full_config();
        assert!(changes(&old, &old).is_empty());
        let mut new = old.clone();
        new.train.lr = 3e-5;
        new.data.labels.insert("2".into(), "neutral".into());
        new.train.max_steps = None;
        (new.train.log_steps, new.name) = (old.train.log_steps + 1, "another".into());
        let told = changes(&old, &new);
        let lr = format!("train.lr {:e} → 3e-5", old.train.lr);
        let steps = format!("train.max_steps {} → unset", old.train.max_steps.expect("full"));
        let mut windows = old.clone();
        windows.data.long = Long::Windows;
        assert_eq!(changes(&old, &windows)[0], "data.long cut → windows");
        assert_eq!(changes(&windows, &old)[0], "data.long windows → cut");
        assert_eq!(told, ["data.labels.2 unset → neutral".to_string(), lr, steps]);
    }
}
