//! Progress for people: bars or a table on a terminal, plain lines elsewhere.

use std::{
    collections::HashMap,
    env,
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

use console::Term;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use super::{
    Listener, ObserveError, PlannedSweep, RunInfo, Size,
    bar_style::style,
    bars::AllBars,
    lines::{Line, Tone, View},
    sweep::{LiveSweep, always_shown},
    text::wrap,
};
use crate::{event::Event, format::visible, store::RunState};

/// The time between two redraws of the table.
const REDRAW: Duration = Duration::from_millis(100);
/// Lines of the terminal that the table leaves free: the empty one at its beginning, one for what is printed above it, without which the table
/// itself would scroll, and one for the prompt or a `^C`.
const FREE_LINES: usize = 3;
/// Redraws per second that the terminal library allows: more than there are, so that none is dropped.
const MOST_HZ: u8 = 60;

/// Shows the progress of runs.
///
/// A single run on a terminal has a bar (steps, average loss, accuracy of the weights that would be kept now, tokens per second,
/// time left), and another during each evaluation; lines appear above. Several runs have a table: the leading trial, running trials
/// and their steps, the others by their scores, and a summary line; above it appears only what needs attention.
///
/// Elsewhere there are only lines. For a single run: every `log_steps`-th step, each evaluation, probe, note, checkpoint, start and
/// end. For several runs: the same without steps, probes and checkpoints. Failed writes are ignored: a run must not fail because its
/// terminal is gone.
pub struct Progress {
    views: HashMap<String, View>,
    /// Set once there is more than one run.
    sweep: Option<LiveSweep>,
    output: Output,
    colour: bool,
    begin: Instant,
}

enum Output {
    Lines { writer: Box<dyn Write + Send>, quiet: bool },
    Screen(Screen),
}

/// A terminal.
struct Screen {
    all: MultiProgress,
    bars: AllBars,
    /// The table: one bar with several lines of text.
    table: Option<ProgressBar>,
    size: fn() -> Size,
    drawn: Option<Instant>,
}

/// Prints lines above the bars or the table, from other threads.
#[derive(Clone)]
pub struct Above(Option<(MultiProgress, fn() -> Size)>);

impl Above {
    /// Prints a line on standard error, above the bars or the table if they are shown.
    pub fn say(&self, text: &str) {
        let text = &*visible(text);
        let printed = self
            .0
            .as_ref()
            .filter(|(all, _)| !all.is_hidden())
            .map(|(all, size)| print(all, text, size(), |line| line));
        if printed.is_none() {
            let lines = match io::stderr().is_terminal() {
                true => wrap(text, terminal_size().width).join("\n"),
                false => text.to_string(),
            };
            let _ = writeln!(io::stderr(), "{lines}");
        }
    }
}

impl Above {
    /// Removes the bars or the table, which are no longer true, and prints a last line.
    pub fn end(&self, text: &str) {
        if let Some((all, _)) = &self.0 {
            let _ = all.clear();
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.say(text);
    }
}

impl Progress {
    /// Writes to standard error. Quiet: only notes, interruptions and failures. In colour on a terminal, unless the environment
    /// variable NO_COLOR is set (no-color.org).
    pub fn stderr(quiet: bool) -> Self {
        let terminal = is_terminal();
        let colour = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if terminal && !quiet {
            Self::screen(ProgressDrawTarget::stderr_with_hz(MOST_HZ), terminal_size, colour)
        } else {
            Self::lines(io::stderr(), quiet, colour)
        }
    }

    /// Writes lines to `writer`.
    pub fn lines(writer: impl Write + Send + 'static, quiet: bool, colour: bool) -> Self {
        Self::new(Output::Lines { writer: Box::new(writer), quiet }, colour)
    }

    /// Shows bars or a table, and lines above them, on the terminal `target`; `size` returns its current size.
    pub fn screen(target: ProgressDrawTarget, size: fn() -> Size, colour: bool) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let screen = Screen { all, bars: AllBars::default(), table: None, size, drawn: None };
        Self::new(Output::Screen(screen), colour)
    }

    fn new(output: Output, colour: bool) -> Self {
        Self { views: HashMap::new(), sweep: None, output, colour, begin: Instant::now() }
    }

    /// A handle that prints lines above what is shown.
    pub fn above(&self) -> Above {
        match &self.output {
            Output::Lines { .. } => Above(None),
            Output::Screen(screen) => Above(Some((screen.all.clone(), screen.size))),
        }
    }

    fn now_s(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// The sweep, if there is more than one run by now.
    fn sweep(&mut self, run: &RunInfo) -> Option<&mut LiveSweep> {
        if self.sweep.is_none() && run.position.1 > 1 {
            self.sweep = Some(LiveSweep::default());
        }
        self.sweep.as_mut()
    }
}

impl Listener for Progress {
    fn planned(&mut self, sweep: &PlannedSweep) {
        if self.sweep.is_some() || sweep.runs.len() + sweep.to_come > 1 {
            self.sweep.get_or_insert_default().planned(sweep);
        } else if let [run] = &sweep.runs[..] {
            let mut view = View::keeping(run.keep, run.metric);
            let info =
                RunInfo { key: run.key.clone(), name: run.name.clone(), log_steps: 0, position: (1, 1), windows: None };
            run.past.iter().for_each(|event| drop(view.tell(&info, event)));
            self.views.insert(run.key.clone(), view);
        }
    }

    fn caught_up(&mut self, run: &RunInfo, now: (RunState, u64), past: &[Event]) {
        if let Some(sweep) = &mut self.sweep {
            sweep.caught_up(run, now, past);
        }
    }

    fn on(&mut self, run: &RunInfo, event: &Event) -> Result<(), ObserveError> {
        let (now_s, colour) = (self.now_s(), self.colour);
        let of_several = self.sweep(run).map(|sweep| sweep.tell(run, event, now_s));
        let several = of_several.is_some();
        let lines = of_several.unwrap_or_else(|| self.views.entry(run.key.clone()).or_default().tell(run, event));
        match &mut self.output {
            Output::Lines { writer, quiet } => {
                for line in lines.iter().filter(|line| !*quiet || always_shown(line)) {
                    let _ = writeln!(writer, "{}", paint(line.tone, line.text.clone(), colour));
                }
                let _ = writer.flush();
            }
            Output::Screen(screen) => {
                let shown = |line: &&Line| if several { always_shown(line) } else { line.tone != Tone::Aside };
                for line in lines.iter().filter(shown) {
                    print(&screen.all, &line.text, (screen.size)(), |text| paint(line.tone, text, colour));
                }
                match (&self.sweep, self.views.get(&run.key)) {
                    (Some(sweep), _) => screen.draw(sweep, now_s, colour, event),
                    (None, Some(view)) => {
                        let width = (screen.size)().width;
                        screen.bars.tell(&screen.all, (width, colour), run, view, event);
                    }
                    (None, None) => {}
                }
            }
        }
        if matches!(event, Event::RunFinished(_)) {
            self.views.remove(&run.key);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), ObserveError> {
        let repeated = self.sweep.as_ref().map(LiveSweep::repeated).unwrap_or_default();
        match &mut self.output {
            Output::Lines { writer, quiet } => {
                for text in repeated.iter().filter(|_| !*quiet) {
                    let _ = writeln!(writer, "{text}");
                }
            }
            Output::Screen(screen) => {
                screen.bars.clear(&screen.all);
                if let Some(table) = screen.table.take() {
                    table.finish_and_clear();
                    screen.all.remove(&table);
                }
                repeated.iter().for_each(|text| print(&screen.all, text, (screen.size)(), |line| line));
            }
        }
        Ok(())
    }
}

impl Screen {
    /// Redraws the table: at once after a start or an end, otherwise at intervals.
    fn draw(&mut self, sweep: &LiveSweep, now_s: f64, colour: bool, event: &Event) {
        let turn = matches!(event, Event::RunStarted { .. } | Event::EvalCompleted { .. } | Event::RunFinished(_));
        if !turn && self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        let table = self.table.get_or_insert_with(|| {
            self.bars.clear(&self.all);
            self.all.add(ProgressBar::new(0).with_style(style("{msg}")))
        });
        let Size { width, height } = (self.size)();
        let size = Size { width, height: height.saturating_sub(FREE_LINES).max(1) };
        // The terminal library leaves the cursor at the right end of the last line, where a `^C` moves it one line down, so that one line of
        // the table could not be removed again. The table therefore begins with an empty line.
        table.set_message(format!("\n{}", sweep.board(now_s).lines(size, colour).join("\n")));
    }
}

fn terminal_size() -> Size {
    let (height, width) = Term::stderr().size();
    Size { width: width.into(), height: height.into() }
}

/// Prints a text above what is shown, wrapped between words: if the terminal wrapped it, the lines below could not be removed
/// again.
fn print(all: &MultiProgress, text: &str, size: Size, paint: impl Fn(String) -> String) {
    for line in text.lines().flat_map(|line| wrap(line, size.width)) {
        let _ = all.println(paint(line));
    }
}

/// Whether standard error is a terminal that can move bars.
pub(super) fn is_terminal() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A line as it is printed: in its colour, without control characters from its text.
fn paint(tone: Tone, text: String, colour: bool) -> String {
    let text = visible(&text).into_owned();
    let code = match tone {
        Tone::Plain => None,
        Tone::Aside => Some("2"),
        Tone::Warning => Some("33"),
        Tone::Success => Some("32"),
        Tone::Failure => Some("1;31"),
    };
    match code {
        Some(code) if colour => format!("\x1b[{code}m{text}\x1b[0m"),
        _ => text,
    }
}

#[cfg(test)]
mod tests;
