//! The progress bars of a run on a terminal: its steps, and each evaluation while it runs.

use std::collections::HashMap;

use console::{measure_text_width, style};
use indicatif::{MultiProgress, ProgressBar};

use super::{
    RunInfo, bar_style,
    lines::{View, split_name},
    text::cut_start,
};
use crate::{
    event::Event,
    format::{count, one_line},
};

/// Characters of a bar.
const BAR: usize = 10;
/// A shortened name keeps this many columns as long as anything else can be left out.
const NAME: usize = 16;

/// The bars of each running run.
#[derive(Default)]
pub(super) struct AllBars(HashMap<String, Bars>);

struct Bars {
    run: ProgressBar,
    eval: Option<ProgressBar>,
}

impl AllBars {
    /// Updates the bars of a run after an event, on a terminal of `width` columns.
    pub fn tell(
        &mut self,
        all: &MultiProgress,
        (width, colour): (usize, bool),
        run: &RunInfo,
        view: &View,
        event: &Event,
    ) {
        match event {
            Event::RunFinished(_) => {
                if let Some(bars) = self.0.remove(&run.key) {
                    bars.remove(all);
                }
            }
            Event::RunStarted { .. } | Event::StepCompleted(_) | Event::EvalCompleted { .. } => {
                let bars = self.entry(all, run);
                if let (Event::EvalCompleted { .. }, Some(bar)) = (event, bars.eval.take()) {
                    bar.finish_and_clear();
                    all.remove(&bar);
                }
                // As for the table: a `^C` moves the cursor one line down, so the first line must be one that may stay.
                bars.run.set_message(format!("\n{}", run_line(&run.name, view, width, colour)));
            }
            Event::EvalProgress { split, done, total } => {
                let bars = self.entry(all, run);
                let run_bar = &bars.run;
                let bar = bars.eval.get_or_insert_with(|| {
                    all.insert_after(run_bar, ProgressBar::new(0).with_style(bar_style::style("{msg}")))
                });
                let rows = format!("{}/{}", count(*done), count(*total));
                let line =
                    format!("  evaluating {} {} {rows} rows", split_name(*split), painted(*done, *total, colour));
                bar.set_message(if measure_text_width(&line) > width { format!("  {rows}") } else { line });
                bar.tick();
            }
            _ => {}
        }
    }

    /// Removes all bars from the terminal.
    pub fn clear(&mut self, all: &MultiProgress) {
        self.0.drain().for_each(|(_, bars)| bars.remove(all));
    }

    /// Whether no run has bars.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bars of a run; creates them if it has none.
    fn entry(&mut self, all: &MultiProgress, run: &RunInfo) -> &mut Bars {
        self.0.entry(run.key.clone()).or_insert_with(|| {
            let bar = ProgressBar::new(0).with_style(bar_style::style("{msg}"));
            Bars { run: all.add(bar), eval: None }
        })
    }
}

impl Bars {
    fn remove(self, all: &MultiProgress) {
        for bar in self.eval.into_iter().chain([self.run]) {
            bar.finish_and_clear();
            all.remove(&bar);
        }
    }
}

/// `━━━━╸─────`.
pub(super) fn bar(done: u64, total: u64) -> String {
    let halves = (done.min(total) as usize * 2 * BAR).checked_div(total as usize).unwrap_or(0);
    let (full, half) = (halves / 2, halves % 2);
    format!("{}{}{}", "━".repeat(full), "╸".repeat(half), "─".repeat(BAR - full - half))
}

fn painted(done: u64, total: u64, colour: bool) -> String {
    style(bar(done, total)).for_stderr().force_styling(colour).cyan().to_string()
}

