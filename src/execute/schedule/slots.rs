//! The run in each slot of the executor. Several slots can share a device and its memory.
//!
//! A run that lacked memory beside others is first tried again alone on its device, unchanged; from then on one slot fewer of that device is
//! used at a time.

use std::collections::HashMap;

use crate::execute::DeviceChoice;

/// All slots with their runs, and how many slots of a device can be used at a time.
pub(super) struct Slots {
    slots: Vec<(DeviceChoice, Option<Occupant>)>,
    /// The most slots of a device that are occupied at a time, after memory ran out with more.
    limits: Vec<(DeviceChoice, usize)>,
    /// Runs that lacked memory beside others, with the device that each gets alone.
    alone: HashMap<usize, DeviceChoice>,
    /// Whether each slot has a device of its own, whatever the devices are called.
    apart: bool,
}

/// A run in a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occupant {
    /// The run.
    pub run: usize,
    /// Whether it is trained, and not only its probes are scored.
    pub trains: bool,
    /// Whether its worker has reported that it begins: before that it only reads rows.
    pub begun: bool,
    /// Whether it was ordered to stop.
    pub stopping: bool,
    /// Whether the worker ends with this run.
    pub is_last: bool,
    /// Whether other runs have been on its device at the same time.
    shared: bool,
}

/// A free slot and the run that it trains next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choice {
    /// The slot.
    pub slot: usize,
    /// The run.
    pub run: usize,
    /// Whether it gets the slot's device alone: idle workers there then free its memory.
    pub alone: bool,
}

impl Slots {
    /// Free slots on these devices.
    pub fn new(devices: impl IntoIterator<Item = DeviceChoice>) -> Self {
        let slots = devices.into_iter().map(|device| (device, None)).collect();
        Self { slots, limits: Vec::new(), alone: HashMap::new(), apart: false }
    }

    /// The same, each with a device of its own if they are `apart`.
    pub fn apart(self, apart: bool) -> Self {
        Self { apart, ..self }
    }

    /// The device of a slot.
    pub fn device(&self, slot: usize) -> DeviceChoice {
        self.slots[slot].0
    }

    /// The run in a slot.
    pub fn occupant(&self, slot: usize) -> Option<Occupant> {
        self.slots[slot].1
    }

