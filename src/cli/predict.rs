//! `taper predict`

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Serialize;
use taper::{data, execute::Trained, format};

use super::{Global, common, export, output::Output};

/// Texts classified together.
const CHUNK: usize = 64;

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
        let Some(file) = &self.file else { return self.texts(&mut model, out) };

        let column = self.text_column.as_deref().unwrap_or(&run.config.data.text_column);
        let hint = || format!("{}: --text-column names the column of the texts", file.display());
        let mut rows = data::stream_texts(file, None, column).with_context(hint)?;
        if !out.json {
            out.line("line,label,confidence,text")?;
        }
        loop {
            let chunk: Vec<(u64, String)> = rows.by_ref().take(CHUNK).collect::<Result<_, _>>()?;
            if chunk.is_empty() {
                return Ok(ExitCode::SUCCESS);
            }
            let (lines, texts): (Vec<u64>, Vec<String>) = chunk.into_iter().unzip();
            let results = model.predict(&texts)?;
            for ((line, text), (id, p)) in lines.iter().zip(&texts).zip(results) {
                let label = &model.labels()[id];
                if out.json {
                    out.line(serde_json::to_string(&describe(&model, Some(*line), text, id, &p))?)?;
                } else {
                    let mut record = csv::Writer::from_writer(Vec::new());
                    record.write_record([&line.to_string(), label, &format!("{:.4}", p[id]), text])?;
                    out.line(String::from_utf8(record.into_inner()?)?.trim_end_matches('\n'))?;
                }
            }
        }
    }

    fn texts(&self, model: &mut Trained, out: &mut Output) -> Result<ExitCode> {
        if self.texts.iter().any(|text| text.trim().is_empty()) {
            bail!("a text is empty");
        }
        let results = model.predict(&self.texts)?;
        let lines = self.texts.iter().zip(&results);
        if out.json {
            out.document(&lines.map(|(text, (id, p))| describe(model, None, text, *id, p)).collect::<Vec<_>>())?;
        } else {
            let rows = lines
                .map(|(text, (id, p))| vec![model.labels()[*id].clone(), format::percent(p[*id].into()), text.clone()]);
            out.table(&["label", "confidence", "text"], rows)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn describe<'a>(model: &'a Trained, line: Option<u64>, text: &'a str, id: usize, p: &[f32]) -> Line<'a> {
    let probabilities = model.labels().iter().zip(p).map(|(label, p)| (label.clone(), (*p).into())).collect();
    Line { line, text, label: &model.labels()[id], confidence: p[id], probabilities }
}
