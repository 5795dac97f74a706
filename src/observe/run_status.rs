//! The state of one run of a sweep, and of the runs of a trial together.

use super::{
    PlannedInfo, RunInfo,
    board::Row,
    forecast::{Part, Stage, aligned},
    lines::{Line, Tone, View, split_name},
};
use crate::{
    event::{Event, Outcome, Split, When},
    format::{decimals, names},
    metrics::{Metric, Metrics, RankKey, is_new_best},
    plan::{Claim, Keep, Rung},
    store::RunState,
};

/// One run.
#[derive(Debug)]
pub(super) struct RunStatus {
    pub name: String,
    pub trial: usize,
    pub view: View,
    pub state: RunState,
    /// Whether it is another command that trains it, while it is running.
    pub elsewhere: bool,
    /// The split and metric that it is compared by.
    split: Split,
    metric: Metric,
    keep: Keep,
    rungs: Vec<Rung>,
    pub step_cost: f64,
    /// Whether it was ever started.
    pub begun: bool,
    /// Seconds that it has trained.
    pub trained_s: f64,
    /// The score of the current kept weights, and their step.
    best: Option<(RankKey, u64)>,
    /// The step of its last evaluation.
    evaluated: u64,
    /// The step that it resumed from here.
    resumed: Option<u64>,
    /// What is shown of the kept weights, and the split that it is of.
    result: Option<(Split, String)>,
    /// The share done of the running evaluation.
    evaluating: Option<f64>,
    pub reason: Option<String>,
}

impl RunStatus {
    pub fn new(name: &str, trial: usize) -> Self {
        Self {
            name: name.into(),
            trial,
            view: View::default(),
            state: RunState::Pending,
            elsewhere: false,
            split: Split::Dev,
            metric: Metric::Accuracy,
            keep: Keep::Last,
            rungs: Vec::new(),
            step_cost: 1.0,
            begun: false,
            trained_s: 0.0,
            best: None,
            evaluated: 0,
            resumed: None,
            result: None,
            evaluating: None,
            reason: None,
        }
    }

    /// Applies earlier events without printing lines.
    pub fn recall(&mut self, key: &str, past: &[Event]) {
        let (key, name) = (key.into(), self.name.clone());
        let info = RunInfo { key, name, log_steps: 0, position: (1, 1), windows: None };
        past.iter().for_each(|event| drop(self.tell(&info, event)));
    }

    /// Applies the plan, but neither steps nor state if the run is training here. Runs are compared `by_dev`: by their checkpoint's
    /// metric on the dev split, otherwise by what is shown of results, on the test split.
    pub fn plan(&mut self, run: &PlannedInfo, by_dev: bool) {
        (self.name, self.trial) = (run.name.clone(), run.trial);
        (self.split, self.metric) = if by_dev { (Split::Dev, run.metric) } else { (Split::Test, run.shown) };
        self.keep = run.keep;
        let works_here = self.runs_here();
        if !works_here {
            self.recall(&run.key, &run.past);
        }
        self.view.selects = Some(run.metric);
        (self.rungs, self.step_cost) = (run.rungs.clone(), run.step_cost);
        self.begun |= run.state != RunState::Pending;
        if !works_here {
            self.trained_s = run.trained_s;
            self.view.total_steps = run.total_steps;
            self.view.step = run.step;
            (self.state, self.elsewhere) = (run.state, run.state == RunState::Running);
        }
    }

    /// Whether this command trains it now.
    pub fn runs_here(&self) -> bool {
        self.state == RunState::Running && !self.elsewhere
    }

    /// Whether another command trains it now.
    pub fn runs_elsewhere(&self) -> bool {
        self.state == RunState::Running && self.elsewhere
    }

    /// Applies the progress that another process has made.
    pub fn caught_up(&mut self, key: &str, (state, steps): (RunState, u64), past: &[Event]) {
        self.recall(key, past);
        self.begun = true;
        self.view.step = steps;
        (self.state, self.elsewhere) = (state, state == RunState::Running);
    }

