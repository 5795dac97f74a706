//! Whether several groups have the same mean.

use super::student::beta;

/// P(F > f) of the F distribution with these degrees of freedom, of the numerator and of the denominator.
pub fn f_outside(f: f64, between: f64, within: f64) -> f64 {
    beta(within / 2.0, between / 2.0, within / (within + between * f))
}

/// p-value of the one-way analysis of variance: whether groups of values have the same mean, if their variances are the same. `None` with
/// fewer than two groups, without a second value in any group, and if no group varies.
pub fn one_way(groups: &[Vec<f64>]) -> Option<f64> {
    let groups: Vec<&Vec<f64>> = groups.iter().filter(|group| !group.is_empty()).collect();
    let n: usize = groups.iter().map(|group| group.len()).sum();
    if groups.len() < 2 || n <= groups.len() {
        return None;
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let all = groups.iter().flat_map(|group| group.iter()).sum::<f64>() / n as f64;
    let between: f64 = groups.iter().map(|group| group.len() as f64 * (mean(group) - all).powi(2)).sum();
    let of_group = |group: &&Vec<f64>| group.iter().map(|value| (value - mean(group)).powi(2)).sum::<f64>();
    let within: f64 = groups.iter().map(of_group).sum();
    let (above, below) = ((groups.len() - 1) as f64, (n - groups.len()) as f64);
    // Equal values differ in their last bits.
    (within > 1e-24 * all * all).then(|| f_outside(between / above / (within / below), above, below))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::oracle::{number, numbers, reference};

    /// Expected: scipy, `tests/fixtures/stats/make.py`.
    #[test]
    fn the_tests_are_those_of_scipy() {
        let reference = reference();
        let cases = reference["f_test"]["distribution"].as_array().unwrap();
        for case in cases {
            let [f, between, within, p] = ["f", "between", "within", "p"].map(|name| number(&case[name]));
            let got = f_outside(f, between, within);
            assert!((got - p).abs() <= 1e-12 + 1e-9 * p, "{case}: {got}");
        }
        let samples = reference["f_test"]["one_way"].as_array().unwrap();
        for case in samples {
            let groups: Vec<Vec<f64>> = case["groups"].as_array().unwrap().iter().map(numbers).collect();
            let got = one_way(&groups).unwrap();
            assert!((got / number(&case["p"]) - 1.0).abs() < 1e-9, "{case}: {got}");
        }
        assert!(cases.len() == 12 && samples.len() == 4);
    }

    #[test]
    fn without_a_spread_there_is_no_test() {
        assert_eq!(one_way(&[vec![0.9, 0.8], vec![]]), None);
        assert_eq!(one_way(&[vec![0.9], vec![0.8], vec![0.7]]), None);
        assert_eq!(one_way(&[vec![0.1 + 0.2, 0.3], vec![0.5, 0.5]]), None);
    }
}
