//! Writing, and what replaces what.

use super::*;
use crate::{
    event::{PrunedAt, PrunedBy},
    metrics::Metric,
};

/// What was predicted of these rows before training.
fn before(rows: &[u32]) -> Vec<PredictionBefore> {
    rows.iter().map(|row| prediction(*row, "x").into()).collect()
}

/// More rows than one value holds.
#[test]
fn predictions_before_training_of_many_rows_are_stored_in_parts() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let one = prediction(0, "x");
    let rows: Vec<PredictionBefore> = (0..250_000).map(|row| PredictionBefore { row, ..one.clone().into() }).collect();
    for _ in 0..2 {
        let predictions = rows.iter().rev().cloned().collect();
        store.append("k", &[Event::PredictedBefore { split: Split::Test, predictions }]).unwrap();
    }
    let parts: i64 = store.conn.query_row("SELECT count(*) FROM predictions_before", [], |row| row.get(0)).unwrap();
    assert_eq!(parts, 3);
    assert!(store.predictions_before("k", Split::Test).unwrap() == rows);
}

/// Bytes that this version cannot read are an error, not no predictions.
#[test]
fn damaged_predictions_before_training_are_an_error() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    store.append("k", &[Event::PredictedBefore { split: Split::Test, predictions: before(&[1]) }]).unwrap();
    store.conn.execute("UPDATE predictions_before SET packed = x'02'", []).unwrap();
    let error = store.predictions_before("k", Split::Test).unwrap_err().to_string();
    assert!(error.contains("they are damaged, or a newer version stored them"), "{error}");
}

#[test]
fn a_run_from_plan_to_end() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let pending = store.run("k").unwrap();
    assert_eq!((pending.state, pending.steps, pending.last_loss, pending.size), (RunState::Pending, 0, None, None));
    assert_eq!(pending.config, config());
    assert_eq!((pending.total_steps, pending.environment, pending.started_at), (10, None, None));

    store.start("k", &environment(), None).unwrap();
    let probes = vec![probe(0, 0.25), probe(1, 0.5)];
    let events = [
        started(2, None),
        Event::Note { message: "the head is new".into() },
        Event::ProbesScored { when: When::Before, step: 0, scores: probes.clone() },
        eval(When::Before, 0, Split::Test, 1),
        Event::PredictedBefore { split: Split::Test, predictions: before(&[5]) },
        // A run that begins again predicts them again.
        Event::PredictedBefore { split: Split::Test, predictions: before(&[3, 1]) },
        step(1, 0.75),
        Event::EvalProgress { split: Split::Test, done: 1, total: 4 },
        eval(When::During, 1, Split::Test, 2),
        Event::CheckpointSaved { step: 1 },
        step(2, 0.5),
    ];
    store.append("k", &events).unwrap();
    let running = store.run("k").unwrap();
    assert_eq!((running.state, running.steps, running.total_steps), (RunState::Running, 2, 2));
    assert_eq!((running.last_loss, running.checkpoint_step), (Some(0.5), Some(1)));
    assert_eq!((running.environment, running.final_metrics), (Some(environment()), None));
    let size = RunSize { steps_per_epoch: 5, train_rows: 80, dev_rows: 0, test_rows: 20, parameters: 38_477_058 };
    assert_eq!(running.size, Some(size));

    let predictions = vec![prediction(3, "好吃"), prediction(1, "逗号,引号\"和\n换行")];
    let end = [
        eval(When::After, 2, Split::Test, 3),
        Event::Predicted { split: Split::Test, predictions: predictions.clone() },
        Event::RunFinished(Outcome::Completed),
    ];
    store.append("k", &end).unwrap();
    drop(store);

    let store = Store::open_existing(folder.path()).unwrap();
    let run = store.run("k").unwrap();
    assert_eq!((run.state, run.failure, run.final_metrics), (RunState::Completed, None, Some(metrics(3))));
    assert!(run.created_at <= run.started_at.unwrap() && run.started_at <= run.finished_at);
    let Event::StepCompleted(first) = step(1, 0.75) else { unreachable!() };
    assert_eq!(store.steps("k").unwrap()[0], first);
    let evals: Vec<_> = store.evals("k").unwrap().into_iter().map(|e| (e.when, e.step, e.metrics)).collect();
    let want = [(When::Before, 0, metrics(1)), (When::During, 1, metrics(2)), (When::After, 2, metrics(3))];
    assert_eq!(evals, want);
    assert_eq!(store.predictions("k", Split::Test).unwrap(), [predictions[1].clone(), predictions[0].clone()]);
    assert_eq!(store.predictions("k", Split::Dev).unwrap(), []);
    assert_eq!(store.predictions_before("k", Split::Test).unwrap(), before(&[1, 3]));
    assert_eq!(store.predictions_before("k", Split::Dev).unwrap(), []);
    let stored: Vec<_> = store.probes("k", &testing::probes()).unwrap().into_iter().map(|p| p.score).collect();
    assert_eq!(stored, probes);
    assert_eq!(store.notes("k").unwrap()[0].message, "the head is new");
}

