//! Which trials of a sweep go on at a rung: placeholder.

use super::TrainConfig;

/// The rule.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Prune {
    /// All run to their end.
    #[default]
    None,
}

/// What becomes of a trial at a rung.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// It goes on.
    GoOn,
    /// It waits for others.
    Wait(String),
    /// It is out.
    Out(String),
}

/// The steps at which it is decided who goes on.
pub fn rungs(_prune: &Prune, _train: &TrainConfig, _rows: u64) -> Vec<u64> {
    Vec::new()
}

/// Whether a trial goes on at a rung.
pub fn verdict(_prune: &Prune, _figures: &[Vec<Option<f64>>], _trial: usize, _rung: usize) -> Verdict {
    Verdict::GoOn
}
