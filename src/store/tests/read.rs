//! Reading, and errors of the file or its user.

use super::*;
use crate::{
    event::Prediction,
    metrics::{Metric, Metrics, Probabilities, Scored, Target},
};

#[test]
fn experiments_keep_the_plans_order_and_share_runs() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    store.save_experiment(&experiment("waimai", &["b", "a", "later", "b"])).unwrap();
    store.save_experiment(&experiment("other", &["a"])).unwrap();
    register(&mut store, "a", "seed=1");
    register(&mut store, "b", "seed=2");
    let keys = |runs: Vec<RunRecord>| runs.into_iter().map(|run| run.key).collect::<Vec<_>>();
    assert_eq!(keys(store.runs_of("waimai").unwrap()), ["b", "a"]);
    assert_eq!(keys(store.runs_of("other").unwrap()), ["a"]);
    assert_eq!(keys(store.runs().unwrap()), ["a", "b"]);
    assert_eq!(store.experiment("waimai").unwrap(), experiment("waimai", &["b", "a", "later"]));

    let changed = ExperimentRecord { description: "changed".into(), ..experiment("waimai", &["a"]) };
    store.save_experiment(&changed).unwrap();
    assert_eq!(store.experiments().unwrap(), [changed, experiment("other", &["a"])]);
    let error = store.runs_of("waimia").unwrap_err().to_string();
    assert!(error.contains("`waimia`, did you mean `waimai`?"), "{error}");
    let error = store.experiment("quite different").unwrap_err().to_string();
    assert!(!error.contains("did you mean"), "{error}");
}

#[test]
fn runs_are_found_by_key_prefix_and_name() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let keys = ["ab12cd34ef56", "ab12ffff0000", "cd00", "cd001"];
    for (key, name) in keys.iter().zip(["lr=1e-5", "lr=2e-5", "twice", "twice"]) {
        register(&mut store, key, name);
    }
    for (wanted, key) in [("ab12c", keys[0]), ("AB12CD", keys[0]), ("cd00", "cd00"), ("lr=2e-5", keys[1])] {
        assert_eq!(store.find(wanted).unwrap().key, key, "{wanted}");
    }
    let error = store.find("ab").unwrap_err().to_string();
    assert!(error.contains("`ab` matches 2 runs"), "{error}");
    assert!(error.contains("ab12cd34  lr=1e-5") && error.contains("ab12ffff  lr=2e-5"), "{error}");
    let error = store.find("twice").unwrap_err().to_string();
    assert!(error.contains("  cd00  twice\n  cd001  twice"), "{error}");
    let error = store.find("lr=3e-5").unwrap_err().to_string();
    assert!(error.contains("no run has the key or the name `lr=3e-5`, did you mean `lr="), "{error}");
    assert!(matches!(store.find(""), Err(StoreError::UnknownRun { .. })));
    assert!(matches!(store.find("é"), Err(StoreError::UnknownRun { .. })));
}

/// The runs `4d27` and `cafe` by name, and others whose keys begin like that.
#[test]
fn a_name_takes_precedence_over_a_key_prefix_except_for_removal() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    let keys = ["4d27aaaa", "11110000", "cafe0000", "cafe1111", "22220000", "33330000"];
    for (key, name) in keys.iter().zip(["lr=1e-5", "4d27", "a", "b", "cafe", "33"]) {
        register(&mut store, key, name);
    }
    for (wanted, key) in [("4d27", keys[1]), ("cafe", keys[4]), ("4d27a", keys[0]), ("4D27AAAA", keys[0])] {
        assert_eq!(store.find(wanted).unwrap().key, key, "{wanted}");
    }
    for (wanted, key) in [("4d27a", keys[0]), ("4d27aaaa", keys[0]), ("1111", keys[1]), ("33", keys[5]), ("b", keys[3])]
    {
        assert_eq!(store.find_surely(wanted).unwrap().key, key, "{wanted}");
    }
    let error = store.find_surely("4d27").unwrap_err().to_string();
    assert!(error.contains("`4d27` matches 2 runs") && error.contains("11110000  4d27"), "{error}");
    assert!(error.contains("4d27aaaa  lr=1e-5"), "{error}");
    let error = store.find_surely("cafe").unwrap_err().to_string();
    assert!(
        error.contains("matches 3 runs") && error.contains("22220000  cafe\n  cafe0000  a\n  cafe1111  b"),
        "{error}"
    );
}

