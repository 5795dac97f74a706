//! The budget of a sweep.

use crate::spec::Sweep;

/// The budget of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Runs that may be started, including earlier ones.
    pub runs: Option<u64>,
    /// Seconds of training of all runs together, including earlier ones.
    pub seconds: Option<f64>,
}

impl Budget {
    /// The budget in a sweep's settings.
    pub fn of(sweep: &Sweep) -> Self {
        Self { runs: sweep.max_runs, seconds: sweep.max_hours.map(|hours| 3600.0 * hours) }
    }
}
