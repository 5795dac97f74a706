//! Expands a sweep into runs: the points of a grid or of a search, without excluded ones, each config once.

use serde_json::Value;

use super::{
    PlanError, PlannedRun,
    runs::Runs,
    search::{self, ATTEMPTS, Observation, Proposal, Space},
};
use crate::{
    metrics::Score,
    spec::{Search, Spec, Sweep},
};

/// The most points of a sweep, including seeds and folds, before exclusion.
pub const MAX_POINTS: u64 = 10_000;

/// The runs of a sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct Expansion {
    /// The runs of all trials known so far, trial by trial.
    pub runs: Vec<PlannedRun>,
    /// Whether more trials follow once the known ones have scores: TPE proposes in batches.
    pub more: bool,
    /// Requested trials for which the axes have no points, because all others are excluded or repeated.
    pub undrawn: u64,
    /// Points of a grid that mean the same run as another point, and are not in `runs`.
    pub repeats: u64,
    /// Proposals of TPE that depend on results: the points of the trials after `sweep.startup_trials`, as far as they are known.
    pub proposed: Vec<Proposal>,
}

/// Results of earlier trials of a search.
#[derive(Debug, Clone, Copy, Default)]
pub struct SearchHistory<'a> {
    /// Scores of the trials by number, as far as known: means over the seeds and folds on the dev split, the worst if a run failed.
    pub scores: &'a [Option<Score>],
    /// Its earlier [`Expansion::proposed`]. They are kept even if scores have changed since.
    pub proposed: &'a [Proposal],
}

/// The runs that `spec` means, with folds varying fastest, then seeds. For a grid: its axes and zips in the order in which the spec has them
/// (`Sweep::written`), the last one varying fastest; for a search: trial by trial.
///
/// `at` returns the spec with some keys overridden, validated. Only TPE reads `past`, and only the scores that a trial's number allows:
/// proposals do not depend on when a score became known. Points with equal configs are one run, that of the first. `at` is never called
/// for an excluded point, so a sweep may exclude combinations that would be refused.
///
/// # Errors
/// Those of `at` and of [`resolve()`](super::resolve()), for every point; a key in two axes, an axis without values, a zip of uneven
/// lengths, a range in a grid, a search without trials, more than [`MAX_POINTS`] points, or nothing left after
/// exclusion.
pub fn expand<E: From<PlanError>>(
    spec: &Spec,
    at: impl FnMut(&[(String, Value)]) -> Result<Spec, E>,
    past: SearchHistory<'_>,
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
        let past = if learns { past } else { SearchHistory { proposed: &[], ..past } };
        let before = spec.sweep.startup_trials.saturating_add(past.proposed.len() as u64).min(points);
        let known = search::proposable(&spec.sweep, points, past.scores).max(if learns { before } else { 0 });
        let mut drawn = draw(spec, &space, known, past, &mut runs);
        let all = drawn.len() as u64;
        (more, undrawn) = if all < known { (false, points - all) } else { (known < points, 0) };
        if learns {
            proposed = drawn.split_off(drawn.len().min(spec.sweep.startup_trials as usize));
        }
        if more && past.scores.iter().all(Option::is_none) {
            check_later_trials(spec, &space, known..points, &mut runs);
        }
    }
    let repeats = if spec.sweep.search == Search::Grid { runs.repeats } else { 0 };
    let runs = runs.done()?;
    if runs.is_empty() {
        return Err(refused(PlanError::NothingLeft { points: points * spec.sweep.runs_of_point() as u64 }));
    }
    Ok(Expansion { runs, more, undrawn, repeats, proposed })
}

/// The number of points without regard to seeds and folds: those of the grid, or those requested of the search.
fn count(spec: &Spec, space: &Space) -> Result<u64, PlanError> {
    let points = match (spec.sweep.search, space.range(), spec.sweep.trials) {
        (Search::Grid, Some(key), _) => return Err(PlanError::RangeInGrid { key: key.into() }),
        (Search::Grid, None, _) => space.count(),
        (_, _, None) => return Err(PlanError::NoTrials),
        (_, _, trials) => trials,
    };
    let all = points.and_then(|points| points.checked_mul(spec.sweep.runs_of_point() as u64));
    match (points, all) {
        (Some(points), Some(all)) if all <= MAX_POINTS => Ok(points),
        (_, Some(all)) => Err(PlanError::TooManyPoints { count: crate::format::count(all) }),
        (_, None) => Err(PlanError::TooManyPoints { count: "more than 2^64".into() }),
    }
}

/// Adds the first `known` trials of a search and returns their points. It stops at the first trial for which no new point is
/// found: the axes are exhausted.
fn draw<E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>>(
    spec: &Spec,
    space: &Space,
    known: u64,
    past: SearchHistory<'_>,
    runs: &mut Runs<E, At>,
) -> Vec<Proposal> {
    let mut proposals = 0;
    let mut drawn: Vec<Proposal> = Vec::new();
    let mut observations: Vec<Observation> = Vec::new();
    for trial in 0..known {
        let before =
            if spec.sweep.search == Search::Tpe { search::learns_from(&spec.sweep, trial) as usize } else { 0 };
        for (parts, score) in drawn.iter().zip(past.scores).take(before).skip(observations.len()) {
            observations.push(Observation::new(space, parts, score.unwrap_or(Score::WORST)));
        }
        let proposed = trial.checked_sub(spec.sweep.startup_trials).and_then(|at| past.proposed.get(at as usize));
        let proposed = proposed.filter(|parts| space.fits(parts) && runs.add(space.point(parts), true));
        let found = proposed.cloned().or_else(|| {
            (0..ATTEMPTS).find_map(|attempt| {
                let point = search::propose(&spec.sweep, space, trial, attempt, proposals, &observations)?;
                proposals += 1;
                let parts = space.at(&point, runs.base);
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

/// Resolves points that later trials may have, so that their errors are reported now and not hours into the sweep.
fn check_later_trials<E: From<PlanError>, At: FnMut(&[(String, Value)]) -> Result<Spec, E>>(
    spec: &Spec,
    space: &Space,
    trials: std::ops::Range<u64>,
    runs: &mut Runs<E, At>,
) {
    let random = Sweep { search: Search::Random, ..spec.sweep.clone() };
    for trial in trials {
        if let Some(point) = search::propose(&random, space, trial, 0, 0, &[]) {
            runs.try_out(&space.point(&space.at(&point, runs.base)));
        }
    }
}

#[cfg(test)]
mod tests;
