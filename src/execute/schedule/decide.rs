//! Which run of a sweep is next: a function of the scores and the states of all of them.
//!
//! A trial goes from rung to rung. At each its runs wait until all of them are there; then the sweep's rule says whether it
//! continues. Without a rule there are no rungs, and runs are trained in the order of the plan.

use super::board::Board;
use crate::{
    event::When,
    metrics::{Metric, Score},
    plan::prune::{Prune, Verdict, last_hope, verdict},
};

/// A run as the sweep sees it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its trial.
    trial: usize,
    /// Steps at which it is decided whether its trial continues; the same number for every run.
    rungs: Vec<u64>,
    /// Its score at each rung, as far as it has got.
    scores: Vec<Option<Score>>,
    /// Steps that are stored of it.
    steps: u64,
}

impl Item {
    /// A run of a trial of which nothing is stored.
    pub fn new(trial: usize, rungs: Vec<u64>) -> Self {
        Self { trial, scores: vec![None; rungs.len()], rungs, steps: 0 }
    }

    /// Rungs that it must have been let past, to have got where it is.
    fn been(&self) -> usize {
        let past = self.rungs.iter().filter(|rung| self.steps > **rung).count();
        let at = self.scores.iter().rposition(Option::is_some).unwrap_or(0);
        past.max(at)
    }
}

/// All runs of a command, by their position in the plan.
pub(super) struct Sweep {
    prune: Prune,
    metric: Metric,
    items: Vec<Item>,
    /// Items of each trial.
    trials: Vec<Vec<usize>>,
    /// How many rungs each trial has been let past: never taken back.
    granted: Vec<usize>,
}

impl Sweep {
    /// Of these runs.
    pub fn new(prune: Prune, metric: Metric, items: Vec<Item>) -> Self {
        let trials = items.iter().map(|item| item.trial + 1).max().unwrap_or(0);
        let mut members = vec![Vec::new(); trials];
        for (run, item) in items.iter().enumerate() {
            members[item.trial].push(run);
        }
        let mut sweep = Self { prune, metric, items, trials: members, granted: vec![0; trials] };
        if let Prune::Median { startup_trials } = prune {
            // These run whole whatever they come to: nothing to wait for.
            (0..trials).take_while(|trial| (*trial as u64) < startup_trials).for_each(|trial| sweep.let_past(trial));
        }
        sweep
    }

    /// The open run that is next, of those that are allowed: of the trial that has got furthest, else the first of the
    /// plan.
    pub fn next(&mut self, board: &Board, allowed: impl Fn(usize) -> bool) -> Option<usize> {
        self.grant(board);
        let open = |&i: &usize| board.is_open(i) && self.may_run(board, i) && allowed(i);
        let candidates = (0..self.items.len()).filter(open);
        candidates.min_by_key(|&i| (std::cmp::Reverse(self.granted[self.items[i].trial]), i))
    }

    /// Whether a run that is at the rung of `step` continues at once.
    pub fn goes_on(&mut self, board: &Board, run: usize, step: u64) -> bool {
        self.grant(board);
        let item = &self.items[run];
        // The first rung beyond what it was let past is where it stops; that may be one further on than where it asks.
        item.rungs.get(self.granted[item.trial]).is_none_or(|&rung| rung > step)
    }

    /// Takes the score of an evaluation after `step`, where that is a rung.
    pub fn measured(&mut self, run: usize, step: u64, score: Score) {
        let item = &mut self.items[run];
        for (rung, _) in item.rungs.iter().enumerate().filter(|(_, at)| **at == step) {
            item.scores[rung] = Some(score);
        }
    }

