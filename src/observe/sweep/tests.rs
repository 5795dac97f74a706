//! Events of several runs in, lines and tables out.

mod budget;
mod elsewhere;
mod trials;

use super::*;
use crate::{
    event::{FailureKind, Outcome, Split, When},
    observe::{PlannedInfo, lines::View},
    plan::{Budget, Keep, Metric},
    store::{
        RunState,
        testing::{eval, step},
    },
    warning::{Kind, Warning},
};

fn run(i: usize) -> RunInfo {
    RunInfo { log_steps: 1, position: (i, 12), ..RunInfo::single(&format!("k{i}"), &format!("lr={i}e-5")) }
}

fn planned(i: usize, state: RunState) -> PlannedInfo {
    let RunInfo { key, name, .. } = run(i);
    PlannedInfo {
        key,
        name,
        trial: i,
        state,
        total_steps: 10,
        step: if state == RunState::Completed { 10 } else { 0 },
        trained_s: if state == RunState::Completed { 4.0 } else { 0.0 },
        metric: Metric::Accuracy,
        shown: Metric::Accuracy,
        keep: Keep::Last,
        has_dev: true,
        rungs: Vec::new(),
        step_cost: 1.0,
        past: Vec::new(),
    }
}

fn plan(runs: &[PlannedInfo], to_come: usize) -> PlannedSweep {
    let (experiment, runs, prune) = ("e".into(), runs.to_vec(), Prune::None);
    PlannedSweep { experiment, runs, to_come, prune, batches: None, budget: Budget::default() }
}

fn begun(dev: u64, resumed_from: Option<u64>) -> Event {
    Event::RunStarted {
        total_steps: 10,
        steps_per_epoch: 10,
        resumed_from,
        rows: (8, dev, 4),
        parameters: 9,
        train_labels: Vec::new(),
    }
}

fn started() -> Event {
    begun(4, None)
}

fn finished(outcome: Outcome) -> Event {
    Event::RunFinished(outcome)
}

fn failed() -> Event {
    finished(Outcome::Failed { kind: FailureKind::Crashed, message: "signal 9\nits last words".into() })
}

/// Handles events of run `i` at a time, and returns the texts of the lines.
fn tell(sweep: &mut LiveSweep, i: usize, now_s: f64, events: &[Event]) -> Vec<String> {
    events.iter().flat_map(|event| sweep.tell(&run(i), event, now_s)).map(|line| line.text).collect()
}

/// Rows as (values, state, steps, metric).
fn rows(board: &Board) -> Vec<(String, RunState, u64, String)> {
    let row = |row: &Row| (row.values.join(" "), row.state, row.step, row.value_text().unwrap_or_default());
    board.rows.iter().map(row).collect()
}

#[test]
fn the_whole_is_counted() {
    let mut sweep = LiveSweep::default();
    let states = [RunState::Completed, RunState::Failed, RunState::Pruned];
    let state = |i: usize| states.get(i - 1).copied().unwrap_or(RunState::Pending);
    sweep.planned(&plan(&[1, 2, 3, 4, 5, 6].map(|i| planned(i, state(i))), 2));
    assert_eq!(sweep.summary(0.0), "3 of 8 runs done (1 completed, 1 failed, 1 pruned), 5 left  trained 4.0s");
    // Two trials of three seeds each; one is pruned.
    let mut sweep = LiveSweep::default();
    let seed = |i: usize| PlannedInfo {
        trial: i / 3,
        state: if i < 3 { RunState::Pruned } else { RunState::Pending },
        name: format!("lr={} seed={}", i / 3, i % 3),
        ..planned(i, RunState::Pending)
    };
    sweep.planned(&plan(&(0..9).map(seed).collect::<Vec<_>>(), 0));
    let board = sweep.board(0.0);
    let seen: Vec<_> = board.rows.iter().map(|row| (row.values.join(" "), row.seeds)).collect();
    assert_eq!(seen, [("1".into(), (0, 3)), ("2".into(), (0, 3))], "one row a trial; the pruned one is only counted");
    assert_eq!((board.keys.join(" "), board.best), ("lr".into(), None));
    assert_eq!(board.summary, "3 of 9 runs done (3 pruned), 6 left");
}

