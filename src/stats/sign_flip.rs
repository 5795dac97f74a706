//! Compares two models by a number that each has for each of the same rows, such as an error.

use crate::random::{Purpose, Stream};

/// Random flips of a test with many rows.
pub const FLIPS: usize = 10_000;

/// A paired permutation test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignFlip {
    /// Mean difference.
    pub mean: f64,
    /// Two-sided p-value.
    pub p: f64,
    /// How many random flips it is from; `None` if it is exact: from all of them.
    pub flips: Option<usize>,
}

/// Tests whether the mean of paired differences is 0: if both models were equally good, each difference would be as likely with the
/// other sign. The p-value is the share of sign flips whose mean is at least as far from 0.
///
/// All flips are counted if there are at most `flips` of them, for rows without a difference do not matter; otherwise `flips` random
/// ones, and with them the observed one (B. Phipson, G. K. Smyth 2010), as in `scipy.stats.permutation_test(permutation_type="samples")`.
/// `None` without rows, or if a difference is not finite. R. A. Fisher, "The Design of Experiments", 1935, section 21.
pub fn sign_flip(differences: &[f64], flips: usize, seed: u64) -> Option<SignFlip> {
    if differences.is_empty() || differences.iter().any(|d| !d.is_finite()) {
        return None;
    }
    let mean = differences.iter().sum::<f64>() / differences.len() as f64;
    let other: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let sum: f64 = other.iter().sum();
    // Sums that are equal but for rounding count as equal.
    let least = sum.abs() - 1e-12 * other.iter().map(|d| d.abs()).sum::<f64>();
    let all = u32::try_from(other.len()).ok().and_then(|n| 1usize.checked_shl(n)).filter(|all| *all <= flips);
    let as_far = |flipped: &dyn Fn(usize) -> bool| {
        let sum: f64 = other.iter().enumerate().map(|(i, d)| if flipped(i) { -d } else { *d }).sum();
        sum.abs() >= least
    };
    let (p, flips) = match all {
        Some(all) => {
            let extreme = (0..all).filter(|bits| as_far(&|i| bits >> i & 1 == 1)).count();
            (extreme as f64 / all as f64, None)
        }
        None => {
            let mut words = vec![0u32; other.len().div_ceil(32)];
            let extreme = (0..flips).filter(|flip| {
                let stream = Stream::new(seed, Purpose::Bootstrap, *flip as u64, 1);
                words.iter_mut().zip((0u64..).flat_map(|i| stream.at4(i))).for_each(|(word, bits)| *word = bits);
                as_far(&|i| words[i / 32] >> (i % 32) & 1 == 1)
            });
            ((extreme.count() + 1) as f64 / (flips + 1) as f64, Some(flips))
        }
    };
    Some(SignFlip { mean, p, flips })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: [(&[f64], f64); 4] = [
        (&[0.5, -0.25, 1.0], 0.5),
        (&[0.3, 0.1, 0.4, 0.2, 0.35, 0.7, -0.05], 0.03125),
        (&[1.0, 1.0, 1.0, -1.0, 1.0, 0.0], 0.375),
        (&[0.1, -0.1], 1.0),
    ];
    const RANDOM: [(f64, f64); 4] = [
        (0.0, 0.8663078342304145),
        (0.05, 0.25371936570158576),
        (0.1, 0.016689958275104312),
        (0.2, 2.9999925000187498e-05),
    ];

    /// Expected: scipy 1.17 `stats.permutation_test((d,), mean, permutation_type="samples", n_resamples=inf)`.
    #[test]
    fn exact_values_match_scipy() {
        for (differences, want) in EXACT {
            let got = sign_flip(differences, FLIPS, 1).unwrap();
            assert!((got.p - want).abs() < 1e-12 && got.flips.is_none(), "{differences:?}: {got:?}");
        }
    }

    /// Expected: the same with 400,000 random flips. The standard error of 10,000 flips is at most 0.005.
    #[test]
    fn random_flips_match_scipy_and_depend_on_the_seed_alone() {
        for (shift, want) in RANDOM {
            let differences: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 61) / 61.0 - 0.5 + shift).collect();
            let got = sign_flip(&differences, FLIPS, 1).unwrap();
            assert!((got.p - want).abs() < 0.015 && got.flips == Some(FLIPS), "{shift}: {got:?}");
            assert_eq!(sign_flip(&differences, FLIPS, 1), Some(got));
        }
    }

    #[test]
    fn rows_without_a_difference_change_the_mean_but_not_the_test() {
        let few = sign_flip(&[0.5, -0.25, 1.0], FLIPS, 1).unwrap();
        let many = sign_flip(&[[0.5, -0.25, 1.0].to_vec(), vec![0.0; 97]].concat(), FLIPS, 1).unwrap();
        assert_eq!((few.p, few.flips), (many.p, many.flips));
        assert!((many.mean - 0.0125).abs() < 1e-15);
        assert_eq!(sign_flip(&[0.0; 20], FLIPS, 1).unwrap().p, 1.0);
        assert_eq!((sign_flip(&[], FLIPS, 1), sign_flip(&[f64::NAN], FLIPS, 1)), (None, None));
    }
}
