//! Where runs are trained: the contract between the command, which decides on their order, and what executes them.
//!
//! There is one implementation, worker processes on this machine ([`super::local`]). One that submits to a cluster has the
//! slots that it may use at a time, and hands on the same [`Report`]s.

use std::time::Duration;

use super::{
    DeviceChoice, ExecuteError,
    protocol::{Job, Order, Report},
};
use crate::event::FailureKind;

/// What comes from a slot.
pub(super) enum News {
    /// Its run reports.
    Report(Report),
    /// Nothing more comes.
    Silence,
}

/// Executes runs, one at a time in each of its slots.
pub(super) trait Executor {
    /// How many runs it executes at a time.
    fn slots(&self) -> usize;

    /// The device of a slot.
    fn device(&self, slot: usize) -> DeviceChoice;

    /// Begins a run at a slot that is free. What becomes of it comes through [`Self::poll`].
    ///
    /// # Errors
    /// Where nothing can be started there.
    fn submit(&mut self, slot: usize, job: Job) -> Result<(), ExecuteError>;

    /// Answers what a run at a slot waits for, or tells it to stop after its step. Does nothing where no run was begun.
    ///
    /// # Errors
    /// Where nothing can be sent. Whether it arrives is not known: a run that is gone falls silent.
    fn answer(&mut self, slot: usize, order: &Order) -> Result<(), ExecuteError>;

    /// The next news, if there is some within that time, and the slot that it comes from.
    fn poll(&mut self, within: Duration) -> Option<(usize, News)>;

    /// Ends what runs at a slot, or has fallen silent there, and says what became of it.
    fn cancel(&mut self, slot: usize) -> (FailureKind, String);

    /// Gives back what a slot holds of its device while nothing runs there.
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
    /// One slot for each device of the list, which may name one several times. Slots share the `cores`, each with at least one
    /// thread; where some of them are on the CPU, those on GPUs have one thread.
    pub fn share(devices: &[DeviceChoice], cores: usize) -> Vec<Self> {
        let devices: Vec<DeviceChoice> = devices.iter().map(|device| device.resolve()).collect();
        // Who computes on a GPU needs a core to feed it; who computes on the CPU shares the others.
        let on_cpu = devices.iter().filter(|device| **device == DeviceChoice::Cpu).count();
        let (sharing, free) = match on_cpu {
            0 => (devices.len(), cores),
            _ => (on_cpu, cores.saturating_sub(devices.len() - on_cpu)),
        };
        let free = free.max(sharing);
        let mut place = 0;
        let slot = |device: DeviceChoice| {
            let threads = match on_cpu == 0 || device == DeviceChoice::Cpu {
                true => {
                    place += 1;
                    free / sharing + usize::from(place <= free % sharing)
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
