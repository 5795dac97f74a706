//! Records without the texts of data rows, for reports that are given away.

use std::collections::HashMap;

use super::{
    format,
    input::{ReportInput, RunInput},
    language::is_chinese,
};
use crate::store::PredictionRecord;

/// What identifies a row: the index after cleaning, and the file with the line.
type RowId = (u32, u64, String);

impl ReportInput {
    /// The same records, with each row named by its file and line instead of its texts. Probes stay: they are from the spec.
    ///
    /// Predictions of the same row have the same name only if their texts are the same, so that runs that read other texts on the same
    /// lines are still not compared row by row.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        self.leaves_texts_out = true;
        let mut seen: HashMap<RowId, Vec<(String, Option<String>)>> = HashMap::new();
        for run in &mut self.runs {
            name_rows(run, &mut seen);
        }
        self
    }
}

fn name_rows(run: &mut RunInput, seen: &mut HashMap<RowId, Vec<(String, Option<String>)>>) {
    let file = run.file_of_rows();
    for p in &mut run.predictions {
        let name = name_of(&file, p.line);
        let texts = (std::mem::take(&mut p.text), p.text_pair.take());
        let known = seen.entry((p.row, p.line, file.clone())).or_default();
        let version = known.iter().position(|other| *other == texts).unwrap_or_else(|| {
            known.push(texts);
            known.len() - 1
        });
        p.text = match version {
            0 => name,
            other => format!("{name}{VERSION}{})", other + 1),
        };
    }
}

/// Before the number of a version of a row, after its name.
const VERSION: &str = " (version ";

fn name_of(file: &str, line: u64) -> String {
    format!("{file}, line {line}")
}

/// What a page shows of a row of this run: its texts, or its name in the language of the page. Tables for programs have the English name.
pub fn shown_text(run: &RunInput, p: &PredictionRecord) -> String {
    let text = format::texts(&p.text, p.text_pair.as_deref()).into_owned();
    if !is_chinese() {
        return text;
    }
    let file = run.file_of_rows();
    let name = |version: &str| format!("{file} 第 {} 行{version}", p.line);
    match text.strip_prefix(&name_of(&file, p.line)) {
        Some("") => name(""),
        Some(version) => match version.strip_prefix(VERSION).and_then(|number| number.strip_suffix(')')) {
            Some(number) => name(&format!("（版本 {number}）")),
            None => text,
        },
        None => text,
    }
}
