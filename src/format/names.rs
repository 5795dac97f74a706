//! Names of runs, such as `lr=2e-5 batch_size=16 seed=3`: the one module that writes and reads their form, settings (`key=value`) with spaces
//! between them. A spec without a sweep has a name that is no list of settings.

use std::fmt;

/// The name with these settings, keys and values, in this order. Neither may contain a space.
pub fn joined<K: fmt::Display, V: fmt::Display>(settings: impl Iterator<Item = (K, V)>) -> String {
    settings.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
}

/// The settings of a name: keys and values in its order. Words that are no setting are left out.
pub fn settings(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.split_whitespace().filter_map(|word| word.split_once('='))
}

/// The settings of a name that consists of settings; `None` if it has other words.
pub fn all_settings(name: &str) -> Option<Vec<(&str, &str)>> {
    name.split_whitespace().map(|word| word.split_once('=')).collect()
}

/// The value that a name has of this key.
pub fn value<'a>(name: &'a str, key: &str) -> Option<&'a str> {
    settings(name).find(|(own, _)| *own == key).map(|(_, value)| value)
}

/// The key of the fold in names.
pub const FOLD: &str = "fold";

/// The keys of the seed in names: the second where another key ends in `seed`, too.
const SEEDS: [&str; 2] = ["seed", "train.seed"];

/// What a group of runs is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Common {
    /// The words that all their names have in common.
    Words(String),
    /// Nothing in common: the name of the first, and what the others are (see [`replicate`]).
    First(String, &'static str),
    /// Nothing in common, and there are no other groups: what the runs are.
    All(&'static str),
}

impl Common {
    /// What the runs are, if the name only says that it is all of them.
    pub fn all(&self) -> Option<&'static str> {
        match self {
            Self::All(runs) => Some(runs),
            Self::Words(_) | Self::First(..) => None,
        }
    }
}

impl fmt::Display for Common {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => f.write_str(words),
            Self::First(name, others) => write!(f, "{name} and its other {others}s"),
            Self::All(runs) => write!(f, "all {runs}s"),
        }
    }
}

/// What the runs with these names are called. `several`: there are other groups.
pub fn common(names: &[&str], several: bool) -> Common {
    let Some((first, rest)) = names.split_first() else { return Common::Words(String::new()) };
    if rest.is_empty() {
        return Common::Words((*first).to_string());
    }
    let in_all = |word: &&str| rest.iter().all(|name| name.split_whitespace().any(|other| other == *word));
    let shared: Vec<&str> = first.split_whitespace().filter(in_all).collect();
    match shared.is_empty() {
        false => Common::Words(shared.join(" ")),
        true if several => Common::First((*first).to_string(), replicate(names)),
        true => Common::All(replicate(names)),
    }
}

/// What the runs of a trial, which have these names, differ in: `seed`, `fold`, or `run` if in both.
pub fn replicate<S: AsRef<str>>(names: &[S]) -> &'static str {
    let Some((first, rest)) = names.split_first() else { return "seed" };
    let differs = |key: &str| {
        let own = value(first.as_ref(), key);
        own.is_some() && rest.iter().any(|name| value(name.as_ref(), key) != own)
    };
    match (differs(FOLD), SEEDS.into_iter().any(differs)) {
        (true, true) => "run",
        (true, false) => "fold",
        (false, _) => "seed",
    }
}

/// A message without its numbers: messages that differ in a seed, a step or a loss become equal.
pub fn without_numbers(message: &str) -> String {
    let mut text = String::new();
    for c in message.chars() {
        match c.is_ascii_digit() {
            true if text.ends_with('#') => {}
            true => text.push('#'),
            false => text.push(c),
        }
    }
    text
}

/// The values in names as a table: a column for each key whose value differs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Columns {
    /// Headings: the keys, as short as they are in the names.
    pub keys: Vec<String>,
    /// Values of each name, in the order of the keys.
    pub values: Vec<Vec<String>>,
}

/// Splits names into columns; `None` if they do not all have the same keys, or differ in no value. A single name keeps all its
/// keys.
pub fn columns(names: &[&str]) -> Option<Columns> {
    let rows: Vec<Vec<(&str, &str)>> = names.iter().map(|name| all_settings(name)).collect::<Option<_>>()?;
    let first = rows.first()?;
    let alike = |row: &Vec<(&str, &str)>| row.iter().map(|(key, _)| key).eq(first.iter().map(|(key, _)| key));
    if !rows.iter().all(alike) {
        return None;
    }
    let differs = |i: usize| rows.len() == 1 || rows.iter().any(|row| row[i].1 != first[i].1);
    let shown: Vec<usize> = (0..first.len()).filter(|&i| differs(i)).collect();
    if shown.is_empty() {
        return None;
    }
    let keys = shown.iter().map(|&i| first[i].0.to_string()).collect();
    let values = rows.iter().map(|row| shown.iter().map(|&i| row[i].1.to_string()).collect()).collect();
    Some(Columns { keys, values })
}