#[test]
fn a_run_belongs_to_every_experiment_whose_plan_has_it() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    // `register` has the runs planned first by an experiment that does not exist.
    ["a", "b", "c"].into_iter().for_each(|key| register(&mut store, key, "first name"));
    store.save_experiment(&experiment("one", &["a", "b"])).unwrap();
    store.save_experiment(&experiment("two", &["b"])).unwrap();
    let of = |store: &Store, key: &str| {
        let run = store.run(key).unwrap();
        (run.experiment, run.experiments, run.name, run.in_plan)
    };
    let one = || Some("one".to_string());
    assert_eq!(of(&store, "a"), (one(), vec!["one".into()], "a of one".into(), true));
    assert_eq!(of(&store, "b"), (one(), vec!["one".into(), "two".into()], "b of one".into(), true));
    assert_eq!(of(&store, "c"), (None, vec![], "first name".into(), false));
    // As asked for.
    let two = store.runs_of("two").unwrap().remove(0);
    let found = [two, store.find("two").unwrap(), store.find("b of two").unwrap()];
    for run in found {
        assert_eq!((run.experiment, run.name, run.config.name), (Some("two".into()), "b of two".into(), "two".into()));
    }
    // An earlier plan: the run is of the experiment still, until another plans it.
    store.save_experiment(&experiment("two", &["c"])).unwrap();
    store.save_experiment(&ExperimentRecord { arguments: vec![], ..experiment("one", &["a"]) }).unwrap();
    assert_eq!(of(&store, "b"), (one(), vec![], "first name".into(), false));
    let ever = store.runs_ever_of("one").unwrap().into_iter().map(|run| (run.key, run.in_plan)).collect::<Vec<_>>();
    assert_eq!(ever, [("a".into(), true), ("b".into(), false)]);
    // The plan of another has it now, as this one had it once.
    store.save_experiment(&experiment("two", &["b"])).unwrap();
    let keys = |runs: Vec<RunRecord>| runs.into_iter().map(|run| run.key).collect::<Vec<_>>();
    assert_eq!(keys(store.runs_ever_of("one").unwrap()), ["a"]);
    assert_eq!(keys(store.runs_ever_of("two").unwrap()), ["b"]);
    assert_eq!(store.keys_ever_of("one").unwrap(), ["a", "b"]);
    store.save_experiment(&experiment("two", &["c"])).unwrap();
    // None that was removed is named.
    store.remove_experiment("one").unwrap();
    assert_eq!(of(&store, "a"), (None, vec![], "first name".into(), false));
    let none = store.runs_of_none().unwrap().into_iter().map(|run| run.key).collect::<Vec<_>>();
    assert_eq!(none, ["a", "b"]);
}

#[test]
fn the_name_of_a_current_plan_counts_before_one_of_an_earlier_plan() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    ["old00000", "new00000", "new11111"].into_iter().for_each(|key| register(&mut store, key, "lr=1e-3"));
    let plan = |keys: &[&str]| {
        let runs = keys.iter().map(|key| (key.to_string(), "lr=1e-3".to_string())).collect();
        ExperimentRecord { runs, ..experiment("sweep", &[]) }
    };
    store.save_experiment(&plan(&["new00000"])).unwrap();
    assert_eq!(store.find("lr=1e-3").unwrap().key, "new00000");
    assert_eq!(store.find("sweep").unwrap().key, "new00000");
    let error = store.find_surely("lr=1e-3").unwrap_err().to_string();
    assert!(error.contains("matches 3 runs"), "{error}");
    assert!(error.contains("  new00000  lr=1e-3 (experiment sweep)\n  old00000  lr=1e-3\n"), "{error}");
    store.save_experiment(&plan(&["new00000", "new11111"])).unwrap();
    for wanted in ["lr=1e-3", "sweep"] {
        assert!(store.find(wanted).unwrap_err().to_string().contains("matches 2 runs"), "{wanted}");
    }
}

