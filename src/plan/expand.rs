//! A sweep → its runs: the points of a grid or of a search, without what is excluded, each config once.

use serde_json::Value;

use super::{
    PlanError, PlannedRun,
    runs::Runs,
    search::{self, ATTEMPTS, Proposal, Space, Told},
};
use crate::{
    metrics::Score,
    spec::{Search, Spec, Sweep},
};

/// Points of a sweep at most, seeds included, before exclusion.
pub const MAX_POINTS: u64 = 10_000;

/// What a sweep comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Expansion {
    /// The runs of all trials known so far, trial by trial.
    pub runs: Vec<PlannedRun>,
    /// Whether trials follow once those known have their scores: TPE proposes in batches.
    pub more: bool,
    /// Trials that were asked for and that the axes do not have, all else being excluded or a repeat.
    pub undrawn: u64,
    /// Points of a grid that mean the same run as another point, and so are not in `runs`.
    pub repeats: u64,
    /// What TPE proposed from results: the points of the trials after `sweep.startup_trials`, as far as they are known.
    pub proposed: Vec<Proposal>,
}

/// What is known of a search from before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Past<'a> {
    /// Scores of the trials by number, as far as they are known: means over the seeds on the dev split, the worst where a run failed.
    pub scores: &'a [Option<Score>],
    /// What it proposed from results before: [`Expansion::proposed`]. It is not proposed again, whatever the scores are by now.
    pub proposed: &'a [Proposal],
}

/// The runs that `spec` means, with its seeds innermost: of a grid its axes first, then its zips, the last changing fastest;
/// of a search trial by trial.
///
/// `at` gives the spec with some keys overridden, validated. Only TPE looks at what is known from before, and never at more scores than
/// a trial's number allows: the trials proposed do not depend on when a score became known. Points that come out as equal configs are one run, that of the first. A point that is excluded is never asked for,
/// so a sweep may exclude combinations that would be refused.
///
/// # Errors
/// Those of `at` and of [`resolve()`](super::resolve()), of every point; a sweep with a key in two axes, an axis without values, a zip of
/// uneven lengths, a range in a grid, a search without trials, more than [`MAX_POINTS`] points, or nothing left after
/// exclusion.
pub fn expand<E: From<PlanError>>(
    spec: &Spec,
    at: impl FnMut(&[(String, Value)]) -> Result<Spec, E>,
    past: Past<'_>,
) -> Result<Expansion, Vec<E>> {
    let refused = |e: PlanError| vec![E::from(e)];
    let space = Space::new(&spec.sweep).map_err(refused)?;
    let points = count(spec, &space).map_err(refused)?;
    let base = serde_json::to_value(spec).unwrap_or_default();
    let mut runs = Runs::new(spec, &space, &base, at);
    let (mut more, mut undrawn, mut proposed) = (false, 0, Vec::new());
    if spec.sweep.search == Search::Grid {
        for index in 0..points {
            if let Some(parts) = space.of_grid(index, &base) {
                runs.add(space.point(&parts), false);
            }
        }
    } else {
        let learns = spec.sweep.search == Search::Tpe;
        let past = if learns { past } else { Past { proposed: &[], ..past } };
        let before = spec.sweep.startup_trials.saturating_add(past.proposed.len() as u64).min(points);
        let known = search::known(&spec.sweep, points, past.scores).max(if learns { before } else { 0 });
        let mut drawn = draw(spec, &space, known, past, &mut runs);
        let all = drawn.len() as u64;
        (more, undrawn) = if all < known { (false, points - all) } else { (known < points, 0) };
        if learns {
            proposed = drawn.split_off(drawn.len().min(spec.sweep.startup_trials as usize));
        }
        if more && past.scores.iter().all(Option::is_none) {
            foresee(spec, &space, known..points, &mut runs);
        }
    }
    let repeats = if spec.sweep.search == Search::Grid { runs.repeats } else { 0 };
    let runs = runs.done()?;
    if runs.is_empty() {
        return Err(refused(PlanError::NothingLeft { points: points * spec.sweep.seeds.len().max(1) as u64 }));
    }
    Ok(Expansion { runs, more, undrawn, repeats, proposed })
}

/// Points without regard to seeds: of the grid, or asked of the search.
fn count(spec: &Spec, space: &Space) -> Result<u64, PlanError> {
    let points = match (spec.sweep.search, space.range(), spec.sweep.trials) {
        (Search::Grid, Some(key), _) => return Err(PlanError::RangeInGrid { key: key.into() }),
        (Search::Grid, None, _) => space.count(),
        (_, _, None) => return Err(PlanError::NoTrials),
        (_, _, trials) => trials,
    };
    let all = points.and_then(|points| points.checked_mul(spec.sweep.seeds.len().max(1) as u64));
    match (points, all) {
        (Some(points), Some(all)) if all <= MAX_POINTS => Ok(points),
        (_, Some(all)) => Err(PlanError::TooManyPoints { count: crate::format::count(all) }),
        (_, None) => Err(PlanError::TooManyPoints { count: "more than 2^64".into() }),
    }
}

/// Adds the first `known` trials of a search; returns their points, as far as there are any. After the first for which nothing new is found
/// the axes count as exhausted.
fn draw<E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>>(
    spec: &Spec,
    space: &Space,
    known: u64,
    past: Past<'_>,
    runs: &mut Runs<E, At>,
) -> Vec<Proposal> {
    let mut looked_at = 0;
    let mut drawn: Vec<Proposal> = Vec::new();
    let mut told: Vec<Told> = Vec::new();
    for trial in 0..known {
        let before =
            if spec.sweep.search == Search::Tpe { search::learns_from(&spec.sweep, trial) as usize } else { 0 };
        for (parts, score) in drawn.iter().zip(past.scores).take(before).skip(told.len()) {
            told.push(Told::new(space, parts, score.unwrap_or(Score::WORST)));
        }
        let proposed = trial.checked_sub(spec.sweep.startup_trials).and_then(|at| past.proposed.get(at as usize));
        let proposed = proposed.filter(|parts| space.takes(parts) && runs.add(space.point(parts), true));
        let found = proposed.cloned().or_else(|| {
            (0..ATTEMPTS).find_map(|attempt| {
                let place = search::propose(&spec.sweep, space, trial, attempt, looked_at, &told)?;
                looked_at += 1;
                let parts = space.at(&place, runs.base);
                runs.add(space.point(&parts), true).then_some(parts)
            })
        });
        match found {
            Some(parts) => drawn.push(parts),
            None => break,
        }
    }
    drawn
}

/// Asks for points such as later trials may have: what they contradict is better said now than in the middle of the night.
fn foresee<E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>>(
    spec: &Spec,
    space: &Space,
    trials: std::ops::Range<u64>,
    runs: &mut Runs<E, At>,
) {
    let random = Sweep { search: Search::Random, ..spec.sweep.clone() };
    for trial in trials {
        if let Some(place) = search::propose(&random, space, trial, 0, 0, &[]) {
            runs.try_out(&space.point(&space.at(&place, runs.base)));
        }
    }
}

#[cfg(test)]
mod tests;
