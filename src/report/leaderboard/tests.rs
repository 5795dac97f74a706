//! Tests of the ranking on stored runs.

mod undefined;

use super::{super::means::interval_notes, *};
use crate::{
    event::{Event, Outcome, When},
    plan::RunConfig,
    store::{Environment, NewRun, testing},
};

/// A store with the runs of one experiment: (learning rate, seed, rows out of four right on dev and on test after training,
/// or during training, outcome).
fn board(change: fn(&mut RunConfig), runs: &[(f64, u64, Option<usize>, Outcome)]) -> Leaderboard {
    board_at(|_| 9, change, runs)
}

/// The same with the step of the evaluation during training, by seed.
fn board_at(
    at: fn(u64) -> u64,
    change: fn(&mut RunConfig),
    runs: &[(f64, u64, Option<usize>, Outcome)],
) -> Leaderboard {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let mut planned = Vec::new();
    for (lr, seed, right, outcome) in runs {
        let mut config = testing::config();
        (config.train.lr, config.data.dev, config.data.test) = (*lr, 0.1.into(), 0.1.into());
        (config.train.seed, config.train.init_seed, config.train.order_seed) = (*seed, *seed, *seed);
        change(&mut config);
        let (key, name) = (format!("{lr}/{seed}"), format!("lr={lr} seed={seed}"));
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
        if *outcome == pruned() {
            store.append(&key, &[1, 2, 3].map(|i| testing::step(i, 0.5))).unwrap();
        }
        if let Some(right) = right {
            let when = if *outcome == Outcome::Completed { When::After } else { When::During };
            let step = if when == When::During { at(*seed) } else { 9 };
            store.append(&key, &[testing::eval(when, step, Split::Dev, *right)]).unwrap();
            if when == When::After {
                store.append(&key, &[testing::eval(when, 9, Split::Test, 2)]).unwrap();
            }
        }
        store.append(&key, &[Event::RunFinished(outcome.clone())]).unwrap();
        planned.push((key, name));
    }
    let trials = super::super::trials::trial_numbers(store.runs().unwrap().iter());
    let experiment = ExperimentRecord { trials, runs: planned, ..testing::experiment("e", &[]) };
    store.save_experiment(&experiment).unwrap();
    leaderboard(&store, "e").unwrap()
}

fn pruned() -> Outcome {
    Outcome::Pruned { reason: "9th of 9".into(), at: None }
}

fn diverged() -> Outcome {
    Outcome::Failed { kind: FailureKind::Diverged, message: "NaN".into() }
}

#[test]
fn trials_are_ranked_by_their_mean_and_incomplete_ones_come_last() {
    let done = Outcome::Completed;
    let board = board(
        |_| (),
        &[
            (1e-1, 1, Some(4), diverged()),
            (1e-2, 1, Some(4), pruned()),
            (1e-3, 1, Some(4), done.clone()),
            (1e-3, 2, None, Outcome::Interrupted),
            (1e-4, 1, Some(2), done.clone()),
            (1e-4, 2, Some(3), done.clone()),
            (1e-5, 1, Some(3), done.clone()),
            (1e-5, 2, Some(3), done.clone()),
            (1e-1, 2, Some(4), done),
        ],
    );
    assert_eq!((board.split, board.metric), (Split::Dev, Metric::Accuracy));
    let seen: Vec<_> = board
        .trials
        .iter()
        .map(|t| (t.rank, t.name.as_str(), t.runs.len(), t.completed, t.state, t.message.as_deref()))
        .collect();
    let want = [
        (Some(1), "lr=0.00001", 2, 2, RunState::Completed, None),
        (Some(2), "lr=0.0001", 2, 2, RunState::Completed, None),
        (None, "lr=0.001", 2, 1, RunState::Interrupted, None),
        (None, "lr=0.01 seed=1", 1, 0, RunState::Pruned, Some("9th of 9")),
        (None, "lr=0.1", 2, 1, RunState::Failed, Some("NaN")),
    ];
    assert_eq!(seen, want);
    // Values 0.5 and 0.75: mean 0.625, sd 0.1768, Student's t of one degree 12.706, so 0.625 ± 1.588.
    let second = board.trials[1].value.unwrap();
    assert_eq!((second.n, second.mean), (2, 0.625));
    assert_eq!((second.low, second.high), (Some(0.0), Some(1.0)), "clamped to [0, 1]");
    // One run with 4 of 4 rows right: Wilson.
    let third = board.trials[2].value.unwrap();
    assert_eq!((third.n, third.mean, third.high), (1, 1.0, Some(1.0)));
    assert!((third.low.unwrap() - 0.5101).abs() < 1e-4, "{third:?}");
    assert_eq!(board.trials[0].test.mean.unwrap().mean, 0.5);
    assert_eq!(board.trials[3].test.mean, None);
    // Its progress is its number of steps, not the step of the evaluation that ranks it.
    assert_eq!((board.trials[3].steps, board.trials[3].step), (3, Some((9, 9))));
}

