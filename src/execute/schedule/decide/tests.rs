//! A sweep's decisions, with fake scores.

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
        for pruning in sweep.pruned(states) {
            states.end(pruning.run, End::Pruned);
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
fn play_all(mut sweep: SweepDecisions, value: impl Fn(usize, u64) -> f64, interrupted: bool) -> Vec<(usize, u64, u64)> {
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
    let waiting: Vec<usize> = nine.waiting(&states).into_iter().map(|pruning| pruning.run).collect();
    assert_eq!(waiting, [1, 2, 3, 4, 5, 6, 7, 8], "all that is left has a reason");
    let reasons: Vec<String> = nine.waiting(&states).into_iter().map(|pruning| pruning.reason).collect();
    assert!(reasons[0].starts_with("at step 3: rank 2 of 3 at rung 2 with dev accuracy"), "{}", reasons[0]);
    let at: Vec<_> = nine.waiting(&states).into_iter().map(|pruning| pruning.at.map(|at| at.rung)).collect();
    assert_eq!(at, [2, 2, 1, 1, 1, 1, 1, 1].map(Some));
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
    let at_chance = |run: usize, step| if step > 1 || run.is_multiple_of(9) { 0.6 + run as f64 / 100.0 } else { 0.5 };
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
    let reasons: Vec<String> = six.waiting(&states).into_iter().map(|pruning| pruning.reason).collect();
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

/// Six trials with these scores at the first rung, of which the first is completed and the next two were pruned.
fn after_a_batch(scores: [f64; 6]) -> (SweepDecisions, RunStates) {
    let (mut six, mut states) = (sweep(ASHA, 6, 1), RunStates::new(6));
    for (run, value) in scores.into_iter().enumerate() {
        (six.items[run].steps, six.items[run].scores[0]) = (1, Some(Metric::Accuracy.score(value)));
    }
    (six.items[0].steps, six.items[0].scores[1]) = (9, Some(Metric::Accuracy.score(0.9)));
    states.end(0, End::Completed);
    states.end(1, End::Pruned);
    states.end(2, End::Pruned);
    (six, states)
}

/// As after the first batch of a search: what it left behind keeps its ranks, and is promoted no more.
#[test]
fn trials_of_an_earlier_batch_stay_pruned() {
    let (mut six, states) = after_a_batch([0.9, 0.5, 0.5, 0.5, 0.4, 0.95]);
    assert!(six.pruned(&states).is_empty());
    assert_eq!(six.promoted, [2, 0, 0, 0, 0, 1]);
    let reasons: Vec<String> = six.waiting(&states).into_iter().map(|pruning| pruning.reason).collect();
    assert!(reasons[0].starts_with("at step 1: ranks 3–5 of 6 at rung 1"), "{reasons:?}");
    assert!(reasons[0].ends_with("; only the best 2 (1 in 3) go on"), "the best two did: {reasons:?}");
    // Three have the same value, and none of them went on.
    assert_eq!(six.ties(&states), []);
}

/// The second best was pruned with an earlier batch, when one in three went on: the third is not in its stead, and its reason says so.
#[test]
fn a_reason_says_that_one_of_the_best_was_pruned_earlier() {
    let (mut six, states) = after_a_batch([0.9, 0.8, 0.5, 0.7, 0.4, 0.3]);
    assert!(six.pruned(&states).is_empty());
    let Pruning { run, reason, .. } = six.waiting(&states).remove(0);
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
    let Pruning { run, reason, at } = sweep.waiting(&states).remove(0);
    assert_eq!(at, Some(PrunedAt { rung: 1, rule: PrunedBy::Asha }));
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
    assert_eq!(out, [Pruning { run: 1, reason: "another run of its trial failed".into(), at: None }]);
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
    let ends = [Pruning { run: 1, reason: "another run of its trial was pruned".into(), at: None }];
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

/// No trial has an MCC at the rung, since each still predicts one label: one in three goes on all the same, and the tie is told.
#[test]
fn trials_with_undefined_scores_tie_and_one_in_three_goes_on() {
    let (mut six, mut states) = (sweep(ASHA, 6, 1), RunStates::new(6));
    let trained = play((&mut six, &mut states), |_, _| f64::NAN, false);
    let whole: Vec<usize> = trained.iter().filter(|(.., end)| *end == 9).map(|(run, ..)| *run).collect();
    assert_eq!(whole, [0], "one of the two that pass the first rung goes on at the second, as no other can");
    assert_eq!(six.ties(&states).first().map(|tie| (tie.trials, tie.tied, tie.went_on)), Some((6, 6, 2)));
    let reasons: Vec<String> = six.waiting(&states).into_iter().map(|pruning| pruning.reason).collect();
    assert!(reasons.iter().all(|reason| reason.contains("its dev accuracy is undefined")), "{reasons:?}");
    assert_eq!(reasons.len(), 5);
}
