//! The scheduler with an executor that has no processes and a clock that does not tick: what happens, in order.

use super::{
    Outcome as Whole, Tally,
    fake::{Act, Bench, fails, trains},
};
use crate::{
    event::{FailureKind, Outcome},
    execute::{DeviceChoice, ExecuteError},
    plan::{Budget, Prune},
    store::RunState,
};

/// What the plan promises of pruning is what the scheduler does.
mod pruning;

const CPU: DeviceChoice = DeviceChoice::Cpu;
const GPU: DeviceChoice = DeviceChoice::Cuda(0);
const ASHA: Prune = Prune::Asha { reduction_factor: 3, rungs: 2 };
const KILLED: Act = Act::Die(FailureKind::Crashed, "its worker was killed (signal 9)\nits last output:\nnone");
const DONE: Act = Act::End(Outcome::Completed);

/// All steps after `from`, and the end.
fn whole(from: u64) -> Vec<Act> {
    (from + 1..=9).map(Act::Step).chain([DONE]).collect()
}

fn states(bench: &Bench, runs: usize) -> Vec<RunState> {
    (0..runs).map(|run| bench.record(run).state).collect()
}

#[test]
fn runs_begin_in_the_order_of_the_plan_wherever_a_slot_is_free() {
    let bench = Bench::new(&["a", "b", "c", "d"]);
    let script = |name: &str, _: usize, _: u64| if name == "b" { vec![Act::Step(9), DONE] } else { whole(0) };
    let outcome = bench.call(&[CPU, CPU], &script, Whole::default()).unwrap();
    let want = ["0: a", "1: b", "b: completed", "1: c", "a: completed", "0: d", "c: completed", "d: completed"];
    assert_eq!(bench.log(), want);
    assert_eq!(outcome.tally, Tally { completed: 4, ..Tally::default() });
    assert_eq!(states(&bench, 4), [RunState::Completed; 4]);
}

#[test]
fn a_crash_is_tried_again_from_the_checkpoint() {
    let bench = Bench::new(&["a", "b"]);
    let script = |name: &str, attempt: usize, from: u64| match (name, attempt) {
        ("a", 1) => vec![Act::Step(1), Act::Step(2), KILLED],
        _ => whole(from),
    };
    let outcome = bench.run(&script);
    let want = [
        "0: a",
        "0: cancel",
        "a: its worker was killed (signal 9); retried (1 of 2)",
        "a: retried",
        "0: a from 2",
        "a: completed",
        "0: b",
        "b: completed",
    ];
    assert_eq!(bench.log(), want);
    assert_eq!(outcome.tally, Tally { completed: 2, ..Tally::default() });
    assert_eq!(bench.record(0).steps, 9);
}

#[test]
fn a_crash_without_retries_left_is_a_failure_and_the_next_run_begins() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.retries = 1;
    let script = |name: &str, attempt: usize, from: u64| match name {
        "a" => vec![Act::Step(from + 1), Act::Step(from + 2), KILLED],
        _ => [vec![Act::Step(attempt as u64)], whole(1)].concat(),
    };
    let outcome = bench.run(&script);
    let want = [
        "0: a",
        "0: cancel",
        "a: its worker was killed (signal 9); retried (1 of 1)",
        "a: retried",
        "0: a from 2",
        "0: cancel",
        "a: failed (crashed)",
        "0: b",
        "b: completed",
    ];
    assert_eq!(bench.log(), want);
    assert_eq!(outcome.tally, Tally { completed: 1, failed: 1, ..Tally::default() });
    let record = bench.record(0);
    assert_eq!((record.state, record.failure, record.steps), (RunState::Failed, Some(FailureKind::Crashed), 4));
    // The next command tries it again.
    let outcome = bench.run(&|_, _, from| whole(from));
    assert_eq!(bench.log(), ["0: a from 4", "a: completed"]);
    assert_eq!(outcome.tally, Tally { completed: 1, already_done: 1, ..Tally::default() });
    assert_eq!(
        outcome.skipped.iter().map(|s| (&s.name[..], &s.why[..])).collect::<Vec<_>>(),
        [("b", "completed before")]
    );
}

