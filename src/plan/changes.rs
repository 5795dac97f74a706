//! How an edited spec changed its runs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{RunConfig, key::identity};

/// Keys in which two configs mean different runs, each with both values: `train.lr 1e-5 → 2e-5`. Empty if only files or the engine
/// can explain the difference.
pub fn changes(old: &RunConfig, new: &RunConfig) -> Vec<String> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    flatten(&identity(old), String::new(), &mut before);
    flatten(&identity(new), String::new(), &mut after);
    // Its default is not in the identity.
    for (config, values) in [(old, &mut before), (new, &mut after)] {
        values.entry("data.long".into()).or_insert_with(|| config.data.long.name().into());
    }
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let show = |value: Option<&Value>| match value {
        None => "unset".to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(n)) if n.is_f64() => match n.as_f64() {
            Some(x) if x != 0.0 && x.abs() < 1e-2 => format!("{x:e}"),
            _ => n.to_string(),
        },
        Some(other) => other.to_string(),
    };
    let differs = |key: &&&String| before.get(**key) != after.get(**key);
    keys.iter()
        .filter(differs)
        .map(|key| format!("{key} {} → {}", show(before.get(*key)), show(after.get(*key))))
        .collect()
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
