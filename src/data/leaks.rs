//! Rows of one split whose texts are also in another.

use std::{collections::HashSet, hash::BuildHasher};

use foldhash::fast::RandomState;
use rayon::prelude::*;

use super::{Dataset, Row, Splits, text_columns::RowText};
use crate::event::Split;

/// How many rows of one split have a text that is also in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leak {
    /// The split of the rows.
    pub rows_of: Split,
    /// The split that has their texts too.
    pub also_in: Split,
    /// Rows with exactly the same text.
    pub exact: usize,
    /// Rows with the same text apart from case and white space; includes those with exactly the same.
    pub alike: usize,
}

/// All leaks between two splits, those into test first: rows that are also in train measure memorisation.
pub fn leaks(dataset: &Dataset, splits: &Splits) -> Vec<Leak> {
    let pairs = [(Split::Test, Split::Train), (Split::Dev, Split::Train), (Split::Test, Split::Dev)];
    let rows = |split| match split {
        Split::Train => &splits.train,
        Split::Dev => &splits.dev,
        Split::Test => &splits.test,
    };
    if splits.dev.is_empty() && splits.test.is_empty() {
        return Vec::new();
    }
    let alike = hashes(&dataset.rows);
    let leak = |(rows_of, also_in)| {
        let (rows, others) = (rows(rows_of), rows(also_in));
        let hash = |row: &u32| alike[*row as usize];
        let known: HashSet<u128> = if rows.is_empty() { HashSet::new() } else { others.iter().map(hash).collect() };
        let alike = rows.iter().filter(|row| known.contains(&hash(row))).count();
        let exact = if alike == 0 { 0 } else { leaked_rows(dataset, others, rows).len() };
        Leak { rows_of, also_in, exact, alike }
    };
    pairs.into_iter().map(leak).filter(|leak| leak.alike > 0).collect()
}

/// A hash of each row's text apart from case and white space, on all threads. Of 128 bits: that two texts have the same one by chance does not
/// happen.
fn hashes(rows: &[Row]) -> Vec<u128> {
    let hashers = (RandomState::default(), RandomState::default());
    let hash = |buffer: &mut String, row: &Row| {
        buffer.clear();
        normalise(&row.text, buffer);
        if let Some(pair) = &row.text_pair {
            // White space that no normalised text has.
            buffer.push('\n');
            normalise(pair, buffer);
        }
        u128::from(hashers.0.hash_one(&*buffer)) << 64 | u128::from(hashers.1.hash_one(&*buffer))
    };
    rows.par_iter().map_init(String::new, hash).collect()
}

/// Adds a text in lower case with single spaces.
fn normalise(text: &str, to: &mut String) {
    let begin = to.len();
    for word in text.split_whitespace() {
        if to.len() > begin {
            to.push(' ');
        }
        // Σ is the only letter whose lower case depends on those around it.
        match word.contains('Σ') {
            true => to.push_str(&word.to_lowercase()),
            false => to.extend(word.chars().flat_map(char::to_lowercase)),
        }
    }
}

/// The rows of `held_out` that have exactly the text (with pairs: both texts) of a row of `train`.
pub(super) fn leaked_rows(dataset: &Dataset, train: &[u32], held_out: &[u32]) -> Vec<u32> {
    let text = |row: &u32| RowText::from(&dataset.rows[*row as usize]);
    let trained: HashSet<RowText, RandomState> = match held_out {
        [] => HashSet::default(),
        _ => train.iter().map(text).collect(),
    };
    held_out.iter().copied().filter(|row| trained.contains(&text(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::Row, task::Target};

    #[test]
    fn leaks_are_counted_exactly_and_alike() {
        let texts = ["Good food", "bad", "good  FOOD ", "bad", "new", "NEW"];
        let row = |text: &&str| Row { line: 1, text: (*text).into(), text_pair: None, target: Target::Label(0) };
        let dataset = Dataset { rows: texts.iter().map(row).collect(), ..Dataset::default() };
        let splits = Splits { train: vec![0, 1], dev: vec![2, 4], test: vec![3, 5], ..Splits::default() };
        let leak = |rows_of, also_in, exact, alike| Leak { rows_of, also_in, exact, alike };
        assert_eq!(
            leaks(&dataset, &splits),
            [
                leak(Split::Test, Split::Train, 1, 1),
                leak(Split::Dev, Split::Train, 0, 1),
                leak(Split::Test, Split::Dev, 0, 1)
            ]
        );
        // With pairs, the second text counts too: only row 4 has both texts of a row of train but for case.
        let mut pairs = dataset.clone();
        for (row, pair) in pairs.rows.iter_mut().zip(["A", "b", "x", "c", "d", "D"]) {
            row.text_pair = Some(pair.into());
        }
        assert_eq!(leaks(&pairs, &splits), [leak(Split::Test, Split::Dev, 0, 1)]);
        let none = Splits { train: vec![0], test: vec![1], ..Splits::default() };
        assert_eq!(leaks(&dataset, &none), []);
    }

    /// As `str::to_lowercase` has it, which is Unicode's rule, word by word.
    #[test]
    fn texts_are_alike_apart_from_case_and_white_space() {
        for text in ["ΟΔΟΣ  Ο ΣΑΣ\u{3000}σ", "İstanbul ẞ", "\tGood\n FOOD ", "", " ", "好 吃"] {
            let mut found = String::new();
            normalise(text, &mut found);
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            assert_eq!(found, words.join(" "));
        }
        // What ends the first text and begins the second is not alike.
        let row = |text: &str, pair: &str| Row {
            line: 1,
            text: text.into(),
            text_pair: Some(pair.into()),
            target: Target::Label(0),
        };
        let hashes = hashes(&[row("a b", "c"), row("a", "b c"), row(" A  B", "C ")]);
        assert!(hashes[0] != hashes[1] && hashes[0] == hashes[2]);
    }
}
