//! What is said of a model that was measured on labelled rows: by `taper eval` and `taper predict --labels`.

use std::collections::HashSet;

use anyhow::Result;
use serde_json::json;
use taper::{
    data::{self, Cleaning, ReadAs, Row, RowText},
    execute::{ChosenOnDev, UsedRows, chosen_on_dev},
    format,
    metrics::{Metric, Metrics},
    stats::{Interval, wilson},
    store::RunRecord,
    task::Task,
    warning::{Kind, Warning, lines_of},
};

use super::{decision::decision, members::Members, output::Output};

/// The rows that a model was trained on or chosen by, among those that it is measured on.
pub struct Known<'a> {
    /// The rows so far.
    rows: u64,
    trained: Found<'a>,
    /// Rows that are also among the training rows are counted there.
    chose: Found<'a>,
}

/// Which of the rows so far have these texts.
struct Found<'a> {
    texts: HashSet<RowText<'a>>,
    rows: u64,
    /// Lines of the first of these.
    lines: Vec<u64>,
}

impl<'a> Found<'a> {
    fn new(rows: &'a [Row]) -> Self {
        Self { texts: rows.iter().map(RowText::from).collect(), rows: 0, lines: Vec::new() }
    }

    fn look(&mut self, text: &RowText<'_>, line: u64) -> bool {
        let texts: &HashSet<RowText<'_>> = &self.texts;
        let is_there = texts.contains(text);
        if is_there {
            self.rows += 1;
            if self.lines.len() < Warning::MAX_LINES {
                self.lines.push(line);
            }
        }
        is_there
    }
}

impl<'a> Known<'a> {
    /// `used`: the rows of all its models.
    pub fn new(used: &'a UsedRows) -> Self {
        Self { rows: 0, trained: Found::new(&used.trained), chose: Found::new(&used.chose) }
    }

    /// Looks at a row that is measured.
    pub fn look(&mut self, text: RowText<'_>, line: u64) {
        self.rows += 1;
        if !self.trained.look(&text, line) {
            self.chose.look(&text, line);
        }
    }

