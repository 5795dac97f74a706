//! Trials of a sweep that are compared although their rows differ, and trials that differ although they compute the same.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
};

use serde_json::Value;

use crate::{
    data::Dataset,
    execute::Prepared,
    format::{and, by_number, count, counted},
    plan::{
        CHANGES_NO_NUMBER, DataConfig, LongTexts, RunConfig,
        sanity::{EvaluatedRows, SweptRun, on_different_rows},
    },
    warning::{Kind, Warning},
};

/// Both warnings, about `runs`, which `swept` describes one by one.
pub(super) fn warnings(runs: &[Prepared], swept: &[SweptRun]) -> Vec<Warning> {
    [on_other_rows(runs, swept), same_computation(runs)].into_iter().flatten().collect()
}

/// That trials are evaluated on different rows.
fn on_other_rows(runs: &[Prepared], swept: &[SweptRun]) -> Option<Warning> {
    let of_rows = |run: &Prepared| DataConfig { fold: None, ..run.config.data.without_lengths() };
    let first = of_rows(runs.first()?);
    if runs.iter().all(|run| of_rows(run) == first) {
        return None;
    }
    let mut known = HashMap::new();
    let rows = runs.iter().map(|run| {
        let of = (Arc::as_ptr(&run.dataset), Arc::as_ptr(&run.splits));
        *known.entry(of).or_insert_with(|| EvaluatedRows {
            dev: identity(&run.dataset, &run.splits.dev),
            test: identity(&run.dataset, &run.splits.test),
        })
    });
    on_different_rows(swept, &rows.collect::<Vec<_>>())
}

/// Identifies rows by their files' contents and their lines, whatever is read of them; `None` if there are none.
fn identity(dataset: &Dataset, rows: &[u32]) -> Option<u64> {
    let file = |row: u32| dataset.files.iter().position(|file| file.rows.contains(&row));
    let mut at: Vec<(Option<usize>, u64)> =
        rows.iter().map(|row| (file(*row), dataset.rows[*row as usize].line)).collect();
    at.sort_unstable();
    let mut hasher = DefaultHasher::new();
    for same_file in at.chunk_by(|a, b| a.0 == b.0) {
        let sources = same_file[0].0.map_or(&dataset.sources, |file| &dataset.files[file].sources);
        sources.iter().for_each(|source| source.sha256.hash(&mut hasher));
        same_file.iter().for_each(|(_, line)| line.hash(&mut hasher));
    }
    (!rows.is_empty()).then(|| hasher.finish())
}

/// That trials compute the same, because the settings in which they differ have no effect in them.
fn same_computation(runs: &[Prepared]) -> Option<Warning> {
    let mut groups: HashMap<String, Vec<&Prepared>> = HashMap::new();
    let mut seen = HashSet::new();
    // Runs with equal keys are one run, which another warning says.
    for run in runs.iter().filter(|run| seen.insert(&run.key)) {
        groups.entry(run.effective_key()).or_default().push(run);
    }
    let mut pairs: Vec<(&Prepared, &Prepared, Option<usize>)> = Vec::new();
    for group in groups.into_values().filter(|group| group.len() > 1) {
        let long = |run: &Prepared| run.config.data.long_texts();
        let longest = match group.iter().all(|run| long(run) == long(group[0])) {
            true => None,
            false => longest_text(&group),
        };
        // How long texts are read has no effect where there are none.
        let effective = |run: &Prepared| -> Option<LongTexts> {
            Some(long(run)).filter(|long| longest.is_none_or(|longest| longest > long.max_length))
        };
        let mut first: Vec<&Prepared> = Vec::new();
        for run in group {
            match first.iter().find(|known| effective(known) == effective(run)) {
                Some(known) => pairs.push((known, run, longest.filter(|_| long(known) != long(run)))),
                None => first.push(run),
            }
        }
    }
    let position = |run: &Prepared| runs.iter().position(|of| of.key == run.key);
    pairs.sort_by_key(|(a, b, _)| (position(a), position(b)));
    let (a, b, longest) = pairs.first()?;
    let trials: BTreeSet<(usize, usize)> = pairs.iter().map(|(a, b, _)| (a.trial, b.trial)).collect();
    let more = match trials.len() as u64 - 1 {
        0 => String::new(),
        n => format!(" (and {} more {})", count(n), by_number(n, "pair", "pairs")),
    };
    let keys = different(&a.config, &b.config);
    let longest = match longest {
        Some(longest) => format!(" (no text has more than {})", counted(*longest as u64, "token")),
        None => String::new(),
    };
    let many = keys.len() as u64;
    // They have an effect, but the same one.
    let why = match keys.iter().all(|key| key.starts_with("train.warmup_")) {
        true => format!("{} {} the same number of warmup steps", and(&keys), by_number(many, "gives", "give")),
        false => format!("{} {} no effect here{longest}", and(&keys), by_number(many, "has", "have")),
    };
    let message = format!(
        "`{}` and `{}`{more} compute the same, because {why}, but each is trained and ranked: remove one of them",
        a.name, b.name,
    );
    Some(Warning::new(Kind::Sweep, message))
}

/// Tokens of the longest text of these runs, which read the same texts: exact unless it is too long for all of them. Tokenises all rows;
/// `None` if that fails, which is said where a run needs them.
fn longest_text(runs: &[&Prepared]) -> Option<usize> {
    let run = runs.iter().max_by_key(|run| run.config.data.max_length)?;
    run.tokens.whole_lengths().ok()?.into_iter().max()
}

/// The keys in which two runs differ, without those that change no number anyway.
fn different(a: &RunConfig, b: &RunConfig) -> Vec<String> {
    let [a, b] = [a, b].map(|config| serde_json::to_value(config).unwrap_or_default());
    let mut keys = BTreeSet::new();
    for section in ["model", "data", "train", "checkpoint"] {
        let (a, b) = (&a[section], &b[section]);
        let names = [a, b].into_iter().filter_map(Value::as_object).flat_map(serde_json::Map::keys);
        let differ = names.filter(|name| a.get(*name) != b.get(*name)).map(|name| format!("{section}.{name}"));
        keys.extend(differ.filter(|key| !CHANGES_NO_NUMBER.contains(&key.as_str())));
    }
    keys.into_iter().collect()
}
