//! A random forest of regression trees over the levels of axes (Breiman 2001): each tree on a bootstrap sample of the trials, split as long as
//! the values differ, with all axes at every split.

use super::anova::Cell;
use crate::random::{Purpose, Stream};

/// Trees of the forest.
pub const TREES: usize = 64;
/// Seed of the samples.
const SEED: u64 = 0;

/// Levels of each axis, from the first one up to the second one.
type Span = Vec<(usize, usize)>;

/// The trees, each as the boxes of its leaves. `rows` has the level of each trial on each axis, `levels` how many levels each axis has.
pub fn forest(rows: &[Vec<usize>], values: &[f64], levels: &[usize]) -> Vec<Vec<Cell>> {
    let tree = |number: usize| {
        let stream = Stream::new(SEED, Purpose::Bootstrap, number as u64, 1);
        let sample = (0..rows.len()).map(|i| stream.below(i as u64, rows.len() as u64) as usize).collect();
        let mut leaves = Vec::new();
        let mut open: Vec<(Vec<usize>, Span)> = vec![(sample, levels.iter().map(|n| (0, *n)).collect())];
        while let Some((members, span)) = open.pop() {
            let Some((axis, at)) = best_split(rows, values, &members, &span) else {
                let value = members.iter().map(|&i| values[i]).sum::<f64>() / members.len() as f64;
                leaves.push(Cell { value, span });
                continue;
            };
            let (below, above): (Vec<usize>, Vec<usize>) = members.into_iter().partition(|&i| rows[i][axis] < at);
            let (mut first, mut second) = (span.clone(), span);
            first[axis].1 = at;
            second[axis].0 = at;
            open.extend([(below, first), (above, second)]);
        }
        leaves
    };
    (0..TREES).map(tree).collect()
}

/// The split into the levels below and from a level on that leaves the least squared error; among equals the first axis, and the cut in the
/// middle of levels without members. `None` if the values are equal, or no axis tells them apart.
fn best_split(
    rows: &[Vec<usize>],
    values: &[f64],
    members: &[usize],
    span: &[(usize, usize)],
) -> Option<(usize, usize)> {
    let first = values[*members.first()?];
    if members.iter().all(|&i| values[i] == first) {
        return None;
    }
    let sum: f64 = members.iter().map(|&i| values[i]).sum();
    let all = members.len() as f64;
    let mut best: Option<(f64, usize, usize)> = None;
    for (axis, &(from, to)) in span.iter().enumerate() {
        let mut of_level = vec![(0.0, 0usize); to - from];
        for &i in members {
            let (sum, n) = &mut of_level[rows[i][axis] - from];
            (*sum, *n) = (*sum + values[i], *n + 1);
        }
        let occupied: Vec<usize> = (0..of_level.len()).filter(|&level| of_level[level].1 > 0).collect();
        let (mut below, mut n) = (0.0, 0);
        for pair in occupied.windows(2) {
            below += of_level[pair[0]].0;
            n += of_level[pair[0]].1;
            // What the two means explain.
            let explained = below * below / n as f64 + (sum - below).powi(2) / (all - n as f64);
            if best.is_none_or(|(most, ..)| explained > most + 1e-12 * most.abs()) {
                best = Some((explained, axis, from + (pair[0] + pair[1]).div_ceil(2)));
            }
        }
    }
    best.map(|(_, axis, at)| (axis, at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaves_cover_every_combination_once_and_predict_what_their_tree_saw() {
        let mut rows = Vec::new();
        let mut values = Vec::new();
        for i in 0..4 {
            for j in 0..3 {
                rows.push(vec![i, j]);
                values.push((i * i) as f64 - j as f64);
            }
        }
        let trees = forest(&rows, &values, &[4, 3]);
        assert_eq!(trees.len(), TREES);
        for (tree, leaves) in trees.iter().enumerate() {
            let stream = Stream::new(SEED, Purpose::Bootstrap, tree as u64, 1);
            let seen: Vec<usize> = (0..12).map(|i| stream.below(i, 12) as usize).collect();
            for (i, (row, value)) in rows.iter().zip(&values).enumerate() {
                let has = |leaf: &&Cell| leaf.span.iter().zip(row).all(|(&(from, to), at)| (from..to).contains(at));
                let of_row: Vec<&Cell> = leaves.iter().filter(has).collect();
                assert_eq!(of_row.len(), 1, "{row:?}");
                // A tree is split as long as values differ, so that it knows each value that it saw; for others it says one of these.
                let said = of_row[0].value;
                let is_right = if seen.contains(&i) { said == *value } else { seen.iter().any(|&i| values[i] == said) };
                assert!(is_right, "tree {tree} says {said} for {row:?}, not {value}");
            }
        }
        // The sum of the squares of what the split explains: lower values of the second axis are better, the first matters more.
        let split = best_split(&rows, &values, &(0..12).collect::<Vec<_>>(), &[(0, 4), (0, 3)]);
        assert_eq!(split, Some((0, 3)));
        assert_eq!(best_split(&rows, &[1.0; 12], &[0, 1, 2], &[(0, 4), (0, 3)]), None);
        assert_eq!(best_split(&[vec![0], vec![0]], &[1.0, 2.0], &[0, 1], &[(0, 1)]), None);
    }
}
