//! The table of keys against the types.

use std::collections::BTreeSet;

use serde_json::Value;
use taper::spec::{
    Kind,
    keys::{Fallback, KEYS},
};

use super::{Files, one};

/// Dotted paths of everything in a spec; tables with free keys are one path.
fn paths(prefix: &str, value: &Value, into: &mut BTreeSet<String>) {
    let free =
        KEYS.iter().any(|key| key.path == prefix && matches!(key.kind, Kind::Labels | Kind::Splits | Kind::Axes));
    match value {
        Value::Object(map) if !free => {
            for (name, value) in map {
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                paths(&path, value, into);
            }
        }
        Value::Array(values) if prefix == "probes" => {
            into.insert(prefix.into());
            values.iter().for_each(|value| paths(prefix, value, into));
        }
        _ => {
            into.insert(prefix.into());
        }
    }
}

#[test]
fn the_table_has_exactly_the_keys_of_the_types() {
    let loaded =
        one("data.text_pair_column = \"b\"\n[[probes]]\ntext = \"x\"\ntext_pair = \"y\"\n").load("a.toml").unwrap();
    let mut found = BTreeSet::new();
    paths("", &serde_json::to_value(loaded.spec()).unwrap(), &mut found);
    let table: BTreeSet<_> = KEYS.iter().map(|key| key.path.to_string()).collect();
    assert_eq!(found, table);
    assert_eq!(KEYS.len(), table.len(), "a key is listed twice");
}

/// A value that the kind takes and that is not the default.
fn example(path: &str, kind: Kind) -> String {
    match kind {
        Kind::Text | Kind::Name | Kind::Prose => "\"negative\"".into(),
        Kind::Choice(values) => format!("\"{}\"", values[values.len() - 1]),
        Kind::Source(_) => "\"hf:o/n\"".into(),
        Kind::Delimiter => "\";\"".into(),
        Kind::Encoding => "\"big5\"".into(),
        Kind::Fold => "\"2/5\"".into(),
        Kind::Boolean => "true".into(),
        Kind::Whole(least, most) => (least + 17).min(most).to_string(),
        Kind::Number(..) | Kind::HeldOut(_) => "0.125".into(),
        Kind::Splits => "{ train = \"a\", test = \"b\" }".into(),
        Kind::Pair(..) => "[0.25, 0.5]".into(),
        Kind::Line | Kind::Word => "\"x\"".into(),
        Kind::TimeLimit => "\"1:00:00\"".into(),
        Kind::Memory => "\"8G\"".into(),
        Kind::Options => "[\"--exclusive\"]".into(),
        Kind::Texts => "[\"x\"]".into(),
        Kind::Seeds(_) => "[5]".into(),
        Kind::ClassWeights => "[1.0, 2.0]".into(),
        Kind::Labels => "{ a = \"negative\", b = \"y\" }".into(),
        Kind::Probes => "[{ text = \"t\", expect = \"negative\" }]".into(),
        Kind::Axes => "{ \"train.lr\" = [0.5] }".into(),
        Kind::Zip => "[{ \"train.eps\" = [0.5] }]".into(),
        Kind::Exclude => panic!("{path} needs an axis"),
    }
}

/// The settings beside a key of a rule that select the rule.
fn beside(path: &str) -> &'static str {
    match path {
        "data.split_column" => "data.splits = { train = \"a\", test = \"b\" }\n",
        "data.separator" => "data.text_columns = [\"a\", \"b\"]\n",
        "data.config" => "data.splits = { train = \"a\", test = \"b\" }\n",
        "data.splits" => "data.split_column = \"s\"\n",
        "data.label_columns" => "data.problem_type = \"regression\"\n",
        "data.label_separator" => "data.problem_type = \"multi_label_classification\"\n",
        "data.threshold_metric" => "data.thresholds = \"tuned\"\n",
        "train.focal_gamma" => "train.loss = \"focal\"\n",
        "data.stride" => "data.long = \"windows\"\n",
        "data.head_tokens" => "data.long = \"head_tail\"\n",
        "sweep.search" => "sweep.trials = 3\nsweep.axes = { \"train.lr\" = { log = [1e-6, 1e-3] } }\n",
        "sweep.trials" => "sweep.search = \"random\"\nsweep.axes = { \"train.lr\" = [0.5] }\n",
        "sweep.search_seed" => "sweep.search = \"sobol\"\nsweep.trials = 3\nsweep.axes = { \"train.lr\" = [0.5] }\n",
        "sweep.batch" => "sweep.search = \"tpe\"\nsweep.trials = 3\nsweep.axes = { \"train.lr\" = [0.5] }\n",
        "sweep.startup_trials" => "sweep.prune = \"median\"\n",
        "sweep.reduction_factor" | "sweep.rungs" => "sweep.prune = \"asha\"\n",
        _ => "",
    }
}

/// Every key by itself, not as the default: that the checks take what the types take, and that it arrives.
#[test]
fn every_key_arrives_in_its_field() {
    for key in KEYS.iter().filter(|key| key.section() != "probes" && key.path != "sweep.exclude") {
        let value = example(key.path, key.kind);
        let mut text = format!("{} = {value}\n{}", key.path, beside(key.path));
        for (path, needed) in [("model.source", "\"scratch:tiny\""), ("data.source", "\"hf:o/n\""), ("data.dev", "0.1")]
        {
            if path != key.path {
                text.push_str(&format!("{path} = {needed}\n"));
            }
        }
        let loaded = Files::new(&[("a.toml", &text)]).load("a.toml").unwrap_or_else(|e| panic!("{text}\n{e}"));
        let json = serde_json::to_value(loaded.spec()).unwrap();
        let found = key.path.split('.').fold(&json, |json, part| &json[part]);
        let written: toml::Table = toml::from_str(&format!("v = {value}")).unwrap();
        assert_eq!(*found, serde_json::to_value(&written["v"]).unwrap(), "{}", key.path);
        if let Fallback::Is(default) = key.default {
            assert_ne!(default, value, "{}: the example is the default and shows nothing", key.path);
        }
    }
}

/// The defaults, written out: a change of the table is a change of what every spec means.
#[test]
fn defaults_are_these() {
    let text = "model.source = \"hf:o/n\"\ndata.source = \"hf:o/n\"\n";
    let loaded = Files::new(&[("a.toml", text)]).load("a.toml").unwrap();
    assert_eq!(loaded.spec().sweep, taper::spec::Sweep::default());
    insta::assert_snapshot!("defaults", toml::to_string(loaded.spec()).unwrap());
}
