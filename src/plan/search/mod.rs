//! Which points a search tries: pure functions of the spec and of the scores of earlier trials.
//!
//! - [`Space`]: what is varied, from a place in the unit cube to a point of the sweep.
//! - `ranges`: from a place between 0 and 1 to a number of a range, and back.
//! - `random`, `sobol`, `tpe`: the place that each proposes for a trial.
//!
//! A proposal that the sweep cannot use, being excluded or a repeat of an earlier one, is drawn again: it has a number of
//! its own, `attempt`, within its trial.

mod random;
mod ranges;
mod sobol;
mod space;
#[cfg(test)]
mod tests;
mod tpe;

pub(super) use space::{Parts, Point, Space, said};
pub(super) use tpe::{Told, known, learns_from};

use crate::spec::{Search, Sweep};

/// Proposals looked at before a trial is given up.
pub(super) const ATTEMPTS: u64 = 1000;

/// Proposals of TPE for one trial before it is drawn at random: where it is sure of itself it would repeat a point for ever.
const TPE_ATTEMPTS: u64 = 10;

/// A place in the unit cube: for each axis a number from 0 to below 1.
pub(super) type Place = Vec<f64>;

/// The place that a search proposes for `trial` at its `attempt`; `looked_at` counts all proposals of the sweep before this
/// one. `told` are the earlier trials from whose scores TPE learns. `None` where a sequence is at its end.
pub(super) fn propose(
    sweep: &Sweep,
    space: &Space,
    trial: u64,
    attempt: u64,
    looked_at: u64,
    told: &[Told],
) -> Option<Place> {
    let seed = sweep.search_seed;
    match sweep.search {
        Search::Sobol => sobol::place(space, seed, looked_at),
        Search::Tpe if trial >= sweep.startup_trials && attempt < TPE_ATTEMPTS => {
            Some(tpe::place(space, seed, trial, attempt, told))
        }
        Search::Tpe | Search::Random | Search::Grid => Some(random::place(space, seed, trial, attempt)),
    }
}
