//! How a sweep works, for the plan: what proposes its runs, when it compares them, and its budget.

use std::collections::HashSet;

use serde_json::{Value, json};
use taper::{
    execute::Prepared,
    experiment::Planner,
    format,
    plan::{
        Batches, Promotions, Prune, RungSteps,
        rung_steps::{at, numbers},
        sanity::Trials,
    },
    spec::{Search, Sweep},
};

/// The method of a sweep, in numbers.
pub struct Method<'a> {
    sweep: &'a Sweep,
    /// Trials known so far, and all that there will be.
    known: usize,
    trials: Trials,
    more: bool,
    /// Whether every run has ended, so that nothing is left to forecast.
    over: bool,
    /// Whether a file or a column names the dev rows, which are then in no fold.
    own_dev: bool,
    prune: Prune,
    /// Decision steps before the end: each combination that occurs, once.
    rungs: Vec<RungSteps>,
    /// How many trials ASHA promotes.
    promotions: Option<Promotions>,
    /// The share of all steps that ASHA leaves: the mean, and from, to.
    share: Option<(f64, (f64, f64))>,
}

impl<'a> Method<'a> {
    /// For the runs planned so far.
    pub fn new(sweep: &'a Sweep, planner: &Planner) -> Self {
        let prune = Prune::of(sweep);
        let own = |run: &Prepared| RungSteps::of(&prune, &run.config.train, run.examples() as u64);
        let each: Vec<RungSteps> = planner.runs.iter().map(own).collect();
        let mut all: Vec<RungSteps> = Vec::new();
        for own in &each {
            if !all.contains(own) {
                all.push(own.clone());
            }
        }
        let (known, trials) = (planner.known_trials(), planner.trials());
        let mut of_trials: Vec<&RungSteps> = Vec::new();
        let mut known_trials = HashSet::new();
        for (run, own) in planner.runs.iter().zip(&each) {
            if known_trials.insert(run.trial) {
                of_trials.push(own);
            }
        }
        let courses: Vec<_> = of_trials.into_iter().map(|own| (&own.rungs[..], own.total)).collect();
        let promotions = Promotions::by(&prune, trials.all, Batches::of(sweep), &courses);
        let share = promotions.as_ref().map(Promotions::steps);
        let own_dev = planner.runs.iter().any(|run| !run.dataset.dev.is_empty());
        let (more, over) = (planner.more, planner.is_over());
        Self { sweep, known, trials, more, over, own_dev, prune, rungs: all, promotions, share }
    }

