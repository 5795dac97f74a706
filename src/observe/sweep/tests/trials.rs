//! Which trial leads, and how much time a trial has left.

use super::*;

#[test]
fn all_seeds_at_an_early_step_do_not_displace_a_trial_with_a_finished_seed() {
    let mut sweep = LiveSweep::default();
    let seed = |i: usize| {
        let name = format!("lr={}e-5 seed={i}", i.div_ceil(2));
        PlannedInfo { name, trial: i.div_ceil(2), ..planned(i, RunState::Pending) }
    };
    sweep.planned(&plan(&[1, 2, 3, 4, 5, 6].map(seed), 0));
    for i in [3, 4] {
        tell(&mut sweep, i, 0.0, &[started(), step(4, 0.5), eval(When::During, 4, Split::Dev, 3)]);
        tell(&mut sweep, i, 0.0, &[finished(Outcome::Paused { step: 4 })]);
    }
    assert_eq!(
        sweep.board(1.0).best.as_deref(),
        Some("leads now: lr=2e-5  dev accuracy 75.0% at step 4 of 10 (mean of 2 seeds)")
    );
    // Half of the seeds of another trial are measured, with a better value: it leads at once.
    tell(&mut sweep, 1, 0.0, &[started(), step(6, 0.5), eval(When::During, 6, Split::Dev, 4)]);
    let leads = "leads now: lr=1e-5  dev accuracy 100.0% at step 6 of 10 (1 of 2 seeds so far)";
    assert_eq!(sweep.board(1.0).best.as_deref(), Some(leads));
    // And when that seed is finished it still does, its second not begun, running, or far behind.
    tell(&mut sweep, 1, 0.0, &[step(10, 0.5), eval(When::After, 10, Split::Dev, 4), finished(Outcome::Completed)]);
    let leads = "leads now: lr=1e-5  dev accuracy 100.0% (1 of 2 seeds finished)";
    assert_eq!(sweep.board(1.0).best.as_deref(), Some(leads));
    tell(&mut sweep, 2, 0.0, &[started(), step(4, 0.5), eval(When::During, 4, Split::Dev, 1)]);
    assert_eq!(sweep.board(1.0).best.as_deref(), Some(leads));
    assert_eq!(sweep.board(1.0).rows[0].values, ["1e-5"]);
    // A trial that is complete comes before both, as on the leaderboard.
    for i in [5, 6] {
        let end = [eval(When::After, 10, Split::Dev, 2), finished(Outcome::Completed)];
        tell(&mut sweep, i, 0.0, &[&[started(), step(10, 0.5)][..], &end].concat());
    }
    assert_eq!(
        sweep.board(1.0).best.as_deref(),
        Some("best finished so far: lr=3e-5  dev accuracy 50.0% (mean of 2 seeds)")
    );
}

#[test]
fn a_leader_without_a_dev_split_is_marked_as_chosen_on_test() {
    let best = |has_dev: bool, runs: &[usize]| {
        let mut sweep = LiveSweep::default();
        let info = |i: &usize| PlannedInfo { has_dev, ..planned(*i, RunState::Pending) };
        sweep.planned(&plan(&runs.iter().map(info).collect::<Vec<_>>(), 0));
        let split = if has_dev { Split::Dev } else { Split::Test };
        tell(&mut sweep, 1, 0.0, &[started(), step(4, 0.5), eval(When::During, 4, split, 3)]);
        sweep.board(1.0).best.unwrap_or_default()
    };
    assert!(best(false, &[1, 2]).ends_with("  test accuracy 75.0% at step 4 of 10 (chosen on test: optimistic)"));
    assert!(!best(true, &[1, 2]).contains("optimistic"));
    assert!(!best(false, &[1]).contains("optimistic"), "nothing is chosen of one");
}

