//! taper and PyTorch side by side: the same rows, the same machine, one process after the other.
//!
//!     cargo bench --bench compare -- SPEC [--set KEY=VALUE …] [--device cuda:0] [--peer-python PATH] [--whole | --write]
//!
//! Each mode (see [`modes`]) is measured in a process of its own, in turn, `--rounds` times; the table has the medians. The
//! rows are those of the spec's own first steps, and of its test split; with `--whole` those of the whole run, which is
//! measured from the start of a process to its end. PyTorch runs `peer.py`; without it taper is measured alone.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints its measurements")]

#[path = "../common/mod.rs"]
#[expect(dead_code, reason = "shared with the kernels' benchmark")]
mod common;

mod child;
mod engine;
mod measurements;
mod modes;
mod products;
mod table;
mod whole;
mod work;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::machine;
use measurements::{Measured, Measurements};
use modes::{MODES, Mode, Task};
use taper::{execute::DeviceChoice, plan::Precision};
use work::Work;

/// taper and PyTorch side by side on the rows of an experiment.
#[derive(Parser)]
#[command(name = "cargo bench --bench compare --")]
pub struct Options {
    /// The experiment's TOML file; of a sweep the first run.
    spec: PathBuf,
    /// Set a key over everything the file says; may be given many times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Steps measured of each training mode (the padded one: a tenth).
    #[arg(long, default_value_t = 20)]
    steps: u64,
    /// Steps before them.
    #[arg(long, default_value_t = 2)]
    warmup: u64,
    /// Rows of the test split evaluated.
    #[arg(long, default_value_t = 1000)]
    eval_rows: usize,
    /// How often each mode is measured.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Threads of each process [default: all cores].
    #[arg(long)]
    threads: Option<usize>,
    /// Where it is measured: cpu or cuda:N.
    #[arg(long, default_value = "cpu")]
    device: DeviceChoice,
    /// Measure whole runs of the experiment, evaluations and the kept model included.
    #[arg(long, conflicts_with = "write")]
    whole: bool,
    /// Only these, separated by commas [default: all of the device]: taper, taper-tf32, taper-bf16, padded, dynamic,
    /// dynamic-bf16, compile-bf16, grouped, grouped-bf16, taper-eval, taper-eval-bf16, eval, eval-bf16; with --whole taper-run,
    /// taper-run-tf32, taper-run-bf16, run-padded, run-dynamic, run-dynamic-bf16, run-compile-bf16.
    #[arg(long, value_delimiter = ',', value_parser = Mode::find)]
    modes: Vec<&'static Mode>,
    /// taper's program [default: beside this one, or in the folder above].
    #[arg(long, value_name = "PATH")]
    taper: Option<PathBuf>,
    /// PyTorch's script [default: peer.py beside this program, or benches/peer.py].
    #[arg(long, value_name = "PATH")]
    peer: Option<PathBuf>,
    /// A Python that has torch and transformers.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    peer_python: PathBuf,
    /// Put the table into docs/performance.md of the current folder.
    #[arg(long)]
    write: bool,
    /// Write the measurements of every process to a file, as JSON lines.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this mode of taper here, and print the measurements.
    #[arg(long, hide = true, value_parser = Mode::find)]
    child: Option<&'static Mode>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    /// Threads of each process.
    fn threads(&self) -> usize {
        self.threads.unwrap_or_else(machine::cores).max(1)
    }

    fn is_cpu(&self) -> bool {
        self.device == DeviceChoice::Cpu
    }

    /// The first of these paths, from where this program lies, or the last one.
    fn beside(&self, asked: &Option<PathBuf>, names: [&str; 2]) -> Result<PathBuf> {
        if let Some(path) = asked {
            return Ok(path.clone());
        }
        let program = std::env::current_exe()?;
        let first = program.with_file_name(names[0]);
        Ok(if first.is_file() { first } else { program.with_file_name("").join(names[1]) })
    }

    fn taper(&self) -> Result<PathBuf> {
        self.beside(&self.taper, ["taper", "../taper"])
    }

    fn peer(&self) -> Result<PathBuf> {
        // The last one from the current folder: cargo starts benchmarks in that of the package.
        let path = self.beside(&self.peer, ["peer.py", "peer.py"])?;
        Ok(if path.is_file() { path } else { "benches/peer.py".into() })
    }
}

fn main() -> Result<()> {
    let mut options = Options::parse();
    options.device = options.device.resolve();
    options.device.open().with_context(|| format!("--device {}", options.device))?;
    match options.child {
        Some(mode) => {
            taper::execute::set_threads(options.threads())?;
            println!("{}", serde_json::to_string(&child::measure(&options, mode)?)?);
            Ok(())
        }
        None => compare(&options),
    }
}

