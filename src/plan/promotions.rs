//! How many trials ASHA promotes: more than one in `factor`, because it judges each trial as its score comes. One that is among the best so
//! far is promoted, even if later ones are better.

use std::collections::BTreeSet;

use super::{Prune, Rung};
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
    /// How many rungs there are.
    rungs: usize,
    /// The simulated sweeps.
    sweeps: Vec<Shares>,
}

/// What a simulated sweep trains.
#[derive(Debug, Clone, PartialEq)]
struct Shares {
    /// The shares of trials that get past each rung.
    past: Vec<f64>,
    /// The share of all steps.
    steps: f64,
}

impl Promotions {
    /// Of a sweep of `trials` with this rule; `None` if it promotes no trials, or if no run has a rung. `runs`: the rungs and the last step of a
    /// run of each known trial, in the order of the plan; those of the others are taken to be the same, in turn.
    pub fn by(rule: &Prune, trials: u64, batches: Option<Batches>, runs: &[(&[Rung], u64)]) -> Option<Self> {
        let (reduction_factor, _) = rule.promotion()?;
        let courses = Courses::of(runs);
        let n = trials.clamp(1, TRIALS);
        let sweeps = (SWEEPS.1 / n).clamp(5, SWEEPS.0);
        let of = |sweep: u64| {
            let scores = Stream::new(sweep, Purpose::Search, u64::MAX, 0);
            let one_score = sweep.is_multiple_of(2);
            let score = |trial: usize, rung: usize| scores.at((trial * 64 + if one_score { 0 } else { rung }) as u64);
            let passed = Simulation::new(&courses, reduction_factor, score).run(n as usize, batches);
            courses.shares(&passed)
        };
        (courses.rungs > 0).then(|| Self {
            trials,
            in_batches: batches.is_some(),
            rungs: courses.rungs,
            sweeps: (0..sweeps).map(of).collect(),
        })
    }

    /// Whether trials that are not promoted by the end of their batch are pruned for good, so that later ones leave no more room for them.
    pub fn in_batches(&self) -> bool {
        self.in_batches
    }

    /// What a value of the shares is, in the mean and in nine of ten sweeps: from, to.
    fn over(&self, of: impl Fn(&Shares) -> f64) -> (f64, (f64, f64)) {
        let mut values: Vec<f64> = self.sweeps.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
        (values.iter().sum::<f64>() / values.len() as f64, (at(0.05), at(0.95)))
    }

    /// The share of all steps that is trained: the mean, and the range of nine of ten sweeps.
    pub fn steps(&self) -> (f64, (f64, f64)) {
        self.over(|shares| shares.steps)
    }

    /// The share of trials that gets past the first `rungs` rungs, in the mean. A trial without one of them passes it with the one before.
    pub fn past(&self, rungs: usize) -> f64 {
        self.over(|shares| shares.past_first(rungs)).0
    }

    /// The share of trials that is trained to the end, in the mean.
    pub fn finishing(&self) -> f64 {
        self.past(self.rungs)
    }

    /// `27 → 9–12 → 3–5`: all trials, and how many get past each rung in nine of ten sweeps.
    pub fn words(&self) -> String {
        (0..=self.rungs).map(|rungs| self.span(rungs)).collect::<Vec<_>>().join(" → ")
    }

    /// `3–5`: how many trials are trained to the end in nine of ten sweeps.
    pub fn finishing_words(&self) -> String {
        self.span(self.rungs)
    }

    /// How many trials get past the first `rungs` rungs in nine of ten sweeps.
    fn span(&self, rungs: usize) -> String {
        let (_, (low, high)) = self.over(|shares| shares.past_first(rungs));
        let [low, high] = [low, high].map(|share| (share * self.trials as f64).round() as u64);
        if low == high { count(low) } else { format!("{}–{}", count(low), count(high)) }
    }
}

impl Shares {
    fn past_first(&self, rungs: usize) -> f64 {
        rungs.checked_sub(1).map_or(1.0, |rung| self.past.get(rung).copied().unwrap_or(0.0))
    }
}

/// The rungs of trials, numbered in order of those that any of them has.
struct Courses {
    /// How many rungs there are.
    rungs: usize,
    /// Of each known trial: number and step of each of its rungs, and its last step.
    of: Vec<(Vec<(usize, u64)>, u64)>,
}

impl Courses {
    fn of(runs: &[(&[Rung], u64)]) -> Self {
        let numbers: BTreeSet<usize> =
            runs.iter().flat_map(|(rungs, _)| rungs.iter().map(|rung| rung.number)).collect();
        let numbers: Vec<usize> = numbers.into_iter().collect();
        let own = |rungs: &[Rung]| {
            let own = rungs.iter().filter_map(|rung| Some((numbers.binary_search(&rung.number).ok()?, rung.step)));
            own.collect::<Vec<_>>()
        };
        Self { rungs: numbers.len(), of: runs.iter().map(|(rungs, total)| (own(rungs), *total)).collect() }
    }

