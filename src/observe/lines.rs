//! The lines printed about a run. Pure: events in, text out, times taken from the events.

use std::collections::VecDeque;

use super::RunInfo;
use crate::{
    event::{Event, Outcome, ProbeScore, Split, StepCompleted, When},
    format::{brief, count, counted, decimals, duration, one_line, percent, rate, short, texts},
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
    /// The metric that chooses the kept weights; `None` if those of the last evaluation are kept.
    best_by: Option<Metric>,
    /// The evaluation of the weights that would be kept now, on the selecting split: the split, the accuracy, the score.
    kept: Option<Shown>,
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
    /// `91.3%`; other metrics than accuracy with their names.
    fn text(&self) -> String {
        let value = self.metric.text(self.value);
        if self.metric == Metric::Accuracy { value } else { format!("{} {value}", self.metric.info().short) }
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
                let best_by = self.best_by;
                *self = Self {
                    total_steps: *total_steps,
                    step,
                    checkpoint: *resumed_from,
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
                line(Tone::Plain, format!("{moment}  {} {}", split_name(*split), metrics.shown()))
            }
            Event::ProbesScored { when, scores, .. } => scores
                .iter()
                .map(|score| Line { tone: Tone::Plain, text: format!("{}  {}", moment(*when), probe(score)) })
                .collect(),
            Event::CheckpointSaved { step } => {
                self.checkpoint = Some(*step);
                line(Tone::Aside, format!("checkpoint at step {}", count(*step)))
            }
            Event::RunFinished(outcome) => self.end(run, outcome),
            Event::EvalProgress { .. }
            | Event::Predicted { .. }
            | Event::PredictedBefore { .. }
            | Event::Decided(_)
            | Event::WeightsKept { .. }
            | Event::TextsRead { .. }
            | Event::ModelKept { .. }
            | Event::CheckpointStarted { .. }
            // Warnings from before training were printed by the command, once for all runs. It prints the others with the result.
            | Event::Warned(_) => Vec::new(),
        }
    }

    /// The state of a run that keeps the weights of its best evaluation, or of the last one.
    pub fn keeping(keep: Keep, metric: Metric) -> Self {
        Self { best_by: (keep == Keep::Best).then_some(metric), ..Self::default() }
    }

    fn keep(&mut self, when: When, split: Split, metrics: &Metrics) {
        let [shown, _] = metrics.headline();
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
        let text = format!("{at}  epoch {}  loss {}  lr {}", s.epoch, decimals(s.loss, 4), rate(s.lr));
        [text, speed, left].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
    }

    /// The text beside a bar: average loss of the last steps (exponentially weighted), accuracy of the weights that would be kept now on
    /// the selecting split, speed, time left. Each is empty until it is known.
    pub fn parts(&self) -> [String; 4] {
        let speed = self.speed().map(|(_, tokens)| format!("{} tok/s", brief(tokens)));
        let best = if self.best_by.is_some() { "best " } else { "" };
        [
            self.smoothed_loss.map(|loss| format!("avg loss {}", decimals(loss, 4))),
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
            Outcome::Pruned { reason } => (Tone::Plain, format!("{name}: pruned ({reason})")),
            Outcome::Failed { kind, message } => {
                // A message about a step tells which.
                let after = if message.contains(" at step ") { String::new() } else { format!(" after step {step}") };
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
    let predicted = one_line(&score.predicted);
    let verdict = match (&score.expect, score.is_right()) {
        (None, _) => String::new(),
        (Some(_), Some(true)) => ", as expected".into(),
        (Some(expected), _) => format!(", expected {}", one_line(expected)),
    };
    let text = texts(&score.text, score.text_pair.as_deref());
    let confidence = score.confidence().map_or(String::new(), |p| format!(" {}", percent(f64::from(p))));
    format!("{predicted}{confidence}{verdict}: {}", one_line(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::FailureKind;
    use crate::store::testing::{eval, probe, step};

    fn run() -> RunInfo {
        RunInfo { log_steps: 2, ..RunInfo::single("0123456789abcdef", "lr=1e-5") }
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
    fn an_interrupted_run_says_what_the_next_command_does_with_it() {
        let said = |beyond_budget, last| {
            let mut view = View { beyond_budget, ..View::default() };
            tell(&mut view, &[started(None), step(last, 0.5), Event::CheckpointSaved { step: last }]);
            view.beyond_budget = beyond_budget;
            tell(&mut view, &[Event::RunFinished(Outcome::Interrupted)]).remove(0)
        };
        assert_eq!(said(false, 3), "lr=1e-5: interrupted after step 3; the same command resumes it from step 3");
        assert_eq!(said(false, 900), "lr=1e-5: interrupted after its last step, 900; the same command evaluates it");
        assert_eq!(said(true, 3), "lr=1e-5: interrupted after step 3: the sweep's budget is spent");
    }

    #[test]
    fn steps_of_windows_have_their_number() {
        let run = RunInfo { windows: Some(12_345), ..run() };
        let lines = View::default().tell(&run, &started(None));
        assert_eq!(lines[1].text, "rows: train 9,590 in 12,345 windows, test 2,397");
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
            "lr=1e-5 (0123456789ab): 900 steps, 38.5M parameters to train",
            "rows: train 9,590, test 2,397",
            "before training  test accuracy 25.0%  macro-F1 20.0%  loss 0.6250",
            "before training  negative 75.0%, as expected: 这家饭店真贴心",
            // Two steps and 200 tokens in one second; 898 steps to go, and three evaluations of half a second.
            "step 2/900  epoch 1  loss 0.4312  lr 1e-5  200 tok/s  eta 7m31s",
            "step 2  epoch 1  dev accuracy 75.0%  macro-F1 42.9%  loss 0.6250",
            "checkpoint at step 2",
            "lr=1e-5: interrupted after step 3; the same command resumes it from step 2",
            "lr=1e-5: failed (diverged) after step 3: the loss is NaN",
        ];
        let lines = tell(&mut View::default(), &events);
        assert_eq!(lines, want);
        assert!(lines.iter().all(|line| console::measure_text_width(line) <= 80), "none is wider than a terminal");
    }

    #[test]
    fn with_a_dev_split_the_test_split_is_not_shown_before_the_end() {
        let mut view = View::default();
        let rows = (8, 4, 4);
        let started = Event::RunStarted {
            total_steps: 4,
            steps_per_epoch: 2,
            resumed_from: None,
            rows,
            parameters: 9,
            train_labels: Vec::new(),
        };
        let said = |view: &mut View, when, step, split, right| tell(view, &[eval(when, step, split, right)]);
        tell(&mut view, &[started]);
        assert!(said(&mut view, When::Before, 0, Split::Test, 1).is_empty());
        assert_eq!(said(&mut view, When::Before, 0, Split::Dev, 1).len(), 1);
        assert_eq!(view.parts()[1], "", "the evaluation of untrained weights is not a result");
        assert_eq!(said(&mut view, When::During, 2, Split::Dev, 3).len(), 1);
        assert!(said(&mut view, When::During, 2, Split::Test, 4).is_empty());
        assert_eq!(view.parts()[1], "dev 75.0%");
        assert_eq!(said(&mut view, When::During, 4, Split::Dev, 2).len(), 1);
        // The kept weights are those of step 4, which had a line; their test accuracy is new.
        assert!(said(&mut view, When::After, 4, Split::Dev, 2).is_empty(), "said twice");
        let last = said(&mut view, When::After, 4, Split::Test, 4);
        assert_eq!(last, ["after training  test accuracy 100.0%  macro-F1 100.0%  loss 0.6250"]);
        assert_eq!(view.parts()[1], "dev 50.0%");
    }

    #[test]
    fn an_evaluation_on_the_test_split_only_is_not_printed_twice() {
        let mut view = View::default();
        tell(&mut view, &[started(None)]);
        let lines = tell(&mut view, &[eval(When::During, 9, Split::Test, 3), eval(When::After, 9, Split::Test, 3)]);
        assert_eq!(lines.len(), 1, "{lines:?}");
        // The best weights are from an earlier step than the last, which had a line.
        let lines = tell(&mut view, &[eval(When::During, 18, Split::Test, 2), eval(When::After, 9, Split::Test, 3)]);
        assert_eq!(lines.len(), 1, "{lines:?}");
    }

    #[test]
    fn a_restarted_run_is_not_called_interrupted() {
        let mut view = View { step: 62, checkpoint: Some(54), ..View::default() };
        let line = &view.tell(&run(), &Event::RunFinished(Outcome::Retried))[0];
        assert_eq!(
            (line.tone, line.text.as_str()),
            (Tone::Plain, "lr=1e-5: failed after step 62; retrying now from step 54")
        );
    }

    #[test]
    fn a_resumed_run_has_no_speed_before_its_second_step() {
        let mut view = View::default();
        let lines = tell(&mut view, &[started(Some(3)), step(4, 0.5), step(5, 0.5), step(6, 0.5)]);
        assert!(lines[0].contains("resumes from step 3 of 900"), "{}", lines[0]);
        assert_eq!(lines[2], "step 4/900  epoch 1  loss 0.5000  lr 1e-5");
        assert_eq!(lines[3], "step 6/900  epoch 1  loss 0.5000  lr 1e-5  200 tok/s  eta 7m27s");
    }

    #[test]
    fn time_left_counts_the_evaluations_to_come() {
        let mut view = View::default();
        tell(&mut view, &[started(None)]);
        // 898 steps at two a second; evaluations of both splits take 3 s, after each of three epochs.
        let slow = |split, seconds| match eval(When::Before, 0, split, 1) {
            Event::EvalCompleted { when, step, epoch, split, metrics, .. } => {
                Event::EvalCompleted { when, step, epoch, split, metrics, elapsed_s: seconds }
            }
            other => other,
        };
        tell(&mut view, &[slow(Split::Dev, 1.0), slow(Split::Test, 2.0), step(1, 0.5), step(2, 0.5)]);
        assert_eq!(view.left_s(), Some(449.0 + 9.0 + 3.0), "those after training among them");
        // Evaluations turn out to be every 2 steps, of 0.5 s each: 449 of them.
        tell(&mut view, &[eval(When::During, 2, Split::Test, 1)]);
        assert_eq!(view.left_s(), Some(449.0 + 449.0 * 0.5 + 3.0));
    }

    #[test]
    fn the_last_step_always_has_a_line() {
        let mut view = View { total_steps: 3, ..View::default() };
        let quiet = RunInfo { log_steps: 0, ..run() };
        assert_eq!(view.tell(&quiet, &step(2, 0.5)), []);
        let line = &view.tell(&quiet, &step(3, 0.5))[0].text;
        assert!(line.starts_with("step 3/3 ") && !line.contains("eta"), "{line}");
    }

    #[test]
    fn speed_is_that_of_the_last_steps() {
        let mut view = View::default();
        tell(&mut view, &[started(None)]);
        for i in 1..=200u64 {
            // The first hundred steps take a second each, the others a tenth.
            let elapsed_s = i.min(100) as f64 + i.saturating_sub(100) as f64 / 10.0;
            view.add(&StepCompleted { step: i, epoch: 1, loss: 1.0, lr: 1e-5, grad_norm: 1.0, tokens: 50, elapsed_s });
        }
        let (steps, tokens) = view.speed().unwrap();
        assert!((steps - 10.0).abs() < 1e-9 && (tokens - 500.0).abs() < 1e-6, "{steps} {tokens}");
    }

    #[test]
    fn the_loss_is_smoothed_from_its_first_value() {
        let mut view = View { total_steps: 10, ..View::default() };
        let parts = |view: &View| view.parts().join("|");
        assert_eq!(parts(&view), "|||");
        tell(&mut view, &[step(1, 1.0)]);
        assert_eq!(parts(&view), "avg loss 1.0000|||");
        tell(&mut view, &[step(2, 0.0), eval(When::During, 2, Split::Test, 3)]);
        // Eight steps at two a second, and an evaluation of half a second every two steps.
        assert_eq!(parts(&view), "avg loss 0.9500|test 75.0%|200 tok/s|eta 6.0s");
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
