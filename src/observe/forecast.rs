//! Predicts how long a sweep will take: a pure function of what its runs have done and have left.
//!
//! Work is measured as *cost*, steps weighted by the cost of one, so that runs of different batch sizes add up; and as *begins*,
//! since each start of a run takes some time before its first step.

use crate::plan::{Promotions, Prune, Rung};

/// What is left of a run, for a forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// To be started or continued.
    Open,
    /// Running.
    Running,
    /// At a rung, until it is promoted or ended.
    Waiting,
    /// Nothing is left.
    Over,
}

/// A run, for a forecast.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    pub stage: Stage,
    /// Whether it was ended early by the sweep's rule.
    pub pruned: bool,
    /// Number of its trial.
    pub trial: usize,
    pub step: u64,
    pub total: u64,
    /// Whether it goes on past the rung that it is at: it was continued there.
    pub goes_on: bool,
    /// The steps of the sweep's rungs. One that it does not have falls on the one before it, and the first ones on 0: they are passed together.
    pub rungs: Vec<u64>,
    /// Cost of one step.
    pub step_cost: f64,
}

impl Part {
    /// Ends of its segments: its rungs and its last step.
    fn ends(&self) -> impl Iterator<Item = u64> {
        self.rungs.iter().copied().chain([self.total])
    }

    /// The segment that it is in: that of the first rung it has not passed. At a rung it is still in the segment before, unless it goes on.
    fn segment(&self) -> usize {
        let passed = |rung: u64| rung == 0 || self.step > rung || self.goes_on && self.step == rung;
        self.rungs.iter().filter(|rung| passed(**rung)).count()
    }

    /// Whether it has reached its rung number `i`, from 1; a run that ended on the way, by failing, counts there too.
    fn has_reached(&self, i: usize) -> bool {
        let (passed, at) = (self.segment(), self.rungs.get(i - 1));
        passed >= i || passed + 1 == i && (self.stage == Stage::Over || at.is_some_and(|rung| self.step >= *rung))
    }

    fn cost(&self, steps: u64) -> f64 {
        steps as f64 * self.step_cost
    }

    /// Cost of its segment number `i`.
    fn segment_cost(&self, i: usize) -> f64 {
        let begin = if i == 0 { 0 } else { self.ends().nth(i - 1).unwrap_or(self.total) };
        self.cost(self.ends().nth(i).unwrap_or(self.total).saturating_sub(begin))
    }

    /// Cost until its next rung, or its end.
    fn left_in_segment(&self) -> f64 {
        match self.stage {
            Stage::Over | Stage::Waiting => 0.0,
            Stage::Open | Stage::Running => {
                let end = self.ends().nth(self.segment()).unwrap_or(self.total);
                self.cost(end.saturating_sub(self.step))
            }
        }
    }
}

/// The steps of the rungs of a run, for a [`Part`], in a sweep that has rungs with these numbers.
pub(super) fn aligned(rungs: &[Rung], numbers: &[usize]) -> Vec<u64> {
    let at = |number: &usize| rungs.iter().rfind(|rung| rung.number <= *number).map_or(0, |rung| rung.step);
    numbers.iter().map(at).collect()
}

/// Remaining work.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Left {
    /// Cost of the steps.
    pub cost: f64,
    /// Starts of runs, including those that continue after waiting.
    pub begins: f64,
}

/// The expected remaining work of these runs and of `to_come` more like them. `promotions`: how many trials the rule promotes; without them only
/// the least that it promotes is counted.
pub(super) fn remaining(prune: &Prune, promotions: Option<&Promotions>, parts: &[Part], to_come: usize) -> Left {
    let open = parts.iter().filter(|part| part.stage == Stage::Open).count() + to_come;
    let plain = |cost| Left { cost, begins: open as f64 };
    match *prune {
        Prune::None => {
            let left = parts.iter().filter(|part| part.stage != Stage::Over);
            let known: f64 = left.map(|part| part.cost(part.total.saturating_sub(part.step))).sum();
            plain(known + to_come as f64 * mean(parts.iter().map(|part| part.cost(part.total))))
        }
        Prune::Median { startup_trials } => plain(median(parts, to_come, startup_trials as usize)),
        Prune::Asha { reduction_factor, .. } => {
            let (cost, promotions) = asha(parts, to_come, reduction_factor, promotions);
            Left { cost, begins: open as f64 + promotions }
        }
    }
}

