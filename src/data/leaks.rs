//! Held-out rows whose texts are also trained on.

use std::collections::HashSet;

use super::Dataset;

/// How many rows of `held_out` have exactly the text of a row of `train`: they measure memory, not skill.
pub fn leaked(dataset: &Dataset, train: &[u32], held_out: &[u32]) -> usize {
    leaked_rows(dataset, train, held_out).len()
}

/// These rows.
pub(super) fn leaked_rows(dataset: &Dataset, train: &[u32], held_out: &[u32]) -> Vec<u32> {
    let text = |row: &u32| dataset.rows[*row as usize].text.as_str();
    let trained: HashSet<&str> = train.iter().map(text).collect();
    held_out.iter().copied().filter(|row| trained.contains(text(row))).collect()
}