fn compare(options: &Options) -> Result<()> {
    let load = machine::load();
    if let Some(load) = load.filter(|load| *load > 0.5) {
        eprintln!("the machine is busy (load {load:.1}): neither the measurements nor their ratios will be sound");
    }
    let work = Work::new(options, &options.sets)?;
    let scratch = tempfile::tempdir()?;
    let rows = scratch.path().join("rows.json");
    let mut all = modes(options, &work)
        .into_iter()
        .map(|mode| Measured { mode, rounds: Vec::new(), flop: flop(options, &work, mode) })
        .collect::<Vec<_>>();
    if all.iter().any(|m| m.mode.peer) {
        work.write_rows(&rows, &work.model_folder(scratch.path())?, options.whole)?;
    }
    for round in 1..=options.rounds {
        // To and fro, so that a machine that slows down or warms up is no mode's advantage.
        let mut order: Vec<usize> = (0..all.len()).collect();
        if round % 2 == 0 {
            order.reverse();
        }
        for i in order {
            let mode = all[i].mode;
            let begin = Instant::now();
            let measurements = match (mode.task, mode.peer) {
                (Task::Run, false) => whole::taper(options, &work, mode),
                (Task::Run, true) => whole::peer(options, &work, mode, &rows),
                _ => measure(options, mode, &rows),
            };
            let measurements = measurements.with_context(|| mode.label)?;
            let (speed, seconds) = (measurements.samples_per_s, begin.elapsed().as_secs_f64());
            eprintln!("round {round}/{}  {:<20}  {speed:8.1} samples/s  ({seconds:.0} s)", options.rounds, mode.label);
            all[i].rounds.push(measurements);
        }
    }
    if let Some(path) = &options.json {
        let lines: Result<Vec<String>, _> = all.iter().flat_map(|m| &m.rounds).map(serde_json::to_string).collect();
        std::fs::write(path, lines?.join("\n") + "\n").with_context(|| path.display().to_string())?;
    }
    let setting = table::setting(options, &work, &all, load);
    let (table, legend) = match options.whole {
        true => (whole::table(&all), whole::LEGEND),
        false => (table::plain(&all), table::LEGEND),
    };
    println!("\n{}\n\n{table}\n\n{legend}", setting.join("\n"));
    if options.write {
        let page = PathBuf::from("docs/performance.md");
        table::write(&page, &setting, &all)?;
        println!("\nwritten to {}", page.display());
    }
    Ok(())
}

/// The modes asked for that can be measured here; says why others cannot.
fn modes(options: &Options, work: &Work) -> Vec<&'static Mode> {
    let mut asked: Vec<&Mode> = match options.modes.is_empty() {
        true => MODES.iter().filter(|mode| options.is_cpu() <= !mode.gpu).collect(),
        false => options.modes.clone(),
    };
    asked.retain(|mode| (mode.task == Task::Run) == options.whole);
    let mut skip = |reason: String, applies: &dyn Fn(&Mode) -> bool| {
        let labels: Vec<&str> = asked.iter().filter(|m| applies(m)).map(|m| m.label).collect();
        if !labels.is_empty() {
            eprintln!("skipped: {}: {reason}", labels.join(", "));
            asked.retain(|m| !applies(m));
        }
    };
    if work.eval.is_empty() {
        skip("the spec has no test split".into(), &|m| m.task == Task::Evaluate);
    }
    if options.is_cpu() {
        skip("it is for GPUs".into(), &|m| m.gpu);
    }
    if options.is_cpu() && !machine::has_bf16() {
        skip("the processor has neither AVX512_BF16 nor AMX".into(), &|m| m.precision == Precision::Bf16);
    }
    if !has_pytorch(&options.peer_python) {
        let python = options.peer_python.display();
        let reason =
            format!("{python} lacks torch or transformers (pip install torch transformers, --peer-python PATH)");
        skip(reason, &|m| m.peer);
    }
    asked
}

/// What `--set` says, and the precision.
fn sets(options: &Options, mode: &Mode) -> Vec<String> {
    let precision = format!("train.precision=\"{}\"", modes::key(mode.precision));
    options.sets.iter().cloned().chain([precision]).flat_map(|set| ["--set".to_string(), set]).collect()
}

fn has_pytorch(python: &Path) -> bool {
    let import = Command::new(python)
        .args(["-c", "import torch, transformers"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    import.is_ok_and(|status| status.success())
}

/// Steps that a mode measures.
fn steps(options: &Options, mode: &Mode) -> u64 {
    (options.steps / mode.every).max(1)
}

/// Necessary floating-point operations of what a mode measures. A backward pass makes two products for each of a forward
/// pass.
fn flop(options: &Options, work: &Work, mode: &Mode) -> f64 {
    match mode.task {
        Task::Train => 3.0 * work.forward_flop(&work.steps[..steps(options, mode) as usize].concat()),
        Task::Evaluate => work.forward_flop(&work.eval),
        Task::Run => whole::flop(work),
    }
}

/// Measures a mode in a process of its own.
fn measure(options: &Options, mode: &Mode, rows: &Path) -> Result<Measurements> {
    let mut command;
    if mode.peer {
        command = Command::new(&options.peer_python);
        command.arg(options.peer()?).arg(rows).args(["--mode", mode.name]);
        command.args(["--steps", &steps(options, mode).to_string()]);
    } else {
        command = Command::new(std::env::current_exe()?);
        command.arg(&options.spec).args(["--child", mode.name]);
        command.args(["--steps", &options.steps.to_string(), "--warmup", &options.warmup.to_string()]);
        command.args(["--eval-rows", &options.eval_rows.to_string()]).args(sets(options, mode));
    }
    let text = output(options, &mut command)?;
    serde_json::from_str(text.lines().last().unwrap_or_default()).context("its measurements cannot be read")
}

/// What a program on the device and threads of the options prints.
fn output(options: &Options, command: &mut Command) -> Result<String> {
    command.args(["--threads", &options.threads().to_string(), "--device", &options.device.to_string()]);
    let output = command.stdin(Stdio::null()).output().context("it does not start")?;
    if !output.status.success() {
        bail!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
