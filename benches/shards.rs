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

use common::{
    machine,
    trained::{self, Trained, key},
};
use taper::{
    execute::{collect, write_shard},
    store::{Environment, NewRun, Reported, ReportedRun, Store, SubmissionRecord},
};

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
    let config = trained::config();
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
    let (environment, events) = (Environment::default(), Trained { steps, better: 0, seed: 0 }.events());
    let mut reports = vec![(0.0, Reported::Started(&environment, None))];
    reports.extend(events.iter().zip(1u32..).map(|(event, at)| (f64::from(at), Reported::Event(event))));
    let write = |key: &String| {
        let run = ReportedRun { submission: 1, key, config: &config, reports: &reports };
        let path = write_shard(folder, "lr=1e-5", &run).expect("a shard");
        path.metadata().expect("its size").len()
    };
    keys.iter().map(write).sum()
}