/// Of the trials that have yet to reach a rung ASHA promotes as many as in `simulated` sweeps, the forecast of the plan. In the end it has
/// promoted at least one in `factor` of all, unless a search prunes the trials of each batch for good; and in any case one. This gives the
/// number of runs in each segment. Returns the remaining cost, and how often a run will be promoted.
fn asha(parts: &[Part], to_come: usize, factor: u64, simulated: Option<&Promotions>) -> (f64, f64) {
    let segments = parts.iter().map(|part| part.rungs.len() + 1).max().unwrap_or(1);
    let trials = parts.iter().map(|part| part.trial).collect::<std::collections::HashSet<_>>().len().max(1);
    let seeds = (parts.len() as f64 / trials as f64).max(1.0);
    let cost = |i: usize| mean(parts.iter().map(|part| part.segment_cost(i)));
    let mut expected = (parts.len() + to_come) as f64;
    let mut left: f64 = parts.iter().map(Part::left_in_segment).sum();
    left += to_come as f64 * cost(0);
    let mut promotions = 0.0;
    for i in 1..segments {
        // Runs that failed earlier count at the rung too, as in the rule.
        let entered = parts.iter().filter(|part| part.segment() >= i).count() as f64;
        let least =
            if simulated.is_some_and(Promotions::in_batches) { 0.0 } else { expected / seeds / factor.max(1) as f64 };
        let quota = least.floor().max(1.0) * seeds;
        let reached = parts.iter().filter(|part| part.has_reached(i)).count() as f64;
        let later = (expected - reached).max(0.0);
        let rate = simulated.map_or(0.0, |of| of.past(i) / of.past(i - 1).max(f64::MIN_POSITIVE));
        let let_past = quota.max(entered).max(entered + rate * later);
        left += (let_past - entered) * cost(i);
        promotions += let_past - entered;
        expected = let_past;
    }
    (left, promotions)
}

/// The median rule has no quota: a trial that it may end is expected to train as long as the ended ones did on average; before
/// there are any, half of the trials are expected to end at the first rung.
fn median(parts: &[Part], to_come: usize, startup: usize) -> f64 {
    let first = |part: &Part| part.rungs.first().copied().unwrap_or(part.total).min(part.total) as f64;
    let share = |part: &Part| part.step as f64 / part.total.max(1) as f64;
    let judged: Vec<&Part> = parts.iter().filter(|part| part.trial >= startup).collect();
    let expected = |part: &Part| {
        let guess = (first(part) + part.total as f64) / 2.0 / part.total.max(1) as f64;
        let ended = judged.iter().filter(|part| part.stage == Stage::Over && (part.pruned || part.step >= part.total));
        let seen: Vec<f64> = ended.map(|part| share(part)).collect();
        (guess + seen.iter().sum::<f64>()) / (1 + seen.len()) as f64
    };
    let left = |part: &Part| match part.stage {
        Stage::Over => 0.0,
        // A trial that passed the first rung usually completes.
        _ if part.trial < startup || part.segment() > 0 => part.cost(part.total.saturating_sub(part.step)),
        _ => (part.cost(part.total) * expected(part) - part.cost(part.step)).max(0.0),
    };
    let new = |part: &Part| part.cost(part.total) * if parts.len() < startup { 1.0 } else { expected(part) };
    parts.iter().map(left).sum::<f64>() + to_come as f64 * mean(parts.iter().map(new))
}

/// The speed of a command's runs so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Seconds of one run per unit of cost, including its evaluations.
    pub of_cost: f64,
    /// Seconds of a start, from the end of the previous run to the first step.
    pub of_begin: f64,
    /// Runs at a time.
    pub slots: usize,
}

impl Pace {
    /// Seconds until nothing is left. `longest` is the largest cost that a single run has left, which cannot be shared between slots.
    pub fn left_s(&self, left: Left, longest: f64) -> f64 {
        let shared = (left.cost * self.of_cost + left.begins * self.of_begin) / self.slots.max(1) as f64;
        shared.max(longest * self.of_cost)
    }
}

