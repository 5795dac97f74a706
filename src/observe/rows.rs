//! Progress through the rows of a file.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{bar_style::style, progress::is_terminal};
use crate::format;

/// A bar for work on a file row by row: rows done, rows per second, time left.
///
/// Progress is measured in rows or in parts of the file, if it is known how many there are. Dropping it clears the bar.
pub struct RowProgress {
    bar: ProgressBar,
    /// What is being done, in front of the rows; may be empty.
    what: String,
    begin: Instant,
    sized: bool,
}

impl RowProgress {
    /// The parts that work is divided into if its progress is told as a share.
    pub const PARTS: u64 = 10_000;

    /// Shows the bar on standard error if that is a terminal and `shown` is set. `size` is the number of rows, or of parts, if it is known.
    pub fn stderr(shown: bool, size: Option<u64>) -> Self {
        let target = match shown && is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        Self::new(target, size)
    }

    /// Shows a bar on standard error for `what`, which began then. Its progress is told as a share.
    pub fn of(what: &str, begin: Instant) -> Self {
        let mut progress = Self::new(ProgressDrawTarget::stderr(), Some(Self::PARTS));
        (progress.what, progress.begin) = (format!("{what}: "), begin);
        progress
    }

    fn new(target: ProgressDrawTarget, size: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(size, target);
        let template = if size.is_some() { "{bar:10} {percent:>3}%  {wide_msg}" } else { "{spinner} {wide_msg}" };
        Self { bar: bar.with_style(style(template)), what: String::new(), begin: Instant::now(), sized: size.is_some() }
    }

    /// Updates the bar: `rows` rows are done, which are `done` of its size.
    pub fn tell(&self, rows: u64, done: u64) {
        let elapsed_s = self.begin.elapsed().as_secs_f64();
        self.bar.set_position(done);
        let size = self.bar.length().filter(|_| self.sized);
        self.bar.set_message(format!("{}{}", self.what, status(rows, elapsed_s, size, done)));
        self.bar.tick();
    }

    /// The same: `rows` rows are done, which are this share of the work, from 0 to 1.
    pub fn tell_share(&self, rows: u64, share: f64) {
        self.tell(rows, (share * Self::PARTS as f64) as u64);
    }
}

impl Drop for RowProgress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn status(rows: u64, elapsed_s: f64, size: Option<u64>, done: u64) -> String {
    let mut text = format::counted(rows, "row");
    if elapsed_s > 0.0 {
        let rate = rows as f64 / elapsed_s;
        // `0.5 rows/s`, not `1`; from 10 on a whole number.
        let rate = if rate < 9.95 { format::decimals(rate, 1) } else { format::brief(rate) };
        text += &format!("  {rate} rows/s");
    }
    if let Some(size) = size.filter(|_| done > 0) {
        let left = size.saturating_sub(done) as f64 / done as f64;
        text += &format!("  eta {}", format::duration(elapsed_s * left));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_the_size() {
        assert_eq!(status(12_000, 10.0, Some(400), 100), "12,000 rows  1.2k rows/s  eta 30s");
        assert_eq!(status(12_000, 10.0, Some(400), 400), "12,000 rows  1.2k rows/s  eta 0.0s");
        assert_eq!(status(5, 10.0, None, 100), "5 rows  0.5 rows/s");
        assert_eq!(status(99, 10.0, None, 100), "99 rows  9.9 rows/s");
        assert_eq!(status(100, 10.0, None, 100), "100 rows  10 rows/s");
        assert_eq!(status(0, 0.0, Some(400), 0), "0 rows");
    }

    #[test]
    fn a_file_of_unknown_size_has_no_time_left() {
        for size in [None, Some(10)] {
            let progress = RowProgress::new(ProgressDrawTarget::hidden(), size);
            progress.tell(3, 7);
            assert_eq!((progress.bar.position(), progress.bar.length()), (7, size));
        }
    }
}
