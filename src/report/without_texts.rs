//! Records without the texts of data rows, for reports that are given away.

use std::{collections::HashMap, sync::Arc};

use super::{
    format,
    input::{ReportInput, RunInput},
    language::Language,
    row_names::RowName,
};
use crate::store::PredictionRecord;

/// What identifies a row: the index after cleaning, and the file with the line.
type RowId = (u32, u64, Arc<str>);

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

/// Replaces the texts of a run's rows by English names, which tables for programs have, and keeps the names.
fn name_rows(run: &mut RunInput, seen: &mut HashMap<RowId, Vec<(String, Option<String>)>>) {
    let file: Arc<str> = run.file_of_rows().into();
    for p in &mut run.predictions {
        let texts = (std::mem::take(&mut p.text), p.text_pair.take());
        let known = seen.entry((p.row, p.line, file.clone())).or_default();
        let version = known.iter().position(|other| *other == texts).unwrap_or_else(|| {
            known.push(texts);
            known.len() - 1
        });
        let name = RowName { file: file.clone(), line: p.line, version: version as u32 + 1 };
        p.text = Language::English.during(|| name.said());
        run.row_names.insert(p, name);
    }
}

/// What a page shows of a row of this run: its texts, or its name in the language of the page.
pub fn shown_text(run: &RunInput, p: &PredictionRecord) -> String {
    match run.row_names.of(p) {
        Some(name) => name.said(),
        None => format::texts(&p.text, p.text_pair.as_deref()).into_owned(),
    }
}
