//! The values that tell runs or trials apart, as columns.

use std::collections::HashMap;

use crate::format::{NOTHING, names};

/// The columns of these names: a key for each value that differs. A name without a key that others have, as where an axis applies to some
/// trials alone, has [`NOTHING`] there. `None` if the names have no key in common, or differ in no value.
pub fn swept_columns(names: &[&str]) -> Option<names::Columns> {
    if let Some(columns) = names::columns(names) {
        return Some(columns);
    }
    let rows: Vec<Vec<(&str, &str)>> = names.iter().map(|name| names::all_settings(name)).collect::<Option<_>>()?;
    let mut keys: Vec<&str> = Vec::new();
    for row in &rows {
        // A key that is new comes after the one before it in its name.
        let mut at = 0;
        for (key, _) in row {
            at = keys.iter().position(|known| known == key).unwrap_or_else(|| {
                keys.insert(at, key);
                at
            }) + 1;
        }
    }
    let rows: Vec<HashMap<&str, &str>> = rows.into_iter().map(|row| row.into_iter().collect()).collect();
    if !keys.iter().any(|key| rows.iter().all(|row| row.contains_key(key))) {
        return None;
    }
    keys.retain(|key| rows.iter().any(|row| row.get(key) != rows[0].get(key)));
    if keys.is_empty() {
        return None;
    }
    let value = |row: &HashMap<&str, &str>, key: &&str| row.get(key).copied().unwrap_or(NOTHING).to_string();
    let values = rows.iter().map(|row| keys.iter().map(|key| value(row, key)).collect()).collect();
    Some(names::Columns { keys: keys.into_iter().map(String::from).collect(), values })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(names: &[&str]) -> Option<(String, Vec<String>)> {
        swept_columns(names).map(|c| (c.keys.join(" "), c.values.iter().map(|values| values.join(" ")).collect()))
    }

    #[test]
    fn a_key_that_only_some_names_have_is_a_column() {
        let names = [
            "limit=9 lr=1e-3 scheduler=constant seed=1",
            "limit=9 lr=1e-3 scheduler=linear warmup_ratio=0.1 seed=1",
            "limit=9 lr=2e-3 scheduler=linear warmup_ratio=0.2 seed=2",
        ];
        let rows = ["1e-3 constant – 1", "1e-3 linear 0.1 1", "2e-3 linear 0.2 2"].map(String::from).to_vec();
        assert_eq!(table(&names), Some(("lr scheduler warmup_ratio seed".into(), rows)));
        let same_keys = Some(("lr".into(), vec!["1".to_string(), "2".into()]));
        assert_eq!(table(&["lr=1 seed=1", "lr=2 seed=1"]), same_keys);
    }

    #[test]
    fn names_without_a_key_in_common_stay_whole() {
        for names in [&["lr=1e-5", "seed=2"][..], &["a", "lr=1"], &["lr=1 seed=1", "seed=1 lr=1"], &[]] {
            assert_eq!(table(names), None, "{names:?}");
        }
    }
}
