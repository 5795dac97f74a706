//! Grids: sweeps in, runs out.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;
use crate::{
    plan::{
        resolve,
        testing::{self, at, spec, swept},
    },
    spec::Axis,
};

fn sweep(sweep: Value) -> Result<Vec<PlannedRun>, PlanError> {
    let expansion = testing::expand(&sweep, &[])?;
    assert_eq!((expansion.more, expansion.undrawn), (false, 0));
    Ok(expansion.runs)
}

fn names(sweep_: Value) -> Vec<String> {
    sweep(sweep_).unwrap().into_iter().map(|run| run.name).collect()
}

#[test]
fn without_a_sweep_there_is_one_run_with_the_experiments_name() {
    let runs = sweep(json!({})).unwrap();
    assert_eq!((runs.len(), runs[0].name.as_str(), runs[0].point.len()), (1, "demo", 0));
    assert_eq!(runs[0].config, resolve(&spec()).unwrap());
}

#[test]
fn axes_combine_with_seeds_innermost() {
    let runs = sweep(json!({
        "axes": { "train.lr": [1e-5, 2e-5], "train.batch_size": [16, 32] },
        "seeds": [1, 2],
    }))
    .unwrap();
    let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(
        names[..3],
        ["batch_size=16 lr=1e-5 seed=1", "batch_size=16 lr=1e-5 seed=2", "batch_size=16 lr=2e-5 seed=1"]
    );
    assert_eq!((names.len(), names[7]), (8, "batch_size=32 lr=2e-5 seed=2"));
    let last = &runs[7];
    assert_eq!((last.config.train.batch_size, last.config.train.lr, last.config.train.init_seed), (32, 2e-5, 2));
    assert_eq!(last.point[0], ("train.batch_size".to_string(), json!(32)));
}

#[test]
fn zipped_keys_vary_together() {
    let got = names(json!({
        "axes": { "data.max_length": [64] },
        "zip": [{ "train.lr": [1e-4, 1e-5], "train.epochs": [1, 3] }, { "train.batch_size": [8, 16] }],
    }));
    let want = ["epochs=1 lr=1e-4 batch_size=8", "epochs=1 lr=1e-4 batch_size=16", "epochs=3 lr=1e-5 batch_size=8"];
    assert_eq!(got[..3], want.map(|name| format!("max_length=64 {name}")));
    assert_eq!(got.len(), 4);
}

#[test]
fn excluded_points_are_compared_by_value_and_never_resolved() {
    let axes = json!({ "train.lr": [1e-5, 2e-5], "train.batch_size": [16, 32] });
    let exclude = json!([{ "train.lr": 0.00001, "train.batch_size": 32.0 }, { "train.lr": 9.0 }]);
    assert_eq!(names(json!({ "axes": axes, "exclude": exclude })).len(), 3);
    // A key that is not swept has the spec's value, and a seed is a key like any other.
    let exclude = json!([{ "train.epochs": 3, "train.seed": 2 }, { "train.epochs": 4 }, {}]);
    assert_eq!(names(json!({ "seeds": [1, 2, 3], "exclude": exclude })), ["seed=1", "seed=3"]);

    let mut asked = Vec::new();
    let spec = Spec {
        sweep: Sweep {
            exclude: vec![[("train.seed".to_string(), json!(1))].into()],
            seeds: vec![1, 2],
            ..Sweep::default()
        },
        ..spec()
    };
    let ask = |point: &[(String, Value)]| {
        asked.push(point[0].1.clone());
        at(&spec, point)
    };
    expand(&spec, ask, SearchHistory::default()).unwrap();
    assert_eq!(asked, [json!(2)]);
}

#[test]
fn points_with_the_same_config_are_one_run() {
    assert_eq!(
        names(json!({ "axes": { "train.lr": [1e-5, 0.00001, 1e-4] }, "seeds": [3, 3] })),
        ["lr=1e-5 seed=3", "lr=1e-4 seed=3"]
    );
    assert_eq!(names(json!({ "axes": { "train.weight_decay": [0, 0.0] } })), ["weight_decay=0"]);
}

#[test]
fn names_are_unique_even_if_values_look_alike() {
    let got = names(json!({ "axes": { "train.freeze": [["a,b"], ["a", "b"]] } }));
    assert_eq!(got, ["freeze=[a,b]", "freeze=[a,b] #2"]);
}

