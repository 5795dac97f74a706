//! Which run of a sweep is made next: a function of what is known of all of them.
//!
//! A trial goes from rung to rung. At each its runs wait until all of them are there; then the sweep's rule says whether it
//! goes on. Without a rule there are no rungs, and runs are made in the order of the plan.

use crate::plan::prune::{Prune, Verdict, last_hope, verdict};

/// How a run stands with this command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// To be made, or to go on, when its turn comes.
    Open,
    /// A worker of this command is at it.
    Busy,
    /// Another process is at it.
    Elsewhere,
    /// Nothing more is done with it.
    Ended,
}

/// A run as the sweep sees it.
#[derive(Debug, Clone)]
pub(super) struct Item {
    /// Its trial.
    pub trial: usize,
    /// Steps at which it is decided whether its trial goes on; the same number for every run.
    pub rungs: Vec<u64>,
    /// Its figure at each rung, as far as it has got; more is better.
    pub figures: Vec<Option<f64>>,
    /// How it stands.
    pub standing: Standing,
    /// Whether it ended without a result: its trial is out.
    pub failed: bool,
}

/// All runs of a command, by their place in the plan.
pub(super) struct Sweep {
    prune: Prune,
    pub items: Vec<Item>,
    /// Items of each trial.
    trials: Vec<Vec<usize>>,
    /// How many rungs each trial has been let past: never taken back.
    granted: Vec<usize>,
}

impl Sweep {
    /// Of these runs.
    pub fn new(prune: Prune, items: Vec<Item>) -> Self {
        let trials = items.iter().map(|item| item.trial + 1).max().unwrap_or(0);
        let mut members = vec![Vec::new(); trials];
        for (place, item) in items.iter().enumerate() {
            members[item.trial].push(place);
        }
        Self { prune, items, trials: members, granted: vec![0; trials] }
    }

    /// The open run that is made next, of those that are allowed: of the trial that has got furthest, else the first of the
    /// plan.
    pub fn next(&mut self, allowed: impl Fn(usize) -> bool) -> Option<usize> {
        self.grant();
        let open = |&i: &usize| self.items[i].standing == Standing::Open && self.may_run(i) && allowed(i);
        let candidates = (0..self.items.len()).filter(open);
        candidates.min_by_key(|&i| (std::cmp::Reverse(self.granted[self.items[i].trial]), i))
    }

    /// Whether a run that is at the rung of `step` goes on at once.
    pub fn goes_on(&mut self, place: usize, step: u64) -> bool {
        self.grant();
        let item = &self.items[place];
        // The first rung beyond what it was let past is where it stops; that may be one further on than where it asks.
        item.rungs.get(self.granted[item.trial]).is_none_or(|&rung| rung > step)
    }

    /// Takes the figure of an evaluation after `step`, where that is a rung.
    pub fn measured(&mut self, place: usize, step: u64, figure: f64) {
        let item = &mut self.items[place];
        for (rung, _) in item.rungs.iter().enumerate().filter(|(_, at)| **at == step) {
            item.figures[rung] = Some(figure);
        }
    }

    /// Open runs whose trials are out, with the reason.
    pub fn out(&mut self) -> Vec<(usize, String)> {
        self.grant();
        self.decided(|verdict| match verdict {
            Verdict::Out(reason) => Some(reason),
            _ => None,
        })
    }

    /// Open runs that wait for better or for worse, when nothing more will come: with the reason that ends them.
    pub fn waiting(&mut self) -> Vec<(usize, String)> {
        self.decided(|verdict| match verdict {
            Verdict::Out(reason) | Verdict::Wait(reason) => Some(reason),
            Verdict::GoOn => None,
        })
    }

    /// When every trial waits or has ended: lets past its rung the one that goes on for want of others. Tells whether there is
    /// one.
    pub fn hope(&mut self) -> bool {
        let open = |trial: &usize| self.trials[*trial].iter().any(|&i| self.items[i].standing == Standing::Open);
        let Some(trial) = last_hope(&self.prune, &self.figures()).filter(open) else { return false };
        self.granted[trial] += 1;
        true
    }

    fn decided(&self, reason: impl Fn(Verdict) -> Option<String>) -> Vec<(usize, String)> {
        let figures = self.figures();
        let mut ended = Vec::new();
        for (trial, members) in self.trials.iter().enumerate() {
            let Some(reason) = self.verdict(trial, &figures).and_then(&reason) else { continue };
            let open = members.iter().filter(|&&i| self.items[i].standing == Standing::Open);
            ended.extend(open.map(|&i| (i, reason.clone())));
        }
        ended
    }

    /// Lets trials past the rungs that the rule lets them past.
    fn grant(&mut self) {
        let figures = self.figures();
        for trial in 0..self.trials.len() {
            while self.verdict(trial, &figures) == Some(Verdict::GoOn) {
                self.granted[trial] += 1;
            }
        }
    }

    /// What the rule says of a trial at the rung it has been let to; none where it is not there yet, or past the last.
    fn verdict(&self, trial: usize, figures: &[Vec<Option<f64>>]) -> Option<Verdict> {
        let rung = self.granted[trial];
        if rung == figures[trial].len() {
            return None;
        }
        if self.trials[trial].iter().any(|&i| self.items[i].failed) {
            return Some(Verdict::Out("another run of its trial failed".into()));
        }
        figures[trial][rung]?;
        Some(verdict(&self.prune, figures, trial, rung))
    }

    /// The figure of each trial at each of its rungs.
    fn figures(&self) -> Vec<Vec<Option<f64>>> {
        let rungs = |trial: usize| self.trials[trial].first().map_or(0, |&i| self.items[i].rungs.len());
        (0..self.trials.len()).map(|t| (0..rungs(t)).map(|r| self.figure(t, r)).collect()).collect()
    }

    /// Mean figure of a trial's runs at a rung, once all of them are there; worst of all where one failed.
    fn figure(&self, trial: usize, rung: usize) -> Option<f64> {
        let members = &self.trials[trial];
        if members.iter().any(|&i| self.items[i].failed) {
            return Some(f64::NEG_INFINITY);
        }
        let sum: Option<f64> = members.iter().map(|&i| self.items[i].figures.get(rung).copied().flatten()).sum();
        sum.filter(|_| !members.is_empty()).map(|sum| sum / members.len() as f64)
    }

    /// Whether a run has something to do before the rung its trial is let to.
    fn may_run(&self, place: usize) -> bool {
        let item = &self.items[place];
        item.figures.get(self.granted[item.trial]).is_none_or(Option::is_none)
            && !(self.granted[item.trial] < item.rungs.len()
                && self.trials[item.trial].iter().any(|&i| self.items[i].failed))
    }
}