#[test]
fn the_leader_comes_first_then_running_trials_then_the_others_by_score() {
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&[1, 2, 3, 4, 5, 6].map(|i| planned(i, RunState::Pending)), 0));
    let at = |right| [started(), step(4, 0.5), eval(When::During, 4, Split::Dev, right)];
    for (i, right) in [(1, 1), (2, 2), (3, 4), (4, 3)] {
        tell(&mut sweep, i, 1.0, &at(right));
    }
    tell(&mut sweep, 1, 1.0, &[finished(Outcome::Paused { step: 4 })]);
    tell(&mut sweep, 2, 1.0, &[finished(Outcome::Paused { step: 4 })]);
    tell(&mut sweep, 3, 1.0, &[finished(Outcome::Paused { step: 4 })]);
    tell(&mut sweep, 5, 1.0, &[failed()]);
    let board = sweep.board(2.0);
    let want = [
        ("3e-5".to_string(), RunState::Waiting, 4, "100.0%*".to_string()),
        ("4e-5".into(), RunState::Running, 4, "75.0%*".into()),
        ("2e-5".into(), RunState::Waiting, 4, "50.0%*".into()),
        ("1e-5".into(), RunState::Waiting, 4, "25.0%*".into()),
        ("5e-5".into(), RunState::Failed, 0, String::new()),
        ("6e-5".into(), RunState::Pending, 0, String::new()),
    ];
    assert_eq!(rows(&board), want);
    assert_eq!(board.best.as_deref(), Some("leads now: lr=3e-5  dev accuracy 100.0% at step 4 of 10"));
    assert_eq!((board.metric.as_str(), board.rows[4].reason.as_deref()), ("dev acc", Some("signal 9")));
    // A pruned trial no longer leads.
    tell(&mut sweep, 3, 3.0, &[finished(Outcome::Pruned { reason: "late".into(), at: None })]);
    let best = sweep.board(3.0).best.unwrap();
    assert_eq!(best, "leads now: lr=4e-5  dev accuracy 75.0% at step 4 of 10");
}

/// As on the leaderboard.
#[test]
fn ties_are_broken_by_loss() {
    let with_loss = |loss: f64| {
        let Event::EvalCompleted { when, step, epoch, split, mut metrics, elapsed_s } =
            eval(When::During, 4, Split::Dev, 3)
        else {
            unreachable!("it is an evaluation")
        };
        metrics.set(Metric::Loss, loss);
        Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s }
    };
    for (losses, leader) in [([0.5, 0.25, 0.75], 2), ([0.25, 0.5, 0.25], 1), ([0.5, 0.5, 0.125], 3)] {
        let mut sweep = LiveSweep::default();
        sweep.planned(&plan(&[1, 2, 3].map(|i| planned(i, RunState::Pending)), 0));
        for (i, loss) in (1..).zip(losses) {
            tell(
                &mut sweep,
                i,
                1.0,
                &[started(), step(4, 0.5), with_loss(loss), finished(Outcome::Paused { step: 4 })],
            );
        }
        let board = sweep.board(2.0);
        let best = format!("leads now: lr={leader}e-5  dev accuracy 75.0% at step 4 of 10");
        assert_eq!(board.best.as_deref(), Some(best.as_str()), "{losses:?}");
        assert_eq!(board.rows[0].values, [format!("{leader}e-5")], "{losses:?}");
    }
}

