//! The settings and the environments in which the sides differ.

use serde::Serialize;

use super::side::Side;
use crate::report::language::tr;
use crate::{
    format::{NOTHING, setting},
    plan::{Fallback, key_of_spec},
    report::{
        environment::environments,
        fold_rows::FoldRows,
        input::{ReportInput, RunInput},
        swept::Swept,
    },
    store::ExperimentRecord,
};

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differs {
    /// The key of a setting, such as `train.lr`, or what it is of the environment.
    pub key: String,
    /// Its value in each side: of several runs all that occur, separated by commas.
    pub values: Vec<String>,
}

/// The keys of the spec in which the sides differ, in the order of their tables: model, data, train, checkpoint.
pub fn settings(sides: &[Side]) -> Vec<Differs> {
    let experiment = ExperimentRecord {
        name: String::new(),
        description: String::new(),
        spec_path: String::new(),
        arguments: Vec::new(),
        spec_text: String::new(),
        extends: Vec::new(),
        report: serde_json::Value::Null,
        warnings: Vec::new(),
        prunes: false,
        to_come: 0,
        runs: Vec::new(),
        trials: Vec::new(),
    };
    // Their config alone matters.
    let bare = |run: &RunInput| RunInput {
        run: run.run.clone(),
        steps: Vec::new(),
        evals: Vec::new(),
        probes: Vec::new(),
        predictions: Vec::new(),
        before: Vec::new(),
        warnings: Vec::new(),
        audit: None,
    };
    let runs = sides.iter().flat_map(|side| &side.runs).map(bare).collect();
    let input = ReportInput { experiment, runs, folds: FoldRows::default(), leaves_texts_out: false };
    let swept = Swept::of(&input);
    let table =
        |key: &str| ["model", "data", "train", "checkpoint"].iter().position(|t| key.split('.').next() == Some(t));
    let mut found = Vec::new();
    for (at, key) in swept.keys().enumerate() {
        let mut run = 0;
        let values = sides.iter().map(|side| {
            let of_side = run..run + side.runs.len();
            run = of_side.end;
            let configs = side.runs.iter().map(|run| serde_json::to_value(&run.run.config).unwrap_or_default());
            let of_runs = of_side.zip(configs).filter_map(|(run, config)| Some((swept.values(run).nth(at)?, config)));
            all_of(of_runs.map(|(value, config)| match value.is_empty() {
                // A setting that the run does not use has a value all the same.
                true => effective(&config, &key),
                false => written(&value),
            }))
        });
        let values = values.collect();
        found.extend(differs(key, values));
    }
    found.sort_by_key(|differs| table(&differs.key).unwrap_or(usize::MAX));
    found
}

/// What differs between the environments that can change a result: the version of taper and of its arithmetic, the device, the data and the
/// model's files; not threads or the commit of the working folder.
pub fn environment(sides: &[Side]) -> Vec<Differs> {
    const NO_RESULT_DEPENDS_ON: [&str; 2] = ["commit", "threads"];
    let facts: Vec<Vec<(&str, String)>> = sides
        .iter()
        .map(|side| environments(&side.runs).into_iter().flat_map(|shared| shared.facts).collect())
        .collect();
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in facts.iter().flatten() {
        if !names.contains(name) && !NO_RESULT_DEPENDS_ON.contains(name) {
            names.push(name);
        }
    }
    let of = |name: &str| {
        let values = facts.iter().map(|facts| all_of(facts.iter().filter(|(n, _)| *n == name).map(|(_, v)| v.clone())));
        differs(name.into(), values.collect())
    };
    names.into_iter().filter_map(of).collect()
}

/// The value that a run has of a key that differs in others, as it is written: what its config has, or else what an unset key means.
fn effective(config: &serde_json::Value, key: &str) -> String {
    let own = in_config(config, key);
    match key_of_spec(key).map(|key| key.default) {
        _ if !own.is_empty() => written(&own),
        Some(Fallback::Is(default)) => written(default.trim_matches('"')),
        Some(Fallback::Absent(meaning)) => {
            let other = meaning.strip_prefix('`').and_then(|rest| rest.strip_suffix('`'));
            match other.map(|key| in_config(config, key)).filter(|value| !value.is_empty()) {
                Some(value) => written(&value),
                None => tr!("unset: {}", meaning.replace('`', ""); "未设置"),
            }
        }
        _ => tr("unset", "未设置").into(),
    }
}

/// The value of a key in a config; nothing if it has none.
fn in_config(config: &serde_json::Value, key: &str) -> String {
    match config.pointer(&format!("/{}", key.replace('.', "/"))) {
        None | Some(serde_json::Value::Null) => String::new(),
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}

/// A value as it is written in a spec: numbers in their shortest form.
fn written(value: &str) -> String {
    let is_decimal = value.contains(['.', 'e']) && value.chars().all(|c| c.is_ascii_digit() || "+-.e".contains(c));
    match value.parse::<f64>() {
        Ok(number) if is_decimal => setting(number),
        _ if value.is_empty() => tr("unset", "未设置").into(),
        _ => value.into(),
    }
}

/// All values that occur, in the order in which they first do.
fn all_of(values: impl Iterator<Item = String>) -> String {
    let mut found: Vec<String> = Vec::new();
    for value in values {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    if found.is_empty() { NOTHING.into() } else { found.join(", ") }
}

fn differs(key: String, values: Vec<String>) -> Option<Differs> {
    values.iter().any(|value| *value != values[0]).then_some(Differs { key, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_names() {
        let of = ["0.0003", "0.0", "16", "1.0", "", "fp32", "1e-8", "1.2.3"].map(written);
        assert_eq!(of, ["3e-4", "0", "16", "1", "unset", "fp32", "1e-8", "1.2.3"]);
        let config =
            serde_json::json!({"train": {"eval_steps": 0, "max_steps": null}, "checkpoint": {"metric": "loss"}});
        let of =
            ["train.eval_steps", "checkpoint.metric", "train.max_steps", "train.x"].map(|key| in_config(&config, key));
        assert_eq!(of, ["0", "loss", "", ""]);
        // What is not written has the default of the table of keys, the value of another key, or a meaning.
        let of =
            ["train.engine", "data.calibrate", "train.head_lr", "train.dropout", "data.labels.1", "train.max_steps"];
        let config = serde_json::json!({"train": {"lr": 2e-5, "max_steps": null}, "data": {}});
        let want = [
            "fused",
            "false",
            "2e-5",
            "unset: the value in the model's config",
            "unset",
            "unset: train.epochs decides",
        ];
        assert_eq!(of.map(|key| effective(&config, key)), want);
        assert_eq!(effective(&serde_json::json!({"train": {"engine": "candle"}}), "train.engine"), "candle");
        assert_eq!(all_of(["1", "2", "1"].map(String::from).into_iter()), "1, 2");
        assert_eq!(all_of(std::iter::empty()), NOTHING);
    }
}
