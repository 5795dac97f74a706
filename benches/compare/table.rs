//! The table, and the page that it is written to.

use std::path::Path;

use anyhow::{Context, Result};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use taper::{execute::DeviceChoice, plan::Precision};

use crate::{
    Options,
    common::machine,
    measurements::Measured,
    modes::{Mode, Task},
    work::Work,
};

/// The marks around the table in the page.
const BEGIN: &str = "<!-- bench:begin -->";
const END: &str = "<!-- bench:end -->";

const HEADER: [&str; 11] =
    ["", "ms/step", "samples/s", "per CPU-s", "GFLOP/s", "ceiling", "%", "MiB", "device", "fp32 ×", "bf16 ×"];

/// Explains the columns.
pub const LEGEND: &str = "\
Medians of the rounds. per CPU-s: samples per second of processor time. GFLOP/s: rate of the necessary arithmetic
(no padding; in the last layer, all tokens only for keys and values, else [CLS] alone). ceiling:
GFLOP/s of the model's matrix products alone, measured in the same process and precision before and after;
%: GFLOP/s as a share of the ceiling. MiB: peak memory. device: GPU memory in MiB, for taper with its context and
libraries, for PyTorch the peak of its tensors. fp32 ×, bf16 ×: taper's samples/s in that precision divided by those
of the row. PyTorch: padded to max_length as in the tutorial; dynamic: padded to the longest row of the
batch; grouped: batches of similar length; eval: sorted by length. All times include tokenising.";

/// The cells of each mode.
fn cells(all: &[Measured]) -> Vec<Vec<String>> {
    let show = |value: Option<f64>| match value {
        None => "–".to_string(),
        Some(v) if v.abs() < 10.0 => format!("{v:.2}"),
        Some(v) if v.abs() < 100.0 => format!("{v:.1}"),
        Some(v) => format!("{v:.0}"),
    };
    let taper = |task: Task, precision: Precision| {
        let of = |mode: &Mode| !mode.peer && mode.task == task && mode.precision == precision;
        all.iter().find(|m| of(m.mode)).and_then(Measured::samples_per_s)
    };
    let row = |m: &Measured| {
        let speed = m.samples_per_s();
        let times = |precision| {
            let ratio = taper(m.mode.task, precision).zip(speed).map(|(taper, speed)| taper / speed);
            show(ratio.filter(|_| m.mode.peer))
        };
        let step = m.median(|f| Some(f.ms_per_step_mean)).filter(|_| m.mode.task == Task::Train);
        vec![
            m.mode.label.to_string(),
            show(step),
            show(speed),
            show(m.median(|f| f.samples_per_cpu_s)),
            show(m.gflops()),
            show(m.median(|f| f.ceiling())),
            m.share().map_or("–".into(), |share| format!("{:.0}", 100.0 * share)),
            m.median(|f| f.peak_rss_mib).map_or("–".into(), |mib| format!("{mib:.0}")),
            m.median(|f| f.device_mib).map_or("–".into(), |mib| format!("{mib:.0}")),
            times(Precision::Fp32),
            times(Precision::Bf16),
        ]
    };
    all.iter().map(row).collect()
}

fn table(all: &[Measured], style: comfy_table::TableStyle) -> String {
    let mut table = Table::new();
    table.load_style(style).set_content_arrangement(ContentArrangement::Disabled).set_header(HEADER);
    table.add_rows(cells(all));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

/// The table for a terminal of 100 columns.
pub fn plain(all: &[Measured]) -> String {
    let mut lines = table(all, presets::NOTHING);
    if let Some(worst) = all.iter().max_by(|a, b| a.spread().total_cmp(&b.spread())) {
        let (label, spread) = (worst.mode.label, 100.0 * worst.spread());
        lines += &format!("\n\nlargest difference between rounds: {spread:.0}% ({label})");
    }
    lines
}

/// The machine, the versions and the work that were measured.
pub fn setting(options: &Options, work: &Work, all: &[Measured], load: Option<f64>) -> Vec<String> {
    let environment = taper::execute::environment(&work.run, &options.device.name());
    let show = |value: Option<f64>| value.map_or("unknown".to_string(), |v| format!("{v:.1}"));
    let mut versions = vec![match &environment.git_commit {
        Some(commit) => {
            let dirty = if commit.ends_with("-dirty") { ", changed" } else { "" };
            format!("taper {} ({}{dirty})", environment.taper, taper::format::short(commit))
        }
        None => format!("taper {}", environment.taper),
    }];
    if let Some(peer) = all.iter().find(|m| m.mode.peer).and_then(|m| m.rounds.first()) {
        versions.extend(peer.versions.iter().map(|(name, version)| format!("{name} {version}")));
    }
    let (c, trained) = (&work.run.shape, work.trained());
    let dropout = c.dropout.embedding;
    let device = if options.device == DeviceChoice::Cpu { None } else { Some(options.device.description()) };
    let lines = vec![
        format!(
            "{}: {} cores used of {} ({}), {} GiB, load {} before",
            machine::cpu(),
            options.threads(),
            machine::cores(),
            machine::features().join(" "),
            show(machine::memory_gib()),
            show(load),
        ),
        format!("{}; {}", versions.join(", "), jiff::Zoned::now().strftime("%Y-%m-%d")),
        format!(
            "{}: {} layers of {}, {} labels, dropout {dropout}; {} steps of {:.0} rows, {} tokens a step, after {}; {} rows \
             evaluated; alternating rounds: {}",
            work.run.config.name,
            c.num_hidden_layers,
            c.hidden_size,
            work.run.dataset.labels.len(),
            work.steps.len(),
            trained.len() as f64 / work.steps.len() as f64,
            work.tokens_per_step(),
            work.warmup.len(),
            work.eval.len(),
            options.rounds,
        ),
    ];
    device.into_iter().chain(lines).collect()
}

/// Puts setting, table and legend between the marks of a Markdown page.
pub fn write(page: &Path, setting: &[String], all: &[Measured]) -> Result<()> {
    let text = std::fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let missing_marks = || format!("{}: expected {BEGIN} and, after it, {END}", page.display());
    let (head, rest) = text.split_once(BEGIN).with_context(missing_marks)?;
    let (_, tail) = rest.split_once(END).with_context(missing_marks)?;
    let table = table(all, presets::ASCII_MARKDOWN);
    let setting: Vec<String> = setting.iter().map(|line| format!("- {line}")).collect();
    let new = format!("{head}{BEGIN}\n{}\n\n{table}\n\n{LEGEND}\n{END}{tail}", setting.join("\n"));
    std::fs::write(page, new).with_context(|| page.display().to_string())
}
