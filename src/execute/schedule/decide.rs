//! Decides which run of a sweep is next and which trials continue: a function of the scores and the states of all runs.
//!
//! The runs of a trial wait at each rung until all of them have reached it; then the pruning rule decides whether the trial continues. Without
//! a rule there are no rungs, and runs are trained in the order of the plan.

use super::run_states::RunStates;
use crate::{
    event::When,
    format::count,
    metrics::{Metric, Score},
    plan::{
        Rung,
        prune::{Fate, Prune, Verdict, besides_ranks, last_to_continue, verdict},
        sanity::Tie,
    },
};

/// What decisions need to know of a run.
#[derive(Debug, Clone)]
pub(super) struct TrialRun {
    /// Index of its trial.
    trial: usize,
    /// Where it is decided whether its trial continues.
    rungs: Vec<Rung>,
    /// Its score at each rung that it has reached, by the rung's number.
    scores: Vec<Option<Score>>,
    /// Number of its stored steps.
    steps: u64,
}

impl TrialRun {
    /// A run without stored steps.
    pub fn new(trial: usize, rungs: Vec<Rung>) -> Self {
        let numbers = rungs.last().map_or(0, |rung| rung.number + 1);
        Self { trial, scores: vec![None; numbers], rungs, steps: 0 }
    }

    /// The number of the first rung that it need not have passed to be where it is.
    fn promoted(&self) -> usize {
        let past = self.rungs.iter().rfind(|rung| self.steps > rung.step).map_or(0, |rung| rung.number + 1);
        let at = self.scores.iter().rposition(Option::is_some).unwrap_or(0);
        past.max(at)
    }

    /// The step of its rung of this number.
    fn step_of(&self, number: usize) -> Option<u64> {
        let at = self.rungs.binary_search_by_key(&number, |rung| rung.number).ok()?;
        Some(self.rungs[at].step)
    }
}

/// Decides for all runs of a command, given by their index in the plan.
pub(super) struct SweepDecisions {
    prune: Prune,
    metric: Metric,
    items: Vec<TrialRun>,
    /// Runs of each trial.
    trials: Vec<Vec<usize>>,
    /// The numbers of the rungs of each trial: those that all its runs have.
    rungs: Vec<Vec<usize>>,
    /// Each trial was promoted past its rungs with lower numbers. It never decreases.
    promoted: Vec<usize>,
}

impl SweepDecisions {
    /// Decisions for these runs.
    pub fn new(prune: Prune, metric: Metric, items: Vec<TrialRun>) -> Self {
        let trials = items.iter().map(|item| item.trial + 1).max().unwrap_or(0);
        let mut members = vec![Vec::new(); trials];
        for (run, item) in items.iter().enumerate() {
            members[item.trial].push(run);
        }
        let all_have = |runs: &[usize], number| runs.iter().all(|&i| items[i].step_of(number).is_some());
        let rungs = members.iter().map(|runs| {
            let first = runs.first().map_or(&[][..], |&i| &items[i].rungs);
            first.iter().map(|rung| rung.number).filter(|number| all_have(runs, *number)).collect()
        });
        let rungs = rungs.collect();
        let mut sweep = Self { prune, metric, items, trials: members, rungs, promoted: vec![0; trials] };
        if let Prune::Median { startup_trials } = prune {
            // The rule never prunes these: they do not wait.
            (0..trials)
                .take_while(|trial| (*trial as u64) < startup_trials)
                .for_each(|trial| sweep.promote_to_end(trial));
        }
        sweep
    }

    /// The open and allowed run that is trained next: a run of the trial that was promoted furthest, in the order of the plan.
    pub fn next(&mut self, states: &RunStates, allowed: impl Fn(usize) -> bool) -> Option<usize> {
        self.promote(states);
        let open = |&i: &usize| states.is_open(i) && self.has_steps_left(states, i) && allowed(i);
        let candidates = (0..self.items.len()).filter(open);
        candidates.min_by_key(|&i| (std::cmp::Reverse(self.promoted[self.items[i].trial]), i))
    }

