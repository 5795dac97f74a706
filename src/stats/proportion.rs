//! Confidence intervals of a share of rows.

use serde::Serialize;

use super::Z_95;

/// A range of plausible values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// The interval clamped to [0, 1].
    #[must_use]
    pub fn of_share(self) -> Self {
        Self { low: self.low.clamp(0.0, 1.0), high: self.high.clamp(0.0, 1.0) }
    }
}

/// Wilson's 95% score interval for `successes` out of `n`; [0, 1] if `n` is 0.
///
/// It stays inside [0, 1] and keeps its coverage near the ends, where `p ± 1.96·√(p(1−p)/n)` does not (E. B. Wilson,
/// "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22, 1927; Brown, Cai, DasGupta 2001).
pub fn wilson(successes: u64, n: u64) -> Interval {
    wilson_of_share(successes as f64 / n.max(1) as f64, n)
}

/// Wilson's interval for a share `p` of `n` that need not be a whole number of them, such as a mean of shares.
pub fn wilson_of_share(p: f64, n: u64) -> Interval {
    if n == 0 {
        return Interval { low: 0.0, high: 1.0 };
    }
    let (z2, n_f, p) = (Z_95 * Z_95, n as f64, p.clamp(0.0, 1.0));
    let centre = (p + z2 / (2.0 * n_f)) / (1.0 + z2 / n_f);
    let half = Z_95 / (1.0 + z2 / n_f) * (p * (1.0 - p) / n_f + z2 / (4.0 * n_f * n_f)).sqrt();
    // At the ends one bound is 0 or 1 exactly; rounding must not move it.
    Interval {
        low: if p == 0.0 { 0.0 } else { (centre - half).max(0.0) },
        high: if p == 1.0 { 1.0 } else { (centre + half).min(1.0) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: statsmodels 0.15 `proportion_confint(k, n, method="wilson")`.
    #[test]
    fn wilson_matches_statsmodels() {
        for (k, n, low, high) in [
            (2157, 2397, 0.8872111419886479, 0.9112589081502063),
            (598, 1199, 0.4704968315843059, 0.527009074137516),
            (1, 3, 0.06149194472039626, 0.7923403991979523),
            (0, 10, 0.0, 0.27753279986288926),
            (10, 10, 0.7224672001371106, 1.0),
        ] {
            let i = wilson(k, n);
            assert!((i.low - low).abs() < 1e-12 && (i.high - high).abs() < 1e-12, "{k}/{n}: {i:?}");
        }
        // `count` may be fractional there: the mean of two runs.
        for (k, n, low, high) in [
            (112.5, 120, 0.8791887726011073, 0.9686694567825272),
            (95.5, 120, 0.7150727239438633, 0.8582409359250703),
            (0.25, 8, 0.0018084305019217262, 0.3648236615767161),
        ] {
            let i = wilson_of_share(k / n as f64, n);
            assert!((i.low - low).abs() < 1e-12 && (i.high - high).abs() < 1e-12, "{k}/{n}: {i:?}");
        }
        assert_eq!(wilson(0, 0), Interval { low: 0.0, high: 1.0 });
    }
}
