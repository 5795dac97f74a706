//! What is known of one run of a sweep, and of the runs of one trial together.

use super::{
    PlannedInfo, RunInfo,
    board::Row,
    forecast::{Part, Stage},
    lines::{Line, View, split_name},
};
use crate::{
    event::{Event, Outcome, Split, When},
    format::{names, percent},
    metrics::{Judged, Metric, Metrics, is_new_best},
    plan::Keep,
    store::RunState,
};

/// One run.
#[derive(Debug)]
pub(super) struct Member {
    pub name: String,
    pub trial: usize,
    pub view: View,
    pub state: RunState,
    /// What it is judged by: this metric, on this split.
    split: Split,
    metric: Metric,
    keep: Keep,
    rungs: Vec<u64>,
    pub step_cost: f64,
    /// Whether it was ever begun.
    pub begun: bool,
    /// Seconds that it has trained.
    pub trained_s: f64,
    /// How good the kept weights are by now, and the step that they are of.
    judged: Option<(Judged, u64)>,
    /// Accuracy of the kept weights.
    result: Option<(Split, f64)>,
    /// An evaluation under way: part of the data, share done.
    evaluating: Option<(Split, f64)>,
    pub reason: Option<String>,
}

impl Member {
    pub fn new(name: &str, trial: usize) -> Self {
        Self {
            name: name.into(),
            trial,
            view: View::default(),
            state: RunState::Pending,
            split: Split::Dev,
            metric: Metric::Accuracy,
            keep: Keep::Last,
            rungs: Vec::new(),
            step_cost: 1.0,
            begun: false,
            trained_s: 0.0,
            judged: None,
            result: None,
            evaluating: None,
            reason: None,
        }
    }

    /// Takes what happened to it before, without saying anything of it.
    pub fn recall(&mut self, key: &str, past: &[Event]) {
        let info = RunInfo { key: key.into(), name: self.name.clone(), log_steps: 0, position: (1, 1) };
        past.iter().for_each(|event| drop(self.tell(&info, event)));
    }

    /// Takes what is planned; of a run that is at work here no steps and no state. It is judged `by_dev`: by its checkpoint's
    /// metric on the dev split, or else by its accuracy on the test split.
    pub fn plan(&mut self, run: &PlannedInfo, by_dev: bool) {
        (self.name, self.trial) = (run.name.clone(), run.trial);
        (self.split, self.metric) = if by_dev { (Split::Dev, run.metric) } else { (Split::Test, Metric::Accuracy) };
        self.keep = run.keep;
        let works_here = self.state == RunState::Running;
        if !works_here {
            self.recall(&run.key, &run.past);
        }
        (self.rungs, self.step_cost) = (run.rungs.clone(), run.step_cost);
        self.begun |= run.state != RunState::Pending;
        if !works_here {
            self.trained_s = run.trained_s;
            self.view.total_steps = run.total_steps;
            self.view.step = run.step;
            self.state = match run.state {
                // By another process: to this command it is still to come.
                RunState::Running => RunState::Pending,
                state => state,
            };
        }
    }

    /// Takes what another process has made of it by now.
    pub fn caught_up(&mut self, key: &str, (state, steps): (RunState, u64), past: &[Event]) {
        self.recall(key, past);
        self.begun = true;
        self.view.step = steps;
        self.state = match state {
            // To this command it is still to come.
            RunState::Running => RunState::Pending,
            state => state,
        };
    }

    /// The run in the eyes of a forecast.
    pub fn part(&self) -> Part {
        Part {
            stage: match self.state {
                RunState::Running => Stage::Running,
                RunState::Waiting => Stage::Waiting,
                RunState::Pending | RunState::Interrupted => Stage::Open,
                RunState::Completed | RunState::Pruned | RunState::Failed => Stage::Over,
            },
            pruned: self.state == RunState::Pruned,
            trial: self.trial,
            step: self.view.step,
            total: self.view.total_steps,
            rungs: self.rungs.clone(),
            step_cost: self.step_cost,
        }
    }

