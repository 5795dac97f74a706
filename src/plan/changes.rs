//! How an edited spec changed its runs.

use std::{cmp::Ordering, collections::BTreeMap};

use serde_json::Value;

use super::{
    RunConfig,
    key::{identity, to_value},
    name::shown_in_names,
};
use crate::format::NOTHING;

/// A key in which two configs mean different runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key of the spec, `train.lr`.
    pub key: String,
    /// Its value in the one config, `1e-5`; `unset` if it has none.
    pub old: String,
    /// Its value in the other.
    pub new: String,
    /// That value as names of runs have it, with whole paths; [`NOTHING`] if it has none.
    pub in_names: String,
}

/// Keys in which two configs mean different runs, each with both values: `train.lr 1e-5 → 2e-5`. Empty if only files or the engine
/// can explain the difference.
pub fn changes(old: &RunConfig, new: &RunConfig) -> Vec<String> {
    let text = |Change { key, old, new, .. }| format!("{key} {old} → {new}");
    Settings::of(old).changes_to(&Settings::of(new)).into_iter().map(text).collect()
}

/// The settings of a run on which its result depends, as keys and values.
#[derive(Debug, Clone)]
pub struct Settings(BTreeMap<String, Setting>);

#[derive(Debug, Clone)]
struct Setting {
    /// Its value in the spec.
    written: Value,
    /// What of it the run's result depends on; `None` if nothing.
    counts: Option<Value>,
}

/// Only some models have it, so that another source sets or unsets it.
const OF_SOURCE: &str = "model.vocab_size";

impl Settings {
    /// Those of this config.
    pub fn of(config: &RunConfig) -> Self {
        let (mut written, mut counting) = (BTreeMap::new(), BTreeMap::new());
        flatten(&to_value(config), String::new(), &mut written);
        flatten(&identity(config), String::new(), &mut counting);
        // Its default is not written.
        written.entry("data.long".into()).or_insert_with(|| config.data.long.name().into());
        // An address may hold a secret.
        written.extend(config.data.files_of_splits().map(|(key, source)| (key.into(), source.shown().into())));
        let setting = |(key, written)| {
            let counts = counting.remove(&key);
            (key, Setting { written, counts })
        };
        Self(written.into_iter().map(setting).collect())
    }

    /// The keys whose values differ, in order. Without those that come to count, or no longer do, because of another key, and have the
    /// same value.
    pub fn changes_to(&self, new: &Self) -> Vec<Change> {
        let written = |setting: Option<&'_ Setting>| show(setting.map(|setting| &setting.written));
        let change = |(key, old, new): Pair<'_>| Change {
            key: key.into(),
            old: written(old),
            new: written(new),
            in_names: new.map_or_else(|| NOTHING.into(), |setting| shown_in_names(&setting.written)),
        };
        self.unlike(new).map(change).collect()
    }

    /// The number of [`Self::changes_to`] these, counted up to `most`.
    pub fn distance_to(&self, new: &Self, most: usize) -> usize {
        self.unlike(new).take(most).count()
    }

    /// Both maps are in order, so that one pass over them finds the keys that differ.
    fn unlike<'a>(&'a self, new: &'a Self) -> impl Iterator<Item = Pair<'a>> {
        let (mut old, mut new) = (self.0.iter().peekable(), new.0.iter().peekable());
        let pairs = std::iter::from_fn(move || {
            let order = match (old.peek(), new.peek()) {
                (Some((old, _)), Some((new, _))) => old.cmp(new),
                (Some(_), None) => Ordering::Less,
                (None, _) => Ordering::Greater,
            };
            let old = if order.is_le() { old.next() } else { None };
            let new = if order.is_ge() { new.next() } else { None };
            let (key, _) = old.or(new)?;
            Some((key.as_str(), old.map(|(_, setting)| setting), new.map(|(_, setting)| setting)))
        });
        pairs.filter(|(key, old, new)| match (old, new) {
            (Some(old), Some(new)) => old.counts != new.counts && old.written != new.written,
            (one, other) => *key != OF_SOURCE && one.or(*other).is_some_and(|setting| setting.counts.is_some()),
        })
    }
}

