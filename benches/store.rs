//! What a large store costs: listing it, and adding to it.
//!
//!     cargo bench --bench store -- [--runs 10000] [--steps 1000] [--keep DIR]
//!
//! Fills a database in a temporary folder (or in DIR, which stays and is used again) with runs of 250 an experiment, then
//! times reading it through the library and through the command line, and what recording takes from training.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with the comparison")]
mod common;

use std::{
    hint::black_box,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use common::{
    machine,
    trained::{self, key},
};
use rusqlite::{Connection, params};
use taper::{
    event::{Event, Split, StepCompleted, When},
    metrics::{Metrics, Scored},
    observe::Recorder,
    plan::RunConfig,
    report::leaderboard,
    store::{Environment, ExperimentRecord, NewRun, Store},
};

/// Runs of one experiment.
const OF_EXPERIMENT: usize = 250;
/// Seeds of one trial.
const SEEDS: usize = 5;
/// Times that each read is repeated; the fastest counts.
const ROUNDS: usize = 5;

fn main() {
    let (mut runs, mut steps, mut keep) = (10_000, 1_000, None);
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--runs" => runs = value.parse().expect("a number of runs"),
            "--steps" => steps = value.parse().expect("a number of steps"),
            "--keep" => keep = Some(PathBuf::from(value)),
            _ => panic!("unknown option {name}"),
        }
    }
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = keep.as_deref().unwrap_or(temporary.path());
    if !folder.join("taper.db").exists() {
        let begin = Instant::now();
        fill(folder, runs, steps);
        println!("filled in {:.0} s", begin.elapsed().as_secs_f64());
    }
    let size = std::fs::metadata(folder.join("taper.db")).expect("a database").len();
    println!("{runs} runs of {steps} steps, {:.2} GiB; {}, load {:.1}", gib(size), machine::cpu(), load());
    println!("\n{:44} {:>10}", "reading, the fastest of five", "ms");
    reading(folder);
    println!("\n{:44} {:>10}", "recording", "µs");
    recording(folder);
}

fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

fn load() -> f64 {
    machine::load().unwrap_or(f64::NAN)
}

fn reading(folder: &Path) {
    let store = Store::open_existing(folder).expect("a store");
    line("open", || drop(Store::open_existing(folder).expect("a store")));
    line("Store::runs", || drop(black_box(store.runs().expect("runs"))));
    line("Store::runs_of, one experiment", || drop(black_box(store.runs_of("sweep-3").expect("runs"))));
    line("leaderboard of one experiment", || drop(black_box(leaderboard(&store, "sweep-3").expect("one"))));
    line("Store::steps, one run", || drop(black_box(store.steps(&key(7)).expect("steps"))));
    for arguments in [&["list"][..], &["list", "sweep-3"], &["list", "--json"], &["list", "sweep-3", "--leaderboard"]] {
        line(&format!("taper {}", arguments.join(" ")), || taper(folder, arguments));
    }
}

/// The whole command, its start included.
fn taper(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
    let output = command.args(arguments).arg("--runs").arg(folder).stderr(Stdio::inherit()).output().expect("taper");
    assert!(output.status.success() && output.stdout.len() > 1000, "taper {arguments:?}: {}", output.status);
}

fn line(what: &str, mut f: impl FnMut()) {
    let time = |f: &mut dyn FnMut()| {
        let begin = Instant::now();
        f();
        begin.elapsed().as_secs_f64()
    };
    let best = (0..ROUNDS).map(|_| time(&mut f)).fold(f64::INFINITY, f64::min);
    println!("{what:44} {:>10.1}", best * 1e3);
}

