//! Sweep points.

use serde_json::json;
use taper::spec::{Axis, Keep};

use super::one;

#[test]
fn a_point_differs_from_the_spec_in_its_overrides_alone() {
    let loaded = one("[train]\nepochs = 7\n[[probes]]\ntext = \"好\"\n").load("a.toml").unwrap();
    let point = loaded
        .at(&[
            ("train.lr".into(), json!(1)),
            ("train.seed".into(), json!(u64::MAX / 2)),
            ("train.max_steps".into(), json!(5)),
            ("checkpoint.keep".into(), json!("none")),
            ("train.class_weights".into(), json!([1, 2.5])),
        ])
        .unwrap();
    let mut expected = loaded.spec().clone();
    expected.train.lr = 1.0;
    expected.train.seed = u64::MAX / 2;
    expected.train.max_steps = Some(5);
    expected.checkpoint.keep = Keep::None;
    expected.train.class_weights = taper::spec::ClassWeights::Given(vec![1.0, 2.5]);
    assert_eq!(point, expected);
    assert_eq!(loaded.at(&[]).unwrap(), *loaded.spec());
}

#[test]
fn a_thousand_points_of_a_spec_with_many_probes() {
    let probes: String = (0..50).map(|i| format!("[[probes]]\ntext = \"味道很好 {i}\"\n")).collect();
    let loaded = one(&probes).load("a.toml").unwrap();
    for i in 0..1000_u64 {
        let lr = 1e-5 * (i + 1) as f64;
        let point = loaded.at(&[("train.lr".into(), json!(lr)), ("train.seed".into(), json!(i))]).unwrap();
        assert_eq!((point.train.lr, point.train.seed, point.probes.len()), (lr, i, 50));
    }
}

#[test]
fn what_only_some_points_contradict_is_shown_for_them_at_the_swept_value() {
    let sweep = "[checkpoint]\nkeep = \"best\"\n[sweep.axes]\ndata.dev = [0, 0.1,\n  0.8]\n[[sweep.zip]]\n\
        \"train.warmup_ratio\" = [0.0, 0.1]\ntrain.warmup_steps = [10, 20]\n";
    let files = one(sweep);
    // The spec by itself would have no dev split: no run is like that.
    let loaded = files.load("a.toml").unwrap();
    let at = |overrides: &[(&str, serde_json::Value)]| {
        let overrides: Vec<_> = overrides.iter().map(|(path, value)| (path.to_string(), value.clone())).collect();
        let errors = loaded.at(&overrides).map_err(|errors| errors.to_string());
        errors.map_err(|text| text.replace(&format!("{}/", files.0.root().display()), ""))
    };
    assert_eq!(at(&[("data.dev", json!(0.1))]).unwrap().data.dev, 0.1.into());
    let leak = at(&[("train.lr", json!(1e-5)), ("data.dev", json!(0.0))]).unwrap_err();
    assert_eq!(
        leak,
        "a.toml:6:13: `checkpoint.keep` = \"best\" needs a dev split: selecting on the test split would bias its result (in the sweep \
         point train.lr=1e-5 data.dev=0.0)\n  |\n6 | data.dev = [0, 0.1,\n  |             ^\n  = set `data.dev`, for example \
         data.dev = 0.1"
    );
    // A value on another line of its list, and of the zip.
    let split = at(&[("data.dev", json!(0.8))]).unwrap_err();
    assert!(split.starts_with("a.toml:7:3: `data.dev` = 0.8 and `data.test` = 0.2 leave no rows"), "{split}");
    let warmup = at(&[("data.dev", json!(0.1)), ("train.warmup_ratio", json!(0.1)), ("train.warmup_steps", json!(20))]);
    assert!(
        warmup
            .unwrap_err()
            .starts_with("a.toml:9:30: `train.warmup_ratio` and `train.warmup_steps` cannot both be set")
    );
}

#[test]
fn a_point_takes_no_key_and_no_value_that_the_table_refuses() {
    let loaded = one("").load("a.toml").unwrap();
    let at = |path: &str, value| loaded.at(&[(path.to_string(), value)]).unwrap_err().to_string();
    assert!(at("train.learning_rate", json!(1)).contains("did you mean `train.lr`?"));
    assert!(at("report.smoothing", json!(0.5)).contains("cannot be swept"));
    assert!(at("name", json!("x")).contains("cannot be swept"));
    assert!(at("data.labels", json!({})).contains("cannot be swept"));
    assert!(at("sweep.seeds", json!([1])).contains("cannot be swept"));
    assert!(at("train.lr", json!(2)).contains("`train.lr` is 2; expected a number above 0 and at most 1"));
    assert!(at("train.epochs", json!(1.5)).contains("`train.epochs` is 1.5; expected an integer"));
    assert!(at("train.max_steps", json!(null)).contains("`train.max_steps` is null"));
}

#[test]
fn a_required_key_can_be_only_swept() {
    let text = "data.source = \"path:x.csv\"\n[sweep.axes]\nmodel.source = [\"scratch:tiny\", \"hf:o/n\"]\n";
    let files = super::Files::new(&[("a.toml", text)]);
    let loaded = files.load("a.toml").unwrap();
    assert_eq!(loaded.spec().model.source.to_string(), "scratch:tiny");
    assert_eq!(loaded.at(&[("model.source".into(), json!("hf:o/n"))]).unwrap().model.source.to_string(), "hf:o/n");
}

#[test]
fn seeds_and_excluded_values_come_in_the_type_of_their_key() {
    let sweep =
        "[sweep]\nseeds = [3, 1]\n[sweep.axes]\ntrain.lr = [1, 0.5]\n[[sweep.exclude]]\ntrain = { lr = 1, seed = 3 }\n";
    let loaded = one(sweep).load("a.toml").unwrap();
    let sweep = &loaded.spec().sweep;
    assert_eq!(sweep.seeds, [3, 1]);
    // A whole number where the key takes any: equal to itself in the axis, whichever way it was written.
    assert_eq!(sweep.axes["train.lr"], Axis::values(vec![json!(1.0), json!(0.5)]));
    assert_eq!(sweep.exclude[0]["train.lr"], json!(1.0));
    assert_eq!(sweep.exclude[0]["train.seed"], json!(3));
}

#[test]
fn epochs_and_steps_are_not_swept_together() {
    let files = one("[sweep.axes]\ntrain.epochs = [1, 2]\ntrain.max_steps = [10, 20]\n");
    let problems = files.problems("a.toml", &taper::spec::LoadOptions::default());
    assert!(problems.starts_with("a.toml:4:16: `train.epochs` is swept, but"), "{problems}");
    assert!(one("[train]\nepochs = 3\n[sweep.axes]\ntrain.max_steps = [10, 20]\n").load("a.toml").is_ok());
}
