//! Random splits in which the rows of a group stay together.

use super::{DataError, Dataset, strata::Strata};
use crate::random::Stream;

/// Rows that stay together.
pub(super) struct Group {
    pub(super) rows: Vec<u32>,
    /// The strata of its rows that it has any of, each with their number.
    pub(super) counts: Vec<(usize, usize)>,
}

/// The groups of the rows, in the order of their first rows; the rows of a group stay in their order.
pub(super) fn groups(dataset: &Dataset, rows: &[u32], strata: &Strata<'_>) -> Vec<Group> {
    let most = dataset.groups.iter().max().map_or(0, |most| *most as usize + 1);
    let mut position = vec![usize::MAX; most];
    let mut groups: Vec<Group> = Vec::new();
    for &row in rows {
        let position = &mut position[dataset.groups[row as usize] as usize];
        if *position == usize::MAX {
            *position = groups.len();
            groups.push(Group { rows: Vec::new(), counts: Vec::new() });
        }
        groups[*position].rows.push(row);
    }
    for group in &mut groups {
        let mut of_rows = Vec::with_capacity(group.rows.len());
        group.rows.iter().for_each(|&row| strata.each(row, |stratum| of_rows.push(stratum)));
        of_rows.sort_unstable();
        group.counts = of_rows.chunk_by(|a, b| a == b).map(|same| (same[0], same.len())).collect();
    }
    groups
}

/// The test rows, the dev rows and what is left of the rows in `order`. Each split takes a group, in random order, if that brings it nearer
/// to the number of rows that it wants of each stratum. Where that leaves nothing to train on, the largest group stays for training, and the others are
/// shared out.
///
/// # Errors
/// Nothing is left to train on, since there are too few groups.
pub(super) fn hold_out(
    dataset: &Dataset,
    order: &[u32],
    strata: &Strata<'_>,
    wanted: [usize; 2],
    stream: Stream,
) -> Result<[Vec<u32>; 3], DataError> {
    let mut left = in_random_order(dataset, order, strata, stream);
    let all = left.len();
    let [test, dev] = wanted.map(|wanted| take(&mut left, wanted, strata));
    let train = rows_of(left);
    if !train.is_empty() {
        return Ok([test, dev, train]);
    }
    around_largest(in_random_order(dataset, order, strata, stream), wanted).map_err(|groups| {
        let line =
            |group: &Group| group.rows.iter().map(|row| dataset.rows[*row as usize].line).min().unwrap_or_default();
        let largest = groups.iter().max_by_key(|group| (group.rows.len(), std::cmp::Reverse(line(group))));
        DataError::TooFewGroups {
            groups: all,
            splits: 1 + wanted.iter().filter(|rows| **rows > 0).count(),
            largest: largest.map_or(0, |group| group.rows.len()),
            rows: order.len(),
            line: largest.map_or(0, line),
        }
    })
}

/// The groups in random order.
fn in_random_order(dataset: &Dataset, order: &[u32], strata: &Strata<'_>, stream: Stream) -> Vec<Group> {
    let found = groups(dataset, order, strata);
    // The row that comes first is more often one of a large group: each group is to have the same chance.
    let positions = stream.permutation(found.len());
    let mut left: Vec<(u32, Group)> = positions.into_iter().zip(found).collect();
    left.sort_unstable_by_key(|(position, _)| *position);
    left.into_iter().map(|(_, group)| group).collect()
}

fn rows_of(groups: Vec<Group>) -> Vec<u32> {
    groups.into_iter().flat_map(|group| group.rows).collect()
}

/// The test rows, the dev rows and the rest, where the largest group is to train on. Each other group, the largest first, goes to the split that lacks
/// the most rows, and to the rest where it would give each too many; the last ones to splits that have none. Splits that want more rows than there
/// are beside the largest group get their share of these.
///
/// # Errors
/// The groups, if they are fewer than the splits.
fn around_largest(mut groups: Vec<Group>, wanted: [usize; 2]) -> Result<[Vec<u32>; 3], Vec<Group>> {
    let splits: Vec<usize> = (0..2).filter(|split| wanted[*split] > 0).collect();
    if groups.len() <= splits.len() {
        return Err(groups);
    }
    // Stable: groups of one size stay in random order.
    groups.sort_by_key(|group| std::cmp::Reverse(group.rows.len()));
    let mut train = vec![groups.remove(0)];
    let there: usize = groups.iter().map(|group| group.rows.len()).sum();
    let all: usize = wanted.iter().sum();
    let share = |rows: usize| if all > there { rows * there / all } else { rows };
    let targets = wanted.map(|rows| share(rows).max(usize::from(rows > 0)));
    let (mut taken, mut have) = ([Vec::new(), Vec::new()], [0, 0]);
    let mut groups: std::collections::VecDeque<Group> = groups.into();
    while let Some(group) = groups.pop_front() {
        let rows = group.rows.len();
        let empty: Vec<usize> = splits.iter().copied().filter(|split| have[*split] == 0).collect();
        let lacks = |split: usize| targets[split].saturating_sub(have[split]);
        let most = splits.iter().copied().max_by_key(|split| (lacks(*split), std::cmp::Reverse(*split)));
        let to = match most {
            _ if groups.len() < empty.len() => empty.first().copied(),
            // Not if it would be further from what it wants than without.
            most => most.filter(|split| rows < 2 * lacks(*split)),
        };
        match to {
            Some(split) => {
                have[split] += rows;
                taken[split].push(group);
            }
            None => train.push(group),
        }
    }
    let [test, dev] = taken.map(rows_of);
    Ok([test, dev, rows_of(train)])
}

/// Takes groups with about `wanted` rows; at least one group if any row is wanted.
fn take(left: &mut Vec<Group>, wanted: usize, strata: &Strata<'_>) -> Vec<u32> {
    let mut counts = vec![0; strata.len()];
    left.iter().flat_map(|group| &group.counts).for_each(|(stratum, rows)| counts[*stratum] += rows);
    let wanted_of = strata.shares(wanted, &counts);
    let mut have = vec![0; strata.len()];
    // How much further from what is wanted a group would bring it; negative: nearer.
    let further = |have: &[usize], group: &Group| -> i64 {
        let off = |stratum: usize, rows: usize| wanted_of[stratum].abs_diff(rows) as i64;
        group
            .counts
            .iter()
            .map(|&(stratum, rows)| off(stratum, have[stratum] + rows) - off(stratum, have[stratum]))
            .sum()
    };
    let (mut taken, mut others) = (Vec::new(), Vec::new());
    for group in std::mem::take(left) {
        if further(&have, &group) < 0 {
            group.counts.iter().for_each(|(stratum, rows)| have[*stratum] += rows);
            taken.push(group);
        } else {
            others.push(group);
        }
    }
    if taken.is_empty() && wanted > 0 {
        let nearest = (0..others.len()).min_by_key(|&i| further(&have, &others[i]));
        taken.extend(nearest.map(|i| others.remove(i)));
    }
    *left = others;
    taken.into_iter().flat_map(|group| group.rows).collect()
}
