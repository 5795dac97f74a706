//! The budget of a sweep, and the runs that it still allows.

use crate::spec::Sweep;

/// The budget of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Budget {
    /// Runs that may be started, including earlier ones.
    pub runs: Option<u64>,
    /// Seconds of training of all runs together, including earlier ones.
    pub seconds: Option<f64>,
}

/// A run, as far as a budget is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claim {
    /// Its trial.
    pub trial: usize,
    /// Whether it was ever started: then it counts, but may continue.
    pub begun: bool,
    /// Whether it waits for the runs that it is compared with.
    pub waiting: bool,
    /// Whether nothing is left to do for it.
    pub over: bool,
}

/// What a budget still allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// For each run, whether it is over or can still be trained.
    pub runs: Vec<bool>,
    /// How many runs beyond these may be started.
    pub more: usize,
}

impl Budget {
    /// The budget in a sweep's settings.
    pub fn of(sweep: &Sweep) -> Self {
        Self { runs: sweep.max_runs, seconds: sweep.max_hours.map(|hours| 3600.0 * hours) }
    }

    /// What is still allowed of these runs, in the order of the plan, after `seconds` of training of all of them.
    ///
    /// A run that waits cannot continue if another seed of its trial is never started, nor if only waiting runs are left and some runs
    /// that they are compared with are never started.
    pub fn allows(&self, runs: &[Claim], seconds: f64) -> Allowed {
        if self.hours_are_spent(seconds) {
            return Allowed { runs: runs.iter().map(|run| run.over).collect(), more: 0 };
        }
        let begun = runs.iter().filter(|run| run.begun).count();
        let mut room =
            self.runs.map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(begun));
        let mut starts = |run: &Claim| {
            let allowed = run.begun || run.over || room > 0;
            room -= usize::from(allowed && !run.begun && !run.over);
            allowed
        };
        let mut allowed: Vec<bool> = runs.iter().map(&mut starts).collect();
        let never: Vec<usize> = runs.iter().zip(&allowed).filter(|(_, a)| !**a).map(|(run, _)| run.trial).collect();
        let trains = runs.iter().zip(&allowed).any(|(run, allowed)| *allowed && !run.over && !run.waiting);
        for (run, allowed) in runs.iter().zip(&mut allowed).filter(|(run, _)| run.waiting && !run.over) {
            *allowed &= !never.contains(&run.trial) && (trains || never.is_empty());
        }
        Allowed { runs: allowed, more: room }
    }

    /// The limit that keeps runs from being trained after so many seconds of training: its key and its value.
    pub fn limit(&self, seconds: f64) -> Option<(&'static str, String)> {
        // As it was written: the product with 3600 is not always divided by it again.
        let written = |most: f64| (most / 3600.0 * 1e9).round() / 1e9;
        let hours = self.seconds.filter(|_| self.hours_are_spent(seconds)).map(written);
        let runs = self.runs.map(|most| ("sweep.max_runs", most.to_string()));
        hours.map(|hours| ("sweep.max_hours", hours.to_string())).or(runs)
    }

    fn hours_are_spent(&self, seconds: f64) -> bool {
        self.seconds.is_some_and(|most| seconds >= most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(most: u64) -> Budget {
        Budget { runs: Some(most), seconds: None }
    }

    fn claims(states: &str) -> Vec<Claim> {
        let claim = |(i, state): (usize, char)| Claim {
            trial: i / 2,
            begun: state != 'n',
            waiting: state == 'w',
            over: state == 'o',
        };
        states.chars().enumerate().map(claim).collect()
    }

    fn allowed(budget: Budget, states: &str) -> String {
        let Allowed { runs, .. } = budget.allows(&claims(states), 0.0);
        runs.into_iter().map(|allowed| if allowed { 'y' } else { '-' }).collect()
    }

    #[test]
    fn runs_that_were_started_count_and_the_first_others_fit() {
        assert_eq!(allowed(Budget::default(), "onnn"), "yyyy");
        assert_eq!(allowed(runs(3), "nnnn"), "yyy-");
        assert_eq!(allowed(runs(3), "oonn"), "yyy-");
        assert_eq!(allowed(runs(2), "oonn"), "yy--");
        // One that is interrupted continues, however many were started.
        assert_eq!(allowed(runs(1), "obnn"), "yy--");
        assert_eq!(runs(5).allows(&claims("onn"), 0.0).more, 2);
    }

    #[test]
    fn a_run_that_waits_for_a_run_that_is_never_started_is_left_too() {
        // Its own trial has another seed that is never started.
        assert_eq!(allowed(runs(5), "oooown"), "yyyy--");
        // All others that could decide about it are done.
        assert_eq!(allowed(runs(4), "ooww nn".replace(' ', "").as_str()), "yy----");
        assert_eq!(allowed(runs(4), "bowwnn"), "yyyy--", "one that trains may still decide");
        assert_eq!(allowed(runs(4), "ooww"), "yyyy", "nothing is left out");
    }

    #[test]
    fn spent_hours_leave_everything() {
        let hours = Budget { runs: Some(9), seconds: Some(36.0) };
        assert_eq!(hours.allows(&claims("obn"), 36.0), Allowed { runs: vec![true, false, false], more: 0 });
        assert_eq!(hours.limit(36.0), Some(("sweep.max_hours", "0.01".into())));
        assert_eq!(hours.limit(35.0), Some(("sweep.max_runs", "9".into())));
        assert_eq!(Budget::default().limit(9.0), None);
    }
}