#[test]
fn a_worker_that_reports_its_own_crash_is_replaced() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.retries = 0;
    let script = |name: &str, _: usize, _: u64| match name {
        "a" => vec![Act::Step(1), fails(FailureKind::Crashed)],
        _ => vec![Act::Step(1), fails(FailureKind::Error)],
    };
    let outcome = bench.run(&script);
    let want = ["0: a", "a: failed (crashed)", "0: cancel", "0: b", "b: failed (error)"];
    assert_eq!(bench.log(), want, "after any other failure the worker trains the next run");
    assert_eq!(outcome.tally, Tally { failed: 2, ..Tally::default() });
}

#[test]
fn a_run_of_another_process_is_waited_for_and_trained_here_if_that_process_leaves_it() {
    let bench = Bench::new(&["a", "b"]);
    let lock = bench.lock(0);
    bench.later(5, move || drop(lock));
    let outcome = bench.run(&|_, _, from| whole(from));
    let want = [
        "0: b",
        "b: completed",
        "says: another taper process is training 1 of the remaining runs: waiting for it",
        "0: a",
        "a: completed",
    ];
    assert_eq!(bench.log(), want);
    assert_eq!(outcome.tally, Tally { completed: 2, ..Tally::default() });
}

#[test]
fn a_worker_that_still_reads_its_rows_is_ended_by_ctrl_c_at_once() {
    let bench = Bench::new(&["a", "b"]);
    let outcome = bench.run(&|_, _, _| vec![Act::CtrlC, Act::Think, Act::Step(1), DONE]);
    assert_eq!(bench.log(), ["0: a", "0: cancel"], "it is not told to stop after a step");
    assert_eq!(outcome.tally, Tally { not_started: 2, ..Tally::default() });
    assert_eq!(states(&bench, 2), [RunState::Pending; 2]);
    // One that had begun before stays as it was.
    bench.run(&|_, _, _| vec![Act::Step(1), Act::CtrlC, Act::Step(2)]);
    let outcome = bench.run(&|_, _, _| vec![Act::CtrlC, Act::Think]);
    assert_eq!(outcome.tally, Tally { stopped: 1, not_started: 1, ..Tally::default() });
}

#[test]
fn a_run_that_another_process_trains_is_not_interrupted_by_ctrl_c_here() {
    let bench = Bench::new(&["a", "b"]);
    let (_lock, mut store) = (bench.lock(1), bench.store());
    store.mark(&bench.key(1), RunState::Running, None, None).unwrap();
    let outcome = bench.run(&|_, _, _| vec![Act::Step(1), Act::CtrlC, Act::Step(2)]);
    assert_eq!(outcome.tally, Tally { stopped: 1, elsewhere: 1, ..Tally::default() });
    assert_eq!(bench.record(1).state, RunState::Running);
}

#[test]
fn a_run_that_another_process_ends_is_done() {
    let bench = Bench::new(&["a", "b"]);
    let (lock, mut store, key) = (bench.lock(1), bench.store(), bench.key(1));
    bench.later(5, move || {
        store.mark(&key, RunState::Failed, Some(FailureKind::Diverged), Some("the loss is NaN")).unwrap();
        drop(lock);
    });
    let outcome = bench.run(&|_, _, from| whole(from));
    let waits = "says: another taper process is training 1 of the remaining runs: waiting for it";
    assert_eq!(bench.log(), ["0: a", "a: completed", waits]);
    assert_eq!(outcome.tally, Tally { completed: 1, diverged_before: 1, ..Tally::default() });
    let why = "diverged before and was skipped; --retry trains it again";
    assert_eq!(outcome.skipped.iter().map(|s| (&s.name[..], &s.why[..])).collect::<Vec<_>>(), [("b", why)]);
}

#[test]
fn ctrl_c_stops_each_run_once_and_the_next_command_continues_them() {
    let bench = Bench::new(&["a", "b", "c"]);
    // The user presses it again while the workers finish their steps.
    let stopped = |name: &str, _: usize, _: u64| match name {
        "a" => vec![Act::Step(1), Act::CtrlC, Act::CtrlC],
        _ => vec![Act::Step(1), Act::Step(2), Act::Step(3)],
    };
    let outcome = bench.call(&[CPU, CPU], &stopped, Whole::default()).unwrap();
    assert_eq!(bench.log(), ["0: a", "1: b", "0: stop", "1: stop", "b: interrupted", "a: interrupted"]);
    assert_eq!(outcome.tally, Tally { stopped: 2, not_started: 1, ..Tally::default() });
    assert_eq!(states(&bench, 3), [RunState::Interrupted, RunState::Interrupted, RunState::Pending]);
    let outcome = bench.call(&[CPU, CPU], &|_, _, from| whole(from), Whole::default()).unwrap();
    let log = bench.log();
    assert_eq!(log[..2], ["0: a from 1", "1: b from 1"]);
    assert_eq!((log.len(), outcome.tally), (6, Tally { completed: 3, ..Tally::default() }));
}

