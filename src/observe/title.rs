//! The line that introduces a sweep.

use std::collections::HashSet;

use super::PlannedSweep;
use crate::format::{count, counted, one_line};

impl PlannedSweep {
    /// `name: 3 trials, 6 runs`; `name: 6 of 18 runs known so far (3 trials)` if a search will propose 12 more.
    pub fn title(&self) -> String {
        let trials = self.runs.iter().map(|run| run.trial).collect::<HashSet<usize>>().len();
        let (runs, all) = (self.runs.len(), counted((self.runs.len() + self.to_come) as u64, "run"));
        let known = if self.to_come == 0 { all } else { format!("{} of {all} known so far", count(runs as u64)) };
        let name = one_line(&self.experiment);
        let trials_of = counted(trials as u64, "trial");
        match (trials == runs, self.to_come) {
            (true, _) => format!("{name}: {known}"),
            (false, 0) => format!("{name}: {trials_of}, {known}"),
            (false, _) => format!("{name}: {known} ({trials_of})"),
        }
    }
}