    /// The rungs of a trial.
    fn rungs_of(&self, trial: usize) -> &[(usize, u64)] {
        &self.of[trial % self.of.len()].0
    }

    /// Of a sweep in which each trial has passed so many of its own rungs.
    fn shares(&self, passed: &[usize]) -> Shares {
        let mut past = vec![0.0; self.rungs];
        let (mut trained, mut all) = (0.0, 0.0);
        for (trial, own) in passed.iter().enumerate() {
            let (rungs, total) = &self.of[trial % self.of.len()];
            let (stopped, step) = rungs.get(*own).copied().unwrap_or((self.rungs, *total));
            past[..stopped].iter_mut().for_each(|past| *past += 1.0);
            trained += step as f64;
            all += *total as f64;
        }
        past.iter_mut().for_each(|past| *past /= passed.len().max(1) as f64);
        Shares { past, steps: trained / f64::max(all, f64::MIN_POSITIVE) }
    }
}

/// One sweep, whose trials are trained one at a time in their order; a promoted one continues before the next begins.
struct Simulation<'a, S> {
    courses: &'a Courses,
    factor: usize,
    /// The score of a trial at a rung.
    score: S,
    /// Score and number of each trial at a rung, best first.
    at: Vec<Vec<(u64, usize)>>,
    /// How many of its own rungs each trial has passed.
    passed: Vec<usize>,
    /// The first trial that is not pruned for good.
    open: usize,
}

impl<'a, S: Fn(usize, usize) -> u64> Simulation<'a, S> {
    fn new(courses: &'a Courses, factor: u64, score: S) -> Self {
        let factor = usize::try_from(factor).unwrap_or(usize::MAX).max(1);
        Self { courses, factor, score, at: vec![Vec::new(); courses.rungs], passed: Vec::new(), open: 0 }
    }

    /// How many of its own rungs each trial gets past.
    fn run(mut self, trials: usize, batches: Option<Batches>) -> Vec<usize> {
        self.passed = vec![0; trials];
        let [mut size, later] = match batches {
            Some(Batches { first, later }) => [first, later].map(|n| usize::try_from(n).unwrap_or(trials).max(1)),
            None => [trials; 2],
        };
        while self.open < trials {
            let end = self.open.saturating_add(size).min(trials);
            (self.open..end).for_each(|trial| self.arrive(trial));
            while self.continue_best() {}
            (self.open, size) = (end, later);
        }
        self.passed
    }

    /// The rung at which a trial waits; `None` if it has passed all.
    fn waits_at(&self, trial: usize) -> Option<usize> {
        self.courses.rungs_of(trial).get(self.passed[trial]).map(|(rung, _)| *rung)
    }

    /// A trial reaches its next rung, if it has one.
    fn arrive(&mut self, trial: usize) {
        let Some(rung) = self.waits_at(trial) else { return };
        let score = (self.score)(trial, rung);
        let here = &mut self.at[rung];
        // Of equal trials the first goes on.
        let position = here.partition_point(|(other, of)| *other > score || *other == score && *of < trial);
        here.insert(position, (score, trial));
        let best = here.len() / self.factor;
        // Only it, and the last one of the best, can be new among them.
        let new =
            [position, best.wrapping_sub(1)].map(|at| here.get(at).filter(|_| at < best).map(|(_, trial)| *trial));
        new.into_iter().flatten().for_each(|trial| self.promote(trial, rung));
    }

    fn promote(&mut self, trial: usize, rung: usize) {
        if trial >= self.open && self.waits_at(trial) == Some(rung) {
            self.passed[trial] += 1;
            self.arrive(trial);
        }
    }

    /// Where the rule promotes none of the trials at the furthest rung, the best one continues. Returns whether there is one.
    fn continue_best(&mut self) -> bool {
        let Some(rung) = self.at.iter().rposition(|at| !at.is_empty()) else { return false };
        let (_, best) = self.at[rung][0];
        let waits = best >= self.open && self.waits_at(best) == Some(rung);
        if waits {
            self.promote(best, rung);
        }
        waits
    }
}

