//! `taper predict`

use std::{borrow::Cow, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde::Serialize;
use taper::{
    data::{self, Layout, Origin, RowText, Text, Texts, Wording},
    execute::Classifier,
    format::{self, command::shell_word},
    observe::RowProgress,
    plan::DataConfig,
};

use super::{
    Global, Unusable, common, export,
    input::{self, FileArgs},
    output::Output,
};

/// Rows that are read ahead to be batched by length: enough for full speed, few enough that the first results come soon. There are fewer if
/// their texts have more bytes in total than the second number.
const WINDOW: (usize, usize) = (1024, 1 << 20);

/// Classify texts with a trained model.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper predict 3f2a \"送餐很快\" \"太难吃了\"\n  \
    taper predict 3f2a --file reviews.csv --text-column review > labels.csv\n  \
    zcat reviews.csv.gz | taper predict 3f2a --file - --format csv\n  \
    tail -n +2 reviews.txt | taper predict 3f2a -\n  \
    taper predict 3f2a \"多久能送到？\" --pair \"大约半小时\"\n\n\
    In CSV output, cells that a spreadsheet would run as a formula get a ' in front: those that begin with = + - @, a tab or a line \
    break, except numbers. JSON output leaves texts unchanged. A row without a text has an empty label (null in JSON).")]
pub struct Predict {
    /// Run: its key, the first digits of the key, its name, or the experiment or spec file if it has only one run.
    run: String,
    /// Texts to classify, or `-` to classify each line of standard input (same output format as --file).
    #[arg(required_unless_present = "file")]
    texts: Vec<String>,
    /// The second text, for a model that reads two (`data.text_pair_column`).
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pair: Option<String>,
    /// Classify the rows of a CSV, TSV, JSON Lines, JSON, Parquet or Excel file (`-`: standard input) instead; prints CSV, or with --json one
    /// object per line.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    text_pair: Option<&'a str>,
    /// All of these are absent for rows without a text.
    label: Option<&'a str>,
    confidence: Option<f32>,
    probabilities: Option<serde_json::Map<String, serde_json::Value>>,
}

/// Label id and probabilities.
type Scored = (usize, Vec<f32>);

