//! Records without the texts of data rows, for reports that are given away.

use std::{collections::HashMap, sync::Arc};

use super::{
    format,
    input::{ReportInput, RunInput},
    language::{Language, tr},
};
use crate::store::PredictionRecord;

/// What identifies a row: the index after cleaning, and the file with the line.
type RowId = (u32, u64, Arc<str>);

/// What a row is called in place of its texts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowName {
    /// The name of the file with the row.
    pub file: Arc<str>,
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// Which of the texts that runs of the report read on this line, from 1 in the order of the runs.
    pub version: u32,
}

impl RowName {
    /// The name in the language of the work in progress: `rows.csv, line 12`.
    pub fn said(&self) -> String {
        let (file, line) = (&self.file, self.line);
        match self.version {
            1 => tr!("{file}, line {line}", "{file} 第 {line} 行"),
            version => tr!("{file}, line {line} (version {version})", "{file} 第 {line} 行（版本 {version}）"),
        }
    }
}

/// The names of rows, by their index after cleaning and their line. Rows without a name are shown by their texts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowNames(HashMap<(u32, u64), RowName>);

impl RowNames {
    /// The name of the row of this prediction.
    pub fn of(&self, p: &PredictionRecord) -> Option<&RowName> {
        self.0.get(&(p.row, p.line))
    }
}

impl<'a> FromIterator<&'a RowNames> for RowNames {
    fn from_iter<T: IntoIterator<Item = &'a RowNames>>(names: T) -> Self {
        Self(names.into_iter().flat_map(|names| names.0.clone()).collect())
    }
}

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
        run.row_names.0.insert((p.row, p.line), name);
    }
}

/// What a page shows of a row of this run: its texts, or its name in the language of the page.
pub fn shown_text(run: &RunInput, p: &PredictionRecord) -> String {
    match run.row_names.of(p) {
        Some(name) => name.said(),
        None => format::texts(&p.text, p.text_pair.as_deref()).into_owned(),
    }
}