    /// Whether a run at the rung of `step` continues at once.
    pub fn continues_at(&mut self, states: &RunStates, run: usize, step: u64) -> bool {
        self.promote(states);
        let item = &self.items[run];
        // It stops at the first rung that it was not promoted past, which can be after the rung at `step`.
        self.next_rung(item.trial).and_then(|rung| item.step_of(rung)).is_none_or(|rung| rung > step)
    }

    /// Adds the score of an evaluation after `step`, if there is a rung.
    pub fn measured(&mut self, run: usize, step: u64, score: Score) {
        let item = &mut self.items[run];
        for rung in item.rungs.iter().filter(|rung| rung.step == step) {
            item.scores[rung.number] = Some(score);
        }
    }

    /// Adds the stored steps and scores of a run. For a completed run that was evaluated at other steps or stopped early, the last evaluation
    /// before a rung counts as its score there.
    pub fn stored(&mut self, run: usize, steps: u64, scores: &[(When, u64, Score)], completed: bool) {
        self.items[run].steps = steps;
        for (_, step, score) in scores.iter().filter(|(when, ..)| *when == When::During) {
            self.measured(run, *step, *score);
        }
        if completed {
            let item = &mut self.items[run];
            for rung in &item.rungs {
                let at_rung = &mut item.scores[rung.number];
                if at_rung.is_some() {
                    continue;
                }
                let before = scores.iter().rfind(|(when, step, _)| *when == When::During && *step <= rung.step);
                *at_rung = before.or(scores.last()).map(|(.., score)| *score);
            }
        }
    }

    /// The steps of the rungs of a run.
    pub fn rung_steps(&self, run: usize) -> Vec<u64> {
        self.items[run].rungs.iter().map(|rung| rung.step).collect()
    }

    /// Open runs whose trials are pruned, with the reason.
    pub fn pruned(&mut self, states: &RunStates) -> Vec<(usize, String)> {
        self.promote(states);
        self.decided(states, |verdict| match verdict {
            Verdict::End(reason) => Some(reason),
            _ => None,
        })
    }

    /// Open runs whose trials are pruned or wait, with the reason that ends them when no more scores follow.
    pub fn waiting(&mut self, states: &RunStates) -> Vec<(usize, String)> {
        self.decided(states, |verdict| match verdict {
            Verdict::End(reason) | Verdict::Wait(reason) => Some(reason),
            Verdict::Continue => None,
        })
    }

    /// With ASHA, the rungs at which trials of the same score were told apart by something else: some of them were promoted and others
    /// were not. Of several such scores at a rung, the one that most trials have.
    pub fn ties(&self, states: &RunStates) -> Vec<Tie> {
        if !matches!(self.prune, Prune::Asha { .. }) {
            return Vec::new();
        }
        let scores = self.scores(states);
        let rungs = 0..scores.iter().map(Vec::len).max().unwrap_or(0);
        let at = |rung: usize| {
            let score_of = |trial: usize| Some(scores[trial].get(rung).copied().flatten()?.or_worst());
            let known: Vec<(usize, Score)> =
                (0..scores.len()).filter_map(|trial| Some((trial, score_of(trial)?))).collect();
            // What failed has no score of its own.
            let compared = known.iter().filter(|(_, score)| *score > Score::WORST).count();
            let group = |score: Score| {
                let tied: Vec<usize> =
                    known.iter().filter(|(_, other)| *other == score).map(|(trial, _)| *trial).collect();
                let went_on = tied.iter().filter(|trial| self.promoted[**trial] > rung).count();
                Tie { rung, trials: compared, tied: tied.len(), went_on, score }
            };
            let groups = known.iter().filter(|(_, score)| *score > Score::WORST).map(|(_, score)| group(*score));
            groups.filter(|tie| (1..tie.tied).contains(&tie.went_on)).max_by_key(|tie| tie.tied)
        };
        rungs.filter_map(at).collect()
    }

