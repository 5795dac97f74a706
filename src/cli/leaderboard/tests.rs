//! Tests of the printed leaderboard.

use super::*;
use taper::{event::FailureKind, report};

fn trial(name: &str, state: RunState) -> Trial {
    let mean = Mean {
        n: 3,
        mean: 0.9,
        sd: Some(0.01),
        low: Some(0.85),
        high: Some(0.95),
        range: (0.89, 0.91),
        rows: Some((0.864, 0.96)),
    };
    let completed = if state == RunState::Completed { 3 } else { 0 };
    Trial {
        rank: None,
        name: name.into(),
        is_all: None,
        runs: ["a", "b", "c"].map(String::from).into(),
        missing: 0,
        completed,
        state,
        failure: None,
        message: None,
        value: Some(mean),
        loss: None,
        is_final: completed > 0,
        step: Some((12, 36)),
        last_step: Some(12),
        steps: 12,
        best_run: None,
        equal_best: (1, 1),
        test: report::Tested { metric: Metric::Accuracy, mean: (completed > 0).then_some(mean) },
        test_of_rank: None,
        out_of_fold: None,
        replicate: "seed",
        is_best_so_far: true,
        measured: completed,
        undefined: Vec::new(),
        warned: 0,
    }
}

fn board(trials: Vec<Trial>) -> Leaderboard {
    Leaderboard {
        planned: trials.len(),
        experiment: "e".into(),
        split: Split::Dev,
        metric: Metric::Accuracy,
        test_metric: Metric::Accuracy,
        trials,
        progress: report::Progress::default(),
        missing: None,
    }
}

fn at(board: &Leaderboard, positions: &[usize], width: usize) -> (Vec<String>, Detail) {
    let shown: Vec<&Trial> = positions.iter().map(|&i| &board.trials[i]).collect();
    let (columns, layout) = arranged(board, &shown, positions, Some(width));
    (columns.keys, layout.detail)
}

/// Of two metrics on test rows the one that does not rank is left out first.
#[test]
fn the_metric_that_ranks_is_shown_on_test_rows_too() {
    let names = ["lr=1e-3", "lr=3e-4"];
    let mut board = board(names.map(|name| trial(name, RunState::Completed)).into());
    board.metric = Metric::AveragePrecision;
    for trial in &mut board.trials {
        trial.test_of_rank = Some(report::Tested { metric: Metric::AveragePrecision, mean: trial.value });
    }
    let shown: Vec<&Trial> = board.trials.iter().collect();
    let headings = |width| arranged(&board, &shown, &[0, 1], Some(width)).1.header();
    assert_eq!(headings(200), ["seeds", "dev average precision", "test average precision", "test accuracy", "state"]);
    assert_eq!(headings(60), ["seeds", "dev AP", "test AP", "test acc", "state"]);
    assert_eq!(headings(40), ["seeds", "dev AP", "test AP", "state"]);
    assert_eq!(headings(20), ["seeds", "dev AP", "state"]);
    let cells = arranged(&board, &shown, &[0, 1], Some(60)).1.row(shown[0]);
    assert_eq!(cells, ["3", "0.9000", "0.9000", "90.0%", "completed"]);
}

#[test]
fn a_key_that_is_swept_has_its_column_also_where_the_trials_shown_share_its_value() {
    let names = ["dropout=0 lr=1e-3", "dropout=0 lr=3e-4", "dropout=0.4 lr=1e-3", "dropout=0.4 lr=3e-4"];
    let board = board(names.map(|name| trial(name, RunState::Completed)).into());
    for positions in [&[0, 1][..], &[0], &[2, 3], &[0, 1, 2, 3]] {
        assert_eq!(at(&board, positions, 120).0, ["dropout", "lr"], "{positions:?}");
    }
}

#[test]
fn a_tie_for_the_first_rank_is_said_and_what_decided_it() {
    let ranked = |losses: &[f64], best: usize| {
        let of = |(i, loss): (usize, &f64)| {
            let mut trial = Trial { rank: Some(i + 1), loss: Some(*loss), ..trial("lr=1", RunState::Completed) };
            trial.value.iter_mut().filter(|_| i >= best).for_each(|value| value.mean = 0.5);
            trial
        };
        tie(&board(losses.iter().enumerate().map(of).collect()))
    };
    let by =
        |n: usize, why: &str| Some(format!("{n} trials share the best dev accuracy: they are ranked by their {why}"));
    assert_eq!(ranked(&[0.1, 0.2, 0.3, 0.4], 3), by(3, "dev loss"));
    assert_eq!(ranked(&[0.2, 0.2, 0.3], 2), by(2, "order in the plan"));
    // Only the losses of the first two are equal: the third is behind them by its loss.
    let part = by(3, "dev loss, which is the same for 2, and then by their order in the plan");
    assert_eq!(ranked(&[0.2, 0.2, 0.3, 0.4], 3), part);
    assert_eq!(ranked(&[0.1, 0.2], 1), None);
    assert_eq!(ranked(&[0.1], 1), None);
    // A trial without a rank is no rival.
    assert_eq!(tie(&board(vec![trial("a", RunState::Running), trial("b", RunState::Running)])), None);
}

