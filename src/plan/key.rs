//! The identity of a run: which configs mean the same run, and the key computed from it.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Keep, Metric, RunConfig, Scratch, Source};
use crate::spec::Spec;

/// Digests of the files that a run reads. The key contains them instead of the files' paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Digests {
    /// SHA-256 of the data, in hex: see [`crate::data::Dataset`].
    pub data: String,
    /// SHA-256 over the model's files, in hex: over the config file for `scratch:FILE.json`, over that and the tokenizer's files for
    /// `scratch:DIR/`; empty for `scratch:tiny`, `scratch:small` and `scratch:rbt3`, which their names describe.
    pub model: String,
}

/// Keys that never change the weights or the metrics of the kept ones.
///
/// Everything not listed here or in [`identity`] is part of the key, so a field added to [`RunConfig`] is included by default.
const LEFT_OUT: [&str; 3] = [
    // The experiment's name: the same run may belong to several experiments.
    "name",
    // Probes are only read by the trained model.
    "probes",
    // The file's path: its digest is in the key.
    "data.source",
];

/// Keys that affect no result. They are not part of a run's key, and do not distinguish trials.
pub const CHANGES_NO_NUMBER: [&str; 3] = [
    // How often a line is printed.
    "train.log_steps",
    // How often the state is saved: a resumed run equals an uninterrupted one.
    "checkpoint.every_steps",
    "checkpoint.every_minutes",
];

/// SHA-256, in hex, over everything that changes the result of a run: runs with the same key are the same run.
///
/// It covers the resolved config except the keys below, the digests of data and model, and `numerics`, the version of the
/// engine's arithmetic. Numbers count by value (1e-5 is 0.00001); the order of keys does not matter. Excluded:
/// - `name`, `probes`, `data.source`, `train.log_steps`, `checkpoint.every_steps` and `checkpoint.every_minutes`, which
///   change no result;
/// - the paths of files in `data.dev` and `data.test`: the digest counts;
/// - `model.source` of a folder or a repository, and the paths of `scratch:FILE.json` and `scratch:DIR/`: the digest counts.
///   The names `tiny`, `small` and `rbt3` are included, since they have no file;
/// - `model.vocab_size` unless a vocabulary is built: a loaded model brings its own, and so does `scratch:DIR/`;
/// - `checkpoint.keep`, except whether it is `best`: `last`, `all` and `none` end with the same weights;
/// - `checkpoint.metric` and `train.eval_steps`, if neither `keep = "best"` nor early stopping reads the evaluations.
///
/// One part is not a setting: the reference value of `early_stopping_min_delta`. Runs that measured it from the last progress differ
/// from those that measure it from the best value.
///
/// `dev_lacks_labels`: some label does not occur in the dev split. Earlier versions averaged macro-F1 over all labels, now it is over
/// the labels that occur, which may choose other weights: if macro-F1 chooses, this is part of the key.
pub fn run_key(config: &RunConfig, digests: &Digests, numerics: u32, dev_lacks_labels: bool) -> String {
    let mut key = Map::new();
    let identity = identity(config);
    if dev_lacks_labels && config.checkpoint.metric == Metric::MacroF1 && !identity["checkpoint"]["metric"].is_null() {
        key.insert("macro_f1".into(), "of the labels that occur".into());
    }
    key.insert("config".into(), identity);
    key.insert("data".into(), digests.data.clone().into());
    key.insert("model".into(), digests.model.clone().into());
    key.insert("numerics".into(), numerics.into());
    hex(&fingerprint(&Value::Object(key)))
}

/// The identity of a search that learns: what determines its proposals, apart from the scores. `runs` are the keys of the trials that
/// it draws at random, in order. More trials or another budget do not change it.
pub fn search_key(spec: &Spec, runs: &[&str]) -> String {
    let mut sweep = serde_json::to_value(&spec.sweep).unwrap_or_default();
    ["trials", "max_runs", "max_hours"].iter().for_each(|key| remove_key(&mut sweep, key));
    // Searches of earlier versions, which had no folds, stay the same.
    if spec.sweep.folds.is_none() {
        remove_key(&mut sweep, "folds");
    }
    let metric = spec.metric();
    hex(&fingerprint(&serde_json::json!({ "sweep": sweep, "metric": metric, "runs": runs })))
}

