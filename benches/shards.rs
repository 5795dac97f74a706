//! What it costs to bring the results of many elements of a cluster into the database.
//!
//!     cargo bench --bench shards -- [--runs 500] [--steps 1000]
//!
//! Writes a shard for each run into a temporary folder, with steps, evaluations and predictions, then collects them: once into a database with
//! SQLite's write-ahead log, and once into one with a rollback journal, as on a network file system.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with the comparison")]
mod common;

use std::{path::Path, process::Command, time::Instant};

use common::machine;
use taper::{
    event::{Event, Outcome, Prediction, Split, StepCompleted, When},
    execute::{collect, write_shard},
    metrics::{Metrics, Scored, Target},
    plan::RunConfig,
    store::{Environment, NewRun, Reported, ReportedRun, Store, SubmissionRecord},
};

/// Rows of the dev split and of the test split.
const ROWS: u32 = 240;

fn main() {
    let (mut runs, mut steps, mut shared) = (500, 1_000, false);
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--runs" => runs = value.parse().expect("a number of runs"),
            "--steps" => steps = value.parse().expect("a number of steps"),
            "--shared" => shared = value == "yes",
            _ => panic!("unknown option {name}"),
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let bytes = fill(folder.path(), runs, steps);
    let mut store = Store::open(folder.path()).expect("a store");
    let begin = Instant::now();
    let collected = collect(&mut store, folder.path()).expect("shards");
    let seconds = begin.elapsed().as_secs_f64();
    assert_eq!((collected.stored.len(), collected.damaged.len()), (runs, 0));
    assert_eq!(store.steps(&key(runs - 1)).expect("steps").len() as u64, steps);
    let journal = if shared { "a rollback journal" } else { "a write-ahead log" };
    println!(
        "{runs} shards of {steps} steps ({:.0} MiB), with {journal}: {seconds:.2} s; {}, load {:.1}",
        bytes as f64 / f64::from(1 << 20),
        machine::cpu(),
        machine::load().unwrap_or(f64::NAN)
    );
    if !shared {
        // The variable is read when a database is opened.
        let mut other = Command::new(std::env::current_exe().expect("this program"));
        let (runs, steps) = (runs.to_string(), steps.to_string());
        other.args(["--runs", &runs, "--steps", &steps, "--shared", "yes"]).env("TAPER_SHARED_RUNS", "yes");
        assert!(other.status().expect("this program").success());
    }
}

/// Registers and submits the runs, and writes their shards; returns the bytes of these.
fn fill(folder: &Path, runs: usize, steps: u64) -> u64 {
    let config: RunConfig =
        serde_json::from_str(include_str!("../tests/fixtures/store_config.json")).expect("a config");
    let labels = ["negative", "positive"].map(String::from);
    let keys: Vec<String> = (0..runs).map(key).collect();
    let new = |key| NewRun {
        key,
        name: "lr=1e-5",
        experiment: &config.name,
        config: &config,
        labels: &labels,
        total_steps: steps,
        audit: None,
    };
    let mut store = Store::open(folder).expect("a store");
    store.register_all(&keys.iter().map(|key| new(key)).collect::<Vec<_>>()).expect("runs");
    let submission = SubmissionRecord {
        number: 1,
        experiment: config.name.clone(),
        command: "taper submit".into(),
        created_at: 0.0,
    };
    let elements: Vec<(u64, String)> = (0..).zip(keys.iter().cloned()).collect();
    store.add_submission(&submission, &elements).expect("a submission");
    let (environment, events) = (Environment::default(), events(steps));
    let mut reports = vec![(0.0, Reported::Started(&environment, None))];
    reports.extend(events.iter().zip(1u32..).map(|(event, at)| (f64::from(at), Reported::Event(event))));
    let write = |key: &String| {
        let run = ReportedRun { submission: 1, key, config: &config, reports: &reports };
        let path = write_shard(folder, "lr=1e-5", &run).expect("a shard");
        path.metadata().expect("its size").len()
    };
    keys.iter().map(write).sum()
}

fn events(steps: u64) -> Vec<Event> {
    let mut events = vec![Event::RunStarted {
        total_steps: steps,
        steps_per_epoch: steps,
        resumed_from: None,
        rows: (8_000, ROWS.into(), ROWS.into()),
        parameters: 38_477_058,
        train_labels: vec![5_300, 2_700],
    }];
    events.push(evaluation(When::Before, 0, Split::Dev));
    for step in 1..=steps {
        let (loss, elapsed_s) = (0.7 / (1.0 + step as f64 / 100.0), step as f64 * 0.144);
        let completed = StepCompleted { step, epoch: 1, loss, lr: 1e-5, grad_norm: 2.5, tokens: 870, elapsed_s };
        events.push(Event::StepCompleted(completed));
        if step.is_multiple_of(steps.div_ceil(10)) {
            events.push(evaluation(When::During, step, Split::Dev));
        }
    }
    for split in [Split::Dev, Split::Test] {
        events.push(evaluation(When::After, steps, split));
        events.push(Event::Predicted { split, predictions: (0..ROWS).map(prediction).collect() });
    }
    events.push(Event::RunFinished(Outcome::Completed));
    events
}

fn evaluation(when: When, step: u64, split: Split) -> Event {
    let names = ["negative", "positive"].map(String::from);
    let metrics = Metrics::new(&names, (0..ROWS).map(|row| Scored::new(row % 2, &[0.75, 0.25], 0.25)));
    Event::EvalCompleted { when, step, epoch: 1, split, metrics, elapsed_s: 1.5 }
}

fn prediction(row: u32) -> Prediction {
    Prediction {
        row,
        line: u64::from(row) + 2,
        text: "送餐很快，味道也不错，下次还会再点。".into(),
        text_pair: None,
        label: Target::Label(row % 2),
        predicted: Target::Label(0),
        probabilities: vec![0.75, 0.25].into(),
    }
}

/// Keys spread as digests do.
fn key(i: usize) -> String {
    let mix = |i: u64| (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{:016x}{:016x}{:032x}", mix(i as u64), mix(i as u64 ^ 0xffff), i)
}