    /// Promotes a trial past all rungs.
    pub fn promote_to_end(&mut self, trial: usize) {
        self.promoted[trial] = self.rungs[trial].last().map_or(0, |rung| rung + 1);
    }

    /// The number of the rung that a trial has reached or will reach next; `None` if it was promoted past the last.
    fn next_rung(&self, trial: usize) -> Option<usize> {
        let rungs = &self.rungs[trial];
        rungs.get(rungs.partition_point(|rung| *rung < self.promoted[trial])).copied()
    }

    /// When every trial waits or has ended: promotes the best one past its rung, since the rule promotes none. Returns whether there is one.
    pub fn continue_best(&mut self, states: &RunStates) -> bool {
        let open = |trial: &usize| self.trials[*trial].iter().any(|&i| states.is_open(i));
        // Of a trial that another sweep pruned no run goes on.
        let may = |trial: usize| !self.was_pruned(states, trial);
        let Some(trial) = last_to_continue(&self.prune, self.metric, &self.scores(states), may).filter(open) else {
            return false;
        };
        let Some(rung) = self.next_rung(trial) else { return false };
        self.promoted[trial] = rung + 1;
        true
    }

    fn decided(&self, states: &RunStates, reason: impl Fn(Verdict) -> Option<String>) -> Vec<(usize, String)> {
        let scores = self.scores(states);
        let mut ended = Vec::new();
        for (trial, members) in self.trials.iter().enumerate() {
            let Some(verdict) = self.verdict(states, trial, &scores) else { continue };
            // A failure is a reason of its own.
            let ranked = matches!(verdict, Verdict::Wait(_));
            let Some(mut reason) = reason(verdict) else { continue };
            if let Some(rung) = self.next_rung(trial).filter(|_| ranked) {
                let at = (trial, rung);
                reason += &besides_ranks(&self.prune, &scores, at, |other| self.fate(states, other, at.1));
            }
            let open = members.iter().filter(|&&i| states.is_open(i));
            ended.extend(open.map(|&i| (i, reason.clone())));
        }
        ended
    }

    /// Promotes trials as far as the rule allows.
    fn promote(&mut self, states: &RunStates) {
        let scores = self.scores(states);
        for trial in 0..self.trials.len() {
            // A run that is further was promoted by an earlier command, even if the rule would decide otherwise now.
            let so_far = self.trials[trial].iter().map(|&i| self.items[i].promoted()).max().unwrap_or(0);
            self.promoted[trial] = self.promoted[trial].max(so_far);
            // One that was pruned with an earlier batch stays so, whatever the later scores.
            while let Some(rung) = self.next_rung(trial).filter(|_| !self.was_pruned(states, trial)) {
                if self.verdict(states, trial, &scores) != Some(Verdict::Continue) {
                    break;
                }
                self.promoted[trial] = rung + 1;
            }
        }
    }

    /// The decision about a trial at its next rung; `None` if its runs are not there yet, or if it has passed the last.
    fn verdict(&self, states: &RunStates, trial: usize, scores: &[Vec<Option<Score>>]) -> Option<Verdict> {
        let rung = self.next_rung(trial)?;
        if self.trials[trial].iter().any(|&i| states.has_diverged(i)) {
            return Some(Verdict::End("another run of its trial failed".into()));
        }
        // Where only some of its runs were pruned, by another sweep or before a command was killed, the others have nothing to wait for.
        let was_pruned = || Some(Verdict::End("another run of its trial was pruned".into()));
        if scores[trial][rung].is_none() {
            return if self.was_pruned(states, trial) { was_pruned() } else { None };
        }
        let step = self.items[*self.trials[trial].first()?].step_of(rung)?;
        // The step of a rung can differ between trials: runs with larger batches have fewer steps.
        let at = |reason: String| format!("at step {}: {reason}", count(step));
        Some(match verdict(&self.prune, self.metric, scores, (trial, self.trials[trial].len()), rung) {
            Verdict::Continue if self.was_pruned(states, trial) => return was_pruned(),
            Verdict::Continue => Verdict::Continue,
            Verdict::Wait(reason) => Verdict::Wait(at(reason)),
            Verdict::End(reason) => Verdict::End(at(reason)),
        })
    }

