//! The interface between the command, which decides the order of runs, and the executor that trains them.
//!
//! There are two implementations: worker processes on this machine ([`super::local`]), and jobs of a cluster ([`super::slurm`]).

use std::time::Duration;

use super::{
    DeviceChoice, ExecuteError,
    protocol::{Order, Report, WorkerJob},
};
use crate::event::FailureKind;

/// A message from a slot.
pub(super) enum News {
    /// A report of its run.
    Report(Report),
    /// The worker is gone: no more reports follow.
    Silence,
}

/// Executes runs, one at a time in each of its slots.
pub(super) trait Executor {
    /// The number of slots.
    fn slots(&self) -> usize;

    /// The device of a slot.
    fn device(&self, slot: usize) -> DeviceChoice;

    /// Whether the runs in slots share no memory, and a failure that a worker reports was tried again where it occurred.
    fn is_remote(&self) -> bool {
        false
    }

    /// Starts work on a run in a free slot; its reports come through [`Self::poll`].
    ///
    /// # Errors
    /// If no worker can be started there.
    fn submit(&mut self, slot: usize, job: WorkerJob) -> Result<(), ExecuteError>;

    /// Sends the answer that the run in a slot waits for, or the order to stop after its step. Does nothing if the slot has no worker.
    ///
    /// # Errors
    /// If the order cannot be encoded. Whether it arrives is not known: if the worker is gone, [`News::Silence`] follows.
    fn answer(&mut self, slot: usize, order: &Order) -> Result<(), ExecuteError>;

    /// The next message and its slot; `None` if none arrives within that time.
    fn poll(&mut self, within: Duration) -> Option<(usize, News)>;

    /// Ends the worker of a slot; returns how it failed.
    fn cancel(&mut self, slot: usize) -> (FailureKind, String);

    /// Frees the memory of the device that an idle slot holds.
    fn release(&mut self, slot: usize);
}

/// Where a run can be trained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The device.
    pub device: DeviceChoice,
    /// Threads of its arithmetic.
    pub threads: usize,
}

impl Slot {
    /// One slot for each entry of the list, which can name a device several times. Slots share the `cores`, each with at least one thread; if
    /// some are on the CPU, those on GPUs have one thread each.
    pub fn share(devices: &[DeviceChoice], cores: usize) -> Vec<Self> {
        let devices: Vec<DeviceChoice> = devices.iter().map(|device| device.resolve()).collect();
        // A slot on a GPU needs one core to feed it; the slots on the CPU share the others.
        let on_cpu = devices.iter().filter(|device| **device == DeviceChoice::Cpu).count();
        let (sharing, free) = match on_cpu {
            0 => (devices.len(), cores),
            _ => (on_cpu, cores.saturating_sub(devices.len() - on_cpu)),
        };
        let free = free.max(sharing);
        let mut number = 0;
        let slot = |device: DeviceChoice| {
            let threads = match on_cpu == 0 || device == DeviceChoice::Cpu {
                true => {
                    number += 1;
                    free / sharing + usize::from(number <= free % sharing)
                }
                false => 1,
            };
            Self { device, threads }
        };
        devices.into_iter().map(slot).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(devices: &[&str], cores: usize) -> Vec<usize> {
        let devices: Vec<DeviceChoice> = devices.iter().map(|d| d.parse().unwrap()).collect();
        Slot::share(&devices, cores).iter().map(|slot| slot.threads).collect()
    }

    #[test]
    fn slots_on_the_cpu_share_its_cores() {
        assert_eq!(shares(&["cpu"], 8), [8]);
        assert_eq!(shares(&["cpu", "cpu", "cpu"], 8), [3, 3, 2]);
        assert_eq!(shares(&["auto", "auto", "auto"], 2), [1, 1, 1]);
        assert_eq!(shares(&["cuda:0", "cuda:1", "cpu"], 8), [1, 1, 6]);
        assert_eq!(shares(&["cuda:0", "cpu"], 1), [1, 1]);
        assert_eq!(shares(&["cuda:0", "cuda:0", "cuda:0"], 16), [6, 5, 5]);
        assert_eq!(shares(&["cuda:0", "cuda:1"], 1), [1, 1]);
    }
}
