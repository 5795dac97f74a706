//! Whole runs: everything between the start of a process and its end.

use std::{path::Path, process::Command, time::Instant};

use anyhow::{Context, Result, ensure};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use taper::{metrics::Metric, plan::Precision, store::Store};

use crate::{
    Options,
    measurements::{Measured, Measurements},
    modes::Mode,
    output, sets,
    work::Work,
};

/// Explains the columns.
pub const LEGEND: &str = "\
Medians of the rounds. wall: seconds from the start of the process to its end, including imports, reading, tokenising, all
epochs, evaluations on the test split before training and after each epoch, and writing the model. accuracy: of the last evaluation. device MiB:
PyTorch's own peak count. fp32 ×, bf16 ×: the row's seconds divided by taper's in that precision.";

/// `taper run` into a new folder.
pub fn taper(options: &Options, work: &Work, mode: &Mode) -> Result<Measurements> {
    let runs = tempfile::tempdir()?;
    let mut command = Command::new(options.taper()?);
    command.arg("run").arg(&options.spec).args(sets(options, mode)).arg("--quiet").arg("--runs").arg(runs.path());
    let begin = Instant::now();
    output(options, &mut command).with_context(|| format!("{}", command.get_program().display()))?;
    let wall_s = begin.elapsed().as_secs_f64();
    let store = Store::open_existing(runs.path())?;
    let run = store.runs()?.into_iter().next().context("there is no run")?;
    let last = run.final_metrics.context("it measured nothing")?;
    let steps = work.run.steps.total;
    ensure!(run.steps == steps, "it trained {} steps of {steps}", run.steps);
    let samples = work.run.config.train.epochs as u64 * work.run.splits.train.len() as u64;
    Ok(Measurements {
        mode: mode.name.into(),
        threads: options.threads() as u64,
        steps,
        samples,
        mean_loss: last.get(Metric::Loss),
        accuracy: Some(last.get(Metric::Accuracy)),
        seconds: wall_s,
        cpu_seconds: None,
        samples_per_s: samples as f64 / wall_s,
        samples_per_cpu_s: None,
        ms_per_step_mean: 1e3 * wall_s / steps as f64,
        ms_per_step_median: None,
        real_tokens: 0,
        padded_tokens: 0,
        peak_rss_mib: None,
        device_mib: None,
        ceiling_gflops: [None, None],
        load: None,
        versions: [("taper".to_string(), env!("CARGO_PKG_VERSION").to_string())].into(),
    })
}

/// The same by PyTorch.
pub fn peer(options: &Options, work: &Work, mode: &Mode, rows: &Path) -> Result<Measurements> {
    let mut command = Command::new(&options.peer_python);
    command.arg(options.peer()?).arg(rows).args(["--mode", mode.name]);
    let begin = Instant::now();
    let text = output(options, &mut command)?;
    let wall_s = begin.elapsed().as_secs_f64();
    let measurements: Measurements =
        serde_json::from_str(text.lines().last().unwrap_or_default()).context("its measurements cannot be read")?;
    let steps = work.run.steps.total;
    ensure!(measurements.steps == steps, "it trained {} steps of {steps}", measurements.steps);
    Ok(Measurements { seconds: wall_s, samples_per_s: measurements.samples as f64 / wall_s, ..measurements })
}

/// Necessary floating-point operations.
pub fn flop(work: &Work) -> f64 {
    let (run, epochs) = (&work.run, f64::from(work.run.config.train.epochs));
    3.0 * epochs * work.forward_flop(&run.splits.train) + (epochs + 1.0) * work.forward_flop(&run.splits.test)
}

/// The table for a terminal.
pub fn table(all: &[Measured]) -> String {
    let seconds = |m: &Measured| m.median(|f| Some(f.seconds));
    let taper = |precision| all.iter().find(|m| !m.mode.peer && m.mode.precision == precision).and_then(seconds);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["", "wall, s", "spread", "accuracy", "device MiB", "fp32 ×", "bf16 ×"]);
    let show = |value: Option<f64>, digits: usize| value.map_or("–".to_string(), |v| format!("{v:.digits$}"));
    for m in all {
        let times = |precision| {
            let ratio = taper(precision).zip(seconds(m)).map(|(taper, row)| row / taper);
            show(ratio.filter(|_| m.mode.peer), 2)
        };
        table.add_row([
            m.mode.label.to_string(),
            show(seconds(m), 2),
            format!("{:.0}%", 100.0 * m.spread()),
            show(m.median(|f| f.accuracy).map(|share| 100.0 * share), 1),
            show(m.median(|f| f.device_mib), 0),
            times(Precision::Fp32),
            times(Precision::Bf16),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}
