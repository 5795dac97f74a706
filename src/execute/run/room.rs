//! Which slot makes which run: several slots may share a device, and with it its memory.
//!
//! A run that found no memory beside others is made again alone on its device, before anything about it is changed; and from
//! then on one slot fewer of that device is used at a time.

use super::Command;
use crate::execute::{DeviceChoice, ExecuteError, sweep::Standing};

impl Command<'_, '_> {
    /// A free slot and the run that it makes next.
    pub(super) fn next(&mut self) -> Option<(usize, usize)> {
        let room = self.may_begin();
        for slot in (0..self.busy.len()).filter(|&slot| self.busy[slot].is_none()).collect::<Vec<_>>() {
            let device = self.executor.device(slot);
            let beside = self.beside(slot);
            let tries = &self.tries;
            if let Some(place) = self.sweep.next(|place| tries[place].alone_on == Some(device)) {
                // Nothing else begins there until the others have ended.
                if beside.is_empty() {
                    self.clear(device);
                    return Some((slot, place));
                }
                continue;
            }
            let is_alone = |&other: &usize| {
                self.busy[other].as_ref().is_some_and(|busy| self.tries[busy.place].alone_on == Some(device))
            };
            if beside.iter().any(is_alone) || beside.len() >= self.most_on(device) {
                continue;
            }
            let tries = &self.tries;
            let open = |place: usize| (room || tries[place].begun) && tries[place].alone_on.is_none();
            if let Some(place) = self.sweep.next(open) {
                return Some((slot, place));
            }
        }
        None
    }

    /// Busy slots on the device of this one, itself left out.
    fn beside(&self, slot: usize) -> Vec<usize> {
        let device = self.executor.device(slot);
        let others = (0..self.busy.len()).filter(|&other| other != slot && self.executor.device(other) == device);
        others.filter(|&other| self.busy[other].is_some()).collect()
    }

    /// Notes that a run begins at a slot; tells whether others are on its device.
    pub(super) fn share(&mut self, slot: usize) -> bool {
        let beside = self.beside(slot);
        for &other in &beside {
            self.busy[other].iter_mut().for_each(|busy| busy.shared = true);
        }
        !beside.is_empty()
    }

    /// Whether a run for which memory ran out had its device to share; then it gets it alone, once.
    pub(super) fn was_crowded_out(&mut self, slot: usize, place: usize) -> bool {
        let shared = self.busy[slot].as_ref().is_some_and(|busy| busy.shared);
        if !shared || self.tries[place].alone_on.is_some() {
            return false;
        }
        self.tries[place].alone_on = Some(self.executor.device(slot));
        self.narrow(slot);
        true
    }

    /// A worker that cannot use its device ends the command, unless others use the same device: then there is no room for so
    /// many.
    pub(super) fn has_no_room(&mut self, slot: usize, message: String) -> Result<(), ExecuteError> {
        if self.beside(slot).is_empty() {
            return Err(ExecuteError::Device(message));
        }
        (self.runner.say)(&format!("one worker fewer on {}: {message}", self.executor.device(slot)));
        self.narrow(slot);
        self.executor.release(slot);
        if let Some(busy) = &mut self.busy[slot] {
            busy.then = Some(Standing::Open);
        }
        self.free(slot);
        Ok(())
    }

    /// One slot fewer of a device from now on than are busy there, but one at least.
    fn narrow(&mut self, slot: usize) {
        let (device, most) = (self.executor.device(slot), self.beside(slot).len().max(1));
        self.most.retain(|(other, _)| *other != device);
        self.most.push((device, most));
    }

    fn most_on(&self, device: DeviceChoice) -> usize {
        self.most.iter().find(|(other, _)| *other == device).map_or(usize::MAX, |(_, most)| *most)
    }

    /// Ends idle workers on a device: each of them holds some of its memory.
    fn clear(&mut self, device: DeviceChoice) {
        for slot in 0..self.busy.len() {
            if self.busy[slot].is_none() && self.executor.device(slot) == device {
                self.executor.release(slot);
            }
        }
    }
}