    /// The run, for a budget.
    pub fn claim(&self) -> Claim {
        Claim {
            trial: self.trial,
            begun: self.begun,
            waiting: self.state == RunState::Waiting,
            over: matches!(self.state, RunState::Completed | RunState::Pruned | RunState::Failed),
        }
    }

    /// The run, for a forecast of a sweep that has rungs with these numbers.
    pub fn part(&self, numbers: &[usize]) -> Part {
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
            goes_on: self.state == RunState::Running && self.resumed == Some(self.view.step),
            rungs: aligned(&self.rungs, numbers),
            step_cost: self.step_cost,
        }
    }

    /// Handles an event and returns the lines to print if there are several runs.
    pub fn tell(&mut self, run: &RunInfo, event: &Event) -> Vec<Line> {
        let mut lines = self.view.tell(run, event);
        if let Event::StepCompleted(step) = event {
            self.trained_s = step.elapsed_s;
        }
        match event {
            Event::RunStarted { resumed_from, .. } => {
                (self.state, self.elsewhere, self.reason) = (RunState::Running, false, None);
                self.resumed = *resumed_from;
                self.begun = true;
                lines.truncate(1);
            }
            Event::StepCompleted(_) => self.evaluating = None,
            Event::EvalProgress { done, total, .. } => {
                self.evaluating = Some(*done as f64 / (*total).max(1) as f64);
            }
            Event::EvalCompleted { when, step, split, metrics, .. } => self.measured(*when, *step, *split, metrics),
            Event::RunFinished(outcome) => {
                self.evaluating = None;
                (self.state, self.reason) = match outcome {
                    Outcome::Completed => (RunState::Completed, None),
                    Outcome::Retried => (RunState::Pending, None),
                    Outcome::Interrupted => (RunState::Interrupted, None),
                    Outcome::Paused { .. } => (RunState::Waiting, None),
                    Outcome::Pruned { reason, .. } => (RunState::Pruned, Some(reason.clone())),
                    Outcome::Failed { message, .. } => {
                        (RunState::Failed, Some(message.lines().next().unwrap_or_default().to_string()))
                    }
                };
                if let (Outcome::Completed, Some((split, text)), Some(line)) =
                    (outcome, &self.result, lines.first_mut())
                {
                    line.text += &format!(", {} {text}", split_name(*split));
                }
                if let (Outcome::Interrupted, Some(line), false) = (outcome, lines.first_mut(), self.view.beyond_budget)
                {
                    // The end of the command says once where each of them resumes.
                    *line = Line { tone: Tone::Plain, text: self.view.interrupted(&self.name) };
                }
            }
            _ => {}
        }
        let worth_a_line = match event {
            // Evaluations of untrained weights are much the same for all runs.
            Event::EvalCompleted { when, .. } => *when != When::Before,
            Event::RunStarted { .. } | Event::Note { .. } | Event::Warned(_) | Event::RunFinished(_) => true,
            _ => false,
        };
        if worth_a_line { lines } else { Vec::new() }
    }

    fn measured(&mut self, when: When, step: u64, split: Split, metrics: &Metrics) {
        self.evaluating = None;
        if when == When::After && self.result.as_ref().is_none_or(|(on, _)| *on != Split::Test) {
            self.result = Some((split, result_text(metrics, self.view.selects)));
        }
        if when == When::Before || split != self.split {
            return;
        }
        self.evaluated = step;
        let key = RankKey::new(metrics, self.metric);
        // Unless the best weights are kept, the last ones are: earlier, better scores do not count.
        let kept = when == When::After
            || self.keep != Keep::Best
            || is_new_best(self.best.map(|(best, _)| best.score), key.score);
        if kept {
            self.best = Some((key, step));
        }
    }
}

