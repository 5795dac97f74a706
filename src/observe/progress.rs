//! Progress for a person: bars on a terminal, plain lines elsewhere.

use std::{
    collections::HashMap,
    env,
    io::{self, IsTerminal, Write},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{
    Listener, ObserveError, RunInfo,
    lines::{Line, Tone, View, split_name},
};
use crate::event::{Event, Split};

/// Shows runs as they go.
///
/// On a terminal each run has a bar (steps, smoothed loss, accuracy of the last evaluation, tokens per second, time
/// left), and each evaluation another while it goes; lines appear above the bars. Elsewhere there are only lines: one
/// for every `log_steps`-th step, each evaluation, probe, note, checkpoint, start and end. Whoever cannot see them
/// because the terminal is gone does not lose the run: failed writes are ignored.
pub struct Progress {
    views: HashMap<String, View>,
    output: Output,
    colour: bool,
}

enum Output {
    Lines { writer: Box<dyn Write + Send>, quiet: bool },
    Bars { all: MultiProgress, bars: HashMap<String, Bars> },
}

struct Bars {
    run: ProgressBar,
    eval: Option<ProgressBar>,
}

impl Progress {
    /// To standard error, as suits it. Quiet: only notes, interruptions and failures. In colour on a terminal, unless
    /// the environment variable NO_COLOR is set (no-color.org).
    pub fn stderr(quiet: bool) -> Self {
        let terminal = is_terminal();
        let colour = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if terminal && !quiet {
            Self::bars(ProgressDrawTarget::stderr(), colour)
        } else {
            Self::lines(io::stderr(), quiet, colour)
        }
    }

    /// Lines to `writer`.
    pub fn lines(writer: impl Write + Send + 'static, quiet: bool, colour: bool) -> Self {
        Self { views: HashMap::new(), output: Output::Lines { writer: Box::new(writer), quiet }, colour }
    }

    /// Bars, and lines above them, to `target`.
    pub fn bars(target: ProgressDrawTarget, colour: bool) -> Self {
        let all = MultiProgress::with_draw_target(target);
        Self { views: HashMap::new(), output: Output::Bars { all, bars: HashMap::new() }, colour }
    }
}

impl Listener for Progress {
    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        let view = self.views.entry(run.key.clone()).or_default();
        let lines = view.tell(run, event);
        match &mut self.output {
            Output::Lines { writer, quiet } => {
                for line in lines.iter().filter(|line| !*quiet || matches!(line.tone, Tone::Warning | Tone::Failure)) {
                    let _ = writeln!(writer, "{}", paint(line, self.colour));
                }
                let _ = writer.flush();
            }
            Output::Bars { all, bars } => {
                for line in lines.iter().filter(|line| line.tone != Tone::Aside) {
                    let _ = all.println(paint(line, self.colour));
                }
                draw(all, bars, self.colour, run, view, event);
            }
        }
        if matches!(event, Event::RunFinished(_)) {
            self.views.remove(&run.key);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ObserveError> {
        if let Output::Bars { all, bars } = &mut self.output {
            bars.drain().for_each(|(_, bars)| bars.remove(all));
        }
        Ok(())
    }
}

/// Brings the bars of a run up to date after an event.
fn draw(
    all: &MultiProgress,
    bars: &mut HashMap<String, Bars>,
    colour: bool,
    run: &RunInfo,
    view: &View,
    event: &Event,
) {
    match event {
        Event::RunFinished(_) => {
            if let Some(bars) = bars.remove(&run.key) {
                bars.remove(all);
            }
        }
        Event::RunStarted { .. } | Event::StepCompleted(_) | Event::EvalCompleted { .. } => {
            let bars = entry(all, bars, colour, run);
            if let (Event::EvalCompleted { .. }, Some(bar)) = (event, bars.eval.take()) {
                bar.finish_and_clear();
                all.remove(&bar);
            }
            bars.run.set_length(view.total_steps);
            bars.run.set_position(view.step);
            bars.run.set_message(view.status());
        }
        Event::EvalProgress { split, done, total } => {
            let bars = entry(all, bars, colour, run);
            let run_bar = &bars.run;
            let bar = bars.eval.get_or_insert_with(|| {
                let bar = ProgressBar::new(*total).with_style(run_style(colour)).with_prefix(eval_prefix(*split));
                all.insert_after(run_bar, bar)
            });
            bar.set_length(*total);
            bar.set_position(*done);
            bar.tick();
        }
        _ => {}
    }
}

/// The bars of a run, new ones where it has none.
fn entry<'a>(all: &MultiProgress, bars: &'a mut HashMap<String, Bars>, colour: bool, run: &RunInfo) -> &'a mut Bars {
    bars.entry(run.key.clone()).or_insert_with(|| {
        let bar = ProgressBar::new(0).with_style(run_style(colour)).with_prefix(shortened(&run.name));
        Bars { run: all.add(bar), eval: None }
    })
}

impl Bars {
    fn remove(self, all: &MultiProgress) {
        for bar in self.eval.into_iter().chain([self.run]) {
            bar.finish_and_clear();
            all.remove(&bar);
        }
    }
}

/// The name of a run in as many characters as leave room for the figures beside it.
fn shortened(name: &str) -> String {
    const MOST: usize = 20;
    match name.char_indices().nth(MOST) {
        Some(_) => name.chars().take(MOST - 1).chain(['…']).collect(),
        None => name.into(),
    }
}