    /// All runs in slots.
    pub fn occupants(&self) -> impl Iterator<Item = Occupant> + '_ {
        self.slots.iter().filter_map(|(_, occupant)| *occupant)
    }

    /// Whether a slot is free.
    pub fn has_free(&self) -> bool {
        self.slots.iter().any(|(_, occupant)| occupant.is_none())
    }

    /// Whether all slots are free.
    pub fn all_free(&self) -> bool {
        self.occupants().next().is_none()
    }

    /// Free slots of a device.
    pub fn free_on(&self, device: DeviceChoice) -> Vec<usize> {
        let free = |slot: &usize| self.slots[*slot] == (device, None);
        (0..self.slots.len()).filter(free).collect()
    }

    /// The device that a run gets alone.
    pub fn alone_on(&self, run: usize) -> Option<DeviceChoice> {
        self.alone.get(&run).copied()
    }

    /// The first free slot for which there is a run, with that run. `next(Some(device))` returns the next run that gets this device alone,
    /// `next(None)` the next of the other runs.
    pub fn choose(&self, mut next: impl FnMut(Option<DeviceChoice>) -> Option<usize>) -> Option<Choice> {
        for slot in (0..self.slots.len()).filter(|&slot| self.occupant(slot).is_none()) {
            let device = self.device(slot);
            let beside = self.beside(slot);
            if let Some(run) = next(Some(device)) {
                // No other run begins there until the present ones have ended.
                if beside.is_empty() {
                    return Some(Choice { slot, run, alone: true });
                }
                continue;
            }
            let is_alone = |&other: &usize| self.occupant(other).is_some_and(|o| self.alone_on(o.run) == Some(device));
            if beside.iter().any(is_alone) || beside.len() >= self.limit(device) {
                continue;
            }
            if let Some(run) = next(None) {
                return Some(Choice { slot, run, alone: false });
            }
        }
        None
    }

    /// Puts a run into a free slot.
    pub fn occupy(&mut self, slot: usize, run: usize, trains: bool) {
        let beside = self.beside(slot);
        for &other in &beside {
            self.slots[other].1.iter_mut().for_each(|occupant| occupant.shared = true);
        }
        let shared = !beside.is_empty();
        self.slots[slot].1 = Some(Occupant { run, trains, begun: false, stopping: false, is_last: false, shared });
    }

    /// Marks the run in a slot as begun.
    pub fn mark_begun(&mut self, slot: usize) {
        self.slots[slot].1.iter_mut().for_each(|occupant| occupant.begun = true);
    }

    /// Takes the run out of a slot.
    pub fn free(&mut self, slot: usize) -> Option<Occupant> {
        self.slots[slot].1.take()
    }

    /// The slots, with their runs, whose worker has not begun to train: it reads rows, or scores probes alone.
    pub fn not_begun(&self) -> Vec<(usize, usize)> {
        let taken = self.slots.iter().enumerate().filter_map(|(slot, (_, occupant))| Some((slot, occupant.as_ref()?)));
        taken.filter(|(_, occupant)| !occupant.begun).map(|(slot, occupant)| (slot, occupant.run)).collect()
    }

    /// Marks all runs as ordered to stop; returns the slots of those that were not before.
    pub fn mark_stopping(&mut self) -> Vec<usize> {
        let mut slots = Vec::new();
        for (slot, (_, occupant)) in self.slots.iter_mut().enumerate() {
            if let Some(occupant) = occupant.as_mut().filter(|occupant| !occupant.stopping) {
                occupant.stopping = true;
                slots.push(slot);
            }
        }
        slots
    }

    /// Ends the worker of a slot after its run: the next run gets a new process.
    pub fn end_worker_with_run(&mut self, slot: usize) {
        self.slots[slot].1.iter_mut().for_each(|occupant| occupant.is_last = true);
    }

    /// The device of the run in a slot, if it shared the device with other runs and never had it alone.
    pub fn crowded_on(&self, slot: usize) -> Option<DeviceChoice> {
        let occupant = self.occupant(slot)?;
        (occupant.shared && self.alone_on(occupant.run).is_none()).then(|| self.device(slot))
    }

    /// Gives the run in a slot its device alone when it continues, and uses one slot fewer there.
    pub fn keep_alone(&mut self, slot: usize) {
        if let Some(occupant) = self.occupant(slot) {
            self.alone.insert(occupant.run, self.device(slot));
            self.narrow(slot);
        }
    }

    /// Uses one slot fewer of a device because the worker in this slot cannot use it. Returns false if no other slot of the device is
    /// occupied: then the device is unusable.
    pub fn give_up(&mut self, slot: usize) -> bool {
        let others = !self.beside(slot).is_empty();
        if others {
            self.narrow(slot);
        }
        others
    }

    /// Occupied slots on the device of this one, itself left out.
    fn beside(&self, slot: usize) -> Vec<usize> {
        let device = self.device(slot);
        let occupied = |other: &usize| self.device(*other) == device && self.occupant(*other).is_some();
        (0..self.slots.len()).filter(|&other| other != slot && !self.apart).filter(occupied).collect()
    }

    /// Limits the device to one slot fewer than are occupied now, but at least one.
    fn narrow(&mut self, slot: usize) {
        let (device, most) = (self.device(slot), self.beside(slot).len().max(1));
        self.limits.retain(|(other, _)| *other != device);
        self.limits.push((device, most));
    }

    fn limit(&self, device: DeviceChoice) -> usize {
        self.limits.iter().find(|(other, _)| *other == device).map_or(usize::MAX, |(_, most)| *most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CPU: DeviceChoice = DeviceChoice::Cpu;
    const GPU: DeviceChoice = DeviceChoice::Cuda(0);

    /// Puts runs of the list into slots, first to last, as long as possible: (slot, run, whether it is alone).
    fn fill(slots: &mut Slots, waiting: &mut Vec<usize>) -> Vec<(usize, usize, bool)> {
        let mut begun = Vec::new();
        loop {
            let next = |alone| waiting.iter().copied().find(|&run| slots.alone_on(run) == alone);
            let Some(Choice { slot, run, alone }) = slots.choose(next) else { return begun };
            slots.occupy(slot, run, true);
            waiting.retain(|other| *other != run);
            begun.push((slot, run, alone));
        }
    }

    #[test]
    fn free_slots_are_filled_in_order() {
        let mut slots = Slots::new([GPU, CPU, GPU]);
        assert!(slots.all_free() && slots.has_free());
        let mut waiting = vec![4, 5, 6, 7];
        assert_eq!(fill(&mut slots, &mut waiting), [(0, 4, false), (1, 5, false), (2, 6, false)]);
        assert_eq!((slots.has_free(), slots.all_free(), &waiting[..]), (false, false, &[7][..]));
        assert_eq!(slots.free(1).map(|occupant| occupant.run), Some(5));
        assert_eq!((slots.free(1), slots.has_free()), (None, true));
        assert_eq!(fill(&mut slots, &mut waiting), [(1, 7, false)]);
        assert_eq!(slots.occupants().map(|occupant| occupant.run).collect::<Vec<_>>(), [4, 7, 6]);
    }

    #[test]
    fn only_runs_that_shared_a_device_were_crowded() {
        let mut slots = Slots::new([GPU, GPU, CPU]);
        slots.occupy(0, 10, true);
        slots.occupy(2, 12, true);
        assert_eq!([0, 1, 2].map(|slot| slots.crowded_on(slot)), [None; 3]);
        slots.occupy(1, 11, true);
        assert_eq!([0, 1, 2].map(|slot| slots.crowded_on(slot)), [Some(GPU), Some(GPU), None]);
        slots.free(1);
        assert_eq!(slots.crowded_on(0), Some(GPU), "the other run possibly used the memory");
    }

    #[test]
    fn a_run_that_was_crowded_out_is_alone_and_one_slot_fewer_is_used_afterwards() {
        let mut slots = Slots::new([GPU, GPU, GPU, CPU]);
        let mut waiting = vec![0, 1, 2, 3, 4, 5, 6];
        fill(&mut slots, &mut waiting);
        assert_eq!(waiting, [4, 5, 6]);
        slots.keep_alone(1);
        assert_eq!((slots.alone_on(1), slots.crowded_on(1)), (Some(GPU), None), "once");
        slots.free(1);
        waiting.insert(0, 1);
        assert_eq!(fill(&mut slots, &mut waiting), [], "two others are on its device");
        slots.free(0);
        slots.free(3);
        assert_eq!(fill(&mut slots, &mut waiting), [(3, 4, false)], "other devices are not affected");
        slots.free(2);
        assert_eq!(fill(&mut slots, &mut waiting), [(0, 1, true)], "nothing else beside it");
        assert_eq!(slots.free_on(GPU), [1, 2]);
        slots.free(0);
        assert_eq!(fill(&mut slots, &mut waiting), [(0, 5, false), (1, 6, false)]);
        waiting.extend([7, 8]);
        assert_eq!(fill(&mut slots, &mut waiting), [], "two of three slots from now on");
    }

    #[test]
    fn a_worker_without_memory_is_given_up_if_others_use_its_device() {
        let mut slots = Slots::new([GPU, GPU, CPU]);
        let mut waiting = vec![0, 1, 2, 3];
        fill(&mut slots, &mut waiting);
        assert!(!slots.give_up(2), "no other run is on the CPU");
        assert!(slots.give_up(1));
        slots.free(1);
        assert_eq!(fill(&mut slots, &mut waiting), [], "one at a time");
        slots.free(0);
        assert_eq!(fill(&mut slots, &mut waiting), [(0, 3, false)]);
        // The limit is one at least.
        assert!(!slots.give_up(0));
        slots.free(0);
        waiting.push(4);
        assert_eq!(fill(&mut slots, &mut waiting), [(0, 4, false)]);
    }

    #[test]
    fn runs_on_machines_apart_are_never_crowded() {
        let mut slots = Slots::new([CPU, CPU]).apart(true);
        let mut waiting = vec![0, 1];
        fill(&mut slots, &mut waiting);
        assert_eq!((slots.crowded_on(0), slots.crowded_on(1)), (None, None));
        assert!(!slots.give_up(1), "no other run can be the reason");
    }

    #[test]
    fn each_run_is_ordered_to_stop_once() {
        let mut slots = Slots::new([CPU, CPU, CPU]);
        slots.occupy(2, 0, true);
        assert_eq!(slots.mark_stopping(), [2]);
        slots.occupy(0, 1, false);
        assert_eq!(slots.mark_stopping(), [0]);
        assert!(slots.mark_stopping().is_empty());
        slots.free(2);
        slots.occupy(2, 0, true);
        assert_eq!(slots.mark_stopping(), [2], "a run that begins later is ordered again");
    }

    #[test]
    fn a_worker_ends_with_its_run_and_not_with_the_next() {
        let mut slots = Slots::new([CPU]);
        slots.occupy(0, 0, true);
        assert!(!slots.occupant(0).unwrap().is_last);
        slots.end_worker_with_run(0);
        assert!(slots.occupant(0).unwrap().is_last);
        slots.free(0);
        slots.end_worker_with_run(0);
        slots.occupy(0, 1, true);
        assert!(!slots.occupant(0).unwrap().is_last);
    }
}
