//! Decides which run of a sweep is next and which trials continue: a function of the scores and the states of all runs.
//!
//! The runs of a trial wait at each rung until all of them have reached it; then the pruning rule decides whether the trial continues. Without
//! a rule there are no rungs, and runs are trained in the order of the plan.

use super::run_states::RunStates;
use crate::{
    event::{PrunedAt, PrunedBy, When},
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

/// An open run that its sweep ends.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pruning {
    /// Its index in the plan.
    pub run: usize,
    /// The reason, in one sentence.
    pub reason: String,
    /// The comparison at a rung; `None` if it ends because another run of its trial did.
    pub at: Option<PrunedAt>,
}

/// What is decided about a trial.
struct Decision {
    verdict: Verdict,
    /// The comparison at a rung that it comes from.
    at: Option<PrunedAt>,
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
        if let Some(startup_trials) = sweep.prune.startup_trials() {
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

    /// Open runs whose trials are pruned.
    pub fn pruned(&mut self, states: &RunStates) -> Vec<Pruning> {
        self.promote(states);
        self.decided(states, |verdict| match verdict {
            Verdict::End(reason) => Some(reason),
            _ => None,
        })
    }

    /// Open runs whose trials are pruned or wait, as they end when no more scores follow.
    pub fn waiting(&mut self, states: &RunStates) -> Vec<Pruning> {
        self.decided(states, |verdict| match verdict {
            Verdict::End(reason) | Verdict::Wait(reason) => Some(reason),
            Verdict::Continue => None,
        })
    }

    /// With ASHA, the rungs at which trials of the same score were told apart by something else: some of them were promoted and others
    /// were not. Of several such scores at a rung, the one that most trials have.
    pub fn ties(&self, states: &RunStates) -> Vec<Tie> {
        if self.prune.promotion().is_none() {
            return Vec::new();
        }
        let scores = self.scores(states);
        let rungs = 0..scores.iter().map(Vec::len).max().unwrap_or(0);
        let at = |rung: usize| {
            let score_of = |trial: usize| scores[trial].get(rung).copied().flatten();
            // What failed has no score of its own; undefined scores are equal.
            let known: Vec<(usize, Score)> = (0..scores.len())
                .filter_map(|trial| Some((trial, score_of(trial)?)))
                .filter(|(_, score)| *score != Score::WORST)
                .collect();
            let compared = known.len();
            let same = |a: Score, b: Score| a == b || a.is_undefined() && b.is_undefined();
            let group = |score: Score| {
                let tied: Vec<usize> =
                    known.iter().filter(|(_, other)| same(*other, score)).map(|(trial, _)| *trial).collect();
                let went_on = tied.iter().filter(|trial| self.promoted[**trial] > rung).count();
                Tie { rung, trials: compared, tied: tied.len(), went_on, score }
            };
            let groups = known.iter().map(|(_, score)| group(*score));
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

    fn decided(&self, states: &RunStates, reason: impl Fn(Verdict) -> Option<String>) -> Vec<Pruning> {
        let scores = self.scores(states);
        let mut ended = Vec::new();
        for (trial, members) in self.trials.iter().enumerate() {
            let Some(Decision { verdict, at: compared }) = self.verdict(states, trial, &scores) else { continue };
            // A failure is a reason of its own.
            let ranked = matches!(verdict, Verdict::Wait(_));
            let Some(mut reason) = reason(verdict) else { continue };
            if let Some(rung) = self.next_rung(trial).filter(|_| ranked) {
                let at = (trial, rung);
                reason += &besides_ranks(&self.prune, &scores, at, |other| self.fate(states, other, at.1));
            }
            let open = members.iter().filter(|&&i| states.is_open(i));
            ended.extend(open.map(|&run| Pruning { run, reason: reason.clone(), at: compared }));
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
                if self.verdict(states, trial, &scores).is_none_or(|decision| decision.verdict != Verdict::Continue) {
                    break;
                }
                self.promoted[trial] = rung + 1;
            }
        }
    }

    /// The decision about a trial at its next rung; `None` if its runs are not there yet, or if it has passed the last.
    fn verdict(&self, states: &RunStates, trial: usize, scores: &[Vec<Option<Score>>]) -> Option<Decision> {
        let rung = self.next_rung(trial)?;
        let with_another = |reason: &str| Some(Decision { verdict: Verdict::End(reason.into()), at: None });
        if self.trials[trial].iter().any(|&i| states.has_diverged(i)) {
            return with_another("another run of its trial failed");
        }
        // Where only some of its runs were pruned, by another sweep or before a command was killed, the others have nothing to wait for.
        let was_pruned = || with_another("another run of its trial was pruned");
        if scores[trial][rung].is_none() {
            return if self.was_pruned(states, trial) { was_pruned() } else { None };
        }
        let step = self.items[*self.trials[trial].first()?].step_of(rung)?;
        // The step of a rung can differ between trials: runs with larger batches have fewer steps.
        let at = |reason: String| format!("at step {}: {reason}", count(step));
        let verdict = match verdict(&self.prune, self.metric, scores, (trial, self.trials[trial].len()), rung) {
            Verdict::Continue if self.was_pruned(states, trial) => return was_pruned(),
            Verdict::Continue => Verdict::Continue,
            Verdict::Wait(reason) => Verdict::Wait(at(reason)),
            Verdict::End(reason) => Verdict::End(at(reason)),
        };
        Some(Decision { verdict, at: self.rule().map(|rule| PrunedAt { rung: rung as u64 + 1, rule }) })
    }

    /// The rule that compares trials at rungs.
    fn rule(&self) -> Option<PrunedBy> {
        match self.prune {
            Prune::None => None,
            Prune::Median { .. } => Some(PrunedBy::Median),
            Prune::Asha { .. } => Some(PrunedBy::Asha),
        }
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
mod tests;