/// One line for a running run: its name, a bar, its steps, and [`View::parts`], in `width` columns. Parts that do not fit are left
/// out; a name that does not fit loses its beginning.
fn run_line(name: &str, view: &View, width: usize, colour: bool) -> String {
    let name = &one_line(name);
    let steps = format!("{}/{}", count(view.step), count(view.total_steps));
    let [loss, metric, speed, left] = view.parts();
    let (mut with_bar, mut loss, mut speed, mut metric) = (true, Some(loss), Some(speed), Some(metric));
    let tail = |loss: &Option<String>, metric: &Option<String>, speed: &Option<String>| -> String {
        let parts = [Some(&steps), loss.as_ref(), metric.as_ref(), speed.as_ref(), Some(&left)];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("  ")
    };
    let room = |tail: &str, with_bar: bool| {
        width.saturating_sub(measure_text_width(tail) + 1 + if with_bar { BAR + 1 } else { 0 })
    };
    let wanted = measure_text_width(name);
    // Parts are left out in this order: the speed, the name up to its end, the bar, the loss, the metric.
    let mut text = tail(&loss, &metric, &speed);
    if room(&text, with_bar) < wanted {
        speed = None;
        text = tail(&loss, &metric, &speed);
    }
    let least = wanted.min(NAME);
    if room(&text, with_bar) < least {
        with_bar = false;
    }
    if room(&text, with_bar) < least {
        loss = None;
        text = tail(&loss, &metric, &speed);
    }
    if width < measure_text_width(&text) {
        metric = None;
        text = tail(&loss, &metric, &speed);
    }
    let name = cut_start(name, room(&text, with_bar).min(wanted));
    let bar = if with_bar { format!("{} ", painted(view.step, view.total_steps, colour)) } else { String::new() };
    // A name of a few columns is useless.
    let name = if measure_text_width(&name) < wanted.min(4) { String::new() } else { format!("{name} ") };
    format!("{name}{bar}{text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Split, When},
        store::testing::{eval, step},
    };

    fn view() -> (RunInfo, View) {
        let run =
            RunInfo { log_steps: 0, ..RunInfo::single("k", "limit=600 precision=bf16 lr=3e-4 这家饭店 seed=12") };
        let mut view = View::default();
        let rows = (480, 60, 120);
        let started = Event::RunStarted {
            total_steps: 1200,
            steps_per_epoch: 300,
            resumed_from: None,
            rows,
            parameters: 9,
            train_labels: Vec::new(),
        };
        let events = [started, step(1, 0.5), eval(When::During, 1, Split::Dev, 3), step(412, 0.5)];
        events.iter().for_each(|event| _ = view.tell(&run, event));
        (run, view)
    }

    #[test]
    fn parts_that_do_not_fit_are_left_out_and_no_number_is_cut() {
        let (run, view) = view();
        let at = |width| run_line(&run.name, &view, width, false);
        let numbers = "412/1,200  avg loss 0.5000  dev acc 75.0%";
        let full = at(200);
        assert!(full.starts_with(&run.name) && full.contains(" ━━━─────── ") && full.contains("tok/s  eta "), "{full}");
        let eta = full.split("eta ").nth(1).unwrap().to_string();
        for width in 40..=160 {
            let line = at(width);
            assert!(measure_text_width(&line) <= width, "{width}: {line}");
            assert!(line.ends_with(&format!("eta {eta}")) && line.contains("412/1,200"), "{width}: {line}");
            assert!(line.contains("dev acc 75.0%"), "{width}: {line}");
        }
        assert!(at(80).contains(numbers) && at(80).contains("seed=12") && !at(80).contains("tok/s"), "{}", at(80));
        assert!(at(120).contains("lr=3e-4"), "free columns go to the name: {}", at(120));
    }

    #[test]
    fn bars_fill_by_halves() {
        assert_eq!(
            [bar(0, 10), bar(5, 10), bar(11, 10), bar(3, 0)],
            ["──────────", "━━━━━─────", "━━━━━━━━━━", "──────────"]
        );
        assert_eq!(bar(11, 20), "━━━━━╸────");
    }
}