impl Predict {
    /// Loads the model and classifies.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if self.file.is_none() {
            self.layout.refuse()?;
        }
        let store = common::open_existing(global)?;
        let run = common::find(&store, &self.run, global)?;
        let kept = export::kept(&store, &run, &global.runs)?;
        let config = &run.config.data;
        self.check_pair(config)?;
        // Opened before the model is loaded, so that its errors are reported at once.
        let origin = match &self.file {
            Some(file) => Some(Origin::of(file)),
            None => (self.texts == ["-"]).then_some(Origin::StandardInput),
        };
        let lines = Layout { wording: Wording::Options, ..Layout::default() };
        let rows = match (&origin, &self.file) {
            (Some(origin), Some(_)) => {
                let columns = self.layout.columns(config)?;
                Some(data::stream_texts(origin, &self.layout.layout(false), columns).map_err(|e| Unusable(e.into()))?)
            }
            (Some(origin), None) => Some(data::stream_lines(origin, &lines).map_err(|e| Unusable(e.into()))?),
            (None, _) => None,
        };
        let (device, _) = global.device.open()?;
        let mut model = Classifier::load(&kept, config.max_length, &device)?;
        let (Some(origin), Some(mut rows)) = (origin, rows) else { return self.texts(model, global, out) };

        // Results printed on the same terminal already show progress.
        let progress = RowProgress::stderr(!out.terminal && !global.quiet, input::size(&origin));
        stream(&mut model, &mut rows, &progress, out)?;
        drop(progress);
        if !global.quiet {
            model.cut().iter().for_each(|note| input::note(note));
            input::warn(&rows.warnings());
            if rows.columns().contains(&config.label_column) {
                let key = format::short(&run.key);
                // Input from a pipe cannot be read again.
                let (what, file, of) = match &origin {
                    Origin::File(path) => {
                        (path.display().to_string(), shell_word(&path.to_string_lossy()).into_owned(), "")
                    }
                    Origin::StandardInput | Origin::Descriptor(_) => {
                        ("the input".into(), "FILE".into(), ", on a file of these rows,")
                    }
                };
                input::note(&format!(
                    "{what} has a column `{}`: `{}`{of} says how many are right",
                    config.label_column,
                    out.command(&format!("taper eval {key} --file {file}"))
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Refuses texts without a second one for a model that reads two, and the reverse.
    fn check_pair(&self, run: &DataConfig) -> Result<(), Unusable> {
        let what = match (run.text_pair_column.is_some(), &self.pair, &self.texts[..]) {
            (true, _, [text]) if text == "-" => {
                "the model reads two texts, and a line of standard input is one: give a file with both columns, --file FILE or --file -"
            }
            (true, Some(_), texts) if texts.len() > 1 => {
                "--pair is the second text of one text: give one text, or a file with both columns (--file FILE)"
            }
            (true, None, [_, ..]) => "the model reads two texts: give the second one too, --pair TEXT",
            (false, Some(_), _) => "--pair gives a second text, but the model reads one: leave it out",
            _ => return Ok(()),
        };
        Err(Unusable(anyhow::anyhow!(what)))
    }

    fn texts(&self, mut model: Classifier, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if let Some(at) = self.texts.iter().position(|text| data::is_blank(text)) {
            let which = if self.texts.len() == 1 { "the text".into() } else { format!("text {}", at + 1) };
            return Err(Unusable(anyhow::anyhow!("{which} is empty: there is nothing to classify")).into());
        }
        if self.pair.as_deref().is_some_and(data::is_blank) {
            return Err(Unusable(anyhow::anyhow!("the second text is empty: there is nothing to classify")).into());
        }
        let text_pair = self.pair.as_deref();
        let texts: Vec<RowText<'_>> = self.texts.iter().map(|text| RowText { text, text_pair }).collect();
        if let Some((at, why)) = model.refused(&texts) {
            let which = if self.texts.len() == 1 { String::new() } else { format!("text {}: ", at + 1) };
            return Err(Unusable(anyhow::anyhow!("{which}{why}")).into());
        }
        let results = model.predict(&texts, &mut |_| {})?;
        let lines = texts.iter().zip(&results);
        if out.json {
            out.document(&lines.map(|(text, scored)| describe(&model, None, *text, Some(scored))).collect::<Vec<_>>())?;
        } else {
            let rows = lines.map(|(text, (id, p))| {
                let mut cells = vec![model.labels()[*id].clone(), format::percent(p[*id].into())];
                cells.extend(text.texts().map(str::to_owned));
                cells
            });
            let columns = ["label", "confidence", "text", "text_pair"];
            out.table(if text_pair.is_some() { &columns } else { &columns[..3] }, rows)?;
        }
        if !global.quiet {
            model.cut().iter().for_each(|note| input::note(note));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Classifies rows as they are read and writes them in order, in constant memory.
fn stream(model: &mut Classifier, rows: &mut Texts, progress: &RowProgress, out: &mut Output) -> Result<()> {
    if !out.json {
        out.line(if rows.has_pairs() { "line,label,confidence,text,text_pair" } else { "line,label,confidence,text" })?;
    }
    let (mut rows_before, mut bytes_before) = (0, rows.bytes_read());
    loop {
        let (mut window, mut fault) = (Vec::<Text>::new(), None);
        let mut bytes = 0;
        while window.len() < WINDOW.0 && bytes < WINDOW.1 && fault.is_none() {
            match rows.next() {
                None => break,
                Some(Ok(text)) => {
                    bytes += RowText::from(&text).bytes();
                    window.push(text);
                }
                Some(Err(e)) => fault = Some(anyhow::Error::from(e)),
            }
        }
        // Rows without a text have nothing to classify.
        let mut texts: Vec<RowText<'_>> = window.iter().filter(|row| !row.is_blank).map(RowText::from).collect();
        let mut end = window.len();
        if let Some((at, why)) = model.refused(&texts) {
            let row = window.iter().enumerate().filter(|(_, row)| !row.is_blank).nth(at).map_or(0, |(row, _)| row);
            fault = Some(anyhow::Error::from(why).context(format!("line {}", window[row].line)));
            end = row;
            texts.truncate(at);
        }
        if end == 0 {
            return fault.map_or(Ok(()), |e| Err(ended(e, rows_before)));
        }
        let (total, read) = (texts.len().max(1) as u64, rows.bytes_read() - bytes_before);
        let results = model.predict(&texts, &mut |done| {
            let done = done as u64;
            progress.tell(rows_before + done, bytes_before + read * done / total);
        })?;
        (rows_before, bytes_before) = (rows_before + end as u64, bytes_before + read);
        let mut results = results.iter();
        let scored = window[..end].iter().map(|row| (row, if row.is_blank { None } else { results.next() }));
        out.bytes(&written(model, scored, out.json)?)?;
        if let Some(e) = fault {
            return Err(ended(e, rows_before));
        }
    }
}

/// An error that ends the output; if no row was written, nothing was started.
fn ended(fault: anyhow::Error, written: u64) -> anyhow::Error {
    match written {
        0 => Unusable(fault).into(),
        rows => fault.context(format!("the output ends after {}", format::counted(rows, "row"))),
    }
}

/// Classified rows as lines: CSV, or JSON objects. A row without a text has no label.
fn written<'a>(
    model: &Classifier,
    rows: impl Iterator<Item = (&'a Text, Option<&'a Scored>)>,
    json: bool,
) -> Result<Vec<u8>> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let mut lines = Vec::new();
    for (row, scored) in rows {
        let (line, text) = (row.line, RowText::from(row));
        if json {
            serde_json::to_writer(&mut lines, &describe(model, Some(line), text, scored))?;
            lines.push(b'\n');
        } else {
            let (label, confidence) = match scored {
                Some((id, p)) => (format::inert(&model.labels()[*id]), format!("{:.4}", p[*id])),
                None => ("".into(), String::new()),
            };
            let cells = [line.to_string().into(), label, confidence.into()].into_iter();
            csv.write_record(cells.chain(text.texts().map(format::inert)).map(|cell: Cow<'_, str>| cell.into_owned()))?;
        }
    }
    if !json {
        lines = csv.into_inner()?;
    }
    Ok(lines)
}

fn describe<'a>(
    model: &'a Classifier,
    line: Option<u64>,
    RowText { text, text_pair }: RowText<'a>,
    scored: Option<&Scored>,
) -> Line<'a> {
    let of = |p: &Vec<f32>| model.labels().iter().zip(p).map(|(label, p)| (label.clone(), (*p).into())).collect();
    Line {
        line,
        text,
        text_pair,
        label: scored.map(|(id, _)| model.labels()[*id].as_str()),
        confidence: scored.map(|(id, p)| p[*id]),
        probabilities: scored.map(|(_, p)| of(p)),
    }
}