#[test]
fn the_time_left_of_a_trial_includes_the_starts_and_last_evaluations_of_its_seeds() {
    let mut sweep = LiveSweep::default();
    let seed = |i: usize| PlannedInfo { name: format!("lr=1e-5 seed={i}"), trial: 1, ..planned(i, RunState::Pending) };
    sweep.planned(&plan(&[1, 2, 3].map(seed), 0));
    let steps = [1, 2, 3, 4].map(|i| step(i, 0.5));
    // Two seconds until the first step; the evaluations take half a second each, before and after training.
    tell(&mut sweep, 1, 0.0, &[started(), eval(When::Before, 0, Split::Dev, 1), eval(When::Before, 0, Split::Test, 1)]);
    tell(&mut sweep, 1, 2.0, &steps);
    let Event::EvalCompleted { elapsed_s, .. } = eval(When::Before, 0, Split::Dev, 1) else { panic!("an evaluation") };
    let evaluations = 2.0 * elapsed_s;
    // Three seconds of steps, the evaluation in the tenth step, and that after training.
    let first = 3.0 + evaluations + evaluations;
    // The others: a start, five seconds of steps, and three times both splits.
    let other = 2.0 + 5.0 + 3.0 * evaluations;
    let left = sweep.board(2.0).rows[0].left_s.expect("a time");
    assert!((left - (first + 2.0 * other)).abs() < 1e-9, "{left}, not {}", first + 2.0 * other);
}

#[test]
fn trials_of_different_keys_have_columns_and_pruned_ones_are_counted() {
    let mut sweep = LiveSweep::default();
    let names = [
        "dropout=0.1958 lr=2.811e-4 scheduler=constant",
        "dropout=0.1784 lr=1.368e-4 scheduler=constant",
        "dropout=0.12 lr=9.1e-4 scheduler=linear warmup_ratio=0.078",
        "dropout=0.13 lr=9.2e-4 scheduler=linear warmup_ratio=0.1948",
    ];
    let info = |(i, name): (usize, &&str)| {
        let state = if i == 3 { RunState::Pruned } else { RunState::Running };
        PlannedInfo { name: name.to_string(), ..planned(i + 1, state) }
    };
    sweep.planned(&plan(&names.iter().enumerate().map(info).collect::<Vec<_>>(), 0));
    let board = sweep.board(0.0);
    assert_eq!(board.keys, ["dropout", "lr", "scheduler", "warmup_ratio"]);
    assert_eq!((board.rows[0].values.join(" "), board.pruned), ("0.1958 2.811e-4 constant –".into(), 1));
    let lines = board.lines(crate::observe::Size { width: 80, height: 24 }, false).join("\n");
    assert!(lines.contains("\n0.1784   1.368e-4  constant   –"), "{lines}");
    assert!(lines.contains("\n… and 1 more, pruned\n"), "{lines}");
}

#[test]
fn an_only_trial_leads_none() {
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&[planned(1, RunState::Pending)], 0));
    tell(&mut sweep, 1, 0.0, &[started(), step(4, 0.5), eval(When::During, 4, Split::Dev, 3)]);
    assert_eq!(sweep.board(1.0).best.as_deref(), Some("so far: dev accuracy 75.0% at step 4 of 10"));
}

#[test]
fn a_time_that_results_decide_is_no_bound() {
    let mut sweep = LiveSweep::default();
    let asha = PlannedSweep {
        prune: Prune::Asha { reduction_factor: 3, rungs: 1 },
        ..plan(&[planned(1, RunState::Pending)], 5)
    };
    sweep.planned(&asha);
    tell(&mut sweep, 1, 0.0, &[started()]);
    tell(&mut sweep, 1, 4.0, &[1, 2, 3, 4, 5, 6].map(|i| step(i, 0.5)));
    let summary = sweep.summary(4.0);
    assert!(summary.contains("  eta ~") && !summary.contains("or more"), "{summary}");
}

/// The number of known runs and the number of all runs count the same: runs, not trials.
#[test]
fn runs_that_are_known_are_counted_of_all_runs() {
    let title = |runs: usize, seeds: usize, to_come| {
        let info = |i: usize| PlannedInfo { trial: i / seeds, ..planned(i, RunState::Pending) };
        plan(&(0..runs).map(info).collect::<Vec<_>>(), to_come).title()
    };
    assert_eq!(title(16, 2, 8), "e: 16 of 24 runs known so far (8 trials)");
    assert_eq!(title(24, 2, 0), "e: 12 trials, 24 runs");
    assert_eq!(title(3, 1, 1000), "e: 3 of 1,003 runs known so far");
}