#[test]
fn seeds_are_one_row_with_their_mean() {
    let mut sweep = LiveSweep::default();
    let seed = |i: usize| {
        let name = format!("lr={}e-5 seed={i}", i.div_ceil(2));
        PlannedInfo { name, trial: i.div_ceil(2), ..planned(i, RunState::Pending) }
    };
    sweep.planned(&plan(&[1, 2, 3, 4].map(seed), 0));
    tell(&mut sweep, 1, 0.0, &[started(), step(10, 0.5), eval(When::After, 10, Split::Dev, 4)]);
    tell(&mut sweep, 1, 0.0, &[finished(Outcome::Completed)]);
    tell(&mut sweep, 2, 0.0, &[started(), step(4, 0.25), eval(When::During, 4, Split::Dev, 3)]);
    let board = sweep.board(1.0);
    let row = &board.rows[0];
    assert_eq!(
        (row.seeds, row.step, row.total, row.value_text().as_deref()),
        ((1, 2), 14, 20, Some("100.0%")),
        "of the finished one"
    );
    assert_eq!((row.state, row.loss), (RunState::Running, Some(0.25)), "the loss of the running seed");
    assert_eq!(board.best.as_deref(), Some("leads now: lr=1e-5  dev accuracy 100.0% (1 of 2 seeds finished)"));
    // If none is finished, the one that is furthest counts: not the mean of steps 4 and 6.
    tell(&mut sweep, 3, 0.0, &[started(), step(4, 0.25), eval(When::During, 4, Split::Dev, 1)]);
    tell(&mut sweep, 4, 0.0, &[started(), step(6, 0.25), eval(When::During, 6, Split::Dev, 3)]);
    assert_eq!(
        sweep.board(1.0).rows.iter().filter_map(Row::value_text).collect::<Vec<_>>(),
        ["100.0%", "75.0%*"],
        "a trial with a finished seed comes first"
    );
    // The mean of both once the second is finished.
    tell(&mut sweep, 2, 0.0, &[eval(When::After, 10, Split::Dev, 2), finished(Outcome::Completed)]);
    let text = sweep.board(1.0).rows.iter().find(|row| row.seeds.0 == 2).and_then(|row| row.value_text());
    assert_eq!(text.as_deref(), Some("75.0%"));
}

#[test]
fn the_time_left_of_a_trial_includes_all_its_seeds() {
    let mut sweep = LiveSweep::default();
    let seed = |i: usize| PlannedInfo { name: format!("lr=1e-5 seed={i}"), trial: 1, ..planned(i, RunState::Pending) };
    sweep.planned(&plan(&[1, 2, 3].map(seed), 0));
    let steps = [1, 2, 3, 4].map(|i| step(i, 0.5));
    tell(&mut sweep, 1, 0.0, &[started()]);
    tell(&mut sweep, 1, 0.0, &steps);
    // Two steps per second: the first seed has 6 left, the others 10 each.
    assert_eq!(sweep.board(2.0).rows[0].left_s, Some(13.0));
    // Two at a time: 6, 6 and 10 steps in two slots.
    tell(&mut sweep, 2, 0.0, &[started()]);
    tell(&mut sweep, 2, 0.0, &steps);
    assert_eq!(sweep.board(2.0).rows[0].left_s, Some(5.5));
    tell(&mut sweep, 3, 0.0, &[started(), failed()]);
    assert_eq!(sweep.board(2.0).rows[0].left_s, Some(3.0), "a failed run has nothing left");
}

#[test]
fn runs_can_be_interleaved_wait_and_restart() {
    let mut sweep = LiveSweep::default();
    for i in [1, 2] {
        tell(&mut sweep, i, 0.0, &[started(), step(1, i as f64)]);
    }
    tell(&mut sweep, 1, 1.0, &[step(2, 1.0), finished(Outcome::Paused { step: 2 })]);
    tell(&mut sweep, 2, 1.0, &[failed()]);
    let board = sweep.board(1.0);
    let state = |board: &Board| board.rows.iter().map(|row| (row.state, row.step)).collect::<Vec<_>>();
    assert_eq!(state(&board), [(RunState::Waiting, 2), (RunState::Failed, 1)]);
    assert!(
        board.summary.starts_with("1 of 12 runs done (1 failed), 11 left (1 of them waiting)"),
        "{}",
        board.summary
    );
    // Another attempt removes the failure, and a paused run continues.
    tell(&mut sweep, 1, 2.0, &[begun(4, Some(2))]);
    tell(&mut sweep, 2, 2.0, &[started()]);
    let board = sweep.board(2.0);
    assert_eq!(state(&board), [(RunState::Running, 2), (RunState::Running, 0)]);
    assert!(board.summary.starts_with("0 of 12 runs done, 12 left"), "{}", board.summary);
    // A run that the command itself restarts is pending, not interrupted.
    let lines = sweep.tell(&run(1), &finished(Outcome::Retried), 3.0);
    assert_eq!(lines[0].text, "[1/12] lr=1e-5: failed after step 2; retrying now from step 2");
    assert_eq!(state(&sweep.board(3.0)), [(RunState::Running, 0), (RunState::Pending, 2)]);
}

