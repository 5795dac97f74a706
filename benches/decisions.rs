//! What choosing thresholds and a temperature costs with many labels: time, and memory beyond the answers of the model.
//!
//!     cargo bench --bench decisions -- [--labels 10000] [--rows 20000]
//!
//! Each row has three of the labels, whose logits are higher than others by about 3.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

#[path = "common/mod.rs"]
#[expect(dead_code, reason = "shared with the comparison")]
mod common;

use std::{hint::black_box, time::Instant};

use common::machine;
use rayon::prelude::*;
use taper::{
    metrics::{Decision, Metric, Tally, Target},
    random::{Purpose, Stream},
    task::{Answer, Task, tune},
};

fn main() {
    let (mut labels, mut rows) = (10_000, 20_000);
    let mut arguments = std::env::args().skip(1).filter(|a| a != "--bench");
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{name} needs a value"));
        match name.as_str() {
            "--labels" => labels = value.parse().expect("a number of labels"),
            "--rows" => rows = value.parse().expect("a number of rows"),
            _ => panic!("unknown option {name}"),
        }
    }
    let names: Vec<String> = (0..labels).map(|id| id.to_string()).collect();
    let dev: Vec<(Answer, Target)> = (0..rows).into_par_iter().map(|row| answered(row as u64, labels)).collect();
    println!("{labels} labels, {rows} rows; {}", machine::cpu());
    println!("answers of the model: {:.0} MiB resident", resident("VmRSS"));
    timed("temperature", || {
        black_box(tune::temperature(&dev));
    });
    let of_rows: Vec<(&[f32], &Target)> = dev.iter().map(|(answer, target)| (answer.probabilities(), target)).collect();
    for metric in [Metric::MacroF1, Metric::MicroF1] {
        timed(&format!("thresholds by {}", metric.name()), || {
            drop(black_box(tune::thresholds(&of_rows, &names, metric)));
        });
    }
    let decision = Decision { temperature: 1.1, thresholds: Some(vec![0.4; labels]) };
    timed("metrics with a decision", || {
        let mut tally = Tally::new(labels);
        for rows in dev.chunks(256) {
            let scored: Vec<_> =
                rows.par_iter().map(|(answer, target)| answer.clone().decided(&decision).scored(target)).collect();
            scored.into_iter().for_each(|row| tally.add(row));
        }
        drop(black_box(tally.metrics(&names)));
    });
}

/// What a model says of a row, and the row's labels.
fn answered(row: u64, labels: usize) -> (Answer, Target) {
    let stream = Stream::new(7, Purpose::Bootstrap, row, 0);
    let own: Vec<u32> = (0..3).map(|i| stream.below(i, labels as u64) as u32).collect();
    let mut logits: Vec<f32> = (0..labels as u64).map(|id| stream.normal(16 + 2 * id) as f32 - 4.0).collect();
    own.iter().for_each(|id| logits[*id as usize] += 3.0);
    (Task::MultiLabel.answer(&logits), Target::labels(own))
}

/// Prints how long something takes, and by how much it raises the peak of resident memory.
fn timed(what: &str, run: impl FnOnce()) {
    // Linux then counts the peak from here.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    let (before, begin) = (resident("VmRSS"), Instant::now());
    run();
    let seconds = begin.elapsed().as_secs_f64();
    println!("{what}: {seconds:.1} s, {:.0} MiB more", resident("VmHWM") - before);
}

/// A line of /proc/self/status, in MiB.
fn resident(line: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':')?.trim().strip_suffix(" kB"));
    value.and_then(|kib| kib.trim().parse::<f64>().ok()).unwrap_or(f64::NAN) / 1024.0
}
