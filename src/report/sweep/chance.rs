//! Whether the effect of an axis may be chance.

use super::{
    axes::Axis,
    importance::{How, Importance},
    points::Point,
};
use crate::stats::{f_outside, one_way};

/// The spread that an effect is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// That of seeds: every combination of values has a trial with several seeds.
    Seeds,
    /// That of the trials with the same value, which contains what the other axes change.
    Trials,
}

/// An F-test of whether all values of an axis have the same mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AxisTest {
    /// Its p-value.
    pub p: f64,
    /// The spread that it is computed from.
    pub against: Against,
}

impl AxisTest {
    /// The test of an axis. `None` if neither seeds nor trials with the same value tell how large chance is.
    pub fn of(at: usize, axes: &[Axis], points: &[Point], importance: Option<&Importance>) -> Option<Self> {
        let axis = &axes[at];
        if let Some(importance) = importance.filter(|importance| importance.how == How::Complete)
            && let Some(noise) = importance.noise
        {
            let between = axis.degrees() as f64;
            // Both are shares of the same sum of squares, of one degree of freedom less than there are trials.
            let f = importance.main[at] / between / (noise.share / (points.len() - 1) as f64);
            let p = f_outside(f, between, noise.degrees as f64);
            return Some(Self { p, against: Against::Seeds });
        }
        let of_level = |level: usize| -> Vec<f64> {
            points.iter().filter(|p| axis.level_of[p.group] == level).map(|point| point.mean.mean).collect()
        };
        let groups: Vec<Vec<f64>> = (0..axis.levels.len()).map(of_level).collect();
        one_way(&groups).map(|p| Self { p, against: Against::Trials })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::axes::axis, *};
    use crate::{metrics::Metric, report::means::mean_of};

    fn column(key: &str, values: [&str; 9]) -> Axis {
        axis(key.into(), key.into(), values.map(String::from).to_vec())
    }

    /// The dev accuracies of the sweep in docs/example. Expected: statsmodels' `anova_lm` of `ols("y ~ C(lr) * C(batch_size)")`, and scipy's
    /// `f_oneway` of the means by learning rate: `tests/fixtures/sweep/axis_test.py`.
    #[test]
    fn an_axis_of_a_grid_is_tested_against_seeds_and_else_against_trials() {
        let fixture: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/fixtures/sweep/axis_test.json")).unwrap();
        let axes = [
            column("lr", ["3e-5", "3e-5", "3e-5", "1e-4", "1e-4", "1e-4", "3e-4", "3e-4", "3e-4"]),
            column("batch_size", ["16", "32", "64", "16", "32", "64", "16", "32", "64"]),
        ];
        let trials = fixture["trials"].as_array().unwrap();
        let seeds = |trial: &serde_json::Value| -> Vec<f64> {
            trial.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        let point = |(group, trial)| Point {
            group,
            mean: mean_of(&seeds(trial), Metric::Accuracy).unwrap(),
            first: None,
            complete: true,
        };
        let points: Vec<Point> = trials.iter().enumerate().map(point).collect();
        let importance = Importance::of(&axes, &points).unwrap();
        for (at, against, importance, want) in [
            (0, Against::Seeds, Some(&importance), "lr"),
            (1, Against::Seeds, Some(&importance), "batch_size"),
            (0, Against::Trials, None, "lr_over_trials"),
        ] {
            let test = AxisTest::of(at, &axes, &points, importance).unwrap();
            let want = fixture[want].as_f64().unwrap();
            assert!(test.against == against && (test.p / want - 1.0).abs() < 1e-8, "{test:?} {want}");
        }
        // One trial for each value, and no seeds: nothing tells what chance is.
        assert_eq!(AxisTest::of(0, &[column("x", ["1", "2", "3", "4", "5", "6", "7", "8", "9"])], &points, None), None);
    }
}