#[test]
fn contradictory_sweeps_are_refused() {
    let refuse = |sweep_: Value, want: &str| {
        let message = sweep(sweep_).unwrap_err().to_string();
        assert!(message.contains(want), "{message}");
    };
    refuse(json!({ "axes": { "train.lr": [] } }), "axes.\"train.lr\" has no values");
    refuse(json!({ "zip": [{}] }), "zip table 1 has no values");
    refuse(json!({ "zip": [{ "train.lr": [1.0], "train.epochs": [1, 2] }] }), "found 2 of train.epochs, 1 of train.lr");
    refuse(json!({ "axes": { "train.seed": [1] }, "seeds": [1] }), "`train.seed` is swept more than once");
    refuse(json!({ "seeds": [1, 2], "exclude": [{ "train.epochs": 3 }] }), "leaves out all 2 points");
    refuse(json!({ "axes": { "data.source": ["scratch:tiny"] } }), "data.source: ");
    refuse(
        json!({ "axes": { "train.lr": { "log": [1e-6, 1e-3] } } }),
        "`train.lr` is a range; a grid takes only lists",
    );
    refuse(json!({ "axes": { "train.lr": [1e-3] }, "search": "sobol" }), "sweep.search needs sweep.trials");
    let many = json!({ "axes": { "train.lr": [1e-3] }, "search": "tpe", "trials": 6_000, "seeds": [1, 2] });
    refuse(many, "12,000 points are more than the 10,000 allowed");
}

#[test]
fn a_sweep_too_large_is_refused_before_it_is_expanded() {
    let hundred: Vec<u64> = (1..=100).collect();
    let mut axes: BTreeMap<String, Axis> = BTreeMap::new();
    for i in 0..12 {
        axes.insert(format!("train.x{i:02}"), Axis::values(hundred.iter().map(|n| json!(n)).collect()));
    }
    let spec = |n: usize| Spec {
        sweep: Sweep { axes: axes.clone().into_iter().take(n).collect(), ..Sweep::default() },
        ..spec()
    };
    let refused = |spec: &Spec| {
        expand(spec, |_| -> Result<Spec, PlanError> { panic!("no point may be resolved") }, SearchHistory::default())
            .unwrap_err()[0]
            .to_string()
    };
    let message = refused(&spec(3));
    assert!(message.starts_with("sweep: 1,000,000 points are more than the 10,000 allowed; remove some"), "{message}");
    assert!(refused(&spec(12)).contains("more than 2^64 points"));
}
#[test]
fn an_axis_applies_only_if_its_condition_holds() {
    // The spec says "linear": conditions on a key that is not swept, or not for this point, read that.
    let warmup = json!({ "values": [0.0, 0.1, 0.2], "when": { "train.scheduler": "linear" } });
    let got = names(json!({
        "axes": { "train.scheduler": ["constant", "linear"], "train.warmup_ratio": warmup, "train.lr": [1e-5, 1e-4] },
    }));
    assert_eq!(
        got,
        [
            "lr=1e-5 scheduler=constant warmup_ratio=–",
            "lr=1e-5 scheduler=linear warmup_ratio=0",
            "lr=1e-5 scheduler=linear warmup_ratio=0.1",
            "lr=1e-5 scheduler=linear warmup_ratio=0.2",
            "lr=1e-4 scheduler=constant warmup_ratio=–",
            "lr=1e-4 scheduler=linear warmup_ratio=0",
            "lr=1e-4 scheduler=linear warmup_ratio=0.1",
            "lr=1e-4 scheduler=linear warmup_ratio=0.2",
        ]
    );
    let runs = sweep(json!({ "axes": { "train.scheduler": ["constant"], "train.warmup_ratio": warmup } })).unwrap();
    assert_eq!((runs.len(), runs[0].config.train.warmup_ratio), (1, 0.0));
    assert_eq!(names(json!({ "axes": { "train.warmup_ratio": warmup } })).len(), 3);
}

#[test]
fn conditions_follow_one_another_and_zips_whatever_the_order_of_the_axes() {
    // a.. depends on m.., which depends on w..: names are in the reverse order of dependency.
    let got = names(json!({ "axes": {
        "train.batch_size": { "values": [8, 16], "when": { "train.epochs": 5 } },
        "train.epochs": { "values": [4, 5], "when": { "train.weight_decay": 0, "train.lr": 2e-5 } },
    }, "zip": [{ "train.weight_decay": [0.0, 0.5], "train.lr": [2e-5, 2e-5] }] }));
    assert_eq!(
        got,
        [
            "epochs=4 lr=2e-5 weight_decay=0 batch_size=–",
            "lr=2e-5 weight_decay=0.5 batch_size=– epochs=–",
            "batch_size=8 epochs=5 lr=2e-5 weight_decay=0",
            "batch_size=16 epochs=5 lr=2e-5 weight_decay=0",
        ]
    );
}

