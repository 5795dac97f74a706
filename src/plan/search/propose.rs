//! The place that a search proposes.

use super::{Place, Told, random, sobol, space::Space, tpe};
use crate::spec::{Search, Sweep};

/// Proposals of TPE for one trial before it is drawn at random: where it is sure of itself it would repeat a point for ever.
const TPE_ATTEMPTS: u64 = 10;

/// The place that a search proposes for `trial` at its `attempt`; `looked_at` counts all proposals of the sweep before this
/// one. `told` are the earlier trials from whose scores TPE learns. `None` where a sequence is at its end.
pub(in crate::plan) fn propose(
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
