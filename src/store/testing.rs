//! Helpers for tests of the store and its listeners.

use std::path::Path;

use rusqlite::Connection;

use super::{ExperimentRecord, NewRun, Store, schema::MIGRATIONS};
use crate::{
    event::{Event, Prediction, ProbeScore, Split, StepCompleted, When},
    metrics::{Metrics, Scored, Target},
    plan::{Probe, RunConfig},
};

/// The tutorial's config.
pub(crate) fn config() -> RunConfig {
    serde_json::from_str(include_str!("../../tests/fixtures/store_config.json")).unwrap()
}

/// The database of an older version in a folder, without rows.
pub(super) fn older(folder: &Path, version: usize) -> Connection {
    let old = Connection::open(folder.join("taper.db")).unwrap();
    MIGRATIONS[..version].iter().for_each(|migration| old.execute_batch(migration).unwrap());
    old.pragma_update(None, "user_version", version as i64).unwrap();
    old
}

/// Adds a run of 10 steps of the experiment `e`, as all versions have it.
pub(super) fn insert_run(old: &Connection, key: &str, state: &str) {
    old.execute(
        "INSERT INTO runs (key, name, experiment, state, config, labels, total_steps, at_step, steps, created_at)
         VALUES (?1, ?1, 'e', ?2, ?3, '[]', 10, 0, 0, 1.5)",
        [key, state, &serde_json::to_string(&config()).unwrap()],
    )
    .unwrap();
}

/// An experiment of these runs, one a trial, planned by the spec `e.toml`.
pub(crate) fn experiment(name: &str, runs: &[&str]) -> ExperimentRecord {
    ExperimentRecord {
        name: name.into(),
        description: String::new(),
        spec_path: "e.toml".into(),
        arguments: Vec::new(),
        spec_text: String::new(),
        extends: Vec::new(),
        report: serde_json::Value::Null,
        warnings: Vec::new(),
        prunes: false,
        to_come: 3,
        runs: runs.iter().map(|key| (key.to_string(), format!("run {key}"))).collect(),
        trials: Vec::new(),
    }
}

/// Registers a run of 10 steps called `name`.
pub(crate) fn register(store: &mut Store, key: &str, name: &str) {
    let labels = ["negative", "positive"].map(String::from);
    let run = NewRun { key, name, experiment: "exp", config: &config(), labels: &labels, total_steps: 10, audit: None };
    store.register(&run).unwrap();
}

/// A store in `folder` with the registered run `k`.
pub(crate) fn store_with_run(folder: &Path) -> Store {
    let mut store = Store::open(folder).unwrap();
    register(&mut store, "k", "lr=1e-5");
    store
}

/// Makes the database refuse rows of a table.
pub(crate) fn refuse_rows(folder: &Path, table: &str) {
    let other = Connection::open(folder.join("taper.db")).unwrap();
    let refuse = format!("CREATE TRIGGER refuse BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END");
    other.execute_batch(&refuse).unwrap();
}

/// A step with this number and loss.
pub(crate) fn step(step: u64, loss: f64) -> Event {
    Event::StepCompleted(StepCompleted {
        step,
        epoch: 1,
        loss,
        lr: 1e-5,
        grad_norm: 2.5,
        tokens: 100,
        elapsed_s: step as f64 * 0.5,
    })
}

/// Metrics of four rows, `right` of which are right.
pub(crate) fn metrics(right: usize) -> Metrics {
    let names = ["negative", "positive"].map(String::from);
    let rows = [0.25, 0.5, 0.75, 1.0].into_iter().enumerate();
    let p = |i: usize| if i < right { [0.75, 0.25] } else { [0.25, 0.75] };
    Metrics::new(&names, rows.map(|(i, loss)| Scored::new(0, &p(i), loss)))
}

/// An evaluation with `right` of four rows right.
pub(crate) fn eval(when: When, step: u64, split: Split, right: usize) -> Event {
    Event::EvalCompleted { when, step, epoch: 1, split, metrics: metrics(right), elapsed_s: 0.5 }
}

/// A row's prediction.
pub(crate) fn prediction(row: u32, text: &str) -> Prediction {
    Prediction {
        row,
        line: u64::from(row) + 2,
        text: text.into(),
        text_pair: None,
        label: Target::Label(0),
        predicted: Target::Label(1),
        probabilities: vec![0.1, 0.9].into(),
    }
}

/// Texts of probes.
const PROBES: [&str; 2] = ["这家饭店真贴心", "送餐很快"];

/// Probes that expect `negative`.
pub(crate) fn probes() -> [Probe; 2] {
    PROBES.map(|text| Probe { text: text.into(), text_pair: None, expect: Some("negative".into()) })
}

/// The score of one of them, predicted as negative with this probability.
pub(crate) fn probe(position: u32, confidence: f32) -> ProbeScore {
    ProbeScore {
        position,
        text: PROBES[position as usize].into(),
        text_pair: None,
        expect: Some("negative".into()),
        predicted: "negative".into(),
        right: Some(true),
        confidence: Some(confidence),
        probabilities: vec![confidence, 1.0 - confidence].into(),
    }
}