#[test]
fn the_name_of_an_experiment_counts_before_that_of_a_run_of_an_earlier_plan() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    register(&mut store, "first000", "quickstart");
    register(&mut store, "second00", "lr=0.5");
    let plan = |key: &str, name: &str| ExperimentRecord {
        runs: vec![(key.into(), name.into())],
        ..experiment("quickstart", &[])
    };
    // As after `taper run quickstart.toml --set train.lr=0.5`: the first run is in no plan now.
    store.save_experiment(&plan("second00", "lr=0.5")).unwrap();
    let found = |store: &Store, wanted: &str| store.find_among(wanted).map(|(run, n)| (run.key, n)).unwrap();
    assert_eq!(found(&store, "quickstart"), ("second00".into(), 2), "as `taper list quickstart` has it");
    assert_eq!(found(&store, "lr=0.5"), ("second00".into(), 1));
    assert_eq!(found(&store, "first000"), ("first000".into(), 1));
    // A run of an edited spec has the name too, and is the one of the current plan.
    register(&mut store, "third000", "quickstart");
    store.save_experiment(&plan("third000", "quickstart")).unwrap();
    assert_eq!(found(&store, "quickstart"), ("third000".into(), 2));
    store.save_experiment(&plan("second00", "lr=0.5")).unwrap();
    assert_eq!(found(&store, "quickstart"), ("second00".into(), 3));
}

#[test]
fn only_some_of_many_candidates_are_listed() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    (0..12).for_each(|i| register(&mut store, &format!("a{i:02}"), "n"));
    let error = store.find("a").unwrap_err().to_string();
    assert!(error.contains("12 runs") && error.contains("a09") && !error.contains("a10"), "{error}");
    assert!(error.ends_with("… and 2 more"), "{error}");
}

#[test]
fn runs_without_an_owner_become_interrupted() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    for key in ["alive", "dead", "done", "pending"] {
        register(&mut store, key, key);
    }
    for key in ["alive", "dead", "done"] {
        store.start(key, &environment(), None).unwrap();
    }
    store.append("done", &[Event::RunFinished(Outcome::Completed)]).unwrap();
    let _lock = RunLock::acquire(folder.path(), "alive").unwrap().unwrap();
    assert_eq!(store.interrupt_dead(|key| is_locked(folder.path(), key)).unwrap(), ["dead"]);
    let states: Vec<_> = store.runs().unwrap().into_iter().map(|run| run.state).collect();
    assert_eq!(states, [RunState::Running, RunState::Interrupted, RunState::Completed, RunState::Pending]);
    assert!(store.find("dead").unwrap().message.unwrap().contains("without reporting why"));
    assert_eq!(store.interrupt_dead(|_| true).unwrap(), [""; 0]);
}

#[test]
fn listing_reads_no_steps_and_searches_the_rest_by_index() {
    let folder = folder();
    let store = Store::open(folder.path()).unwrap();
    for tail in ["ORDER BY r.id", "JOIN experiment_runs x ON x.run = r.key WHERE x.experiment = 'e'"] {
        let sql = format!("EXPLAIN QUERY PLAN {} {tail}", crate::store::read::RUN);
        let mut statement = store.conn.prepare(&sql).unwrap();
        let plan: Vec<String> = statement.query_map([], |row| row.get("detail")).unwrap().map(Result::unwrap).collect();
        let scans: Vec<_> = plan.iter().filter(|line| line.starts_with("SCAN")).collect();
        assert!(scans.len() <= 1 && plan.iter().all(|line| !line.contains("steps")), "{plan:#?}");
        assert!(plan.iter().any(|line| line.starts_with("SEARCH e USING")), "{plan:#?}");
    }
}

