//! The command line: arguments, one file for each command, errors turned into exit codes.
//!
//! Exit codes: 0 done; 1 something failed while it was worked on; 2 nothing was started, because somebody has to change something
//! first: the command, the spec, its data, a path; 130 stopped on request.

mod ask;
mod common;
mod conclude;
mod costs;
mod doctor;
mod downloads;
mod eval;
mod export;
mod fetch;
mod gc;
mod input;
mod leaderboard;
mod list;
mod method;
mod order;
mod output;
mod plan;
mod predict;
mod reader;
mod report;
mod rm;
mod run;
mod show;
mod standing;
mod states;
mod usage;
mod verify;
mod watch;
mod worker;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, CommandFactory, Parser, Subcommand};
use taper::{execute::DeviceChoice, format, store::StoreError};

use output::Output;

const EXAMPLES: &str = "\
Examples:
  taper plan experiments/quickstart.toml                        show the runs and their cost
  taper run experiments/quickstart.toml                         train the runs that are not done yet
  taper run experiments/rbt3-waimai.toml --set train.lr=1e-4    train with another learning rate
  taper list                                                    list all runs
  taper report quickstart                                       write the report
  taper predict 3f2a \"送餐很快\"                                 classify with the model of run 3f2a";

/// Fine-tune text classifiers from a TOML file: plan, train, log, compare, report.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    global: Global,
}

/// Options of every command.
#[derive(Args)]
pub struct Global {
    /// Folder with the database, models and reports.
    #[arg(long, global = true, value_name = "DIR", env = "TAPER_RUNS", default_value = "runs")]
    runs: PathBuf,
    /// Print JSON instead of text (`run`: one event per line).
    #[arg(long, global = true)]
    json: bool,
    /// Print only results and errors.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Number of threads to compute with; all cores by default. Does not affect results.
    #[arg(long, global = true, value_name = "N", value_parser = threads)]
    threads: Option<u16>,
    /// Device to compute on: auto (the first usable CUDA GPU, else the CPU), cpu, cuda, cuda:N or metal.
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Do not use the network: read models and data from the cache only (like HF_HUB_OFFLINE=1).
    #[arg(long, global = true)]
    offline: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Check a spec and show its runs, data, steps, time, memory and disk space, without training.
    Plan(plan::Plan),
    /// Train the runs of a spec that are not done yet; resume interrupted ones.
    Run(run::Run),
    /// Download the models and data of a spec and pin them in SPEC.lock, for use offline.
    Fetch(fetch::Fetch),
    /// List runs and compare trials.
    List(list::List),
    /// Show the details of one run.
    Show(show::Show),
    /// Write the report of an experiment: report.html, report.md, charts and tables.
    Report(report::Report),
    /// Classify texts with a trained model.
    Predict(predict::Predict),
    /// Evaluate a trained model on labelled rows: accuracy, macro-F1, loss and metrics of each class.
    Eval(eval::Eval),
    /// Export a trained model to a folder that transformers can load.
    Export(export::Export),
    /// Train the runs that another taper process sends.
    #[command(hide = true)]
    Worker,
    /// Train a run again from its stored config and compare the results. Stores nothing.
    Verify(verify::Verify),
    /// Remove runs: their records and their folders. Asks first.
    Rm(rm::Rm),
    /// List files that no run needs and remove them. Asks first.
    Gc(gc::Gc),
    /// Check this machine (servers, devices, threads, fonts, disk, database) and say how to fix problems.
    Doctor(doctor::Doctor),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it reads a spec, whose warnings name what is wrong with variables of the environment, or is for programs.
    fn loads_a_spec(&self) -> bool {
        matches!(self, Self::Plan(_) | Self::Run(_) | Self::Worker | Self::Completions { .. })
    }
}

/// An error of which the exit code is 2: nothing was started.
#[derive(Debug)]
pub struct Unusable(pub anyhow::Error);

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", sentence(&self.0))
    }
}

impl std::error::Error for Unusable {}

/// An error with its causes, each said once: many messages hold those of their causes already.
fn sentence(e: &anyhow::Error) -> String {
    let mut text = String::new();
    let words = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<std::io::Error>().map_or_else(|| cause.to_string(), format::io)
    };
    for cause in e.chain().map(words) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text += &format!(": {cause}");
        }
    }
    text.trim_end().to_string()
}

/// Runs the command and turns its result into an exit code.
pub fn main() -> ExitCode {
    let Cli { command, global } = match usage::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let result = global.threads.map_or(Ok(()), |n| Ok(taper::execute::set_threads(n.into())?));
    if let (Ok(()), Command::Worker) = (&result, &command) {
        // Its standard output belongs to the one who started it.
        return worker::execute(&global).unwrap_or(ExitCode::FAILURE);
    }
    if !global.quiet && !command.loads_a_spec() {
        common::warn_of_variables();
    }
    let mut out = Output::new(&global);
    let result = result.and_then(|()| match command {
        Command::Plan(command) => command.execute(&global, &mut out),
        Command::Run(command) => command.execute(&global, &mut out),
        Command::Fetch(command) => command.execute(&global, &mut out),
        Command::List(command) => command.execute(&global, &mut out),
        Command::Show(command) => command.execute(&global, &mut out),
        Command::Report(command) => command.execute(&global, &mut out),
        Command::Predict(command) => command.execute(&global, &mut out),
        Command::Eval(command) => command.execute(&global, &mut out),
        Command::Export(command) => command.execute(&global, &mut out),
        Command::Worker => Ok(ExitCode::FAILURE),
        Command::Verify(command) => command.execute(&global, &mut out),
        Command::Rm(command) => command.execute(&global, &mut out),
        Command::Gc(command) => command.execute(&global, &mut out),
        Command::Doctor(command) => command.execute(&global, &mut out),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "taper", &mut script);
            out.line(String::from_utf8_lossy(&script).trim_end())?;
            Ok(ExitCode::SUCCESS)
        }
    });
    match result {
        Ok(code) => code,
        // Whoever read the output has seen enough (`taper list | head`).
        Err(e) if output::is_from_closed(&e) => ExitCode::SUCCESS,
        Err(e) => {
            output::error(&format!("error: {}", sentence(&e)));
            ExitCode::from(if is_unusable(&e) { 2 } else { 1 })
        }
    }
}

/// Whether nothing was started: the command itself, its spec or its data cannot be used, or it names what is not there.
fn is_unusable(e: &anyhow::Error) -> bool {
    use StoreError::{AmbiguousRun, NoRuns, UnknownExperiment, UnknownRun};
    let names_nothing = |e: &StoreError| {
        matches!(e, UnknownRun { .. } | AmbiguousRun { .. } | UnknownExperiment { .. } | NoRuns { .. })
    };
    e.is::<Unusable>() || e.downcast_ref().is_some_and(names_nothing)
}

/// A number of threads of which so many are of any use.
fn threads(text: &str) -> Result<u16, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // A few more than cores do no harm; thousands take minutes to start and wait for each other.
    let most = u16::try_from(4 * cores).unwrap_or(u16::MAX).max(64);
    let number = text.parse().ok().filter(|n| (1..=most).contains(n));
    number.ok_or_else(|| format!("this machine has {cores} cores; expected a number from 1 to {most}"))
}
