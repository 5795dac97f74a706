//! `taper eval`

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    data::{self, Dataset, Layout, Origin, RowText},
    execute::{Classifier, training_texts},
    format,
    metrics::{Metric, Metrics},
    observe::RowProgress,
    stats::wilson,
    store::RunRecord,
    warning::{Kind, Warning, lines_of},
};

use super::{
    Global, Unusable, common, export,
    input::{self, FileArgs},
    output::Output,
};

/// Evaluate a trained model on labelled rows: accuracy, macro-F1, loss and metrics of each class.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper eval 3f2a --file newer.csv\n  \
    taper eval 3f2a --file newer.tsv --text-column review --label-column stars --json\n\n\
    The label column may contain the label values of the run, as in its training data, or their names from data.labels. Any other \
    label is an error, because the model cannot predict it. The result is not stored.")]
pub struct Eval {
    /// Run: its key, the first digits of the key, its name, or the experiment or spec file if it has only one run.
    run: String,
    /// CSV, TSV, JSON Lines, JSON, Parquet or Excel file with the rows; `-`: standard input.
    #[arg(long)]
    file: PathBuf,
    /// Column (or JSON field) with the label; by default the column used in training.
    #[arg(long, value_name = "NAME")]
    label_column: Option<String>,
    #[command(flatten)]
    layout: FileArgs,
}

impl Eval {
    /// Loads the model and evaluates it.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let run = common::find(&store, &self.run, global)?;
        let kept = export::kept(&store, &run, &global.runs)?;
        let config = &run.config.data;
        let names = Classifier::labels_of(kept.folder())?;
        let origin = Origin::of(&self.file);
        let text = self.layout.columns(config)?;
        let label = self.label_column.as_deref().unwrap_or(&config.label_column);
        let values = values(&config.labels, &names);
        let layout = Layout { missing: config.missing.clone(), ..self.layout.layout(self.label_column.is_none()) };
        let mut data = data::read_labelled(&origin, &layout, text, label, &values).map_err(|e| Unusable(e.into()))?;
        data.warnings.extend(trained_on(&data, &run, global));
        if !global.quiet && !out.json {
            input::warn(&data.warnings);
        }

        let id_of = |name: &String| names.iter().position(|known| known == name).unwrap_or_default() as u32;
        let ids: Vec<u32> = data.labels.iter().map(id_of).collect();
        let labels: Vec<u32> = data.rows.iter().map(|row| ids[row.label() as usize]).collect();
        let texts: Vec<RowText<'_>> = data.rows.iter().map(RowText::from).collect();
        let (device, _) = global.device.open()?;
        let mut model = Classifier::load(&kept, config.max_length, &device)?;
        if let Some((at, why)) = model.refused(&texts) {
            return Err(Unusable(anyhow::Error::from(why).context(format!("line {}", data.rows[at].line))).into());
        }
        let progress = RowProgress::stderr(!global.quiet, Some(texts.len() as u64));
        let metrics = model.evaluate(&texts, &labels, &mut |done| progress.tell(done as u64, done as u64))?;
        drop(progress);
        match out.json {
            true => out.document(&document(&run, &input::name(&origin), &data, &metrics))?,
            false => print(&run, &input::name(&origin), &data, &metrics, out)?,
        }
        if !global.quiet {
            model.cut().iter().for_each(|note| input::note(note));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Values of a label column and the labels they stand for: the run's values, and the label names themselves.
fn values(given: &BTreeMap<String, String>, names: &[String]) -> BTreeMap<String, String> {
    let known = given.iter().filter(|(_, name)| names.contains(name));
    let own = names.iter().map(|name| (name.trim().to_string(), name.clone()));
    own.chain(known.map(|(value, name)| (value.clone(), name.clone()))).collect()
}

/// The warning if the model was trained on some of the texts.
fn trained_on(data: &Dataset, run: &RunRecord, global: &Global) -> Option<Warning> {
    let known = training_texts(run, &global.runs)?;
    let known: HashSet<RowText<'_>> =
        known.iter().map(|(text, pair)| RowText { text, text_pair: pair.as_deref() }).collect();
    let lines: Vec<u64> = data.rows.iter().filter(|row| known.contains(&(*row).into())).map(|row| row.line).collect();

    let (all, some) = (data.rows.len() as u64, lines.len() as u64);
    let message = format!(
        "{} of the {} ({}) {} a {} that the run was trained on: results on {} show memorisation, not generalisation",
        format::count(some),
        format::counted(all, "row"),
        lines_of(&lines, some),
        format::by_number(some, "has", "have"),
        if run.config.data.text_pair_column.is_some() { "pair" } else { "text" },
        format::by_number(some, "it", "them"),
    );
    (some > 0).then(|| Warning::new(Kind::Split, message).at(lines))
}

fn print(run: &RunRecord, file: &str, data: &Dataset, metrics: &Metrics, out: &mut Output) -> Result<()> {
    let interval = wilson(metrics.right(), metrics.rows);
    let cleaning = &data.cleaning;
    let mut left_out = Vec::new();
    for (count, what, lines) in [
        (cleaning.missing_text, "without a text", &cleaning.missing_text_lines),
        (cleaning.missing_pair, "without a second text", &cleaning.missing_pair_lines),
        (cleaning.missing_label, "without a label", &cleaning.missing_label_lines),
    ] {
        if count > 0 {
            left_out.push(format!("; {} {what} left out ({})", format::count(count), lines_of(lines, count)));
        }
    }
    out.line(format!("run       {} {}", format::short(&run.key), run.name))?;
    out.line(format!("rows      {} of {file}{}", format::count(metrics.rows), left_out.concat()))?;
    out.line(format!(
        "accuracy  {} (95% interval {:.1}–{:.1}%, Wilson's)",
        format::percent(metrics.get(Metric::Accuracy)),
        interval.low * 100.0,
        interval.high * 100.0
    ))?;
    out.line(format!("macro-F1  {}", format::percent(metrics.get(Metric::MacroF1))))?;
    out.line(format!("loss      {:.4}", metrics.get(Metric::Loss)))?;
    out.line("")?;
    out.table(
        &["label", "precision", "recall", "F1", "rows"],
        metrics.per_class.iter().map(|class| {
            vec![
                data::escaped(&class.label),
                format::percent(class.precision),
                format::percent(class.recall),
                format::percent(class.f1),
                format::count(class.support),
            ]
        }),
    )
}

fn document(run: &RunRecord, file: &str, data: &Dataset, metrics: &Metrics) -> serde_json::Value {
    let interval = wilson(metrics.right(), metrics.rows);
    let cleaning = &data.cleaning;
    json!({
        "run": run.key, "name": run.name, "file": file, "digest": data.digest,
        "read": cleaning.read, "missing_text": cleaning.missing_text, "missing_pair": cleaning.missing_pair,
        "missing_label": cleaning.missing_label, "missing_text_lines": cleaning.missing_text_lines,
        "missing_pair_lines": cleaning.missing_pair_lines, "missing_label_lines": cleaning.missing_label_lines,
        "metrics": metrics, "accuracy_interval": [interval.low, interval.high], "warnings": data.warnings,
    })
}
