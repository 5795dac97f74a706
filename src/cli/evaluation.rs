//! What is said of a model that was measured on labelled rows: by `taper eval` and `taper predict --labels`.

use std::collections::HashSet;

use anyhow::Result;
use serde_json::json;
use taper::{
    data::{self, Cleaning, ReadAs, Row, RowText},
    format,
    metrics::{Metric, Metrics},
    stats::{Interval, wilson},
    store::RunRecord,
    task::Task,
    warning::{Kind, Warning, lines_of},
};

use super::{decision::decision, members::Members, output::Output};

/// The rows that a model was trained on among those that it is measured on.
#[derive(Default)]
pub struct Known<'a> {
    texts: HashSet<RowText<'a>>,
    /// The rows so far.
    rows: u64,
    /// Of these, rows that the model was trained on.
    trained: u64,
    /// Lines of the first of these.
    lines: Vec<u64>,
}

impl<'a> Known<'a> {
    /// `rows` are the training rows.
    pub fn new(rows: &'a [Row]) -> Self {
        Self { texts: rows.iter().map(RowText::from).collect(), ..Self::default() }
    }

    /// Looks at a row that is measured.
    pub fn look(&mut self, text: RowText<'_>, line: u64) {
        self.rows += 1;
        let texts: &HashSet<RowText<'_>> = &self.texts;
        if texts.contains(&text) {
            self.trained += 1;
            if self.lines.len() < Warning::MAX_LINES {
                self.lines.push(line);
            }
        }
    }

    /// The warning if there are any.
    pub fn warning(&self, runs: &[RunRecord]) -> Option<Warning> {
        let message = format!(
            "{} of the {} ({}) {} a {} that {} trained on: results on {} show memorisation, not generalisation",
            format::count(self.trained),
            format::counted(self.rows, "row"),
            lines_of(&self.lines, self.trained),
            format::by_number(self.trained, "has", "have"),
            if runs[0].config.data.text_pair_column.is_some() { "pair" } else { "text" },
            if runs.len() == 1 { "the run was" } else { "one of the runs was" },
            format::by_number(self.trained, "it", "them"),
        );
        (self.trained > 0).then(|| Warning::new(Kind::Split, message).at(self.lines.iter().copied()))
    }
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
