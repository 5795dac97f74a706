//! `taper predict`

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, bail};
use clap::Args;
use serde::Serialize;
use taper::{
    data::{self, Origin, Texts},
    execute::Trained,
    format,
    observe::RowProgress,
};

use super::{
    Global, Unusable, common, export,
    input::{self, FileArgs},
    output::Output,
};

/// Rows looked at together, to be batched by length: enough for full speed, few enough that the first results come soon.
/// They are fewer where their texts have more bytes in all than the second figure.
const WINDOW: (usize, usize) = (1024, 1 << 20);

/// Classify texts with a trained model.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper predict 3f2a \"送餐很快\" \"太难吃了\"\n  \
    taper predict 3f2a --file reviews.csv --text-column review > labels.csv\n  \
    zcat reviews.csv.gz | taper predict 3f2a --file - --format csv\n  \
    tail -n +2 reviews.txt | taper predict 3f2a -\n\n\
    In CSV, a cell that a spreadsheet would run as a formula (it begins with = + - @, a tab or a line break, and is no number) gets a ' \
    in front. JSON holds texts as they are.")]
pub struct Predict {
    /// Key of the run (its first digits will do), its name, or the experiment or spec file of one run.
    run: String,
    /// The texts; `-`: the lines of standard input, with results as for a file.
    #[arg(required_unless_present = "file")]
    texts: Vec<String>,
    /// Classify the rows of a CSV, TSV, JSON Lines, JSON or Parquet file instead, `-`: of standard input; prints CSV (or with --json one
    /// object a line).
    #[arg(long, conflicts_with = "texts")]
    file: Option<PathBuf>,
    #[command(flatten)]
    layout: FileArgs,
}

/// One classified text.
#[derive(Serialize)]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    text: &'a str,
    label: &'a str,
    confidence: f32,
    probabilities: serde_json::Map<String, serde_json::Value>,
}

impl Predict {
    /// Loads the model and classifies.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if self.file.is_none() {
            self.layout.refuse()?;
        }
        let store = common::open_existing(global)?;
        let run = common::find(&store, &self.run)?;
        let kept = export::kept(&store, &run, &global.runs)?;
        let config = &run.config.data;
        // Opened before the model is: what is wrong with it is said at once.
        let origin = match &self.file {
            Some(file) => Some(Origin::of(file)),
            None => (self.texts == ["-"]).then_some(Origin::StandardInput),
        };
        let rows = match (&origin, &self.file) {
            (Some(origin), Some(_)) => {
                let column = self.layout.text_column.as_deref().unwrap_or(&config.text_column);
                Some(data::stream_texts(origin, self.layout.layout(), column).map_err(|e| Unusable(e.into()))?)
            }
            (Some(origin), None) => Some(data::stream_lines(origin).map_err(|e| Unusable(e.into()))?),
            (None, _) => None,
        };
        let (device, _) = global.device.open()?;
        let mut model = Trained::load(&kept, config.max_length, &device)?;
        let (Some(origin), Some(mut rows)) = (origin, rows) else { return self.texts(model, out) };

        // Results that pass over the same terminal show by themselves how far it is.
        let progress = RowProgress::stderr(!out.terminal && !global.quiet, input::size(&origin));
        stream(&mut model, &mut rows, &progress, out)?;
        drop(progress);
        if !global.quiet {
            input::warn(&rows.warnings());
            if rows.columns().contains(&config.label_column) {
                let (key, name) = (format::short(&run.key), input::name(&origin));
                input::note(&format!(
                    "{name} has a column `{}`: `taper eval {key} --file {name}` says how many are right",
                    config.label_column
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn texts(&self, mut model: Trained, out: &mut Output) -> Result<ExitCode> {
        if self.texts.iter().any(|text| text.trim().is_empty()) {
            bail!("a text is empty");
        }
        let results = model.predict(&self.texts, &mut |_| {})?;
        let lines = self.texts.iter().zip(&results);
        if out.json {
            out.document(&lines.map(|(text, (id, p))| describe(&model, None, text, *id, p)).collect::<Vec<_>>())?;
        } else {
            let rows = lines
                .map(|(text, (id, p))| vec![model.labels()[*id].clone(), format::percent(p[*id].into()), text.clone()]);
            out.table(&["label", "confidence", "text"], rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Classifies rows as they come and writes them in their order, window by window, in constant memory.
fn stream(model: &mut Trained, rows: &mut Texts, progress: &RowProgress, out: &mut Output) -> Result<()> {
    if !out.json {
        out.line("line,label,confidence,text")?;
    }
    let (mut rows_before, mut bytes_before) = (0, rows.bytes_read());
    loop {
        let (mut lines, mut texts, mut fault) = (Vec::new(), Vec::new(), None);
        let mut bytes = 0;
        while texts.len() < WINDOW.0 && bytes < WINDOW.1 && fault.is_none() {
            match rows.next() {
                None => break,
                Some(Ok((line, text))) => {
                    bytes += text.len();
                    lines.push(line);
                    texts.push(text);
                }
                Some(Err(e)) => fault = Some(e.into()),
            }
        }
        if let Some((at, why)) = model.refused(&texts) {
            fault = Some(anyhow::Error::from(why).context(format!("line {}", lines[at])));
            lines.truncate(at);
            texts.truncate(at);
        }
        if texts.is_empty() {
            return fault.map_or(Ok(()), Err);
        }
        let (total, read) = (texts.len() as u64, rows.bytes_read() - bytes_before);
        let results = model.predict(&texts, &mut |done| {
            let done = done as u64;
            progress.tell(rows_before + done, bytes_before + read * done / total);
        })?;
        (rows_before, bytes_before) = (rows_before + total, bytes_before + read);
        out.bytes(&written(model, lines.iter().zip(&texts).zip(&results), out.json)?)?;
        if let Some(e) = fault {
            return Err(e);
        }
    }
}

/// Classified rows as lines: CSV, or JSON objects.
fn written<'a>(
    model: &Trained,
    rows: impl Iterator<Item = ((&'a u64, &'a String), &'a (usize, Vec<f32>))>,
    json: bool,
) -> Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut lines = Vec::new();
    for ((line, text), (id, p)) in rows {
        if json {
            serde_json::to_writer(&mut lines, &describe(model, Some(*line), text, *id, p))?;
            lines.push(b'\n');
        } else {
            let (line, confidence) = (line.to_string(), format!("{:.4}", p[*id]));
            csv.write_record([&line, &*format::inert(&model.labels()[*id]), &confidence, &*format::inert(text)])?;
        }
    }
    if !json {
        lines = csv.into_inner()?;
    }
    Ok(lines)
}

fn describe<'a>(model: &'a Trained, line: Option<u64>, text: &'a str, id: usize, p: &[f32]) -> Line<'a> {
    let probabilities = model.labels().iter().zip(p).map(|(label, p)| (label.clone(), (*p).into())).collect();
    Line { line, text, label: &model.labels()[id], confidence: p[id], probabilities }
}
