//! The lines printed about a run. Pure: events in, text out, times taken from the events.

use std::collections::VecDeque;

use super::RunInfo;
use crate::{
    event::{Event, FailureKind, Outcome, ProbeScore, Split, StepCompleted, When},
    format::{brief, count, counted, duration, loss, minus, one_line, percent, rate, short, texts},
    metrics::{Metric, Metrics, Score, is_new_best},
    plan::Keep,
};

/// Steps over which speed is measured: long enough to even out batches of different lengths, short enough to follow a
/// machine that slows down.
const WINDOW: usize = 50;
/// Weight of the past in the smoothed loss.
const SMOOTHING: f64 = 0.95;

/// The kind of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// An ordinary line.
    Plain,
    /// Rarely of interest: not shown if there are bars.
    Aside,
    /// Also shown in quiet mode.
    Warning,
    /// A successful end.
    Success,
    /// A failure; also shown in quiet mode.
    Failure,
}

/// One line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub tone: Tone,
    pub text: String,
}

/// The current state of a run.
#[derive(Debug, Default)]
pub(super) struct View {
    pub total_steps: u64,
    pub step: u64,
    pub smoothed_loss: Option<f64>,
    /// Whether there is a dev split: then the test split is not mentioned before the end.
    has_dev: bool,
    /// The metric that chooses among weights and trials.
    pub selects: Option<Metric>,
    /// The metric that chooses the kept weights; `None` if those of the last evaluation are kept.
    best_by: Option<Metric>,
    /// The evaluation of the weights that would be kept now, on the selecting split: the split, the accuracy, the score.
    kept: Option<Shown>,
    /// How its kept model answers: with a temperature, with thresholds.
    decided: Option<(bool, bool)>,
    /// Evaluations that had a line: split and step.
    told: Vec<(Split, u64)>,
    evaluations: Evaluations,
    checkpoint: Option<u64>,
    /// Whether the budget of its sweep is spent, so that the next command does not continue it.
    pub beyond_budget: bool,
    /// Seconds of training so far.
    pub elapsed_s: f64,
    /// The last steps: (elapsed seconds at its end, tokens).
    window: VecDeque<(f64, u64)>,
}

/// The evaluation of the weights that would be kept now.
#[derive(Debug, Clone, Copy)]
struct Shown {
    split: Split,
    /// What is shown of it.
    metric: Metric,
    value: f64,
    /// What it is compared by.
    score: Score,
}

impl Shown {
    /// `acc 91.3%`, by the name that the table of a sweep has.
    fn text(&self) -> String {
        format!("{} {}", self.metric.info().short, self.metric.text(self.value))
    }
}

/// The time that evaluations take in addition to steps.
#[derive(Debug, Default)]
struct Evaluations {
    /// Steps between two evaluations: those of an epoch until two evaluations are known to be closer.
    every: u64,
    /// The last evaluation: its moment, and the seconds of all its splits.
    last: Option<(When, u64)>,
    seconds: f64,
    /// Seconds of all evaluations.
    spent: f64,
    /// Seconds of the evaluations before training, which are on all splits, as those after it are.
    before: f64,
    /// Whether those after training have begun.
    after: bool,
}

impl Evaluations {
    fn add(&mut self, when: When, step: u64, seconds: f64) {
        if self.last != Some((when, step)) {
            if when == When::During && step > 0 && (self.every == 0 || step < self.every) {
                self.every = step;
            }
            (self.last, self.seconds) = (Some((when, step)), 0.0);
        }
        self.seconds += seconds;
        self.spent += seconds;
        self.before += if when == When::Before { seconds } else { 0.0 };
        self.after |= when == When::After;
    }

    /// Seconds of the evaluations after `step`, of `total` steps.
    fn left_s(&self, step: u64, total: u64) -> f64 {
        let every = if self.every == 0 { total.max(1) } else { self.every };
        let after = if self.after { 0.0 } else { self.before };
        (total.div_ceil(every).saturating_sub(step / every)) as f64 * self.seconds + after
    }
}

