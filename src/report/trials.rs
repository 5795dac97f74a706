//! Which runs belong together, and by what each is judged. Pure functions of records.

use std::{cmp::Ordering, collections::HashMap};

use serde_json::{Value, json};

use crate::{
    event::{Split, When},
    metrics::Metrics,
    plan::{Keep, Metric, RunConfig},
    store::EvalRecord,
};

/// Positions of what is equal, in the order of the first of each.
pub fn grouped<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut place: HashMap<K, usize> = HashMap::new();
    for (i, key) in keys.enumerate() {
        let group = *place.entry(key).or_insert(groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(i);
    }
    groups
}

/// What the runs of one trial have in common: the resolved config without `train.seed` and what follows it, and without
/// what changes no number, as text.
pub fn trial(config: &RunConfig) -> String {
    let train = &config.train;
    let mut seeds = vec!["seed"];
    let followers = [("init_seed", train.init_seed), ("order_seed", train.order_seed)];
    // One that is set apart is what the sweep is about.
    seeds.extend(followers.iter().filter(|(_, seed)| *seed == train.seed).map(|(key, _)| *key));
    without(config, seeds.into_iter().map(|key| ("train", key)))
}

/// As [`trial`], but without any seed, that of the split among them.
pub fn without_seeds(config: &RunConfig) -> String {
    without(config, [("train", "seed"), ("train", "init_seed"), ("train", "order_seed"), ("data", "seed")])
}

fn without<'a>(config: &RunConfig, seeds: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut config = json!({
        "model": config.model,
        "data": config.data,
        "train": config.train,
        "checkpoint": config.checkpoint,
    });
    let no_numbers = [("train", "log_steps"), ("checkpoint", "every_steps"), ("checkpoint", "every_minutes")];
    for (table, key) in seeds.into_iter().chain(no_numbers) {
        config.get_mut(table).and_then(Value::as_object_mut).and_then(|table| table.shift_remove(key));
    }
    config.to_string()
}

/// The words that all names of a group share. `several`: there are other groups.
pub fn common_name(names: &[&str], several: bool) -> String {
    let Some((first, rest)) = names.split_first() else { return String::new() };
    if rest.is_empty() {
        return (*first).to_string();
    }
    let in_all = |word: &&str| rest.iter().all(|name| name.split_whitespace().any(|other| other == *word));
    let shared: Vec<&str> = first.split_whitespace().filter(in_all).collect();
    match shared.is_empty() {
        false => shared.join(" "),
        true if several => format!("{first} and its other seeds"),
        true => "all seeds".into(),
    }
}

/// Figures of the kept weights on `split`: as evaluated after training, or else as when they were kept.
pub fn kept<'a>(config: &RunConfig, evals: &'a [EvalRecord], split: Split, by: Metric) -> Option<&'a Metrics> {
    let on_split = || evals.iter().filter(|e| e.split == split);
    let finite = |m: &&Metrics| m.figure(by).is_finite();
    if let Some(after) = on_split().rfind(|e| e.when == When::After) {
        return Some(&after.metrics).filter(finite);
    }
    let mut during = on_split().filter(|e| e.when == When::During).map(|e| &e.metrics).filter(finite);
    match config.checkpoint.keep {
        Keep::Best => during.max_by(|a, b| a.figure(by).total_cmp(&b.figure(by))),
        Keep::Last | Keep::All | Keep::None => during.next_back(),
    }
}

/// The greater figure first, none last.
pub fn better_first(a: Option<f64>, b: Option<f64>) -> Ordering {
    b.unwrap_or(f64::NEG_INFINITY).total_cmp(&a.unwrap_or(f64::NEG_INFINITY))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> RunConfig {
        serde_json::from_str(include_str!("../../tests/fixtures/store_config.json")).unwrap()
    }

    #[test]
    fn runs_of_a_trial_differ_in_their_seed_only() {
        let with = |seed, init_seed, data_seed, log_steps, lr| {
            let mut config = config();
            (config.train.seed, config.train.init_seed, config.train.order_seed) = (seed, init_seed, seed);
            (config.data.seed, config.train.log_steps, config.train.lr) = (data_seed, log_steps, lr);
            config.name = format!("{seed}");
            config
        };
        let runs = [
            with(1, 1, 7, 50, 1e-5),
            with(2, 2, 7, 20, 1e-5),
            with(1, 1, 7, 50, 2e-5),
            with(2, 9, 7, 50, 1e-5), // an axis over train.init_seed
            with(1, 1, 8, 50, 1e-5), // another split
        ];
        assert_eq!(grouped(runs.iter().map(trial)), [vec![0, 1], vec![2], vec![3], vec![4]]);
        assert_eq!(grouped(runs.iter().map(without_seeds)), [vec![0, 1, 3, 4], vec![2]]);
    }

    #[test]
    fn a_group_is_called_by_what_its_names_share() {
        assert_eq!(common_name(&["lr=1e-5 seed=1", "lr=1e-5 seed=2"], true), "lr=1e-5");
        assert_eq!(common_name(&["seed=1", "seed=2"], false), "all seeds");
        assert_eq!(common_name(&["a", "b"], true), "a and its other seeds");
        assert_eq!(
            (common_name(&["lr=1e-5 seed=1"], true), common_name(&[], true)),
            ("lr=1e-5 seed=1".into(), String::new())
        );
    }
}
