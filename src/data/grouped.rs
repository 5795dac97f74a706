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
/// to the number of rows that it wants of each stratum.
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
    let found = groups(dataset, order, strata);
    let all = found.len();
    // The row that comes first is more often one of a large group: each group is to have the same chance.
    let positions = stream.permutation(all);
    let mut left: Vec<(u32, Group)> = positions.into_iter().zip(found).collect();
    left.sort_unstable_by_key(|(position, _)| *position);
    let mut left: Vec<Group> = left.into_iter().map(|(_, group)| group).collect();
    let [test, dev] = wanted.map(|wanted| take(&mut left, wanted, strata));
    let train: Vec<u32> = left.into_iter().flat_map(|group| group.rows).collect();
    match train.is_empty() {
        true => Err(DataError::TooFewGroups { groups: all }),
        false => Ok([test, dev, train]),
    }
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
