//! A sweep whose processes are killed again and again.
//!
//! `cargo test` kills a few times; `just torture` at least fifty, with `TAPER_TORTURE=50`.

use std::time::{Duration, Instant};

use taper::{
    random::philox,
    store::{RunState, Store},
};

use super::twelve::*;

#[test]
fn a_sweep_under_kill_9_ends_as_an_undisturbed_one() {
    let wanted: usize = std::env::var("TAPER_TORTURE").map_or(6, |n| n.parse().expect("a number of kills"));
    // Long enough that all the kills meet one sweep under way.
    let long = [format!("train.epochs={}", 8 * wanted.div_ceil(12)), "train.early_stopping_patience=0".to_string()];
    let long: Vec<&str> = long.iter().flat_map(|set| ["--set", set]).collect();
    let more: &[&str] = if wanted > 6 { &long } else { &[] };
    let sandbox = twelve_runs();
    sandbox.finish("calm", more);
    let calm = trail(&sandbox.path("calm"));
    assert_eq!(calm.1.len(), RUNS);

    let mut draws = 0;
    let mut random = |below: u64| {
        draws += 1;
        u64::from(philox([7, 7], [draws, 0, 0, 0])[0]) % below
    };
    let (mut kills, mut of_parents, mut sweeps, mut failures, mut under_way) = (0, 0, 0, 0, 0);
    while kills < wanted {
        let runs = format!("runs{sweeps}");
        sweeps += 1;
        loop {
            let mut parent = sandbox.start(&runs, &[&["--jobs", "2"], more].concat());
            let patience = Duration::from_millis(40 + random(260));
            let begin = Instant::now();
            let mut ended = None;
            while begin.elapsed() < patience && ended.is_none() {
                std::thread::sleep(Duration::from_millis(5));
                ended = parent.try_wait().expect("a child");
            }
            if let Some(status) = ended {
                // Every run completed, or one lost its worker more often than it may.
                if status.success() {
                    break;
                }
                failures += 1;
                assert!(failures < 50 + wanted, "it fails again and again");
                continue;
            }
            let store = Store::open_existing(&sandbox.path(&runs));
            let behind = store.and_then(|store| store.runs()).unwrap_or_default();
            under_way +=
                usize::from(behind.iter().any(|r| r.state == RunState::Running && r.checkpoint_step.is_some()));
            let workers = children(parent.id());
            let victim = match random(2) {
                0 => None,
                _ => workers.get(random(workers.len().max(1) as u64) as usize),
            };
            kills += 1;
            if let Some(&worker) = victim {
                kill(worker);
                // Its command continues for a while; then it is killed too.
                std::thread::sleep(Duration::from_millis(random(200)));
                if kills < wanted {
                    kills += 1;
                }
            }
            of_parents += 1;
            let workers = children(parent.id());
            parent.kill().expect("kill -9");
            parent.wait().expect("its end");
            let begin = Instant::now();
            while workers.iter().any(|&pid| is_alive(pid)) {
                assert!(begin.elapsed() < Duration::from_secs(10), "a worker outlives its command");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        sandbox.finish(&runs, more);
        let after = trail(&sandbox.path(&runs));
        assert!(after.0 == calm.0, "the steps differ from those of an undisturbed sweep");
        assert_eq!(after.1, calm.1, "weights or metrics differ");
        let store = Store::open_existing(&sandbox.path(&runs)).expect("a store");
        assert!(store.runs().expect("runs").iter().all(|run| run.state == RunState::Completed));
        assert_clean(&sandbox.path(&runs));
    }
    assert!(of_parents > 0 && under_way > 0, "{under_way} kills met a run that had a checkpoint");
    eprintln!("{kills} kills, {of_parents} of them of the command itself, over {sweeps} sweeps of {RUNS} runs");
}