/// The config without what affects no result.
pub(super) fn identity(config: &RunConfig) -> Value {
    let mut value = to_value(config);
    for key in LEFT_OUT.into_iter().chain(CHANGES_NO_NUMBER) {
        remove_key(&mut value, key);
    }
    match &config.model.source {
        Source::Path(_) | Source::Hub(_) | Source::ModelScope(_) | Source::Web(_) => {
            remove_key(&mut value, "model.source");
            remove_key(&mut value, "model.vocab_size");
        }
        Source::Scratch(Scratch::Config(_)) => value["model"]["source"] = "scratch".into(),
        Source::Scratch(Scratch::Folder(_)) => {
            value["model"]["source"] = "scratch".into();
            remove_key(&mut value, "model.vocab_size");
        }
        Source::Scratch(Scratch::Preset(_)) => {}
    }
    // The data's digest covers the files of splits.
    for split in ["dev", "test"] {
        if value["data"][split].is_string() {
            value["data"][split] = "file".into();
        }
    }
    reduce_evaluations(&mut value, config);
    if config.train.early_stopping_patience > 0 && config.train.early_stopping_min_delta > 0.0 {
        value["train"]["early_stopping_from"] = "best".into();
    }
    value
}

/// Of the settings of evaluations and checkpoints in the JSON of a config, leaves what a run's result depends on: which of them chooses its
/// weights, or ends it.
pub fn reduce_evaluations(value: &mut Value, config: &RunConfig) {
    value["checkpoint"]["keep"] = (config.checkpoint.keep == Keep::Best).into();
    if config.checkpoint.keep != Keep::Best && config.train.early_stopping_patience == 0 {
        remove_key(value, "checkpoint.metric");
        remove_key(value, "train.eval_steps");
    }
}

/// A config as JSON.
pub(super) fn to_value(config: &RunConfig) -> Value {
    serde_json::to_value(config).expect("a config holds only text, numbers, lists and maps with text keys")
}