    /// The warnings if there are any.
    pub fn warnings(&self, runs: &[RunRecord]) -> Vec<Warning> {
        let whose = if runs.len() == 1 { "the run" } else { "one of the runs" };
        let of = |found: &Found<'_>, what: &str, so: &str| {
            let message = format!(
                "{} of the {} ({}) {} a {} {what}: results on {} {so}",
                format::count(found.rows),
                format::counted(self.rows, "row"),
                lines_of(&found.lines, found.rows),
                format::by_number(found.rows, "has", "have"),
                if runs[0].config.data.text_pair_column.is_some() { "pair" } else { "text" },
                format::by_number(found.rows, "it", "them"),
            );
            (found.rows > 0).then(|| Warning::new(Kind::Split, message).at(found.lines.iter().copied()))
        };
        let trained = format!("that {whose} was trained on");
        let chose = format!("of the dev rows of {whose}, by which {} chosen", chosen(runs));
        [
            of(&self.trained, &trained, "show memorisation, not generalisation"),
            of(&self.chose, &chose, "are optimistic"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// What the dev rows chose: `its checkpoint was`, `its checkpoint and its thresholds were`.
fn chosen(runs: &[RunRecord]) -> String {
    let mut all: Vec<ChosenOnDev> = Vec::new();
    for chosen in runs.iter().flat_map(chosen_on_dev) {
        if !all.contains(&chosen) {
            all.push(chosen);
        }
    }
    let names: Vec<String> = all.iter().map(|chosen| chosen.name.into()).collect();
    let is_one = matches!(all[..], [ChosenOnDev { is_plural: false, .. }]);
    format!("{} {}", format::and(&names), if is_one { "was" } else { "were" })
}

/// The metrics that are shown of a model, in this order.
fn shown(task: Task) -> &'static [Metric] {
    match task {
        Task::SingleLabel => &[Metric::Accuracy, Metric::MacroF1, Metric::Loss],
        Task::MultiLabel => &[
            Metric::MacroF1,
            Metric::MicroF1,
            Metric::SamplesF1,
            Metric::SubsetAccuracy,
            Metric::HammingLoss,
            Metric::AveragePrecision,
            Metric::Loss,
        ],
        Task::Regression => &[Metric::Rmse, Metric::Mae, Metric::R2, Metric::Pearson, Metric::Spearman],
    }
}

/// Wilson's interval of a metric that is a share of rows; `None` of any other.
pub fn proportion(metric: Metric, metrics: &Metrics) -> Option<Interval> {
    let is_share = matches!(metric, Metric::Accuracy | Metric::SubsetAccuracy);
    is_share.then(|| wilson(metrics.right(), metrics.rows))
}

/// A share as a percentage; what is undefined as a dash.
fn share(value: f64) -> String {
    if value.is_nan() { format::NOTHING.into() } else { format::percent(value) }
}

/// The metrics of a run, or of several together, on the rows of a file.
pub struct Evaluation<'a> {
    /// The runs.
    pub members: &'a Members,
    /// The file as the command names it.
    pub file: &'a str,
    /// Its SHA-256, in hex.
    pub digest: &'a str,
    /// How it was read.
    pub read_as: &'a ReadAs,
    /// What was left out.
    pub cleaning: &'a Cleaning,
    /// What is probably a mistake.
    pub warnings: &'a [Warning],
    /// The metrics of the rest.
    pub metrics: &'a Metrics,
}

impl Evaluation<'_> {
    /// Prints them as text.
    pub fn print(&self, out: &mut Output) -> Result<()> {
        let Self { members, file, cleaning, metrics, .. } = self;
        let run = members.first();
        let mut left_out = Vec::new();
        for (count, what, lines) in cleaning.lacks(run.config.data.task()) {
            left_out.push(format!("; {} {what} left out ({})", format::count(count), lines_of(lines, count)));
        }
        for (at, run) in members.runs.iter().enumerate() {
            let label = match (members.are_several(), at) {
                (false, _) => "run",
                (true, 0) => "runs",
                (true, _) => "",
            };
            out.line(format!("{label:<10}{} {}", format::short(&run.key), run.name))?;
        }
        out.line(format!("rows      {} of {file}{}", format::count(metrics.rows), left_out.concat()))?;
        if let Some(decided) = run.decided.as_ref().filter(|_| !members.are_several()) {
            out.wrapped(&format!("decision  {}", decision(decided, &run.labels)))?;
        }
        let shown = shown(run.config.data.task());
        let width =
            shown.iter().map(|metric| metric.name().chars().count()).max().unwrap_or(0).max("macro-F1".len()) + 1;
        for metric in shown {
            let value = metric.text(metrics.get(*metric));
            let interval = proportion(*metric, metrics).map_or(String::new(), |interval| {
                format!(" (95% interval {}%, Wilson's)", format::percents((interval.low, interval.high)))
            });
            out.line(format!("{:<width$} {value}{interval}", metric.name()))?;
        }
        if metrics.per_class.is_empty() {
            return Ok(());
        }
        out.line("")?;
        out.table(
            &["label", "precision", "recall", "F1", "rows"],
            metrics.per_class.iter().map(|class| {
                vec![
                    data::escaped(&class.label),
                    share(class.precision),
                    share(class.recall),
                    share(class.f1),
                    format::count(class.support),
                ]
            }),
        )
    }

    /// As a JSON document.
    pub fn document(&self) -> serde_json::Value {
        let Self { members, file, digest, read_as, cleaning, warnings, metrics } = self;
        let interval = proportion(metrics.headline()[0], metrics).map(|interval| [interval.low, interval.high]);
        let whose = match (members.are_several(), members.first()) {
            (true, _) => json!({ "members": members.document() }),
            (false, run) => json!({ "run": run.key, "name": run.name }),
        };
        let what = json!({
            "file": file, "digest": digest, "read_as": read_as,
            "read": cleaning.read, "missing_text": cleaning.missing_text, "missing_pair": cleaning.missing_pair,
            "missing_label": cleaning.missing_label, "missing_text_lines": cleaning.missing_text_lines,
            "missing_pair_lines": cleaning.missing_pair_lines, "missing_label_lines": cleaning.missing_label_lines,
            "metrics": metrics, "accuracy_interval": interval, "warnings": warnings,
        });
        [whose, what]
            .iter()
            .filter_map(serde_json::Value::as_object)
            .flatten()
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }
}
