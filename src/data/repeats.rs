//! Texts that several rows have.

use std::{collections::HashMap, hash::BuildHasher, mem};

use foldhash::fast::RandomState;
use rayon::prelude::*;

use super::{Cleaning, Row, settings::Wording, text_columns::RowText};
use crate::{
    format::{by_number, count, counted},
    task::{Target, Task},
    warning::{Kind, Warning, lines_of},
};

/// A share of the rows, 1 in so many, whose texts also have another label: fewer are the doubts of any dataset.
const OFTEN: u64 = 20;

/// The bits of a row's number beside half of a hash.
const ROW: u64 = 0xFFFF_FFFF;

/// What the rows have in common.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Repeats {
    /// Texts that occur more than once, counted without their first row.
    pub(super) duplicates: u64,
    /// Texts that occur with different labels.
    pub(super) contradicting: u64,
    /// Different texts.
    texts: u64,
    /// Rows with such a text.
    rows: u64,
    /// Lines of the first of them.
    lines: Vec<u64>,
    /// Of them, the most that can be right: the rows of each text's most common label.
    right: u64,
}

impl Repeats {
    /// Hashes of all texts, sorted, instead of a table of them: rows that may have the same text are neighbours, and both steps run on
    /// all threads.
    pub(super) fn of(rows: &[Row]) -> Self {
        let hasher = RandomState::default();
        // Half of each hash in front of the row's number: half as many bytes to sort. There are fewer rows than 2^32.
        let hashed = |(at, row): (usize, &Row)| hasher.hash_one(RowText::from(row)) & !ROW | at as u64;
        let mut hashed: Vec<u64> = rows.par_iter().enumerate().map(hashed).collect();
        sort(&mut hashed);
        let mut found = Self { texts: rows.len() as u64, ..Self::default() };
        let mut contradict = Vec::new();
        for same_hash in hashed.chunk_by(|a, b| a & !ROW == b & !ROW).filter(|group| group.len() > 1) {
            let of_hash: Vec<usize> = same_hash.iter().map(|hashed| (hashed & ROW) as usize).collect();
            let text = |at: &usize| RowText::from(&rows[*at]);
            if of_hash.iter().all(|at| text(at) == text(&of_hash[0])) {
                found.add(rows, &of_hash, &mut contradict);
                continue;
            }
            let mut texts: HashMap<RowText, Vec<usize>> = HashMap::new();
            of_hash.iter().for_each(|at| texts.entry(text(at)).or_default().push(*at));
            for rows_of_text in texts.into_values() {
                found.add(rows, &rows_of_text, &mut contradict);
            }
        }
        contradict.sort_unstable();
        found.lines = contradict.iter().take(Warning::MAX_LINES).map(|at| rows[*at].line).collect();
        found
    }

    /// Counts a text with the rows that have it; adds these to `contradict` if their labels differ.
    fn add(&mut self, rows: &[Row], rows_of_text: &[usize], contradict: &mut Vec<usize>) {
        let again = rows_of_text.len() as u64 - 1;
        self.texts -= again;
        self.duplicates += again;
        let mut labels: HashMap<&Target, u64> = HashMap::new();
        rows_of_text.iter().for_each(|at| *labels.entry(&rows[*at].target).or_default() += 1);
        if labels.len() > 1 {
            self.contradicting += 1;
            self.rows += again + 1;
            self.right += labels.values().max().copied().unwrap_or(0);
            contradict.extend(rows_of_text);
        }
    }

    /// Notes them in what is known of the rows.
    pub(super) fn note(&self, cleaning: &mut Cleaning) {
        (cleaning.duplicates, cleaning.contradicting) = (self.duplicates, self.contradicting);
        (cleaning.contradicting_rows, cleaning.contradicting_lines) = (self.rows, self.lines.clone());
    }

    /// What is probably a mistake, of `all` rows.
    pub(super) fn warning(self, all: u64, task: Task, wording: Wording) -> Option<Warning> {
        if self.rows * OFTEN < all || self.rows == 0 {
            return None;
        }
        let text = wording.name("text_column");
        let targets = if task == Task::Regression { "numbers" } else { "labels" };
        let message = match (self.texts, task) {
            (1, _) => format!(
                "all {} rows have the same text but different {targets}: does {text} name the right column?",
                count(all)
            ),
            (_, Task::Regression) => format!(
                "{} of {} ({}) {} the same text as other rows but a different number: a model can at best learn the mean of each text's numbers. \
                 Give each text a single number, or remove these rows",
                count(self.rows),
                counted(all, "row"),
                lines_of(&self.lines, self.rows),
                by_number(self.rows, "has", "have"),
            ),
            (_, Task::MultiLabel) => format!(
                "{} of {} ({}) {} the same text as other rows but different labels: at most {} of these {} can be predicted without a \
                 mistake. Give each text the same labels, or remove these rows",
                count(self.rows),
                counted(all, "row"),
                lines_of(&self.lines, self.rows),
                by_number(self.rows, "has", "have"),
                count(self.right),
                count(self.rows),
            ),
            (_, Task::SingleLabel) => format!(
                "{} of {} ({}) {} the same text as other rows but a different label: at most {} of these {} can be predicted correctly. \
                 Give each text a single label, or remove these rows",
                count(self.rows),
                counted(all, "row"),
                lines_of(&self.lines, self.rows),
                by_number(self.rows, "has", "have"),
                count(self.right),
                count(self.rows),
            ),
        };
        Some(Warning::new(Kind::Labels, message).at(self.lines))
    }
}