/// `accuracy 91.3%`; where another metric selects `F1 of yes 41.0%, accuracy 91.3%`.
fn result_text(metrics: &Metrics, selects: Option<Metric>) -> String {
    let [first, _] = metrics.headline();
    let selects = selects.filter(|metric| ![first, Metric::Loss].contains(metric));
    let text = |metric: Metric| format!("{} {}", metric.name(), metric.text(metrics.get(metric)));
    selects.into_iter().chain([first]).map(text).collect::<Vec<_>>().join(", ")
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
    pub members: Vec<&'a RunStatus>,
}

impl TrialView<'_> {
    /// What the names of its runs have in common.
    pub fn name(&self, several: bool) -> String {
        names::common(&self.members.iter().map(|m| m.name.as_str()).collect::<Vec<_>>(), several).to_string()
    }

    /// What its runs are, as far as their names tell: `seeds`, `folds`, or `runs`.
    fn replicates(&self) -> String {
        format!("{}s", names::replicate(&self.members.iter().map(|m| m.name.as_str()).collect::<Vec<_>>()))
    }

    /// The state that is shown for it.
    pub fn state(&self) -> RunState {
        RunState::of_several(self.members.iter().map(|m| m.state))
    }

    /// Its class and its mean score, if it has one. Trials are ranked as on the leaderboard; of those without a completed run, the ones
    /// whose runs are at different steps come last.
    pub fn rank(&self) -> ((u8, bool), Option<RankKey>) {
        let (key, n) = self.mean_score().unzip();
        let (n, measured) = (n.unwrap_or(0), self.members.iter().filter(|m| m.best.is_some()).count());
        let completed = self.count(RunState::Completed);
        let class = self.state().class_of_trial(completed, n, self.members.len());
        ((class, completed == 0 && n < measured), key)
    }

    fn count(&self, state: RunState) -> usize {
        self.members.iter().filter(|m| m.state == state).count()
    }

    /// The runs that count for its score: the completed ones. Without any, those whose last evaluation is of the same step, as most of its
    /// runs have it, and the later one of two such steps: the mean over seeds of different steps says nothing.
    fn counted(&self) -> impl Iterator<Item = &RunStatus> {
        let finished = |m: &RunStatus| m.state == RunState::Completed && m.best.is_some();
        let has_finished = self.members.iter().any(|m| finished(m));
        let measured = || self.members.iter().filter(|m| m.best.is_some()).map(|m| m.evaluated);
        let common = measured().max_by_key(|step| (measured().filter(|other| other == step).count(), *step));
        let counts = move |m: &&RunStatus| match has_finished {
            true => finished(m),
            false => m.best.is_some() && Some(m.evaluated) == common,
        };
        self.members.iter().copied().filter(counts)
    }

    /// The mean score of the runs that count, and the number of those that have one. The score of a completed run can be undefined, and the
    /// mean is then, too.
    pub fn mean_score(&self) -> Option<(RankKey, usize)> {
        let counts = |m: &&RunStatus, key: &RankKey| key.score.is_finite() || m.state == RunState::Completed;
        let known = self.counted().filter_map(|m| Some((m, m.best?.0)));
        let known: Vec<RankKey> = known.filter(|(m, key)| counts(m, key)).map(|(_, key)| key).collect();
        Some((RankKey::mean(&known)?, known.len()))
    }

    /// The metric that its runs are compared by.
    fn metric(&self) -> Metric {
        self.members.first().map_or(Metric::Accuracy, |m| m.metric)
    }

    /// The heading of its values.
    pub fn heading(&self) -> Option<String> {
        self.members.iter().find(|m| m.best.is_some()).map(|m| heading(m.split, m.metric, m.keep))
    }

    /// `dev accuracy 90.0% at step 24 of 108 (mean of 3 seeds)`; `at steps 12–24 of 108` if seeds are at different steps;
    /// `dev accuracy 91.0% (2 of 3 seeds finished)` if some are finished.
    pub fn result(&self) -> Option<String> {
        let (key, n) = self.mean_score()?;
        let first = self.members.iter().find(|m| m.best.is_some())?;
        let metric = first.metric;
        let value = metric.text(metric.value(key.score));
        let mut text = format!("{} {} {value}", split_name(first.split), metric.name());
        let finished = self.counted().all(|m| m.state == RunState::Completed);
        if !finished {
            let steps = || self.counted().filter_map(|m| m.best).map(|(_, step)| step);
            let (low, high) = (steps().min()?, steps().max()?);
            let at = if low == high { format!("step {low}") } else { format!("steps {low}–{high}") };
            text += &format!(" at {at} of {}", first.view.total_steps);
        }
        match self.members.len() {
            1 => {}
            all if n == all => text += &format!(" (mean of {all} {})", self.replicates()),
            all if finished => text += &format!(" ({n} of {all} {} finished)", self.replicates()),
            all => text += &format!(" ({n} of {all} {} so far)", self.replicates()),
        }
        Some(text)
    }

    /// Seconds until all its seeds are trained: running seeds know their own time, and the steps of others are expected to take the same,
    /// after a start that takes `start_s`. As many as are running now continue to run in parallel.
    fn left_s(&self, start_s: f64) -> Option<f64> {
        let at_work: Vec<&&RunStatus> = self.members.iter().filter(|m| m.state == RunState::Running).collect();
        let known: Vec<f64> = at_work.iter().filter_map(|m| m.view.left_s()).collect();
        let longest = known.iter().copied().reduce(f64::max)?;
        let steps_take = |m: &&&RunStatus| Some(m.view.whole_s()? / m.view.total_steps.max(1) as f64);
        let speeds: Vec<f64> = at_work.iter().filter_map(steps_take).collect();
        let of_step = speeds.iter().sum::<f64>() / speeds.len().max(1) as f64;
        let open = |m: &&&RunStatus| match m.state {
            RunState::Running => m.view.left_s().is_none(),
            RunState::Pending | RunState::Waiting | RunState::Interrupted => true,
            RunState::Completed | RunState::Pruned | RunState::Failed => false,
        };
        let steps: u64 = self.members.iter().filter(open).map(|m| m.view.total_steps.saturating_sub(m.view.step)).sum();
        let starts = self.members.iter().filter(open).filter(|m| m.state != RunState::Running).count();
        let all = known.iter().sum::<f64>() + steps as f64 * of_step + starts as f64 * start_s;
        Some(longest.max(all / at_work.len() as f64))
    }

    /// Its row, with the given values of the swept keys, where the start of a run takes `start_s`.
    pub fn row(&self, values: Vec<String>, start_s: f64) -> Row {
        let at_work = || self.members.iter().filter(|m| m.state == RunState::Running);
        let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
        let loss = |members: &mut dyn Iterator<Item = &&RunStatus>| {
            mean(members.filter_map(|m| m.view.smoothed_loss).collect())
        };
        let trained: f64 = self.members.iter().map(|m| m.trained_s).sum();
        let metric = self.metric();
        let evaluating = match &at_work().collect::<Vec<_>>()[..] {
            [one] => one.evaluating.map(|share| format!("eval {}%", decimals(share * 100.0, 0))),
            _ => None,
        };
        let state = self.state();
        Row {
            values,
            state,
            seeds: (self.count(RunState::Completed), self.members.len()),
            step: self.members.iter().map(|m| m.view.step).sum(),
            total: self.members.iter().map(|m| m.view.total_steps).sum(),
            // An evaluation after the last step is shown as a state, unless other seeds are still pending.
            evaluating: evaluating.filter(|_| self.members.len() == 1),
            loss: loss(&mut at_work()).or_else(|| loss(&mut self.members.iter())),
            value: self.mean_score().map(|(key, _)| metric.text(metric.value(key.score))),
            is_final: self.counted().all(|m| m.state == RunState::Completed),
            trained_s: Some(trained).filter(|s| *s > 0.0),
            left_s: self.left_s(start_s),
            reason: match state {
                RunState::Failed => self.members.iter().find_map(|m| m.reason.clone()),
                _ => None,
            },
        }
    }
}