/// A value of an early step says less than one of a later step: only those of one step are compared.
#[test]
fn of_pruned_trials_those_that_got_further_come_first() {
    let runs = [
        (1e-1, 3, Some(4), pruned()),
        (1e-2, 9, Some(2), pruned()),
        (1e-3, 9, Some(3), pruned()),
        (1e-4, 3, None, pruned()),
    ];
    let board = board_at(|seed| seed, |_| (), &runs);
    let seen: Vec<_> = board.trials.iter().map(|trial| (trial.runs[0].as_str(), trial.unfinished_at())).collect();
    let at = |step: u64| Some(Span::from(step));
    assert_eq!(seen, [("0.001/9", at(9)), ("0.01/9", at(9)), ("0.1/3", at(3)), ("0.0001/3", None)]);
    // The best of its weights can be earlier than the rung at which it was pruned.
    let [mut early, mut late] = [board.trials[0].clone(), board.trials[1].clone()];
    (early.step, early.steps, late.step, late.steps) = (Some((3, 9)), 3, Some((3, 9)), 6);
    assert_eq!(further_first(&early, &late), std::cmp::Ordering::Greater);
}

#[test]
fn half_trained_seeds_are_not_averaged_with_finished_ones_and_come_after_them() {
    let (done, stopped) = (Outcome::Completed, Outcome::Interrupted);
    let board = board(
        |_| (),
        &[
            (1e-1, 1, Some(4), stopped.clone()),
            (1e-1, 2, None, stopped.clone()),
            (1e-2, 1, Some(2), done.clone()),
            (1e-2, 2, Some(4), stopped.clone()),
            (1e-3, 1, Some(2), done.clone()),
            (1e-3, 2, Some(3), done.clone()),
            (1e-3, 3, Some(0), stopped.clone()),
            (1e-4, 1, Some(1), done),
        ],
    );
    let seen: Vec<_> = board
        .trials
        .iter()
        .map(|t| (t.rank, t.runs[0].as_str(), t.completed, t.value.map(|f| (f.n, f.mean)), !t.is_final))
        .collect();
    let want = [
        // Complete trials first, then by the mean of finished runs; trials with values from unfinished runs come last.
        (Some(1), "0.0001/1", 1, Some((1, 0.25)), false),
        (None, "0.001/1", 2, Some((2, 0.625)), false),
        (None, "0.01/1", 1, Some((1, 0.5)), false),
        (None, "0.1/1", 0, Some((1, 1.0)), true),
    ];
    assert_eq!(seen, want);
}

#[test]
fn interval_notes_name_the_metric_they_apply_to() {
    let of = |by: Metric, rights: &[usize]| {
        let measured: Vec<Metrics> = rights.iter().map(|&right| testing::metrics(right)).collect();
        mean(&measured.iter().collect::<Vec<_>>(), by).unwrap()
    };
    let accuracies = [of(Metric::Accuracy, &[2]), of(Metric::Accuracy, &[2, 3]), of(Metric::Accuracy, &[2, 2, 2])];
    let notes = interval_notes(accuracies.iter().map(|mean| (Metric::Accuracy, mean)), "intervals", "seed");
    assert_eq!(notes.len(), 3);
    assert!(
        notes.iter().all(|note| note.starts_with("intervals in parentheses, ") && note.contains("Wilson")),
        "{notes:?}"
    );
    // Equal seeds show no spread, and macro-F1 has no interval for the number of rows.
    let equal = of(Metric::MacroF1, &[2, 2, 2]);
    assert_eq!((equal.shown(), of(Metric::MacroF1, &[2]).shown()), (None, None));
    assert!(!equal.text(Metric::MacroF1).contains('('));
    let f1 = of(Metric::MacroF1, &[2, 3]);
    let both = [(Metric::Accuracy, &accuracies[1]), (Metric::MacroF1, &f1), (Metric::MacroF1, &equal)];
    let notes = interval_notes(both.into_iter(), "intervals", "seed");
    assert_eq!(notes.len(), 2);
    assert!(notes[0].starts_with("intervals of accuracy in parentheses, two seeds: "), "{notes:?}");
    assert!(notes[1].starts_with("intervals of macro-F1 use only the seeds") && !notes[1].contains("Wilson"));
}

