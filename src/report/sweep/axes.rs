//! The axes of a sweep: the keys in which its trials differ, and the values that they take.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::format::names;
use crate::report::language::tr;
use crate::report::{format, swept::Swept};

/// Keys that repeat a trial instead of changing it.
const REPLICATES: [&str; 2] = ["train.seed", "data.fold"];
/// Up to this many different numbers are shown one by one; more are put into ranges.
const MOST_NUMBERS: usize = 10;
/// Ranges of an axis with more numbers, at most.
const MOST_RANGES: usize = 5;
/// Positive numbers of which the largest is at least this many times the smallest, and most of which are in the lowest part of their range, have
/// a logarithmic scale.
const LOG_FROM: f64 = 50.0;
/// That part of the range.
const LOW: f64 = 0.1;

/// How the values of an axis are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// As names, in the order of the plan.
    Names,
    /// As numbers.
    Linear,
    /// As logarithms of positive numbers.
    Log,
}

/// An axis: a key, or several keys that vary together.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// The key in a spec: `train.lr`; of several, separated by ` + `.
    pub key: String,
    /// Its last part if that is unique: `lr`.
    pub name: String,
    /// How its values are arranged.
    pub scale: Scale,
    /// The value of each trial as text, by the trial's position in the analysis' groups.
    pub values: Vec<String>,
    /// The value of each trial as a number.
    pub numbers: Vec<Option<f64>>,
    /// Its values, or ranges of them, in order.
    pub levels: Vec<Level>,
    /// The level of each trial.
    pub level_of: Vec<usize>,
}

/// A value of an axis, or a range of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Level {
    /// As text: `1e-4`, `1e-4 to 3e-4`.
    pub text: String,
    /// The lowest and the highest number; `None` for names.
    pub range: Option<(f64, f64)>,
}

impl Axis {
    /// Degrees of freedom: one less than it has levels.
    pub fn degrees(&self) -> usize {
        self.levels.len().saturating_sub(1)
    }

    /// Whether its levels are ranges of numbers.
    pub fn has_ranges(&self) -> bool {
        self.levels.iter().any(|level| level.range.is_some_and(|(low, high)| low < high))
    }

    /// A number as its position on the axis, with any origin and unit.
    pub fn position(&self, number: f64) -> f64 {
        if self.scale == Scale::Log { number.ln() } else { number }
    }
}

/// The axes of trials, of each of which `runs` has a run. They are in the order of the spec, which `name`, the name of a run, has. `drawn`:
/// whether a search may have drawn their values.
pub fn axes(swept: &Swept, runs: &[usize], name: &str, drawn: bool) -> Vec<Axis> {
    let columns = swept
        .columns(runs)
        .filter(|(key, _)| !REPLICATES.contains(&key.as_str()))
        .filter(|(_, values)| values.iter().any(|value| value != &values[0]));
    let short = |key: &str| key.rsplit('.').next().unwrap_or(key).to_string();
    let words: Vec<&str> = names::settings(name).map(|(key, _)| key).collect();
    let position = |key: &str| words.iter().position(|word| *word == key || *word == short(key)).unwrap_or(words.len());
    let mut columns: Vec<(String, Vec<String>)> = columns.collect();
    columns.sort_by_key(|(key, _)| position(key));
    let merged = together(columns, drawn);
    let mut uses: HashMap<String, usize> = HashMap::new();
    merged.iter().flat_map(|(keys, _)| keys).for_each(|key| *uses.entry(short(key)).or_default() += 1);
    let name = |key: &String| if uses[&short(key)] == 1 { short(key) } else { key.clone() };
    let axis = |(keys, values): (Vec<String>, Vec<String>)| {
        let names: Vec<String> = keys.iter().map(name).collect();
        axis(keys.join(" + "), names.join(" + "), values)
    };
    merged.into_iter().map(axis).collect()
}

