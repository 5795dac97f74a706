//! What the report of a large sweep costs.
//!
//!     cargo bench --bench report -- [--runs 100,1000] [--steps 1000] [--lang en]
//!
//! For each number of runs, stores a sweep of learning rates, batch sizes and seeds in a temporary folder, with all steps, ten evaluations and
//! the predictions of 240 dev rows and 240 test rows per run, then times `taper report` and checks that a second one writes the same page.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with the comparison")]
mod common;

use std::{fs, path::Path, process::Command, time::Instant};

use common::{
    machine,
    trained::{self, Trained},
};
use taper::{
    plan::RunConfig,
    store::{Environment, ExperimentRecord, NewRun, RunState, Store},
};

/// Seeds of one trial.
const SEEDS: usize = 5;
/// Batch sizes of the sweep; it has as many learning rates as its number of runs needs.
const BATCH_SIZES: [usize; 4] = [8, 16, 32, 64];

fn main() {
    let (mut runs, mut steps, mut language) = (vec![100, 1_000], 1_000, "en".to_string());
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--runs" => runs = value.split(',').map(|n| n.parse().expect("numbers of runs")).collect(),
            "--steps" => steps = value.parse().expect("a number of steps"),
            "--lang" => language = value,
            _ => panic!("unknown option {name}"),
        }
    }
    println!("{}, load {:.1}", machine::cpu(), machine::load().unwrap_or(f64::NAN));
    for runs in runs {
        let folder = tempfile::tempdir().expect("a folder");
        fill(folder.path(), runs, steps);
        let (first, seconds, page) = report(folder.path(), "first", &language);
        let (second, ..) = report(folder.path(), "second", &language);
        assert!(first == second, "two reports of the same database differ");
        println!(
            "{runs} runs of {steps} steps: {seconds:.2} s, a page of {:.2} MB, the whole folder {:.2} MB",
            page as f64 / 1e6,
            first.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() as f64 / 1e6
        );
    }
}

/// The files that `taper report` writes, by name; the seconds of the whole command; the size of the page.
fn report(folder: &Path, name: &str, language: &str) -> (Vec<(String, Vec<u8>)>, f64, usize) {
    let out = folder.join(name);
    let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
    command.args(["report", "sweep", "--lang", language, "--runs"]).arg(folder).arg("--out").arg(&out);
    let begin = Instant::now();
    let output = command.output().expect("taper");
    let seconds = begin.elapsed().as_secs_f64();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(&out)
        .expect("the report")
        .map(|entry| entry.expect("a file"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("its bytes")))
        .collect();
    files.sort();
    let page = files.iter().find(|(name, _)| name == "report.html").expect("the page").1.len();
    (files, seconds, page)
}

/// Stores the sweep as `taper run` does.
fn fill(folder: &Path, runs: usize, steps: u64) {
    let labels = ["negative", "positive"].map(String::from);
    let configs: Vec<RunConfig> = (0..runs).map(config).collect();
    let named: Vec<(String, String)> = (0..runs).map(|i| (trained::key(i), name(&configs[i]))).collect();
    let new = |i: usize| NewRun {
        key: &named[i].0,
        name: &named[i].1,
        experiment: "sweep",
        config: &configs[i],
        labels: &labels,
        total_steps: steps,
        audit: None,
    };
    let mut store = Store::open(folder).expect("a store");
    store.register_all(&(0..runs).map(new).collect::<Vec<_>>()).expect("runs");
    let experiment = ExperimentRecord {
        name: "sweep".into(),
        description: "a sweep that was never run".into(),
        spec_path: "experiments/sweep.toml".into(),
        arguments: Vec::new(),
        extends: Vec::new(),
        spec_text: "name = \"sweep\"\n".into(),
        report: serde_json::json!({}),
        warnings: Vec::new(),
        prunes: false,
        to_come: 0,
        runs: named.clone(),
        trials: Vec::new(),
    };
    store.save_experiment(&experiment).expect("an experiment");
    for (i, (key, _)) in named.iter().enumerate() {
        store.start(key, &Environment::default(), None).expect("a start");
        // The higher the learning rate and the smaller the batch, the better; seeds differ a little.
        let better = i / SEEDS % BATCH_SIZES.len() + i % SEEDS;
        store.append(key, &Trained { steps, better, seed: i }.events()).expect("events");
        store.mark(key, RunState::Completed, None, None).expect("an end");
    }
}

fn config(i: usize) -> RunConfig {
    let mut config = trained::config();
    let trial = i / SEEDS;
    config.train.lr = format!("{:e}", 1e-5 * (1 + trial / BATCH_SIZES.len()) as f64).parse().expect("a number");
    config.train.batch_size = BATCH_SIZES[trial % BATCH_SIZES.len()];
    let seed = (i % SEEDS) as u64 + 1;
    (config.train.seed, config.train.init_seed, config.train.order_seed) = (seed, seed, seed);
    (config.data.dev, config.data.test) = (0.1.into(), 0.1.into());
    config
}

fn name(config: &RunConfig) -> String {
    let train = &config.train;
    format!("lr={:e} batch_size={} seed={}", train.lr, train.batch_size, train.seed)
}