#[test]
fn a_full_disk_and_a_read_only_file_are_reported() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let pages: i64 = store.conn.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    store.conn.pragma_update(None, "max_page_count", pages).unwrap();
    let steps: Vec<Event> = (1..=2000).map(|i| step(i, 1.0)).collect();
    let error = store.append("k", &steps).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("taper.db is full: free some space"), "{error}");
    assert_eq!(losses(&store), []);

    store.conn.pragma_update(None, "query_only", true).unwrap();
    let error = store.append("k", &[step(1, 1.0)]).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error}");
}

#[test]
fn an_aborted_transaction_leaves_nothing() {
    let folder = folder();
    let store = store_with_run(folder.path());
    let other = Connection::open(folder.path().join("taper.db")).unwrap();
    other.execute_batch("BEGIN; INSERT INTO steps VALUES ('k', 1, 1, 0.5, 1e-5, 1.0, 10, 0.1)").unwrap();
    assert_eq!(losses(&store), []);
    drop(other);
    assert_eq!(losses(&store), []);
}

#[test]
fn a_value_changed_by_hand_is_reported() {
    let folder = folder();
    let store = store_with_run(folder.path());
    store.conn.execute("UPDATE runs SET state = 'asleep'", []).unwrap();
    let error = store.runs().unwrap_err();
    assert!(matches!(error, StoreError::Value { .. }) && error.to_string().contains("asleep"), "{error}");
}

#[test]
fn writers_wait_for_each_other() {
    let folder = folder();
    let path: &Path = folder.path();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                let mut store = Store::open(path).unwrap();
                let key = format!("k{writer}");
                register(&mut store, &key, "n");
                for i in 1..=25 {
                    store.append(&key, &[step(i, 1.0)]).unwrap();
                    store.runs().unwrap();
                }
            });
        }
    });
    let store = Store::open_existing(path).unwrap();
    assert_eq!(store.runs().unwrap().iter().map(|run| run.steps).collect::<Vec<_>>(), [25; 4]);
    drop(store);
    // The last connection to close leaves one file, which can be copied.
    let files: Vec<_> = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["taper.db"]);
}

#[test]
fn runs_of_earlier_plans_are_listed_with_those_of_the_current_one() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    register(&mut store, "l", "lr=2e-5");
    // `exp` planned both first; `other` shares one.
    store.save_experiment(&experiment("exp", &["l"])).unwrap();
    store.save_experiment(&experiment("other", &["l"])).unwrap();
    let ever = |store: &Store, name: &str| {
        store.runs_ever_of(name).unwrap().into_iter().map(|run| run.key).collect::<Vec<_>>()
    };
    assert_eq!(
        (ever(&store, "exp"), ever(&store, "other")),
        (vec!["k".to_string(), "l".into()], vec!["l".to_string()])
    );
    assert!(matches!(store.runs_ever_of("ex"), Err(StoreError::UnknownExperiment { .. })));
    // Once `exp` plans another run, `l` is of `other` alone, though `exp` had it.
    store.save_experiment(&experiment("exp", &["k"])).unwrap();
    assert_eq!((ever(&store, "exp"), ever(&store, "other")), (vec!["k".to_string()], vec!["l".to_string()]));
    assert_eq!(store.keys_ever_of("exp").unwrap(), ["k", "l"]);
    assert!(matches!(store.keys_ever_of("ex"), Err(StoreError::UnknownExperiment { .. })));
}

#[test]
fn the_last_steps_come_in_order() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let events: Vec<Event> = (1..=5).map(|i| step(i, i as f64)).collect();
    store.append("k", &events).unwrap();
    let last = |most| store.last_steps("k", most).unwrap().iter().map(|s| s.step).collect::<Vec<_>>();
    assert_eq!((last(2), last(9)), (vec![4, 5], vec![1, 2, 3, 4, 5]));
}

