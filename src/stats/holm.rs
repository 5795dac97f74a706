//! Several tests at once.

/// The p-values of several tests, adjusted so that at most 5% of such families of tests have any that is below 0.05 by chance, whatever the
/// dependence between the tests. In the order given; a p-value that is not a number stays one and does not count.
///
/// S. Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of Statistics 6, 1979: the smallest of m p-values
/// times m, the next times m − 1, and so on, none below the one before it, and none above 1.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = p.to_vec();
    let mut least = 0.0f64;
    for (rank, &i) in order.iter().enumerate() {
        least = least.max((order.len() - rank) as f64 * p[i]).min(1.0);
        adjusted[i] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::oracle::{numbers, reference};

    /// Expected: statsmodels 0.15 `multipletests(p, method="holm")`; see `tests/fixtures/stats/make.py`.
    #[test]
    fn adjusted_values_match_statsmodels() {
        let cases = reference()["holm"].as_array().unwrap().clone();
        assert!(cases.len() >= 4);
        for case in cases {
            let (got, want) = (holm(&numbers(&case["p"])), numbers(&case["adjusted"]));
            assert_eq!(got.len(), want.len());
            assert!(got.iter().zip(&want).all(|(got, want)| (got - want).abs() < 1e-15), "{case}: {got:?}");
        }
    }

    #[test]
    fn what_was_not_tested_is_not_counted() {
        let got = holm(&[0.04, f64::NAN, 0.03]);
        assert!(got[1].is_nan());
        assert_eq!([got[0], got[2]], [0.06, 0.06]);
        assert_eq!(holm(&[]), [0.0; 0]);
    }
}