impl View {
    /// Handles an event and returns the lines to print.
    pub fn tell(&mut self, run: &RunInfo, event: &Event) -> Vec<Line> {
        let line = |tone, text| vec![Line { tone, text }];
        match event {
            Event::RunStarted { total_steps, steps_per_epoch, resumed_from, rows, parameters, .. } => {
                let step = resumed_from.unwrap_or(0);
                let kept = self.kept.filter(|_| resumed_from.is_some());
                // It continues as if the run had never waited, unless steps are trained again: those are in it already.
                let smoothed_loss = self.smoothed_loss.filter(|_| *resumed_from == Some(self.step));
                let (selects, best_by) = (self.selects, self.best_by);
                *self = Self {
                    total_steps: *total_steps,
                    step,
                    checkpoint: *resumed_from,
                    selects,
                    best_by,
                    smoothed_loss,
                    kept,
                    ..Self::default()
                };
                self.evaluations.every = *steps_per_epoch;
                self.has_dev = rows.1 > 0;
                if resumed_from.is_none() {
                    self.window.push_back((0.0, 0));
                }
                let begin = match resumed_from {
                    Some(step) => format!("resumes from step {} of {}", count(*step), count(*total_steps)),
                    None => counted(*total_steps, "step"),
                };
                let parameters = brief(*parameters as f64);
                let first = format!("{} ({}): {begin}, {parameters} parameters to train", run.name, short(&run.key));
                let splits = [("train", rows.0, run.windows), ("dev", rows.1, None), ("test", rows.2, None)];
                let of_split = |(name, n, windows): &(&str, u64, Option<u64>)| match windows {
                    Some(windows) => format!("{name} {} in {}", count(*n), counted(*windows, "window")),
                    None => format!("{name} {}", count(*n)),
                };
                let rows: Vec<String> = splits.iter().filter(|(_, n, _)| *n > 0).map(of_split).collect();
                let rows = format!("rows: {}", rows.join(", "));
                [first, rows].map(|text| Line { tone: Tone::Plain, text }).into()
            }
            Event::Note { message } => line(Tone::Warning, format!("note: {}", one_line(message))),
            Event::StepCompleted(step) => {
                self.add(step);
                let due = run.log_steps > 0 && step.step.is_multiple_of(run.log_steps) || step.step == self.total_steps;
                if due { line(Tone::Plain, self.step_line(step)) } else { Vec::new() }
            }
            Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s } => {
                self.evaluations.add(*when, *step, *elapsed_s);
                // With a dev split the test split is for the final evaluation only: showing it earlier misleads.
                if self.has_dev && *split == Split::Test && *when != When::After {
                    return Vec::new();
                }
                if *when != When::Before && (*split != Split::Test || !self.has_dev) {
                    self.keep(*when, *split, metrics);
                }
                // The kept weights are often those of an evaluation that already had a line.
                if *when == When::After && self.told.contains(&(*split, *step)) {
                    return Vec::new();
                }
                let moment = match when {
                    When::During => {
                        self.told.push((*split, *step));
                        format!("step {}  epoch {epoch}", count(*step))
                    }
                    other => moment(*other).to_string(),
                };
                line(Tone::Plain, format!("{moment}  {} {}", split_name(*split), metrics.shown(self.selects)))
            }
            Event::ProbesScored { when, scores, .. } => {
                let with = self.decided.filter(|_| *when == When::After).map_or("", |decided| match decided {
                    (true, true) => " with temperature and thresholds",
                    (true, false) => " with temperature",
                    (false, _) => " with thresholds",
                });
                let line = |score| format!("{}{with}  {}", moment(*when), probe(score));
                scores.iter().map(|score| Line { tone: Tone::Plain, text: line(score) }).collect()
            }
            Event::Decided(decided) => {
                self.decided = Some((decided.decision.temperature != 1.0, decided.metric.is_some()));
                Vec::new()
            }
            Event::CheckpointSaved { step } => {
                self.checkpoint = Some(*step);
                line(Tone::Aside, format!("checkpoint at step {}", count(*step)))
            }
            Event::RunFinished(outcome) => self.end(run, outcome),
            // Warnings from before training were printed by the command, once for all runs. It prints the others with the result.
            Event::EvalProgress { .. }
            | Event::Predicted { .. }
            | Event::PredictedBefore { .. }
            | Event::WeightsKept { .. }
            | Event::TextsRead { .. }
            | Event::ModelKept { .. }
            | Event::CheckpointStarted { .. }
            | Event::Warned(_) => Vec::new(),
        }
    }

    /// The state of a run that keeps the weights of its best evaluation, or of the last one.
    pub fn keeping(keep: Keep, metric: Metric) -> Self {
        Self { selects: Some(metric), best_by: (keep == Keep::Best).then_some(metric), ..Self::default() }
    }

    fn keep(&mut self, when: When, split: Split, metrics: &Metrics) {
        let [first, _] = metrics.headline();
        // What chooses among weights is what the best ones are shown by.
        let shown = self.selects.unwrap_or(first);
        let score = metrics.score(self.best_by.unwrap_or(shown));
        let best = self.kept.filter(|kept| kept.split == split).map(|kept| kept.score);
        if when == When::After || self.best_by.is_none() || is_new_best(best, score) {
            self.kept = Some(Shown { split, metric: shown, value: metrics.get(shown), score });
        }
    }

    fn add(&mut self, step: &StepCompleted) {
        self.step = step.step;
        self.elapsed_s = step.elapsed_s;
        self.smoothed_loss =
            Some(self.smoothed_loss.map_or(step.loss, |s| SMOOTHING * s + (1.0 - SMOOTHING) * step.loss));
        self.window.push_back((step.elapsed_s, step.tokens));
        if self.window.len() > WINDOW + 1 {
            self.window.pop_front();
        }
    }

    /// (Steps, tokens) per second over the window; `None` before there are two points in time.
    fn speed(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.window.front()?, self.window.back()?);
        let seconds = last.0 - first.0;
        let tokens: u64 = self.window.iter().skip(1).map(|(_, tokens)| tokens).sum();
        (seconds > 0.0).then(|| ((self.window.len() - 1) as f64 / seconds, tokens as f64 / seconds))
    }

    /// Seconds that the remaining steps will take at this speed, with their evaluations.
    pub fn left_s(&self) -> Option<f64> {
        let (steps, _) = self.speed()?;
        let training = self.total_steps.saturating_sub(self.step) as f64 / steps;
        Some(training + self.evaluations.left_s(self.step, self.total_steps))
    }

    /// Seconds that the whole run takes at this speed, including the part already done.
    pub fn whole_s(&self) -> Option<f64> {
        Some(self.elapsed_s + self.evaluations.spent + self.left_s()?)
    }

    fn step_line(&self, s: &StepCompleted) -> String {
        let Self { total_steps, .. } = self;
        let [_, _, speed, left] = self.parts();
        let at = format!("step {}/{}", count(s.step), count(*total_steps));
        let text = format!("{at}  epoch {}  loss {}  lr {}", s.epoch, loss(s.loss), rate(s.lr));
        [text, speed, left].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }

    /// The text beside a bar: average loss of the last steps (exponentially weighted), the selecting metric of the weights that would be kept
    /// now on the selecting split, speed, time left. Each is empty until it is known.
    pub fn parts(&self) -> [String; 4] {
        let speed = self.speed().map(|(_, tokens)| format!("{} tok/s", brief(tokens)));
        let best = if self.best_by.is_some() { "best " } else { "" };
        [
            self.smoothed_loss.map(|value| format!("avg loss {}", loss(value))),
            self.kept.map(|kept| format!("{best}{} {}", split_name(kept.split), kept.text())),
            speed,
            self.left_s().filter(|_| self.step < self.total_steps).map(|left| format!("eta {}", duration(left))),
        ]
        .map(Option::unwrap_or_default)
    }

    /// Where the run would resume.
    fn from(&self) -> String {
        self.checkpoint.map_or_else(|| "the beginning".into(), |step| format!("step {}", count(step)))
    }

    /// That it was interrupted, where another line says what the next command does with it.
    pub fn interrupted(&self, name: &str) -> String {
        match self.step {
            0 => format!("{name}: interrupted before the first step"),
            step => format!("{name}: interrupted after step {}", count(step)),
        }
    }

    fn end(&self, run: &RunInfo, outcome: &Outcome) -> Vec<Line> {
        let (name, took) = (&run.name, duration(self.elapsed_s));
        let step = count(self.step);
        let (tone, text) = match outcome {
            // Only early stopping completes a run before its last step.
            Outcome::Completed if self.step < self.total_steps => {
                let of = count(self.total_steps);
                let text = format!("{name}: completed, stopped early at step {step} of {of} in {took}");
                (Tone::Success, text)
            }
            Outcome::Completed => {
                (Tone::Success, format!("{name}: completed, {} in {took}", counted(self.step, "step")))
            }
            Outcome::Interrupted if self.step == 0 => {
                (Tone::Warning, format!("{name}: interrupted before the first step; the same command starts it again"))
            }
            Outcome::Interrupted if self.beyond_budget => {
                (Tone::Warning, format!("{name}: interrupted after step {step}: the sweep's budget is spent"))
            }
            Outcome::Interrupted if self.step == self.total_steps && self.checkpoint == Some(self.step) => {
                let text = format!("{name}: interrupted after its last step, {step}; the same command evaluates it");
                (Tone::Warning, text)
            }
            Outcome::Interrupted => {
                let next = match self.checkpoint {
                    Some(step) => format!("resumes it from step {}", count(step)),
                    None => "starts it again: it has no checkpoint".into(),
                };
                (Tone::Warning, format!("{name}: interrupted after step {step}; the same command {next}"))
            }
            Outcome::Retried => {
                (Tone::Plain, format!("{name}: failed after step {step}; retrying now from {}", self.from()))
            }
            Outcome::Paused { step } => {
                (Tone::Aside, format!("{name}: waiting at step {} for the runs it is compared with", count(*step)))
            }
            Outcome::Pruned { reason, .. } => (Tone::Plain, format!("{name}: pruned ({reason})")),
            Outcome::Failed { kind, message } => {
                // The message of a run that diverged says at which step.
                let says_step = *kind == FailureKind::Diverged;
                let after = if says_step { String::new() } else { format!(" after step {step}") };
                (Tone::Failure, format!("{name}: failed ({}){after}: {message}", kind.word()))
            }
        };
        vec![Line { tone, text }]
    }
}

fn moment(when: When) -> &'static str {
    match when {
        When::Before => "before training",
        When::During => "while training",
        When::After => "after training",
    }
}

pub(super) fn split_name(split: Split) -> &'static str {
    match split {
        Split::Train => "train",
        Split::Dev => "dev",
        Split::Test => "test",
    }
}

/// `negative 98.12%, as expected: 送餐很慢`.
fn probe(score: &ProbeScore) -> String {
    let shown = |answer: &str| match score.probabilities.is_empty() {
        // Numbers.
        true => minus(&one_line(answer)),
        false => one_line(answer),
    };
    let predicted = shown(&score.predicted);
    let verdict = match (&score.expect, score.is_right()) {
        (None, _) => String::new(),
        (Some(_), Some(true)) => ", as expected".into(),
        (Some(expected), _) => format!(", expected {}", shown(expected)),
    };
    let text = texts(&score.text, score.text_pair.as_deref());
    let confidence = score.confidence().map_or(String::new(), |p| format!(" {}", percent(f64::from(p))));
    format!("{predicted}{confidence}{verdict}: {}", one_line(&text))
}

#[cfg(test)]
mod tests;
