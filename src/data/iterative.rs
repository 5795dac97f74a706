//! Iterative stratification: sharing out rows that have any number of labels.

use std::collections::BTreeSet;

use super::strata::Strata;

/// Divides the rows into parts of these sizes, whose sum is their number, so that each part has its share of each stratum: algorithm 1 of
/// Sechidis, Tsoumakas and Vlahavas (2011). Rows of each part keep their order.
///
/// The stratum with the fewest rows left is dealt out first, each of its rows to the part that lacks most of them: rare labels have the
/// least choice. Every row has the last stratum, which takes the rows without labels. Ties, which the paper draws at random, go to the first
/// stratum, and to the part that lacks most rows, then to the first: the order of the rows is random already. A part that has all of its
/// rows gets no more, so that sizes are exact.
pub(super) fn divide(order: &[u32], strata: &Strata<'_>, sizes: &[usize]) -> Vec<Vec<u32>> {
    let n = order.len() as i128;
    let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); strata.len()];
    for (at, &row) in order.iter().enumerate() {
        strata.each(row, |stratum| rows_of[stratum].push(at));
    }
    let Some(every) = rows_of.len().checked_sub(1) else { return vec![Vec::new(); sizes.len()] };
    // What each part still lacks of each stratum, n times as much, so that it is a whole number.
    let mut lacks: Vec<Vec<i128>> =
        sizes.iter().map(|&size| rows_of.iter().map(|rows| rows.len() as i128 * size as i128).collect()).collect();
    let mut room = sizes.to_vec();
    let mut left: Vec<usize> = rows_of.iter().map(Vec::len).collect();
    let mut next: BTreeSet<(usize, usize)> = left.iter().copied().zip(0..).filter(|(left, _)| *left > 0).collect();
    let mut part_of = vec![usize::MAX; order.len()];
    while let Some((_, stratum)) = next.pop_first() {
        left[stratum] = 0;
        for &at in &rows_of[stratum] {
            if part_of[at] != usize::MAX {
                continue;
            }
            let lacking = |part: usize| (lacks[part][stratum], lacks[part][every]);
            let free = (0..sizes.len()).filter(|part| room[*part] > 0);
            // The first of equals.
            let Some(part) = free.rev().max_by_key(|part| lacking(*part)) else { continue };
            part_of[at] = part;
            room[part] -= 1;
            strata.each(order[at], |own| {
                lacks[part][own] -= n;
                if next.remove(&(left[own], own)) {
                    left[own] -= 1;
                    if left[own] > 0 {
                        next.insert((left[own], own));
                    }
                }
            });
        }
    }
    let mut parts: Vec<Vec<u32>> = sizes.iter().map(|&size| Vec::with_capacity(size)).collect();
    for (row, part) in order.iter().zip(part_of) {
        if let Some(rows) = parts.get_mut(part) {
            rows.push(*row);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{
        data::{Dataset, Row},
        task::Target,
    };

    #[derive(Deserialize)]
    struct Case {
        labels: usize,
        rows: Vec<Vec<u32>>,
        sizes: Vec<usize>,
        parts: Vec<usize>,
    }

    fn cases() -> Vec<(Dataset, Case)> {
        let cases: Vec<Case> =
            serde_json::from_str(include_str!("../../tests/fixtures/stratified/stratified.json")).unwrap();
        let row = |(i, ids): (usize, &Vec<u32>)| Row {
            line: i as u64 + 2,
            text: format!("t{i}").into(),
            text_pair: None,
            target: Target::labels(ids.clone()),
        };
        let data = |case: &Case| Dataset {
            rows: case.rows.iter().enumerate().map(row).collect(),
            labels: (0..case.labels).map(|id| id.to_string()).collect(),
            ..Dataset::default()
        };
        cases.into_iter().map(|case| (data(&case), case)).collect()
    }

    /// An independent implementation, with fractions: `tests/fixtures/stratified/make.py`.
    #[test]
    fn rows_are_dealt_out_as_the_paper_says() {
        let cases = cases();
        assert!(cases.len() > 5);
        for (data, case) in cases {
            let order: Vec<u32> = (0..case.rows.len() as u32).collect();
            let parts = divide(&order, &Strata::new(&data, true), &case.sizes);
            let mut got = vec![usize::MAX; order.len()];
            for (part, rows) in parts.iter().enumerate() {
                assert!(rows.is_sorted(), "they keep their order");
                rows.iter().for_each(|&row| got[row as usize] = part);
            }
            assert_eq!(got, case.parts, "{} labels, {} rows", case.labels, order.len());
        }
    }

    #[test]
    fn nothing_is_divided_into_nothing() {
        let (data, _) = cases().remove(0);
        assert_eq!(divide(&[], &Strata::new(&data, true), &[0, 0]), [vec![], vec![]] as [Vec<u32>; 2]);
    }
}