/// Seed 1 waits at step 8, seeds 2 and 3 are at step 4.
#[test]
fn seeds_of_different_steps_have_no_mean_and_whole_trials_come_first() {
    let mut sweep = LiveSweep::default();
    let seed = |i: usize| PlannedInfo {
        trial: (i - 1) / 3,
        name: format!("lr={} seed={}", (i - 1) / 3, (i - 1) % 3),
        ..planned(i, RunState::Pending)
    };
    sweep.planned(&plan(&(1..=9).map(seed).collect::<Vec<_>>(), 0));
    let at = |sweep: &mut LiveSweep, i: usize, evals: &[(u64, usize)]| {
        tell(sweep, i, 1.0, &[started()]);
        evals.iter().for_each(|&(at, right)| {
            let event = [step(at, 0.5), eval(When::During, at, Split::Dev, right)];
            tell(sweep, i, 1.0, &event);
        });
        tell(sweep, i, 1.0, &[finished(Outcome::Interrupted)]);
    };
    at(&mut sweep, 1, &[(4, 4), (8, 4)]);
    at(&mut sweep, 2, &[(4, 3)]);
    at(&mut sweep, 3, &[(4, 2)]);
    (4..=6).for_each(|i| at(&mut sweep, i, &[(4, 2)]));
    let board = sweep.board(2.0);
    let seen: Vec<_> = rows(&board).into_iter().map(|(name, state, _, value)| (name, state, value)).collect();
    let interrupted = RunState::Interrupted;
    let want = [
        // All seeds of this one are at step 4.
        ("1".to_string(), interrupted, "50.0%*".to_string()),
        // The mean of seeds 2 and 3: not of 100, 75 and 50.
        ("0".into(), interrupted, "62.5%*".into()),
        ("2".into(), RunState::Pending, String::new()),
    ];
    assert_eq!(seen, want);
    assert_eq!(board.best.as_deref(), Some("leads now: lr=1  dev accuracy 50.0% at step 4 of 10 (mean of 3 seeds)"));
    // A seed that comes to step 8, too: now two are there.
    at(&mut sweep, 2, &[(8, 3)]);
    assert_eq!(rows(&sweep.board(2.0))[1].3, "87.5%*");
}

/// A run that goes on past its rung has begun, and reported no step: what it has left is known, although the rule's share is used up.
#[test]
fn a_promoted_run_has_time_left_and_a_forecast_of_nothing_is_not_shown() {
    let prune = Prune::Asha { reduction_factor: 3, rungs: 1 };
    let mut sweep = LiveSweep::default();
    let info = |i: usize| PlannedInfo { rungs: vec![Rung { number: 0, step: 3 }], ..planned(i, RunState::Pending) };
    sweep.planned(&PlannedSweep { prune, ..plan(&[1, 2, 3].map(info), 0) });
    let tell = |sweep: &mut LiveSweep, i: usize, now_s: f64, events: &[Event]| {
        let info = RunInfo { position: (i, 3), ..run(i) };
        events.iter().for_each(|event| drop(sweep.tell(&info, event, now_s)));
    };
    let paused = finished(Outcome::Paused { step: 3 });
    for (i, now_s) in [(1, 3.0), (2, 6.0), (3, 9.0)] {
        tell(&mut sweep, i, now_s - 3.0, &[started(), step(1, 0.5)]);
        tell(&mut sweep, i, now_s, &[step(2, 0.5), step(3, 0.5), paused.clone()]);
    }
    tell(&mut sweep, 1, 9.0, &[begun(4, Some(3)), step(4, 0.5)]);
    tell(&mut sweep, 1, 16.0, &[step(10, 0.5), finished(Outcome::Completed)]);
    // One of three is promoted in any case: the forecast expects no more, but does not know.
    let waits = sweep.summary(16.0);
    assert!(waits.contains("2 left (2 of them waiting)") && !waits.contains("eta"), "{waits}");
    tell(&mut sweep, 2, 16.0, &[begun(4, Some(3))]);
    let (left, _) = sweep.left_s(16.5).expect("a time");
    assert!(left > 5.0, "seven steps at about one a second: {left}");
    assert!(sweep.summary(16.5).contains("eta ~"), "{}", sweep.summary(16.5));
}

