//! Percentile bootstrap intervals.

use std::collections::BTreeMap;

use super::Interval;
use crate::random::{Purpose, Stream};

/// Resamples of an interval in a report.
pub const RESAMPLES: usize = 1000;

/// Percentile intervals (95%) of `N` statistics of `rows` rows, from `resamples` samples with replacement of as many rows.
///
/// `statistic` gets how many times each row was drawn. A value that is not finite does not count; an interval is `None` if more than one
/// resample in twenty has none, or without rows. The samples depend on `seed` alone.
///
/// B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13. The ends are the 2.5% and 97.5% quantiles, with linear
/// interpolation between two values, as in `scipy.stats.bootstrap(method="percentile")`.
pub fn bootstrap<const N: usize>(
    rows: usize,
    resamples: usize,
    seed: u64,
    statistic: impl FnMut(&[u32]) -> [f64; N],
) -> [Option<Interval>; N] {
    let all: Vec<u32> = (0..).take(rows).collect();
    resampled(&[all], resamples, seed, statistic)
}

/// The same, drawn within each stratum: each sample has as many rows of each as there are, so that one with few rows never lacks in a sample.
/// `strata` is the stratum of each row, such as its label.
///
/// Efron and Tibshirani 1993, chapter 8.3 (several samples). It says nothing about how the sizes of the strata vary between samples.
pub fn stratified_bootstrap<const N: usize>(
    strata: &[u32],
    resamples: usize,
    seed: u64,
    statistic: impl FnMut(&[u32]) -> [f64; N],
) -> [Option<Interval>; N] {
    let mut rows_of: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    (0..).zip(strata).for_each(|(row, stratum)| rows_of.entry(*stratum).or_default().push(row));
    resampled(&rows_of.into_values().collect::<Vec<_>>(), resamples, seed, statistic)
}

/// Intervals of the differences of statistics of two on the same rows: `first` minus `second`, both of the same resampled rows. With `strata`
/// as in [`stratified_bootstrap`]; all rows of one stratum is the usual bootstrap.
///
/// What both find hard or easy cancels out, so that these intervals are narrower than the difference of two independent ones.
pub fn paired_bootstrap<const N: usize>(
    strata: &[u32],
    resamples: usize,
    seed: u64,
    mut first: impl FnMut(&[u32]) -> [f64; N],
    mut second: impl FnMut(&[u32]) -> [f64; N],
) -> [Option<Interval>; N] {
    stratified_bootstrap(strata, resamples, seed, |drawn| {
        let (a, b) = (first(drawn), second(drawn));
        std::array::from_fn(|i| a[i] - b[i])
    })
}

/// Samples within each list of rows; each row is in exactly one.
fn resampled<const N: usize>(
    strata: &[Vec<u32>],
    resamples: usize,
    seed: u64,
    mut statistic: impl FnMut(&[u32]) -> [f64; N],
) -> [Option<Interval>; N] {
    let rows = strata.iter().map(Vec::len).sum();
    if rows == 0 || resamples == 0 {
        return [None; N];
    }
    let mut values: [Vec<f64>; N] = std::array::from_fn(|_| Vec::with_capacity(resamples));
    let mut drawn = vec![0u32; rows];
    for resample in 0..resamples {
        drawn.fill(0);
        let stream = Stream::new(seed, Purpose::Bootstrap, resample as u64, 0);
        // Each word chooses a row; the bias of rows / 2³² is far below what resampling can show.
        let mut words = (0u64..).flat_map(|i| stream.at4(i));
        for of_stratum in strata {
            let chosen = |word: u32| of_stratum[((u64::from(word) * of_stratum.len() as u64) >> 32) as usize];
            words.by_ref().take(of_stratum.len()).for_each(|word| drawn[chosen(word) as usize] += 1);
        }
        for (values, value) in values.iter_mut().zip(statistic(&drawn)) {
            values.extend(Some(value).filter(|value| value.is_finite()));
        }
    }
    values.map(|mut values| {
        values.sort_by(f64::total_cmp);
        let enough = values.len() * 20 >= resamples * 19;
        enough.then(|| Interval { low: quantile(&values, 0.025), high: quantile(&values, 0.975) })
    })
}