#[test]
fn a_lower_loss_ranks_first_and_without_a_dev_split_test_accuracy_decides() {
    let runs = [(1e-4, 1, Some(2), Outcome::Completed), (1e-5, 1, Some(3), Outcome::Completed)];
    let by_loss = board(|config| config.checkpoint.metric = Metric::Loss, &runs);
    // Both have the same loss, so they stay in the plan's order; the loss of one run has no interval.
    assert_eq!(by_loss.trials[0].name, "lr=0.0001");
    assert_eq!(
        by_loss.trials[0].value,
        Some(Mean { n: 1, mean: 0.625, sd: None, low: None, high: None, range: (0.625, 0.625), rows: None })
    );
    let by_test = board(|config| (config.data.dev, config.checkpoint.metric) = (0.0.into(), Metric::Loss), &runs);
    assert_eq!((by_test.split, by_test.metric), (Split::Test, Metric::Accuracy));
    assert_eq!(by_test.trials[1].value.unwrap().mean, 0.5);
    let none = board(|_| (), &[]);
    assert!(none.trials.is_empty());
}

/// Two of four test rows are right, so that accuracy and macro-F1 differ.
#[test]
fn the_metric_that_ranks_is_also_measured_on_test_rows() {
    let runs = [(1e-4, 1, Some(2), Outcome::Completed), (1e-5, 1, Some(3), Outcome::Completed)];
    let by = |metric: Metric| match metric {
        Metric::MacroF1 => board(|config| config.checkpoint.metric = Metric::MacroF1, &runs),
        _ => board(|_| (), &runs),
    };
    let test = testing::metrics(2);
    let trial = &by(Metric::MacroF1).trials[0];
    let also = trial.test_of_rank.expect("another metric than that of the test split");
    assert_eq!((also.metric, also.mean.map(|of| of.mean)), (Metric::MacroF1, Some(test.get(Metric::MacroF1))));
    assert_eq!((trial.test.metric, trial.test.mean.map(|of| of.mean)), (Metric::Accuracy, Some(0.5)));
    let json = serde_json::to_value(trial).unwrap();
    assert!(json["test_macro_f1"]["mean"].is_number() && json["test_accuracy"]["mean"] == 0.5, "{json}");
    let usual = &by(Metric::Accuracy).trials[0];
    assert_eq!(usual.test_of_rank, None, "it is there already");
    assert!(serde_json::to_value(usual).unwrap().get("test_macro_f1").is_none());
}

/// Metrics of an evaluation of `rows` rows, `right` of which are right.
fn rows(right: u64, rows: u64) -> Metrics {
    let mut metrics = testing::metrics(2);
    metrics.rows = rows;
    metrics.set(Metric::Accuracy, right as f64 / rows as f64);
    metrics
}

/// Expected: statsmodels 0.15 `proportion_confint(115, 120, method="wilson")`, scipy 1.17 `stats.t.interval`.
#[test]
fn equal_seeds_show_the_interval_for_the_number_of_rows() {
    let shown = |rights: &[u64]| {
        let measured: Vec<Metrics> = rights.iter().map(|&right| rows(right, 120)).collect();
        mean(&measured.iter().collect::<Vec<_>>(), Metric::Accuracy).unwrap().shown().unwrap()
    };
    let near = |(low, high): (f64, f64), want: (f64, f64)| (low - want.0).abs() < 1e-5 && (high - want.1).abs() < 1e-5;
    let wilson = (0.906159, 0.982073);
    assert!(near(shown(&[115, 115, 115]), wilson) && near(shown(&[115, 115]), wilson));
    // Seeds that differ more than the rows explain: Student's t, clamped to [0, 1].
    assert!(near(shown(&[60, 90, 119]), (0.136509, 1.0)), "{:?}", shown(&[60, 90, 119]));
    // Two seeds: from one to the other.
    assert!(near(shown(&[110, 60]), (0.5, 110.0 / 120.0)));
}
