//! From records to a report: one self-contained HTML page, the same in Markdown, charts (SVG and PNG), CSV tables.
//!
//! [`render`] writes a report; [`leaderboard()`] is the part that a terminal shows. Records ([`ReportInput`]) are analysed once (`analysis`),
//! turned into charts (`pictures`, drawn by `charts`) and strings (`view`), and inserted into two templates. [`compare`] compares runs and trials
//! with each other. Nothing depends on a
//! clock, a random number or the order of a map: the same records give the same bytes. Only the PNG files also depend on the
//! fonts of the machine, since no browser chooses one; `png-fonts.txt` names those that were used.

mod analysis;
mod audit;
mod baseline;
mod card;
mod cells;
mod change;
mod charts;
pub mod compare;
mod curves;
mod decision_tables;
mod environment;
mod error;
mod files;
mod fold_rows;
mod folds;
mod format;
mod frame;
mod high_loss;
mod index;
mod input;
mod intervals;
mod language;
mod leaderboard;
mod long_texts;
mod means;
mod missing;
mod mistakes;
mod pictures;
mod prediction_tables;
mod progress;
mod rates;
mod read;
mod reference;
mod render;
mod row_names;
mod same_rows;
mod sentence;
mod staged;
mod sweep;
mod swept;
mod tables;
mod templates;
mod terms;
mod trials;
mod undefined;
mod unfinished;
mod view;
mod weights;
mod with_decision;
mod without_texts;

pub use card::{CardInput, Origin, Stored, Weights, card, is_as_written};
pub use environment::run_again;
pub use error::ReportError;
pub use fold_rows::FoldRows;
pub use folds::OutOfFold;
pub use high_loss::{LAST_STEPS, about_result, high_loss};
pub use index::{IndexBest, IndexEntry, check_index, index, percent_encoded};
pub use input::{ReportInput, RunInput};
pub use language::{Language, LiveEnd, Said};
pub use leaderboard::{Leaderboard, Trial, leaderboard, leaderboard_of, replicates};
pub use long_texts::long_texts;
pub use means::{Mean, Tested, interval_notes};
pub use missing::{Missing, trained_again};
pub use progress::{Progress, best_so_far};
pub use render::{LivePage, check_folder, draws_chinese, live_page, render, render_over, render_with_fonts};
pub use row_names::{RowName, RowNames};
pub use trials::{kept_at, trial_numbers};
pub use undefined::UndefinedRun;
pub use unfinished::which_evaluation;
pub use view::NOT_FINAL;
pub use weights::weights;
pub use with_decision::chosen;