#[test]
fn exclusion_reads_the_spec_if_an_axis_does_not_apply() {
    let axes = json!({
        "train.scheduler": ["constant", "linear"],
        "train.warmup_ratio": { "values": [0.1, 0.2], "when": { "train.scheduler": "linear" } },
    });
    let left = |exclude: Value| names(json!({ "axes": axes, "exclude": [exclude] }));
    let all =
        ["scheduler=constant warmup_ratio=–", "scheduler=linear warmup_ratio=0.1", "scheduler=linear warmup_ratio=0.2"];
    assert_eq!(left(json!({ "train.warmup_ratio": 0.0 })), all[1..]);
    assert_eq!(left(json!({ "train.warmup_ratio": 0.1 })), [all[0], all[2]]);
}

#[test]
fn trials_are_configs_without_their_seed() {
    let trials = |sweep_: Value| sweep(sweep_).unwrap().iter().map(|run| run.trial).collect::<Vec<_>>();
    assert_eq!(trials(json!({ "axes": { "train.lr": [1e-5, 1e-4] }, "seeds": [1, 2] })), [0, 0, 1, 1]);
    assert_eq!(trials(json!({ "axes": { "train.seed": [1, 2], "train.weight_decay": [0.1, 0.2] } })), [0, 1, 0, 1]);
    assert_eq!(trials(json!({})), [0]);
    // Excluding a point for one seed does not split a trial, nor do two notations of a number.
    let exclude = json!([{ "train.lr": 1e-5, "train.seed": 1 }]);
    let axes = json!({ "train.lr": [1e-5, 1e-4] });
    assert_eq!(trials(json!({ "axes": axes, "seeds": [1, 2], "exclude": exclude })), [0, 1, 1]);
    let axes = json!({ "train.weight_decay": [0, 0.0, 0.5] });
    assert_eq!(trials(json!({ "axes": axes, "seeds": [1, 2] })), [0, 0, 1, 1]);
    // Other seeds are axes like any other.
    assert_eq!(trials(json!({ "axes": { "train.init_seed": [1, 2] }, "seeds": [1, 2] })), [0, 0, 1, 1]);
}

/// A large sweep: each point is set once.
#[test]
fn each_of_a_thousand_points_is_set_once() {
    let lrs: Vec<f64> = (1..=334).map(|i| f64::from(i) * 1e-6).collect();
    let spec = swept(&json!({ "axes": { "train.lr": lrs }, "seeds": [1, 2, 3] }));
    let plain = Spec { sweep: Sweep::default(), ..spec.clone() };
    let calls = std::cell::Cell::new(0);
    let set = |point: &[(String, Value)]| -> Result<Spec, PlanError> {
        calls.set(calls.get() + 1);
        let mut spec = plain.clone();
        (spec.train.lr, spec.train.seed) = (point[0].1.as_f64().unwrap(), point[1].1.as_u64().unwrap());
        Ok(spec)
    };
    let runs = expand(&spec, set, SearchHistory::default()).unwrap().runs;
    assert_eq!((runs.len(), runs[1001].trial), (1002, 333));
    assert_eq!(calls.get(), runs.len());
}

#[test]
fn folds_are_the_innermost_axis_and_one_trial_with_their_seeds() {
    let runs = sweep(json!({ "axes": { "train.lr": [1e-5, 2e-5] }, "seeds": [1, 2], "folds": 3 })).unwrap();
    let names: Vec<_> = runs.iter().map(|run| run.name.as_str()).collect();
    let want = ["seed=1 fold=1/3", "seed=1 fold=2/3", "seed=1 fold=3/3", "seed=2 fold=1/3"]
        .map(|name| format!("lr=1e-5 {name}"));
    assert_eq!(names[..4], want);
    assert_eq!((names.len(), names[11]), (12, "lr=2e-5 seed=2 fold=3/3"));
    assert_eq!(runs.iter().map(|run| run.trial).collect::<Vec<_>>(), [[0; 6], [1; 6]].concat());
    // A fold is the test split, whatever share is the default.
    let data = &runs[11].config.data;
    assert_eq!(
        (data.fold.map(|fold| fold.to_string()), data.test.share(), data.has_test()),
        (Some("3/3".into()), 0.0, true)
    );
    let text = runs[11].config.to_toml().unwrap();
    assert!(text.contains("test = 0.0  # data.fold overrides it") && text.contains("fold = \"3/3\""), "{text}");
    assert_eq!(
        sweep(json!({ "axes": { "train.lr": [1e-5, 2e-5] }, "seeds": (0..51).collect::<Vec<_>>(), "folds": 100 }))
            .unwrap_err(),
        PlanError::TooManyPoints { count: "10,200".into() }
    );
}
