//! The settings and the environments in which the sides differ.

use serde::Serialize;

use super::side::Side;
use crate::report::language::tr;
use crate::{
    format::{NOTHING, setting},
    plan::{Fallback, RunConfig, Scratch, Source, key_of_spec},
    report::{
        environment::environments,
        fold_rows::FoldRows,
        input::{ReportInput, RunInput},
        row_names::RowNames,
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
        row_names: RowNames::default(),
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
            let of_runs =
                of_side.zip(&side.runs).filter_map(|(at_run, run)| Some((swept.values(at_run).nth(at)?, run)));
            all_of(of_runs.map(|(value, run)| match (unused(&run.run.config, &key), value.is_empty()) {
                (Some(why), _) => why.into(),
                // A setting that the run does not write has a value all the same.
                (None, true) => effective(&serde_json::to_value(&run.run.config).unwrap_or_default(), &key),
                (None, false) => written(&value),
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

/// Why a run does not use a key that its config has a value of; `None` if it uses it. Where no side does, all values are alike.
fn unused(config: &RunConfig, key: &str) -> Option<&'static str> {
    let train = &config.train;
    match key {
        "model.vocab_size"
            if !matches!(config.model.source, Source::Scratch(Scratch::Preset(_) | Scratch::Config(_))) =>
        {
            Some(tr("unused: the model has its vocabulary", "未使用：模型自带词表"))
        }
        "train.epochs" if train.max_steps.is_some() => {
            Some(tr("unused: train.max_steps decides", "未使用：由 train.max_steps 决定"))
        }
        "train.warmup_ratio" if train.warmup_steps > 0 => {
            Some(tr("unused: train.warmup_steps decides", "未使用：由 train.warmup_steps 决定"))
        }
        "train.early_stopping_min_delta" if train.early_stopping_patience == 0 => {
            Some(tr("unused: nothing stops early", "未使用：没有提前停止"))
        }
        _ => None,
    }
}

/// The value that a run has of a key that differs in others, as it is written: what its config has, or else what an unset key means.
fn effective(config: &serde_json::Value, key: &str) -> String {
    let own = in_config(config, key);
    match key_of_spec(key).map(|key| key.default) {
        _ if !own.is_empty() => written(&own),
        Some(Fallback::Is(default)) => written(default.trim_matches('"')),
        Some(Fallback::SameAs(other)) => match in_config(config, other) {
            unset if unset.is_empty() => tr!("unset: {other}"; "未设置"),
            value => written(&value),
        },
        Some(Fallback::Absent(meaning)) => tr!("unset: {}", meaning.replace('`', ""); "未设置"),
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
    use crate::store::testing;

    /// What a side does not use is no setting of it, and none where neither side does.
    #[test]
    fn settings_that_do_not_apply_are_not_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let run = testing::store_with_run(folder.path()).run("k").unwrap();
        let side = |edit: &dyn Fn(&mut RunConfig)| {
            let mut run = run.clone();
            edit(&mut run.config);
            let (steps, evals, probes) = (Vec::new(), Vec::new(), Vec::new());
            let (predictions, before, warnings, audit) = (Vec::new(), Vec::new(), Vec::new(), None);
            let row_names = RowNames::default();
            Side::of_run(RunInput { run, steps, evals, probes, predictions, row_names, before, warnings, audit })
        };
        let told = |a: &dyn Fn(&mut RunConfig), b: &dyn Fn(&mut RunConfig)| {
            let of =
                settings(&[side(a), side(b)]).into_iter().map(|of| format!("{}: {}", of.key, of.values.join(" | ")));
            of.collect::<Vec<_>>()
        };
        let epochs = |max_steps: Option<u64>, epochs| {
            move |c: &mut RunConfig| (c.train.max_steps, c.train.epochs) = (max_steps, epochs)
        };
        assert_eq!(told(&epochs(Some(9), 3), &epochs(Some(9), 5)), [""; 0]);
        assert_eq!(told(&epochs(None, 3), &epochs(None, 5)), ["train.epochs: 3 | 5"]);
        assert_eq!(
            told(&epochs(Some(9), 3), &epochs(None, 5)),
            ["train.epochs: unused: train.max_steps decides | 5", "train.max_steps: 9 | unset: train.epochs decides"]
        );
        let model = |source: &str, size| {
            let source: Source = serde_json::from_value(source.into()).unwrap();
            move |c: &mut RunConfig| (c.model.source, c.model.vocab_size) = (source.clone(), size)
        };
        assert_eq!(told(&model("path:m", 100), &model("path:m", 200)), [""; 0]);
        assert_eq!(told(&model("scratch:tiny", 100), &model("scratch:tiny", 200)), ["model.vocab_size: 100 | 200"]);
        let waits = |patience, delta| {
            move |c: &mut RunConfig| {
                (c.train.early_stopping_patience, c.train.early_stopping_min_delta) = (patience, delta);
            }
        };
        assert_eq!(told(&waits(0, 0.0), &waits(0, 0.1)), [""; 0]);
        assert_eq!(told(&waits(2, 0.0), &waits(2, 0.1)), ["train.early_stopping_min_delta: 0 | 0.1"]);
    }

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
