//! Whether the trials of a sweep are compared on the same rows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::SweptRun;
use crate::{
    format::and,
    plan::RunConfig,
    warning::{Kind, Warning},
};

/// The rows that a run is evaluated on: of each split an identity of its rows; `None` if it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EvaluatedRows {
    /// Of the rows that choose the checkpoint and rank the trial.
    pub dev: Option<u64>,
    /// Of the rows that are only measured; without dev rows, these rank the trial.
    pub test: Option<u64>,
}

impl EvaluatedRows {
    /// The rows by which its trial is ranked, with the name of the split.
    fn ranks(self) -> (&'static str, Option<u64>) {
        match self.dev {
            Some(_) => ("dev", self.dev),
            None => ("test", self.test),
        }
    }
}

/// A trial: the settings of its first run, and the rows of all its runs (of its folds).
struct Trial<'a> {
    config: &'a RunConfig,
    rows: BTreeSet<EvaluatedRows>,
}

impl Trial<'_> {
    fn ranks(&self) -> BTreeSet<(&'static str, Option<u64>)> {
        self.rows.iter().map(|rows| rows.ranks()).collect()
    }

    fn tested(&self) -> BTreeSet<Option<u64>> {
        self.rows.iter().map(|rows| rows.test).collect()
    }
}

/// The warning that trials are ranked by different rows, or tested on different ones, with the settings that cause it; `rows` are those of
/// each run.
pub fn on_different_rows(runs: &[SweptRun], rows: &[EvaluatedRows]) -> Option<Warning> {
    let mut trials: BTreeMap<usize, Trial> = BTreeMap::new();
    for (run, rows) in runs.iter().zip(rows) {
        let trial = trials.entry(run.trial).or_insert_with(|| Trial { config: run.config, rows: BTreeSet::new() });
        trial.rows.insert(*rows);
    }
    let trials: Vec<Trial> = trials.into_values().collect();
    let first = trials.first()?;
    let differ = |of: &dyn Fn(&Trial) -> bool| trials.iter().any(of);
    let message = if differ(&|trial| trial.ranks() != first.ranks()) {
        let keys = causes(&trials, |a, b| a.ranks() != b.ranks());
        let splits: BTreeSet<&str> = trials.iter().flat_map(Trial::ranks).map(|(split, _)| split).collect();
        let split = if splits.len() == 1 {
            splits.into_iter().map(|split| format!("{split} ")).collect()
        } else {
            String::new()
        };
        format!(
            "the trials are compared on different {split}rows, because the sweep varies {keys}: their ranking compares rows as well as \
             settings; give all trials the same {keys} (sweep.folds trains each trial on several splits, the same for all)"
        )
    } else if differ(&|trial| trial.tested() != first.tested()) {
        let keys = causes(&trials, |a, b| a.tested() != b.tested());
        format!(
            "the trials are compared on the same dev rows, but tested on different test rows, because the sweep varies {keys}: their test \
             metrics cannot be compared; give all trials the same {keys}"
        )
    } else {
        return None;
    };
    Some(Warning::new(Kind::Sweep, message))
}

/// Settings that decide nothing about which rows are evaluated.
const READ_OTHERWISE: [&str; 8] =
    ["max_length", "long", "stride", "head_tokens", "thresholds", "threshold_metric", "calibrate", "fold"];

/// The most trials that are compared pair by pair.
const COMPARED: usize = 100;

/// The keys in which trials differ whose rows do: those that differ alone in a pair, and those of pairs that no such key explains.
fn causes(trials: &[Trial], differ: impl Fn(&Trial, &Trial) -> bool) -> String {
    let data: Vec<Value> = trials
        .iter()
        .take(COMPARED)
        .map(|trial| serde_json::to_value(&trial.config.data).unwrap_or_default())
        .collect();
    let mut pairs: Vec<BTreeSet<&str>> = Vec::new();
    for (i, (a, of_a)) in trials.iter().zip(&data).enumerate() {
        for (_, of_b) in trials.iter().zip(&data).skip(i + 1).filter(|(b, _)| differ(a, b)) {
            pairs.push(different(of_a, of_b));
        }
    }
    let mut keys: BTreeSet<&str> = pairs.iter().filter(|pair| pair.len() == 1).flatten().copied().collect();
    let open: Vec<&str> = pairs.iter().filter(|pair| pair.is_disjoint(&keys)).flatten().copied().collect();
    keys.extend(open);
    let keys: Vec<String> = keys.into_iter().map(|key| format!("data.{key}")).collect();
    if keys.is_empty() { "the data".into() } else { and(&keys) }
}

