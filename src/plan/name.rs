//! Names of runs: what distinguishes a run from its siblings, such as `lr=2e-5 seed=3`.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use crate::format::{NOTHING, names::joined, setting};

/// How swept keys and their values are written in names.
pub(super) struct Names {
    keys: HashMap<String, String>,
    /// Keys whose text values can be shortened to the part after the last `/`.
    cut: HashSet<String>,
    /// Where the spec has each key.
    written: HashMap<String, usize>,
}

impl Names {
    /// Names for a sweep of `axes`: each key with all its values. Keys of `written` come first in names, in this order.
    pub(super) fn new(axes: &BTreeMap<&str, Vec<&Value>>, written: &[String]) -> Self {
        let keys = axes.keys().map(|key| (key.to_string(), shortest(key, axes.keys()).to_string())).collect();
        let cut = axes.iter().filter(|(_, values)| can_cut(values)).map(|(key, _)| key.to_string()).collect();
        let written = written.iter().cloned().zip(0..).collect();
        Self { keys, cut, written }
    }

    /// The name of one point; empty without a sweep. Every name has every key: [`NOTHING`] where an axis does not apply.
    pub(super) fn name(&self, point: &[(String, Value)]) -> String {
        let mut absent: Vec<&String> =
            self.keys.keys().filter(|key| point.iter().all(|(other, _)| other != *key)).collect();
        absent.sort_unstable();
        let present = point.iter().map(|(key, value)| (key, value));
        let mut point: Vec<(&String, &Value)> =
            present.chain(absent.into_iter().map(|key| (key, &Value::Null))).collect();
        point.sort_by_key(|(key, _)| self.written.get(*key).copied().unwrap_or(usize::MAX));
        let parts = point.into_iter().map(|(key, value)| {
            let shown = shown_in_names(value);
            let shown = if self.cut.contains(key) { tail(&shown) } else { &shown };
            (self.keys.get(key).unwrap_or(key), shown.to_string())
        });
        joined(parts)
    }
}

/// The fewest last segments of `key` that no other key ends with.
fn shortest<'a>(key: &'a str, all: impl Iterator<Item = &'a &'a str> + Clone) -> &'a str {
    let ambiguous = |short: &str| all.clone().any(|other| *other != key && other.ends_with(&format!(".{short}")));
    let starts = key.rmatch_indices('.').map(|(dot, _)| &key[dot + 1..]);
    starts.into_iter().find(|short| !ambiguous(short)).unwrap_or(key)
}

/// `path:models/rbt3` can be called `rbt3` if no other value of the axis ends the same.
fn can_cut(values: &[&Value]) -> bool {
    let texts: HashSet<&str> = values.iter().filter_map(|value| value.as_str()).collect();
    let tails: HashSet<&str> = texts.iter().map(|text| tail(text)).collect();
    tails.len() == texts.len() && !tails.contains("")
}

fn tail(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// The shortest lossless form of a value.
pub(super) fn shown_in_names(value: &Value) -> String {
    match value {
        Value::Null => NOTHING.into(),
        Value::String(text) => text.split_whitespace().collect::<Vec<_>>().join("_"),
        Value::Number(n) => n.as_f64().filter(|_| n.is_f64()).map_or_else(|| n.to_string(), setting),
        Value::Array(items) => format!("[{}]", items.iter().map(shown_in_names).collect::<Vec<_>>().join(",")),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name(axes: &[(&str, Value)], point: &[(&str, Value)]) -> String {
        let axes = axes.iter().map(|(key, values)| (*key, values.as_array().unwrap().iter().collect())).collect();
        Names::new(&axes, &[])
            .name(&point.iter().map(|(key, value)| (key.to_string(), value.clone())).collect::<Vec<_>>())
    }

    #[test]
    fn keys_are_as_short_as_possible_but_distinct() {
        let axes = [("train.lr", json!([1e-5, 0.00002])), ("train.seed", json!([1, 2])), ("data.seed", json!([1]))];
        let point = [("train.lr", json!(0.00002)), ("data.seed", json!(1)), ("train.seed", json!(2))];
        assert_eq!(name(&axes, &point), "lr=2e-5 data.seed=1 train.seed=2");
        assert_eq!(name(&axes[..2], &[point[0].clone(), point[2].clone()]), "lr=2e-5 seed=2");
    }

    /// Keys that no axis of the spec has, such as the seed, stay last.
    #[test]
    fn keys_are_in_the_order_of_the_spec() {
        let values = [json!([16, 32]), json!([1e-5, 2e-5]), json!([1, 2])];
        let axes = ["train.batch_size", "train.lr", "train.seed"].into_iter().zip(&values);
        let axes = axes.map(|(key, values)| (key, values.as_array().unwrap().iter().collect())).collect();
        let point = [("train.batch_size", json!(16)), ("train.lr", json!(2e-5)), ("train.seed", json!(1))];
        let point = point.map(|(key, value)| (key.to_string(), value));
        let named = |written: &[&str]| {
            Names::new(&axes, &written.iter().map(|key| key.to_string()).collect::<Vec<_>>()).name(&point)
        };
        assert_eq!(named(&["train.lr", "train.batch_size"]), "lr=2e-5 batch_size=16 seed=1");
        assert_eq!(named(&["train.batch_size", "train.lr"]), "batch_size=16 lr=2e-5 seed=1");
    }

    #[test]
    fn a_key_that_does_not_apply_to_a_point_is_in_its_name() {
        let values = [json!(["linear", "constant"]), json!([0.1, 0.2]), json!([1, 2])];
        let axes = ["train.scheduler", "train.warmup_ratio", "train.seed"].into_iter().zip(&values);
        let axes = axes.map(|(key, values)| (key, values.as_array().unwrap().iter().collect())).collect();
        let names = Names::new(&axes, &["train.warmup_ratio", "train.scheduler"].map(String::from));
        let name = |point: &[(&str, Value)]| {
            names.name(&point.iter().map(|(key, value)| (key.to_string(), value.clone())).collect::<Vec<_>>())
        };
        let (linear, constant, seed) = (json!("linear"), json!("constant"), ("train.seed", json!(2)));
        let whole = [("train.scheduler", linear), ("train.warmup_ratio", json!(0.1)), seed.clone()];
        assert_eq!(name(&whole), "warmup_ratio=0.1 scheduler=linear seed=2");
        assert_eq!(name(&[("train.scheduler", constant), seed]), "warmup_ratio=– scheduler=constant seed=2");
    }

    #[test]
    fn values_are_short_and_lose_nothing() {
        let axes = [("train.x", json!([0]))];
        for (value, want) in [
            (json!(32), "32"),
            (json!(0.1), "0.1"),
            (json!(0.00025), "2.5e-4"),
            (json!(0.0), "0"),
            (json!([0.9, 0.999]), "[0.9,0.999]"),
            (json!("a b"), "a_b"),
            (json!(true), "true"),
        ] {
            assert_eq!(name(&axes, &[("train.x", value)]), format!("x={want}"));
        }
    }

    #[test]
    fn paths_are_shortened_to_their_end_if_that_is_unique() {
        let values = json!(["path:a/rbt3", "hf:hfl/rbt4"]);
        assert_eq!(name(&[("model.source", values)], &[("model.source", json!("path:a/rbt3"))]), "source=rbt3");
        let values = json!(["path:a/m", "path:b/m"]);
        assert_eq!(name(&[("model.source", values)], &[("model.source", json!("path:a/m"))]), "source=path:a/m");
    }
}
