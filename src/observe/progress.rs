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
        let dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
        let terminal = io::stderr().is_terminal() && !dumb;
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
                let bar = ProgressBar::new(*total).with_style(style(colour)).with_prefix(eval_prefix(*split));
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
        let bar = ProgressBar::new(0).with_style(style(colour)).with_prefix(run.name.clone());
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

fn eval_prefix(split: Split) -> String {
    format!("  evaluating {}", split_name(split))
}

fn style(colour: bool) -> ProgressStyle {
    let bar = if colour { "{bar:24.cyan/blue}" } else { "{bar:24}" };
    // The template is a constant of this function, so it parses; a bar of another look would do no harm.
    ProgressStyle::with_template(&format!("{{prefix}} {bar} {{pos}}/{{len}}  {{wide_msg}}"))
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸─")
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
