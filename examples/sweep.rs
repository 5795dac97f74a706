//! A sweep from Rust: plans and trains an experiment, and prints what becomes of each run.
//!
//!     cargo run --release --example sweep -- experiments/quickstart.toml runs

#![expect(clippy::print_stdout, reason = "an example prints")]

use std::{env, process::ExitCode};

use taper::{
    event::{Event, Outcome},
    experiment::{Experiment, Options, RunOptions, worker},
    metrics::Metric,
    observe::{Listener, Listeners, ObserveError, RunInfo},
};

/// Prints the last evaluation of each run, and how it ended.
struct Printer;

impl Listener for Printer {
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        match event {
            Event::EvalCompleted { step, split, metrics, .. } => {
                println!("{}: step {step}, {split:?} accuracy {:.3}", run.name, metrics.get(Metric::Accuracy));
            }
            Event::RunFinished(Outcome::Failed { message, .. }) => println!("{}: failed: {message}", run.name),
            Event::RunFinished(outcome) => println!("{}: {outcome:?}", run.name),
            _ => {}
        }
        Ok(())
    }
}

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    // Runs are trained by more processes of this program.
    if let Some(code) = worker() {
        return Ok(ExitCode::from(code as u8));
    }
    let mut arguments = env::args().skip(1);
    let (Some(spec), Some(runs)) = (arguments.next(), arguments.next()) else {
        return Err("usage: sweep SPEC RUNS".into());
    };
    // Three seeds of two learning rates, whatever the spec says.
    let sets = ["sweep.axes.train.lr=[1e-3, 3e-3]", "sweep.seeds=[1, 2, 3]"].map(String::from).to_vec();
    let mut experiment = Experiment::open(spec, Options { runs: runs.into(), sets, ..Options::default() })?;
    let planned = experiment.plan()?;
    println!("{} runs of {} steps", planned.len(), planned[0].steps.total);
    let outcome = experiment.run(Listeners::new().with(Printer), RunOptions::default())?;
    println!("{} completed, {} were done before", outcome.tally.completed, outcome.tally.already_done);
    Ok(if outcome.tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