/// A key with its setting in each of two configs.
type Pair<'a> = (&'a str, Option<&'a Setting>, Option<&'a Setting>);

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
        super::{HeldOut, Keep, Long, Metric, Source, testing::full_config},
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

    /// The keys and values are those of the spec, although the identity of a run rewrites some.
    #[test]
    fn keys_and_values_are_those_of_the_spec() {
        let mut old = full_config();
        (old.train.early_stopping_patience, old.checkpoint.keep) = (0, Keep::Last);
        let with = |change: &dyn Fn(&mut RunConfig)| {
            let mut new = old.clone();
            change(&mut new);
            (changes(&old, &new), changes(&new, &old))
        };
        let both = |there: &[&str], back: &[&str]| {
            let owned = |texts: &[&str]| texts.iter().map(|text| text.to_string()).collect::<Vec<_>>();
            (owned(there), owned(back))
        };
        // The metric and the steps of evaluations count with it, and are the same.
        let best = with(&|new| new.checkpoint.keep = Keep::Best);
        assert_eq!(best, both(&["checkpoint.keep last → best"], &["checkpoint.keep best → last"]));
        assert_eq!(with(&|new| new.checkpoint.keep = Keep::All), both(&[], &[]), "it ends with the same weights");
        let best = with(&|new| (new.checkpoint.keep, new.checkpoint.metric) = (Keep::Best, Metric::Loss));
        let want = both(
            &["checkpoint.keep last → best", "checkpoint.metric accuracy → loss"],
            &["checkpoint.keep best → last", "checkpoint.metric loss → accuracy"],
        );
        assert_eq!(best, want);
        // The identity notes from where it is measured.
        let (patience, delta) = ("train.early_stopping_patience", "train.early_stopping_min_delta");
        let stopping = with(&|new| (new.train.early_stopping_patience, new.train.early_stopping_min_delta) = (2, 0.25));
        let want = both(
            &[&format!("{delta} 0.0 → 0.25"), &format!("{patience} 0 → 2")],
            &[&format!("{delta} 0.25 → 0.0"), &format!("{patience} 2 → 0")],
        );
        assert_eq!(stopping, want);
        let source = |text: &str| text.parse::<Source>().expect("a source");
        let dev = with(&|new| new.data.dev = HeldOut::Source(source("path:dev.csv")));
        assert_eq!(dev, both(&["data.dev 0.0 → path:dev.csv"], &["data.dev path:dev.csv → 0.0"]));
        // Such a model has its own vocabulary.
        for model in ["path:models/a", "scratch:models/a/", "scratch:a.json"] {
            let (there, back) = with(&|new| new.model.source = source(model));
            let shown = source(model);
            assert_eq!(there, [format!("model.source scratch:tiny → {shown}")]);
            assert_eq!(back, [format!("model.source {shown} → scratch:tiny")]);
        }
    }

    #[test]
    fn changes_are_counted_as_far_as_they_matter() {
        let old = full_config();
        let mut new = old.clone();
        new.data.labels.insert("2".into(), "neutral".into());
        (new.train.lr, new.train.max_steps, new.data.dev) = (3e-5, None, 0.125.into());
        new.checkpoint.keep = Keep::Last;
        let (old, new) = (Settings::of(&old), Settings::of(&new));
        for (one, other) in [(&old, &new), (&new, &old)] {
            let keys: Vec<String> = one.changes_to(other).into_iter().map(|change| change.key).collect();
            assert_eq!(keys, ["checkpoint.keep", "data.dev", "data.labels.2", "train.lr", "train.max_steps"]);
            assert_eq!([0, 1, 4, 5, 9].map(|most| one.distance_to(other, most)), [0, 1, 4, 5, 5]);
        }
        assert_eq!(old.distance_to(&old, 9), 0);
    }

    #[test]
    fn new_values_are_also_written_as_in_names() {
        let old = full_config();
        let mut new = old.clone();
        (new.train.lr, new.train.weight_decay, new.train.dropout) = (3e-5, 1.0, None);
        new.data.text_column = "the text".into();
        let changes = Settings::of(&old).changes_to(&Settings::of(&new));
        let written: Vec<(&str, &str)> = changes.iter().map(|c| (c.new.as_str(), c.in_names.as_str())).collect();
        assert_eq!(written, [("the text", "the_text"), ("unset", NOTHING), ("3e-5", "3e-5"), ("1.0", "1")]);
    }
}