/// SHA-256 over a value in canonical form.
pub(super) fn fingerprint(value: &Value) -> [u8; 32] {
    Sha256::digest(canonical(value)).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Removes a key such as `train.lr` from the JSON of a config.
pub fn remove_key(value: &mut Value, key: &str) {
    let (parent, last) = match key.split_once('.') {
        Some((section, last)) => (&mut value[section], last),
        None => (value, key),
    };
    parent.as_object_mut().and_then(|section| section.shift_remove(last));
}

/// JSON without spaces, with sorted keys and a unique form of each number: whole numbers without a point, others as the shortest
/// digits that read back as the same double, with an exponent. It is implemented here so that it depends on no library's choices.
pub(super) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            let inner: Vec<_> =
                entries.iter().map(|(key, v)| format!("{}:{}", Value::from(key.as_str()), canonical(v))).collect();
            format!("{{{}}}", inner.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        // Below 2^53 each whole number is exactly one double; -0 becomes 0.
        Value::Number(n) => match n.as_f64() {
            Some(x) if n.is_f64() && x.fract() == 0.0 && x.abs() < 9_007_199_254_740_992.0 => (x as i64).to_string(),
            Some(x) if n.is_f64() => format!("{x:e}"),
            _ => n.to_string(),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::full_config;
    use super::*;

    fn digests() -> Digests {
        Digests { data: "d".repeat(64), model: "a".repeat(64) }
    }

    fn key(config: &RunConfig) -> String {
        run_key(config, &digests(), 1, false)
    }

    fn read(value: &Value) -> Option<RunConfig> {
        serde_json::from_value(value.clone()).ok()
    }

    /// Stored runs are found by this key: if it changes, all earlier results are recomputed. If that is intended, put the new key
    /// here and say so in the changelog.
    #[test]
    fn the_key_of_a_fixed_config_stays() {
        assert_eq!(key(&full_config()), "c4943b551acc506c04a231923d2708a70293e885078bddb012be244c88c69ad5");
    }

    #[test]
    fn the_canonical_form_is_unique() {
        let a: Value = serde_json::from_str(r#"{"b": [1.0, 0.00001, -0.0], "a": "x\"é"}"#).unwrap();
        assert_eq!(canonical(&a), r#"{"a":"x\"é","b":[1,1e-5,0]}"#);
        assert_eq!(
            canonical(&json!([u64::MAX, 1e300, 0.1 + 0.2, null, true])),
            format!("[{},1e300,3.0000000000000004e-1,null,true]", u64::MAX)
        );
    }

    /// Other values of the same type, so that the result is still a config.
    fn other_values(value: &Value) -> Vec<Value> {
        match value {
            Value::Bool(b) => vec![(!b).into()],
            Value::Number(n) if n.is_f64() => vec![(n.as_f64().unwrap() + 0.125).into()],
            Value::Number(n) => vec![(n.as_u64().unwrap() + 1).into()],
            // Text or an enum's name: one of these is valid.
            Value::String(s) => [
                &format!("{s}x"),
                "tsv",
                "bf16",
                "cosine",
                "last",
                "macro_f1",
                "path:elsewhere",
                "scratch:small",
                "3/5",
            ]
            .map(Value::from)
            .to_vec(),
            _ => unreachable!("leaves only"),
        }
    }

    /// Every leaf of a config, as a JSON pointer.
    fn leaves(value: &Value, at: String, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => map.iter().for_each(|(key, v)| leaves(v, format!("{at}/{key}"), found)),
            Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| leaves(v, format!("{at}/{i}"), found)),
            _ => found.push(at),
        }
    }

    /// Goes through all fields that exist: a new field is either in the key or named here.
    #[test]
    fn every_field_counts_except_those_left_out() {
        let config = full_config();
        let value = to_value(&config);
        let mut all = Vec::new();
        leaves(&value, String::new(), &mut all);
        assert!(all.len() > 40, "{all:?}");
        let mut unmoved = Vec::new();
        for leaf in &all {
            let changed: Vec<RunConfig> = other_values(value.pointer(leaf).unwrap())
                .into_iter()
                .filter_map(|other| {
                    let mut value = value.clone();
                    *value.pointer_mut(leaf).unwrap() = other;
                    read(&value)
                })
                .filter(|changed| *changed != config)
                .collect();
            assert!(!changed.is_empty(), "no other value found for {leaf}");
            let moved: Vec<bool> = changed.iter().map(|changed| key(changed) != key(&config)).collect();
            assert!(moved.iter().all(|m| *m == moved[0]), "{leaf}: some values count and some do not");
            if !moved[0] {
                unmoved.push(leaf.as_str());
            }
        }
        let left_out = [
            "/name",
            "/data/source",
            "/train/log_steps",
            "/checkpoint/every_steps",
            "/checkpoint/every_minutes",
            "/probes/0/text",
            "/probes/0/expect",
        ];
        assert_eq!(unmoved, left_out);
    }

    #[test]
    fn options_count_if_they_are_set() {
        let base = full_config();
        let value = to_value(&base);
        for key_ in ["/data/file", "/data/format", "/data/limit", "/train/max_steps", "/train/dropout"] {
            let (section, field) = key_[1..].split_once('/').unwrap();
            let mut without = value.clone();
            without[section].as_object_mut().unwrap().remove(field).unwrap();
            assert_ne!(key(&read(&without).unwrap()), key(&base), "{key_}");
        }
    }

    #[test]
    fn files_count_by_digest_and_engines_by_version() {
        let config = full_config();
        let base = key(&config);
        assert_ne!(run_key(&config, &Digests { data: "e".repeat(64), ..digests() }, 1, false), base);
        assert_ne!(run_key(&config, &Digests { model: "e".repeat(64), ..digests() }, 1, false), base);
        assert_ne!(run_key(&config, &digests(), 2, false), base);
    }

    /// Runs of earlier versions keep their keys, except if another macro-F1 may have chosen other weights.
    #[test]
    fn the_labels_of_macro_f1_count_if_it_chooses_and_a_label_is_absent() {
        for (metric, keep, patience, counts) in [
            (Metric::MacroF1, Keep::Best, 0, true),
            (Metric::MacroF1, Keep::Last, 2, true),
            (Metric::MacroF1, Keep::Last, 0, false),
            (Metric::Accuracy, Keep::Best, 2, false),
            (Metric::Loss, Keep::Best, 0, false),
        ] {
            let mut config = full_config();
            (config.checkpoint.metric, config.checkpoint.keep) = (metric, keep);
            config.train.early_stopping_patience = patience;
            assert_eq!(run_key(&config, &digests(), 1, true) != key(&config), counts, "{metric:?} {keep:?} {patience}");
        }
    }

    #[test]
    fn a_loaded_model_counts_by_its_digest_alone() {
        let with = |source: &str, vocab_size| {
            let mut config = full_config();
            config.model.source = source.to_string().try_into().unwrap();
            config.model.vocab_size = vocab_size;
            key(&config)
        };
        assert_eq!(with("path:a", 1), with("hf:a/b@main", 2));
        assert_eq!(with("path:a", 1), with("modelscope:a/b", 2));
        assert_eq!(with("scratch:a/x.json", 1), with("scratch:b/y.json", 1));
        assert_ne!(with("scratch:a/x.json", 1), with("scratch:a/x.json", 2));
        assert_eq!(with("scratch:a/rbt3/", 1), with("scratch:b/", 2));
        assert_ne!(with("scratch:rbt3/", 1), with("scratch:rbt3", 1));
        assert_ne!(with("scratch:rbt3/", 1), with("path:rbt3", 1));
        assert_ne!(with("scratch:tiny", 1), with("scratch:small", 1));
        assert_ne!(with("scratch:tiny", 1), with("path:tiny", 1));
    }

    #[test]
    fn the_reference_of_min_delta_counts_if_early_stopping_is_on() {
        let marked = |patience, min_delta| {
            let mut config = full_config();
            (config.train.early_stopping_patience, config.train.early_stopping_min_delta) = (patience, min_delta);
            identity(&config)["train"].get("early_stopping_from").is_some()
        };
        let cases = [(0, 0.0), (0, 0.1), (2, 0.0), (2, 0.1)];
        assert_eq!(cases.map(|(patience, min_delta)| marked(patience, min_delta)), [false, false, false, true]);
    }

    #[test]
    fn evaluations_count_only_if_something_depends_on_them() {
        let with = |keep, patience, metric, eval_steps| {
            let mut config = full_config();
            config.checkpoint.keep = keep;
            config.checkpoint.metric = metric;
            config.train.early_stopping_patience = patience;
            config.train.eval_steps = eval_steps;
            key(&config)
        };
        use crate::plan::Metric::{Accuracy, Loss};
        for other in [with(Keep::All, 0, Accuracy, 0), with(Keep::None, 0, Loss, 0), with(Keep::Last, 0, Accuracy, 9)] {
            assert_eq!(with(Keep::Last, 0, Accuracy, 0), other);
        }
        for (keep, patience) in [(Keep::Best, 0), (Keep::Last, 2)] {
            let base = with(keep, patience, Accuracy, 0);
            assert_ne!(base, with(keep, patience, Loss, 0));
            assert_ne!(base, with(keep, patience, Accuracy, 9));
            assert_ne!(base, with(Keep::Last, 0, Accuracy, 0));
        }
    }
}