    /// Takes what is stored of a run: its steps, and its scores by when and at which step they were measured. One that is
    /// completed, and was evaluated at other steps or stopped early, is known by its last evaluation before each rung.
    pub fn stored(&mut self, run: usize, steps: u64, scores: &[(When, u64, Score)], completed: bool) {
        self.items[run].steps = steps;
        for (_, step, score) in scores.iter().filter(|(when, ..)| *when == When::During) {
            self.measured(run, *step, *score);
        }
        if completed {
            let item = &mut self.items[run];
            for (rung, at_rung) in item.rungs.iter().zip(&mut item.scores).filter(|(_, score)| score.is_none()) {
                let before = scores.iter().rfind(|(when, step, _)| *when == When::During && step <= rung);
                *at_rung = before.or(scores.last()).map(|(.., score)| *score);
            }
        }
    }

    /// The rungs of a run.
    pub fn rungs(&self, run: usize) -> &[u64] {
        &self.items[run].rungs
    }

    /// Open runs whose trials are out, with the reason.
    pub fn out(&mut self, board: &Board) -> Vec<(usize, String)> {
        self.grant(board);
        self.decided(board, |verdict| match verdict {
            Verdict::Out(reason) => Some(reason),
            _ => None,
        })
    }

    /// Open runs that wait for better or for worse, when nothing more will come: with the reason that ends them.
    pub fn waiting(&mut self, board: &Board) -> Vec<(usize, String)> {
        self.decided(board, |verdict| match verdict {
            Verdict::Out(reason) | Verdict::Wait(reason) => Some(reason),
            Verdict::GoOn => None,
        })
    }

    /// With ASHA, the rungs (from 0) at which all trials that came there have the same score, each with the number of these trials: it
    /// promoted them by their order alone. Where all of them are past the rung, nothing was to be decided.
    pub fn undecided(&self, board: &Board) -> Vec<(usize, usize)> {
        let Prune::Asha { .. } = self.prune else { return Vec::new() };
        let scores = self.scores(board);
        let rungs = 0..scores.iter().map(Vec::len).max().unwrap_or(0);
        let tied = |rung: usize| {
            let known: Vec<Score> =
                scores.iter().filter_map(|trial| trial.get(rung).copied().flatten()).map(Score::or_worst).collect();
            let equal = known.len() > 1 && known[0] > Score::WORST && known.iter().all(|score| *score == known[0]);
            let held =
                |trial: usize| scores[trial].get(rung).is_some_and(Option::is_some) && self.granted[trial] <= rung;
            (equal && (0..scores.len()).any(held)).then_some((rung, known.len()))
        };
        rungs.filter_map(tied).collect()
    }

    /// Lets a trial run whole.
    pub fn let_past(&mut self, trial: usize) {
        self.granted[trial] = self.trials[trial].first().map_or(0, |&i| self.items[i].rungs.len());
    }

    /// When every trial waits or has ended: lets past its rung the one that goes on for want of others. Tells whether there is
    /// one.
    pub fn hope(&mut self, board: &Board) -> bool {
        let open = |trial: &usize| self.trials[*trial].iter().any(|&i| board.is_open(i));
        let Some(trial) = last_hope(&self.prune, self.metric, &self.scores(board)).filter(open) else { return false };
        self.granted[trial] += 1;
        true
    }

    fn decided(&self, board: &Board, reason: impl Fn(Verdict) -> Option<String>) -> Vec<(usize, String)> {
        let scores = self.scores(board);
        let mut ended = Vec::new();
        for (trial, members) in self.trials.iter().enumerate() {
            let Some(reason) = self.verdict(board, trial, &scores).and_then(&reason) else { continue };
            let open = members.iter().filter(|&&i| board.is_open(i));
            ended.extend(open.map(|&i| (i, reason.clone())));
        }
        ended
    }

    /// Lets trials past the rungs that the rule lets them past.
    fn grant(&mut self, board: &Board) {
        let scores = self.scores(board);
        for trial in 0..self.trials.len() {
            // A run that is further on was let past by an earlier command, whatever the rule would say of it by now.
            let been = self.trials[trial].iter().map(|&i| self.items[i].been()).max().unwrap_or(0);
            self.granted[trial] = self.granted[trial].max(been);
            while self.verdict(board, trial, &scores) == Some(Verdict::GoOn) {
                self.granted[trial] += 1;
            }
        }
    }

