//! The command line: arguments, one file per command, and exit codes.
//!
//! Exit codes: 0 done; 1 something failed during the work; 2 nothing was started, because the user must change something first: the
//! command, the spec, its data, a path; 130 stopped on request.

mod ask;
mod at_work;
mod cancel;
mod card;
mod collect;
mod common;
mod compare;
mod controller;
mod costs;
mod decision;
mod dispatch;
mod doctor;
mod downloads;
mod earlier_plan;
mod eval;
mod evaluation;
mod export;
mod export_experiment;
mod failure;
mod fetch;
mod gc;
mod input;
mod label_words;
mod lang;
mod leaderboard;
mod list;
mod listed;
mod logs;
mod marks;
mod measuring;
mod members;
mod method;
mod mirror;
mod named;
mod nearest;
mod on_cluster;
mod order;
mod outcome;
mod output;
mod plan;
mod plan_data;
mod plan_runs;
mod predict;
mod push;
mod reader;
mod reading;
mod report;
mod reports;
mod results;
mod rm;
mod run;
mod serve;
mod show;
mod slurm;
mod states;
mod stop;
mod stored;
mod stream;
mod submit;
mod usage;
mod verify;
mod watch;
mod worker;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use taper::execute::DeviceChoice;

pub use dispatch::main;
use failure::Unusable;

const EXAMPLES: &str = "\
Examples:
  taper plan experiments/quickstart.toml    show the runs and their cost
  taper run experiments/quickstart.toml     train what is not completed yet
  taper run experiments/quickstart.toml --set train.lr=1e-4 --set name=quickstart-1e-4
                                            train with another learning rate, as an experiment of its own
  taper list                                list all runs
  taper compare 3f2a 9c1b                   compare two runs and test their difference
  taper report quickstart                   write the report
  taper predict 3f2a \"送餐很快\"             classify with the model of run 3f2a";

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
    /// Print JSON instead of text (for `taper run`, one event per line).
    #[arg(long, global = true)]
    json: bool,
    /// Print only results and errors.
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Number of threads to compute with; all cores by default. Does not affect results.
    #[arg(long, global = true, value_name = "N", value_parser = common::threads)]
    threads: Option<u16>,
    /// Device to compute on: auto (the first usable CUDA GPU, else the CPU), cpu, cuda, cuda:N or metal.
    #[arg(long, global = true, value_name = "DEVICE", default_value = "auto")]
    device: DeviceChoice,
    /// Do not use the network: read models and data from the cache only (like HF_HUB_OFFLINE=1).
    #[arg(long, global = true)]
    offline: bool,
}

// What `taper help` says of a command is the comment at its struct. One at a variant would replace it.
#[derive(Subcommand)]
enum Command {
    Plan(plan::Plan),
    Run(run::Run),
    Fetch(fetch::Fetch),
    List(list::List),
    Show(show::Show),
    Compare(compare::Compare),
    Report(report::Report),
    Predict(predict::Predict),
    Eval(eval::Eval),
    Export(export::Export),
    Push(push::Push),
    Serve(serve::Serve),
    Submit(submit::Submit),
    Logs(logs::Logs),
    Cancel(cancel::Cancel),
    Collect(collect::Collect),
    #[command(hide = true)]
    Worker(worker::Worker),
    Verify(verify::Verify),
    Rm(rm::Rm),
    Gc(gc::Gc),
    Doctor(doctor::Doctor),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Command {
    /// Whether it reads a spec, whose warnings cover environment variables, or is internal.
    fn loads_a_spec(&self) -> bool {
        matches!(self, Self::Plan(_) | Self::Run(_) | Self::Submit(_) | Self::Worker(_) | Self::Completions { .. })
    }
}
