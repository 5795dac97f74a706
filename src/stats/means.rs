//! Compares two independent means.

use super::{
    Interval, Sample,
    student::{outside, quantile_95},
};

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

#[cfg(test)]
mod tests {
    use super::*;

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
}