    /// What the rule says of a trial at the rung it has been let to; none where it is not there yet, or past the last.
    fn verdict(&self, board: &Board, trial: usize, scores: &[Vec<Option<Score>>]) -> Option<Verdict> {
        let rung = self.granted[trial];
        if rung == scores[trial].len() {
            return None;
        }
        if self.trials[trial].iter().any(|&i| board.has_diverged(i)) {
            return Some(Verdict::Out("another run of its trial failed".into()));
        }
        scores[trial][rung]?;
        let step = self.items[*self.trials[trial].first()?].rungs[rung];
        // Each trial may reach a rung at another step: runs of larger batches have fewer of them.
        let at = |reason: String| format!("at step {step}: {reason}");
        Some(match verdict(&self.prune, self.metric, scores, (trial, self.trials[trial].len()), rung) {
            Verdict::GoOn => Verdict::GoOn,
            Verdict::Wait(reason) => Verdict::Wait(at(reason)),
            Verdict::Out(reason) => Verdict::Out(at(reason)),
        })
    }

    /// The score of each trial at each of its rungs.
    fn scores(&self, board: &Board) -> Vec<Vec<Option<Score>>> {
        let rungs = |trial: usize| self.trials[trial].first().map_or(0, |&i| self.items[i].rungs.len());
        (0..self.trials.len()).map(|t| (0..rungs(t)).map(|r| self.score(board, t, r)).collect()).collect()
    }

    /// Mean score of a trial's runs at a rung, once all of them are there; the worst where one failed.
    fn score(&self, board: &Board, trial: usize, rung: usize) -> Option<Score> {
        let members = &self.trials[trial];
        if members.iter().any(|&i| board.has_diverged(i)) {
            return Some(Score::WORST);
        }
        let scores: Option<Vec<Score>> =
            members.iter().map(|&i| self.items[i].scores.get(rung).copied().flatten()).collect();
        Score::mean(scores?)
    }

    /// Whether a run has something to do before the rung its trial is let to.
    fn may_run(&self, board: &Board, run: usize) -> bool {
        let item = &self.items[run];
        item.scores.get(self.granted[item.trial]).is_none_or(Option::is_none)
            && !(self.granted[item.trial] < item.rungs.len()
                && self.trials[item.trial].iter().any(|&i| board.has_diverged(i)))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::board::{End, Then},
        *,
    };

    const ASHA: Prune = Prune::Asha { reduction_factor: 3, rungs: 2 };

    /// `trials` trials of `seeds` runs of 9 steps, with rungs at 1 and 3.
    fn sweep(prune: Prune, trials: usize, seeds: usize) -> Sweep {
        let rungs = if prune == Prune::None { Vec::new() } else { vec![1, 3] };
        let item = |trial| Item::new(trial, rungs.clone());
        Sweep::new(prune, Metric::Accuracy, (0..trials * seeds).map(|i| item(i / seeds)).collect())
    }

    /// What a command with one worker does, run by run: (run, the step that it begins at, the step that it gets to). The
    /// value of a run is what `value` says; `interrupted` forgets everything but scores and steps before each run.
    fn play(
        (sweep, board): (&mut Sweep, &mut Board),
        value: impl Fn(usize, u64) -> f64,
        interrupted: bool,
    ) -> Vec<(usize, u64, u64)> {
        let mut made = Vec::new();
        let mut at = vec![0; sweep.items.len()];
        loop {
            if interrupted {
                sweep.granted.iter_mut().for_each(|granted| *granted = 0);
            }
            for (place, _) in sweep.out(board) {
                board.end(place, End::Pruned);
            }
            let Some(place) = sweep.next(board, |_| true) else {
                if sweep.hope(board) {
                    continue;
                }
                return made;
            };
            board.begin(place, 0);
            let from = at[place];
            let mut end = 9;
            for rung in sweep.items[place].rungs.clone().into_iter().filter(|rung| *rung > from) {
                sweep.measured(place, rung, Metric::Accuracy.score(value(place, rung)));
                if !sweep.goes_on(board, place, rung) {
                    end = rung;
                    break;
                }
            }
            at[place] = end;
            if interrupted {
                sweep.items[place].steps = end;
            }
            board.close(place, if end == 9 { Then::Ended(End::Completed) } else { Then::Paused { step: end } });
            board.leave_slot(place);
            made.push((place, from, end));
        }
    }

