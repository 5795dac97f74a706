//! Which points a search tries: pure functions of the spec and of the scores of earlier trials.
//!
//! - [`Space`]: what is varied, from a place in the unit cube to a point of the sweep.
//! - `ranges`: from a place between 0 and 1 to a number of a range, and back.
//! - `random`, `sobol`, `tpe`: the place that each proposes for a trial.
//!
//! A proposal that the sweep cannot use, being excluded or a repeat of an earlier one, is drawn again: it has a number of
//! its own, `attempt`, within its trial.

mod propose;
mod random;
mod ranges;
mod sobol;
mod space;
#[cfg(test)]
mod tests;
mod tpe;

pub(super) use propose::propose;
pub use space::Proposal;
pub(super) use space::{Point, Space, said};
pub(super) use tpe::{Told, known, learns_from};

/// Proposals looked at before a trial is given up.
pub(super) const ATTEMPTS: u64 = 1000;

/// A place in the unit cube: for each axis a number from 0 to below 1.
pub(super) type Place = Vec<f64>;