/// Sorts hashes, on all threads: first into parts by their first bits, each of which the cache of a processor holds.
fn sort(hashed: &mut Vec<u64>) {
    const BITS: u32 = 8;
    let part = |hash: &u64| (hash >> (u64::BITS - BITS)) as usize;
    let mut ends = vec![0; 1 << BITS];
    hashed.iter().for_each(|hash| ends[part(hash)] += 1);
    let mut sorted = vec![0; hashed.len()];
    let mut rest = &mut sorted[..];
    let mut parts: Vec<&mut [u64]> = Vec::with_capacity(ends.len());
    for &n in &ends {
        let (now, after) = mem::take(&mut rest).split_at_mut(n);
        parts.push(now);
        rest = after;
    }
    let mut at = vec![0; ends.len()];
    for hash in &*hashed {
        let part = part(hash);
        parts[part][at[part]] = *hash;
        at[part] += 1;
    }
    parts.par_iter_mut().for_each(|part| part.sort_unstable());
    drop(parts);
    *hashed = sorted;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Target;

    fn rows(of: &[(&str, u32)]) -> Vec<Row> {
        of.iter()
            .zip(2..)
            .map(|((text, label), line)| Row {
                line,
                text: (*text).into(),
                text_pair: None,
                target: Target::Label(*label),
            })
            .collect()
    }

    #[test]
    fn the_most_that_can_be_right_is_that_of_the_commonest_labels() {
        let found =
            Repeats::of(&rows(&[("a", 0), ("a", 1), ("b", 0), ("a", 1), ("c", 1), ("c", 1), ("d", 0), ("d", 2)]));
        let lines = vec![2, 3, 5, 8, 9];
        assert_eq!(found, Repeats { duplicates: 4, contradicting: 2, texts: 4, rows: 5, lines, right: 3 });
    }

    /// The same question with another answer is another text.
    #[test]
    fn pairs_repeat_only_if_both_texts_do() {
        let pairs = [("q", "a", 0), ("q", "b", 1), ("q", "a", 0), ("q", "a", 1), ("p", "b", 1)];
        let pairs =
            pairs.map(|(text, pair, label)| Row { text_pair: Some(pair.into()), ..rows(&[(text, label)]).remove(0) });
        let found = Repeats::of(&pairs);
        assert_eq!((found.duplicates, found.contradicting, found.texts, found.rows), (2, 1, 3, 3));
    }

    #[test]
    fn hashes_are_sorted() {
        let hashes = |n: u64| (0..n).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (u64::MAX / (i + 1)));
        for n in [0, 1, 2, 5000] {
            let mut sorted: Vec<u64> = hashes(n).collect();
            sort(&mut sorted);
            let mut want: Vec<u64> = hashes(n).collect();
            want.sort_unstable();
            assert_eq!(sorted, want);
        }
    }

    #[test]
    fn a_few_doubts_are_no_mistake() {
        let texts: Vec<String> = (0..98).map(|i| format!("t{i}")).collect();
        let mut of: Vec<(&str, u32)> = texts.iter().map(|text| (text.as_str(), 0)).collect();
        of.extend([("x", 0), ("x", 1)]);
        assert_eq!(Repeats::of(&rows(&of)).warning(100, Task::SingleLabel, Wording::Keys), None);
        of.extend([("y", 0), ("y", 1), ("z", 0), ("z", 1)]);
        let warning = Repeats::of(&rows(&of)).warning(104, Task::SingleLabel, Wording::Keys).unwrap();
        assert!(
            warning.message.starts_with("6 of 104 rows (lines 100, 101, 102, 103, 104 and 1 more) have the same text"),
            "{warning:?}"
        );
        assert_eq!(
            Repeats::of(&rows(&[("a", 0), ("a", 0), ("b", 1)])).warning(3, Task::SingleLabel, Wording::Keys),
            None
        );
        let same =
            Repeats::of(&rows(&[("a", 0), ("a", 1), ("a", 1)])).warning(3, Task::SingleLabel, Wording::Keys).unwrap();
        assert!(same.message.starts_with("all 3 rows have the same text but different labels"), "{same:?}");
    }
}
