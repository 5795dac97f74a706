//! Progress for a person: bars or a table on a terminal, plain lines elsewhere.

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
    bars::AllBars,
    lines::{Line, Tone, View},
    look::style,
    sweep::{Sweep, is_loud},
    text::wrap,
};
use crate::{event::Event, format::visible, store::RunState};

/// Between two pictures of the table.
const REDRAW: Duration = Duration::from_millis(100);
/// Lines of the table at most: what is printed above it has to be seen too.
const MOST_LINES: usize = 16;
/// Pictures a second that the terminal library lets pass: more than are made, so that none is lost.
const MOST_HZ: u8 = 60;

/// Shows runs as they go.
///
/// A single run on a terminal has a bar (steps, average loss, accuracy of the weights that would be kept by now, tokens per
/// second, time left), and each evaluation another while it goes; lines appear above. Several runs have a table: the trial that leads,
/// those at work and how far, the others by their figures, and one line for the whole; above it appears only what needs
/// attention.
///
/// Elsewhere there are only lines. Of a single run: one for every `log_steps`-th step, each evaluation, probe, note,
/// checkpoint, start and end; of several: none for steps, probes and checkpoints. Whoever cannot see them because the
/// terminal is gone does not lose the run: failed writes are ignored.
pub struct Progress {
    views: HashMap<String, View>,
    /// Known once there is more than one run.
    sweep: Option<Sweep>,
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
    /// The table, as one bar of several lines that has only a text.
    table: Option<ProgressBar>,
    size: fn() -> Size,
    drawn: Option<Instant>,
}

/// Prints lines above whatever is shown; for those who learn of something on another thread.
#[derive(Clone)]
pub struct Above(Option<(MultiProgress, fn() -> Size)>);

impl Above {
    /// Prints a line on standard error, where bars or a table are shown above them.
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
    /// Takes away what is shown for good, for it is true no longer, and prints the last line.
    pub fn end(&self, text: &str) {
        if let Some((all, _)) = &self.0 {
            let _ = all.clear();
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
        self.say(text);
    }
}

impl Progress {
    /// To standard error, as suits it. Quiet: only notes, interruptions and failures. In colour on a terminal, unless
    /// the environment variable NO_COLOR is set (no-color.org).
    pub fn stderr(quiet: bool) -> Self {
        let terminal = is_terminal();
        let colour = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        if terminal && !quiet {
            Self::screen(ProgressDrawTarget::stderr_with_hz(MOST_HZ), terminal_size, colour)
        } else {
            Self::lines(io::stderr(), quiet, colour)
        }
    }

    /// Lines to `writer`.
    pub fn lines(writer: impl Write + Send + 'static, quiet: bool, colour: bool) -> Self {
        Self::new(Output::Lines { writer: Box::new(writer), quiet }, colour)
    }

    /// Bars or a table, and lines above them, to the terminal `target`, which is of that `size` when asked.
    pub fn screen(target: ProgressDrawTarget, size: fn() -> Size, colour: bool) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let screen = Screen { all, bars: AllBars::default(), table: None, size, drawn: None };
        Self::new(Output::Screen(screen), colour)
    }

    fn new(output: Output, colour: bool) -> Self {
        Self { views: HashMap::new(), sweep: None, output, colour, begin: Instant::now() }
    }

    /// A way to print lines above what is shown.
    pub fn above(&self) -> Above {
        match &self.output {
            Output::Lines { .. } => Above(None),
            Output::Screen(screen) => Above(Some((screen.all.clone(), screen.size))),
        }
    }

    fn now_s(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// The sweep, if it is one by now.
    fn sweep(&mut self, run: &RunInfo) -> Option<&mut Sweep> {
        if self.sweep.is_none() && run.position.1 > 1 {
            self.sweep = Some(Sweep::default());
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
            let info = RunInfo { key: run.key.clone(), name: run.name.clone(), log_steps: 0, position: (1, 1) };
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
                for line in lines.iter().filter(|line| !*quiet || is_loud(line)) {
                    let _ = writeln!(writer, "{}", paint(line.tone, line.text.clone(), colour));
                }
                let _ = writer.flush();
            }
            Output::Screen(screen) => {
                let shown = |line: &&Line| if several { is_loud(line) } else { line.tone != Tone::Aside };
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
        let repeated = self.sweep.as_ref().map(Sweep::repeated).unwrap_or_default();
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
    /// Draws the table where it is due: after a begin or an end of something at once, else some times a second.
    fn draw(&mut self, sweep: &Sweep, now_s: f64, colour: bool, event: &Event) {
        let turn = matches!(event, Event::RunStarted { .. } | Event::EvalCompleted { .. } | Event::RunFinished(_));
        if !turn && self.drawn.is_some_and(|at| at.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        let table = self.table.get_or_insert_with(|| {
            self.bars.clear(&self.all);
            self.all.add(ProgressBar::new(0).with_style(style("{msg}")))
        });
        // One line stays free: what is printed above needs it, or the table itself would scroll.
        let Size { width, height } = (self.size)();
        let size = Size { width, height: height.saturating_sub(2).clamp(1, MOST_LINES) };
        // The terminal library leaves the cursor at the right end of the last line, where the `^C` of a request to stop moves it
        // a line down: one line of the table would stay for good. That is an empty one.
        table.set_message(format!("\n{}", sweep.board(now_s).lines(size, colour).join("\n")));
    }
}

fn terminal_size() -> Size {
    let (height, width) = Term::stderr().size();
    Size { width: width.into(), height: height.into() }
}

/// Prints a text above what is shown, broken between words: the terminal would break it anywhere, and what is below could not
/// be taken away again.
fn print(all: &MultiProgress, text: &str, size: Size, paint: impl Fn(String) -> String) {
    for line in text.lines().flat_map(|line| wrap(line, size.width)) {
        let _ = all.println(paint(line));
    }
}

/// Whether standard error is a terminal on which bars can move.
pub(super) fn is_terminal() -> bool {
    io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A line as it is printed: in taper's own colour, and nothing that it says steers the terminal.
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
