//! Classifies the rows of a file as they are read, in constant memory.

use std::collections::HashSet;

use anyhow::Result;
use taper::{
    data::{RowText, Text, Texts},
    execute::Ensemble,
    format,
    observe::RowProgress,
    task::Answer,
};

use super::{
    Unusable,
    measuring::Measuring,
    output::Output,
    results::{NewFile, Packed, Results, Wanted},
};

/// Rows that are read ahead to be batched by length: enough for full speed, few enough that the first results come soon. There are fewer if
/// they have more bytes in total than the second number.
const CHUNK: (usize, usize) = (1024, 1 << 20);

/// Rows on their way.
pub struct Stream<'a> {
    /// What classifies them.
    pub model: Ensemble,
    /// What is left of them.
    pub rows: Texts,
    /// The fields of all JSON objects, if they were read before.
    pub fields: Vec<String>,
    /// The digest of the file when its rows were checked, if they were: what is classified must be the same.
    pub checked: Option<String>,
    /// Shows how far it is.
    pub progress: RowProgress,
    /// What counts those that are right, if labels are read.
    pub measuring: Option<Measuring<'a>>,
    /// Rows so far.
    pub done: u64,
}

/// Rows that are classified together.
struct Chunk {
    rows: Vec<Text>,
    /// What is wrong with the row after them.
    fault: Option<anyhow::Error>,
}

impl Stream<'_> {
    /// Classifies all rows and writes them in order.
    ///
    /// # Errors
    /// At the first row that cannot be read or classified. A file of results is not written then.
    pub fn run(&mut self, wanted: Wanted, file: Option<(NewFile, Packed)>, out: &mut Output) -> Result<()> {
        let to_file = file.is_some();
        let ended = |fault, done| ended(fault, done, to_file);
        let mut begin = Some((file, out));
        let mut results: Option<Results<'_>> = None;
        loop {
            let mut chunk = self.read();
            let results = match &mut results {
                Some(results) => results,
                none => {
                    let Some((file, out)) = begin.take() else { return Ok(()) };
                    none.insert(Results::begin(
                        wanted.clone(),
                        columns(&self.rows, &self.fields, &chunk.rows),
                        file,
                        out,
                    )?)
                }
            };
            self.refuse(&mut chunk);
            if !chunk.rows.is_empty() {
                let answers = self.classify(&chunk.rows)?;
                let mut answers = answers.iter();
                let scored = chunk.rows.iter().map(|row| (row, if row.is_blank { None } else { answers.next() }));
                let scored: Vec<(&Text, Option<&Answer>)> = scored.collect();
                if let Some(measuring) = &mut self.measuring {
                    scored.iter().for_each(|(row, answer)| {
                        if let Some(answer) = answer {
                            measuring.add(row, answer);
                        }
                    });
                }
                results.add(scored.into_iter()).map_err(|e| if to_file { ended(e, self.done.max(1)) } else { e })?;
                self.done += chunk.rows.len() as u64;
            }
            match (chunk.fault, chunk.rows.is_empty()) {
                (Some(fault), _) => return Err(ended(fault, self.done)),
                (None, true) => break,
                (None, false) => {}
            }
        }
        if self.checked.as_ref().is_some_and(|checked| *checked != self.rows.digest()) {
            let changed = anyhow::anyhow!("the file changed while it was read; run the command again");
            return Err(ended(changed, self.done));
        }
        results.map_or(Ok(()), Results::finish)
    }

    /// The next rows.
    fn read(&mut self) -> Chunk {
        let mut chunk = Chunk { rows: Vec::new(), fault: None };
        let mut bytes = 0;
        while chunk.rows.len() < CHUNK.0 && bytes < CHUNK.1 && chunk.fault.is_none() {
            match self.rows.next() {
                None => break,
                Some(Ok(text)) => {
                    bytes += text.bytes();
                    chunk.rows.push(text);
                }
                Some(Err(e)) => chunk.fault = Some(e.into()),
            }
        }
        chunk
    }

    /// Ends a chunk before the first text that the model cannot classify.
    fn refuse(&self, chunk: &mut Chunk) {
        if let Some((at, why)) = self.model.refused(&texts(&chunk.rows)) {
            let row = chunk.rows.iter().enumerate().filter(|(_, row)| !row.is_blank).nth(at).map_or(0, |(row, _)| row);
            chunk.fault = Some(anyhow::Error::from(why).context(format!("line {}", chunk.rows[row].line)));
            chunk.rows.truncate(row);
        }
    }

    /// What the models say of the rows with a text.
    fn classify(&mut self, rows: &[Text]) -> Result<Vec<Answer>> {
        let texts = texts(rows);
        let (of, all, before) = (texts.len().max(1) as u64, rows.len() as u64, self.done);
        let progress = &self.progress;
        let answers = self.model.answers(&texts, &mut |done| {
            let done = before + done as u64 * all / of;
            progress.tell(done, done);
        })?;
        Ok(answers)
    }
}

/// The texts of rows that have one: without, there is nothing to classify.
fn texts(rows: &[Text]) -> Vec<RowText<'_>> {
    rows.iter().filter(|row| !row.is_blank).map(RowText::from).collect()
}

/// The columns of a file: those of its header, or the fields of its objects, of which only the first can be known where it is read once.
fn columns(file: &Texts, fields: &[String], first: &[Text]) -> Vec<String> {
    let mut columns = Fields::from(file.columns().to_vec());
    fields.iter().for_each(|name| columns.add_name(name));
    first.iter().for_each(|row| columns.add(row));
    columns.names
}

/// The names of the fields of rows, in the order in which they come.
#[derive(Default)]
pub struct Fields {
    pub names: Vec<String>,
    known: HashSet<String>,
}

impl Fields {
    /// Adds those of a row.
    pub fn add(&mut self, row: &Text) {
        row.kept.iter().for_each(|(name, _)| self.add_name(name));
    }

    fn add_name(&mut self, name: &str) {
        if !self.known.contains(name) {
            self.known.insert(name.to_owned());
            self.names.push(name.to_owned());
        }
    }
}

impl From<Vec<String>> for Fields {
    fn from(names: Vec<String>) -> Self {
        Self { known: names.iter().cloned().collect(), names }
    }
}

/// An error that ends the output; if no row was written, nothing was started.
fn ended(fault: anyhow::Error, written: u64, to_file: bool) -> anyhow::Error {
    match (written, to_file) {
        (0, _) => Unusable(fault).into(),
        (_, true) => fault.context("nothing was written"),
        (rows, false) => fault.context(format!("the output ends after {}", format::counted(rows, "row"))),
    }
}
