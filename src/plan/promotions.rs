//! How many trials ASHA promotes: more than one in `factor`, because it judges each trial as its score comes. One that is among the best so
//! far is promoted, even if later ones are better.

use super::Prune;
use crate::{
    format::count,
    random::{Purpose, Stream},
    spec::{Search, Sweep},
};

/// The sweeps that are simulated, and the most trials in all of them together.
const SWEEPS: (u64, u64) = (200, 20_000);

/// The most trials of a simulated sweep. In larger ones the same share is promoted.
const TRIALS: u64 = 2000;

/// How many trials a search proposes at a time. Those that are not promoted by the end of their batch are pruned for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batches {
    /// Trials of the first batch.
    pub first: u64,
    /// Trials of each later batch.
    pub later: u64,
}

impl Batches {
    /// Those of a sweep; `None` if all its trials are known from the beginning.
    pub fn of(sweep: &Sweep) -> Option<Self> {
        (sweep.search == Search::Tpe).then_some(Self { first: sweep.startup_trials, later: sweep.batch })
    }
}

/// How many trials get past each rung, over simulated sweeps whose scores are random. A trial has one score at all rungs in half of the
/// sweeps, and independent ones in the others: real scores are between the two.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotions {
    /// All trials.
    trials: u64,
    /// Whether a search prunes trials at the end of each batch.
    in_batches: bool,
    /// For each simulated sweep, the shares of trials that get past each rung.
    sweeps: Vec<Vec<f64>>,
}

impl Promotions {
    /// Of a sweep of `trials` with this rule; `None` if it promotes no trials.
    pub fn by(rule: &Prune, trials: u64, batches: Option<Batches>) -> Option<Self> {
        match *rule {
            Prune::Asha { reduction_factor, rungs } => {
                Some(Self::new(reduction_factor, usize::try_from(rungs).unwrap_or(0), trials, batches))
            }
            Prune::None | Prune::Median { .. } => None,
        }
    }

    /// Of a sweep of `trials` that promotes one in `factor` at each of `rungs`.
    pub fn new(factor: u64, rungs: usize, trials: u64, batches: Option<Batches>) -> Self {
        let n = trials.clamp(1, TRIALS);
        let sweeps = (SWEEPS.1 / n).clamp(5, SWEEPS.0);
        let of = |sweep: u64| {
            let past = Simulation::new(sweep, factor.max(1) as usize, rungs).run(n as usize, batches);
            past.into_iter().map(|past| past as f64 / n as f64).collect()
        };
        Self { trials, in_batches: batches.is_some(), sweeps: (0..sweeps).map(of).collect() }
    }

    /// Whether trials that are not promoted by the end of their batch are pruned for good, so that later ones leave no more room for them.
    pub fn in_batches(&self) -> bool {
        self.in_batches
    }

    /// What a value of the shares is, in the mean and in nine of ten sweeps: from, to.
    fn over(&self, of: impl Fn(&[f64]) -> f64) -> (f64, (f64, f64)) {
        let mut values: Vec<f64> = self.sweeps.iter().map(|shares| of(shares)).collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        (values.iter().sum::<f64>() / values.len() as f64, (at(0.05), at(0.95)))
    }

    /// The share of all steps that is trained: the mean, and the range of nine of ten sweeps. `parts`: of all steps, those before the first
    /// rung, those between it and the second, …, and those after the last.
    pub fn steps(&self, parts: &[f64]) -> (f64, (f64, f64)) {
        let all: f64 = parts.iter().sum();
        self.over(|shares| {
            let reached = std::iter::once(1.0).chain(shares.iter().copied());
            parts.iter().zip(reached).map(|(part, share)| part * share).sum::<f64>() / all.max(f64::MIN_POSITIVE)
        })
    }

    /// The share of trials that gets past a number of rungs, in the mean.
    pub fn past(&self, rungs: usize) -> f64 {
        self.over(|shares| rungs.checked_sub(1).map_or(1.0, |rung| shares.get(rung).copied().unwrap_or(0.0))).0
    }

    /// `27 → 9–12 → 3–5`: all trials, and how many get past each of the first `rungs` in nine of ten sweeps.
    pub fn words(&self, rungs: usize) -> String {
        (0..=rungs).map(|rungs| self.span(rungs)).collect::<Vec<_>>().join(" → ")
    }

    /// `3–5`: how many trials get past a number of rungs in nine of ten sweeps.
    pub fn span(&self, rungs: usize) -> String {
        let past = |shares: &[f64]| rungs.checked_sub(1).map_or(1.0, |rung| shares.get(rung).copied().unwrap_or(0.0));
        let (_, (low, high)) = self.over(past);
        let [low, high] = [low, high].map(|share| (share * self.trials as f64).round() as u64);
        if low == high { count(low) } else { format!("{}–{}", count(low), count(high)) }
    }
}

/// One sweep, whose trials are trained one at a time in their order; a promoted one continues before the next begins.
struct Simulation {
    scores: Stream,
    /// Whether a trial has the same score at every rung.
    one_score: bool,
    factor: usize,
    rungs: Vec<Rung>,
    /// The first trial that is not pruned for good.
    open: usize,
}

/// The trials at a rung.
#[derive(Default)]
struct Rung {
    /// Score and number of each, best first.
    all: Vec<(u64, usize)>,
    /// Whether each trial has been promoted, by its number.
    promoted: Vec<bool>,
    /// How many have been.
    past: usize,
}

