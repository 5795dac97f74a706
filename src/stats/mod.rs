//! Statistics of a report: confidence intervals and significance tests. Pure functions of numbers.
//!
//! [`wilson`] is for a share of rows, [`Paired`] for two classifiers on the same rows, [`Sample`] for a metric over
//! several seeds, [`welch`] for two samples, [`bootstrap`] for other statistics of rows, [`sign_flip`] for two models whose rows have numbers,
//! [`ema`] for curves, [`expected_best`] for what the best of a few runs is expected to reach.

mod best_of;
mod bootstrap;
mod means;
#[cfg(test)]
mod oracle;
mod paired;
mod proportion;
mod recovered;
mod sample;
mod sign_flip;
mod smooth;

pub use best_of::expected_best;
pub use bootstrap::{RESAMPLES, bootstrap};
pub use means::{MeansDiffer, welch};
pub use paired::Paired;
pub use proportion::{Interval, wilson, wilson_of_share};
pub use recovered::difference_of;
pub use sample::{Sample, student_t_95};
pub use sign_flip::{FLIPS, SignFlip, sign_flip};
pub use smooth::ema;

/// The standard normal distribution's 97.5% quantile: two-sided 95% intervals are this many standard errors wide on
/// each side.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;
