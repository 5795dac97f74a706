//! What a sweep may cost.

use crate::spec::Sweep;

/// What a sweep may cost.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Runs that may be begun, earlier ones included.
    pub runs: Option<u64>,
    /// Seconds of training of all runs together, earlier ones included.
    pub seconds: Option<f64>,
}

impl Budget {
    /// That of a sweep.
    pub fn of(sweep: &Sweep) -> Self {
        Self { runs: sweep.max_runs, seconds: sweep.max_hours.map(|hours| 3600.0 * hours) }
    }
}
