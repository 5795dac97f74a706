//! Progress of downloads and uploads: on a terminal a bar for each file with size and time left; elsewhere a line when one starts or waits.

use std::{
    collections::HashMap,
    io::{IsTerminal, stderr},
    sync::{Arc, Mutex},
};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use taper::{
    assets::{Listener, Progress},
    format,
    observe::wrap,
};

/// Shows downloads on standard error; nothing if `silent`.
pub fn listener(silent: bool) -> Listener {
    shown("downloading", silent)
}

/// Shows uploads likewise.
pub fn uploads(silent: bool) -> Listener {
    shown("uploading", silent)
}

fn shown(verb: &'static str, silent: bool) -> Listener {
    if silent {
        return Arc::new(|_| {});
    }
    let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
    let shown = Shown { verb, bars, terminal: stderr().is_terminal(), files: Mutex::new(HashMap::new()) };
    Arc::new(move |progress| shown.take(progress))
}

struct Shown {
    verb: &'static str,
    bars: MultiProgress,
    terminal: bool,
    /// The bar of each file that is being downloaded.
    files: Mutex<HashMap<String, ProgressBar>>,
}

impl Shown {
    fn take(&self, progress: Progress) {
        let mut files = self.files.lock().unwrap_or_else(|e| e.into_inner());
        match progress {
            Progress::Began { file, done, total } => {
                if !self.terminal {
                    let size = total.map(|total| format!(" ({})", format::bytes(total))).unwrap_or_default();
                    let from =
                        if done > 0 { format!(", resuming after {}", format::bytes(done)) } else { String::new() };
                    return self.say(&format!("{} {file}{size}{from}", self.verb));
                }
                let bar = files.entry(file.into()).or_insert_with(|| {
                    self.bars.add(ProgressBar::no_length().with_style(style()).with_prefix(format::one_line(file)))
                });
                if let Some(total) = total {
                    bar.set_length(total);
                }
                bar.set_position(done);
                bar.set_message("");
                // Bytes of an earlier partial download do not count for the rate.
                bar.reset_eta();
            }
            Progress::Advanced { file, done } => {
                if let Some(bar) = files.get(file) {
                    bar.set_position(done);
                }
            }
            Progress::Waits { file, why, wait } => {
                let when =
                    wait.map(|wait| format!("; retrying in {:.0} s", wait.as_secs_f64().ceil())).unwrap_or_default();
                match files.get(file) {
                    Some(bar) => bar.set_message(format::one_line(&format!("{why}{when}"))),
                    None => self.say(&format!("{file}: {why}{when}")),
                }
            }
            Progress::Ended { file } => {
                if let Some(bar) = files.remove(file) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
        }
    }

    fn say(&self, text: &str) {
        let text = format::visible(text);
        match self.terminal {
            true => {
                let width = usize::from(console::Term::stderr().size().1);
                drop(self.bars.println(wrap(&text, width).join("\n")))
            }
            false => drop(std::io::Write::write_all(&mut stderr(), format!("{text}\n").as_bytes())),
        }
    }
}

fn style() -> ProgressStyle {
    let template = "{prefix:<24!} {wide_bar} {bytes:>10} of {total_bytes} {bytes_per_sec:>12} {eta:>4} left {msg}";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
