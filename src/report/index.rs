//! The index of all experiments: one page that links to their reports.

use std::path::{Path, PathBuf};

use askama::Template;
use serde::Serialize;

use super::{
    Leaderboard, ReportError, files, format,
    frame::Frame,
    language::{counted_states, measured},
    staged::Staged,
    templates::filters,
};
use crate::store::{ExperimentRecord, RunRecord};

/// What the index says of one experiment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IndexEntry {
    /// Its name.
    pub experiment: String,
    /// Its description.
    pub description: String,
    /// The number of runs of its plan that have a record.
    pub runs: usize,
    /// The number of runs in each state: `9 completed, 1 failed`.
    pub states: String,
    /// The first trial of its ranking.
    pub best: Option<IndexBest>,
    /// When its last run ended, in seconds since 1970.
    pub finished_at: Option<f64>,
}

/// The first trial of a ranking.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct IndexBest {
    /// Its name; empty if it is the only one.
    pub trial: String,
    /// The metric that ranks, with its split: `dev accuracy`.
    pub metric: String,
    /// Its mean, with an interval if it has one; `–` if it is undefined.
    pub value: String,
    /// The mean alone.
    #[serde(skip)]
    pub mean: String,
    /// Whether it has completed all its runs.
    pub is_final: bool,
    /// How much of the plan has ended, if not all has: `5 of 12 runs completed`. The trial is the best so far then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub so_far: Option<String>,
    /// Whether one of its runs has a warning that its model does nothing useful.
    #[serde(skip)]
    pub is_warned: bool,
    /// Whether it was chosen by the rows that the value is of, which is too high then.
    #[serde(skip)]
    pub is_optimistic: bool,
}

impl IndexEntry {
    /// The entry of an experiment with these runs of its plan and this ranking.
    pub fn of(experiment: &ExperimentRecord, runs: &[RunRecord], board: &Leaderboard) -> Self {
        let best = board.trials.first().and_then(|trial| {
            // The metric of a complete trial can be undefined.
            let value = trial.value;
            (value.is_some() || trial.rank.is_some()).then(|| IndexBest {
                trial: if board.has_several() { trial.name.clone() } else { String::new() },
                metric: measured(board.split, board.metric),
                value: value.map_or(format::NOTHING.into(), |mean| mean.text(board.metric)),
                mean: value.map_or(format::NOTHING.into(), |mean| board.metric.text(mean.mean)),
                is_final: trial.rank.is_some(),
                so_far: (board.has_several() && !board.progress.has_all()).then(|| board.progress.text()),
                is_warned: trial.warned > 0,
                is_optimistic: board.is_chosen_on_test(),
            })
        });
        let finished = runs.iter().filter_map(|run| run.finished_at).reduce(f64::max);
        Self {
            experiment: experiment.name.clone(),
            description: experiment.description.clone(),
            runs: runs.len(),
            states: counted_states(runs.iter().map(|run| run.state)),
            best,
            finished_at: finished,
        }
    }

    /// When its last run ended, as the reports write it.
    fn finished(&self) -> String {
        self.finished_at.map_or(format::NOTHING.into(), format::time)
    }

    /// The address of its report beside the index.
    fn address(&self) -> String {
        format!("{}/report.html", percent_encoded(&self.experiment))
    }
}

/// A file name as part of an address.
pub fn percent_encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[derive(Template)]
#[template(path = "index.html")]
struct Page<'a> {
    entries: &'a [IndexEntry],
    frame: Frame,
    /// Whether a best trial has the mark of a model that does nothing useful.
    warned: bool,
}

const NAME: &str = "index.html";

/// Whether [`index`] can write into the folder `out`.
///
/// # Errors
/// As [`index`].
pub fn check_index(out: &Path, force: bool) -> Result<(), ReportError> {
    Staged::index(out)?.check(&[NAME.into()], force)
}

/// Writes `index.html` into the folder `out`, in which each experiment's report is in a folder with its name. Files that no report wrote are
/// replaced only with `force`.
///
/// # Errors
/// The folder cannot be written, or has another `index.html`.
pub fn index(entries: &[IndexEntry], out: &Path, force: bool) -> Result<PathBuf, ReportError> {
    let warned = entries.iter().filter_map(|entry| entry.best.as_ref()).any(|best| best.is_warned);
    let page = Page { entries, warned, frame: Frame::of_file() }.render().map_err(ReportError::Page)?;
    let page = format::visible(&page);
    let staged = Staged::index(out)?;
    files::write(&staged.path().join(NAME), page.as_bytes())?;
    staged.publish(&[NAME.into()], force)?;
    Ok(out.join(NAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_that_of_a_folder_with_any_name() {
        assert_eq!(percent_encoded("a b#1?中.x"), "a%20b%231%3F%E4%B8%AD.x");
    }
}
