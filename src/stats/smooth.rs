//! Smoothed curves.

/// Exponential moving average with bias correction, as in TensorBoard and W&B.
///
/// `weight` is the weight of the past, in [0, 1); with 0 the values are returned unchanged. Dividing by 1 − weightᵗ makes the first
/// values averages of the data instead of pulling them towards 0 (Kingma & Ba 2015, section 3). A value that is not finite is
/// returned as it is and does not enter the average.
pub fn ema(values: &[f64], weight: f64) -> Vec<f64> {
    let weight = if weight.is_finite() { weight.clamp(0.0, 0.999_999) } else { 0.0 };
    let (mut average, mut remaining) = (0.0, 1.0);
    values
        .iter()
        .map(|&value| {
            if !value.is_finite() {
                return value;
            }
            average = weight * average + (1.0 - weight) * value;
            remaining *= weight;
            average / (1.0 - remaining)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected: pandas `Series.ewm(alpha=0.1, adjust=True).mean()`.
    #[test]
    fn average_matches_pandas() {
        let got = ema(&[1.0, 0.5, 0.25, 2.0, 0.1], 0.9);
        let want = [1.0, 0.7368421052631579, 0.5571955719557196, 0.9767374236696714, 0.7626431588972186];
        for (g, w) in got.iter().zip(want) {
            assert!((g - w).abs() < 1e-12, "{got:?}");
        }
        assert_eq!(ema(&[3.0, 1.0], 0.0), [3.0, 1.0]);
    }

    #[test]
    fn values_that_are_not_finite_do_not_spread() {
        let with = ema(&[1.0, f64::NAN, 0.5, f64::INFINITY, 0.25], 0.9);
        let without = ema(&[1.0, 0.5, 0.25], 0.9);
        assert!(with[1].is_nan() && with[3] == f64::INFINITY);
        assert_eq!([with[0], with[2], with[4]], without[..]);
    }
}
