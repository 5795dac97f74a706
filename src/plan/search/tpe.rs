//! Tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011): each axis
//! by itself, where the good trials are dense and the others are not. The arithmetic is the crate `tpe`'s.

use std::convert::Infallible;

use rand_core::TryRng;
use tpe::{TpeOptimizerBuilder, categorical_range, histogram_estimator, parzen_estimator};

use super::{
    Place, Space, random,
    space::{Axis, Choices, Proposal},
};
use crate::{
    metrics::Score,
    random::Stream,
    spec::{Search, Sweep},
};

/// Share of the trials that count as good.
const GOOD: f64 = 0.2;

/// Numbers drawn where good trials are dense, of which the one that is likeliest among them and not among the others is
/// proposed. Of many the likeliest is the same for each trial of a batch: with the usual 24 the best of 40 trials in batches
/// of 4 was no better than at random, with 4 its distance from the optimum was a fifth.
const CANDIDATES: usize = 4;

/// The same for rows, which are few: with one they are proposed as often as they did well.
const ROWS: usize = 1;

/// A trial and what came of it.
pub(in crate::plan) struct Told {
    /// For each axis the row's number or the place in the range; `None` where the axis did not count.
    places: Vec<Option<f64>>,
    /// More is better; -inf for a run that failed.
    score: Score,
}

impl Told {
    pub(in crate::plan) fn new(space: &Space, parts: &Proposal, score: Score) -> Self {
        let places = space.axes().zip(parts).map(|(axis, part)| Some(axis.place(part.as_ref()?))).collect();
        Self { places, score: score.or_worst() }
    }
}

/// How many trials of a search can be proposed, where `scores` are those of the trials by number. All, but of TPE: it
/// proposes the next batch when every trial before has its score.
pub(in crate::plan) fn known(sweep: &Sweep, trials: u64, scores: &[Option<Score>]) -> u64 {
    if sweep.search != Search::Tpe {
        return trials;
    }
    let told = scores.iter().take_while(|score| score.is_some()).count() as u64;
    let mut known = sweep.startup_trials.min(trials);
    while known < trials && told >= known {
        known = known.saturating_add(sweep.batch.max(1)).min(trials);
    }
    known
}

/// The trials that `trial` learns from: all before its batch.
pub(in crate::plan) fn learns_from(sweep: &Sweep, trial: u64) -> u64 {
    let since = trial.saturating_sub(sweep.startup_trials);
    trial - since % sweep.batch.max(1)
}

/// The place that TPE proposes.
pub(super) fn place(space: &Space, seed: u64, trial: u64, attempt: u64, told: &[Told]) -> Place {
    let place = |(i, axis): (usize, &Axis)| {
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
        for trial in told {
            // `tpe` minimises.
            optimizer.tell(trial.places[i].unwrap_or(f64::NAN), trial.score.cost()).expect("places lie in their range");
        }
        let Ok(asked) = optimizer.ask(&mut draws);
        match &axis.over {
            // A row's number becomes the middle of its part.
            Choices::Rows(rows) => (asked + 0.5) / rows.len() as f64,
            Choices::Range(_) => asked,
        }
    };
    space.axes().enumerate().map(place).collect()
}

/// A stream of random numbers, read from a certain place on.
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
    fn a_batch_is_known_when_every_trial_before_it_has_its_score() {
        let sweep = Sweep { search: Search::Tpe, startup_trials: 3, batch: 2, ..Sweep::default() };
        let known = |scores: &[Option<Score>]| known(&sweep, 8, scores);
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
        assert_eq!(super::known(&random, 8, &[]), 8);
    }
}
