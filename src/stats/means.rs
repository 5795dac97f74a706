//! Compares two independent means.

use super::{Interval, Sample};

/// The difference of two means, with its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MeansDiffer {
    /// The first mean minus the second.
    pub difference: f64,
    /// Its 95% interval.
    pub interval: Interval,
    /// Two-sided p-value of Welch's t-test.
    pub p: f64,
}

/// Welch's t-test of two samples, whose variances may differ (B. L. Welch, Biometrika 34, 1947). `None` if one has fewer than two
/// measurements, or if neither varies: then their spread is unknown.
pub fn welch(a: &Sample, b: &Sample) -> Option<MeansDiffer> {
    let part = |s: &Sample| s.sd.map(|sd| sd * sd / s.n as f64);
    let (va, vb) = (part(a)?, part(b)?);
    if va + vb == 0.0 {
        return None;
    }
    let degrees = (va + vb).powi(2) / (va * va / (a.n - 1) as f64 + vb * vb / (b.n - 1) as f64);
    let (difference, error) = (a.mean - b.mean, (va + vb).sqrt());
    let half = quantile_95(degrees) * error;
    let interval = Interval { low: difference - half, high: difference + half };
    Some(MeansDiffer { difference, interval, p: outside(difference / error, degrees) })
}

/// P(|T| > t) of Student's t with any positive number of degrees of freedom.
fn outside(t: f64, degrees: f64) -> f64 {
    beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))
}

/// The value that |T| stays below with a probability of 95%.
fn quantile_95(degrees: f64) -> f64 {
    // Bisection on θ = atan(t / √ν), which is bounded.
    let (mut low, mut high) = (0.0, std::f64::consts::FRAC_PI_2);
    for _ in 0..60 {
        let middle: f64 = 0.5 * (low + high);
        if outside(middle.tan() * degrees.sqrt(), degrees) > 0.05 { low = middle } else { high = middle }
    }
    low.tan() * degrees.sqrt()
}

/// The regularised incomplete beta function Iₓ(a, b): its continued fraction (Abramowitz & Stegun 26.5.8), by Lentz's method.
fn beta(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    // The fraction converges fast on this side; on the other one the function is 1 − I₁₋ₓ(b, a).
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(b, a, 1.0 - x);
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp() / a;
    let not_zero = |v: f64| if v.abs() < 1e-300 { 1e-300 } else { v };
    let (mut c, mut d) = (1.0, 1.0 / not_zero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for m in 1..1000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut change = 1.0;
        for term in [even, odd] {
            d = 1.0 / not_zero(1.0 + term * d);
            c = not_zero(1.0 + term / c);
            change = c * d;
            fraction *= change;
        }
        if (change - 1.0).abs() < 1e-15 {
            break;
        }
    }
    front * fraction
}

/// Logarithm of the gamma function for positive numbers: Lanczos's approximation (g = 7, nine terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // Γ(x) Γ(1 − x) = π / sin πx
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let base = x + 7.5;
    let sum = (1..).zip(TERMS).fold(0.999_999_999_999_809_9, |sum, (i, term)| sum + term / (x + f64::from(i)));
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * base.ln() - base + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::student_t_95;

    /// Expected: scipy 1.17 `stats.ttest_ind(a, b, equal_var=False)` and its `confidence_interval(.95)`; see
    /// `tests/fixtures/reference/statistics.py`.
    #[test]
    fn welch_matches_scipy() {
        let samples: [(&[f64], &[f64], [f64; 3]); 4] = [
            (
                &[0.901, 0.912, 0.8955],
                &[0.884, 0.892, 0.871],
                [0.06157635217392638, -0.001632566138887008, 0.04263256613888671],
            ),
            (&[0.90, 0.91], &[0.89, 0.93, 0.86, 0.9], [0.552062937639589, -0.03429494806946351, 0.05429494806946353]),
            (&[0.9, 0.9], &[0.85, 0.87], [0.15595826075473865, -0.08706204736174702, 0.1670620473617471]),
            (
                &[0.5, 0.5, 0.6, 0.7, 0.4],
                &[0.9, 0.91, 0.92],
                [0.0017806201909181046, -0.5110913732928596, -0.22890862670714063],
            ),
        ];
        for (a, b, [p, low, high]) in samples {
            let got = welch(&Sample::new(a).unwrap(), &Sample::new(b).unwrap()).unwrap();
            assert!((got.p / p - 1.0).abs() < 1e-9, "{a:?} {b:?}: {got:?}");
            assert!((got.interval.low - low).abs() < 1e-10 && (got.interval.high - high).abs() < 1e-10, "{got:?}");
        }
    }

    #[test]
    fn means_of_unknown_spread_are_not_compared() {
        let [one, same, other] = [&[0.9][..], &[0.9, 0.9], &[0.8, 0.8]].map(|values| Sample::new(values).unwrap());
        assert_eq!(welch(&one, &same), None);
        assert_eq!(welch(&same, &other), None);
    }

    #[test]
    fn the_quantile_agrees_with_whole_degrees() {
        for degrees in [1, 2, 5, 30, 1000] {
            let (got, want) = (quantile_95(degrees as f64), student_t_95(degrees));
            assert!((got / want - 1.0).abs() < 1e-9, "{degrees}: {got} {want}");
        }
    }
}