fn eval_prefix(split: Split) -> String {
    format!("  evaluating {}", split_name(split))
}

fn run_style(colour: bool) -> ProgressStyle {
    // Narrow enough that loss, accuracy, speed and time left fit beside it in 80 columns.
    let bar = if colour { "{bar:10.cyan/blue}" } else { "{bar:10}" };
    style(&format!("{{prefix}} {bar} {{pos}}/{{len}}  {{wide_msg}}"))
}

/// How every bar looks. Templates are constants, so they parse; a bar of another look would do no harm.
pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("━╸─")
}

/// Whether standard error is a terminal on which bars can move.
pub(super) fn is_terminal() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

fn paint(line: &Line, colour: bool) -> String {
    let code = match line.tone {
        Tone::Plain => None,
        Tone::Aside => Some("2"),
        Tone::Warning => Some("33"),
        Tone::Success => Some("32"),
        Tone::Failure => Some("1;31"),
    };
    match code {
        Some(code) if colour => format!("\x1b[{code}m{}\x1b[0m", line.text),
        _ => line.text.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use indicatif::TermLike;

    use super::*;
    use crate::{
        event::{FailureKind, Outcome, When},
        store::testing::{eval, step},
    };

    /// Keeps what is written to it; also plays a terminal 120 columns wide.
    #[derive(Debug, Clone, Default)]
    struct Paper(Arc<Mutex<String>>);

    impl Paper {
        fn text(&self) -> String {
            self.0.lock().unwrap().clone()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push_str(std::str::from_utf8(bytes).unwrap());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl TermLike for Paper {
        fn width(&self) -> u16 {
            120
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, s: &str) -> io::Result<()> {
            self.write_str(s).and_then(|()| self.write_str("\n"))
        }
        fn write_str(&self, s: &str) -> io::Result<()> {
            self.0.lock().unwrap().push_str(s);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    fn run() -> RunInfo {
        RunInfo { key: "k".into(), name: "lr=1e-5".into(), log_steps: 2, position: (1, 1) }
    }

    fn events() -> Vec<Event> {
        vec![
            Event::RunStarted {
                total_steps: 3,
                steps_per_epoch: 3,
                resumed_from: None,
                rows: (8, 0, 2),
                parameters: 1000,
            },
            Event::Note { message: "the head is new".into() },
            step(1, 0.75),
            step(2, 0.5),
            Event::CheckpointSaved { step: 2 },
            Event::EvalProgress { split: Split::Test, done: 2, total: 4 },
            eval(When::During, 2, Split::Test, 3),
            Event::RunFinished(Outcome::Failed { kind: FailureKind::Oom, message: "no room".into() }),
        ]
    }

    fn shown(mut progress: Progress, paper: &Paper) -> String {
        events().iter().for_each(|event| progress.on(&run(), event).unwrap());
        progress.finish().unwrap();
        paper.text()
    }

    #[test]
    fn lines_where_there_is_no_terminal() {
        let paper = Paper::default();
        let text = shown(Progress::lines(paper.clone(), false, false), &paper);
        let want = "\
lr=1e-5 (k): 3 steps, 8 train + 0 dev + 2 test rows, 1.0k parameters
note: the head is new
step 2/3  epoch 1  loss 0.5000  lr 1.00e-5  200 tok/s  eta 0.5s
checkpoint at step 2
step 2  epoch 1  test: loss 0.6250  accuracy 75.0%  macro-F1 42.9%  (4 rows in 0.5s)
lr=1e-5: failed (out of memory) after step 2: no room
";
        assert_eq!(text, want);
    }

    #[test]
    fn quiet_says_only_what_needs_attention() {
        let paper = Paper::default();
        let text = shown(Progress::lines(paper.clone(), true, true), &paper);
        let failure = "lr=1e-5: failed (out of memory) after step 2: no room";
        assert_eq!(text, format!("\x1b[33mnote: the head is new\x1b[0m\n\x1b[1;31m{failure}\x1b[0m\n"));
    }

    #[test]
    fn bars_and_the_lines_above_them() {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(paper.clone()));
        let text = shown(Progress::bars(target, false), &paper);
        for part in [
            "lr=1e-5 ",
            "2/3  loss 0.7375",
            "  evaluating test",
            " 2/4",
            "acc 75.0%  200 tok/s  eta 0.5s",
            "step 2/3  epoch 1",
            "note: the head is new",
            "failed (out of memory)",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
        assert!(!text.contains("checkpoint at") && !text.contains("\x1b["), "{text:?}");
    }

    #[test]
    fn a_run_that_is_done_leaves_no_bar() {
        let mut progress = Progress::bars(ProgressDrawTarget::hidden(), false);
        events().iter().for_each(|event| progress.on(&run(), event).unwrap());
        let Output::Bars { bars, .. } = &progress.output else { unreachable!() };
        assert!(bars.is_empty() && progress.views.is_empty());
    }

    #[test]
    fn a_terminal_that_is_gone_does_not_stop_the_run() {
        let mut progress = Progress::lines(io::Cursor::new([0u8; 3]), false, false);
        events().iter().for_each(|event| progress.on(&run(), event).unwrap());
    }
}
