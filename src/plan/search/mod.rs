//! Which points a search tries: pure functions of the spec and of the scores of earlier trials.
//!
//! - [`Space`]: the axes, from a point in the unit cube to a point of the sweep.
//! - `ranges`: from a position in [0, 1) to a number of a range, and back.
//! - `random`, `sobol`, `tpe`: the point that each proposes for a trial.
//!
//! A proposal that the sweep cannot use, because it is excluded or repeats an earlier one, is drawn again: proposals are numbered
//! within their trial by `attempt`.

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
pub(super) use space::{Point, Space, spec_value};
pub(super) use tpe::{Observation, learns_from, proposable};

/// The number of attempts after which a trial is given up.
pub(super) const ATTEMPTS: u64 = 1000;

/// A point in the unit cube: for each axis a number in [0, 1).
pub(super) type UnitPoint = Vec<f64>;
