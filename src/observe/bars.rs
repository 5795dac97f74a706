//! The bars of a run on a terminal: its steps, and each evaluation while it goes.

use std::collections::HashMap;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{
    RunInfo,
    lines::{View, split_name},
    progress::style,
};
use crate::{
    event::{Event, Split},
    format::one_line,
};

/// The bars of each run that is under way.
#[derive(Default)]
pub(super) struct AllBars(HashMap<String, Bars>);

struct Bars {
    run: ProgressBar,
    eval: Option<ProgressBar>,
}

impl AllBars {
    /// Brings the bars of a run up to date after an event.
    pub fn tell(&mut self, all: &MultiProgress, colour: bool, run: &RunInfo, view: &View, event: &Event) {
        match event {
            Event::RunFinished(_) => {
                if let Some(bars) = self.0.remove(&run.key) {
                    bars.remove(all);
                }
            }
            Event::RunStarted { .. } | Event::StepCompleted(_) | Event::EvalCompleted { .. } => {
                let bars = self.entry(all, colour, run);
                if let (Event::EvalCompleted { .. }, Some(bar)) = (event, bars.eval.take()) {
                    bar.finish_and_clear();
                    all.remove(&bar);
                }
                bars.run.set_length(view.total_steps);
                bars.run.set_position(view.step);
                bars.run.set_message(view.status());
            }
            Event::EvalProgress { split, done, total } => {
                let bars = self.entry(all, colour, run);
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

    /// Takes all of them off the terminal.
    pub fn clear(&mut self, all: &MultiProgress) {
        self.0.drain().for_each(|(_, bars)| bars.remove(all));
    }

    /// Whether no run has any.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The bars of a run, new ones where it has none.
    fn entry(&mut self, all: &MultiProgress, colour: bool, run: &RunInfo) -> &mut Bars {
        self.0.entry(run.key.clone()).or_insert_with(|| {
            let bar = ProgressBar::new(0).with_style(run_style(colour)).with_prefix(shortened(&run.name));
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

/// The name of a run in as many characters as leave room for the figures beside it.
fn shortened(name: &str) -> String {
    const MOST: usize = 20;
    let name = one_line(name);
    match name.char_indices().nth(MOST) {
        Some(_) => name.chars().take(MOST - 1).chain(['…']).collect(),
        None => name,
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
