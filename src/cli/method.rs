//! How a sweep goes about its runs, for the plan: what proposes them, at which steps it compares them, what it may cost.

use serde_json::{Value, json};
use taper::{
    execute::Prepared,
    format,
    plan::{
        Prune,
        prune::rungs,
        sanity::{Trials, survivors},
    },
    spec::{Search, Sweep},
};

use super::common::Planner;

/// A sweep's way, in numbers.
pub struct Method<'a> {
    sweep: &'a Sweep,
    /// Trials known so far, and all there will be.
    known: usize,
    trials: Trials,
    more: bool,
    prune: Prune,
    /// Decision steps of the first run before its end, and its steps in all.
    rungs: (Vec<u64>, u64),
    /// Share of the steps of all runs that pruning leaves, if each rung lets through just what it may.
    share: Option<f64>,
}

impl<'a> Method<'a> {
    /// Of the runs planned so far.
    pub fn new(sweep: &'a Sweep, planner: &Planner) -> Self {
        let prune = Prune::of(sweep);
        let steps = |run: &Prepared| rungs(&prune, &run.config.train, run.splits.train.len() as u64);
        let before_end = |run: &Prepared| steps(run).into_iter().filter(|step| *step < run.steps.total).collect();
        let first = planner.runs.first().map(|run| (before_end(run), run.steps.total)).unwrap_or_default();
        let share = match prune {
            Prune::Asha { reduction_factor, .. } => {
                let expected = |run: &Prepared| {
                    let ends = steps(run).into_iter().chain([run.steps.total]);
                    let parts = ends.scan(0, |from, to| Some(to - std::mem::replace(from, to)));
                    let goes_on = 1.0 / reduction_factor as f64;
                    parts.zip(0..).map(|(steps, rung)| steps as f64 * goes_on.powi(rung)).sum::<f64>()
                };
                let all: u64 = planner.runs.iter().map(|run| run.steps.total).sum();
                Some(planner.runs.iter().map(expected).sum::<f64>() / all.max(1) as f64)
            }
            _ => None,
        };
        let (known, trials) = (planner.known_trials(), planner.trials());
        Self { sweep, known, trials, more: planner.more, prune, rungs: first, share }
    }

    /// Lines for people; none for a plain grid.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let name = self.sweep.search.name();
        if self.sweep.search != Search::Grid {
            let asked = self.sweep.trials.unwrap_or(0);
            let mut line = format!("search    {name}: {}", format::counted(asked, "trial"));
            if self.more {
                let batch = self.sweep.batch;
                line +=
                    &format!("; {} known so far, the others are proposed {batch} at a time from results", self.known);
            }
            if self.trials.undrawn > 0 {
                line += &format!("; the axes have {} fewer", self.trials.undrawn);
            }
            lines.push(line);
        }
        let total = format::count(self.rungs.1);
        match self.prune {
            Prune::None => {}
            Prune::Asha { .. } | Prune::Median { .. } if self.rungs.0.is_empty() => {
                let rule = if matches!(self.prune, Prune::Median { .. }) { "median" } else { "ASHA" };
                lines.push(format!("pruning   {rule}: none, as there is no evaluation before step {total}, the last"));
            }
            Prune::Asha { reduction_factor, .. } => {
                let share = format::percent(self.share.unwrap_or(1.0));
                let (left, _) = survivors(self.trials.all, reduction_factor, self.rungs.0.len());
                // A batch is proposed from the results of those before it, so that none of them may still wait.
                let batches = match self.more {
                    true => "; a trial that is not promoted by the end of its batch is pruned for good",
                    false => "",
                };
                lines.push(format!(
                    "pruning   ASHA: {} of {total} the best 1 in {} trials are promoted ({left} trials); about {share} of all \
                     steps, or a little more{batches}",
                    at_steps(&self.rungs.0),
                    // Rungs on the same step decide there one after the other.
                    each_factor(&self.rungs.0, reduction_factor, self.trials.all),
                ));
            }
            Prune::Median { startup_trials } if self.trials.all <= startup_trials => lines.push(format!(
                "pruning   median: none, as it compares from trial {} on and there are {}",
                startup_trials + 1,
                self.trials.all
            )),
            Prune::Median { startup_trials } => lines.push(format!(
                "pruning   median: from trial {} on, {} of {total} a trial below the median of earlier trials ends",
                startup_trials + 1,
                at_steps(&self.rungs.0)
            )),
        }
        let runs = self.sweep.max_runs.map(|runs| format::counted(runs, "run"));
        let hours = self
            .sweep
            .max_hours
            .map(|hours| format!("{hours} {} of training", if hours == 1.0 { "hour" } else { "hours" }));
        let budget: Vec<String> = runs.into_iter().chain(hours).collect();
        if !budget.is_empty() {
            lines.push(format!("budget    at most {}", budget.join(" and ")));
        }
        lines
    }

    /// Share of the steps of all runs that is trained.
    pub fn share(&self) -> f64 {
        self.share.unwrap_or(1.0)
    }

    /// The same for machines.
    pub fn document(&self) -> Value {
        json!({
            "search": self.sweep.search, "trials": self.known, "all_trials": self.trials.all, "more": self.more,
            "undrawn": self.trials.undrawn, "repeats": self.trials.repeats, "prune": self.sweep.prune, "rungs": self.rungs.0, "expected_share": self.share,
            "max_runs": self.sweep.max_runs, "max_hours": self.sweep.max_hours,
        })
    }
}

