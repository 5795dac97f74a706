//! Statistics of a report: confidence intervals and significance tests. Pure functions of numbers.
//!
//! [`wilson`] is for a share of rows; [`Paired`] for two classifiers on the same rows, [`shares_differ`] on different ones; [`Sample`] for a
//! metric over several seeds, [`welch`] and [`paired_t`] for two such samples, [`corrected_t`] for folds; [`bootstrap`], [`stratified_bootstrap`]
//! and [`paired_bootstrap`] for other statistics of rows; [`sign_flip`] for two models whose rows have numbers; [`one_way`] for the means of several
//! groups; [`holm`] for several tests;
//! [`ema`] for curves; [`expected_best`] for what the best of a few runs is expected to reach.
//!
//! Each is tested against scipy, statsmodels or numpy: `tests/fixtures/stats/make.py` and `tests/fixtures/reference/statistics.py`.

mod best_of;
mod bootstrap;
mod holm;
mod independent;
mod means;
mod normal;
#[cfg(test)]
mod oracle;
mod paired;
mod proportion;
mod recovered;
mod resampled;
mod sample;
mod sign_flip;
mod smooth;
mod student;
mod variance;

pub use best_of::expected_best;
pub use bootstrap::{RESAMPLES, bootstrap, paired_bootstrap, stratified_bootstrap};
pub use holm::holm;
pub use independent::{SharesDiffer, shares_differ};
pub use means::{MeansDiffer, welch};
pub use paired::Paired;
pub use proportion::{Interval, wilson, wilson_of_share};
pub use recovered::difference_of;
pub use resampled::{corrected_t, paired_t};
pub use sample::{Sample, student_t_95};
pub use sign_flip::{FLIPS, SignFlip, sign_flip};
pub use smooth::ema;
pub use variance::{f_outside, one_way};

/// The standard normal distribution's 97.5% quantile: two-sided 95% intervals are this many standard errors wide on
/// each side.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;