/// Names without what all of them have in common; unchanged if they do not all have the same keys.
pub fn distinct(names: &[&str]) -> Vec<String> {
    match columns(names) {
        None => names.iter().map(|name| name.to_string()).collect(),
        Some(columns) => columns.values.iter().map(|values| joined(columns.keys.iter().zip(values))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_what_its_names_share() {
        let said = |names: &[&str], several| common(names, several).to_string();
        assert_eq!(said(&["lr=1e-5 seed=1", "lr=1e-5 seed=2"], true), "lr=1e-5");
        assert_eq!(said(&["seed=1", "seed=2"], false), "all seeds");
        assert_eq!(said(&["a", "b"], true), "a and its other seeds");
        assert_eq!(said(&["fold=1/5", "fold=2/5"], false), "all folds");
        assert_eq!(said(&["seed=1 fold=1/5", "seed=1 fold=2/5", "seed=2 fold=1/5"], false), "all runs");
        assert_eq!(said(&["lr=1e-5 fold=1/5", "lr=1e-5 fold=2/5"], true), "lr=1e-5");
        assert_eq!((said(&["lr=1e-5 seed=1"], true), said(&[], true)), ("lr=1e-5 seed=1".into(), String::new()));
    }

    /// Without other groups, what the runs are has no name of its own: readers say it in their language.
    #[test]
    fn what_all_runs_are_is_known_without_reading_a_name() {
        assert_eq!(common(&["fold=1/5", "fold=2/5"], false), Common::All("fold"));
        assert_eq!(common(&["all seeds", "all seeds"], false), Common::Words("all seeds".into()));
    }

    #[test]
    fn a_written_name_is_read_as_its_settings() {
        let written = [("lr", "1e-5"), ("fold", "1/5"), ("dropout", "–")];
        let name = joined(written.into_iter());
        assert_eq!(name, "lr=1e-5 fold=1/5 dropout=–");
        assert_eq!(all_settings(&name).unwrap(), written);
        assert_eq!((value(&name, "fold"), value(&name, "l")), (Some("1/5"), None));
        assert_eq!((all_settings("lr=1 b"), settings("lr=1 b").count()), (None, 1));
    }

    #[test]
    fn messages_that_differ_in_numbers_are_equal() {
        let said = ["initialised from seed 2", "initialised from seed 12"].map(without_numbers);
        assert_eq!(said, ["initialised from seed #", "initialised from seed #"]);
        assert_ne!(without_numbers("the loss is NaN at step 3"), without_numbers("the gradient is NaN at step 3"));
    }

    #[test]
    fn names_of_the_same_keys_become_columns_of_what_differs() {
        let table = |names: &[&str]| columns(names).map(|c| (c.keys.join(" "), c.values.concat().join(" ")));
        let both = |keys: &str, values: &str| Some((keys.to_string(), values.to_string()));
        assert_eq!(
            table(&["limit=9 train.lr=1e-5 source=rbt3", "limit=9 train.lr=2e-5 source=rbt4"]),
            both("train.lr source", "1e-5 rbt3 2e-5 rbt4")
        );
        assert_eq!(
            table(&["data.seed=1 train.seed=1", "data.seed=1 train.seed=2"]),
            both("train.seed", "1 2"),
            "a key that does not differ takes no column"
        );
        assert_eq!(
            table(&["data.seed=1 train.seed=1", "data.seed=2 train.seed=2"]),
            both("data.seed train.seed", "1 1 2 2")
        );
        assert_eq!(table(&["lr=1e-5"]), both("lr", "1e-5"));
    }

    #[test]
    fn what_all_names_share_is_left_out() {
        assert_eq!(distinct(&["limit=9 lr=1e-5 seed=1", "limit=9 lr=2e-5 seed=1"]), ["lr=1e-5", "lr=2e-5"]);
        assert_eq!(distinct(&["a", "b"]), ["a", "b"]);
        assert_eq!(distinct(&["limit=9"]), ["limit=9"]);
    }

    #[test]
    fn names_of_other_keys_or_words_stay_whole() {
        for names in
            [&["lr=1e-5", "seed=2"][..], &["lr=1e-5", "lr=1e-5 seed=2"], &["a", "b"], &["lr=1", "lr=1"], &[""], &[]]
        {
            assert_eq!(columns(names), None, "{names:?}");
        }
    }
}