    /// Lines of text, each with its label; none for a plain grid.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        let name = self.sweep.search.name();
        if self.sweep.search != Search::Grid {
            let asked = self.sweep.trials.unwrap_or(0);
            let undrawn = self.trials.undrawn;
            let mut line = format!("{name}: {}", format::counted(asked - undrawn.min(asked), "trial"));
            if undrawn > 0 {
                let points = format::counted(asked - undrawn.min(asked), "different point");
                line += &format!(" ({} were asked for, but the axes have only {points})", format::count(asked));
            }
            if self.more {
                let (batch, left) = (self.sweep.batch, self.trials.all.saturating_sub(self.known as u64));
                line += &format!("; {} known so far, ", self.known);
                line += &match (left, left <= batch) {
                    (1, _) => "the last one is proposed from the results of earlier ones".to_string(),
                    (left, true) => format!("the other {left} are proposed from the results of earlier ones"),
                    (left, false) => {
                        format!("the other {left} are proposed {batch} at a time from the results of earlier ones")
                    }
                };
            }
            lines.push(("search", line));
        }
        match self.prune {
            Prune::None => {}
            Prune::Asha { .. } | Prune::Median { .. } if numbers(&self.rungs).is_empty() => {
                let rule = if matches!(self.prune, Prune::Median { .. }) { "median" } else { "ASHA" };
                let why = format!("{rule}: prunes nothing, because no run is evaluated before its last step");
                lines.push(("pruning", why));
            }
            Prune::Asha { reduction_factor, .. } => {
                let left = self.promotions.as_ref().map(Promotions::words).unwrap_or_default();
                let (low, high) = self.share_range();
                let [low, high] = [low, high].map(|share| format::decimals(share * 100.0, 0));
                let share = if low == high { format!("{low}%") } else { format!("{low}–{high}%") };
                // A batch is proposed from the results of earlier ones, so none of their runs may still wait.
                let batches = match self.more {
                    true => "; a trial that is not promoted by the end of its batch is pruned for good",
                    false => "",
                };
                let judged = ", or more: they are judged batch by batch";
                let promoted = promotions(&self.rungs, reduction_factor, self.trials.all);
                let line = match (self.over, self.may_be_more()) {
                    (true, _) => format!("ASHA: at {promoted} are promoted"),
                    (false, true) => format!(
                        "ASHA: at {promoted} are promoted ({left} trials{judged}), which takes about {share} \
                         of all steps, or more{batches}"
                    ),
                    (false, false) => format!(
                        "ASHA: at {promoted} are promoted ({left} trials), which takes {share} of all steps; \
                         a trial is judged as soon as it has a score, so more than 1 in {reduction_factor} may be \
                         promoted"
                    ),
                };
                lines.push(("pruning", line));
            }
            Prune::Median { startup_trials } if self.trials.all <= startup_trials => {
                let (from, all) = (startup_trials + 1, self.trials.all);
                let why = format!(
                    "median: prunes nothing, because it compares trials from trial {from} on, and there are only {all}"
                );
                lines.push(("pruning", why));
            }
            Prune::Median { startup_trials } => {
                let (from, at) = (startup_trials + 1, at_evaluations(&self.rungs));
                let rule = format!(
                    "median: from trial {from} on, {at} a trial worse than the median of earlier trials is pruned"
                );
                lines.push(("pruning", rule));
            }
        }
        lines.extend(self.folds().map(|folds| ("folds", folds)));
        let runs = self.sweep.max_runs.map(|runs| format::counted(runs, "run"));
        let hours = self
            .sweep
            .max_hours
            .map(|hours| format!("{hours} {} of training", if hours == 1.0 { "hour" } else { "hours" }));
        let budget: Vec<String> = runs.into_iter().chain(hours).collect();
        if !budget.is_empty() {
            lines.push(("budget", format!("at most {}", budget.join(" and "))));
        }
        lines
    }

    /// `2 trials × 5 folds = 10 runs; every row is a test row once for each trial`.
    fn folds(&self) -> Option<String> {
        let folds = self.sweep.folds?;
        let seeds = self.sweep.seeds.len() as u64;
        let trials = self.trials.all;
        let mut factors = vec![format::counted(trials, "trial")];
        factors.extend((seeds > 0).then(|| format::counted(seeds, "seed")));
        factors.push(format::counted(folds, "fold"));
        let runs = format::counted(trials * seeds.max(1) * folds, "run");
        let of = if seeds > 0 { " for each trial and seed" } else { " for each trial" };
        // Of points that are excluded for one seed alone, the product says nothing.
        let product = self.sweep.exclude.is_empty().then(|| format!("{} = {runs}", factors.join(" × ")));
        let product = product.unwrap_or_else(|| format::counted(folds, "fold"));
        let outside = if self.own_dev { " outside the dev split" } else { "" };
        Some(format!("{product}; every row{outside} is a test row once{of}"))
    }

    /// The share of all steps that is expected to be trained.
    pub fn share(&self) -> f64 {
        self.share.map_or(1.0, |(mean, _)| mean)
    }

    /// The range of that share: from, to.
    pub fn share_range(&self) -> (f64, f64) {
        self.share.map_or((1.0, 1.0), |(_, range)| range)
    }

    /// Whether more steps than [`Self::share`] are likely to be trained: each batch of a search may promote its best trial, whatever share
    /// that is, and later batches have better trials.
    pub fn may_be_more(&self) -> bool {
        self.share() < 1.0 && self.sweep.search == Search::Tpe
    }

    /// Whether a rule ends trials early.
    pub fn prunes(&self) -> bool {
        self.prune != Prune::None
    }

    /// The share of trials that is trained to the end and keeps a model.
    pub fn finishing(&self) -> f64 {
        self.promotions.as_ref().map_or(1.0, Promotions::finishing)
    }

    /// Whether the rule stops as many trials as results decide, so that no share is known.
    pub fn stops_unknown(&self) -> bool {
        self.prune.startup_trials().is_some_and(|startup_trials| self.trials.all > startup_trials)
            && !numbers(&self.rungs).is_empty()
    }

    /// That rows of single runs and trials count whole runs, where pruning leaves some of them undone, and what the total counts.
    pub fn whole_runs(&self) -> Option<&'static str> {
        match (self.over, self.share() < 1.0, self.stops_unknown()) {
            (true, ..) => None,
            (false, true, _) => Some("each line: without pruning; the total below: with it"),
            (false, false, true) => Some("each line, and the total below: without pruning"),
            (false, false, false) => None,
        }
    }

    /// The steps of a run's rungs before its end.
    pub fn rungs_of(&self, run: &Prepared) -> Vec<u64> {
        RungSteps::of(&self.prune, &run.config.train, run.examples() as u64).steps()
    }

    /// The same as JSON. `rungs`: those that all runs have in common; if runs differ, each has its own.
    pub fn document(&self) -> Value {
        let rungs = match &self.rungs[..] {
            [first, rest @ ..] if rest.iter().all(|run| run.rungs == first.rungs) => Some(first.steps()),
            _ => None,
        };
        json!({
            "search": self.sweep.search, "trials": self.known, "all_trials": self.trials.all, "more": self.more,
            "undrawn": self.trials.undrawn, "repeats": self.trials.repeats, "prune": self.sweep.prune, "rungs": rungs, "expected_share": self.share.map(|(mean, _)| mean),
            "max_runs": self.sweep.max_runs, "max_hours": self.sweep.max_hours,
        })
    }
}

