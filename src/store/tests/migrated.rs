//! Databases of earlier versions are brought up to date with their data.

use super::*;
use crate::{
    event::{PrunedAt, PrunedBy},
    metrics::Metric,
    store::schema::{MIGRATIONS, version},
};

/// A database of version 1, as the first release left it, is read with all its data.
#[test]
fn version_1_is_brought_up_to_date_with_its_data() {
    let folder = folder();
    let old = older(folder.path(), 1);
    old.execute(
        "INSERT INTO runs (key, name, experiment, state, config, labels, total_steps, at_step, steps, last_loss,
             created_at)
         VALUES ('k', 'n', 'e', 'interrupted', ?1, '[\"neg\",\"pos\"]', 10, 2, 2, 0.5, 1.5)",
        [serde_json::to_string(&config()).unwrap()],
    )
    .unwrap();
    old.execute_batch(
        "INSERT INTO steps VALUES ('k', 1, 1, NULL, 1e-5, 2.0, 100, 0.5), ('k', 2, 1, 0.5, 1e-5, 2.0, 100, 1.0);
         INSERT INTO evals VALUES ('k', 'after', 2, 'dev', 1, 4, 0.5, 0.75, 0.5, 0.25, '[]', '[[3,1],[0,0]]', 1.0);
         INSERT INTO notes (run, message, at) VALUES ('k', 'hm', 1.0);",
    )
    .unwrap();
    drop(old);

    let store = Store::open(folder.path()).unwrap();
    assert_eq!(version(&store.conn).unwrap(), MIGRATIONS.len() as i64);
    let run = store.run("k").unwrap();
    assert_eq!((run.state, run.steps, run.last_loss), (RunState::Interrupted, 2, Some(0.5)));
    assert_eq!((run.config, run.labels, run.created_at), (config(), vec!["neg".into(), "pos".into()], 1.5));
    assert!(store.steps("k").unwrap()[0].loss.is_nan());
    let eval = &store.evals("k").unwrap()[0];
    assert_eq!((eval.when, eval.split, eval.metrics.get(Metric::Accuracy)), (When::After, Split::Dev, 0.75));
    assert_eq!(run.train_labels, None);
    // Stored as 0.5; recomputed from the matrix it is the mean of 6/7 and 0.
    assert_eq!(eval.metrics.get(Metric::MacroF1), 3.0 / 7.0);
    assert_eq!(store.notes("k").unwrap().len(), 1);
}

/// Before version 9 only the message told that a run waits.
#[test]
fn a_waiting_run_waits_after_the_migration() {
    let folder = folder();
    let old = older(folder.path(), 8);
    for (key, state, message) in [
        ("a", "interrupted", Some("waits at step 7 for the runs it is compared with")),
        ("b", "interrupted", None),
        ("c", "failed", Some("waits at step 7 for the runs it is compared with")),
    ] {
        insert_run(&old, key, state);
        old.execute("UPDATE runs SET message = ?2 WHERE key = ?1", rusqlite::params![key, message]).unwrap();
    }
    drop(old);
    let store = Store::open(folder.path()).unwrap();
    let waits =
        ["a", "b", "c"].map(|key| store.run(key).unwrap()).map(|run| (run.waits_at, run.state == RunState::Waiting));
    assert_eq!(waits, [(Some(7), true), (None, false), (None, false)]);
}

/// Before version 22 only the message told at which rung a run was pruned, and by which rule.
#[test]
fn a_pruned_run_has_its_rung_after_the_migration() {
    let folder = folder();
    let old = older(folder.path(), 21);
    let rank = "at step 9: rank 5 of 9 at rung 2 with dev accuracy 61.0%; only the best 3 (1 in 3) go on";
    let tied = "ranks 1–3 of 3 (1 more failed) at rung 14 with mean dev loss 0.5 (3 seeds), tied with 2 others";
    let median = "at step 90: dev loss 0.4500 at rung 12 is worse than 0.4000, the median of 3 earlier trials there";
    let (asha, by_median) = (|rung| Some(PrunedAt { rung, rule: PrunedBy::Asha }), PrunedBy::Median);
    let cases = [
        ("pruned", Some(rank), asha(2)),
        ("pruned", Some(tied), asha(14)),
        ("pruned", Some(median), Some(PrunedAt { rung: 12, rule: by_median })),
        ("pruned", Some("another run of its trial failed"), None),
        ("pruned", Some("failed before rung 1"), None),
        ("pruned", None, None),
        ("failed", Some(rank), None),
    ];
    for (i, (state, message, _)) in cases.iter().enumerate() {
        insert_run(&old, &i.to_string(), state);
        old.execute("UPDATE runs SET message = ?2 WHERE key = ?1", rusqlite::params![i.to_string(), message]).unwrap();
    }
    drop(old);
    let store = Store::open(folder.path()).unwrap();
    for (i, (_, message, at)) in cases.iter().enumerate() {
        assert_eq!(store.run(&i.to_string()).unwrap().pruned_at, *at, "{message:?}");
    }
}

/// Before version 11 only pruned or held runs told that a sweep prunes.
#[test]
fn a_sweep_that_pruned_or_held_a_run_prunes_after_the_migration() {
    let folder = folder();
    let old = older(folder.path(), 10);
    for (key, state, waits_at) in
        [("a", "pruned", None), ("b", "interrupted", Some(7)), ("c", "interrupted", None), ("d", "completed", None)]
    {
        insert_run(&old, key, state);
        old.execute("UPDATE runs SET experiment = ?1, waits_at = ?2 WHERE key = ?1", rusqlite::params![key, waits_at])
            .unwrap();
        old.execute(
            "INSERT INTO experiments (name, description, spec_path, arguments, spec_text, report, saved_at)
             VALUES (?1, '', '', '[]', '', '{}', 1.5)",
            [key],
        )
        .unwrap();
        old.execute("INSERT INTO experiment_runs (experiment, position, run, name) VALUES (?1, 0, ?1, ?1)", [key])
            .unwrap();
    }
    drop(old);
    let store = Store::open(folder.path()).unwrap();
    let prunes: Vec<bool> = store.experiments().unwrap().iter().map(|e| e.prunes).collect();
    assert_eq!(prunes, [true, true, false, false]);
}