/// Steps at the pace of the quickstart (2 ms) while the recorder writes them to the large store.
fn recording(folder: &Path) {
    const STEPS: u64 = 2_000;
    let mut store = Store::open_existing(folder).expect("a store");
    let last = store.runs().expect("runs").pop().expect("a run");
    store.start(&last.key, &Environment::default(), None).expect("a start");
    let mut recorder = Recorder::new(store).expect("a recorder");
    let paced = |f: &mut dyn FnMut(u64)| {
        let before = machine::cpu_seconds();
        for step in 1..=STEPS {
            thread::sleep(Duration::from_millis(2));
            f(step);
        }
        machine::cpu_seconds().zip(before).map(|(after, before)| (after - before) / STEPS as f64 * 1e6)
    };
    let idle = paced(&mut |_| ());
    let mut waited = Duration::ZERO;
    let busy = paced(&mut |step| {
        let event = Event::StepCompleted(step_of(step));
        let begin = Instant::now();
        recorder.record(&last.key, &event).expect("it is written");
        waited += begin.elapsed();
    });
    let begin = Instant::now();
    recorder.record(&last.key, &evaluation(When::During, STEPS, Split::Dev, 0)).expect("it is written");
    let evaluated = begin.elapsed();
    recorder.close().expect("it is written");
    let us = |time: Duration| time.as_secs_f64() * 1e6;
    println!("{:44} {:>10.2}", "a step: what training waits", us(waited) / STEPS as f64);
    if let (Some(idle), Some(busy)) = (idle, busy) {
        println!("{:44} {:>10.0}", "a step: processor time of both threads", busy - idle);
    }
    println!("{:44} {:>10.0}", "an evaluation, durable before training continues", us(evaluated));
    let mut store = Store::open_existing(folder).expect("a store");
    store.mark(&last.key, taper::store::RunState::Interrupted, None, None).expect("a mark");
}

fn step_of(step: u64) -> StepCompleted {
    let loss = 0.7 / (1.0 + step as f64 / 100.0);
    StepCompleted { step, epoch: 1, loss, lr: 1e-5, grad_norm: 2.5, tokens: 870, elapsed_s: step as f64 * 0.144 }
}

fn evaluation(when: When, step: u64, split: Split, better: usize) -> Event {
    let names = ["negative", "positive"].map(String::from);
    let right = |row: usize| row % 100 < 85 + better % 10;
    let p = |row: usize| if right(row) { [0.75, 0.25] } else { [0.25, 0.75] };
    let metrics = Metrics::new(&names, (0..1200).map(|row| Scored::new(0, &p(row), 0.25)));
    Event::EvalCompleted { when, step, epoch: 1, split, metrics, elapsed_s: 1.5 }
}