#[test]
fn important_events_have_a_line() {
    let mut sweep = LiveSweep::default();
    let note = |seed| Event::Note { message: format!("the head is new, from seed {seed}") };
    let events = [
        note(1),
        started(),
        eval(When::Before, 0, Split::Dev, 1),
        step(1, 0.5),
        Event::CheckpointSaved { step: 1 },
        eval(When::During, 1, Split::Dev, 3),
        finished(Outcome::Paused { step: 1 }),
        eval(When::After, 2, Split::Dev, 3),
        eval(When::After, 2, Split::Test, 2),
        finished(Outcome::Completed),
    ];
    let want = [
        "[3/12] lr=3e-5: note: the head is new, from seed 1",
        "[3/12] lr=3e-5 (k3): 10 steps, 9 parameters to train",
        "[3/12] lr=3e-5: step 1  epoch 1  dev accuracy 75.0%  macro-F1 42.9%  loss 0.6250",
        "[3/12] lr=3e-5: waiting at step 1 for the runs it is compared with",
        "[3/12] lr=3e-5: after training  dev accuracy 75.0%  macro-F1 42.9%  loss 0.6250",
        "[3/12] lr=3e-5: after training  test accuracy 50.0%  macro-F1 33.3%  loss 0.6250",
        "[3/12] lr=3e-5: completed, stopped early at step 1 of 10 in 0.5s, test accuracy 50.0%",
    ];
    assert_eq!(tell(&mut sweep, 3, 0.0, &events), want);
    assert_eq!(sweep.repeated(), [""; 0], "reported once");
    // A note that every run reports is printed once, whatever its seed, and counted.
    assert!(tell(&mut sweep, 4, 0.0, &[note(2)]).is_empty());
    assert!(tell(&mut sweep, 5, 0.0, &[note(3), note(3)]).is_empty());
    let warned = Event::Warned(Warning::new(Kind::Result, "all 4 test rows are predicted as `a` (accuracy 25.0%)"));
    assert_eq!(
        sweep.tell(&run(4), &warned, 0.0),
        [],
        "printed at the end of the command, with all runs that it is about"
    );
    assert_eq!(sweep.repeated(), ["note: the head is new, from seed 1 (in 3 runs of this command)"]);
}

#[test]
fn runs_are_numbered_among_all_requested_runs() {
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&[1, 2, 3, 4, 5].map(|i| planned(i, RunState::Pending)), 7));
    let second = RunInfo { position: (2, 5), ..run(2) };
    let line = &sweep.tell(&second, &started(), 0.0)[0].text;
    assert!(line.starts_with("[2/12] lr=2e-5 "), "{line}");
    assert!(sweep.summary(0.0).starts_with("0 of 12 runs done, 12 left"));
}

