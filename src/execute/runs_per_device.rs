//! How many runs are trained at a time on one device.

use std::{fmt, str::FromStr};

use super::DeviceChoice;

/// Bytes that a process occupies on a GPU before it trains: its context and the workspace of cuBLAS.
const PROCESS: u64 = 600 << 20;
/// With more processes than this a GPU does not compute faster in total.
const MOST: usize = 4;
/// The largest accepted number.
const MOST_ASKED: usize = 64;

/// `--runs-per-device`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunsPerDevice {
    /// As many as fit into a GPU's free memory, four at most; one elsewhere.
    #[default]
    Auto,
    /// This many.
    Exactly(usize),
}

impl fmt::Display for RunsPerDevice {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Exactly(n) => n.fmt(f),
        }
    }
}

impl FromStr for RunsPerDevice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            (_, Ok(n)) if (1..=MOST_ASKED).contains(&n) => Ok(Self::Exactly(n)),
            _ => Err(format!("expected auto or a number from 1 to {MOST_ASKED}")),
        }
    }
}

impl RunsPerDevice {
    /// The number for a device, given the number of runs to train and of threads for this device. `peak` returns the most bytes that a run
    /// needs; it is called only if that matters.
    ///
    /// # Errors
    /// Those of `peak`.
    pub fn on<E>(
        self,
        device: DeviceChoice,
        runs: usize,
        threads: usize,
        peak: impl FnOnce() -> Result<u64, E>,
    ) -> Result<usize, E> {
        match self {
            Self::Exactly(n) => Ok(n),
            Self::Auto if runs <= 1 || threads <= 1 => Ok(1),
            Self::Auto => match device.free_memory() {
                Some(free) => Ok(fitting(free, peak()?).min(threads).min(runs)),
                None => Ok(1),
            },
        }
    }
}

/// How many runs of `peak` bytes fit into `free` bytes, but at least one: a run is tried even if it does not seem to fit.
fn fitting(free: u64, peak: u64) -> usize {
    usize::try_from(free / peak.saturating_add(PROCESS)).unwrap_or(MOST).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_run_side_by_side_as_fit() {
        const GIB: u64 = 1 << 30;
        assert_eq!(fitting(139 * GIB, GIB), 4, "no more than four");
        assert_eq!(fitting(5 * GIB, GIB), 3, "each with a context of its own");
        assert_eq!(fitting(GIB + PROCESS, GIB), 1);
        assert_eq!(fitting(2 * (GIB + PROCESS), GIB), 2);
        assert_eq!(fitting(GIB, 9 * GIB), 1, "one is always tried");
        assert_eq!(fitting(GIB, u64::MAX), 1);
    }

    #[test]
    fn the_cpu_trains_one_run_at_a_time_by_default() {
        let never = || -> Result<u64, ()> { panic!("not needed") };
        for device in [DeviceChoice::Cpu, DeviceChoice::Metal] {
            assert_eq!(RunsPerDevice::Auto.on(device, 12, 8, never), Ok(1));
            assert_eq!(RunsPerDevice::Exactly(3).on(device, 12, 8, never), Ok(3));
        }
        assert_eq!(RunsPerDevice::Auto.on(DeviceChoice::Cuda(0), 1, 8, never), Ok(1));
        assert_eq!("auto".parse(), Ok(RunsPerDevice::Auto));
        assert_eq!("4".parse(), Ok(RunsPerDevice::Exactly(4)));
        for wrong in ["0", "65", "-1", "", "many"] {
            assert!(wrong.parse::<RunsPerDevice>().is_err(), "{wrong}");
        }
    }
}