/// Earlier versions averaged over all labels, including those that do not occur.
#[test]
fn macro_f1_of_earlier_versions_is_recomputed() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    store.append("k", &[eval(When::After, 1, Split::Test, 3)]).unwrap();
    for (confusion, old, now) in [
        ("[[1,1,0],[1,3,0],[0,0,0]]", 1.25 / 3.0, 0.625),
        ("[[1,1],[1,3]]", 0.625, 0.625),
        ("[[2,0,0,0],[0,0,0,0],[0,0,0,0],[0,0,0,2]]", 0.5, 1.0),
        ("[]", 0.25, 0.25),
    ] {
        let sql = "UPDATE metrics SET value = ?1 WHERE metric = 'macro_f1'";
        store.write(|tx| tx.execute(sql, [old])).unwrap();
        store.write(|tx| tx.execute("UPDATE evals SET confusion = ?1", [confusion])).unwrap();
        assert_eq!(store.evals("k").unwrap()[0].metrics.get(Metric::MacroF1), now, "{confusion}");
        assert_eq!(store.run("k").unwrap().final_metrics.unwrap().get(Metric::MacroF1), now, "{confusion}");
    }
}

/// 5,000 labels: 25 million cells, of which 300 are not 0, and 300 rows with 5,000 probabilities each.
#[test]
fn storage_of_many_labels_is_proportional_to_rows() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let names: Vec<String> = (0..5000).map(|id| format!("label {id}")).collect();
    let probabilities = |row: u32| (0..5000).map(|id| 1.0 / (1 + (id + row) % 5000) as f32).collect::<Vec<f32>>();
    let rows = (0..300).map(|row| Scored::new(row, &probabilities(row), 8.5));
    let metrics = Metrics::new(&names, rows);
    let predictions: Vec<Prediction> = (0..300)
        .map(|row| Prediction {
            label: Target::Label(row),
            probabilities: Probabilities::new(probabilities(row), &[row]),
            ..prediction(row, "x")
        })
        .collect();
    let evaluated =
        Event::EvalCompleted { when: When::After, step: 1, epoch: 1, split: Split::Test, metrics, elapsed_s: 1.0 };
    store.append("k", &[evaluated, Event::Predicted { split: Split::Test, predictions: predictions.clone() }]).unwrap();
    let size = |sql: &str| store.read(|tx| tx.query_row(sql, [], |row| row.get::<_, i64>(0))).unwrap();
    assert!(size("SELECT length(confusion) FROM evals") < 10_000);
    assert!(size("SELECT max(length(probabilities)) FROM predictions") < 1_000);
    assert_eq!(store.predictions("k", Split::Test).unwrap(), predictions);
    let read = store.run("k").unwrap().final_metrics.unwrap();
    assert_eq!((read.confusion.labels(), read.confusion.rows()), (5000, 300));

    // As an earlier version stored it: every probability.
    let whole = serde_json::to_string(&probabilities(7)).unwrap();
    store.write(|tx| tx.execute("UPDATE predictions SET probabilities = ?1 WHERE row = 7", [whole])).unwrap();
    assert_eq!(store.predictions("k", Split::Test).unwrap()[7], predictions[7]);
}

#[test]
fn steps_without_a_gap_are_counted() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    for (key, stored, want) in
        [("a", &[][..], 0), ("b", &[1, 2, 3], 3), ("c", &[2, 3], 0), ("d", &[1, 2, 4, 5], 2), ("e", &[1, 9], 1)]
    {
        register(&mut store, key, key);
        store.append(key, &stored.iter().map(|at| step(*at, 0.5)).collect::<Vec<_>>()).unwrap();
        assert_eq!(store.unbroken_steps(key).unwrap(), want, "{key}");
    }
}