/// The quantile of sorted values, with linear interpolation: numpy's default.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(sorted.len() - 1);
    sorted[low] + part * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::oracle::{numbers, reference};

    const VALUES: [f64; 12] = [0.2, 1.4, 0.9, 3.1, 2.2, 0.4, 1.1, 5.0, 0.7, 1.9, 2.8, 0.1];

    const NUMPY: [(f64, f64); 6] = [(0.0, 0.1), (0.025, 0.1275), (0.3, 0.76), (0.5, 1.25), (0.975, 4.4775), (1.0, 5.0)];
    const SCIPY: (f64, f64) = (0.9333333333333332, 2.4833333333333334);

    fn of_mean(resamples: usize, seed: u64) -> Interval {
        let mean = |drawn: &[u32]| {
            [drawn.iter().zip(VALUES).map(|(n, v)| f64::from(*n) * v).sum::<f64>() / VALUES.len() as f64]
        };
        bootstrap(VALUES.len(), resamples, seed, mean)[0].unwrap()
    }

    /// Expected: `numpy.quantile` of the same values.
    #[test]
    fn quantiles_match_numpy() {
        let sorted = [0.1, 0.2, 0.4, 0.7, 0.9, 1.1, 1.4, 1.9, 2.2, 2.8, 3.1, 5.0];
        for (share, want) in NUMPY {
            assert!((quantile(&sorted, share) - want).abs() < 1e-12, "{share}: {}", quantile(&sorted, share));
        }
    }

    /// Expected: scipy 1.17 `stats.bootstrap(method="percentile")` of the mean with 400,000 resamples, whose ends have a standard error of
    /// about 0.002; those of 20,000 resamples have one of about 0.008, so that 0.03 is more than three of both together.
    #[test]
    fn interval_of_a_mean_matches_scipy() {
        let interval = of_mean(20_000, 1);
        assert!((interval.low - SCIPY.0).abs() < 0.03 && (interval.high - SCIPY.1).abs() < 0.03, "{interval:?}");
    }

    #[test]
    fn a_seed_gives_the_same_interval_and_what_is_undefined_gives_none() {
        assert_eq!(of_mean(200, 7), of_mean(200, 7));
        assert_ne!(of_mean(200, 7), of_mean(200, 8));
        let mut calls = 0;
        let mut sometimes = |_: &[u32]| {
            calls += 1;
            [if calls % 10 == 0 { f64::NAN } else { 1.0 }, if calls == 3 { f64::INFINITY } else { 2.0 }]
        };
        assert_eq!(bootstrap(3, 100, 1, &mut sometimes), [None, Some(Interval { low: 2.0, high: 2.0 })]);
        assert_eq!(bootstrap(0, 100, 1, |_| [1.0]), [None]);
        let rows = bootstrap(5, 50, 1, |drawn| [f64::from(drawn.iter().sum::<u32>())]);
        assert_eq!(rows, [Some(Interval { low: 5.0, high: 5.0 })], "as many rows as there are");
    }

    /// Expected: `tests/fixtures/stats/make.py`: the same samples, drawn by Philox in Python, and `numpy.quantile` of the statistics; and the
    /// interval of `scipy.stats.bootstrap` with 100,000 samples of its own.
    #[test]
    fn paired_and_stratified_samples_match_numpy_and_scipy() {
        let reference = &reference()["bootstrap"];
        let (a, b) = (numbers(&reference["a"]), numbers(&reference["b"]));
        let labels: Vec<u32> = numbers(&reference["labels"]).iter().map(|label| *label as u32).collect();
        let mean = |drawn: &[u32], of: &[f64]| {
            drawn.iter().zip(of).map(|(n, v)| f64::from(*n) * v).sum::<f64>() / of.len() as f64
        };
        // The mean over the labels of the mean of their rows.
        let macro_mean = |drawn: &[u32], of: &[f64]| {
            let of_label = |label: u32| {
                let rows = || drawn.iter().zip(of).zip(&labels).filter(|(_, l)| **l == label);
                let n: f64 = rows().map(|((n, _), _)| f64::from(*n)).sum();
                rows().map(|((n, v), _)| f64::from(*n) * v).sum::<f64>() / n
            };
            (0..3).map(of_label).sum::<f64>() / 3.0
        };
        let both = |drawn: &[u32], of: &[f64]| [mean(drawn, of), macro_mean(drawn, of)];
        let of = |strata: &[u32], resamples: usize| {
            paired_bootstrap(strata, resamples, 3, |drawn| both(drawn, &a), |drawn| both(drawn, &b))
        };
        for (strata, name) in [(vec![0; a.len()], "plain"), (labels.clone(), "stratified")] {
            let [of_mean, of_macro] = of(&strata, 500).map(Option::unwrap);
            for (got, what) in [(of_mean, "mean"), (of_macro, "macro")] {
                let want = numbers(&reference[name][what]);
                assert!(
                    (got.low - want[0]).abs() < 1e-12 && (got.high - want[1]).abs() < 1e-12,
                    "{name} {what}: {got:?}"
                );
            }
        }
        // The ends of 20,000 samples have a standard error of about 0.001 here.
        let ([got, _], want) = (of(&vec![0; a.len()], 20_000).map(Option::unwrap), numbers(&reference["scipy"]));
        assert!((got.low - want[0]).abs() < 0.005 && (got.high - want[1]).abs() < 0.005, "{got:?} {want:?}");
        let drawn = stratified_bootstrap(&labels, 50, 1, |drawn| {
            std::array::from_fn::<f64, 3, _>(|label| {
                drawn.iter().zip(&labels).filter(|(_, l)| **l == label as u32).map(|(n, _)| f64::from(*n)).sum()
            })
        });
        for (label, interval) in (0u32..).zip(drawn) {
            let rows = labels.iter().filter(|l| **l == label).count() as f64;
            assert_eq!(interval, Some(Interval { low: rows, high: rows }), "as many rows of each as there are");
        }
        assert_eq!(stratified_bootstrap(&[], 50, 1, |_| [1.0]), [None]);
    }
}
