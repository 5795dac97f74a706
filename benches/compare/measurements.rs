//! Measurements of one process, and the medians of several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::modes::Mode;

/// The output of a measured process. Times are those of the measured rows, including tokenising.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measurements {
    pub mode: String,
    pub threads: u64,
    /// Optimizer steps; batches of an evaluation.
    pub steps: u64,
    pub samples: u64,
    /// Mean loss before the update of each step: shows that both sides work on the same rows and weights.
    pub mean_loss: f64,
    /// On the test split, for whole runs.
    #[serde(default)]
    pub accuracy: Option<f64>,
    pub seconds: f64,
    pub cpu_seconds: Option<f64>,
    pub samples_per_s: f64,
    pub samples_per_cpu_s: Option<f64>,
    pub ms_per_step_mean: f64,
    pub ms_per_step_median: Option<f64>,
    pub real_tokens: u64,
    pub padded_tokens: u64,
    pub peak_rss_mib: Option<f64>,
    /// Memory of the GPU: for taper the difference in free memory before and after, for PyTorch its own peak count.
    #[serde(default)]
    pub device_mib: Option<f64>,
    /// Before and after; `None` if it cannot be measured.
    pub ceiling_gflops: [Option<f64>; 2],
    /// Load average at the end.
    pub load: Option<f64>,
    pub versions: BTreeMap<String, String>,
}

impl Measurements {
    /// The mean of the ceilings before and after.
    pub fn ceiling(&self) -> Option<f64> {
        let [before, after] = self.ceiling_gflops;
        before.zip(after).map(|(before, after)| (before + after) / 2.0)
    }
}

/// All rounds of one mode.
pub struct Measured {
    /// The mode.
    pub mode: &'static Mode,
    /// One for each round.
    pub rounds: Vec<Measurements>,
    /// Necessary floating-point operations of one round.
    pub flop: f64,
}

impl Measured {
    /// Median of a measurement over the rounds; `None` if a round lacks it.
    pub fn median(&self, measurement: impl Fn(&Measurements) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.rounds.iter().map(measurement).collect::<Option<_>>()?;
        values.sort_by(f64::total_cmp);
        let n = values.len();
        (n > 0).then(|| (values[(n - 1) / 2] + values[n / 2]) / 2.0)
    }

    /// Samples per second.
    pub fn samples_per_s(&self) -> Option<f64> {
        self.median(|f| Some(f.samples_per_s))
    }

    /// Necessary GFLOP/s.
    pub fn gflops(&self) -> Option<f64> {
        self.median(|f| Some(self.flop / f.seconds / 1e9))
    }

    /// Necessary FLOP/s as a share of the ceiling that the same process measured.
    pub fn share(&self) -> Option<f64> {
        self.median(|f| Some(self.flop / f.seconds / 1e9 / f.ceiling()?))
    }

    /// The difference between the fastest and the slowest round, as a share of the median.
    pub fn spread(&self) -> f64 {
        let rates = || self.rounds.iter().map(|f| f.samples_per_s);
        let (low, high) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        self.samples_per_s().map_or(0.0, |median| (high - low) / median)
    }
}
