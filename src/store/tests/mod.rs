//! What is stored is read back, and newer rows replace older ones.

use std::{fs, path::Path};

use rusqlite::Connection;

use super::{testing::*, *};
use crate::{
    event::{Event, FailureKind, Outcome, PredictionBefore, Split, When},
    warning::{Kind, Warning},
};

mod migrated;
mod pairs;
mod read;
mod settings;
mod write;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn environment() -> Environment {
    Environment { taper: "0.1.0".into(), cpu: "a processor".into(), threads: 2, numerics: 1, ..Environment::default() }
}

fn started(total_steps: u64, resumed_from: Option<u64>) -> Event {
    Event::RunStarted {
        total_steps,
        steps_per_epoch: 5,
        resumed_from,
        rows: (80, 0, 20),
        parameters: 38_477_058,
        train_labels: Vec::new(),
    }
}

fn losses(store: &Store) -> Vec<(u64, f64)> {
    store.steps("k").unwrap().iter().map(|s| (s.step, s.loss)).collect()
}

fn experiment(name: &str, runs: &[&str]) -> ExperimentRecord {
    ExperimentRecord {
        trials: Vec::new(),
        name: name.into(),
        description: "a sweep".into(),
        spec_path: "experiments/a.toml".into(),
        arguments: vec!["--set".into(), "train.lr=2e-5".into()],
        spec_text: "name = \"a\"\n".into(),
        extends: vec![SpecFile { path: "experiments/base.toml".into(), text: "[train]\nlr = 1e-5\n".into() }],
        report: serde_json::json!({"smoothing": 0.9, "title": null}),
        warnings: vec![Warning::new(Kind::Sweep, "two points mean the same run")],
        prunes: false,
        to_come: 7,
        runs: runs.iter().map(|key| (key.to_string(), format!("{key} of {name}"))).collect(),
    }
}