/// The keys in which two `[data]` tables differ, without those that cannot change the rows.
fn different<'a>(a: &'a Value, b: &'a Value) -> BTreeSet<&'a str> {
    let keys = [a, b].into_iter().filter_map(Value::as_object).flat_map(|table| table.keys().map(String::as_str));
    keys.filter(|key| !READ_OTHERWISE.contains(key) && a.get(*key) != b.get(*key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{resolve, testing::spec};

    /// A trial: its settings (data.test, data.seed, data.max_length) and its rows (dev, test).
    type Case = ((f64, u64, u64), (Option<u64>, Option<u64>));

    /// What is said of these trials.
    fn says(trials: &[Case]) -> Option<String> {
        let config = |(test, seed, max_length): (f64, u64, u64)| {
            let mut spec = spec();
            (spec.data.test, spec.data.seed, spec.data.max_length) = (test.into(), seed, max_length);
            resolve(&spec).unwrap()
        };
        let configs: Vec<RunConfig> = trials.iter().map(|(settings, _)| config(*settings)).collect();
        let runs: Vec<SweptRun> = configs
            .iter()
            .enumerate()
            .map(|(trial, config)| SweptRun { key: "", name: "", trial, config, rows: 1 })
            .collect();
        let rows: Vec<EvaluatedRows> =
            trials.iter().map(|(_, (dev, test))| EvaluatedRows { dev: *dev, test: *test }).collect();
        on_different_rows(&runs, &rows).map(|warning| warning.message)
    }

    #[test]
    fn the_axes_that_change_the_rows_are_named() {
        let (a, b, c, d) = (Some(1), Some(2), Some(3), Some(4));
        let both = says(&[((0.1, 1, 8), (a, a)), ((0.1, 2, 8), (b, b)), ((0.3, 1, 8), (c, c)), ((0.3, 2, 8), (d, d))])
            .unwrap();
        let start = "the trials are compared on different dev rows, because the sweep varies data.seed and data.test: their ranking";
        assert!(both.starts_with(start), "{both}");
        assert!(both.contains("give all trials the same data.seed and data.test ("), "{both}");
        // Only the seed changes them; the length is an axis beside it.
        let seed = says(&[((0.1, 1, 8), (None, a)), ((0.1, 1, 16), (None, a)), ((0.1, 2, 16), (None, b))]).unwrap();
        assert!(
            seed.starts_with("the trials are compared on different test rows, because the sweep varies data.seed: "),
            "{seed}"
        );
        // Both change at once.
        let zipped = says(&[((0.1, 1, 8), (a, a)), ((0.2, 2, 8), (b, b))]).unwrap();
        assert!(zipped.contains("varies data.seed and data.test:"), "{zipped}");
        let some = says(&[((0.1, 1, 8), (a, b)), ((0.2, 1, 8), (None, b))]).unwrap();
        assert!(
            some.starts_with("the trials are compared on different rows, because the sweep varies data.test"),
            "{some}"
        );
    }

    #[test]
    fn the_same_rows_are_not_warned_of() {
        let (a, b) = (Some(1), Some(2));
        assert_eq!(says(&[((0.1, 1, 8), (a, b)), ((0.1, 2, 8), (a, b))]), None, "only training rows change");
        assert_eq!(says(&[((0.1, 1, 8), (a, b)), ((0.1, 1, 16), (a, b))]), None);
        assert_eq!(says(&[((0.1, 1, 8), (a, b))]), None);
        let tested = says(&[((0.1, 1, 8), (a, a)), ((0.3, 1, 8), (a, b))]).unwrap();
        let start = "the trials are compared on the same dev rows, but tested on different test rows, because the sweep varies data.test: ";
        assert!(tested.starts_with(start), "{tested}");
    }

    /// The folds of a trial are runs of it on different rows.
    #[test]
    fn folds_of_a_trial_are_not_trials() {
        let config = resolve(&spec()).unwrap();
        let run = |trial| SweptRun { key: "", name: "", trial, config: &config, rows: 1 };
        let rows = |test| EvaluatedRows { dev: None, test: Some(test) };
        let runs = [run(0), run(0), run(1), run(1)];
        assert_eq!(on_different_rows(&runs, &[rows(1), rows(2), rows(1), rows(2)]), None);
        assert!(on_different_rows(&runs, &[rows(1), rows(2), rows(1), rows(3)]).is_some());
    }
}