/// The largest cost that one run has left before its next decision.
pub(super) fn longest(parts: &[Part]) -> f64 {
    parts.iter().map(Part::left_in_segment).fold(0.0, f64::max)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0u64, 0.0), |(n, sum), value| (n + 1, sum + value));
    if n == 0 { 0.0 } else { sum / n as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Batches;

    const ASHA: Prune = Prune::Asha { reduction_factor: 3, rungs: 2 };
    const RUNGS: [Rung; 2] = [Rung { number: 0, step: 10 }, Rung { number: 1, step: 30 }];

    fn cost(prune: &Prune, parts: &[Part], to_come: usize) -> f64 {
        remaining(prune, None, parts, to_come).cost
    }

    fn part(trial: usize, stage: Stage, step: u64) -> Part {
        Part { stage, pruned: false, trial, step, total: 90, goes_on: false, rungs: vec![10, 30], step_cost: 1.0 }
    }

    #[test]
    fn without_a_rule_every_step_is_left() {
        let plain = |stage, step| Part { rungs: Vec::new(), ..part(0, stage, step) };
        let parts = [plain(Stage::Over, 90), plain(Stage::Running, 60), plain(Stage::Open, 0)];
        assert_eq!(cost(&Prune::None, &parts, 0), 120.0);
        assert_eq!(cost(&Prune::None, &parts, 2), 300.0);
        // A step of twice the batch counts twice.
        let parts = [plain(Stage::Running, 60), Part { step_cost: 2.0, total: 45, ..plain(Stage::Open, 0) }];
        assert_eq!(cost(&Prune::None, &parts, 0), 30.0 + 90.0);
    }

    #[test]
    fn asha_is_expected_to_promote_its_share() {
        // 9 trials: 9 · 10 steps to the first rung, 3 · 20 to the second, 1 · 60 to the end.
        let begin: Vec<Part> = (0..9).map(|i| part(i, Stage::Open, 0)).collect();
        assert_eq!(remaining(&ASHA, None, &begin, 0), Left { cost: 90.0 + 60.0 + 60.0, begins: 9.0 + 3.0 + 1.0 });
        // 5 of them known so far.
        assert_eq!(cost(&ASHA, &begin[..5], 4), 210.0);
        // All at the first rung, two of three promoted, one of those at the second: one more to the second, one to the end.
        let mut later: Vec<Part> = (0..9).map(|i| part(i, Stage::Waiting, 10)).collect();
        (later[0], later[1]) = (part(0, Stage::Waiting, 30), part(1, Stage::Running, 20));
        assert_eq!(cost(&ASHA, &later, 0), 10.0 + 20.0 + 60.0);
        // The last one is running, 15 steps from its end; none follows.
        later.iter_mut().for_each(|part| part.stage = Stage::Waiting);
        (later[0], later[1], later[2]) =
            (part(0, Stage::Running, 75), part(1, Stage::Waiting, 30), part(2, Stage::Waiting, 30));
        assert_eq!(cost(&ASHA, &later, 0), 15.0);
        later.iter_mut().for_each(|part| part.stage = Stage::Over);
        later[0].step = 90;
        assert_eq!(cost(&ASHA, &later, 0), 0.0);
    }

    /// It has begun again at its rung, and has not reported a step yet.
    #[test]
    fn a_run_that_was_promoted_has_its_next_segment_left_from_the_start() {
        let promoted = Part { goes_on: true, ..part(0, Stage::Running, 30) };
        let mut parts = [promoted, part(1, Stage::Over, 90), part(2, Stage::Waiting, 30)];
        assert_eq!(cost(&ASHA, &parts, 0), 60.0, "although the one that is promoted in any case is over");
        // At a rung where its score is being measured nothing is decided.
        parts[0].goes_on = false;
        assert_eq!(cost(&ASHA, &parts, 0), 0.0);
    }

    /// Expected: `past` of 27 trials, 10.42 and 4.00, as in plan/promotions.rs.
    #[test]
    fn trials_that_have_yet_to_reach_a_rung_are_promoted_as_they_come() {
        let promotions = Promotions::by(&ASHA, 27, None, &[(&RUNGS, 90)]).unwrap();
        let left = |parts: &[Part], to_come| remaining(&ASHA, Some(&promotions), parts, to_come);
        let begin: Vec<Part> = (0..27).map(|i| part(i, Stage::Open, 0)).collect();
        let near = |found: f64, want: f64| assert!((found - want).abs() < 0.03 * want, "{found}, not {want}");
        let all = left(&begin, 0);
        near(all.cost, 27.0 * 10.0 + 10.42 * 20.0 + 4.00 * 60.0);
        near(all.begins, 27.0 + 10.42 + 4.00);
        assert_eq!(left(&begin[..20], 7), all);
        // Of 26 trials that reached the first rung 11 passed it, more than the mean, and 5 the second: the last trial may yet.
        let at = |i: usize| match i {
            0..5 => part(i, Stage::Over, 90),
            5..11 => part(i, Stage::Waiting, 30),
            26 => part(i, Stage::Open, 0),
            _ => part(i, Stage::Waiting, 10),
        };
        let later: Vec<Part> = (0..27).map(at).collect();
        near(left(&later, 0).cost, 10.0 + 10.42 / 27.0 * 20.0 + 4.00 / 27.0 * 60.0);
        // A search that prunes for good the trials which are not promoted by the end of their batch promotes fewer (past: 3.82 and 1.93 of
        // 12): of the four of the last batch as many of four, and none of those before.
        let search = Promotions::by(&ASHA, 12, Some(Batches { first: 4, later: 4 }), &[(&RUNGS, 90)]).unwrap();
        let known: Vec<Part> = (0..8).map(|i| part(i, Stage::Over, if i < 2 { 90 } else { 10 })).collect();
        let batch = remaining(&ASHA, Some(&search), &known, 4);
        near(batch.cost, 4.0 * (10.0 + 3.82 / 12.0 * 20.0 + 3.82 / 12.0 * 1.93 / 3.82 * 60.0));
        near(batch.begins, 4.0 * (1.0 + 3.82 / 12.0 + 1.93 / 12.0));
        // When all have reached it none is to come, although fewer passed than in the mean.
        let last = |i: usize| match i {
            0..3 => part(i, Stage::Over, 90),
            3..9 => part(i, Stage::Waiting, 30),
            _ => part(i, Stage::Waiting, 10),
        };
        let end: Vec<Part> = (0..27).map(last).collect();
        assert_eq!(left(&end, 0), Left::default());
    }

    #[test]
    fn seeds_of_a_trial_are_promoted_together() {
        // 4 trials of 3 seeds: one trial of 3 runs passes each rung.
        let parts: Vec<Part> = (0..12).map(|i| part(i / 3, Stage::Open, 0)).collect();
        assert_eq!(cost(&ASHA, &parts, 0), 120.0 + 3.0 * 20.0 + 3.0 * 60.0);
    }

    #[test]
    fn fewer_trials_than_the_factor_promote_one() {
        let parts: Vec<Part> = (0..2).map(|i| part(i, Stage::Open, 0)).collect();
        assert_eq!(cost(&ASHA, &parts, 0), 20.0 + 20.0 + 60.0);
    }

    #[test]
    fn the_median_rule_is_extrapolated() {
        let rule = Prune::Median { startup_trials: 1 };
        let open: Vec<Part> = (0..3).map(|i| part(i, Stage::Open, 0)).collect();
        // The first whole; of the others half end after 10 of 90 steps.
        assert_eq!(cost(&rule, &open, 0), 90.0 + 2.0 * 50.0);
        // All decided trials ended at once, so less is expected of the next.
        let mut seen = open.clone();
        (seen[0].stage, seen[0].step) = (Stage::Over, 90);
        (seen[1].stage, seen[1].step, seen[1].pruned) = (Stage::Over, 10, true);
        assert!((cost(&rule, &seen, 0) - 30.0).abs() < 1e-9, "the mean of 50 and 10");
        // A trial that passed its first rung is expected to complete.
        (seen[2].stage, seen[2].step) = (Stage::Running, 40);
        assert_eq!(cost(&rule, &seen, 0), 50.0);
    }

    #[test]
    fn the_longest_run_bounds_what_slots_can_share() {
        let pace = Pace { of_cost: 0.5, of_begin: 3.0, slots: 2 };
        // 60 are left and two begins: 30 s and 6 s, in two slots.
        assert_eq!(pace.left_s(Left { cost: 60.0, begins: 2.0 }, 20.0), 18.0);
        // 50 of them in one run.
        assert_eq!(pace.left_s(Left { cost: 60.0, begins: 0.0 }, 50.0), 25.0);
    }
}
