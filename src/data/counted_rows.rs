//! Rows that something was noticed of: how many, and where the first are.

use crate::warning::Warning;

/// Rows that something was noticed of.
#[derive(Default)]
pub(super) struct Noticed {
    pub(super) rows: u64,
    /// Lines of the first.
    pub(super) lines: Vec<u64>,
}

impl Noticed {
    pub(super) fn add(&mut self, line: u64) {
        self.rows += 1;
        note(&mut self.lines, line);
    }
}

pub(super) fn note(lines: &mut Vec<u64>, line: u64) {
    if lines.len() < Warning::MAX_LINES {
        lines.push(line);
    }
}