#[test]
fn a_crash_while_the_command_stops_is_left_to_the_next_command() {
    let bench = Bench::new(&["a"]);
    let script = |_: &str, attempt: usize, _: u64| match attempt {
        1 => vec![Act::Step(1), Act::CtrlC, KILLED],
        _ => whole(1),
    };
    // The worker dies before the request to stop reaches it.
    let outcome = bench.run(&script);
    assert_eq!(outcome.tally, Tally { stopped: 1, ..Tally::default() });
    assert_eq!(states(&bench, 1), [RunState::Interrupted]);
    assert_eq!(bench.log().last().unwrap(), "a: interrupted");
}

#[test]
fn a_worker_that_alone_is_stopped_ends_its_run_and_no_other() {
    let bench = Bench::new(&["a", "b"]);
    let script = |name: &str, _: usize, from: u64| match name {
        "a" => vec![Act::Step(1), Act::End(Outcome::Interrupted)],
        _ => whole(from),
    };
    let outcome = bench.run(&script);
    assert_eq!(bench.log(), ["0: a", "a: interrupted", "0: cancel", "0: b", "b: completed"]);
    assert_eq!(outcome.tally, Tally { completed: 1, stopped: 1, ..Tally::default() });
}

#[test]
fn a_sweep_that_compares_runs_stops_with_the_worker_that_alone_is_stopped() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.prune = ASHA;
    let outcome = bench.run(&|_, _, _| vec![Act::Step(1), Act::End(Outcome::Interrupted)]);
    let says = "says: the worker of `a` was stopped from outside: the sweep stops too, because it compares other runs \
                with this one";
    assert_eq!(bench.log(), ["0: a", "a: interrupted", says, "0: stop", "0: cancel"]);
    assert_eq!(outcome.tally, Tally { stopped: 1, not_started: 1, ..Tally::default() });
}

#[test]
fn the_slot_of_a_pruned_run_is_filled_with_the_next() {
    let mut bench = Bench::new(&["a", "b", "c"]);
    bench.prune = Prune::Median { startup_trials: 1 };
    // Its rungs are the steps before the last: b is worse than the first at the first, c is better at all of them.
    let script = |name: &str, _: usize, _: u64| {
        let right = match name {
            "a" => 3,
            "b" => 1,
            _ => 4,
        };
        let steps = (1..9).flat_map(|at| [Act::Step(at), Act::Eval(at, right), Act::Ask(at)]);
        steps.chain([Act::Step(9), DONE]).collect()
    };
    let outcome = bench.run(&script);
    let log: Vec<String> = bench.log().into_iter().filter(|line| line != "0: continue").collect();
    let want = ["0: a", "a: completed", "0: b", "0: wait", "b: paused at 1", "b: pruned", "0: c", "c: completed"];
    assert_eq!(log.len(), want.len(), "{log:#?}");
    for (line, want) in log.iter().zip(want) {
        assert!(line.starts_with(want), "{line}");
    }
    assert!(log[5].starts_with("b: pruned at step 1: dev accuracy 25.0% "), "{}", log[5]);
    assert_eq!(outcome.tally, Tally { completed: 2, pruned: 1, ..Tally::default() });
    // The next command leaves it out, and one with --retry trains it whole.
    let outcome = bench.run(&script);
    assert_eq!(outcome.tally, Tally { already_done: 2, pruned_before: 1, ..Tally::default() });
    let why = outcome.skipped[0].whole();
    assert!(why.starts_with("pruned before and was skipped; --retry trains it to the end (at step 1: "), "{why}");
    bench.log();
    bench.retry = true;
    let outcome = bench.run(&|_, _, from| whole(from));
    assert_eq!(bench.log(), ["0: b from 1", "b: completed"]);
    assert_eq!(outcome.tally, Tally { completed: 1, already_done: 2, ..Tally::default() });
}

