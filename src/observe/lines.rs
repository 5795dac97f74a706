//! What a person is told of a run, line by line. Pure: events in, text out, times taken from the events.

use std::collections::VecDeque;

use super::RunInfo;
use crate::{
    event::{Event, FailureKind, Outcome, ProbeScore, Split, StepCompleted, When},
    format::{brief, duration, one_line, percent, short},
};

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
    pub smoothed_loss: Option<f64>,
    /// Of the last evaluation.
    accuracy: Option<f64>,
    checkpoint: Option<u64>,
    /// Training seconds by now.
    pub elapsed_s: f64,
    /// The last steps: (elapsed seconds at its end, tokens).
    window: VecDeque<(f64, u64)>,
}

impl View {
    /// Takes an event and gives back what to say of it.
    pub fn tell(&mut self, run: &RunInfo, event: &Event) -> Vec<Line> {
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
                let key = short(&run.key);
                let (train, dev, test) = rows;
                let parameters = brief(*parameters as f64);
                let text = format!(
                    "{} ({key}): {begin}, {train} train + {dev} dev + {test} test rows, {parameters} parameters",
                    run.name
                );
                line(Tone::Plain, text)
            }
            Event::Note { message } => line(Tone::Warning, format!("note: {}", one_line(message))),
            // What was known before training was printed by the command, once for all runs.
            Event::Warned(warning) if !warning.kind.is_known_before() => {
                line(Tone::Warning, format!("warning: {}", one_line(&warning.message)))
            }
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
            Event::EvalProgress { .. }
            | Event::Predicted { .. }
            | Event::WeightsKept { .. }
            | Event::ModelKept { .. }
            | Event::CheckpointStarted { .. }
            | Event::Warned(_) => Vec::new(),
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

    /// Seconds that the steps left will take at this speed.
    pub fn left_s(&self) -> Option<f64> {
        self.speed().map(|(steps, _)| self.total_steps.saturating_sub(self.step) as f64 / steps)
    }

    /// `  412 tok/s  eta 3m12s`, or nothing where the speed is not known yet.
    fn pace(&self) -> String {
        self.speed().zip(self.left_s()).map_or_else(String::new, |((_, tokens), left)| {
            format!("  {} tok/s  eta {}", brief(tokens), duration(left))
        })
    }

    fn step_line(&self, s: &StepCompleted) -> String {
        let Self { total_steps, .. } = self;
        format!("step {}/{total_steps}  epoch {}  loss {:.4}  lr {:.2e}{}", s.step, s.epoch, s.loss, s.lr, self.pace())
    }

    /// What stands beside a bar: smoothed loss, accuracy of the last evaluation, speed, time left.
    pub fn status(&self) -> String {
        let loss = self.smoothed_loss.map_or_else(String::new, |loss| format!("loss {loss:.4}"));
        let accuracy = self.accuracy.map_or_else(String::new, |share| format!("  acc {}", percent(share)));
        format!("{loss}{accuracy}{}", self.pace()).trim_start().to_string()
    }

    /// Where the run would resume.
    fn from(&self) -> String {
        self.checkpoint.map_or_else(|| "the beginning".into(), |step| format!("step {step}"))
    }