    /// Whether a trial was pruned.
    fn was_pruned(&self, states: &RunStates, trial: usize) -> bool {
        self.trials[trial].iter().any(|&i| states.was_pruned(i))
    }

    /// What has become of a trial at a rung.
    fn fate(&self, states: &RunStates, trial: usize, rung: usize) -> Fate {
        match self.promoted[trial] > rung {
            true => Fate::WentOn,
            false if self.was_pruned(states, trial) => Fate::Pruned,
            false => Fate::Open,
        }
    }

    /// The score of each trial at each of its rungs, by the rung's number.
    fn scores(&self, states: &RunStates) -> Vec<Vec<Option<Score>>> {
        let of = |trial: usize| {
            let mut scores = vec![None; self.rungs[trial].last().map_or(0, |rung| rung + 1)];
            for &rung in &self.rungs[trial] {
                scores[rung] = self.score(states, trial, rung);
            }
            scores
        };
        (0..self.trials.len()).map(of).collect()
    }

    /// Mean score of a trial's runs at a rung, once all of them have reached it; the worst score if one diverged.
    fn score(&self, states: &RunStates, trial: usize, rung: usize) -> Option<Score> {
        let members = &self.trials[trial];
        if members.iter().any(|&i| states.has_diverged(i)) {
            return Some(Score::WORST);
        }
        let scores: Option<Vec<Score>> =
            members.iter().map(|&i| self.items[i].scores.get(rung).copied().flatten()).collect();
        Score::mean(scores?)
    }