#[test]
fn registering_again_changes_nothing() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    store.append("k", &[step(1, 0.5)]).unwrap();
    let before = store.run("k").unwrap();
    register(&mut store, "k", "another name");
    assert_eq!(store.run("k").unwrap(), before);
}

#[test]
fn what_is_not_finite_is_stored_and_read_back() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let mut sick = metrics(2);
    sick.set(Metric::Loss, f64::NAN);
    let mut prediction = prediction(0, "x");
    prediction.probabilities = vec![f32::NAN, 0.5].into();
    let events = [
        step(1, f64::INFINITY),
        step(2, f64::NAN),
        Event::EvalCompleted {
            when: When::After,
            step: 2,
            epoch: 1,
            split: Split::Test,
            metrics: sick,
            elapsed_s: 1.0,
        },
        Event::Predicted { split: Split::Test, predictions: vec![prediction] },
        Event::RunFinished(Outcome::Failed { kind: FailureKind::Diverged, message: "loss at step 2".into() }),
    ];
    store.append("k", &events).unwrap();
    let steps = store.steps("k").unwrap();
    assert!(steps[0].loss == f64::INFINITY && steps[1].loss.is_nan());
    let run = store.run("k").unwrap();
    assert!(run.last_loss.unwrap().is_nan() && run.final_metrics.as_ref().unwrap().get(Metric::Loss).is_nan());
    assert_eq!((run.state, run.failure), (RunState::Failed, Some(FailureKind::Diverged)));
    assert_eq!(run.message.as_deref(), Some("loss at step 2"));
    let stored = store.predictions("k", Split::Test).unwrap();
    assert!(stored[0].probabilities.get(0).unwrap().is_nan() && stored[0].probabilities.get(1) == Some(0.5));
    assert!(serde_json::to_string(&run).unwrap().contains("\"last_loss\":null"));
}

#[test]
fn retrained_steps_replace_earlier_ones_one_by_one() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    store.start("k", &environment(), None).unwrap();
    let mut first: Vec<Event> = (1..=6).map(|i| step(i, 1.0)).collect();
    first.insert(3, Event::CheckpointSaved { step: 3 });
    first.push(eval(When::During, 5, Split::Dev, 1));
    first.push(Event::ProbesScored { when: When::During, step: 5, scores: vec![probe(0, 0.25)] });
    store.append("k", &first).unwrap();

    store.start("k", &environment(), Some(3)).unwrap();
    store.append("k", &[started(10, Some(3)), step(4, 0.5)]).unwrap();
    assert_eq!(losses(&store), [(1, 1.0), (2, 1.0), (3, 1.0), (4, 0.5), (5, 1.0), (6, 1.0)]);
    let run = store.run("k").unwrap();
    assert_eq!((run.steps, run.last_loss, run.checkpoint_step), (6, Some(0.5), Some(3)));

    let again = [
        step(5, 0.25),
        eval(When::During, 5, Split::Dev, 2),
        Event::ProbesScored { when: When::During, step: 5, scores: vec![probe(0, 0.75)] },
    ];
    store.append("k", &again).unwrap();
    let evals = store.evals("k").unwrap();
    assert_eq!((evals.len(), &evals[0].metrics), (1, &metrics(2)));
    let probes = store.probes("k", &probes()).unwrap();
    assert_eq!((probes.len(), &probes[0].score), (1, &probe(0, 0.75)));
    assert_eq!(store.run("k").unwrap().steps, 6);
}