/// Joins keys that vary together, such as those of `sweep.zip`: where a value of one always comes with the same value of the other. If a
/// search may have drawn them, numbers that are different in all trials say nothing about each other.
fn together(columns: Vec<(String, Vec<String>)>, may_be_drawn: bool) -> Vec<(Vec<String>, Vec<String>)> {
    let distinct = |values: &[String]| values.iter().collect::<HashSet<_>>().len();
    let drawn = |values: &[String]| {
        let all_differ = distinct(values) == values.len() && values.len() > 2;
        may_be_drawn && all_differ && values.iter().all(|value| number(value).is_some())
    };
    let mut merged: Vec<(Vec<String>, Vec<Vec<String>>)> = Vec::new();
    for (key, values) in columns {
        let same = |other: &[String]| {
            let pairs: HashSet<(&String, &String)> = other.iter().zip(&values).collect();
            !drawn(&values) && !drawn(other) && pairs.len() == distinct(other) && pairs.len() == distinct(&values)
        };
        match merged.iter().position(|(_, of)| same(&of[0])) {
            Some(at) => {
                merged[at].0.push(key);
                merged[at].1.push(values);
            }
            None => merged.push((vec![key], vec![values])),
        }
    }
    let shown = |value: &str| number(value).map_or_else(|| value.to_string(), crate::format::setting);
    let joined = |(keys, values): (Vec<String>, Vec<Vec<String>>)| {
        let of_trial = |trial: usize| {
            // A key that a trial does not have says nothing.
            let texts = values.iter().map(|of| shown(&of[trial])).filter(|text| !text.is_empty());
            texts.collect::<Vec<_>>().join(", ")
        };
        let texts = (0..values[0].len()).map(of_trial).collect();
        (keys, texts)
    };
    merged.into_iter().map(joined).collect()
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// The axis of a key with these values of the trials.
pub(super) fn axis(key: String, name: String, values: Vec<String>) -> Axis {
    let numbers: Vec<Option<f64>> = values.iter().map(|value| number(value)).collect();
    let all: Option<Vec<f64>> = numbers.iter().copied().collect();
    let values = values.into_iter().map(|value| if value.is_empty() { format::NOTHING.into() } else { value });
    let values: Vec<String> = values.collect();
    let Some(all) = all else {
        let mut seen = HashSet::new();
        let texts: Vec<&String> = values.iter().filter(|value| seen.insert(*value)).collect();
        let level_of = values.iter().map(|value| texts.iter().position(|text| *text == value).unwrap_or(0)).collect();
        let levels = texts.into_iter().map(|text| Level { text: text.clone(), range: None }).collect();
        return Axis { key, name, scale: Scale::Names, numbers: vec![None; values.len()], levels, level_of, values };
    };
    let (levels, level_of) = levels_of(&all);
    let (low, high) = all.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let mut sorted = all.clone();
    sorted.sort_by(f64::total_cmp);
    let skewed = high / low >= LOG_FROM && sorted[sorted.len() / 2] - low < LOW * (high - low);
    sorted.dedup();
    // 16, 32, 64: each at least about twice the one before it.
    let doubles = sorted.len() > 2 && sorted.len() <= MOST_NUMBERS && sorted.windows(2).all(|w| w[1] >= 1.9 * w[0]);
    let is_log = low > 0.0 && (skewed || doubles || name == "lr" || name.ends_with("_lr"));
    Axis { key, name, scale: if is_log { Scale::Log } else { Scale::Linear }, values, numbers, levels, level_of }
}

/// The levels of numbers, and the level of each: their values, or ranges that hold about the same number of them.
fn levels_of(numbers: &[f64]) -> (Vec<Level>, Vec<usize>) {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let mut distinct = sorted.clone();
    distinct.dedup();
    let begins: Vec<f64> = match distinct.len() <= MOST_NUMBERS {
        true => distinct,
        false => {
            let ranges = (sorted.len() / 4).clamp(2, MOST_RANGES);
            let mut begins: Vec<f64> = (0..ranges).map(|i| sorted[i * sorted.len() / ranges]).collect();
            begins.dedup();
            begins
        }
    };
    let level = |number: f64| begins.partition_point(|begin| *begin <= number).saturating_sub(1);
    let ends: Vec<(f64, f64)> = (0..begins.len())
        .map(|at| {
            let own = || sorted.iter().copied().filter(|number| level(*number) == at);
            (own().fold(f64::INFINITY, f64::min), own().fold(f64::NEG_INFINITY, f64::max))
        })
        .collect();
    // Of a range two digits are enough, unless it would then seem to begin where the one before it ends; the tables have all.
    let rounded = |number: f64, digits: usize| -> f64 { format!("{number:.digits$e}").parse().unwrap_or(number) };
    let apart = |digits: &usize| ends.windows(2).all(|pair| rounded(pair[0].1, *digits) < rounded(pair[1].0, *digits));
    let digits = (1..=8).find(apart).unwrap_or(8);
    let shown = |number: f64| crate::format::setting(rounded(number, digits));
    let of_level = |&(low, high): &(f64, f64)| Level {
        text: match low < high {
            true => tr!("{} to {}", "{} 至 {}", shown(low), shown(high)),
            false => crate::format::setting(low),
        },
        range: Some((low, high)),
    };
    let levels = ends.iter().map(of_level).collect();
    (levels, numbers.iter().map(|number| level(*number)).collect())
}

/// The levels that occur among these trials.
pub fn occurring(axis: &Axis, trials: impl Iterator<Item = usize>) -> BTreeSet<usize> {
    trials.map(|trial| axis.level_of[trial]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| value.to_string()).collect()
    }

    #[test]
    fn numbers_are_in_numeric_order_and_learning_rates_on_a_logarithmic_scale() {
        let rates = axis("train.lr".into(), "lr".into(), texts(&["0.001", "0.0003", "0.001", "0.003"]));
        let names: Vec<&str> = rates.levels.iter().map(|level| level.text.as_str()).collect();
        assert_eq!((names, rates.scale), (vec!["3e-4", "1e-3", "3e-3"], Scale::Log));
        assert_eq!(rates.level_of, [1, 0, 1, 2]);
        let sizes = axis("train.batch_size".into(), "batch_size".into(), texts(&["32", "8", "16"]));
        assert_eq!((sizes.scale, &sizes.level_of[..]), (Scale::Log, &[2, 0, 1][..]), "they double");
        let epochs = axis("train.epochs".into(), "epochs".into(), texts(&["1", "2", "3"]));
        assert_eq!(epochs.scale, Scale::Linear);
        let decay = axis("train.weight_decay".into(), "weight_decay".into(), texts(&["0", "0.1"]));
        assert_eq!(decay.scale, Scale::Linear, "zero has no logarithm");
        let names = axis("train.scheduler".into(), "scheduler".into(), texts(&["linear", "cosine", "linear"]));
        assert_eq!((names.scale, &names.level_of[..]), (Scale::Names, &[0, 1, 0][..]));
    }

    #[test]
    fn many_numbers_are_put_into_ranges_of_about_the_same_size() {
        let numbers: Vec<String> = (1..=40).map(|i| (f64::from(i) / 1000.0).to_string()).collect();
        let axis = axis("train.dropout".into(), "dropout".into(), numbers);
        assert!(axis.has_ranges() && axis.levels.len() == MOST_RANGES, "{:?}", axis.levels);
        for level in 0..MOST_RANGES {
            assert_eq!(axis.level_of.iter().filter(|of| **of == level).count(), 8);
        }
        assert_eq!(axis.levels[0].text, "1e-3 to 8e-3");
        // With two digits the first would end at 1e-3 and the second begin there.
        let close: Vec<String> =
            (0..8).map(|i| (1e-3 + f64::from(i) * 1e-6).to_string()).chain((0..4).map(|i| i.to_string())).collect();
        let axis = super::axis("a".into(), "a".into(), close);
        let names: Vec<&str> = axis.levels.iter().map(|level| level.text.as_str()).collect();
        assert_eq!(names, ["0 to 1.002e-3", "1.003e-3 to 1.006e-3", "1.007e-3 to 3"]);
        // Many equal values stay in one range.
        let numbers: Vec<String> = (0..40).map(|i| if i < 30 { "0".into() } else { i.to_string() }).collect();
        let axis = super::axis("a".into(), "a".into(), numbers);
        assert!((0..30).all(|trial| axis.level_of[trial] == 0), "{:?}", axis.levels);
    }

    #[test]
    fn keys_that_vary_together_are_one_axis_and_drawn_numbers_are_not() {
        let column = |key: &str, values: &[&str]| (key.to_string(), texts(values));
        let zip = together(
            vec![
                column("train.batch_size", &["8", "8", "16", "16"]),
                column("train.lr", &["1e-3", "1e-3", "0.002", "0.002"]),
                column("train.scheduler", &["linear", "cosine", "linear", "cosine"]),
            ],
            true,
        );
        assert_eq!(zip.len(), 2);
        assert_eq!(zip[0].0, ["train.batch_size", "train.lr"]);
        assert_eq!(zip[0].1, ["8, 1e-3", "8, 1e-3", "16, 2e-3", "16, 2e-3"]);
        let three = || vec![column("a", &["0.1", "0.2", "0.3"]), column("b", &["5", "4", "6"])];
        assert_eq!(together(three(), true).len(), 2);
        // In a grid they are those of a zip.
        let zip = together(three(), false);
        assert_eq!((zip.len(), &zip[0].1[..]), (1, &texts(&["0.1, 5", "0.2, 4", "0.3, 6"])[..]));
    }
}
