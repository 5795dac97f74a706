//! How much of the variance between trials each axis explains.

use std::cmp::Ordering;

use super::{
    anova::{Cell, decompose},
    axes::{Axis, Scale},
    forest::forest,
    points::Point,
};

/// A forest needs as many trials.
const LEAST_FOR_FOREST: usize = 10;
/// Levels of an axis in a forest: more numbers are put into as many ranges.
const MOST_LEVELS: usize = 32;
/// Pairs are computed for as many axes: those that explain most alone.
const MOST_PAIRED: usize = 6;

/// How the shares were computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// Every combination of values has a trial: exactly, from their values.
    Complete,
    /// From the predictions of a random forest.
    Forest,
}

/// What differences between seeds alone give to the means of trials.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// The variance of these means, as a share of the one that they have. It is above 1 where trials differ less than their seeds let expect.
    pub share: f64,
    /// Degrees of freedom that it is estimated with.
    pub degrees: usize,
}

/// Shares of the variance between trials.
#[derive(Debug, Clone, PartialEq)]
pub struct Importance {
    /// How they were computed.
    pub how: How,
    /// The number of trials that they are from.
    pub trials: usize,
    /// What each axis explains alone.
    pub main: Vec<f64>,
    /// Pairs of axes, and what they explain together beyond that.
    pub pairs: Vec<((usize, usize), f64)>,
    /// What seeds alone would give, if all trials have several.
    pub noise: Option<Noise>,
}

impl Importance {
    /// That of at least two axes. `None` with fewer, with too few trials, and if the trials do not differ.
    pub fn of(axes: &[Axis], points: &[Point]) -> Option<Self> {
        if axes.len() < 2 {
            return None;
        }
        let values: Vec<f64> = points.iter().map(|point| point.mean.mean).collect();
        // Means of equal values can differ in their last digits.
        let (low, high) = values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
        if high - low <= 1e-12 * low.abs().max(high.abs()) {
            return None;
        }
        let shares = of_grid(axes, points, &values).or_else(|| of_forest(axes, points, &values))?;
        Some(Self { noise: noise(points, &values), ..shares })
    }

    /// The axes, those that explain most alone first.
    pub fn order(&self) -> Vec<usize> {
        order_of(&self.main)
    }
}

fn order_of(main: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..main.len()).collect();
    order.sort_by(|&a, &b| main[b].total_cmp(&main[a]).then(a.cmp(&b)));
    order
}

/// All pairs of the first axes of an order.
fn pairs_of(order: &[usize]) -> Vec<(usize, usize)> {
    let mut paired: Vec<usize> = order.iter().copied().take(MOST_PAIRED).collect();
    paired.sort_unstable();
    let with = |(i, &a): (usize, &usize)| paired[i + 1..].iter().map(move |&b| (a, b)).collect::<Vec<_>>();
    paired.iter().enumerate().flat_map(with).collect()
}

/// The variance that seeds give to the means of trials, as a share of the variance of these means.
fn noise(points: &[Point], values: &[f64]) -> Option<Noise> {
    let of_point = |point: &Point| Some(point.mean.sd?.powi(2) / point.mean.n as f64);
    let all = points.iter().map(of_point).collect::<Option<Vec<f64>>>()?;
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let share = all.iter().sum::<f64>() / n / variance;
    let degrees = points.iter().map(|point| point.mean.n - 1).sum();
    (share.is_finite() && share > 0.0).then_some(Noise { share, degrees })
}

