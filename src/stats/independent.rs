//! Compares two shares of different rows.

use super::{Interval, normal::outside, wilson};

/// The difference of two shares, with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SharesDiffer {
    /// The first share minus the second.
    pub difference: f64,
    /// Its 95% interval: R. G. Newcombe's, from the Wilson interval of each (method 10 in Statistics in Medicine 17, 1998).
    pub interval: Interval,
    /// Two-sided p-value of the z-test with the pooled share (K. Pearson's chi-squared test); 1 if both are 0, or both 1.
    pub p: f64,
}

/// Compares `(successes, rows)` of two independent samples, such as two models on different rows. `None` if one has no rows.
pub fn shares_differ(a: (u64, u64), b: (u64, u64)) -> Option<SharesDiffer> {
    if a.1 == 0 || b.1 == 0 {
        return None;
    }
    let share = |(successes, n): (u64, u64)| successes as f64 / n as f64;
    let (pa, pb) = (share(a), share(b));
    let (ia, ib) = (wilson(a.0, a.1), wilson(b.0, b.1));
    let difference = pa - pb;
    let interval = Interval {
        low: difference - (pa - ia.low).hypot(ib.high - pb),
        high: difference + (ia.high - pa).hypot(pb - ib.low),
    };
    let pooled = (a.0 + b.0) as f64 / (a.1 + b.1) as f64;
    let error = (pooled * (1.0 - pooled) * (1.0 / a.1 as f64 + 1.0 / b.1 as f64)).sqrt();
    let p = if error > 0.0 { outside(difference / error) } else { 1.0 };
    Some(SharesDiffer { difference, interval, p })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::oracle::{number, reference};

    /// Expected: statsmodels 0.15 `confint_proportions_2indep(method="newcomb")` and `proportions_ztest`; see `tests/fixtures/stats/make.py`.
    #[test]
    fn two_shares_match_statsmodels() {
        let cases = reference()["two_shares"].as_array().unwrap().clone();
        assert!(cases.len() >= 5);
        for case in cases {
            let of = |key: &str| (case[key][0].as_u64().unwrap(), case[key][1].as_u64().unwrap());
            let got = shares_differ(of("a"), of("b")).unwrap();
            assert!((got.interval.low - number(&case["low"])).abs() < 1e-12, "{case}: {got:?}");
            assert!((got.interval.high - number(&case["high"])).abs() < 1e-12, "{case}: {got:?}");
            let p = number(&case["p"]);
            assert!((got.p - p).abs() <= 1e-11 * p, "{case}: {got:?}");
        }
    }

    #[test]
    fn shares_without_rows_or_spread() {
        assert_eq!(shares_differ((0, 0), (1, 2)), None);
        let same = shares_differ((5, 5), (7, 7)).unwrap();
        assert_eq!((same.difference, same.p), (0.0, 1.0));
    }
}