#[test]
fn completing_removes_everything_beyond_the_end() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let mut first: Vec<Event> = (1..=6).map(|i| step(i, i as f64)).collect();
    for at in [2, 4, 6] {
        first.push(eval(When::During, at, Split::Dev, 1));
        first.push(Event::ProbesScored { when: When::During, step: at, scores: vec![probe(0, 0.5)] });
    }
    first.push(eval(When::After, 6, Split::Test, 1));
    store.append("k", &first).unwrap();

    // The second time it stops early, after step 4; an interruption in between removes nothing.
    store.start("k", &environment(), Some(3)).unwrap();
    store.append("k", &[started(10, Some(3)), Event::RunFinished(Outcome::Interrupted)]).unwrap();
    assert_eq!(losses(&store).len(), 6);
    store.start("k", &environment(), Some(3)).unwrap();
    let end = [
        started(10, Some(3)),
        step(4, 0.5),
        eval(When::After, 4, Split::Test, 4),
        Event::RunFinished(Outcome::Completed),
    ];
    store.append("k", &end).unwrap();
    assert_eq!(losses(&store), [(1, 1.0), (2, 2.0), (3, 3.0), (4, 0.5)]);
    let evals: Vec<_> = store.evals("k").unwrap().into_iter().map(|e| (e.when, e.step)).collect();
    assert_eq!(evals, [(When::During, 2), (When::During, 4), (When::After, 4)]);
    assert_eq!(store.probes("k", &probes()).unwrap().iter().map(|p| p.step).collect::<Vec<_>>(), [2, 4]);
    let run = store.run("k").unwrap();
    assert_eq!((run.steps, run.last_loss, run.final_metrics), (4, Some(0.5), Some(metrics(4))));
}

#[test]
fn a_run_that_resumes_at_its_last_step_keeps_it() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    store.append("k", &[step(1, 1.0), step(2, 0.5), step(3, 0.25)]).unwrap();
    store.start("k", &environment(), Some(2)).unwrap();
    store.append("k", &[started(2, Some(2)), Event::RunFinished(Outcome::Completed)]).unwrap();
    assert_eq!(losses(&store), [(1, 1.0), (2, 0.5)]);
    assert_eq!(store.run("k").unwrap().last_loss, Some(0.5));
}

#[test]
fn restarting_clears_the_failure_and_does_not_repeat_notes() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let note = Event::Note { message: "the head is new".into() };
    store.start("k", &environment(), None).unwrap();
    store.append("k", std::slice::from_ref(&note)).unwrap();
    let first = store.run("k").unwrap().started_at;
    store.mark("k", RunState::Failed, Some(FailureKind::Oom), Some("memory ran out")).unwrap();
    let failed = store.run("k").unwrap();
    assert_eq!((failed.failure, failed.message.as_deref()), (Some(FailureKind::Oom), Some("memory ran out")));
    assert!(failed.finished_at.is_some());
    store.start("k", &environment(), None).unwrap();
    store.append("k", &[note]).unwrap();
    let run = store.run("k").unwrap();
    assert_eq!((run.state, run.failure, run.message, run.finished_at), (RunState::Running, None, None, None));
    assert_eq!((run.started_at, store.notes("k").unwrap().len()), (first, 1));
}

#[test]
fn the_final_metrics_are_of_test_else_of_dev() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    store.append("k", &[eval(When::During, 9, Split::Test, 1), eval(When::After, 9, Split::Dev, 2)]).unwrap();
    assert_eq!(store.run("k").unwrap().final_metrics, Some(metrics(2)));
    store.append("k", &[eval(When::After, 9, Split::Test, 3)]).unwrap();
    assert_eq!(store.run("k").unwrap().final_metrics, Some(metrics(3)));
    // Test rows that are still to be evaluated have no metrics: those of the dev split do not replace them.
    register(&mut store, "l", "n");
    store.append("l", &[started(10, None), eval(When::After, 10, Split::Dev, 2)]).unwrap();
    assert_eq!(store.run("l").unwrap().final_metrics, None);
}

#[test]
fn predictions_replace_all_of_their_split() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let of = |rows: &[u32], split| Event::Predicted {
        split,
        predictions: rows.iter().map(|row| prediction(*row, "x")).collect(),
    };
    store.append("k", &[of(&[1, 2, 3], Split::Test), of(&[9], Split::Dev), of(&[2], Split::Test)]).unwrap();
    let rows = |split| store.predictions("k", split).unwrap().iter().map(|p| p.row).collect::<Vec<_>>();
    assert_eq!((rows(Split::Test), rows(Split::Dev)), (vec![2], vec![9]));
}

