//! `--engine`: taper's kernels and candle's operations.

use std::process::{Command, Stdio};

use super::{sandbox, stored_steps, wait};

/// Both train the same model from the same rows with the same dropout: what differs is rounding.
#[test]
fn candle_trains_what_the_kernels_train_under_a_key_of_its_own() {
    let sandbox = sandbox("[checkpoint]\nkeep = \"last\"\n");
    sandbox.ok(&["run", "small.toml", "--quiet"]);
    sandbox.ok(&["run", "small.toml", "--quiet", "--engine", "candle"]);
    let list = sandbox.json(&["list"]);
    let runs = list.as_array().expect("runs");
    assert_eq!(runs.len(), 2);
    let of = |engine: &str| {
        let run = runs.iter().find(|run| run["config"]["train"]["engine"].as_str().unwrap_or("fused") == engine);
        run.unwrap_or_else(|| panic!("no run of {engine}: {list}"))
    };
    let [fused, candle] = ["fused", "candle"].map(of);
    assert_ne!(fused["key"], candle["key"]);
    assert!(candle["name"].as_str().expect("a name").contains("engine=candle"), "{candle}");
    let steps = sandbox.steps("runs");
    let of_run = |run: &serde_json::Value| -> Vec<[u64; 5]> {
        steps.iter().filter(|((key, _), _)| run["key"] == *key).map(|(_, facts)| *facts).collect()
    };
    let (fused, by_candle) = (of_run(fused), of_run(candle));
    assert_eq!((fused.len(), by_candle.len()), (12, 12));
    for (a, b) in fused.iter().zip(&by_candle) {
        let [a, b] = [a, b].map(|facts| [f64::from_bits(facts[1]), f64::from_bits(facts[2])]);
        assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4 * a), "{a:?} and {b:?}");
    }
    assert_ne!(fused, by_candle, "the engines round otherwise");
    // Nothing is left to do for either, and what candle trained is verified by candle.
    for arguments in [&["plan", "small.toml"][..], &["plan", "small.toml", "--engine", "candle"]] {
        assert_eq!(sandbox.json(arguments)["runs"][0]["standing"], "completed", "{arguments:?}");
    }
    let key = candle["key"].as_str().expect("a key");
    let verified = sandbox.ok(&["verify", key]);
    assert!(verified.contains("bit for bit"), "{verified}");
    sandbox.ok(&["predict", key, "送得快，好吃"]);
}

#[test]
fn a_run_by_candle_resumes_to_the_same_numbers() {
    let sandbox = sandbox("[checkpoint]\nkeep = \"last\"\n");
    let longer = ["run", "small.toml", "--set", "train.epochs=20", "--engine", "candle", "--json"];
    sandbox.ok(&[&longer[..], &["--runs", "calm"]].concat());
    let mut child = sandbox.command(&longer).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("taper starts");
    assert!(wait(&mut child, "steps", || stored_steps(&sandbox.path("runs")) >= 5));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill");
    assert_eq!(child.wait().expect("its end").code(), Some(130));
    assert!(sandbox.json(&["list"])[0]["checkpoint_step"].as_u64().is_some_and(|step| step > 0));
    sandbox.ok(&longer);
    assert!(sandbox.steps("runs") == sandbox.steps("calm") && sandbox.weights("runs") == sandbox.weights("calm"));
}

#[test]
fn what_candle_does_not_have_is_refused_before_anything_starts() {
    let sandbox = sandbox("");
    for (arguments, words) in [
        (&["--engine", "candle", "--set", "train.precision=bf16"][..], "float32 only"),
        (&["--engine", "candle", "--device", "cuda:0"], "--features candle-cuda"),
        (&["--engine", "torch"], "fused"),
        (&["--set", "train.engine=candel"], "did you mean \"candle\""),
    ] {
        let (code, said) = sandbox.says(&[&["run", "small.toml"], arguments].concat());
        assert!(code == 2 && said.contains(words), "{arguments:?}: {code}\n{said}");
        assert!(!sandbox.path("runs").exists(), "{arguments:?} started something");
    }
}
