//! Rows of one split whose texts are also in another.

use std::collections::HashSet;

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
    let leak = |(rows_of, also_in)| {
        let (rows, others) = (rows(rows_of), rows(also_in));
        let text = |row: &u32| {
            let row: &Row = &dataset.rows[*row as usize];
            (normalised(&row.text), row.text_pair.as_deref().map(normalised))
        };
        let known: HashSet<_> = if rows.is_empty() { HashSet::new() } else { others.iter().map(text).collect() };
        let alike = rows.iter().filter(|row| known.contains(&text(row))).count();
        Leak { rows_of, also_in, exact: leaked_rows(dataset, others, rows).len(), alike }
    };
    pairs.into_iter().map(leak).filter(|leak| leak.alike > 0).collect()
}

/// A text in lower case with single spaces.
fn normalised(text: &str) -> String {
    let mut words = text.split_whitespace();
    let mut normalised = words.next().unwrap_or_default().to_lowercase();
    for word in words {
        normalised.push(' ');
        normalised += &word.to_lowercase();
    }
    normalised
}

/// The rows of `held_out` that have exactly the text (with pairs: both texts) of a row of `train`.
pub(super) fn leaked_rows(dataset: &Dataset, train: &[u32], held_out: &[u32]) -> Vec<u32> {
    let text = |row: &u32| RowText::from(&dataset.rows[*row as usize]);
    let trained: HashSet<RowText> = if held_out.is_empty() { HashSet::new() } else { train.iter().map(text).collect() };
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
}