/// Exactly, if every combination of the values of all axes has one trial.
fn of_grid(axes: &[Axis], points: &[Point], values: &[f64]) -> Option<Importance> {
    if axes.iter().any(Axis::has_ranges) {
        return None;
    }
    // Only values that occur: those of trials without a result leave no grid.
    let used: Vec<Vec<usize>> = axes
        .iter()
        .map(|axis| super::axes::occurring(axis, points.iter().map(|point| point.group)).into_iter().collect())
        .collect();
    let all = used.iter().try_fold(1usize, |all, levels| all.checked_mul(levels.len()))?;
    if all != points.len() || used.iter().zip(axes).any(|(used, axis)| used.len() < axis.levels.len()) {
        return None;
    }
    let mut rows: Vec<Vec<usize>> =
        points.iter().map(|point| axes.iter().map(|axis| axis.level_of[point.group]).collect()).collect();
    let cell = |(row, value): (&Vec<usize>, &f64)| Cell {
        value: *value,
        span: row.iter().map(|level| (*level, level + 1)).collect(),
    };
    let cells: Vec<Cell> = rows.iter().zip(values).map(cell).collect();
    rows.sort_unstable();
    rows.dedup();
    if rows.len() != all {
        return None;
    }
    let weights: Vec<Vec<f64>> =
        axes.iter().map(|axis| vec![1.0 / axis.levels.len() as f64; axis.levels.len()]).collect();
    let main = decompose(&cells, &weights, &[]);
    let pairs = pairs_of(&order_of(&main.main));
    let parts = decompose(&cells, &weights, &pairs);
    (parts.total > 0.0).then(|| Importance {
        how: How::Complete,
        trials: points.len(),
        main: parts.main.iter().map(|part| part / parts.total).collect(),
        pairs: pairs.into_iter().zip(parts.pairs.iter().map(|part| part / parts.total)).collect(),
        noise: None,
    })
}

/// From the trees of a forest: the mean of their shares.
fn of_forest(axes: &[Axis], points: &[Point], values: &[f64]) -> Option<Importance> {
    if points.len() < LEAST_FOR_FOREST {
        return None;
    }
    let coded: Vec<(Vec<usize>, usize)> = axes.iter().map(|axis| coded(axis, points, values)).collect();
    let rows: Vec<Vec<usize>> =
        (0..points.len()).map(|i| coded.iter().map(|(levels, _)| levels[i]).collect()).collect();
    let levels: Vec<usize> = coded.iter().map(|(_, n)| *n).collect();
    // An axis counts as the trials have it: each value by how many trials have it, independently of the other axes.
    let weights: Vec<Vec<f64>> = coded
        .iter()
        .map(|(of, n)| {
            let share = |level| of.iter().filter(|own| **own == level).count() as f64 / of.len() as f64;
            (0..*n).map(share).collect()
        })
        .collect();
    let trees = forest(&rows, values, &levels);
    let shares = |pairs: &[(usize, usize)]| {
        let parts: Vec<_> = trees.iter().map(|leaves| decompose(leaves, &weights, pairs)).collect();
        let parts: Vec<_> = parts.into_iter().filter(|parts| parts.total > 1e-300).collect();
        let n = parts.len() as f64;
        let mean = |of: &dyn Fn(&super::anova::Parts) -> f64| {
            parts.iter().map(|parts| of(parts) / parts.total).sum::<f64>() / n
        };
        let main: Vec<f64> = (0..axes.len()).map(|axis| mean(&|parts| parts.main[axis])).collect();
        let of_pairs: Vec<f64> = (0..pairs.len()).map(|pair| mean(&|parts| parts.pairs[pair])).collect();
        (!parts.is_empty()).then_some((main, of_pairs))
    };
    let pairs = pairs_of(&order_of(&shares(&[])?.0));
    let (main, of_pairs) = shares(&pairs)?;
    let pairs = pairs.into_iter().zip(of_pairs).collect();
    Some(Importance { how: How::Forest, trials: points.len(), main, pairs, noise: None })
}

/// The level of each trial on an axis as a tree sees it, and how many there are: numbers in order, in ranges if there are many; names by the
/// mean of their trials.
fn coded(axis: &Axis, points: &[Point], values: &[f64]) -> (Vec<usize>, usize) {
    if axis.scale == Scale::Names {
        let mean = |level: usize| {
            let own: Vec<f64> =
                (0..points.len()).filter(|&i| axis.level_of[points[i].group] == level).map(|i| values[i]).collect();
            if own.is_empty() { f64::INFINITY } else { own.iter().sum::<f64>() / own.len() as f64 }
        };
        let means: Vec<f64> = (0..axis.levels.len()).map(mean).collect();
        let mut order: Vec<usize> = (0..means.len()).collect();
        order.sort_by(|&a, &b| means[a].total_cmp(&means[b]).then(a.cmp(&b)));
        let at = |level: usize| order.iter().position(|of| *of == level).unwrap_or(0);
        return (points.iter().map(|point| at(axis.level_of[point.group])).collect(), order.len());
    }
    let numbers: Vec<f64> = points.iter().map(|point| axis.numbers[point.group].unwrap_or(0.0)).collect();
    let mut begins = numbers.clone();
    begins.sort_by(f64::total_cmp);
    begins.dedup_by(|a, b| a.total_cmp(b) == Ordering::Equal);
    if begins.len() > MOST_LEVELS {
        let all = begins.len();
        begins = (0..MOST_LEVELS).map(|i| begins[i * all / MOST_LEVELS]).collect();
    }
    let level = |number: &f64| begins.partition_point(|begin| begin <= number).saturating_sub(1);
    (numbers.iter().map(level).collect(), begins.len())
}