#[test]
fn the_value_is_that_of_the_kept_weights_on_the_selecting_split() {
    let seen = |sweep: &LiveSweep| {
        let board = sweep.board(0.0);
        (board.metric, board.rows[0].value_text().unwrap_or_default())
    };
    let at = |step, split, right| eval(When::During, step, split, right);
    let evals = [
        at(1, Split::Test, 4),
        at(1, Split::Dev, 2),
        at(2, Split::Dev, 3),
        at(3, Split::Dev, 1),
        at(3, Split::Test, 4),
    ];
    let with = |keep, metric, dev| {
        let mut sweep = LiveSweep::default();
        let has_dev = dev > 0;
        sweep.planned(&plan(&[PlannedInfo { keep, metric, has_dev, ..planned(1, RunState::Running) }], 0));
        tell(&mut sweep, 1, 0.0, &[begun(dev, None), eval(When::Before, 0, Split::Dev, 4)]);
        assert_eq!(seen(&sweep), ("dev".into(), String::new()), "an evaluation before training is not a result");
        tell(&mut sweep, 1, 0.0, &evals);
        seen(&sweep)
    };
    // The last weights are kept, so a better earlier evaluation does not count.
    assert_eq!(with(Keep::Last, Metric::Accuracy, 4), ("dev acc".into(), "25.0%*".into()));
    assert_eq!(with(Keep::Best, Metric::Accuracy, 4), ("best dev acc".into(), "75.0%*".into()));
    assert_eq!(with(Keep::None, Metric::Loss, 4), ("dev loss".into(), "0.6250*".into()));
    // Without a dev split it is the test split's.
    assert_eq!(with(Keep::Last, Metric::Accuracy, 0), ("test acc".into(), "100.0%*".into()));
    // There it is the accuracy, as on the leaderboard, whatever the metric is.
    assert_eq!(with(Keep::Last, Metric::Loss, 0), ("test acc".into(), "100.0%*".into()));
}

/// Other commands worked on the sweep before this one.
#[test]
fn earlier_commands_are_in_the_table_from_the_start() {
    let events = |right, end: Outcome| {
        vec![begun(4, Some(4)), step(3, 0.5), step(4, 0.5), eval(When::During, 4, Split::Dev, right), finished(end)]
    };
    let with = |i, state, step, past| PlannedInfo { step, past, ..planned(i, state) };
    let done = vec![
        begun(4, Some(10)),
        step(10, 0.25),
        eval(When::During, 10, Split::Dev, 1),
        eval(When::After, 10, Split::Dev, 3),
        finished(Outcome::Completed),
    ];
    let runs = [
        with(1, RunState::Completed, 10, done),
        with(2, RunState::Interrupted, 4, events(2, Outcome::Interrupted)),
        with(3, RunState::Waiting, 4, events(1, Outcome::Paused { step: 4 })),
        with(4, RunState::Failed, 0, events(4, Outcome::Failed { kind: FailureKind::Oom, message: "no room".into() })),
        planned(5, RunState::Pending),
    ];
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&runs, 0));
    let board = sweep.board(0.0);
    let want = [
        ("1e-5".to_string(), RunState::Completed, 10, "75.0%".to_string()),
        ("2e-5".into(), RunState::Interrupted, 4, "50.0%*".into()),
        ("3e-5".into(), RunState::Waiting, 4, "25.0%*".into()),
        ("4e-5".into(), RunState::Failed, 0, "100.0%*".into()),
        ("5e-5".into(), RunState::Pending, 0, String::new()),
    ];
    assert_eq!(rows(&board), want);
    assert_eq!(board.best.as_deref(), Some("best finished so far: lr=1e-5  dev accuracy 75.0%"));
    assert_eq!((board.rows[3].reason.as_deref(), board.rows[0].loss), (Some("no room"), Some(0.25)));
    assert_eq!(sweep.left_s(0.0), None, "earlier work says nothing about the pace of this command");
    // When a plan is extended, earlier events are not repeated.
    tell(&mut sweep, 2, 1.0, &[begun(4, Some(4)), step(5, 0.5), eval(When::During, 5, Split::Dev, 4)]);
    sweep.planned(&plan(&runs.clone().map(|run| PlannedInfo { past: Vec::new(), ..run }), 0));
    let board = sweep.board(1.0);
    // As on the leaderboard: a complete trial comes before one that is still training.
    assert_eq!(rows(&board)[0], ("1e-5".into(), RunState::Completed, 10, "75.0%".into()));
    assert_eq!(rows(&board)[1], ("2e-5".into(), RunState::Running, 5, "100.0%*".into()));
    assert_eq!(board.best.as_deref(), Some("best finished so far: lr=1e-5  dev accuracy 75.0%"));
}

