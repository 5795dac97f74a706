//! The cost of the runs of a sweep, and what its budget still allows.

use crate::plan::Budget;

/// The cost of each run so far, including earlier commands.
pub(super) struct Spending {
    budget: Budget,
    begun: Vec<bool>,
    seconds: Vec<f64>,
}

impl Spending {
    /// No cost so far.
    pub fn new(budget: Budget, runs: usize) -> Self {
        Self { budget, begun: vec![false; runs], seconds: vec![0.0; runs] }
    }

    /// Whether the budget limits training time.
    pub fn counts_seconds(&self) -> bool {
        self.budget.seconds.is_some()
    }

    /// Notes whether a run has ever begun.
    pub fn set_begun(&mut self, run: usize, begun: bool) {
        self.begun[run] = begun;
    }

    /// Notes the total training time of a run in seconds.
    pub fn set_seconds(&mut self, run: usize, seconds: f64) {
        self.seconds[run] = seconds;
    }

    /// Whether a run has ever begun.
    pub fn has_begun(&self, run: usize) -> bool {
        self.begun[run]
    }

    /// Whether one more run can begin. Runs that have begun can always continue.
    pub fn allows_another(&self) -> bool {
        let begun = self.begun.iter().filter(|begun| **begun).count() as u64;
        self.budget.runs.is_none_or(|most| begun < most)
    }

    /// Whether all training stops.
    pub fn is_spent(&self) -> bool {
        self.budget.seconds.is_some_and(|most| self.seconds.iter().sum::<f64>() >= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_count_once_they_have_begun() {
        let mut spending = Spending::new(Budget { runs: Some(2), seconds: None }, 3);
        assert!(spending.allows_another());
        spending.set_begun(2, true);
        spending.set_begun(2, true);
        assert!(spending.allows_another(), "the same run twice");
        spending.set_begun(0, true);
        assert!(!spending.allows_another());
        assert_eq!([0, 1, 2].map(|run| spending.has_begun(run)), [true, false, true]);
        spending.set_seconds(0, 1e9);
        assert!(!spending.is_spent() && !spending.counts_seconds());
    }

    #[test]
    fn seconds_of_all_runs_count_together() {
        let mut spending = Spending::new(Budget { runs: None, seconds: Some(10.0) }, 2);
        spending.set_seconds(0, 4.0);
        spending.set_seconds(1, 5.5);
        assert!(!spending.is_spent() && spending.allows_another());
        spending.set_seconds(0, 4.5);
        assert!(spending.is_spent());
        assert!(!Spending::new(Budget::default(), 2).is_spent());
    }
}