    /// The same of a sweep that has just been planned.
    fn play_all(mut sweep: Sweep, value: impl Fn(usize, u64) -> f64, interrupted: bool) -> Vec<(usize, u64, u64)> {
        let mut board = Board::new(sweep.items.len());
        play((&mut sweep, &mut board), value, interrupted)
    }

    #[test]
    fn without_a_rule_runs_are_made_whole_and_in_order() {
        let made = play_all(sweep(Prune::None, 2, 2), |_, _| 0.0, false);
        assert_eq!(made, [(0, 0, 9), (1, 0, 9), (2, 0, 9), (3, 0, 9)]);
    }

    #[test]
    fn asha_lets_the_best_third_past_each_rung() {
        let (mut nine, mut board) = (sweep(ASHA, 9, 1), Board::new(9));
        let made = play((&mut nine, &mut board), |place, _| -(place as f64), false);
        // The first is the best: at every third of the others one more may go on, and does so before anything new begins.
        let want = [
            [(0, 0, 1), (1, 0, 1), (2, 0, 1), (0, 1, 3)],
            [(3, 0, 1), (4, 0, 1), (5, 0, 1), (1, 1, 3)],
            [(6, 0, 1), (7, 0, 1), (8, 0, 1), (2, 1, 3)],
        ];
        assert_eq!(made, [&want.concat()[..], &[(0, 3, 9)]].concat());
        let waiting: Vec<usize> = nine.waiting(&board).into_iter().map(|(place, _)| place).collect();
        assert_eq!(waiting, [1, 2, 3, 4, 5, 6, 7, 8], "what is left when nothing more comes is told why");
        let reasons: Vec<String> = nine.waiting(&board).into_iter().map(|(_, reason)| reason).collect();
        assert!(reasons[0].starts_with("at step 3: rank 2 of 3 at rung 2 with dev accuracy"), "{}", reasons[0]);
        assert!(reasons[7].starts_with("at step 1: rank 9 of 9 at rung 1 with dev accuracy"), "{}", reasons[7]);
        let steps: u64 = made.iter().map(|(_, from, end)| end - from).sum();
        assert_eq!(steps, 21, "of 81");
    }

    #[test]
    fn a_rung_where_all_are_equal_has_decided_nothing() {
        let played = |prune, trials, value: fn(usize, u64) -> f64| {
            let (mut sweep, mut board) = (sweep(prune, trials, 1), Board::new(trials));
            play((&mut sweep, &mut board), value, false);
            sweep.undecided(&board)
        };
        // At the second rung the three that were promoted differ.
        assert_eq!(played(ASHA, 9, |place, step| if step == 1 { 0.5 } else { place as f64 }), [(0, 9)]);
        assert_eq!(played(ASHA, 9, |_, _| 0.5), [(0, 9), (1, 3)]);
        assert_eq!(played(ASHA, 9, |place, _| if place == 8 { 0.6 } else { 0.5 }), []);
        assert_eq!(played(ASHA, 1, |_, _| 0.5), [], "one alone is compared with none");
        // All were trained to their end without a rule.
        let (mut whole, mut board) = (sweep(ASHA, 9, 1), Board::new(9));
        for (run, item) in whole.items.iter_mut().enumerate() {
            (item.steps, item.scores) = (9, vec![Some(Metric::Accuracy.score(0.5)); 2]);
            board.end(run, End::AlreadyDone);
        }
        assert_eq!((whole.next(&board, |_| true), whole.undecided(&board)), (None, Vec::new()));
        assert_eq!(played(Prune::Median { startup_trials: 1 }, 9, |_, _| 0.5), [], "none is pruned there");
    }