    /// Whether a run has steps to train before the next rung of its trial.
    fn has_steps_left(&self, states: &RunStates, run: usize) -> bool {
        let item = &self.items[run];
        self.next_rung(item.trial).is_none_or(|rung| {
            let has_ended = |&i: &usize| states.has_diverged(i) || states.was_pruned(i);
            item.scores[rung].is_none() && !self.trials[item.trial].iter().any(has_ended)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::run_states::{End, Then},
        *,
    };
    use crate::plan::prune::WHICH_OF_EQUALS;

    const ASHA: Prune = Prune::Asha { reduction_factor: 3, rungs: 2 };

    /// `trials` trials of `seeds` runs of 9 steps, with rungs at 1 and 3.
    fn sweep(prune: Prune, trials: usize, seeds: usize) -> SweepDecisions {
        let both = [1, 3].into_iter().enumerate().map(|(number, step)| Rung { number, step });
        let rungs: Vec<Rung> = both.filter(|_| prune != Prune::None).collect();
        let item = |trial| TrialRun::new(trial, rungs.clone());
        SweepDecisions::new(prune, Metric::Accuracy, (0..trials * seeds).map(|i| item(i / seeds)).collect())
    }

    /// What a command with one worker trains: (run, first step, last step). `value` returns the score of a run at a step; `interrupted` forgets
    /// everything but scores and steps before each run.
    fn play(
        (sweep, states): (&mut SweepDecisions, &mut RunStates),
        value: impl Fn(usize, u64) -> f64,
        interrupted: bool,
    ) -> Vec<(usize, u64, u64)> {
        let mut trained = Vec::new();
        let mut at = vec![0; sweep.items.len()];
        loop {
            if interrupted {
                sweep.promoted.iter_mut().for_each(|promoted| *promoted = 0);
            }
            for (run, _) in sweep.pruned(states) {
                states.end(run, End::Pruned);
            }
            let Some(run) = sweep.next(states, |_| true) else {
                if sweep.continue_best(states) {
                    continue;
                }
                return trained;
            };
            states.begin(run, 0);
            let from = at[run];
            let mut end = 9;
            for rung in sweep.rung_steps(run).into_iter().filter(|rung| *rung > from) {
                sweep.measured(run, rung, Metric::Accuracy.score(value(run, rung)));
                if !sweep.continues_at(states, run, rung) {
                    end = rung;
                    break;
                }
            }
            at[run] = end;
            if interrupted {
                sweep.items[run].steps = end;
            }
            states.close(run, if end == 9 { Then::Ended(End::Completed) } else { Then::Paused { step: end } });
            states.leave_slot(run);
            trained.push((run, from, end));
        }
    }

    /// The same for new decisions.
    fn play_all(
        mut sweep: SweepDecisions,
        value: impl Fn(usize, u64) -> f64,
        interrupted: bool,
    ) -> Vec<(usize, u64, u64)> {
        let mut states = RunStates::new(sweep.items.len());
        play((&mut sweep, &mut states), value, interrupted)
    }

    #[test]
    fn without_a_rule_runs_are_trained_completely_and_in_order() {
        let trained = play_all(sweep(Prune::None, 2, 2), |_, _| 0.0, false);
        assert_eq!(trained, [(0, 0, 9), (1, 0, 9), (2, 0, 9), (3, 0, 9)]);
    }

    #[test]
    fn asha_promotes_the_best_third_at_each_rung() {
        let (mut nine, mut states) = (sweep(ASHA, 9, 1), RunStates::new(9));
        let trained = play((&mut nine, &mut states), |run, _| -(run as f64), false);
        // The first is the best: after every third run one more is promoted, and continues before a new run begins.
        let want = [
            [(0, 0, 1), (1, 0, 1), (2, 0, 1), (0, 1, 3)],
            [(3, 0, 1), (4, 0, 1), (5, 0, 1), (1, 1, 3)],
            [(6, 0, 1), (7, 0, 1), (8, 0, 1), (2, 1, 3)],
        ];
        assert_eq!(trained, [&want.concat()[..], &[(0, 3, 9)]].concat());
        let waiting: Vec<usize> = nine.waiting(&states).into_iter().map(|(run, _)| run).collect();
        assert_eq!(waiting, [1, 2, 3, 4, 5, 6, 7, 8], "all that is left has a reason");
        let reasons: Vec<String> = nine.waiting(&states).into_iter().map(|(_, reason)| reason).collect();
        assert!(reasons[0].starts_with("at step 3: rank 2 of 3 at rung 2 with dev accuracy"), "{}", reasons[0]);
        assert!(reasons[7].starts_with("at step 1: rank 9 of 9 at rung 1 with dev accuracy"), "{}", reasons[7]);
        let steps: u64 = trained.iter().map(|(_, from, end)| end - from).sum();
        assert_eq!(steps, 21, "of 81");
    }

    #[test]
    fn a_rung_that_tells_equal_trials_apart_has_decided_by_their_order() {
        let played = |prune, trials, value: fn(usize, u64) -> f64| {
            let (mut sweep, mut states) = (sweep(prune, trials, 1), RunStates::new(trials));
            play((&mut sweep, &mut states), value, false);
            let counts = |tie: Tie| (tie.rung, tie.trials, tie.tied, tie.went_on, Metric::Accuracy.value(tie.score));
            sweep.ties(&states).into_iter().map(counts).collect::<Vec<_>>()
        };
        // At the second rung the three promoted trials differ.
        assert_eq!(played(ASHA, 9, |run, step| if step == 1 { 0.5 } else { run as f64 }), [(0, 9, 9, 3, 0.5)]);
        assert_eq!(played(ASHA, 9, |_, _| 0.5), [(0, 9, 9, 3, 0.5), (1, 3, 3, 1, 0.5)]);
        // The last one is better: of the eight others two are promoted.
        assert_eq!(played(ASHA, 9, |run, _| if run == 8 { 0.6 } else { 0.5 })[0], (0, 9, 8, 2, 0.5));
        // Of 27 trials 24 are at chance level; three are better, and six of the others go on.
        let at_chance =
            |run: usize, step| if step > 1 || run.is_multiple_of(9) { 0.6 + run as f64 / 100.0 } else { 0.5 };
        assert_eq!(played(ASHA, 27, at_chance), [(0, 27, 24, 6, 0.5)]);
        // The best third is clear, however many tie behind it.
        let clear = |run: usize, _| if run.is_multiple_of(3) { 0.6 + run as f64 / 100.0 } else { 0.5 };
        assert_eq!(played(ASHA, 9, clear), []);
        // The first went on since it was the best of three, and three better ones came later.
        let better_later = |run: usize, step: u64| match (run, step) {
            (0..3, 1) => 0.5,
            (3..6, _) => 0.7 + run as f64 / 100.0,
            (run, _) => run as f64 / 100.0,
        };
        assert_eq!(played(ASHA, 9, better_later), [(0, 9, 3, 1, 0.5)]);
        assert_eq!(played(ASHA, 1, |_, _| 0.5), [], "one alone is compared with none");
        // All were completed without a rule.
        let (mut whole, mut states) = (sweep(ASHA, 9, 1), RunStates::new(9));
        for (run, item) in whole.items.iter_mut().enumerate() {
            (item.steps, item.scores) = (9, vec![Some(Metric::Accuracy.score(0.5)); 2]);
            states.end(run, End::AlreadyDone);
        }
        assert_eq!((whole.next(&states, |_| true), whole.ties(&states)), (None, Vec::new()));
        assert_eq!(played(Prune::Median { startup_trials: 1 }, 9, |_, _| 0.5), [], "none is pruned there");
    }

    #[test]
    fn a_trial_that_failed_is_not_counted_among_those_that_were_compared() {
        let (mut six, mut states) = (sweep(ASHA, 6, 1), RunStates::new(6));
        states.end(5, End::DivergedBefore);
        for run in 0..5 {
            (six.items[run].steps, six.items[run].scores[0]) = (1, Some(Metric::Accuracy.score(0.5)));
        }
        six.next(&states, |_| true);
        let reasons: Vec<String> = six.waiting(&states).into_iter().map(|(_, reason)| reason).collect();
        let want = "at step 1: ranks 1–5 of 5 (1 more failed) at rung 1 with dev accuracy 50.0%, tied with 4 others";
        assert!(reasons[0].starts_with(want), "{reasons:?}");
        // Two in six go on, as before, and which of them is said as in the warning about ties.
        let end = format!("; only the best 2 (1 in 3) go on; {WHICH_OF_EQUALS}");
        assert!(reasons[0].ends_with(&end), "{reasons:?}");
        assert_eq!(
            six.ties(&states).iter().map(|tie| (tie.trials, tie.tied, tie.went_on)).collect::<Vec<_>>(),
            [(5, 5, 2)]
        );
    }

    /// As after the first batch of a search: what it left behind keeps its ranks, and is promoted no more.
    #[test]
    fn trials_of_an_earlier_batch_stay_pruned() {
        let (mut six, mut states) = (sweep(ASHA, 6, 1), RunStates::new(6));
        for (run, value) in [0.9, 0.5, 0.5, 0.5, 0.4, 0.95].into_iter().enumerate() {
            (six.items[run].steps, six.items[run].scores[0]) = (1, Some(Metric::Accuracy.score(value)));
        }
        (six.items[0].steps, six.items[0].scores[1]) = (9, Some(Metric::Accuracy.score(0.9)));
        states.end(0, End::Completed);
        states.end(1, End::Pruned);
        states.end(2, End::Pruned);
        assert!(six.pruned(&states).is_empty());
        assert_eq!(six.promoted, [2, 0, 0, 0, 0, 1]);
        let reasons: Vec<String> = six.waiting(&states).into_iter().map(|(_, reason)| reason).collect();
        assert!(reasons[0].starts_with("at step 1: ranks 3–5 of 6 at rung 1"), "{reasons:?}");
        assert!(reasons[0].ends_with("; only the best 2 (1 in 3) go on"), "the best two did: {reasons:?}");
        // Three have the same value, and none of them went on.
        assert_eq!(six.ties(&states), []);
    }

    /// The second best was pruned with an earlier batch, when one in three went on: the third is not in its stead, and its reason says so.
    #[test]
    fn a_reason_says_that_one_of_the_best_was_pruned_earlier() {
        let (mut six, mut states) = (sweep(ASHA, 6, 1), RunStates::new(6));
        for (run, value) in [0.9, 0.8, 0.5, 0.7, 0.4, 0.3].into_iter().enumerate() {
            (six.items[run].steps, six.items[run].scores[0]) = (1, Some(Metric::Accuracy.score(value)));
        }
        (six.items[0].steps, six.items[0].scores[1]) = (9, Some(Metric::Accuracy.score(0.9)));
        states.end(0, End::Completed);
        states.end(1, End::Pruned);
        states.end(2, End::Pruned);
        assert!(six.pruned(&states).is_empty());
        let (run, reason) = six.waiting(&states).remove(0);
        let want = "at step 1: rank 3 of 6 at rung 1 with dev accuracy 70.0%; only the best 2 (1 in 3) go on; 1 of these was pruned \
                    earlier and remains pruned";
        assert_eq!((run, reason.as_str()), (3, want));
    }

    #[test]
    fn one_that_falls_behind_is_overtaken_by_one_that_waited() {
        let values = [5.0, 9.0, 1.0, 7.0, 2.0, 3.0];
        let trained = play_all(sweep(ASHA, 6, 1), |run, _| values[run], false);
        let want = [(0, 0, 1), (1, 0, 1), (2, 0, 1), (1, 1, 3), (3, 0, 1), (4, 0, 1), (5, 0, 1), (3, 1, 3), (1, 3, 9)];
        assert_eq!(trained, want, "the last one although its rung has no third trial");
    }

    /// A command that is killed before every run and started again decides as an undisturbed one.
    #[test]
    fn decisions_depend_on_scores_alone() {
        for seeds in [1, 3] {
            for salt in 0..100 {
                let draw = |run: usize, rung: u64| crate::random::philox([salt, 1], [run as u32, rung as u32, 0, 0])[0];
                let value = |run, rung| f64::from(draw(run, rung));
                let calm = play_all(sweep(ASHA, 12, seeds), value, false);
                assert_eq!(play_all(sweep(ASHA, 12, seeds), value, true), calm);
            }
        }
    }

    #[test]
    fn seeds_of_a_trial_are_compared_by_their_mean() {
        // Trial 1 has the best run, trial 2 the best mean.
        let values = [0.0, 0.0, 9.0, 1.0, 6.0, 6.0];
        let (mut sweep, mut states) = (sweep(ASHA, 3, 2), RunStates::new(6));
        let trained = play((&mut sweep, &mut states), |run, _| values[run], false);
        let rest: Vec<_> = trained[6..].iter().map(|(run, ..)| *run).collect();
        assert_eq!(trained[..6].iter().map(|(run, ..)| *run).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert!(rest.iter().all(|run| [4, 5].contains(run)), "{trained:?}");
        assert!([4, 5].iter().all(|run| trained.iter().any(|m| (m.0, m.2) == (*run, 9))), "{trained:?}");
        let (run, reason) = sweep.waiting(&states).remove(0);
        assert!(
            reason.starts_with("at step 1: rank 3 of 3 at rung 1 with mean dev accuracy ")
                && reason.contains("% (2 seeds); "),
            "{run}: {reason}"
        );
    }

    #[test]
    fn a_diverged_run_ends_its_trial_and_no_other() {
        let (mut sweep, mut states) = (sweep(ASHA, 3, 2), RunStates::new(6));
        let first = sweep.next(&states, |_| true).expect("a run");
        states.end(first, End::DivergedBefore);
        let out = sweep.pruned(&states);
        assert_eq!(out, [(1, "another run of its trial failed".to_string())]);
        assert_eq!(sweep.next(&states, |_| true), Some(2));
        // Without a rule no other run ends: every run counts for itself.
        let (mut plain, mut states) = (self::sweep(Prune::None, 1, 2), RunStates::new(2));
        states.end(0, End::DivergedBefore);
        assert!(plain.pruned(&states).is_empty() && plain.next(&states, |_| true) == Some(1));
    }

    /// Another sweep pruned a run before the rung of this one, or at it with a score that is good enough here.
    #[test]
    fn a_run_that_was_pruned_before_ends_its_trial() {
        let (mut sweep, mut states) = (sweep(ASHA, 3, 2), RunStates::new(6));
        states.end(0, End::PrunedBefore);
        let ends = [(1, "another run of its trial was pruned".to_string())];
        assert_eq!((sweep.next(&states, |_| true), sweep.pruned(&states)), (Some(2), ends.to_vec()));
        (0..6).for_each(|run| sweep.measured(run, 1, Metric::Accuracy.score(if run < 2 { 0.9 } else { 0.5 })));
        assert_eq!((sweep.promoted[0], sweep.pruned(&states)), (0, ends.to_vec()));
    }

    /// Otherwise no trial of this sweep would be completed.
    #[test]
    fn the_best_that_is_not_pruned_goes_on_at_last() {
        let (mut sweep, mut states) = (sweep(ASHA, 2, 1), RunStates::new(2));
        (0..2).for_each(|run| sweep.measured(run, 1, Metric::Accuracy.score(if run == 0 { 0.9 } else { 0.5 })));
        states.end(0, End::PrunedBefore);
        assert!(sweep.continue_best(&states));
        assert_eq!(sweep.promoted, [0, 1]);
    }

    #[test]
    fn runs_that_are_not_allowed_to_begin_do_not_block_others() {
        let (mut sweep, states) = (sweep(ASHA, 4, 1), RunStates::new(4));
        sweep.measured(3, 1, Metric::Accuracy.score(1.0));
        sweep.promoted[3] = 1;
        assert_eq!(sweep.next(&states, |run| run == 3), Some(3));
        assert_eq!(sweep.next(&states, |_| false), None);
    }

    #[test]
    fn stored_scores_count_at_the_rungs() {
        let score = |value: f64| Metric::Accuracy.score(value);
        let stored = |scores: &[(When, u64, f64)], completed| {
            let mut sweep = sweep(ASHA, 1, 1);
            let scores: Vec<_> = scores.iter().map(|(when, step, value)| (*when, *step, score(*value))).collect();
            sweep.stored(0, 9, &scores, completed);
            sweep.items.remove(0).scores
        };
        use When::{After, During};
        let (some, none) = (|value| Some(score(value)), None);
        assert_eq!(stored(&[(During, 1, 0.1), (During, 3, 0.3), (After, 9, 0.9)], false), [some(0.1), some(0.3)]);
        assert_eq!(stored(&[(During, 1, 0.1), (During, 2, 0.2)], false), [some(0.1), none]);
        assert_eq!(stored(&[(During, 1, 0.1), (During, 2, 0.2)], true), [some(0.1), some(0.2)], "the last before it");
        assert_eq!(stored(&[(During, 2, 0.2), (After, 9, 0.9)], true), [some(0.9), some(0.2)], "none before the first");
        assert_eq!(stored(&[], true), [none, none]);
    }
}
