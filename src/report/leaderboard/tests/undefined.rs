//! Trials for which the metric that ranks is undefined.

use super::*;

/// (learning rate, MCC on dev, loss on dev, rows out of four right on test) of runs that are complete, each with the next seed of its trial.
fn with_mcc(runs: &[(f64, f64, f64, usize)]) -> Leaderboard {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let mut planned = Vec::new();
    for (i, (lr, mcc, loss, right)) in runs.iter().enumerate() {
        let mut config = testing::config();
        (config.train.lr, config.data.dev, config.data.test) = (*lr, 0.1.into(), 0.1.into());
        (config.train.seed, config.train.init_seed, config.train.order_seed) = (i as u64, i as u64, i as u64);
        config.checkpoint.metric = Metric::Mcc;
        let (key, name) = (format!("{lr}/{i}"), format!("lr={lr} seed={i}"));
        let labels = ["negative", "positive"].map(String::from);
        let new = NewRun {
            key: &key,
            name: &name,
            experiment: "e",
            config: &config,
            labels: &labels,
            total_steps: 9,
            audit: None,
        };
        store.register(&new).unwrap();
        store.start(&key, &Environment::default(), None).unwrap();
        let mut dev = testing::eval(When::After, 9, Split::Dev, 2);
        if let Event::EvalCompleted { metrics, .. } = &mut dev {
            metrics.set(Metric::Mcc, *mcc);
            metrics.set(Metric::Loss, *loss);
        }
        let test = testing::eval(When::After, 9, Split::Test, *right);
        store.append(&key, &[dev, test, Event::RunFinished(Outcome::Completed)]).unwrap();
        planned.push((key, name));
    }
    let trials = super::super::super::trials::trial_numbers(store.runs().unwrap().iter());
    let experiment = ExperimentRecord { trials, runs: planned, ..testing::experiment("e", &[]) };
    store.save_experiment(&experiment).unwrap();
    leaderboard(&store, "e").unwrap()
}

/// The run that is best on test has no dev MCC: it does not become the best, and the dev rows still rank the others.
#[test]
fn an_undefined_dev_value_ranks_last_and_never_brings_in_the_test_rows() {
    const NAN: f64 = f64::NAN;
    let runs = [(1.0, NAN, 0.7, 4), (2.0, 0.25, 0.5, 1), (3.0, NAN, 0.6, 4), (4.0, 0.5, 0.9, 0), (5.0, -0.5, 0.9, 2)];
    let board = with_mcc(&runs);
    assert_eq!((board.split, board.metric), (Split::Dev, Metric::Mcc));
    assert!(!board.is_chosen_on_test());
    let seen: Vec<_> = board.trials.iter().map(|t| (t.rank, t.runs[0].as_str(), t.value.map(|v| v.mean))).collect();
    let want = [
        (Some(1), "4/3", Some(0.5)),
        (Some(2), "2/1", Some(0.25)),
        (Some(3), "5/4", Some(-0.5)),
        // By their loss on dev.
        (Some(4), "3/2", None),
        (Some(5), "1/0", None),
    ];
    assert_eq!(seen, want);
    assert!(board.trials[3..].iter().all(|trial| trial.is_final));
    let note = board.undefined().unwrap();
    assert!(note.starts_with("dev MCC is undefined for 2 completed runs (lr=3 seed=2; lr=1 seed=0); "), "{note}");
    // All are undefined: by loss.
    let none = with_mcc(&[(1.0, NAN, 0.7, 4), (2.0, NAN, 0.5, 1)]);
    assert_eq!((none.split, none.trials[0].runs[0].as_str(), none.trials[0].rank), (Split::Dev, "2/1", Some(1)));
    let chosen_by = |board: &Leaderboard| (board.chosen_by(), board.trials[0].best_run_by(board.metric));
    assert_eq!((chosen_by(&board), chosen_by(&none)), ((Metric::Mcc, Metric::Mcc), (Metric::Loss, Metric::Loss)));
    // One seed of the only trial is defined, and is its best run.
    let one = with_mcc(&[(1.0, NAN, 0.1, 4), (1.0, 0.2, 0.9, 0)]);
    assert_eq!((chosen_by(&one), one.trials[0].best_run.as_deref()), ((Metric::Loss, Metric::Mcc), Some("1/1")));
}

#[test]
fn a_trial_with_an_undefined_seed_has_no_mean_and_ranks_below_complete_ones() {
    let runs = [(1.0, 0.9, 0.1, 4), (1.0, f64::NAN, 0.1, 4), (2.0, 0.2, 0.9, 0), (2.0, 0.1, 0.9, 0)];
    let board = with_mcc(&runs);
    let seen: Vec<_> = board.trials.iter().map(|t| (t.rank, t.name.as_str(), t.value.map(|v| v.n))).collect();
    assert_eq!(seen, [(Some(1), "lr=2", Some(2)), (Some(2), "lr=1", None)]);
    let second = &board.trials[1];
    let undefined: Vec<_> = second.undefined.iter().map(|run| (run.key.as_str(), run.name.as_str())).collect();
    assert_eq!(undefined, [("1/1", "lr=1 seed=1")]);
    // Of its runs the one with a value is the best, and its loss is the mean of both.
    assert_eq!((second.best_run.as_deref(), second.loss, second.completed), (Some("1/0"), Some(0.1), 2));
    let json = serde_json::to_value(second).unwrap();
    assert_eq!((&json["figure"], &json["undefined"][0]["key"]), (&serde_json::Value::Null, &"1/1".into()));
    assert!(serde_json::to_value(&board.trials[0]).unwrap().get("undefined").is_none());
}
