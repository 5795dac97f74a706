//! The time left of a sweep with a budget.

use super::*;

#[test]
fn the_time_left_ends_where_the_budget_does() {
    // Two of six runs are done; one is running, two of its ten steps trained at a second each.
    let left = |budget: Budget| {
        let mut sweep = LiveSweep::default();
        let state = |i: usize| if i < 2 { RunState::Completed } else { RunState::Pending };
        let infos: Vec<PlannedInfo> = (0..6).map(|i| planned(i, state(i))).collect();
        sweep.planned(&PlannedSweep { budget, ..plan(&infos, 6) });
        tell(&mut sweep, 2, 0.0, &[started()]);
        for trained in 1..=10 {
            tell(&mut sweep, 2, f64::from(trained), &[step(u64::from(trained as u32), 0.5)]);
        }
        tell(&mut sweep, 2, 10.0, &[finished(Outcome::Completed)]);
        sweep.left_s(10.0).map(|(left, _)| left.round())
    };
    let whole = left(Budget::default()).unwrap();
    // Nine runs are left; the budget of runs leaves six, three (the known ones), one, none of them.
    for (runs, of) in [(100, 9.0), (9, 6.0), (6, 3.0), (4, 1.0), (3, 0.0), (1, 0.0)] {
        let found = left(Budget { runs: Some(runs), seconds: None }).unwrap();
        assert!((found - whole * of / 9.0).abs() <= 1.0, "{runs}: {found} of {whole}");
    }
    let Event::StepCompleted(last) = step(10, 0.5) else { panic!("a step") };
    let spent = 2.0 * 4.0 + last.elapsed_s;
    assert_eq!(left(Budget { runs: None, seconds: Some(spent + 5.0) }), Some(5.0));
    assert_eq!(left(Budget { runs: None, seconds: Some(spent - 5.0) }), Some(0.0));
    assert_eq!(left(Budget { runs: None, seconds: Some(1e9) }), Some(whole));
}