impl Simulation {
    fn new(sweep: u64, factor: usize, rungs: usize) -> Self {
        let scores = Stream::new(sweep, Purpose::Search, u64::MAX, 0);
        let one_score = sweep.is_multiple_of(2);
        Self { scores, one_score, factor, rungs: (0..rungs).map(|_| Rung::default()).collect(), open: 0 }
    }

    /// How many trials get past each rung.
    fn run(mut self, trials: usize, batches: Option<Batches>) -> Vec<usize> {
        self.rungs.iter_mut().for_each(|rung| rung.promoted = vec![false; trials]);
        let [mut size, later] = match batches {
            Some(Batches { first, later }) => [first, later].map(|n| usize::try_from(n).unwrap_or(trials).max(1)),
            None => [trials; 2],
        };
        while self.open < trials {
            let end = self.open.saturating_add(size).min(trials);
            (self.open..end).for_each(|trial| self.arrive(trial, 0));
            while self.continue_best() {}
            (self.open, size) = (end, later);
        }
        self.rungs.into_iter().map(|rung| rung.past).collect()
    }

    /// A trial reaches a rung.
    fn arrive(&mut self, trial: usize, rung: usize) {
        let Some(here) = self.rungs.get_mut(rung) else { return };
        let draw = if self.one_score { 0 } else { rung };
        let score = self.scores.at((trial * 64 + draw) as u64);
        let position = here.all.partition_point(|(other, _)| *other > score);
        here.all.insert(position, (score, trial));
        let best = here.all.len() / self.factor;
        // Only it, and the last one of the best, can be new among them.
        let new =
            [position, best.wrapping_sub(1)].map(|at| here.all.get(at).filter(|_| at < best).map(|(_, trial)| *trial));
        new.into_iter().flatten().for_each(|trial| self.promote(trial, rung));
    }

    fn promote(&mut self, trial: usize, rung: usize) {
        let here = &mut self.rungs[rung];
        if trial >= self.open && !here.promoted[trial] {
            here.promoted[trial] = true;
            here.past += 1;
            self.arrive(trial, rung + 1);
        }
    }

    /// Where the rule promotes none of the trials at the furthest rung, the best one continues. Returns whether there is one.
    fn continue_best(&mut self) -> bool {
        let Some(rung) = self.rungs.iter().rposition(|rung| !rung.all.is_empty()) else { return false };
        let (_, best) = self.rungs[rung].all[0];
        let waits = best >= self.open && !self.rungs[rung].promoted[best];
        if waits {
            self.promote(best, rung);
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn batches(first: u64, later: u64) -> Option<Batches> {
        Some(Batches { first, later })
    }

    /// Factor, trials and batches, and how many trials get past the first and the second rung.
    type Case = (u64, u64, Option<Batches>, [f64; 2]);

    const EXPECTED: [Case; 6] = [
        (3, 27, None, [10.42, 4.00]),
        (3, 9, None, [3.43, 1.14]),
        (2, 40, None, [22.25, 12.70]),
        (3, 12, batches(4, 4), [3.82, 1.93]),
        (3, 12, batches(6, 3), [4.24, 1.64]),
        (4, 2, None, [1.0, 1.0]),
    ];

    /// Expected: the rule written again in Python, as `sorted(scores)[:len // factor]` after each arrival, over 10,000 sweeps, of
    /// which every other one has the same score of a trial at each rung.
    #[test]
    fn more_trials_are_promoted_than_the_rule_says_because_they_are_judged_as_they_come() {
        for (factor, trials, batches, want) in EXPECTED {
            let promotions = Promotions::new(factor, 2, trials, batches);
            for (rungs, want) in [1, 2].into_iter().zip(want) {
                let found = promotions.past(rungs) * trials as f64;
                assert!(
                    (found - want).abs() < 0.06 * want,
                    "{factor} {trials} {batches:?} rung {rungs}: {found}, not {want}"
                );
            }
        }
    }

    #[test]
    fn the_first_batch_of_a_search_is_its_startup() {
        let sweep = |search| Sweep { search, startup_trials: 6, batch: 3, ..Sweep::default() };
        assert_eq!(Batches::of(&sweep(Search::Tpe)), batches(6, 3));
        assert_eq!(Batches::of(&sweep(Search::Random)), None);
    }

    /// The share of steps of 27 trials with rungs after a ninth and a third: 1/9 + 2/9 · 10.42/27 + 2/3 · 4.00/27.
    #[test]
    fn the_share_of_steps_has_a_range() {
        let promotions = Promotions::new(3, 2, 27, None);
        let (mean, (low, high)) = promotions.steps(&[1.0, 2.0, 6.0]);
        assert!((mean - 0.2956).abs() < 0.006, "{mean}");
        // Never less than if each rung promoted exactly its part.
        assert!(low >= 7.0 / 27.0 - 1e-9 && low < mean && mean < high && high < 0.4, "{low} {high}");
        assert_eq!(promotions.words(2).split(" → ").next(), Some("27"));
        assert_eq!(Promotions::new(4, 2, 2, None).words(2), "2 → 1 → 1");
        // Trials that are good at every rung get further. The rule in Python, over 10,000 sweeps: 27–35, 9–16, 3–8; with independent scores at all
        // rungs 9–15 and 3–6.
        assert_eq!(Promotions::new(3, 3, 81, None).words(3), "81 → 27–35 → 9–16 → 3–7");
        // A thousand times the trials: the same share.
        let many = Promotions::new(3, 2, 27_000, None);
        assert!((many.past(1) - 1.0 / 3.0).abs() < 0.03, "{}", many.past(1));
    }
}
