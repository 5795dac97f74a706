//! From records to a report: one self-contained HTML page, the same in Markdown, charts (SVG and PNG), CSV tables.
//!
//! [`render`] is the whole of it; [`leaderboard()`] is the part that a terminal shows. Inside, records ([`ReportInput`]) are looked at once (`analysis`), made into figures
//! (`pictures`, drawn by `charts`) and ready strings (`view`), and placed by two templates. Nothing depends on a clock,
//! a random number or the order of a map: the same records give the same bytes. The PNG files alone also depend on the
//! fonts of the machine, since a browser is not there to find one; `png-fonts.txt` names those that were used.

mod analysis;
mod astray;
mod baseline;
mod charts;
mod environment;
mod error;
mod files;
mod format;
mod input;
mod leaderboard;
mod missing;
mod pictures;
mod render;
mod staged;
mod swept;
mod tables;
mod templates;
mod trials;
mod view;

pub use astray::{LAST_STEPS, astray};
pub use error::ReportError;
pub use input::{ReportInput, RunInput};
pub use leaderboard::{Leaderboard, Mean, Trial, interval_notes, leaderboard, leaderboard_of, trial_numbers};
pub use missing::{Missing, trained_again};
pub use render::{draws_chinese, render, render_over, render_with_fonts};
pub use trials::kept_at;