/// `at steps 9, 18, 27, … and 90`; of many the first and the last, each once.
fn at_steps(steps: &[u64]) -> String {
    const SHOWN: usize = 5;
    let mut steps: Vec<u64> = steps.to_vec();
    steps.dedup();
    let texts: Vec<String> = steps.iter().map(|step| format::count(*step)).collect();
    match &texts[..] {
        [] => String::new(),
        [one] => format!("at step {one}"),
        [first @ .., last] if texts.len() <= SHOWN => format!("at steps {} and {last}", first.join(", ")),
        [.., last] => format!("at steps {}, … and {last}", texts[..SHOWN - 1].join(", ")),
    }
}

/// The factor of a rung, or of each step where several rungs fall on one: `3`, or `9 and 3`. One trial passes in any case, so that it
/// is never more than there are trials.
fn each_factor(steps: &[u64], factor: u64, trials: u64) -> String {
    let per_step: Vec<u64> = steps
        .chunk_by(|a, b| a == b)
        .map(|same| factor.saturating_pow(u32::try_from(same.len()).unwrap_or(u32::MAX)))
        .map(|factor| factor.min(trials.max(1)))
        .collect();
    match per_step.iter().all(|n| *n == per_step[0]) {
        true => format::count(per_step[0]),
        false => per_step.iter().map(|n| format::count(*n)).collect::<Vec<_>>().join(" and 1 in "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_listed_once_and_of_many_the_first_and_the_last() {
        assert_eq!(at_steps(&[45, 135]), "at steps 45 and 135");
        assert_eq!(at_steps(&[9, 9]), "at step 9");
        let many: Vec<u64> = (1..=1000).map(|i| i * 10).collect();
        assert_eq!(at_steps(&many), "at steps 10, 20, 30, 40, … and 10,000");
        assert_eq!(each_factor(&[45, 135], 3, 30), "3");
        assert_eq!(each_factor(&[9, 9], 3, 30), "9");
        assert_eq!(each_factor(&[9, 9, 18], 3, 30), "9 and 1 in 3");
        assert_eq!(each_factor(&[1; 10], 100, 6), "6", "one passes in any case");
        assert_eq!(each_factor(&[1, 1, 3], 2, 3), "3 and 1 in 2");
    }
}
