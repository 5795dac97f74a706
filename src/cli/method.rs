//! How a sweep goes about its runs, for the plan: what proposes them, at which steps it decides who goes on, what it may cost.

use serde_json::{Value, json};
use taper::{
    execute::Prepared,
    format,
    plan::{Prune, prune::rungs},
    spec::{Search, Sweep},
};

use super::common::Planner;

/// A sweep's way, in numbers.
pub struct Method<'a> {
    sweep: &'a Sweep,
    trials: usize,
    more: bool,
    undrawn: u64,
    prune: Prune,
    /// Decision steps of the first run, and its steps in all.
    rungs: (Vec<u64>, u64),
    /// Share of the steps of all runs that pruning leaves, if each rung lets through just what it may.
    share: Option<f64>,
}

impl<'a> Method<'a> {
    /// Of the runs planned so far.
    pub fn new(sweep: &'a Sweep, planner: &Planner) -> Self {
        let prune = Prune::of(sweep);
        let steps = |run: &Prepared| rungs(&prune, &run.config.train, run.splits.train.len() as u64);
        let trials = planner.runs.iter().map(|run| run.trial + 1).max().unwrap_or(0);
        let first = planner.runs.first().map(|run| (steps(run), run.steps.total)).unwrap_or_default();
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
        Self { sweep, trials, more: planner.more, undrawn: planner.undrawn, prune, rungs: first, share }
    }

    /// Lines for people; none for a plain grid.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let name = self.sweep.search.name();
        if self.sweep.search != Search::Grid {
            let asked = self.sweep.trials.unwrap_or(0);
            let mut line = format!("search    {name}: {asked} trials");
            if self.more {
                let batch = self.sweep.batch;
                line += &format!("; {} known so far, the others follow {batch} at a time from results", self.trials);
            }
            if self.undrawn > 0 {
                line += &format!("; the axes have {} fewer", self.undrawn);
            }
            lines.push(line);
        }
        let steps: Vec<String> = self.rungs.0.iter().map(|step| format::count(*step)).collect();
        let total = format::count(self.rungs.1);
        match self.prune {
            Prune::None => {}
            Prune::Asha { reduction_factor, .. } => {
                let share = format::percent(self.share.unwrap_or(1.0));
                lines.push(format!(
                    "pruning   ASHA: at steps {} of {total} the best 1 in {reduction_factor} trials goes on; about {share} of \
                     all steps, or a little more",
                    steps.join(" and ")
                ));
            }
            Prune::Median { startup_trials } => lines.push(format!(
                "pruning   median: from trial {} on, at steps {} of {total} who is worse than the median of earlier trials \
                 ends",
                startup_trials + 1,
                steps.join(", ")
            )),
        }
        let runs = self.sweep.max_runs.map(|runs| format!("{} runs", format::count(runs)));
        let hours = self.sweep.max_hours.map(|hours| format!("{hours} hours of training"));
        let budget: Vec<String> = runs.into_iter().chain(hours).collect();
        if !budget.is_empty() {
            lines.push(format!("budget    at most {}", budget.join(" and ")));
        }
        lines
    }

    /// Share of the steps of all runs that is made.
    pub fn share(&self) -> f64 {
        self.share.unwrap_or(1.0)
    }

    /// The same for machines.
    pub fn document(&self) -> Value {
        json!({
            "search": self.sweep.search, "trials": self.trials, "more": self.more, "undrawn": self.undrawn,
            "prune": self.sweep.prune, "rungs": self.rungs.0, "expected_share": self.share,
            "max_runs": self.sweep.max_runs, "max_hours": self.sweep.max_hours,
        })
    }
}
