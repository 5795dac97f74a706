//! Records without the texts of data rows, for reports that are given away.

use std::collections::HashMap;

use super::input::{ReportInput, RunInput};

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
        let name = format!("{file}, line {}", p.line);
        let texts = (std::mem::take(&mut p.text), p.text_pair.take());
        let known = seen.entry((p.row, p.line, file.clone())).or_default();
        let version = known.iter().position(|other| *other == texts).unwrap_or_else(|| {
            known.push(texts);
            known.len() - 1
        });
        p.text = match version {
            0 => name,
            other => format!("{name} (version {})", other + 1),
        };
    }
}
