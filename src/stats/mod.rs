//! Statistics of a report: how sure a figure is, and whether two differ. Pure functions of numbers.
//!
//! [`wilson`] is for one share of rows, [`Paired`] for two classifiers on the same rows, [`Sample`] for one figure over
//! several seeds, [`welch`] for two of those, [`ema`] for curves.

mod means;
mod paired;
mod proportion;
mod sample;
mod smooth;

pub use means::{MeansDiffer, welch};
pub use paired::Paired;
pub use proportion::{Interval, wilson, wilson_of_share};
pub use sample::{Sample, student_t_95};
pub use smooth::ema;

/// The standard normal distribution's 97.5% quantile: two-sided 95% intervals are this many standard errors wide on
/// each side.
pub(crate) const Z_95: f64 = 1.959_963_984_540_054;
