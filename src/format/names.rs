//! Names of runs, such as `lr=2e-5 batch_size=16 seed=3`: what they have in common, and their values as columns.

/// The words that all names of a group have in common. `several`: there are other groups.
pub fn common(names: &[&str], several: bool) -> String {
    let Some((first, rest)) = names.split_first() else { return String::new() };
    if rest.is_empty() {
        return (*first).to_string();
    }
    let in_all = |word: &&str| rest.iter().all(|name| name.split_whitespace().any(|other| other == *word));
    let shared: Vec<&str> = first.split_whitespace().filter(in_all).collect();
    match shared.is_empty() {
        false => shared.join(" "),
        true if several => format!("{first} and its other {}s", replicate(names)),
        true => format!("all {}s", replicate(names)),
    }
}

/// What the runs of a trial, which have these names, differ in: `seed`, `fold`, or `run` if in both.
pub fn replicate<S: AsRef<str>>(names: &[S]) -> &'static str {
    let Some((first, rest)) = names.split_first() else { return "seed" };
    let words = |name: &S| name.as_ref().split_whitespace().map(String::from).collect::<Vec<_>>();
    let first = words(first);
    let differs = |key: &str| {
        let value = |words: &[String]| words.iter().find(|word| word.starts_with(key)).cloned();
        let own = value(&first);
        own.is_some() && rest.iter().any(|name| value(&words(name)) != own)
    };
    match (differs("fold="), differs("seed=") || differs("train.seed=")) {
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
    let split = |name: &&str| -> Option<Vec<(String, String)>> {
        name.split_whitespace().map(|word| word.split_once('=').map(|(k, v)| (k.to_string(), v.to_string()))).collect()
    };
    let rows: Vec<Vec<(String, String)>> = names.iter().map(split).collect::<Option<_>>()?;
    let first = rows.first()?;
    let alike = |row: &Vec<(String, String)>| row.iter().map(|(k, _)| k).eq(first.iter().map(|(k, _)| k));
    if !rows.iter().all(alike) {
        return None;
    }
    let differs = |i: usize| rows.len() == 1 || rows.iter().any(|row| row[i].1 != first[i].1);
    let shown: Vec<usize> = (0..first.len()).filter(|&i| differs(i)).collect();
    if shown.is_empty() {
        return None;
    }
    let keys = shown.iter().map(|&i| first[i].0.clone()).collect();
    let values = rows.iter().map(|row| shown.iter().map(|&i| row[i].1.clone()).collect()).collect();
    Some(Columns { keys, values })
}

/// Names without what all of them have in common; unchanged if they do not all have the same keys.
pub fn distinct(names: &[&str]) -> Vec<String> {
    match columns(names) {
        None => names.iter().map(|name| name.to_string()).collect(),
        Some(columns) => {
            let name = |values: &Vec<String>| {
                let words = columns.keys.iter().zip(values).map(|(key, value)| format!("{key}={value}"));
                words.collect::<Vec<_>>().join(" ")
            };
            columns.values.iter().map(name).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_named_by_what_its_names_share() {
        assert_eq!(common(&["lr=1e-5 seed=1", "lr=1e-5 seed=2"], true), "lr=1e-5");
        assert_eq!(common(&["seed=1", "seed=2"], false), "all seeds");
        assert_eq!(common(&["a", "b"], true), "a and its other seeds");
        assert_eq!(common(&["fold=1/5", "fold=2/5"], false), "all folds");
        assert_eq!(common(&["seed=1 fold=1/5", "seed=1 fold=2/5", "seed=2 fold=1/5"], false), "all runs");
        assert_eq!(common(&["lr=1e-5 fold=1/5", "lr=1e-5 fold=2/5"], true), "lr=1e-5");
        assert_eq!((common(&["lr=1e-5 seed=1"], true), common(&[], true)), ("lr=1e-5 seed=1".into(), String::new()));
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
