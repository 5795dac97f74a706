//! What the best of a few runs is expected to reach.

/// The expected best of `k` of the values, drawn without replacement: element `k − 1` is for `k` of them, from 1 to the number of finite
/// values. The first is their mean, the last their best. A value that is not finite, as of a diverged run, is left out; without values
/// the result is empty.
///
/// It is the expected validation performance of J. Dodge et al., "Show Your Work: Improved Reporting of Experimental Results", EMNLP 2019,
/// in the unbiased form (R. Tang et al., "Showing Your Work Doesn't Always Work", ACL 2020): the mean over all subsets of `k`, where the
/// original form draws with replacement and so expects too little. The i-th best value is the best of C(n − i, k − 1) of the C(n, k) subsets.
pub fn expected_best(values: &[f64], higher_is_better: bool) -> Vec<f64> {
    let mut best_first: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    best_first.sort_by(|a, b| if higher_is_better { b.total_cmp(a) } else { a.total_cmp(b) });
    let n = best_first.len();
    (1..=n).map(|k| best_of(&best_first, k)).collect()
}

/// Σ C(n − i, k − 1) / C(n, k) · vᵢ: each weight from the previous one, since binomial coefficients overflow.
fn best_of(best_first: &[f64], k: usize) -> f64 {
    let n = best_first.len();
    let best = best_first[0];
    let (mut weight, mut lost) = (k as f64 / n as f64, 0.0);
    for (i, value) in best_first.iter().enumerate().take(n - k + 1) {
        // The weights add up to 1: what is summed is how far a value is below the best, so that equal values give exactly this value.
        lost += weight * (value - best);
        weight *= (n - k - i) as f64 / (n - i - 1).max(1) as f64;
    }
    best + lost
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::oracle::{numbers, reference};

    /// Expected: `tests/fixtures/stats/make.py`: the mean of `max` or `min` over `itertools.combinations`, in fractions; for many values the
    /// formula in fractions.
    #[test]
    fn the_expected_best_matches_all_subsets() {
        let cases = &reference()["best_of"];
        assert!(cases.as_array().unwrap().len() >= 5);
        for case in cases.as_array().unwrap() {
            let got = expected_best(&numbers(&case["values"]), case["higher_is_better"].as_bool().unwrap());
            let want = numbers(&case["expected"]);
            assert_eq!(got.len(), want.len());
            for (k, (got, want)) in got.iter().zip(&want).enumerate() {
                assert!((got - want).abs() <= 1e-13, "best of {}: {got}, not {want}", k + 1);
            }
        }
    }

    #[test]
    fn equal_values_give_that_value_and_what_is_not_finite_is_left_out() {
        assert_eq!(expected_best(&[0.1; 7], true), [0.1; 7]);
        assert_eq!(expected_best(&[f64::NAN, 0.5, f64::NEG_INFINITY, 0.7], false), [0.6, 0.5]);
        assert_eq!(expected_best(&[f64::NAN], true), [0.0; 0]);
        assert_eq!(expected_best(&[], true), [0.0; 0]);
        let many: Vec<f64> = (0..1000).map(|i| f64::from(i * 617 % 1000)).collect();
        let got = expected_best(&many, true);
        assert!(got.windows(2).all(|pair| pair[0] <= pair[1]) && got[999] == 999.0);
    }
}
