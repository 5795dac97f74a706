//! Searches: sweeps and scores in, runs out.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Space, UnitPoint, sobol};
use crate::plan::{
    PlannedRun, SearchHistory,
    testing::{expand, expand_again, swept},
};

fn runs(sweep: &Value, scores: &[Option<f64>]) -> Vec<PlannedRun> {
    expand(sweep, scores).unwrap().runs
}

fn names(runs: &[PlannedRun]) -> Vec<&str> {
    runs.iter().map(|run| run.name.as_str()).collect()
}

/// Values of the key at `axis` of each run's point, as numbers.
fn numbers(runs: &[PlannedRun], key: &str) -> Vec<f64> {
    let value =
        |run: &PlannedRun| run.point.iter().find(|(other, _)| other == key).and_then(|(_, value)| value.as_f64());
    runs.iter().filter_map(value).collect()
}

fn with(sweep: &Value, changes: Value) -> Value {
    let mut sweep = sweep.clone();
    for (key, value) in changes.as_object().unwrap() {
        sweep[key] = value.clone();
    }
    sweep
}

fn mixed(search: &str) -> Value {
    json!({
        "axes": {
            "train.lr": { "log": [1e-6, 1e-3] },
            "train.dropout": { "uniform": [0.0, 0.5] },
            "train.epochs": { "int": [1, 4] },
            "train.scheduler": ["constant", "linear", "cosine"],
            "train.warmup_ratio": { "uniform": [0.0, 0.3], "when": { "train.scheduler": "linear" } },
        },
        "zip": [{ "train.batch_size": [16, 32], "train.gradient_accumulation_steps": [2, 1] }],
        "search": search,
        "trials": 24,
        "seeds": [1, 2],
    })
}

/// Proposals of a sweep must not change: if they do, earlier results no longer belong to it.
#[test]
fn the_first_proposals_stay() {
    let shown = |run: &PlannedRun| run.name.split(" gradient").next().unwrap().to_string();
    let first = |search: &str| shown(&runs(&mixed(search), &[])[0]);
    let random = "dropout=0.3263 epochs=4 lr=4.713e-6 scheduler=constant batch_size=16";
    let sobol = "dropout=0.09612 epochs=3 lr=5.321e-5 scheduler=constant batch_size=32";
    assert_eq!(["random", "sobol", "tpe"].map(first), [random, sobol, random]);
    let scores: Vec<_> = (0..5).map(|i| Some(f64::from(i))).collect();
    let tpe = "dropout=0.4277 epochs=4 lr=4.538e-6 scheduler=linear warmup_ratio=0.1825 batch_size=16";
    assert_eq!(shown(&runs(&mixed("tpe"), &scores)[10]), tpe);
}

#[test]
fn a_search_has_all_its_trials_each_with_every_seed() {
    for search in ["random", "sobol"] {
        let expansion = expand(&mixed(search), &[]).unwrap();
        assert_eq!((expansion.runs.len(), expansion.more, expansion.undrawn), (48, false, 0));
        for (i, pair) in expansion.runs.chunks(2).enumerate() {
            assert_eq!([pair[0].trial, pair[1].trial], [i, i]);
            assert_eq!([pair[0].config.train.seed, pair[1].config.train.seed], [1, 2]);
            assert_eq!(pair[0].point[..pair[0].point.len() - 1], pair[1].point[..pair[1].point.len() - 1]);
        }
        let all: BTreeSet<_> = names(&expansion.runs).into_iter().collect();
        assert_eq!(all.len(), 48, "{search}");
        // Warmup is drawn only for linear schedules, and the zip's keys vary together.
        for run in &expansion.runs {
            let scheduler = run.point.iter().find(|(key, _)| key == "train.scheduler").unwrap().1.as_str();
            let warmup = run.point.iter().any(|(key, _)| key == "train.warmup_ratio");
            assert_eq!(warmup, scheduler == Some("linear"), "{}", run.name);
            let train = &run.config.train;
            assert_eq!(train.batch_size * train.gradient_accumulation_steps, 32);
        }
    }
}

#[test]
fn points_are_a_function_of_the_seed() {
    for search in ["random", "sobol", "tpe"] {
        let sweep = mixed(search);
        assert_eq!(runs(&sweep, &[]), runs(&sweep, &[]));
        let other = runs(&with(&sweep, json!({ "search_seed": 43 })), &[]);
        assert!(!numbers(&other, "train.lr").iter().any(|lr| numbers(&runs(&sweep, &[]), "train.lr").contains(lr)));
    }
}

