//! What is known of several runs at once: how each stands, and how long the whole will take. Pure: events and the time
//! in, lines and a table out.

use std::collections::{HashMap, HashSet};

use super::{
    PlannedInfo, RunInfo,
    board::{Board, Row, Standing},
    lines::{Line, Tone, View, split_name},
};
use crate::{
    event::{Event, Outcome, Split, When},
    format::{duration, percent},
    metrics::Metrics,
    plan::Metric,
    store::RunState,
    warning::Warning,
};

/// Seconds before a speed means anything.
const WARM_UP_S: f64 = 1.0;

/// The runs of one command.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    members: HashMap<String, Member>,
    /// Runs that the search will still propose.
    to_come: usize,
    /// Runs in all, as the events tell.
    told_of: usize,
    /// When the first run began here, and the steps made here since.
    began_s: Option<f64>,
    made: u64,
    /// Grows with each begin and end of a run.
    turns: u64,
    /// Notes already passed on: runs of one sweep have most of them in common.
    said: HashSet<String>,
}

/// One of them.
#[derive(Debug)]
pub(super) struct Member {
    name: String,
    view: View,
    pub standing: Standing,
    metric: Metric,
    /// Best figure by now, and the split it was measured on.
    best: Option<(Split, f64)>,
    /// Accuracy of the kept weights.
    result: Option<(Split, f64)>,
    /// An evaluation under way: part of the data, share done.
    evaluating: Option<(Split, f64)>,
    pub reason: Option<String>,
    /// When it began or ended last, in turns.
    turn: u64,
}

impl Member {
    pub fn new(name: &str, metric: Metric) -> Self {
        Self {
            name: name.into(),
            view: View::default(),
            standing: Standing::Pending,
            metric,
            best: None,
            result: None,
            evaluating: None,
            reason: None,
            turn: 0,
        }
    }

    /// Whether nothing more comes of it.
    fn is_over(&self) -> bool {
        matches!(self.standing, Standing::Completed | Standing::Pruned | Standing::Failed)
    }

    /// Takes an event and gives back what is worth a line where several runs are told of.
    pub fn tell(&mut self, run: &RunInfo, event: &Event) -> Vec<Line> {
        let mut lines = self.view.tell(run, event);
        match event {
            Event::RunStarted { .. } => (self.standing, self.reason) = (Standing::Running, None),
            Event::StepCompleted(_) => self.evaluating = None,
            Event::EvalProgress { split, done, total } => {
                self.evaluating = Some((*split, *done as f64 / (*total).max(1) as f64));
            }
            Event::EvalCompleted { when, split, metrics, .. } => self.measured(*when, *split, metrics),
            Event::RunFinished(outcome) => {
                self.evaluating = None;
                (self.standing, self.reason) = match outcome {
                    Outcome::Completed => (Standing::Completed, None),
                    Outcome::Interrupted | Outcome::Retried => (Standing::Stopped, None),
                    Outcome::Paused { .. } => (Standing::Waiting, None),
                    Outcome::Pruned { reason } => (Standing::Pruned, Some(reason.clone())),
                    Outcome::Failed { message, .. } => (Standing::Failed, Some(message.clone())),
                };
                if let (Outcome::Completed, Some((split, accuracy)), Some(line)) =
                    (outcome, self.result, lines.first_mut())
                {
                    line.text += &format!(", {} accuracy {}", split_name(split), percent(accuracy));
                }
            }
            _ => {}
        }
        let worth_a_line = match event {
            // What the untrained weights make of the data is much the same for all.
            Event::EvalCompleted { when, .. } => *when != When::Before,
            Event::RunStarted { .. } | Event::Note { .. } | Event::Warned(_) | Event::RunFinished(_) => true,
            _ => false,
        };
        if worth_a_line { lines } else { Vec::new() }
    }

    fn measured(&mut self, when: When, split: Split, metrics: &Metrics) {
        self.evaluating = None;
        if when != When::Before && split != Split::Train {
            let figure = metrics.figure(self.metric);
            let better = self.best.is_none_or(|(on, best)| on == split && figure > best);
            // The dev split chooses: what was measured elsewhere gives way to it.
            if better || split == Split::Dev && self.best.is_some_and(|(on, _)| on != Split::Dev) {
                self.best = Some((split, figure));
            }
        }
        if when == When::After && self.result.is_none_or(|(on, _)| on != Split::Test) {
            self.result = Some((split, metrics.accuracy));
        }
    }

    fn row(&self) -> Row {
        let at_work = self.standing == Standing::Running;
        Row {
            name: self.name.clone(),
            standing: self.standing,
            step: self.view.step,
            total: self.view.total_steps,
            evaluating: self.evaluating.map(|(split, share)| format!("{} {:.0}%", split_name(split), share * 100.0)),
            loss: self.view.smoothed_loss,
            best: self.best.map(|(_, figure)| figure_text(self.metric, figure)),
            time_s: if at_work { self.view.left_s() } else { Some(self.view.elapsed_s).filter(|s| *s > 0.0) },
            reason: self.reason.clone(),
        }
    }
}

/// A figure turned so that more is better, as people read it.
fn figure_text(metric: Metric, figure: f64) -> String {
    match metric {
        Metric::Accuracy | Metric::MacroF1 => percent(figure),
        Metric::Loss => format!("{:.4}", -figure),
    }
}

/// `best dev`, `best dev loss`: the heading of a column of such figures.
pub(super) fn best_title(split: Split, metric: Metric) -> String {
    let what = match metric {
        Metric::Accuracy => "",
        Metric::MacroF1 => " F1",
        Metric::Loss => " loss",
    };
    format!("best {}{what}", split_name(split))
}

