//! Runs that another process trains.

use super::*;

/// Two commands train the same sweep: each shows the other's progress.
#[test]
fn what_another_process_trains_counts_too() {
    let mut sweep = Sweep::default();
    sweep.planned(&plan(&[1, 2, 3].map(|i| planned(i, RunState::Pending)), 0));
    let mut elsewhere = |i: usize, state: RunState, steps: u64, past: &[Event]| {
        let info = planned(i, state);
        sweep.caught_up(&RunInfo::single(&info.key, &info.name), (state, steps), past);
        let board = sweep.board(1.0);
        let row = board
            .rows
            .iter()
            .find(|row| row.values == [info.name.trim_start_matches("lr=")])
            .map(|row| (row.state, row.step, row.value.clone()));
        (row, board.best)
    };
    let (row, best) = elsewhere(1, RunState::Running, 4, &[started(), step(4, 0.5)]);
    assert!(row.is_none_or(|row| row.0 == RunState::Pending) && best.is_none(), "pending for this command");
    let whole = [started(), step(10, 0.5), eval(When::After, 10, Split::Dev, 3), finished(Outcome::Completed)];
    let (row, best) = elsewhere(1, RunState::Completed, 10, &whole);
    let row = row.expect("a row");
    assert_eq!((row.0, row.1), (RunState::Completed, 10));
    let best = best.expect("a leader");
    assert!(row.2.is_some() && best.contains(&planned(1, RunState::Completed).name), "{best}");
}
