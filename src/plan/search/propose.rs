//! The point that a search proposes.

use super::{Observation, UnitPoint, random, sobol, space::Space, tpe};
use crate::spec::{Search, Sweep};

/// TPE proposals for one trial before it is drawn at random: once TPE is certain it would repeat the same point.
const TPE_ATTEMPTS: u64 = 10;

/// The point that a search proposes for `trial` at its `attempt`. `proposals` counts all earlier proposals of the sweep;
/// `observations` are the earlier trials that TPE learns from. `None` if a sequence has ended.
pub(in crate::plan) fn propose(
    sweep: &Sweep,
    space: &Space,
    trial: u64,
    attempt: u64,
    proposals: u64,
    observations: &[Observation],
) -> Option<UnitPoint> {
    let seed = sweep.search_seed;
    match sweep.search {
        Search::Sobol => sobol::sample(space, seed, proposals),
        Search::Tpe if trial >= sweep.startup_trials && attempt < TPE_ATTEMPTS => {
            Some(tpe::sample(space, seed, trial, attempt, observations))
        }
        Search::Tpe | Search::Random | Search::Grid => Some(random::sample(space, seed, trial, attempt)),
    }
}