/// Registers every run as `taper run` does, and has SQLite make up the steps.
fn fill(folder: &Path, runs: usize, steps: u64) {
    let mut store = Store::open(folder).expect("a store");
    let quick = Connection::open(folder.join("taper.db")).expect("a database");
    quick.pragma_update(None, "synchronous", "off").expect("a setting");
    let config = trained::config();
    let labels = ["negative", "positive"].map(String::from);
    let environment = Environment {
        taper: env!("CARGO_PKG_VERSION").into(),
        git_commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        platform: "linux x86_64".into(),
        cpu: machine::cpu(),
        device: "cpu".into(),
        threads: 2,
        data_digest: key(1),
        model_digest: key(2),
        ..Environment::default()
    };
    // One experiment through the front door; the others are copies of its rows.
    let first = runs.min(OF_EXPERIMENT);
    for i in 0..first {
        let (key, config) = (key(i), config_of(&config, i));
        let name = name(i);
        let new = NewRun {
            key: &key,
            name: &name,
            experiment: "sweep-0",
            config: &config,
            labels: &labels,
            total_steps: steps,
            audit: None,
        };
        store.register(&new).expect("a run");
        store.start(&key, &environment, None).expect("a start");
        let mut events = vec![Event::RunStarted {
            total_steps: steps,
            steps_per_epoch: steps,
            resumed_from: None,
            rows: (8_000, 1_200, 1_200),
            parameters: 38_477_058,
            train_labels: vec![5_300, 2_700],
        }];
        for quarter in 0..=4 {
            let (when, step) = if quarter == 0 { (When::Before, 0) } else { (When::During, steps * quarter / 4) };
            events.push(evaluation(when, step, Split::Dev, quarter as usize + i % 7));
        }
        events.extend([Split::Dev, Split::Test].map(|split| evaluation(When::After, steps, split, 4 + i % 7)));
        store.append(&key, &events).expect("events");
    }
    let experiment = |n: usize| ExperimentRecord {
        name: format!("sweep-{n}"),
        description: "a sweep that was never run".into(),
        spec_path: format!("experiments/sweep-{n}.toml"),
        arguments: Vec::new(),
        extends: Vec::new(),
        spec_text: "name = \"sweep\"\n".repeat(40),
        report: serde_json::json!({}),
        warnings: Vec::new(),
        prunes: false,
        to_come: 0,
        runs: (n * OF_EXPERIMENT..runs.min((n + 1) * OF_EXPERIMENT)).map(|i| (key(i), name(i))).collect(),
        trials: Vec::new(),
    };
    for n in 0..runs.div_ceil(OF_EXPERIMENT) {
        store.save_experiment(&experiment(n)).expect("an experiment");
    }
    quick.execute_batch("BEGIN").expect("a transaction");
    for i in first..runs {
        let from = key(i % OF_EXPERIMENT);
        for (table, columns) in [
            (
                "runs",
                "name, state, config, labels, environment, total_steps, steps_per_epoch, rows_train, rows_dev, rows_test,
                 parameters, created_at, started_at",
            ),
            (
                "evals",
                "phase, step, split, epoch, rows, per_class, confusion, elapsed_s",
            ),
            ("metrics", "phase, step, split, metric, value"),
        ] {
            let (own, key_column) = if table == "runs" { (", experiment", "key") } else { ("", "run") };
            let value = if own.is_empty() { String::new() } else { format!(", 'sweep-{}'", i / OF_EXPERIMENT) };
            let sql = format!(
                "INSERT INTO {table} ({key_column}{own}, {columns}) SELECT ?1{value}, {columns} FROM {table}
                 WHERE {key_column} = ?2"
            );
            quick.prepare_cached(&sql).expect("a statement").execute(params![key(i), from]).expect("rows");
        }
    }
    // In the order of the table's keys, so that it only grows at its end.
    quick
        .execute(
            "WITH RECURSIVE s(step) AS (SELECT 1 UNION ALL SELECT step + 1 FROM s WHERE step < ?1)
             INSERT INTO steps SELECT r.key, s.step, 1, 0.7 / (1.0 + s.step / 100.0), 1e-5, 2.5, 870, s.step * 0.144
             FROM (SELECT key FROM runs ORDER BY key) r CROSS JOIN s",
            [steps as i64],
        )
        .expect("steps");
    quick
        .execute(
            "UPDATE runs SET state = 'completed', steps = ?1, at_step = ?1, last_loss = 0.07, finished_at = \
             started_at + 200",
            [steps as i64],
        )
        .expect("runs");
    quick.execute_batch("COMMIT").expect("the end");
    drop(quick);
    drop(store);
}

/// The config of a run: another learning rate for each trial.
fn config_of(base: &RunConfig, i: usize) -> RunConfig {
    let mut config = base.clone();
    config.train.lr = 1e-5 * (1 + i / SEEDS) as f64;
    let seed = (i % SEEDS) as u64 + 1;
    (config.train.seed, config.train.init_seed, config.train.order_seed) = (seed, seed, seed);
    (config.data.dev, config.data.test) = (0.1.into(), 0.1.into());
    config
}

fn name(i: usize) -> String {
    let i = i % OF_EXPERIMENT;
    format!("lr={:.0e} batch_size=32 seed={}", 1e-5 * (1 + i / SEEDS) as f64, i % SEEDS + 1)
}