#[test]
fn the_heading_says_which_weights_are_kept() {
    for (keep, metric, heading) in [
        (Keep::Best, Metric::Accuracy, "best dev acc"),
        (Keep::Last, Metric::Accuracy, "dev acc"),
        (Keep::Best, Metric::Loss, "best dev loss"),
        (Keep::All, Metric::Loss, "dev loss"),
    ] {
        let mut sweep = LiveSweep::default();
        sweep.planned(&plan(&[1, 2].map(|i| PlannedInfo { keep, metric, ..planned(i, RunState::Pending) }), 0));
        tell(&mut sweep, 1, 1.0, &[started(), step(4, 0.5), eval(When::During, 4, Split::Dev, 3)]);
        assert_eq!(sweep.board(2.0).metric, heading, "{keep:?} {metric:?}");
        // The bar of a single run has the same heading.
        let mut view = View::keeping(keep, metric);
        [started(), eval(When::During, 4, Split::Dev, 3), eval(When::During, 5, Split::Dev, 2)]
            .iter()
            .for_each(|event| drop(view.tell(&run(1), event)));
        assert!(view.parts()[1].starts_with(&format!("{heading} ")), "{keep:?} {metric:?}: {:?}", view.parts());
        let shown = if keep == Keep::Best { "best dev acc 75.0%" } else { "dev acc 50.0%" };
        if metric == Metric::Accuracy {
            assert_eq!(view.parts()[1], shown, "{keep:?}");
        }
    }
}

/// Times of rows and of the summary include all commands; this command's own time is shown separately, and a watcher has none.
#[test]
fn training_time_includes_earlier_commands_and_shows_this_one_separately() {
    let runs = [
        PlannedInfo { trained_s: 40.0, step: 4, ..planned(1, RunState::Interrupted) },
        PlannedInfo { trained_s: 20.0, ..planned(2, RunState::Completed) },
        planned(3, RunState::Pending),
    ];
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&runs, 0));
    tell(&mut sweep, 3, 1.0, &[started()]);
    let board = sweep.board(6.0);
    assert!(board.summary.ends_with("  trained 1m00s  this command 5.0s"), "{}", board.summary);
    let trained: Vec<Option<f64>> = board.rows.iter().map(|row| row.trained_s).collect();
    assert_eq!(trained.iter().flatten().sum::<f64>(), 60.0, "{trained:?}");
    let mut watched = LiveSweep::default();
    watched.planned(&plan(&runs, 0));
    watched.set_pace(0.0, 6.0, 0);
    assert!(watched.board(6.0).summary.ends_with("  trained 1m00s"), "{}", watched.board(6.0).summary);
}

/// Only completed trials are called best: others may still get worse.
#[test]
fn the_best_so_far_never_gets_worse() {
    for keep in [Keep::Best, Keep::Last] {
        let mut sweep = LiveSweep::default();
        let infos = [1, 2, 3].map(|i| PlannedInfo { keep, ..planned(i, RunState::Pending) });
        sweep.planned(&plan(&infos, 0));
        let mut best: f64 = 0.0;
        let mut seen = Vec::new();
        let script: [(usize, Event); 12] = [
            (1, started()),
            (1, eval(When::During, 2, Split::Dev, 4)),
            (1, eval(When::During, 4, Split::Dev, 2)),
            (1, eval(When::After, 4, Split::Dev, 2)),
            (1, finished(Outcome::Completed)),
            (2, started()),
            (2, eval(When::During, 2, Split::Dev, 4)),
            (2, finished(Outcome::Pruned { reason: "late".into(), at: None })),
            (3, started()),
            (3, eval(When::During, 2, Split::Dev, 3)),
            (3, eval(When::After, 4, Split::Dev, 3)),
            (3, finished(Outcome::Completed)),
        ];
        for (i, event) in script {
            tell(&mut sweep, i, 1.0, &[event]);
            let Some(line) = sweep.board(1.0).best else { continue };
            let Some(rest) = line.strip_prefix("best finished so far: ") else { continue };
            let value: f64 = rest.split("accuracy ").nth(1).and_then(|t| t.split('%').next()).unwrap().parse().unwrap();
            assert!(value >= best, "{keep:?}: {line} after {best}");
            (best, _) = (value, seen.push(value));
        }
        assert_eq!((seen.first(), seen.last()), (Some(&50.0), Some(&75.0)), "{keep:?}");
    }
}

