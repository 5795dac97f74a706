//! A metric over several seeds.

use super::Interval;

/// Summary of a few independent measurements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Measurements.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Sample standard deviation (n − 1); `None` for one measurement.
    pub sd: Option<f64>,
    /// Student's 95% interval of the mean; `None` for one measurement, and if all are equal, since their spread is then
    /// unknown.
    pub interval: Option<Interval>,
}

impl Sample {
    /// Summary of `values`; `None` if there are none.
    pub fn new(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        if values.iter().all(|v| *v == values[0]) {
            return Some(Self { n, mean: values[0], sd: (n > 1).then_some(0.0), interval: None });
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1) as f64).sqrt();
        let half = student_t_95(n - 1) * sd / (n as f64).sqrt();
        Some(Self { n, mean, sd: Some(sd), interval: Some(Interval { low: mean - half, high: mean + half }) })
    }
}

/// Student's t distribution: the value that |T| stays below with a probability of 95%, for a whole number of degrees of
/// freedom (infinite for 0). Accurate to a relative 1e-10 up to 1,000 degrees and beyond.
pub fn student_t_95(degrees: usize) -> f64 {
    if degrees == 0 {
        return f64::INFINITY;
    }
    // The probability rises with t: bisection on θ = atan(t / √ν), which is bounded.
    let (mut low, mut high) = (0.0, std::f64::consts::FRAC_PI_2);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if central_probability(degrees, middle) < 0.95 { low = middle } else { high = middle }
    }
    low.tan() * (degrees as f64).sqrt()
}

/// P(|T| ≤ t) for θ = atan(t / √ν): the finite series 26.7.3 and 26.7.4 of Abramowitz & Stegun.
fn central_probability(degrees: usize, theta: f64) -> f64 {
    let (sin, cos) = theta.sin_cos();
    let odd = degrees % 2 == 1;
    // Terms cosᵏθ · (…·(k−1))/(…·k), for k = 1, 3, … or 0, 2, …, up to ν − 2.
    let mut term = if odd { cos } else { 1.0 };
    let mut sum = 0.0;
    let mut k = if odd { 1 } else { 0 };
    while k + 2 <= degrees {
        sum += term;
        term *= cos * cos * (k + 1) as f64 / (k + 2) as f64;
        k += 2;
    }
    if odd { std::f64::consts::FRAC_2_PI * (theta + sin * sum) } else { sin * sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: scipy 1.17 `stats.t.ppf(.975, df)`.
    #[test]
    fn quantiles_match_scipy() {
        for (degrees, t) in [
            (1, 12.706204736174694),
            (2, 4.302652729749462),
            (3, 3.1824463052837078),
            (4, 2.7764451051977934),
            (5, 2.5705818356363146),
            (9, 2.262157162798205),
            (30, 2.0422724563012378),
            (101, 1.983731002955606),
            (1000, 1.9623390808264083),
        ] {
            let got = student_t_95(degrees);
            assert!((got / t - 1.0).abs() < 1e-10, "{degrees}: {got}");
        }
    }

    /// Expected: numpy mean and std(ddof=1), scipy `stats.t.interval(.95, 2, mean, stats.sem(x))`.
    #[test]
    fn summary_matches_scipy() {
        let s = Sample::new(&[0.901, 0.912, 0.8955]).unwrap();
        let i = s.interval.unwrap();
        assert!((s.mean - 0.9028333333333333).abs() < 1e-15);
        assert!((s.sd.unwrap() - 0.00840138877408574).abs() < 1e-15);
        assert!((i.low - 0.881963126648551).abs() < 1e-12 && (i.high - 0.9237035400181155).abs() < 1e-12);
        assert_eq!(Sample::new(&[]), None);
        assert_eq!(Sample::new(&[0.5]), Some(Sample { n: 1, mean: 0.5, sd: None, interval: None }));
        // scipy: (nan, nan).
        assert_eq!(Sample::new(&[0.1; 3]), Some(Sample { n: 3, mean: 0.1, sd: Some(0.0), interval: None }));
    }
}
