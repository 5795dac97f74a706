//! Compares two models by differences that belong together: of the same seed, or of the same fold.

use super::{
    Interval, MeansDiffer, Sample,
    student::{outside, quantile_95},
};

/// Student's paired t-test of differences that are independent of one another, as of two settings trained with the same seeds. `None` for
/// fewer than two, or if all are equal: then their spread is unknown.
pub fn paired_t(differences: &[f64]) -> Option<MeansDiffer> {
    corrected_t(differences, 0.0)
}

/// The corrected resampled t-test for the folds of a cross-validation, or for repeated splits of the same rows. `ratio` is the number of test
/// rows over that of training rows: with k folds 1 / (k − 1), and more if dev rows are taken from the training rows. `None` as for [`paired_t`].
///
/// t = d̄ / √((1/n + ratio) · s²) with n − 1 degrees of freedom (C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning
/// 52, 2003). The training sets of two folds share rows, so that s²/n alone is too small and the usual test finds too much. Its limits: the
/// correction assumes that two folds correlate by ratio / (1 + ratio), which is a rule of thumb, since no unbiased estimate of that variance
/// exists (Y. Bengio, Y. Grandvalet 2004); and with few folds only large differences are found.
pub fn corrected_t(differences: &[f64], ratio: f64) -> Option<MeansDiffer> {
    let sample = Sample::new(differences)?;
    let sd = sample.sd.filter(|sd| *sd > 0.0 && sd.is_finite() && ratio.is_finite() && ratio >= 0.0)?;
    let error = (1.0 / sample.n as f64 + ratio).sqrt() * sd;
    let degrees = (sample.n - 1) as f64;
    let half = quantile_95(degrees) * error;
    let interval = Interval { low: sample.mean - half, high: sample.mean + half };
    Some(MeansDiffer { difference: sample.mean, interval, p: outside(sample.mean / error, degrees) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::oracle::{number, numbers, reference};

    /// Expected: `tests/fixtures/stats/make.py`: scipy `stats.ttest_rel` for a ratio of 0, else the paper's formula with `stats.t`.
    #[test]
    fn paired_tests_match_scipy() {
        let cases = reference()["corrected_t"].as_array().unwrap().clone();
        assert!(cases.len() >= 6);
        for case in cases {
            let (differences, ratio) = (numbers(&case["differences"]), number(&case["ratio"]));
            let got = corrected_t(&differences, ratio).unwrap();
            let near = |got: f64, key: &str| (got - number(&case[key])).abs() <= 1e-12 * got.abs().max(1.0);
            assert!(near(got.difference, "difference") && near(got.p, "p"), "{case}: {got:?}");
            // The quantile is found by bisection.
            let bounds = [(got.interval.low, "low"), (got.interval.high, "high")];
            assert!(bounds.iter().all(|(got, key)| (got - number(&case[*key])).abs() < 1e-11), "{case}: {got:?}");
            if ratio == 0.0 {
                assert_eq!(paired_t(&differences), Some(got));
            }
        }
    }

    #[test]
    fn differences_of_unknown_spread_are_not_tested() {
        for differences in [&[][..], &[0.1], &[0.1, 0.1, 0.1], &[f64::NAN, 0.1]] {
            assert_eq!(paired_t(differences), None, "{differences:?}");
        }
        assert_eq!(corrected_t(&[0.1, 0.2], f64::NAN), None);
    }
}