#[test]
fn a_running_evaluation_is_shown() {
    let mut sweep = LiveSweep::default();
    tell(&mut sweep, 1, 0.0, &[started(), step(1, 0.5), Event::EvalProgress { split: Split::Dev, done: 2, total: 5 }]);
    assert_eq!(sweep.board(0.0).rows[0].evaluating.as_deref(), Some("eval 40%"));
    tell(&mut sweep, 1, 0.0, &[eval(When::During, 1, Split::Dev, 3)]);
    assert_eq!(sweep.board(0.0).rows[0].evaluating, None);
}

/// Simulates a sweep: runs given as (steps, seconds per step, cost per step), `slots` at a time, each with two seconds before its
/// first step and an evaluation, a fiftieth of all steps long, at each ninth of its steps. `ends` says where run `i` ends early. Returns
/// each moment at which time left was reported with its value, and the end.
fn play(
    prune: Prune,
    runs: &[(u64, f64, f64)],
    slots: usize,
    ends: impl Fn(usize) -> Option<u64>,
) -> (Vec<(f64, f64, bool)>, f64) {
    let mut sweep = LiveSweep::default();
    let infos = runs.iter().enumerate().map(|(i, (steps, _, cost))| PlannedInfo {
        total_steps: *steps,
        step_cost: *cost,
        rungs: if prune == Prune::None {
            Vec::new()
        } else {
            vec![Rung { number: 0, step: steps / 9 }, Rung { number: 1, step: steps / 3 }]
        },
        ..planned(i, RunState::Pending)
    });
    let infos: Vec<PlannedInfo> = infos.collect();
    sweep.planned(&PlannedSweep { prune, ..plan(&infos, 0) });
    // Every event with its time, as the slots reach it.
    let mut free = vec![0.0; slots];
    let mut events: Vec<(f64, usize, Event)> = Vec::new();
    for (i, (steps, seconds, _)) in runs.iter().enumerate() {
        let slot = (0..slots).min_by(|a, b| f64::total_cmp(&free[*a], &free[*b])).unwrap();
        let mut now = free[slot];
        let begin = Event::RunStarted {
            total_steps: *steps,
            steps_per_epoch: steps / 9,
            resumed_from: None,
            rows: (8, 4, 4),
            parameters: 9,
            train_labels: Vec::new(),
        };
        events.push((now, i, begin));
        now += 2.0;
        let last = ends(i).unwrap_or(*steps);
        for at in 1..=last {
            now += seconds;
            let Event::StepCompleted(mut s) = step(at, 0.5) else { unreachable!() };
            s.elapsed_s = at as f64 * seconds;
            events.push((now, i, Event::StepCompleted(s)));
            if at % (steps / 9) == 0 {
                now += seconds * *steps as f64 / 50.0;
                events.push((now, i, eval(When::During, at, Split::Dev, 3)));
            }
        }
        let outcome =
            if last < *steps { Outcome::Pruned { reason: "late".into(), at: None } } else { Outcome::Completed };
        events.push((now, i, finished(outcome)));
        free[slot] = now;
    }
    events.sort_by(|a, b| a.0.total_cmp(&b.0));
    let end = free.iter().copied().fold(0.0, f64::max);
    let mut told = Vec::new();
    for (now, i, event) in events {
        sweep.tell(&RunInfo { position: (i + 1, runs.len()), ..run(i) }, &event, now);
        if let Some((left, measured)) = sweep.left_s(now) {
            told.push((now, left, measured));
        }
    }
    (told, end)
}

