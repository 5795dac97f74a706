//! Compares two classifiers on the same rows.

use super::{Interval, Z_95};

/// The number of rows that each of two classifiers was right on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paired {
    /// Rows on which both were right.
    pub both: u64,
    /// Rows on which only the first was.
    pub first_only: u64,
    /// Rows on which only the second was.
    pub second_only: u64,
    /// Rows on which neither was.
    pub neither: u64,
}

impl Paired {
    /// Counts pairs (first right, second right), one for each row.
    pub fn count(rows: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut counts = Self::default();
        for row in rows {
            match row {
                (true, true) => counts.both += 1,
                (true, false) => counts.first_only += 1,
                (false, true) => counts.second_only += 1,
                (false, false) => counts.neither += 1,
            }
        }
        counts
    }

    /// Number of rows.
    pub fn rows(&self) -> u64 {
        self.both + self.first_only + self.second_only + self.neither
    }

    /// Two-sided p-value of McNemar's exact test: the probability that the rows on which they disagree split at least this
    /// unevenly if both were equally good (a fair coin for each such row). 1 if they never disagree.
    ///
    /// Q. McNemar, Psychometrika 12, 1947; T. G. Dietterich, "Approximate Statistical Tests for Comparing Supervised
    /// Classification Learning Algorithms", 1998, recommends it for classifiers that were trained once.
    pub fn mcnemar(&self) -> f64 {
        let n = self.first_only + self.second_only;
        let k = self.first_only.min(self.second_only);
        // The binomial's terms underflow from n ≈ 1075 on, so each is computed from the logarithm of the previous one.
        let mut ln_term = -(n as f64) * std::f64::consts::LN_2;
        let mut tail = ln_term.exp();
        for i in 0..k {
            ln_term += ((n - i) as f64 / (i + 1) as f64).ln();
            tail += ln_term.exp();
        }
        (2.0 * tail).min(1.0)
    }

    /// Accuracy of the first minus that of the second, with a 95% interval; `None` without rows.
    ///
    /// Wald's interval after half a row is added to each of the four counts, which keeps its coverage near the nominal one for few
    /// disagreements (A. Agresti, Y. Min, Statistics in Medicine 24, 2005).
    pub fn difference(&self) -> Option<(f64, Interval)> {
        let rows = self.rows();
        if rows == 0 {
            return None;
        }
        let estimate = (self.first_only as f64 - self.second_only as f64) / rows as f64;
        let (b, c, n) = (self.first_only as f64 + 0.5, self.second_only as f64 + 0.5, rows as f64 + 2.0);
        let centre = (b - c) / n;
        let half = Z_95 * (b + c - (b - c) * (b - c) / n).sqrt() / n;
        Some((estimate, Interval { low: centre - half, high: centre + half }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disagree(rows: u64, first_only: u64, second_only: u64) -> Paired {
        Paired { both: rows - first_only - second_only, first_only, second_only, neither: 0 }
    }

    /// Expected: statsmodels 0.15 `mcnemar([[100, b], [c, 20]], exact=True).pvalue`.
    #[test]
    fn mcnemar_matches_statsmodels() {
        for (b, c, p) in [
            (12, 5, 0.143463134765625),
            (5, 12, 0.143463134765625),
            (0, 6, 0.03125),
            (30, 31, 1.0),
            (3, 3, 1.0),
            (0, 0, 1.0),
            (160, 110, 0.0027953023076950725),
            (1500, 1390, 0.04258474930986322),
        ] {
            let got = disagree(4000, b, c).mcnemar();
            assert!((got - p).abs() < 1e-9 * p, "{b} {c}: {got}");
        }
    }

    /// Expected: the paper's formula in numpy, z = scipy.stats.norm.ppf(.975).
    #[test]
    fn difference_matches_the_formula() {
        for (n, b, c, low, high) in [
            (2397, 160, 110, 0.007418514547297724, 0.03426552046729169),
            (10, 0, 0, -0.1633303320450045, 0.1633303320450045),
            (50, 12, 3, 0.02983734137997482, 0.3163165047738713),
        ] {
            let (estimate, i) = disagree(n, b, c).difference().unwrap();
            assert!((estimate - (b as f64 - c as f64) / n as f64).abs() < 1e-15);
            assert!((i.low - low).abs() < 1e-12 && (i.high - high).abs() < 1e-12, "{n} {b} {c}: {i:?}");
        }
        assert_eq!(Paired::default().difference(), None);
    }

    #[test]
    fn rows_are_counted_by_which_was_right() {
        let rows = [(true, true), (true, false), (true, false), (false, true), (false, false)];
        assert_eq!(Paired::count(rows), Paired { both: 1, first_only: 2, second_only: 1, neither: 1 });
    }
}