    /// Takes an event and gives back what is worth a line where several runs are told of.
    pub fn tell(&mut self, run: &RunInfo, event: &Event) -> Vec<Line> {
        let mut lines = self.view.tell(run, event);
        if let Event::StepCompleted(step) = event {
            self.trained_s = step.elapsed_s;
        }
        match event {
            Event::RunStarted { .. } => {
                (self.state, self.reason) = (RunState::Running, None);
                self.begun = true;
                lines.truncate(1);
            }
            Event::StepCompleted(_) => self.evaluating = None,
            Event::EvalProgress { split, done, total } => {
                self.evaluating = Some((*split, *done as f64 / (*total).max(1) as f64));
            }
            Event::EvalCompleted { when, step, split, metrics, .. } => self.measured(*when, *step, *split, metrics),
            Event::RunFinished(outcome) => {
                self.evaluating = None;
                (self.state, self.reason) = match outcome {
                    Outcome::Completed => (RunState::Completed, None),
                    Outcome::Retried => (RunState::Pending, None),
                    Outcome::Interrupted => (RunState::Interrupted, None),
                    Outcome::Paused { .. } => (RunState::Waiting, None),
                    Outcome::Pruned { reason } => (RunState::Pruned, Some(reason.clone())),
                    Outcome::Failed { message, .. } => {
                        (RunState::Failed, Some(message.lines().next().unwrap_or_default().to_string()))
                    }
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

    fn measured(&mut self, when: When, step: u64, split: Split, metrics: &Metrics) {
        self.evaluating = None;
        if when == When::After && self.result.is_none_or(|(on, _)| on != Split::Test) {
            self.result = Some((split, metrics.get(Metric::Accuracy)));
        }
        if when == When::Before || split != self.split {
            return;
        }
        let judged = Judged::new(metrics, self.metric);
        // The last weights are kept unless the best are asked for: a better score of earlier ones would promise too much.
        let kept = when == When::After
            || self.keep != Keep::Best
            || is_new_best(self.judged.map(|(best, _)| best.score), judged.score);
        if kept {
            self.judged = Some((judged, step));
        }
    }
}

/// `dev acc`, `dev F1`, `best dev loss`: the heading of a column of such values.
fn heading(split: Split, metric: Metric, keep: Keep) -> String {
    let best = if keep == Keep::Best { "best " } else { "" };
    format!("{best}{} {}", split_name(split), metric.info().short)
}

/// The runs of one trial.
pub(super) struct TrialView<'a> {
    /// Its number.
    pub number: usize,
    /// Its runs, in the order of the plan.
    pub members: Vec<&'a Member>,
}

impl TrialView<'_> {
    /// What the names of its runs share.
    pub fn name(&self, several: bool) -> String {
        names::common(&self.members.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), several)
    }

    /// The state that it is shown in.
    pub fn state(&self) -> RunState {
        RunState::of_several(self.members.iter().map(|m| m.state))
    }

    fn count(&self, state: RunState) -> usize {
        self.members.iter().filter(|m| m.state == state).count()
    }

    /// The runs that count for what it was measured to have: those that are completed where there are some, or else all. What
    /// is half trained is not averaged with what is finished, as on the leaderboard.
    fn counted(&self) -> impl Iterator<Item = &Member> {
        let finished = |m: &Member| m.state == RunState::Completed && m.judged.is_some();
        let has_finished = self.members.iter().any(|m| finished(m));
        self.members.iter().copied().filter(move |m| !has_finished || finished(m))
    }

    /// Mean of what the runs that count were measured to have, and how many were.
    pub fn judged(&self) -> Option<(Judged, usize)> {
        let known = self.counted().filter_map(|m| m.judged).map(|(judged, _)| judged);
        let known: Vec<Judged> = known.filter(|judged| judged.score.is_finite()).collect();
        Some((Judged::mean(&known)?, known.len()))
    }

    /// The metric that its runs are compared by.
    fn metric(&self) -> Metric {
        self.members.first().map_or(Metric::Accuracy, |m| m.metric)
    }

    /// What its values are called.
    pub fn heading(&self) -> Option<String> {
        self.members.iter().find(|m| m.judged.is_some()).map(|m| heading(m.split, m.metric, m.keep))
    }

    /// `dev accuracy 90.0% at step 24 of 108 (mean of 3 seeds)`; of seeds that are not equally far `at steps 12–24 of 108`; where
    /// some are finished `dev accuracy 91.0% (2 finished of 3 seeds)`.
    pub fn result(&self) -> Option<String> {
        let (judged, n) = self.judged()?;
        let first = self.members.iter().find(|m| m.judged.is_some())?;
        let metric = first.metric;
        let value = metric.text(metric.value(judged.score));
        let mut text = format!("{} {} {value}", split_name(first.split), metric.name());
        let finished = self.counted().all(|m| m.state == RunState::Completed);
        if !finished {
            let steps = || self.counted().filter_map(|m| m.judged).map(|(_, step)| step);
            let (low, high) = (steps().min()?, steps().max()?);
            let at = if low == high { format!("step {low}") } else { format!("steps {low}–{high}") };
            text += &format!(" at {at} of {}", first.view.total_steps);
        }
        match self.members.len() {
            1 => {}
            all if n == all => text += &format!(" (mean of {all} seeds)"),
            all if finished => text += &format!(" ({n} finished of {all} seeds)"),
            all => text += &format!(" ({n} of {all} seeds)"),
        }
        Some(text)
    }

    /// Seconds until all its seeds are trained: those at work know their own, and of the others each step takes what it does there. As many
    /// as are at work now go on at a time.
    fn left_s(&self) -> Option<f64> {
        let at_work: Vec<&&Member> = self.members.iter().filter(|m| m.state == RunState::Running).collect();
        let known: Vec<f64> = at_work.iter().filter_map(|m| m.view.left_s()).collect();
        let longest = known.iter().copied().reduce(f64::max)?;
        let steps_take = |m: &&&Member| Some(m.view.whole_s()? / m.view.total_steps.max(1) as f64);
        let speeds: Vec<f64> = at_work.iter().filter_map(steps_take).collect();
        let of_step = speeds.iter().sum::<f64>() / speeds.len().max(1) as f64;
        let open = |m: &&&Member| match m.state {
            RunState::Running => m.view.left_s().is_none(),
            RunState::Pending | RunState::Waiting | RunState::Interrupted => true,
            RunState::Completed | RunState::Pruned | RunState::Failed => false,
        };
        let steps: u64 = self.members.iter().filter(open).map(|m| m.view.total_steps.saturating_sub(m.view.step)).sum();
        let all = known.iter().sum::<f64>() + steps as f64 * of_step;
        Some(longest.max(all / at_work.len() as f64))
    }

    /// Its row, with these values.
    pub fn row(&self, values: Vec<String>) -> Row {
        let at_work = || self.members.iter().filter(|m| m.state == RunState::Running);
        let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let loss =
            |members: &mut dyn Iterator<Item = &&Member>| mean(members.filter_map(|m| m.view.smoothed_loss).collect());
        let trained: f64 = self.members.iter().map(|m| m.trained_s).sum();
        let metric = self.metric();
        let evaluating = match &at_work().collect::<Vec<_>>()[..] {
            [one] => one.evaluating.map(|(split, share)| format!("{} {:.0}%", split_name(split), share * 100.0)),
            _ => None,
        };
        let state = self.state();
        Row {
            values,
            state,
            seeds: (self.count(RunState::Completed), self.members.len()),
            step: self.members.iter().map(|m| m.view.step).sum(),
            total: self.members.iter().map(|m| m.view.total_steps).sum(),
            // Of an evaluation of all its steps the state is told, unless others of its seeds are still to come.
            evaluating: evaluating.filter(|_| self.members.len() == 1),
            loss: loss(&mut at_work()).or_else(|| loss(&mut self.members.iter())),
            figure: self.judged().map(|(judged, _)| metric.text(metric.value(judged.score))),
            trained_s: Some(trained).filter(|s| *s > 0.0),
            left_s: self.left_s(),
            reason: match state {
                RunState::Failed => self.members.iter().find_map(|m| m.reason.clone()),
                _ => None,
            },
        }
    }
}
