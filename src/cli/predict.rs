//! `taper predict`

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use taper::{
    data::{self, Texts},
    execute::Trained,
    format,
    observe::RowProgress,
};

use super::{Global, common, export, output::Output};

/// Rows looked at together, to be batched by length: enough for full speed, few enough that the first results come soon.
/// They are fewer where their texts have more bytes in all than the second figure.
const WINDOW: (usize, usize) = (1024, 1 << 20);

/// Classify texts with a trained model.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper predict 3f2a \"送餐很快\" \"太难吃了\"\n  \
    taper predict 3f2a --file reviews.csv --text-column review > labels.csv")]
pub struct Predict {
    /// Key of the run (its first digits will do), or its name.
    run: String,
    /// The texts.
    #[arg(required_unless_present = "file")]
    texts: Vec<String>,
    /// Classify the rows of a CSV, TSV or JSONL file instead; prints CSV (or with --json one object a line).
    #[arg(long, conflicts_with = "texts")]
    file: Option<PathBuf>,
    /// Column (or field) of the file that holds the text; the run's own where absent.
    #[arg(long, requires = "file")]
    text_column: Option<String>,
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
        let run = common::open_existing(global)?.find(&self.run)?;
        let folder = export::model_folder(&run, &global.runs)?;
        let (device, _) = global.device.open()?;
        let mut model = Trained::load(&folder, run.config.data.max_length, &device)?;
        let Some(file) = &self.file else { return self.texts(model, out) };

        let column = self.text_column.as_deref().unwrap_or(&run.config.data.text_column);
        let hint = || format!("{}: --text-column names the column of the texts", file.display());
        let rows = data::stream_texts(file, None, column).with_context(hint)?;
        let size = fs::metadata(file).ok().filter(|file| file.is_file()).map(|file| file.len());
        // Results that pass over the same terminal show by themselves how far it is.
        let progress = RowProgress::stderr(!out.terminal && !global.quiet, size);
        stream(&mut model, rows, &progress, out)?;
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
fn stream(model: &mut Trained, mut rows: Texts, progress: &RowProgress, out: &mut Output) -> Result<()> {
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
                Some(Err(e)) => fault = Some(e),
            }
        }
        if texts.is_empty() {
            return fault.map_or(Ok(()), |e| Err(e.into()));
        }
        let (total, read) = (texts.len() as u64, rows.bytes_read() - bytes_before);
        let results = model.predict(&texts, &mut |done| {
            let done = done as u64;
            progress.tell(rows_before + done, bytes_before + read * done / total);
        })?;
        (rows_before, bytes_before) = (rows_before + total, bytes_before + read);
        out.bytes(&written(model, lines.iter().zip(&texts).zip(&results), out.json)?)?;
        if let Some(e) = fault {
            return Err(e.into());
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
            csv.write_record([&line.to_string(), &model.labels()[*id], &format!("{:.4}", p[*id]), text])?;
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
