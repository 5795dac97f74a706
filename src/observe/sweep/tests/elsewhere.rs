//! Runs that another process trains.

use super::*;

/// Two commands train the same sweep: each shows the other's progress.
#[test]
fn what_another_process_trains_counts_too() {
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&[1, 2, 3].map(|i| planned(i, RunState::Pending)), 0));
    let mut elsewhere = |i: usize, state: RunState, steps: u64, past: &[Event]| {
        let info = planned(i, state);
        sweep.caught_up(&RunInfo::single(&info.key, &info.name), (state, steps), past);
        let board = sweep.board(1.0);
        let row = board
            .rows
            .iter()
            .find(|row| row.values == [info.name.trim_start_matches("lr=")])
            .map(|row| (row.state, row.step, row.value_text()));
        (row, board.best)
    };
    let (row, best) = elsewhere(1, RunState::Running, 4, &[started(), step(4, 0.5)]);
    assert_eq!(row.map(|row| (row.0, row.1)), Some((RunState::Running, 4)), "as `taper list` has it");
    assert_eq!(best, None);
    let whole = [started(), step(10, 0.5), eval(When::After, 10, Split::Dev, 3), finished(Outcome::Completed)];
    let (row, best) = elsewhere(1, RunState::Completed, 10, &whole);
    let row = row.expect("a row");
    assert_eq!((row.0, row.1), (RunState::Completed, 10));
    let best = best.expect("a leader");
    assert!(row.2.is_some() && best.contains(&planned(1, RunState::Completed).name), "{best}");
}

#[test]
fn a_run_of_another_command_is_running_from_the_start() {
    let mut sweep = LiveSweep::default();
    sweep.planned(&plan(&[PlannedInfo { step: 4, ..planned(1, RunState::Running) }, planned(2, RunState::Pending)], 0));
    let states = |sweep: &LiveSweep| rows(&sweep.board(1.0)).into_iter().map(|row| (row.1, row.2)).collect::<Vec<_>>();
    assert_eq!(states(&sweep), [(RunState::Running, 4), (RunState::Pending, 0)]);
    // A plan that is told again, when a search continues, changes the steps of runs that others train, not of its own.
    tell(&mut sweep, 2, 0.0, &[started(), step(3, 0.5)]);
    sweep.planned(&plan(&[PlannedInfo { step: 8, ..planned(1, RunState::Running) }, planned(2, RunState::Running)], 0));
    assert_eq!(states(&sweep), [(RunState::Running, 8), (RunState::Running, 3)]);
    // It stops, and this command continues it.
    let info = planned(1, RunState::Interrupted);
    sweep.caught_up(&RunInfo::single(&info.key, &info.name), (RunState::Interrupted, 8), &[]);
    assert_eq!(states(&sweep), [(RunState::Running, 3), (RunState::Interrupted, 8)]);
    tell(&mut sweep, 1, 0.0, &[begun(4, Some(8)), step(9, 0.5)]);
    assert_eq!(states(&sweep), [(RunState::Running, 9), (RunState::Running, 3)]);
}

/// Eight runs of ten seconds, of which this command has trained one: seven are left.
#[test]
fn the_time_left_is_shared_with_another_command() {
    let left = |others: usize, until: f64| {
        let mut sweep = LiveSweep::default();
        let infos: Vec<PlannedInfo> = (1..=8).map(|i| planned(i, RunState::Pending)).collect();
        sweep.planned(&plan(&infos, 0));
        for i in (8 - others)..8 {
            let info = planned(i, RunState::Running);
            sweep.caught_up(&RunInfo::single(&info.key, &info.name), (RunState::Running, 0), &[started()]);
        }
        tell(&mut sweep, 1, 0.0, &[started()]);
        for now in 1..=10 {
            tell(&mut sweep, 1, f64::from(now), &[step(u64::from(now as u32), 0.5)]);
        }
        tell(&mut sweep, 1, 10.0, &[finished(Outcome::Completed)]);
        for i in (8 - others)..8 {
            let info = planned(i, RunState::Completed);
            if until > 10.0 {
                sweep.caught_up(&RunInfo::single(&info.key, &info.name), (RunState::Completed, 10), &[]);
            }
        }
        tell(&mut sweep, 8, until, &[started()]);
        sweep.left_s(until).expect("a time").0
    };
    let alone = left(0, 10.0);
    assert!((left(1, 10.0) - alone / 2.0).abs() < 1.5, "{} of {alone}", left(1, 10.0));
    assert!((left(2, 10.0) - alone / 3.0).abs() < 2.5, "{} of {alone}", left(2, 10.0));
    // Between two runs of the other command none is running for a moment; when that lasts, it is gone.
    assert!(left(1, 12.0) < 0.6 * alone, "{} of {alone}", left(1, 12.0));
    assert!(left(1, 40.0) > 0.7 * alone, "{} of {alone}", left(1, 40.0));
}