/// The loss of a run that waited, or was interrupted, is that of all its steps: what the next command reads from the store.
#[test]
fn a_loss_is_the_same_after_the_command_is_repeated() {
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&[planned(1, RunState::Pending), planned(2, RunState::Pending)], 0));
    let steps = |from: u64, to: u64| (from..=to).map(|i| step(i, 1.0 / i as f64)).collect::<Vec<_>>();
    tell(&mut sweep, 1, 0.0, &[started()]);
    tell(&mut sweep, 1, 1.0, &steps(1, 4));
    tell(&mut sweep, 1, 1.0, &[finished(Outcome::Paused { step: 4 }), begun(4, Some(4))]);
    tell(&mut sweep, 1, 2.0, &steps(5, 8));
    tell(&mut sweep, 1, 2.0, &[finished(Outcome::Interrupted)]);
    let past = [vec![begun(4, Some(8))], steps(1, 8), vec![finished(Outcome::Interrupted)]].concat();
    let stored = PlannedInfo { step: 8, past, ..planned(1, RunState::Interrupted) };
    let mut again = LiveSweep::default();
    again.planned(&plan(&[stored, planned(2, RunState::Pending)], 0));
    let loss = |sweep: &LiveSweep| sweep.board(3.0).rows[0].loss.unwrap();
    // The weights of the past add up to 0.95 of 1, 0.05 of 1/2, …: in Python
    // s = 1.0; for i in range(2, 9): s = 0.95 * s + 0.05 / i
    assert!((loss(&sweep) - 0.768_923).abs() < 1e-6, "{}", loss(&sweep));
    assert_eq!(loss(&again), loss(&sweep));
}

/// The end of the command says once where they resume.
#[test]
fn an_interrupted_run_of_a_sweep_says_only_that() {
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&[1, 2].map(|i| planned(i, RunState::Pending)), 0));
    let saved = Event::CheckpointSaved { step: 4 };
    tell(&mut sweep, 1, 1.0, &[started(), step(4, 0.5), saved]);
    let said = tell(&mut sweep, 1, 2.0, &[Event::RunFinished(Outcome::Interrupted)]);
    assert!(said.len() == 1 && said[0].ends_with(": interrupted after step 4"), "{said:?}");
    tell(&mut sweep, 2, 3.0, &[started()]);
    let said = tell(&mut sweep, 2, 3.0, &[Event::RunFinished(Outcome::Interrupted)]);
    assert!(said[0].ends_with(": interrupted before the first step"), "{said:?}");
}

/// The metric that selects is beside the first one of the task.
#[test]
fn a_completed_run_of_a_sweep_says_its_result_by_what_selects() {
    let said = |metric| {
        let mut sweep = LiveSweep::default();
        sweep.planned(&plan(&[1, 2].map(|i| PlannedInfo { metric, ..planned(i, RunState::Pending) }), 0));
        let after = |split| eval(When::After, 10, split, 3);
        tell(&mut sweep, 1, 1.0, &[started(), step(10, 0.5), after(Split::Dev), after(Split::Test)]);
        tell(&mut sweep, 1, 2.0, &[Event::RunFinished(Outcome::Completed)]).remove(0)
    };
    assert!(said(Metric::Accuracy).ends_with(", test accuracy 75.0%"), "{}", said(Metric::Accuracy));
    assert!(said(Metric::MacroF1).ends_with(", test macro-F1 42.9%, accuracy 75.0%"), "{}", said(Metric::MacroF1));
}

/// An undefined value of a completed run is the worst one.
#[test]
fn a_trial_with_an_undefined_value_never_leads_another() {
    let mut sweep = LiveSweep::default();
    let of_mcc = |i: usize| PlannedInfo { metric: Metric::Mcc, ..planned(i, RunState::Pending) };
    sweep.planned(&plan(&[1, 2].map(of_mcc), 0));
    let result = |mcc: f64| {
        let mut result = eval(When::After, 10, Split::Dev, 3);
        if let Event::EvalCompleted { metrics, .. } = &mut result {
            metrics.set(Metric::Mcc, mcc);
        }
        [started(), step(10, 0.5), result, finished(Outcome::Completed)]
    };
    tell(&mut sweep, 1, 0.0, &result(f64::NAN));
    assert_eq!(sweep.board(1.0).best.as_deref(), Some("best finished so far: lr=1e-5  dev MCC –"));
    tell(&mut sweep, 2, 0.0, &result(-0.5));
    let board = sweep.board(1.0);
    assert_eq!(board.best.as_deref(), Some("best finished so far: lr=2e-5  dev MCC −0.5000"));
    let values: Vec<_> = board.rows.iter().map(|row| row.value.as_deref()).collect();
    assert_eq!(values, [Some("−0.5000"), Some("–")]);
}