#[cfg(test)]
mod tests {
    use super::{super::axes::axis, *};
    use crate::{metrics::Metric, report::means::mean_of};

    fn point(group: usize, seeds: &[f64]) -> Point {
        Point { group, mean: mean_of(seeds, Metric::Accuracy).unwrap(), first: None, complete: true }
    }

    fn column(key: &str, values: impl Iterator<Item = String>) -> Axis {
        axis(key.into(), key.rsplit('.').next().unwrap().into(), values.collect())
    }

    /// Expected: `tests/fixtures/sweep/importance.py`: the same method with the trees of scikit-learn, whose samples differ. The shares of 20
    /// seeds there differ by a standard deviation of up to 0.016, and its cuts of numbers into 32 levels by one trial: tolerance 0.05.
    #[test]
    fn shares_of_the_forest_are_near_those_of_scikit_learn() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/sweep/importance.json")).unwrap();
        let trials = fixture["trials"].as_array().unwrap();
        let keys = ["train.lr", "train.batch_size", "train.dropout", "train.scheduler"];
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), String::from);
        let axes: Vec<Axis> = keys.iter().map(|key| column(key, trials.iter().map(|t| text(&t[*key])))).collect();
        let points: Vec<Point> =
            trials.iter().enumerate().map(|(i, t)| point(i, &[t["value"].as_f64().unwrap()])).collect();
        let got = Importance::of(&axes, &points).unwrap();
        assert_eq!((got.how, got.noise, got.order()[0]), (How::Forest, None, 0));
        for (share, want) in got.main.iter().zip(fixture["main"].as_array().unwrap()) {
            assert!((share - want.as_f64().unwrap()).abs() < 0.05, "{:?}", got.main);
        }
        let all: f64 = got.main.iter().chain(got.pairs.iter().map(|(_, share)| share)).sum();
        assert!(all > 0.9 && all <= 1.0 + 1e-9, "{all}");
    }

    /// Expected: numpy, `tests/fixtures/sweep/importance.py`: the first table.
    #[test]
    fn a_complete_grid_needs_no_forest_and_noise_is_a_share_of_the_variance() {
        let table = [0.81, 0.84, 0.79, 0.90, 0.93, 0.70];
        let axes = [
            column("train.lr", (0..6).map(|i| ["1e-3", "1e-4"][i / 3].into())),
            column("train.batch_size", (0..6).map(|i| ["8", "16", "32"][i % 3].into())),
        ];
        let grid = |n: usize| (0..n).map(|i| point(i, &[table[i] - 0.01, table[i] + 0.01])).collect::<Vec<Point>>();
        let got = Importance::of(&axes, &grid(6)).unwrap();
        assert_eq!(got.how, How::Complete);
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
        near(got.main[0], 0.00022499999999999872 / 0.0056472222222222245);
        near(got.main[1], 0.0036222222222222224 / 0.0056472222222222245);
        near(got.pairs[0].1, 0.001800000000000002 / 0.0056472222222222245);
        // Two seeds 0.02 apart: their mean has a variance of 0.0002 / 2; that of the six means is 0.0056472 · 6 / 5.
        assert_eq!(got.noise.unwrap().degrees, 6);
        near(got.noise.unwrap().share, 0.0001 / (0.0056472222222222245 * 6.0 / 5.0));
        // One trial less is no grid, and too few for a forest; equal trials have nothing to explain.
        assert_eq!(Importance::of(&axes, &grid(5)), None);
        assert_eq!(Importance::of(&axes, &(0..6).map(|i| point(i, &[0.5])).collect::<Vec<_>>()), None);
        assert_eq!(Importance::of(&axes[..1], &grid(6)), None);
    }
}
