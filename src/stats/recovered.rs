//! The interval of a difference from the intervals of its two parts.

use super::Interval;

/// The interval of `a − b` from a value and an interval of each: the method of variance estimates recovery (G. Y. Zou and A. Donner,
/// "Construction of confidence limits about effect measures", Statistics in Medicine 27, 2008), of Wilson's intervals the hybrid score
/// interval of R. G. Newcombe ("Interval estimation for the difference between independent proportions", method 10, Statistics in Medicine 17,
/// 1998). The two are taken as independent: for two models on the same rows the interval is wider than it has to be.
pub fn difference_of((a, of_a): (f64, Interval), (b, of_b): (f64, Interval)) -> Interval {
    let difference = a - b;
    Interval {
        low: difference - (a - of_a.low).hypot(of_b.high - b),
        high: difference + (of_a.high - a).hypot(b - of_b.low),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::wilson;

    /// Expected: table II of Newcombe (1998), method 10, 56/70 − 48/80 and 9/10 − 3/10 and 10/10 − 0/20.
    #[test]
    fn differences_of_shares_match_newcombe() {
        for (a, b, low, high) in
            [((56, 70), (48, 80), 0.0524, 0.3339), ((9, 10), (3, 10), 0.1705, 0.8090), ((10, 10), (0, 20), 0.6791, 1.0)]
        {
            let of = |(k, n): (u64, u64)| (k as f64 / n as f64, wilson(k, n));
            let i = difference_of(of(a), of(b));
            assert!((i.low - low).abs() < 5e-5 && (i.high - high).abs() < 5e-5, "{a:?} {b:?}: {i:?}");
        }
    }

    #[test]
    fn a_value_without_an_interval_moves_the_other() {
        let fixed = Interval { low: 0.5, high: 0.5 };
        let i = difference_of((0.9, Interval { low: 0.85, high: 0.93 }), (0.5, fixed));
        assert!((i.low - 0.35).abs() < 1e-12 && (i.high - 0.43).abs() < 1e-12);
    }
}
