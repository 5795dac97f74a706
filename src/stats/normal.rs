//! The standard normal distribution.

use std::f64::consts::{PI, SQRT_2};

/// P(|Z| > |z|).
pub(super) fn outside(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// The complementary error function of a number that is not negative: a series of positive terms (Abramowitz & Stegun 7.1.6) up to where the
/// difference from 1 loses digits, above it the continued fraction 7.1.14 by Lentz's method.
fn erfc(x: f64) -> f64 {
    let front = (-x * x).exp() / PI.sqrt();
    if x < 2.0 {
        let (mut term, mut sum, mut n) = (2.0 * x, 0.0, 1.0);
        while term > 1e-17 * sum {
            sum += term;
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            n += 1.0;
        }
        return 1.0 - front * sum;
    }
    // x + (1/2) / (x + 1 / (x + (3/2) / (x + …)))
    let (mut fraction, mut c, mut d) = (x, x, 0.0);
    for k in 1..500 {
        let part = f64::from(k) / 2.0;
        d = 1.0 / (x + part * d);
        c = x + part / c;
        let change = c * d;
        fraction *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    front / fraction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::oracle::{number, reference};

    /// Expected: `2 * scipy.stats.norm.sf(z)`; see `tests/fixtures/stats/make.py`.
    #[test]
    fn tails_match_scipy() {
        let cases = reference()["normal"].as_array().unwrap().clone();
        assert!(cases.len() >= 8);
        for case in cases {
            let (got, p) = (outside(number(&case["z"])), number(&case["p"]));
            assert!((got - p).abs() <= 1e-13 * p, "{case}: {got}");
        }
    }
}
