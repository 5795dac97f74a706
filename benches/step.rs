//! Speed and memory of training steps, end to end: the program itself on a spec, measured from outside.
//!
//!     cargo bench --bench step -- SPEC [--steps 50] [any option of `taper run`]
//!
//! Prints milliseconds a step (mean and median), samples and real tokens a second, and the process's peak memory. Runs in
//! a folder of its own that is removed afterwards.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    if arguments.is_empty() {
        println!("usage: cargo bench --bench step -- SPEC [--steps N] [options of taper run]");
        return;
    }
    let mut steps = "50".to_string();
    if let Some(i) = arguments.iter().position(|a| a == "--steps") {
        steps = arguments.remove(i + 1);
        arguments.remove(i);
    }
    let runs = tempfile::tempdir().expect("a folder");
    let mut taper = Command::new(env!("CARGO_BIN_EXE_taper"))
        .arg("run")
        .args(&arguments)
        .args(["--json", "--quiet", "--set", "checkpoint.keep=none", "--set", &format!("train.max_steps={steps}")])
        .arg("--runs")
        .arg(runs.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("taper starts");
    let status = format!("/proc/{}/status", taper.id());
    let (mut ms, mut tokens, mut before, mut peak, mut rows) = (Vec::new(), 0, 0.0, 0, 0);
    for line in BufReader::new(taper.stdout.take().expect("its output")).lines() {
        let event: serde_json::Value = serde_json::from_str(&line.expect("a line")).expect("an event");
        peak = peak_mib(&status).unwrap_or(peak);
        match event["event"].as_str() {
            Some("run_started") => {
                let per_epoch = event["steps_per_epoch"].as_f64().unwrap_or(1.0);
                rows = (event["rows"][0].as_f64().unwrap_or(0.0) / per_epoch).round() as u64;
            }
            Some("step_completed") => {
                let elapsed = event["elapsed_s"].as_f64().expect("seconds");
                ms.push(1e3 * (elapsed - before));
                before = elapsed;
                tokens += event["tokens"].as_u64().expect("tokens");
                if ms.len().to_string() == steps {
                    break; // what follows is evaluation
                }
            }
            _ => {}
        }
    }
    // Its end is of no interest; nothing it wrote is kept.
    let _ = taper.kill();
    let _ = taper.wait();
    assert!(!ms.is_empty(), "taper made no step");
    let seconds = before;
    let n = ms.len() as f64;
    ms.sort_by(f64::total_cmp);
    println!(
        "{} steps: mean {:.0} ms, median {:.0} ms; {:.1} samples/s, {:.0} tokens/s; peak memory {peak} MiB",
        ms.len(),
        1e3 * seconds / n,
        ms[ms.len() / 2],
        rows as f64 * n / seconds,
        tokens as f64 / seconds,
    );
}

/// Peak resident memory of a process so far, in MiB, where the system tells.
fn peak_mib(status: &str) -> Option<u64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
}