#[test]
fn more_trials_and_axes_do_not_change_random_draws() {
    let sweep = mixed("random");
    let more = runs(&with(&sweep, json!({ "trials": 30 })), &[]);
    assert_eq!(more[..48], runs(&sweep, &[]));
    let mut wider = sweep.clone();
    wider["axes"]["train.eps"] = json!({ "log": [1e-9, 1e-6] });
    assert_eq!(numbers(&runs(&wider, &[]), "train.lr"), numbers(&runs(&sweep, &[]), "train.lr"));
}

#[test]
fn draws_have_their_distribution_and_reach_their_ends() {
    let axes = json!({
        "train.lr": { "log": [1e-6, 1e-3] },
        "train.dropout": { "uniform": [0.0, 0.5] },
        "train.epochs": { "int": [1, 4] },
        "train.batch_size": { "choice": [8, 16, 32] },
    });
    for (search, slack) in [("random", 0.06), ("sobol", 0.003)] {
        let runs = runs(&json!({ "axes": axes, "search": search, "trials": 1000 }), &[]);
        let share = |key: &str, holds: &dyn Fn(f64) -> bool| {
            numbers(&runs, key).iter().filter(|number| holds(**number)).count() as f64 / 1000.0
        };
        for (key, range, want) in [
            ("train.lr", 1e-6..1e-5, 1.0 / 3.0),
            ("train.lr", 1e-5..1e-4, 1.0 / 3.0),
            ("train.dropout", 0.0..0.1, 0.2),
            ("train.dropout", 0.25..0.5, 0.5),
            ("train.epochs", 1.0..1.5, 0.25),
            ("train.epochs", 4.0..4.5, 0.25),
            ("train.batch_size", 8.0..9.0, 1.0 / 3.0),
            ("train.batch_size", 32.0..33.0, 1.0 / 3.0),
        ] {
            let got = share(key, &|number| range.contains(&number));
            assert!((got - want).abs() < slack, "{search} {key} {range:?}: {got}");
        }
        assert!(numbers(&runs, "train.lr").iter().all(|lr| (1e-6..=1e-3).contains(lr)));
        // Short in names: four digits.
        assert!(runs.iter().all(|run| run.name.split([' ', '=']).all(|part| part.trim_end_matches("e-4").len() <= 10)));
    }
}

/// Of the first 2^k points of a Sobol sequence, one is in each of 2^k equal parts of every axis, for any seed.
#[test]
fn a_sobol_sequence_is_evenly_spread_from_the_first_point() {
    let half = json!({ "uniform": [0.0, 0.5] });
    let axes =
        json!({ "train.dropout": half, "train.label_smoothing": half, "data.dev": half, "train.warmup_ratio": half });
    let space = Space::new(&swept(&json!({ "axes": axes })).sweep).unwrap();
    for seed in [0, 1, 42, u64::MAX] {
        let points: Vec<_> = (0..1024).map(|index| sobol::sample(&space, seed, index).unwrap()).collect();
        for count in [4, 8, 16, 64, 1024] {
            for axis in 0..4 {
                let mut parts: Vec<_> =
                    points[..count].iter().map(|point| (point[axis] * count as f64) as usize).collect();
                parts.sort_unstable();
                assert_eq!(parts, (0..count).collect::<Vec<_>>(), "seed {seed}, {count} points of axis {axis}");
            }
        }
        // And one in each of 64 squares of the first plane, 8 by 8.
        let square = |point: &UnitPoint| ((point[0] * 8.0) as usize, (point[1] * 8.0) as usize);
        let squares: BTreeSet<_> = points[..64].iter().map(square).collect();
        assert_eq!(squares.len(), 64);
    }
    assert!(sobol::sample(&space, 0, (1 << 16) - 1).is_some() && sobol::sample(&space, 0, 1 << 16).is_none());
}