impl Sweep {
    /// Takes what the command means to do; of a run that is at work here only its name and metric are taken.
    pub fn planned(&mut self, runs: &[PlannedInfo], to_come: usize) {
        self.to_come = to_come;
        for run in runs {
            let member = self.members.entry(run.key.clone()).or_insert_with(|| Member::new(&run.name, run.metric));
            (member.name, member.metric) = (run.name.clone(), run.metric);
            if member.standing != Standing::Running {
                member.view.total_steps = run.total_steps;
                member.view.step = run.step;
                member.standing = match run.state {
                    RunState::Pending | RunState::Running | RunState::Interrupted => Standing::Pending,
                    RunState::Completed => Standing::Completed,
                    RunState::Failed => Standing::Failed,
                    RunState::Pruned => Standing::Pruned,
                };
            }
        }
    }

    /// Takes an event at a time in seconds and gives back what to say of it: not of each step, and not of each probe.
    pub fn tell(&mut self, run: &RunInfo, event: &Event, now_s: f64) -> Vec<Line> {
        self.told_of = self.told_of.max(run.position.1);
        let member = self.members.entry(run.key.clone()).or_insert_with(|| Member::new(&run.name, Metric::Accuracy));
        let mut lines = member.tell(run, event);
        match event {
            Event::RunStarted { .. } | Event::RunFinished(_) => {
                self.began_s.get_or_insert(now_s);
                self.turns += 1;
                member.turn = self.turns;
            }
            Event::StepCompleted(_) => self.made += 1,
            Event::Note { message } | Event::Warned(Warning { message, .. }) if !self.said.insert(message.clone()) => {
                lines.clear();
            }
            _ => {}
        }
        // Lines of a begin and an end hold the run's name already.
        let named = matches!(event, Event::RunStarted { .. } | Event::RunFinished(_));
        let prefix = match named {
            true => format!("[{}/{}] ", run.position.0, self.told_of),
            false => format!("[{}/{}] {}: ", run.position.0, self.told_of, run.name),
        };
        lines.iter_mut().for_each(|line| line.text.insert_str(0, &prefix));
        lines
    }

    /// Runs found as they are, after `made` steps in the time that is to be given to [`Sweep::board`].
    pub fn seen(made: u64) -> Self {
        Self { began_s: Some(0.0), made, ..Self::default() }
    }

    /// One more of them, whose turn is after those of all others.
    pub fn add(&mut self, key: String, mut member: Member) {
        self.turns += 1;
        member.turn = self.turns;
        self.members.insert(key, member);
    }

    /// The table at a time in seconds, with `most` of the runs that are not at work.
    pub fn board(&self, now_s: f64, most: usize) -> Board {
        let of = |f: &dyn Fn(&Member) -> bool| -> Vec<&Member> { self.members.values().filter(|m| f(m)).collect() };
        let mut active = of(&|m| m.standing == Standing::Running);
        active.sort_by_key(|m| m.turn);
        // Those that were at work here and are not any more, the last first.
        let mut others = of(&|m| m.standing != Standing::Running && m.turn > 0);
        others.sort_by_key(|m| std::cmp::Reverse(m.turn));
        others.truncate(most);
        let shown = active.iter().chain(&others);
        let measured = shown.filter_map(|m| m.best.map(|(split, _)| best_title(split, m.metric))).next();
        Board {
            best: measured.unwrap_or_else(|| "best".into()),
            active: active.into_iter().map(Member::row).collect(),
            others: others.into_iter().map(Member::row).collect(),
            summary: self.summary(now_s),
        }
    }

    /// `7 of 12 done, 1 failed, 1 pruned, 3 left  eta 12m00s`.
    fn summary(&self, now_s: f64) -> String {
        let of = |standing| self.members.values().filter(|m| m.standing == standing).count();
        let all = (self.members.len() + self.to_come).max(self.told_of);
        let (done, failed, pruned) = (of(Standing::Completed), of(Standing::Failed), of(Standing::Pruned));
        let left = all - done - failed - pruned;
        let mut text = format!("{done} of {all} done");
        for (n, what) in [(failed, "failed"), (pruned, "pruned"), (left, "left"), (of(Standing::Waiting), "waiting")] {
            if n > 0 {
                text += &format!(", {n} {what}");
            }
        }
        let eta = self.left_s(now_s, left).map_or_else(String::new, |s| format!("  eta {}", duration(s)));
        text + &eta
    }

    /// Seconds until nothing is left, at the pace of all that was done here so far: evaluations, loading and whatever
    /// runs beside each other are in it.
    fn left_s(&self, now_s: f64, left: usize) -> Option<f64> {
        let took = now_s - self.began_s?;
        if left == 0 || self.made == 0 || took < WARM_UP_S {
            return None;
        }
        let known: Vec<&Member> = self.members.values().filter(|m| m.view.total_steps > 0).collect();
        let typical = known.iter().map(|m| m.view.total_steps).sum::<u64>() as f64 / known.len().max(1) as f64;
        let open = known.iter().filter(|m| !m.is_over());
        let (count, steps) =
            open.fold((0, 0), |(n, sum), m| (n + 1, sum + m.view.total_steps.saturating_sub(m.view.step)));
        let unknown = left.saturating_sub(count) as f64 * typical;
        Some((steps as f64 + unknown) * took / self.made as f64)
    }
}

/// What must be seen even above a table that shows the rest.
pub(super) fn is_loud(line: &Line) -> bool {
    matches!(line.tone, Tone::Warning | Tone::Failure)
}

#[cfg(test)]
mod tests;