/// The largest relative error of the time left, from the end of the first run until a twentieth of the time is left.
fn worst(played: &(Vec<(f64, f64, bool)>, f64)) -> f64 {
    worst_until(0.95, played)
}

/// The same until a share of the time is over.
fn worst_until(share: f64, (told, end): &(Vec<(f64, f64, bool)>, f64)) -> f64 {
    let measured: Vec<_> = told.iter().filter(|(now, _, measured)| *measured && *now < end * share).collect();
    assert!(measured.len() > 20, "it is told");
    let off = |(now, left, _): &&(f64, f64, bool)| (left / (end - now)).max((end - now) / left);
    measured.iter().map(off).fold(1.0, f64::max)
}

#[test]
fn after_the_first_run_the_time_left_is_within_a_half() {
    let alike = vec![(100, 0.1, 1.0); 12];
    for slots in [1, 2, 3] {
        let played = play(Prune::None, &alike, slots, |_| None);
        assert!(worst(&played) < 1.5, "{slots} at a time: {}", worst(&played));
    }
    // Batches of 8, 16 and 32 rows: fewer steps, each with a higher cost.
    let batches: Vec<_> = (0..12).map(|i| [(200, 0.05, 8.0), (100, 0.1, 16.0), (50, 0.2, 32.0)][i / 4]).collect();
    assert!(worst(&play(Prune::None, &batches, 2, |_| None)) < 1.5);
    // A single run 20 times as long as the others cannot be shared between slots.
    let long: Vec<_> = (0..6).map(|i| if i == 5 { (1000, 0.1, 1.0) } else { (50, 0.1, 1.0) }).collect();
    assert!(worst(&play(Prune::None, &long, 2, |_| None)) < 1.5);
}

#[test]
fn estimates_before_the_end_of_the_first_run_are_marked() {
    let (told, end) = play(Prune::None, &[(100, 0.1, 1.0); 12], 2, |_| None);
    let early: Vec<_> = told.iter().filter(|(_, _, measured)| !measured).collect();
    assert!(!early.is_empty() && early[0].0 >= 2.0, "not before there is a speed");
    let off = early.iter().map(|(now, left, _)| (left / (end - now)).max((end - now) / left)).fold(1.0, f64::max);
    assert!(off < 2.0, "{off}");
    let mut sweep = LiveSweep::default();
    tell(&mut sweep, 1, 0.0, &[started()]);
    tell(&mut sweep, 1, 3.0, &(1..=5).map(|i| step(i, 0.5)).collect::<Vec<_>>());
    assert!(sweep.summary(3.0).contains("  this command 3.0s  eta ~"), "{}", sweep.summary(3.0));
}

#[test]
fn the_time_left_foresees_pruning() {
    // 27 trials of 90 steps under ASHA, as many as it promotes in the mean: 17 end at step 10, 6 at 30, 4 at 90.
    let asha = Prune::Asha { reduction_factor: 3, rungs: 2 };
    let ends = |i: usize| match i {
        2 | 8 | 17 | 22 => None,
        5 | 11 | 13 | 20 | 24 | 26 => Some(30),
        _ => Some(10),
    };
    let played = play(asha, &[(90, 0.1, 1.0); 27], 1, ends);
    // Whether the last trials are promoted cannot be foreseen. Without the promotions of trials as they come it would be 1.43.
    let off = worst_until(0.85, &played);
    assert!(off < 1.4, "{off}");
    // Under the median rule half of them end at the first rung.
    let median = Prune::Median { startup_trials: 3 };
    let played = play(median, &[(90, 0.1, 1.0); 27], 1, |i| (i > 2 && i % 2 == 0).then_some(10));
    assert!(worst(&played) < 1.5, "{}", worst(&played));
}