#[test]
fn a_best_run_among_equals_is_announced() {
    let said = |equal_best| {
        let best = Trial { best_run: Some("a".repeat(64)), equal_best, ..trial("lr=1", RunState::Completed) };
        best_run(&board(Vec::new()), &best).unwrap_or_default()
    };
    let begin = "best run: aaaaaaaaaaaa (by dev accuracy, of 3 seeds";
    assert_eq!(said((1, 1)), format!("{begin})"));
    assert_eq!(said((2, 2)), format!("{begin}; the first of 2 tied runs)"));
    assert_eq!(said((2, 1)), format!("{begin}; among 2 tied runs, the one with the lowest dev loss)"));
    assert_eq!(said((3, 2)), format!("{begin}; among 3 tied runs, the first of the 2 with the lowest dev loss)"));
}

#[test]
fn a_short_state_has_its_step_in_every_row() {
    let said = |value: Option<Mean>, steps| {
        let of = trial("lr=1", RunState::Pruned);
        let value = value.and(of.value);
        let step = value.and(of.step).or(Some((0, 36)));
        let last_step = value.and(of.last_step).or(Some(0));
        let pruned = Trial { value, step, last_step, steps, ..of };
        [Detail::Full, Detail::Short].map(|detail| state(&pruned, detail).replace('\u{a0}', " "))
    };
    let some = trial("lr=1", RunState::Pruned).value;
    assert_eq!(said(some, 12), ["pruned at step 12 of 36", "pruned @12"], "though the value is shown as 90.0% @12*");
    assert_eq!(said(some, 24), ["pruned at step 24 of 36", "pruned @24"]);
    assert_eq!(said(None, 24), ["pruned at step 24 of 36", "pruned @24"]);
}

#[test]
fn the_kind_of_a_failure_is_said_at_every_width() {
    let failure = |failure| Trial { failure, ..trial("lr=1", RunState::Failed) };
    let said = |trial: &Trial| [Detail::Full, Detail::Short, Detail::Least].map(|detail| state(trial, detail));
    assert_eq!(said(&failure(Some(FailureKind::Diverged))), ["failed (diverged)"; 3]);
    assert_eq!(said(&failure(None)), ["failed"; 3], "the kinds of its seeds differ");
    // It has room for all columns as long as its longest word has.
    let names = ["batch_size=8 dropout=0.1 lr=3e-4", "batch_size=16 dropout=0 lr=1e-3"];
    let trials = names.map(|name| Trial { name: name.into(), ..failure(Some(FailureKind::Diverged)) });
    let three = ["batch_size", "dropout", "lr"].map(String::from).to_vec();
    assert_eq!(at(&board(trials.into()), &[0, 1], 58), (three, Detail::Intervals));
}

#[test]
fn a_trial_that_only_lacks_removed_runs_has_no_record() {
    let some = Trial { missing: 1, completed: 3, ..trial("lr=1", RunState::Pending) };
    assert_eq!(state(&some, Detail::Short), "no record");
    assert_eq!(state(&Trial { completed: 2, ..some.clone() }, Detail::Short), "pending", "one is to be trained");
    assert_eq!(state(&Trial { missing: 0, completed: 0, ..some }, Detail::Short), "pending");
}

#[test]
fn the_seeds_of_a_trial_are_those_that_are_completed() {
    let seeds = |state, completed| of_seeds(&Trial { completed, ..trial("lr=1e-3", state) });
    assert_eq!(seeds(RunState::Completed, 3), "3");
    assert_eq!(seeds(RunState::Pending, 2), "2/3 done");
    // Their values are of evaluations during training, or there are none.
    let states = [RunState::Interrupted, RunState::Pruned, RunState::Pending, RunState::Failed, RunState::Running];
    assert!(states.iter().all(|state| seeds(*state, 0) == "0/3 done"));
}

#[test]
fn every_trial_has_one_line_before_intervals_are_shown() {
    let names = ["batch_size=8 dropout=0.1 lr=3e-4", "batch_size=16 dropout=0 lr=1e-3"];
    let three = ["batch_size", "dropout", "lr"].map(String::from);
    let done = board(names.map(|name| trial(name, RunState::Completed)).into());
    assert_eq!(at(&done, &[0, 1], 120), (three.to_vec(), Detail::Full));
    assert_eq!(at(&done, &[0, 1], 77), (three.to_vec(), Detail::Full));
    assert_eq!(at(&done, &[0, 1], 76), (three.to_vec(), Detail::Short));
    assert_eq!(at(&done, &[0, 1], 50).0, ["trial"]);
    // A long state takes a word before the intervals go.
    let stopped = board(names.map(|name| trial(name, RunState::Pruned)).into());
    assert_eq!(at(&stopped, &[0, 1], 80), (three.to_vec(), Detail::Full));
    assert_eq!(at(&stopped, &[0, 1], 65), (three.to_vec(), Detail::Intervals));
    assert_eq!(at(&stopped, &[0, 1], 48).0, ["trial"], "no room for a line each");
}