#[test]
fn a_failed_append_leaves_nothing() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let bad = Event::CheckpointSaved { step: u64::MAX };
    assert!(store.append("k", &[step(1, 1.0), bad]).is_err());
    assert_eq!((losses(&store), store.run("k").unwrap().steps), (vec![], 0));
    store.append("k", &[step(1, 1.0)]).unwrap();
    assert_eq!(losses(&store), [(1, 1.0)]);
}

#[test]
fn events_of_an_unknown_run_are_refused() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    for error in [
        store.append("unknown", &[step(1, 1.0)]).unwrap_err(),
        store.start("unknown", &environment(), None).unwrap_err(),
        store.mark("unknown", RunState::Failed, None, None).unwrap_err(),
    ] {
        assert!(matches!(&error, StoreError::NotRegistered { key } if key == "unknown"), "{error}");
    }
}

#[test]
fn warnings_are_updated_only_for_the_current_plan_of_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let mut first = experiment("e", &["a"]);
    let second = ExperimentRecord { arguments: vec!["--set".into(), "train.lr=1".into()], ..experiment("e", &["b"]) };
    store.save_experiment(&first).unwrap();
    first.warnings = vec![Warning::new(Kind::Sweep, "rung 1 decided nothing")];
    first.to_come = 0;
    store.renew(&first).unwrap();
    assert_eq!(store.experiment("e").unwrap(), first);
    // A command that ends after another has planned the same name does not change that plan.
    store.save_experiment(&second).unwrap();
    store.renew(&first).unwrap();
    assert_eq!(store.experiment("e").unwrap(), second);
}

/// The end of a run is when it trained last: a run that its sweep held did so before the sweep decided. Another one is pruned as it trains.
#[test]
fn a_run_that_is_pruned_while_it_waits_ended_when_it_was_held() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let end = |store: &Store| store.run("k").unwrap().finished_at.unwrap();
    store.append("k", &[started(10, None), Event::RunFinished(Outcome::Paused { step: 3 })]).unwrap();
    store.conn.execute("UPDATE runs SET finished_at = 1000.5", []).unwrap();
    let pruned = Event::RunFinished(Outcome::Pruned { reason: "rank 3 of 3".into(), at: None });
    store.append("k", std::slice::from_ref(&pruned)).unwrap();
    assert_eq!((end(&store), store.run("k").unwrap().state), (1000.5, RunState::Pruned));

    store.start("k", &environment(), None).unwrap();
    store.append("k", &[started(10, None), pruned]).unwrap();
    assert!(end(&store) > 1e9);
}

/// Where a run was pruned is forgotten when it trains again, whether it completes or is pruned otherwise.
#[test]
fn a_run_knows_at_which_rung_it_was_pruned() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let at = Some(PrunedAt { rung: 2, rule: PrunedBy::Median });
    let pruned = |at| Event::RunFinished(Outcome::Pruned { reason: "at rung 7".into(), at });
    // Events are files on a cluster.
    let sent = serde_json::to_value(pruned(at)).unwrap();
    let said = serde_json::json!({"event": "run_finished", "outcome": "pruned", "reason": "at rung 7", "rung": 2, "rule": "median"});
    assert_eq!(sent, said);
    let received: Event = serde_json::from_value(sent).unwrap();
    store.append("k", &[started(10, None), received]).unwrap();
    assert_eq!(store.run("k").unwrap().pruned_at, at);
    store.start("k", &environment(), None).unwrap();
    assert_eq!(store.run("k").unwrap().pruned_at, None);
    store.append("k", &[pruned(at)]).unwrap();
    let old: Event = serde_json::from_str(r#"{"event": "run_finished", "outcome": "pruned", "reason": "r"}"#).unwrap();
    assert_eq!(old, Event::RunFinished(Outcome::Pruned { reason: "r".into(), at: None }));
    store.append("k", &[old]).unwrap();
    assert_eq!(store.run("k").unwrap().pruned_at, None);
    store.append("k", &[pruned(at), Event::RunFinished(Outcome::Completed)]).unwrap();
    assert_eq!(store.run("k").unwrap().pruned_at, None);
}
