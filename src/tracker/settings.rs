//! The settings of a run as a flat list.

use serde_json::Value;

use crate::plan::RunConfig;

/// The settings of a run by their names in the spec (`train.lr`), without its name and its probes. Lists are JSON text.
pub fn flat(config: &RunConfig) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if let Ok(Value::Object(tables)) = serde_json::to_value(config) {
        let tables = tables.into_iter().filter(|(name, _)| name != "name" && name != "probes");
        tables.for_each(|(name, value)| leaves(&name, value, &mut found));
    }
    found
}

/// Adds the values below a value, each with its path: `a.b`.
fn leaves(path: &str, value: Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(below) => {
            below.into_iter().for_each(|(name, value)| leaves(&format!("{path}.{name}"), value, found));
        }
        Value::Array(_) => found.push((path.into(), Value::String(value.to_string()))),
        Value::Null => {}
        value => found.push((path.into(), value)),
    }
}