#[test]
fn repeated_and_excluded_points_are_redrawn_until_none_is_left() {
    let axes = json!({ "train.epochs": { "int": [1, 3] }, "train.scheduler": ["constant", "linear"] });
    let exclude = json!([{ "train.epochs": 2, "train.scheduler": "linear" }]);
    for search in ["random", "sobol"] {
        let sweep = json!({ "axes": axes, "exclude": exclude, "search": search, "trials": 4 });
        let four = expand(&sweep, &[]).unwrap();
        assert_eq!((four.runs.len(), four.undrawn), (4, 0), "{search}");
        // There are five points; the others are counted as undrawn.
        let all = expand(&with(&sweep, json!({ "trials": 9, "seeds": [1, 2] })), &[]).unwrap();
        assert_eq!((all.runs.len(), all.undrawn, all.more), (10, 4, false), "{search}");
        let trials: Vec<_> = all.runs.iter().map(|run| run.trial).collect();
        assert_eq!(trials, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
        assert!(!names(&all.runs).iter().any(|name| name.starts_with("epochs=2 scheduler=linear")));
    }
    // Equal configs in two notations are one trial.
    let same = json!({ "axes": { "train.weight_decay": [0, 0.0] }, "search": "random", "trials": 2 });
    let one = expand(&same, &[]).unwrap();
    assert_eq!((one.runs.len(), one.undrawn), (1, 1));
    let none =
        json!({ "axes": { "train.epochs": [3] }, "exclude": [{ "train.epochs": 3 }], "search": "random", "trials": 2 });
    assert!(expand(&none, &[]).unwrap_err().to_string().contains("leaves out"));
    // A trial that is excluded for one of its seeds has the other.
    let seed = json!([{ "train.seed": 1, "train.epochs": 1 }]);
    let axes = json!({ "train.epochs": [1, 2] });
    let sweep = json!({ "axes": axes, "seeds": [1, 2], "search": "random", "trials": 2, "exclude": seed });
    assert_eq!(expand(&sweep, &[]).unwrap().runs.len(), 3);
}

#[test]
fn tpe_proposes_in_batches_and_never_changes_a_proposal() {
    let sweep = with(&mixed("tpe"), json!({ "startup_trials": 6, "batch": 3, "trials": 16 }));
    let score = |trial: usize| ((trial * 7 % 16) as f64 / 16.0).sin();
    // Scores are given for all proposals so far.
    let mut scores: Vec<Option<f64>> = Vec::new();
    let mut counts = Vec::new();
    let all = loop {
        let expansion = expand(&sweep, &scores).unwrap();
        let trials = expansion.runs.len() / 2;
        counts.push((trials, expansion.more));
        if !expansion.more {
            break expansion.runs;
        }
        scores = (0..trials).map(|trial| Some(score(trial))).collect();
    };
    assert_eq!(counts, [(6, true), (9, true), (12, true), (15, true), (16, false)]);
    let known = |of: &dyn Fn(usize) -> bool| -> Vec<Option<f64>> {
        (0..16).map(|trial| of(trial).then(|| score(trial))).collect()
    };
    // Other scores, and their order, change no proposal.
    for missing in 0..16 {
        let some = runs(&sweep, &known(&|trial| trial != missing));
        let expected = counts.iter().map(|(trials, _)| *trials).find(|trials| missing < *trials).unwrap();
        assert_eq!(some, all[..expected * 2], "without the score of {missing}");
        let fewer = runs(&sweep, &known(&|trial| trial < missing));
        assert_eq!(fewer, all[..fewer.len()], "with the first {missing} scores");
    }
    assert_eq!(runs(&sweep, &known(&|_| true)), all);
    // The random part equals that of a random search.
    assert_eq!(all[..12], runs(&with(&sweep, json!({ "search": "random" })), &[])[..12]);
}

#[test]
fn stored_proposals_are_kept_when_scores_change() {
    let sweep = with(&mixed("tpe"), json!({ "startup_trials": 4, "batch": 3, "trials": 10 }));
    let scores = |trials: usize, of: fn(usize) -> f64| (0..trials).map(|t| Some(of(t))).collect::<Vec<_>>();
    let mut first = expand(&sweep, &[]).unwrap();
    while first.more {
        first = expand_again(&sweep, &scores(first.runs.len() / 2, |t| (t as f64).sin()), &first.proposed).unwrap();
    }
    assert_eq!((first.runs.len(), first.proposed.len()), (20, 6));
    // Other scores would lead to other proposals; without scores there would be none.
    let other = scores(10, |t| (t as f64).cos());
    assert_ne!(expand(&sweep, &other).unwrap().runs, first.runs);
    for scores in [&other[..], &[], &[None; 10], &other[..5]] {
        assert_eq!(expand_again(&sweep, scores, &first.proposed).unwrap(), first);
    }
    // Two more trials are proposed once all before them have scores, and earlier ones stay.
    let longer = with(&sweep, json!({ "trials": 12 }));
    let waits = expand_again(&longer, &other[..9], &first.proposed).unwrap();
    assert_eq!((&waits.runs[..], waits.more), (&first.runs[..], true));
    let more = expand_again(&longer, &other, &first.proposed).unwrap();
    assert_eq!((more.runs.len(), &more.runs[..20], &more.proposed[..6]), (24, &first.runs[..], &first.proposed[..]));
    // Proposals that do not fit the axes are replaced.
    let foreign = vec![vec![Some(Vec::new())]; 6];
    assert_eq!(expand_again(&sweep, &other, &foreign).unwrap().runs, expand(&sweep, &other).unwrap().runs);
    let shorter = with(&sweep, json!({ "trials": 6 }));
    assert_eq!(expand_again(&shorter, &[], &first.proposed).unwrap().runs, first.runs[..12]);
    // Other searches have no proposals that depend on results.
    let random = with(&sweep, json!({ "search": "random" }));
    assert_eq!(expand_again(&random, &[], &first.proposed).unwrap(), expand(&random, &[]).unwrap());
}

#[test]
fn tpe_learns_from_scores_and_treats_failed_runs_as_the_worst() {
    let axes = json!({ "train.lr": { "log": [1e-6, 1e-2] }, "train.scheduler": ["constant", "linear", "cosine"] });
    let sweep = json!({ "axes": axes, "search": "tpe", "trials": 60, "startup_trials": 20, "batch": 40 });
    let first = runs(&sweep, &[]);
    let proposed = |score: &dyn Fn(f64, &str) -> f64| {
        let scores: Vec<_> =
            first.iter().map(|run| Some(score(run.config.train.lr, run.point[1].1.as_str().unwrap()))).collect();
        let all = runs(&sweep, &scores);
        let (mut high, mut linear) = (0, 0);
        for run in &all[20..] {
            high += usize::from(run.config.train.lr > 1e-4);
            linear += usize::from(run.point[1].1 == "linear");
        }
        (high, linear)
    };
    let (high, linear) =
        proposed(&|lr, scheduler| f64::from(u8::from(lr > 1e-4)) + f64::from(u8::from(scheduler == "linear")));
    assert!(high >= 30 && linear >= 20, "{high} {linear}");
    // Half of them failed: those with a high rate.
    let (high, _) = proposed(&|lr, _| if lr > 1e-4 { f64::NEG_INFINITY } else { -lr });
    assert!(high <= 6, "{high}");
    let (high, _) = proposed(&|lr, _| if lr > 1e-4 { f64::NAN } else { 0.5 });
    assert!(high <= 12, "{high}");
    // All failed: nothing to learn, but not an error.
    proposed(&|_, _| f64::NEG_INFINITY);
}

/// The best of 40 trials on a smooth function of two rates and a choice, over fixed seeds.
#[test]
fn tpe_finds_better_points_than_random_draws() {
    let axes = json!({
        "train.lr": { "log": [1e-6, 1e-1] },
        "train.weight_decay": { "uniform": [0.0, 1.0] },
        "train.scheduler": ["constant", "linear", "cosine"],
    });
    let value = |run: &PlannedRun| {
        let train = &run.config.train;
        let scheduler = if run.point[1].1 == "linear" { 0.0 } else { 0.3 };
        -((train.lr.log10() + 3.5) / 2.5).powi(2) - (train.weight_decay - 0.3).powi(2) - scheduler
    };
    let best = |search: &str, seed: u64| {
        let sweep = json!({ "axes": axes, "search": search, "trials": 40, "search_seed": seed });
        let mut scores: Vec<Option<f64>> = Vec::new();
        loop {
            let expansion = expand(&sweep, &scores).unwrap();
            scores = expansion.runs.iter().map(|run| Some(value(run))).collect();
            if !expansion.more {
                return -scores.into_iter().flatten().fold(f64::NEG_INFINITY, f64::max);
            }
        }
    };
    let regret = |search: &str| (0..30).map(|seed| best(search, seed)).sum::<f64>() / 30.0;
    let (tpe, random) = (regret("tpe"), regret("random"));
    assert!(tpe < 0.4 * random, "tpe {tpe}, random {random}");
}

#[test]
fn contradictions_of_later_trials_are_found_before_the_first_runs() {
    let spec = swept(&json!({
        "axes": { "train.epochs": { "int": [1, 9] } }, "search": "tpe", "trials": 100, "startup_trials": 1,
    }));
    let mut asked = 0;
    let at = |point: &[(String, Value)]| {
        asked += 1;
        match point[0].1 == 9 {
            true => Err(crate::plan::PlanError::Betas { found: 0 }),
            false => crate::plan::testing::at(&spec, point),
        }
    };
    assert!(!crate::plan::expand(&spec, at, SearchHistory::default()).unwrap_err().is_empty());
    assert_eq!(asked, 100);
}
