//! Events of several runs in, lines and tables out.

use super::*;
use crate::{
    event::FailureKind,
    store::testing::{eval, step},
};

fn run(i: usize) -> RunInfo {
    RunInfo { key: format!("k{i}"), name: format!("lr={i}e-5"), log_steps: 1, position: (i, 12) }
}

fn planned(i: usize, state: RunState) -> PlannedInfo {
    let RunInfo { key, name, .. } = run(i);
    PlannedInfo { key, name, trial: i, state, total_steps: 10, step: 0, metric: Metric::Accuracy }
}

fn started() -> Event {
    Event::RunStarted {
        total_steps: 10,
        steps_per_epoch: 10,
        resumed_from: None,
        rows: (8, 4, 4),
        parameters: 9,
        train_labels: Vec::new(),
    }
}

fn failed() -> Event {
    Event::RunFinished(Outcome::Failed { kind: FailureKind::Crashed, message: "signal 9".into() })
}

/// Tells the events of run `i` at a time, and gives back the texts of the lines.
fn tell(sweep: &mut Sweep, i: usize, now_s: f64, events: &[Event]) -> Vec<String> {
    events.iter().flat_map(|event| sweep.tell(&run(i), event, now_s)).map(|line| line.text).collect()
}

#[test]
fn the_whole_is_counted_and_timed() {
    let mut sweep = Sweep::default();
    let states = [RunState::Completed, RunState::Failed, RunState::Pruned];
    let state = |i: usize| states.get(i - 1).copied().unwrap_or(RunState::Pending);
    sweep.planned(&[1, 2, 3, 4, 5, 6].map(|i| planned(i, state(i))), 2);
    assert_eq!(sweep.summary(0.0), "1 of 8 done, 1 failed, 1 pruned, 5 left");
    tell(&mut sweep, 4, 100.0, &[started()]);
    (1..=5).for_each(|i| _ = tell(&mut sweep, 4, 110.0, &[step(i, 0.5)]));
    // Two seconds a step; left are 5 steps of run 4, 20 of runs 5 and 6, and 20 of those still to be proposed.
    assert_eq!(sweep.summary(110.0), "1 of 12 done, 1 failed, 1 pruned, 9 left  eta 2m50s");
}

#[test]
fn time_left_counts_what_was_proposed_and_what_will_be() {
    let mut sweep = Sweep::default();
    sweep.planned(&[planned(1, RunState::Pending), planned(2, RunState::Completed)], 1);
    let one = RunInfo { position: (1, 3), ..run(1) };
    sweep.tell(&one, &started(), 0.0);
    (1..=4).for_each(|i| _ = sweep.tell(&one, &step(i, 0.5), 4.0));
    assert_eq!(sweep.summary(0.5), "1 of 3 done, 2 left", "no speed from half a second");
    // One second a step: 6 of the first, 10 of the one to come.
    assert_eq!(sweep.summary(4.0), "1 of 3 done, 2 left  eta 16s");
    sweep.tell(&one, &Event::RunFinished(Outcome::Pruned { reason: "late".into() }), 4.0);
    assert_eq!(sweep.summary(4.0), "1 of 3 done, 1 pruned, 1 left  eta 10s");
    // The search proposed the last one.
    sweep.planned(&[planned(3, RunState::Pending)], 0);
    assert_eq!(sweep.summary(4.0), "1 of 3 done, 1 pruned, 1 left  eta 10s");
}

#[test]
fn runs_may_come_mixed_wait_and_begin_again() {
    let mut sweep = Sweep::default();
    for i in [1, 2] {
        tell(&mut sweep, i, 0.0, &[started(), step(1, i as f64)]);
    }
    tell(&mut sweep, 1, 1.0, &[step(2, 1.0), Event::RunFinished(Outcome::Paused { step: 2 })]);
    tell(&mut sweep, 2, 1.0, &[failed()]);
    let board = sweep.board(1.0, 5);
    let seen: Vec<_> =
        board.others.iter().map(|r| (r.name.as_str(), r.standing, r.step, r.reason.as_deref())).collect();
    let failed = ("lr=2e-5", Standing::Failed, 1, Some("signal 9"));
    assert_eq!(seen, [failed, ("lr=1e-5", Standing::Waiting, 2, None)]);
    assert!(board.active.is_empty() && board.summary.starts_with("0 of 12 done, 1 failed, 11 left, 1 waiting"));
    // Another attempt takes the failure back, and a run goes on.
    let resumed = Event::RunStarted {
        total_steps: 10,
        steps_per_epoch: 10,
        resumed_from: Some(2),
        rows: (8, 4, 4),
        parameters: 9,
        train_labels: Vec::new(),
    };
    tell(&mut sweep, 1, 2.0, &[resumed]);
    tell(&mut sweep, 2, 2.0, &[started()]);
    let board = sweep.board(2.0, 5);
    let seen: Vec<_> = board.active.iter().map(|r| (r.name.as_str(), r.step, r.reason.as_deref())).collect();
    assert_eq!(seen, [("lr=1e-5", 2, None), ("lr=2e-5", 0, None)]);
    assert!(board.others.is_empty() && board.summary.starts_with("0 of 12 done, 12 left"), "{}", board.summary);
}