#[test]
fn runs_wait_at_a_rung_until_their_trial_is_promoted() {
    let mut bench = Bench::new(&["a", "b", "c"]);
    bench.prune = ASHA;
    let script = |name: &str, _: usize, from: u64| trains(from, if name == "b" { 4 } else { 2 });
    let outcome = bench.call(&[CPU, CPU], &script, Whole::default()).unwrap();
    let mut log = bench.log();
    let pruned = log.split_off(log.len() - 2);
    let want = [
        "0: a",
        "1: b",
        "0: wait",
        "1: wait",
        "a: paused at 1",
        "b: paused at 1",
        "0: c",
        // The best of three is promoted,
        "1: b from 1",
        "0: wait",
        "c: paused at 1",
        "1: wait",
        "b: paused at 3",
        // and then, when nothing else can be trained, to its end.
        "0: b from 3",
        "b: completed",
    ];
    assert_eq!(log, want);
    for (line, want) in
        pruned.iter().zip(["a: pruned at step 1: ranks 2–3 of 3 ", "c: pruned at step 1: ranks 2–3 of 3 "])
    {
        assert!(line.starts_with(want), "{line}");
    }
    assert_eq!(outcome.tally, Tally { completed: 1, pruned: 2, ..Tally::default() });
    assert_eq!(states(&bench, 3), [RunState::Pruned, RunState::Completed, RunState::Pruned]);
}

#[test]
fn memory_that_ran_out_beside_others_leaves_fewer_runs_at_a_time() {
    let bench = Bench::new(&["a", "b", "c"]);
    let script = |name: &str, attempt: usize, from: u64| match (name, attempt) {
        ("a", 1) => vec![Act::Step(1), fails(FailureKind::Oom)],
        _ => whole(from),
    };
    let outcome = bench.call(&[GPU, GPU], &script, Whole::default()).unwrap();
    let want = [
        "0: a",
        "1: b",
        "a: a message about oom; other runs were on cuda:0 at the same time: retried alone",
        "a: retried",
        // Not beside b; then idle workers give their memory back.
        "b: completed",
        "0: release",
        "1: release",
        "0: a from 1",
        "a: completed",
        "0: c",
        "c: completed",
    ];
    assert_eq!(bench.log(), want);
    assert_eq!(outcome.tally, Tally { completed: 3, ..Tally::default() });
}

#[test]
fn memory_that_ran_out_alone_halves_the_parts_until_they_are_too_small() {
    let bench = Bench::new(&["a", "b"]);
    let script = |name: &str, _: usize, from: u64| match name {
        "a" => vec![Act::Step(from + 1), fails(FailureKind::Oom)],
        _ => whole(from),
    };
    let outcome = bench.run(&script);
    // Four rows of 43 tokens.
    let note = "a: a message about oom; continues with micro-batches of at most 86 tokens instead of 172; the \
                effective batch stays 4 rows";
    let want = ["0: a", note, "a: retried", "0: a from 1 in parts of 86", "a: failed (oom)", "0: b", "b: completed"];
    assert_eq!(bench.log(), want);
    assert_eq!(outcome.tally, Tally { completed: 1, failed: 1, ..Tally::default() });
}

#[test]
fn a_worker_without_room_on_a_device_is_done_without() {
    let bench = Bench::new(&["a", "b"]);
    let script = |name: &str, attempt: usize, from: u64| match (name, attempt) {
        ("b", 1) => vec![Act::NoDevice("out of memory")],
        _ => whole(from),
    };
    let outcome = bench.call(&[GPU, GPU], &script, Whole::default()).unwrap();
    let says = "says: running one worker fewer on cuda:0: out of memory";
    assert_eq!(bench.log(), ["0: a", "1: b", says, "1: release", "a: completed", "0: b", "b: completed"]);
    assert_eq!(outcome.tally, Tally { completed: 2, ..Tally::default() });
    // Without others nothing can be trained there.
    let bench = Bench::new(&["a", "b"]);
    let error = bench.call(
        &[GPU, CPU],
        &|name, _, _| match name {
            "a" => vec![Act::NoDevice("no such device")],
            _ => whole(0),
        },
        Whole::default(),
    );
    assert!(matches!(&error, Err(ExecuteError::Device(message)) if message == "no such device"), "{error:?}");
}

