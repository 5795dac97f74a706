//! What a person is told of a run, line by line. Pure: events in, text out, times taken from the events.

use std::collections::VecDeque;

use super::{
    RunInfo,
    format::{count, duration, one_line, percent},
};
use crate::event::{Event, FailureKind, Outcome, ProbeScore, Split, StepCompleted, When};

/// Steps over which speed is measured: long enough to even out batches of different lengths, short enough to follow a
/// machine that slows down.
const WINDOW: usize = 50;
/// Weight of the past in the smoothed loss.
const SMOOTHING: f64 = 0.95;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    /// As any other.
    Plain,
    /// Seldom of interest: not shown where there are bars.
    Aside,
    /// To be seen also by who wants quiet.
    Warning,
    /// A good end.
    Success,
    /// A bad end; to be seen also by who wants quiet.
    Failure,
}

/// One line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub tone: Tone,
    pub text: String,
}

/// What is known of a run by now.
#[derive(Debug, Default)]
pub(super) struct View {
    pub total_steps: u64,
    pub step: u64,
    smoothed_loss: Option<f64>,
    /// Of the last evaluation.
    accuracy: Option<f64>,
    checkpoint: Option<u64>,
    elapsed_s: f64,
    /// The last steps: (elapsed seconds at its end, tokens).
    window: VecDeque<(f64, u64)>,
}

impl View {
    /// Takes an event and gives back what to say of it.
    pub fn tell(&mut self, run: &RunInfo, event: &Event) -> Vec<Line> {
        let mut lines = self.lines(run, event);
        if run.position.1 > 1 {
            let place = format!("[{}/{}] ", run.position.0, run.position.1);
            lines.iter_mut().for_each(|line| line.text.insert_str(0, &place));
        }
        lines
    }

    fn lines(&mut self, run: &RunInfo, event: &Event) -> Vec<Line> {
        let line = |tone, text| vec![Line { tone, text }];
        match event {
            Event::RunStarted { total_steps, resumed_from, rows, parameters, .. } => {
                let step = resumed_from.unwrap_or(0);
                *self = Self { total_steps: *total_steps, step, checkpoint: *resumed_from, ..Self::default() };
                if resumed_from.is_none() {
                    self.window.push_back((0.0, 0));
                }
                let begin = match resumed_from {
                    Some(step) => format!("goes on from step {step} of {total_steps}"),
                    None => format!("{total_steps} steps"),
                };
                let key = run.key.get(..8).unwrap_or(&run.key);
                let (train, dev, test) = rows;
                let parameters = count(*parameters as f64);
                let text = format!(
                    "{} ({key}): {begin}, {train} train + {dev} dev + {test} test rows, {parameters} parameters",
                    run.name
                );
                line(Tone::Plain, text)
            }
            Event::Note { message } => line(Tone::Warning, format!("note: {}", one_line(message))),
            Event::StepCompleted(step) => {
                self.add(step);
                let due = run.log_steps > 0 && step.step.is_multiple_of(run.log_steps) || step.step == self.total_steps;
                if due { line(Tone::Plain, self.step_line(step)) } else { Vec::new() }
            }
            Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s } => {
                self.accuracy = Some(metrics.accuracy);
                let moment = match when {
                    When::During => format!("step {step}  epoch {epoch}"),
                    other => moment(*other).to_string(),
                };
                let text = format!(
                    "{moment}  {}: loss {:.4}  accuracy {}  macro-F1 {}  ({} rows in {})",
                    split_name(*split),
                    metrics.loss,
                    percent(metrics.accuracy),
                    percent(metrics.macro_f1),
                    metrics.rows,
                    duration(*elapsed_s)
                );
                line(Tone::Plain, text)
            }
            Event::ProbesScored { when, scores, .. } => scores
                .iter()
                .map(|score| Line { tone: Tone::Plain, text: format!("{}  {}", moment(*when), probe(score)) })
                .collect(),
            Event::CheckpointSaved { step } => {
                self.checkpoint = Some(*step);
                line(Tone::Aside, format!("checkpoint at step {step}"))
            }
            Event::RunFinished(outcome) => self.end(run, outcome),
            Event::EvalProgress { .. } | Event::Predicted { .. } | Event::CheckpointStarted { .. } => Vec::new(),
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

    /// (Steps, tokens) per second over the window; none before there is a second point in time.
    fn speed(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.window.front()?, self.window.back()?);
        let seconds = last.0 - first.0;
        let tokens: u64 = self.window.iter().skip(1).map(|(_, tokens)| tokens).sum();
        (seconds > 0.0).then(|| ((self.window.len() - 1) as f64 / seconds, tokens as f64 / seconds))
    }

    /// `  412 tok/s  eta 3m12s`, or nothing where the speed is not known yet.
    fn pace(&self) -> String {
        self.speed().map_or_else(String::new, |(steps, tokens)| {
            let left = self.total_steps.saturating_sub(self.step) as f64 / steps;
            format!("  {} tok/s  eta {}", count(tokens), duration(left))
        })
    }

    fn step_line(&self, s: &StepCompleted) -> String {
        let Self { total_steps, .. } = self;
        format!("step {}/{total_steps}  epoch {}  loss {:.4}  lr {:.2e}{}", s.step, s.epoch, s.loss, s.lr, self.pace())
    }

    /// What stands beside a bar: smoothed loss, accuracy of the last evaluation, speed, time left.
    pub fn status(&self) -> String {
        let loss = self.smoothed_loss.map_or_else(String::new, |loss| format!("loss {loss:.4}"));
        let accuracy = self.accuracy.map_or_else(String::new, |share| format!("  accuracy {}", percent(share)));
        format!("{loss}{accuracy}{}", self.pace()).trim_start().to_string()
    }

    fn end(&self, run: &RunInfo, outcome: &Outcome) -> Vec<Line> {
        let (name, step, took) = (&run.name, self.step, duration(self.elapsed_s));
        let (tone, text) = match outcome {
            Outcome::Completed => (Tone::Success, format!("{name}: completed, {step} steps in {took}")),
            Outcome::Interrupted => {
                let from = self.checkpoint.map_or_else(|| "the beginning".into(), |step| format!("step {step}"));
                let text = format!("{name}: interrupted after step {step}; the same command goes on from {from}");
                (Tone::Warning, text)
            }
            Outcome::Failed { kind, message } => {
                let kind = match kind {
                    FailureKind::Error => "",
                    FailureKind::Oom => " (out of memory)",
                    FailureKind::Diverged => " (diverged)",
                    FailureKind::Crashed => " (crashed)",
                };
                (Tone::Failure, format!("{name}: failed{kind} after step {step}: {message}"))
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

/// `negative 98.12 %, as expected: 送餐很慢`.
fn probe(score: &ProbeScore) -> String {
    let confidence = score.probabilities.iter().copied().fold(0.0, f32::max);
    let verdict = match &score.expect {
        None => String::new(),
        Some(expected) if *expected == score.predicted => ", as expected".into(),
        Some(expected) => format!(", expected {expected}"),
    };
    format!("{} {}{verdict}: {}", score.predicted, percent(f64::from(confidence)), one_line(&score.text))
}