#[test]
fn a_line_for_each_event_worth_one() {
    let mut sweep = Sweep::default();
    let note = Event::Note { message: "the head is new".into() };
    let events = [
        note.clone(),
        started(),
        eval(When::Before, 0, Split::Dev, 1),
        step(1, 0.5),
        Event::CheckpointSaved { step: 1 },
        eval(When::During, 1, Split::Dev, 3),
        Event::RunFinished(Outcome::Paused { step: 1 }),
        eval(When::After, 1, Split::Dev, 3),
        eval(When::After, 1, Split::Test, 2),
        Event::RunFinished(Outcome::Completed),
    ];
    let want = [
        "[3/12] lr=3e-5: note: the head is new",
        "[3/12] lr=3e-5 (k3): 10 steps, 8 train + 4 dev + 4 test rows, 9 parameters",
        "[3/12] lr=3e-5: step 1  epoch 1  dev: loss 0.6250  accuracy 75.0%  macro-F1 42.9%  (4 rows in 0.5s)",
        "[3/12] lr=3e-5: waits at step 1 for the runs it is compared with",
        "[3/12] lr=3e-5: after training  dev: loss 0.6250  accuracy 75.0%  macro-F1 42.9%  (4 rows in 0.5s)",
        "[3/12] lr=3e-5: after training  test: loss 0.6250  accuracy 50.0%  macro-F1 33.3%  (4 rows in 0.5s)",
        "[3/12] lr=3e-5: completed, 1 steps in 0.5s, test accuracy 50.0%",
    ];
    assert_eq!(tell(&mut sweep, 3, 0.0, &events), want);
    // What every run would say is said once.
    assert!(tell(&mut sweep, 4, 0.0, &[note]).is_empty());
}

#[test]
fn the_best_figure_is_that_of_the_metric_on_the_split_that_chooses() {
    let mut sweep = Sweep::default();
    let best = |sweep: &Sweep| {
        let board = sweep.board(0.0, 5);
        (board.best, board.active[0].best.clone().unwrap_or_default())
    };
    tell(&mut sweep, 1, 0.0, &[started(), eval(When::Before, 0, Split::Dev, 4)]);
    assert_eq!(best(&sweep), ("best".into(), String::new()), "what was before training is no result");
    let at = |step, split, right| eval(When::During, step, split, right);
    tell(&mut sweep, 1, 0.0, &[at(1, Split::Test, 4)]);
    assert_eq!(best(&sweep), ("best test".into(), "100.0%".into()));
    tell(
        &mut sweep,
        1,
        0.0,
        &[at(1, Split::Dev, 2), at(2, Split::Dev, 3), at(3, Split::Dev, 1), at(3, Split::Test, 4)],
    );
    assert_eq!(best(&sweep), ("best dev".into(), "75.0%".into()));
    let mut sweep = Sweep::default();
    sweep.planned(&[PlannedInfo { metric: Metric::Loss, ..planned(1, RunState::Running) }], 0);
    tell(&mut sweep, 1, 0.0, &[started(), at(4, Split::Dev, 1)]);
    assert_eq!(best(&sweep), ("best dev loss".into(), "0.6250".into()));
}

#[test]
fn an_evaluation_is_seen_while_it_goes() {
    let mut sweep = Sweep::default();
    tell(&mut sweep, 1, 0.0, &[started(), step(1, 0.5), Event::EvalProgress { split: Split::Dev, done: 2, total: 5 }]);
    assert_eq!(sweep.board(0.0, 5).active[0].evaluating.as_deref(), Some("dev 40%"));
    tell(&mut sweep, 1, 0.0, &[eval(When::During, 1, Split::Dev, 3)]);
    assert_eq!(sweep.board(0.0, 5).active[0].evaluating, None);
}