    #[test]
    fn one_that_falls_behind_is_overtaken_by_one_that_waited() {
        let values = [5.0, 9.0, 1.0, 7.0, 2.0, 3.0];
        let made = play_all(sweep(ASHA, 6, 1), |place, _| values[place], false);
        let want = [(0, 0, 1), (1, 0, 1), (2, 0, 1), (1, 1, 3), (3, 0, 1), (4, 0, 1), (5, 0, 1), (3, 1, 3), (1, 3, 9)];
        assert_eq!(made, want, "the last for want of a third at its rung");
    }

    /// A command that is killed before every run and begun again decides as one that is not.
    #[test]
    fn decisions_depend_on_scores_alone() {
        for seeds in [1, 3] {
            for salt in 0..100 {
                let draw =
                    |place: usize, rung: u64| crate::random::philox([salt, 1], [place as u32, rung as u32, 0, 0])[0];
                let value = |place, rung| f64::from(draw(place, rung));
                let calm = play_all(sweep(ASHA, 12, seeds), value, false);
                assert_eq!(play_all(sweep(ASHA, 12, seeds), value, true), calm);
            }
        }
    }

    #[test]
    fn seeds_of_a_trial_are_compared_by_their_mean() {
        // Trial 1 has the best run, trial 2 the best mean.
        let values = [0.0, 0.0, 9.0, 1.0, 6.0, 6.0];
        let (mut sweep, mut board) = (sweep(ASHA, 3, 2), Board::new(6));
        let made = play((&mut sweep, &mut board), |place, _| values[place], false);
        let rest: Vec<_> = made[6..].iter().map(|(place, ..)| *place).collect();
        assert_eq!(made[..6].iter().map(|(place, ..)| *place).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert!(rest.iter().all(|place| [4, 5].contains(place)), "{made:?}");
        assert!([4, 5].iter().all(|place| made.iter().any(|m| (m.0, m.2) == (*place, 9))), "{made:?}");
        let (place, reason) = sweep.waiting(&board).remove(0);
        assert!(
            reason.starts_with("at step 1: rank 3 of 3 at rung 1 with mean dev accuracy of 2 seeds "),
            "{place}: {reason}"
        );
    }

    #[test]
    fn a_failed_run_takes_its_trial_with_it_and_no_other() {
        let (mut sweep, mut board) = (sweep(ASHA, 3, 2), Board::new(6));
        let first = sweep.next(&board, |_| true).expect("a run");
        board.end(first, End::DivergedBefore);
        let out = sweep.out(&board);
        assert_eq!(out, [(1, "another run of its trial failed".to_string())]);
        assert_eq!(sweep.next(&board, |_| true), Some(2));
        // Without a rule nothing is taken: every run counts for itself.
        let (mut plain, mut board) = (self::sweep(Prune::None, 1, 2), Board::new(2));
        board.end(0, End::DivergedBefore);
        assert!(plain.out(&board).is_empty() && plain.next(&board, |_| true) == Some(1));
    }

    #[test]
    fn what_may_not_begin_does_not_keep_others_from_going_on() {
        let (mut sweep, board) = (sweep(ASHA, 4, 1), Board::new(4));
        sweep.measured(3, 1, Metric::Accuracy.score(1.0));
        sweep.granted[3] = 1;
        assert_eq!(sweep.next(&board, |place| place == 3), Some(3));
        assert_eq!(sweep.next(&board, |_| false), None);
    }

    #[test]
    fn what_is_stored_of_a_run_is_known_at_its_rungs() {
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
