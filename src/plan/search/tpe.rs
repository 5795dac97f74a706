//! Tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011): for each axis
//! independently, where good trials are dense and others are not. The crate `tpe` does the arithmetic.

use std::convert::Infallible;

use rand_core::TryRng;
use tpe::{TpeOptimizerBuilder, categorical_range, histogram_estimator, parzen_estimator};

use super::{
    Space, UnitPoint, random,
    space::{Axis, Choices, Proposal},
};
use crate::{
    metrics::Score,
    random::Stream,
    spec::{Search, Sweep},
};

/// Share of the trials that count as good.
const GOOD: f64 = 0.2;

/// Numbers drawn from the density of good trials; the one with the highest ratio of densities is proposed. With many candidates it
/// is the same for each trial of a batch: with the usual 24 the best of 40 trials in batches of 4 was no better than at random, with 4
/// its distance from the optimum was a fifth.
const CANDIDATES: usize = 4;

/// The same for rows, which are few: with one candidate they are proposed as often as they did well.
const ROWS: usize = 1;

/// A trial and its score.
pub(in crate::plan) struct Observation {
    /// For each axis the row's index or the position in the range; `None` if the axis did not apply.
    coordinates: Vec<Option<f64>>,
    /// Higher is better; -inf for a failed run.
    score: Score,
}

impl Observation {
    pub(in crate::plan) fn new(space: &Space, parts: &Proposal, score: Score) -> Self {
        let coordinates = space.axes().zip(parts).map(|(axis, part)| Some(axis.coordinate(part.as_ref()?))).collect();
        Self { coordinates, score: score.or_worst() }
    }
}

/// How many trials of a search can be proposed, given the `scores` of trials by number: all, except with TPE, which proposes the next
/// batch once every earlier trial has a score.
pub(in crate::plan) fn proposable(sweep: &Sweep, trials: u64, scores: &[Option<Score>]) -> u64 {
    if sweep.search != Search::Tpe {
        return trials;
    }
    let scored = scores.iter().take_while(|score| score.is_some()).count() as u64;
    let mut known = sweep.startup_trials.min(trials);
    while known < trials && scored >= known {
        known = known.saturating_add(sweep.batch.max(1)).min(trials);
    }
    known
}

/// The number of trials that `trial` learns from: all before its batch.
pub(in crate::plan) fn learns_from(sweep: &Sweep, trial: u64) -> u64 {
    let since = trial.saturating_sub(sweep.startup_trials);
    trial - since % sweep.batch.max(1)
}

/// The point that TPE proposes.
pub(super) fn sample(space: &Space, seed: u64, trial: u64, attempt: u64, observations: &[Observation]) -> UnitPoint {
    let coordinate = |(i, axis): (usize, &Axis)| {
        let name = space.names().nth(i).unwrap_or_default();
        let mut draws = Draws { stream: random::stream(seed, trial, name), next: (attempt + 1) << 32 };
        let (estimator, range, candidates) = match &axis.over {
            Choices::Rows(rows) => (histogram_estimator(), categorical_range(rows.len()), ROWS),
            Choices::Range(_) => (parzen_estimator(), tpe::range(0.0, 1.0), CANDIDATES),
        };
        let range = range.expect("an axis has at least one row");
        let mut optimizer = TpeOptimizerBuilder::new()
            .gamma(GOOD)
            .candidates(candidates)
            .build(estimator, range)
            .expect("settings between 0 and 1");
        for trial in observations {
            // `tpe` minimises.
            optimizer
                .tell(trial.coordinates[i].unwrap_or(f64::NAN), trial.score.cost())
                .expect("coordinates are in their range");
        }
        let Ok(asked) = optimizer.ask(&mut draws);
        match &axis.over {
            // A row's index becomes the middle of its interval.
            Choices::Rows(rows) => (asked + 0.5) / rows.len() as f64,
            Choices::Range(_) => asked,
        }
    };
    space.axes().enumerate().map(coordinate).collect()
}

/// A stream of random numbers, read from a given offset.
struct Draws {
    stream: Stream,
    next: u64,
}

impl TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|number| number as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let number = self.stream.at(self.next);
        self.next += 1;
        Ok(number)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let Ok(number) = self.try_next_u64();
            chunk.copy_from_slice(&number.to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Metric;

    #[test]
    fn a_batch_is_proposable_once_every_earlier_trial_has_a_score() {
        let sweep = Sweep { search: Search::Tpe, startup_trials: 3, batch: 2, ..Sweep::default() };
        let known = |scores: &[Option<Score>]| proposable(&sweep, 8, scores);
        let done = Some(Metric::Accuracy.score(0.5));
        assert_eq!(known(&[]), 3);
        assert_eq!(known(&[done, None, done]), 3);
        assert_eq!(known(&[None, done, done, done, done, done]), 3);
        assert_eq!(known(&[done; 3]), 5);
        assert_eq!(known(&[done, done, done, None, done]), 5);
        assert_eq!(known(&[done; 5]), 7);
        assert_eq!(known(&[Some(Score::WORST); 7]), 8);
        assert_eq!(known(&[done; 8]), 8);
        assert_eq!((0..8).map(|trial| learns_from(&sweep, trial)).collect::<Vec<_>>(), [0, 1, 2, 3, 3, 5, 5, 7]);
        let random = Sweep { search: Search::Random, ..sweep.clone() };
        assert_eq!(proposable(&random, 8, &[]), 8);
    }
}