/// How many of its own rungs each trial gets past in a sweep with these scores: what a sweep must do.
#[cfg(test)]
pub(crate) fn passed(
    factor: u64,
    (trials, batches): (usize, Option<Batches>),
    runs: &[(&[Rung], u64)],
    score: impl Fn(usize, usize) -> u64,
) -> Vec<usize> {
    Simulation::new(&Courses::of(runs), factor, score).run(trials, batches)
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
    fn promotions(factor: u64, rungs: usize, trials: u64, batches: Option<Batches>) -> Promotions {
        let total = factor.pow(rungs as u32);
        let own: Vec<Rung> = (0..rungs).map(|number| Rung { number, step: factor.pow(number as u32) }).collect();
        let rule = Prune::Asha { reduction_factor: factor, rungs: rungs as u64 };
        Promotions::by(&rule, trials, batches, &[(&own, total)]).unwrap()
    }

    #[test]
    fn more_trials_are_promoted_than_the_rule_says_because_they_are_judged_as_they_come() {
        for (factor, trials, batches, want) in EXPECTED {
            let simulated = promotions(factor, 2, trials, batches);
            for (rungs, want) in [1, 2].into_iter().zip(want) {
                let found = simulated.past(rungs) * trials as f64;
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
        let simulated = promotions(3, 2, 27, None);
        let (mean, (low, high)) = simulated.steps();
        assert!((mean - 0.2956).abs() < 0.006, "{mean}");
        // Never less than if each rung promoted exactly its part.
        assert!(low >= 7.0 / 27.0 - 1e-9 && low < mean && mean < high && high < 0.4, "{low} {high}");
        assert_eq!(simulated.words().split(" → ").next(), Some("27"));
        assert_eq!(promotions(4, 2, 2, None).words(), "2 → 1 → 1");
        // Trials that are good at every rung get further. The rule in Python, over 10,000 sweeps: 27–35, 9–16, 3–8; with independent scores at all
        // rungs 9–15 and 3–6.
        assert_eq!(promotions(3, 3, 81, None).words(), "81 → 27–35 → 9–16 → 3–7");
        // A thousand times the trials: the same share.
        let many = promotions(3, 2, 27_000, None);
        assert!((many.past(1) - 1.0 / 3.0).abs() < 0.03, "{}", many.past(1));
    }

    /// Of two rungs on one evaluation the second is left: 10.42 of 27 get past it, as past any first rung.
    #[test]
    fn a_rung_that_is_left_alone_promotes_one_in_the_factor() {
        let rule = Prune::Asha { reduction_factor: 3, rungs: 2 };
        let one: &[Rung] = &[Rung { number: 1, step: 10 }];
        let simulated = Promotions::by(&rule, 27, None, &[(one, 60)]).unwrap();
        assert_eq!(simulated.past(1), promotions(3, 2, 27, None).past(1));
        assert_eq!((simulated.past(1), simulated.words().split(" → ").count()), (simulated.finishing(), 2));
        let (mean, _) = simulated.steps();
        assert!((mean - (1.0 + 5.0 * simulated.past(1)) / 6.0).abs() < 1e-9, "{mean}");
        // No run has a rung, or there is no rule that promotes.
        assert_eq!(Promotions::by(&rule, 27, None, &[(&[], 60)]), None);
        assert_eq!(Promotions::by(&rule, 27, None, &[]), None);
        assert_eq!(Promotions::by(&Prune::Median { startup_trials: 1 }, 27, None, &[(one, 60)]), None);
    }

    /// Every other trial has both rungs, the others only the second: they meet there only those that were promoted past the first.
    #[test]
    fn trials_of_other_rungs_are_compared_where_both_have_one() {
        let both: &[Rung] = &[Rung { number: 0, step: 10 }, Rung { number: 1, step: 30 }];
        let last: &[Rung] = &[Rung { number: 1, step: 20 }];
        let runs = [(both, 90), (last, 60)];
        // Scores fall with the number: of trials 0, 2 and 4 the first goes on at the first rung, and it is the best at the second, where
        // trials 1 and 3 wait.
        assert_eq!(passed(3, (5, None), &runs, |trial, _| 100 - trial as u64), [2, 0, 0, 0, 0]);
        // They rise: trial 4 is the third there, and the last of 1, 3 and 4 at the second.
        assert_eq!(passed(3, (5, None), &runs, |trial, _| trial as u64), [0, 0, 0, 0, 2]);
        // Where it is worse at the second rung, trial 3 goes on.
        let late = |trial: usize, rung: usize| if (trial, rung) == (4, 1) { 0 } else { trial as u64 };
        assert_eq!(passed(3, (5, None), &runs, late), [0, 0, 0, 1, 1]);
        let simulated = Promotions::by(&Prune::Asha { reduction_factor: 3, rungs: 2 }, 40, None, &runs).unwrap();
        // The 20 trials without the first rung are past it, and about a third of the 20 others.
        let (first, second) = (simulated.past(1) * 40.0, simulated.past(2) * 40.0);
        assert!((26.6..29.0).contains(&first) && (8.8..11.0).contains(&second), "{first} {second}");
        // A trial without rungs is trained to its end.
        assert_eq!(passed(3, (3, None), &[(both, 90), (&[], 5)], |_, _| 1), [2, 0, 0]);
    }
}