/// `rung 1 (step 10 of 90) and rung 2 (step 30 of 90) the best 1 in 3 trials`. One trial passes in any case, so that it is never one in more
/// than there are trials.
fn promotions(runs: &[RungSteps], factor: u64, trials: u64) -> String {
    let name = |rung: usize| format!("rung {} ({})", rung + 1, at(runs, rung));
    let names: Vec<String> = numbers(runs).into_iter().map(name).collect();
    format!("{} the best 1 in {} trials", format::and(&names), format::count(factor.min(trials.max(1))))
}

/// `at rungs 1 to 8 (steps 10, 20, 30, 40, … and 80 of 90)`; where runs differ, how many of them each has.
fn at_evaluations(runs: &[RungSteps]) -> String {
    const SHOWN: usize = 5;
    // Runs whose epochs differ may have the same steps all the same.
    let same = |first: &&RungSteps| runs.iter().all(|run| (&run.rungs, run.total) == (&first.rungs, first.total));
    let Some(first) = runs.first().filter(same) else {
        let counts = || runs.iter().map(|run| run.rungs.len() as u64);
        let (low, high) = (counts().min().unwrap_or(0), counts().max().unwrap_or(0));
        let span =
            if low == high { format::count(low) } else { format!("{} to {}", format::count(low), format::count(high)) };
        return format!("at each evaluation before the last step (rung 1, rung 2, …; a run has {span} of them)");
    };
    let texts: Vec<String> = first.steps().into_iter().map(format::count).collect();
    let total = format::count(first.total);
    match &texts[..] {
        [one] => format!("at rung 1 (step {one} of {total})"),
        all if all.len() <= SHOWN => format!("at rungs 1 to {} (steps {} of {total})", all.len(), format::and(all)),
        [.., last] => {
            let first = texts[..SHOWN - 1].join(", ");
            format!("at rungs 1 to {} (steps {first}, … and {last} of {total})", texts.len())
        }
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use taper::plan::Rung;

    use super::*;

    /// The rungs that fall on these steps: of those on one step the last.
    fn numbered(steps: &[u64]) -> Vec<Rung> {
        let is_last = |number: &usize| steps.get(number + 1) != Some(&steps[*number]);
        (0..steps.len()).filter(is_last).map(|number| Rung { number, step: steps[number] }).collect()
    }

    #[test]
    fn rungs_are_numbered_from_1_and_those_of_every_setting_are_told() {
        let of = |runs: &[(&[u64], u64)], factor, trials| {
            let run =
                |(steps, total): &(&[u64], u64)| RungSteps { rungs: numbered(steps), total: *total, per_epoch: 10 };
            promotions(&runs.iter().map(run).collect::<Vec<_>>(), factor, trials)
        };
        assert_eq!(
            of(&[(&[10, 30], 90)], 3, 30),
            "rung 1 (step 10 of 90) and rung 2 (step 30 of 90) the best 1 in 3 trials"
        );
        // One that falls on the same step as the next is that one; one trial is always promoted.
        assert_eq!(of(&[(&[9, 9], 60)], 3, 30), "rung 2 (step 9 of 60) the best 1 in 3 trials");
        assert_eq!(of(&[(&[1; 10], 60)], 100, 6), "rung 10 (step 1 of 60) the best 1 in 6 trials");
        assert_eq!(
            of(&[(&[9, 9, 18], 60)], 3, 30),
            "rung 2 (step 9 of 60) and rung 3 (step 18 of 60) the best 1 in 3 trials"
        );
        // With swept epochs.
        assert_eq!(
            of(&[(&[10, 30], 90), (&[20, 60], 180)], 3, 30),
            "rung 1 (epochs 1–2 of 9–18) and rung 2 (epochs 3–6 of 9–18) the best 1 in 3 trials"
        );
        let many: Vec<([u64; 1], u64)> = (1..=5).map(|n| ([n * 1001], n * 3000)).collect();
        let many: Vec<(&[u64], u64)> = many.iter().map(|(steps, total)| (&steps[..], *total)).collect();
        assert_eq!(of(&many, 3, 30), "rung 1 (steps 1,001–5,005 of 3,000–15,000) the best 1 in 3 trials");
        // Two rungs on one step of one run, and on two of another.
        assert_eq!(
            of(&[(&[12, 12], 60), (&[12, 24], 120)], 3, 30),
            "rung 1 (step 12 of 120) and rung 2 (steps 12–24 of 60–120) the best 1 in 3 trials"
        );
    }

    #[test]
    fn evaluations_are_listed_and_of_many_the_first_and_the_last() {
        let run = |steps: Vec<u64>, total| RungSteps { rungs: numbered(&steps), total, per_epoch: 30 };
        assert_eq!(at_evaluations(&[run(vec![45], 90)]), "at rung 1 (step 45 of 90)");
        assert_eq!(at_evaluations(&[run(vec![45, 135], 180)]), "at rungs 1 to 2 (steps 45 and 135 of 180)");
        let many: Vec<u64> = (1..=1000).map(|i| i * 10).collect();
        assert_eq!(
            at_evaluations(&[run(many, 20_000)]),
            "at rungs 1 to 1000 (steps 10, 20, 30, 40, … and 10,000 of 20,000)"
        );
        // Batches of another size, with an evaluation every 45 steps.
        let other = RungSteps { per_epoch: 60, ..run(vec![45], 90) };
        assert_eq!(at_evaluations(&[run(vec![45], 90), other]), "at rung 1 (step 45 of 90)");
        let two = [run(vec![30], 60), run(vec![30, 60, 90], 120)];
        assert_eq!(
            at_evaluations(&two),
            "at each evaluation before the last step (rung 1, rung 2, …; a run has 1 to 3 of them)"
        );
    }
}