#[test]
fn a_command_that_fails_marks_the_runs_it_was_training() {
    let bench = Bench::new(&["a", "b"]);
    let error =
        bench.call(&[CPU, CPU], &|name, _, _| if name == "a" { whole(0) } else { Vec::new() }, Whole::default());
    assert_eq!(error.unwrap_err().to_string(), "no process can be started");
    let record = bench.record(0);
    assert_eq!((record.state, record.failure), (RunState::Failed, Some(FailureKind::Error)));
    assert_eq!(record.message.as_deref(), Some("no process can be started"));
    assert_eq!(bench.record(1).state, RunState::Pending);
    drop(bench.lock(0));
}

#[test]
fn a_diverged_run_takes_its_trial_with_it_and_is_trained_again_with_retry_alone() {
    let mut bench = Bench::new(&["a", "b"]);
    let script = |name: &str, _: usize, from: u64| match name {
        "a" => vec![Act::Step(1), fails(FailureKind::Diverged)],
        _ => whole(from),
    };
    assert_eq!(bench.run(&script).tally, Tally { completed: 1, failed: 1, ..Tally::default() });
    let again = bench.run(&script);
    assert_eq!(again.tally, Tally { already_done: 1, diverged_before: 1, ..Tally::default() });
    assert_eq!(again.skipped[0].why, "diverged before and was skipped; --retry trains it again");
    assert_eq!(bench.log(), ["0: a", "a: failed (diverged)", "0: b", "b: completed"]);
    bench.retry = true;
    assert_eq!(bench.run(&|_, _, _| whole(0)).tally, Tally { completed: 1, already_done: 1, ..Tally::default() });
}

#[test]
fn a_spent_budget_begins_no_run_and_ends_none_before_its_step() {
    let mut bench = Bench::new(&["a", "b", "c"]);
    bench.budget = Budget { runs: Some(2), seconds: None };
    let outcome = bench.run(&|_, _, from| whole(from));
    assert_eq!(bench.log(), ["0: a", "a: completed", "0: b", "b: completed"]);
    assert_eq!(outcome.tally, Tally { completed: 2, beyond_budget: 1, ..Tally::default() });
    // A step is half a second.
    let mut bench = Bench::new(&["a", "b"]);
    bench.budget = Budget { runs: None, seconds: Some(2.0) };
    let outcome = bench.run(&|_, _, from| whole(from));
    assert_eq!(bench.log(), ["0: a", "0: stop", "a: interrupted"]);
    assert_eq!(outcome.tally, Tally { beyond_budget: 2, ..Tally::default() });
    assert_eq!(bench.record(0).steps, 4);
}

#[test]
fn ctrl_c_ends_a_worker_that_reads_its_rows_after_the_budget_is_spent() {
    let mut bench = Bench::new(&["a", "b"]);
    bench.budget = Budget { runs: None, seconds: Some(1.0) };
    // The budget is spent after the second step of `a`; by then both workers were told to stop.
    let reads = || [vec![Act::Read; 12], vec![Act::CtrlC, Act::Read, Act::Read]].concat();
    let script = |name: &str, _: usize, from: u64| if name == "b" { reads() } else { whole(from) };
    let outcome = bench.call(&[CPU, CPU], &script, Whole::default()).unwrap();
    assert_eq!(bench.log(), ["0: a", "1: b", "0: stop", "1: stop", "a: interrupted", "1: cancel"]);
    assert_eq!(outcome.tally, Tally { stopped: 1, not_started: 1, ..Tally::default() });
}

#[test]
fn a_later_call_looks_into_no_run_that_is_ended() {
    let bench = Bench::new(&["a", "b"]);
    let script = |name: &str, _: usize, from: u64| match name {
        "a" => vec![Act::Step(1), fails(FailureKind::Error)],
        _ => whole(from),
    };
    let first = bench.run(&script);
    let tally = Tally { completed: 1, failed: 1, ..Tally::default() };
    assert_eq!((first.tally, bench.log().len()), (tally, 4));
    let second = bench.call(&[CPU], &script, first).unwrap();
    assert_eq!((second.tally, second.skipped.len()), (tally, 0));
    assert!(bench.log().is_empty(), "also not into the one that failed");
}