#[test]
fn the_files_of_a_kept_model_are_the_last_written_ones() {
    let folder = folder();
    let mut store = Store::open(folder.path()).unwrap();
    register(&mut store, "a", "a");
    register(&mut store, "b", "b");
    let file = |name: &str, modified_ns| crate::event::KeptFile {
        name: name.into(),
        bytes: 1 << 33,
        sha256: "ab".repeat(32),
        modified_ns,
    };
    let kept = |files: &[crate::event::KeptFile]| [Event::ModelKept { files: files.to_vec() }];
    store.append("a", &kept(&[file("config.json", Some(5)), file("vocab.txt", Some(6))])).unwrap();
    let last = [file("config.json", Some(i64::MAX)), file("model.safetensors", None)];
    store.append("a", &kept(&last)).unwrap();
    assert_eq!(store.kept_files("a").unwrap(), last);
    assert_eq!(store.kept_files("b").unwrap(), []);
    store.remove_runs(&["a".into()]).unwrap();
    register(&mut store, "a", "a");
    assert_eq!(store.kept_files("a").unwrap(), []);
}

#[test]
fn evaluations_and_seconds_are_those_of_the_requested_runs() {
    let folder = folder();
    let mut store = store_with_run(folder.path());
    let brief = |store: &Store, split| -> Vec<(When, u64, f64, f64, u64)> {
        let mut found = store.evals_on(["k", "none"], split).unwrap();
        assert!(found.keys().all(|key| key == "k"));
        let values = |e: EvalRecord| {
            (e.when, e.step, e.metrics.get(Metric::Accuracy), e.metrics.get(Metric::Loss), e.metrics.rows)
        };
        found.remove("k").unwrap_or_default().into_iter().map(values).collect()
    };
    let (before, first, second) = (
        eval(When::Before, 0, Split::Dev, 1),
        eval(When::During, 1, Split::Dev, 2),
        eval(When::During, 2, Split::Dev, 3),
    );
    store.append("k", &[before]).unwrap();
    assert!(brief(&store, Split::Dev).is_empty(), "evaluations before training do not count");
    assert!(store.training_seconds(["k", "none"]).unwrap().is_empty());
    store.append("k", &[step(1, 0.5), second, first, step(2, 0.5)]).unwrap();
    let during = [(When::During, 1, 0.5, 0.625, 4), (When::During, 2, 0.75, 0.625, 4)];
    assert_eq!(brief(&store, Split::Dev), during);
    assert!(brief(&store, Split::Test).is_empty());
    // The kept weights are those of an earlier step.
    store.append("k", &[eval(When::After, 1, Split::Dev, 2)]).unwrap();
    assert_eq!(brief(&store, Split::Dev), [(When::After, 1, 0.5, 0.625, 4)]);
    let seconds = store.steps("k").unwrap()[1].elapsed_s;
    assert_eq!(store.training_seconds(["none", "k"]).unwrap(), [("k".to_string(), seconds)].into());
    assert!(store.evals_on([], Split::Dev).unwrap().is_empty());
}

#[test]
fn a_state_has_one_name_everywhere_and_several_are_combined() {
    use RunState::*;
    for state in RunState::ALL {
        assert_eq!(serde_json::to_value(state).unwrap(), state.word(), "{state:?}");
    }
    for kind in [FailureKind::Error, FailureKind::Oom, FailureKind::Diverged, FailureKind::Crashed] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.word(), "{kind:?}");
    }
    for (states, shown) in [
        (&[Completed, Completed][..], Completed),
        (&[Completed, Running, Failed], Running),
        (&[Pruned, Failed, Completed], Failed),
        (&[Waiting, Interrupted, Pending], Interrupted),
        (&[Completed, Waiting, Pending], Waiting),
        (&[Completed, Interrupted], Interrupted),
        (&[Completed, Pending], Pending),
    ] {
        assert_eq!(RunState::of_several(states.iter().copied()), shown, "{states:?}");
    }
    let states = [Pending, Waiting, Completed, Waiting, Failed];
    assert_eq!(RunState::counted(states.into_iter()), "1 completed, 1 failed, 2 waiting, 1 pending");
}