    fn end(&self, run: &RunInfo, outcome: &Outcome) -> Vec<Line> {
        let (name, step, took) = (&run.name, self.step, duration(self.elapsed_s));
        let (tone, text) = match outcome {
            Outcome::Completed => (Tone::Success, format!("{name}: completed, {step} steps in {took}")),
            Outcome::Interrupted => {
                let text =
                    format!("{name}: interrupted after step {step}; the same command goes on from {}", self.from());
                (Tone::Warning, text)
            }
            Outcome::Retried => {
                (Tone::Warning, format!("{name}: broken off after step {step}; retrying now from {}", self.from()))
            }
            Outcome::Paused { step } => {
                (Tone::Aside, format!("{name}: waits at step {step} for the runs it is compared with"))
            }
            Outcome::Pruned { reason } => (Tone::Plain, format!("{name}: pruned after step {step}: {reason}")),
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
    let confidence = score.probabilities.highest();
    let predicted = one_line(&score.predicted);
    let verdict = match &score.expect {
        None => String::new(),
        Some(expected) if *expected == score.predicted => ", as expected".into(),
        Some(expected) => format!(", expected {}", one_line(expected)),
    };
    format!("{predicted} {}{verdict}: {}", percent(f64::from(confidence)), one_line(&score.text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{eval, probe, step};

    fn run() -> RunInfo {
        RunInfo { key: "0123456789abcdef".into(), name: "lr=1e-5".into(), log_steps: 2, position: (1, 1) }
    }

    fn started(resumed_from: Option<u64>) -> Event {
        let rows = (9590, 0, 2397);
        Event::RunStarted {
            total_steps: 900,
            steps_per_epoch: 300,
            resumed_from,
            rows,
            parameters: 38_477_058,
            train_labels: Vec::new(),
        }
    }

    fn tell(view: &mut View, events: &[Event]) -> Vec<String> {
        let run = run();
        events.iter().flat_map(|event| view.tell(&run, event)).map(|line| line.text).collect()
    }

    #[test]
    fn a_run_line_by_line() {
        let failed = Outcome::Failed { kind: FailureKind::Diverged, message: "the loss is NaN".into() };
        let events = [
            Event::Note { message: "the head\nis new".into() },
            started(None),
            eval(When::Before, 0, Split::Test, 1),
            Event::ProbesScored { when: When::Before, step: 0, scores: vec![probe(0, 0.75)] },
            step(1, 0.75),
            step(2, 0.43124),
            Event::EvalProgress { split: Split::Dev, done: 1, total: 4 },
            eval(When::During, 2, Split::Dev, 3),
            Event::CheckpointStarted { step: 2 },
            Event::CheckpointSaved { step: 2 },
            step(3, 0.25),
            Event::RunFinished(Outcome::Interrupted),
            Event::RunFinished(failed),
        ];
        let want = [
            "note: the head is new",
            "lr=1e-5 (0123456789ab): 900 steps, 9590 train + 0 dev + 2397 test rows, 38.5M parameters",
            "before training  test: loss 0.6250  accuracy 25.0%  macro-F1 20.0%  (4 rows in 0.5s)",
            "before training  negative 75.0%, as expected: 这家饭店真贴心",
            // Two steps and 200 tokens in one second; 898 steps to go.
            "step 2/900  epoch 1  loss 0.4312  lr 1.00e-5  200 tok/s  eta 7m29s",
            "step 2  epoch 1  dev: loss 0.6250  accuracy 75.0%  macro-F1 42.9%  (4 rows in 0.5s)",
            "checkpoint at step 2",
            "lr=1e-5: interrupted after step 3; the same command goes on from step 2",
            "lr=1e-5: failed (diverged) after step 3: the loss is NaN",
        ];
        assert_eq!(tell(&mut View::default(), &events), want);
    }

    #[test]
    fn a_resumed_run_knows_no_speed_before_its_second_step() {
        let mut view = View::default();
        let lines = tell(&mut view, &[started(Some(3)), step(4, 0.5), step(5, 0.5), step(6, 0.5)]);
        assert!(lines[0].contains("goes on from step 3 of 900"), "{}", lines[0]);
        assert_eq!(lines[1], "step 4/900  epoch 1  loss 0.5000  lr 1.00e-5");
        assert_eq!(lines[2], "step 6/900  epoch 1  loss 0.5000  lr 1.00e-5  200 tok/s  eta 7m27s");
    }

    #[test]
    fn the_last_step_is_always_told() {
        let mut view = View { total_steps: 3, ..View::default() };
        let quiet = RunInfo { log_steps: 0, ..run() };
        assert_eq!(view.tell(&quiet, &step(2, 0.5)), []);
        let line = &view.tell(&quiet, &step(3, 0.5))[0].text;
        assert!(line.starts_with("step 3/3 ") && line.ends_with("eta 0.0s"), "{line}");
    }

    #[test]
    fn speed_is_that_of_the_last_steps() {
        let mut view = View::default();
        tell(&mut view, &[started(None)]);
        for i in 1..=200u64 {
            // The first hundred take a second each, the others a tenth.
            let elapsed_s = i.min(100) as f64 + i.saturating_sub(100) as f64 / 10.0;
            view.add(&StepCompleted { step: i, epoch: 1, loss: 1.0, lr: 1e-5, grad_norm: 1.0, tokens: 50, elapsed_s });
        }
        let (steps, tokens) = view.speed().unwrap();
        assert!((steps - 10.0).abs() < 1e-9 && (tokens - 500.0).abs() < 1e-6, "{steps} {tokens}");
    }

    #[test]
    fn the_status_smooths_the_loss_from_its_first_value() {
        let mut view = View { total_steps: 10, ..View::default() };
        assert_eq!(view.status(), "");
        tell(&mut view, &[step(1, 1.0)]);
        assert_eq!(view.status(), "loss 1.0000");
        tell(&mut view, &[step(2, 0.0), eval(When::During, 2, Split::Dev, 3)]);
        assert_eq!(view.status(), "loss 0.9500  acc 75.0%  200 tok/s  eta 4.0s");
    }

    #[test]
    fn a_probe_says_what_was_expected() {
        let mut score = probe(0, 0.25);
        score.predicted = "positive".into();
        assert_eq!(super::probe(&score), "positive 75.0%, expected negative: 这家饭店真贴心");
        score.expect = None;
        assert_eq!(super::probe(&score), "positive 75.0%: 这家饭店真贴心");
    }
}
