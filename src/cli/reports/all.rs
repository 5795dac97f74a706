//! The reports of all experiments: the list of what there is, and the index page.

use std::path::PathBuf;

use anyhow::Result;
use taper::{
    format::{self, command::shell_word},
    report::{self, IndexEntry, best_so_far, leaderboard_of},
    store::Store,
};

use super::{
    super::{
        Global,
        listed::no_store,
        marks::MARK_OF_BEST,
        output::{self, Output},
    },
    write::{How, Writing, explained, write},
};

fn entries(store: &Store) -> Result<Vec<IndexEntry>> {
    let of = |experiment: &taper::store::ExperimentRecord| {
        let runs = store.runs_of(&experiment.name)?;
        Ok(IndexEntry::of(experiment, &runs, &leaderboard_of(store, experiment, &runs)?))
    };
    store.experiments()?.iter().map(of).collect()
}

/// Lists the experiments, each with the command that writes its report.
pub fn list(global: &Global, store: &Store, out: &mut Output) -> Result<()> {
    let entries = entries(store)?;
    if out.json {
        return out.document(&entries);
    }
    if entries.is_empty() {
        output::error(&no_store(&global.runs, out));
        return Ok(());
    }
    let best = |entry: &IndexEntry| match &entry.best {
        Some(best) => {
            let mark = match (best.is_final, best.so_far.is_some()) {
                (false, _) => " (not final)".into(),
                (true, true) => format!(" ({})", best_so_far()),
                (true, false) => String::new(),
            };
            // The interval is in the JSON and on the page.
            let warned = if best.is_warned { " !" } else { "" };
            format!("{} {}{warned}{mark}", best.metric, best.mean)
        }
        None => format::NOTHING.into(),
    };
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            let command = out.command(&format!("taper report {}", shell_word(&entry.experiment)));
            vec![entry.experiment.clone(), entry.states.clone(), best(entry), output::unbroken(&command)]
        })
        .collect();
    out.fitted(&["experiment", "runs", "best trial", "write its report"], rows, &["best trial", "runs"])?;
    out.say_what_is_left_out()?;
    if entries.iter().filter_map(|entry| entry.best.as_ref()).any(|best| best.is_warned) {
        out.wrapped(MARK_OF_BEST)?;
    }
    out.wrapped(&format!("all of them, with an index page: `{}`", out.command("taper report --all")))
}

/// Writes the report of each experiment and the index page, and returns its path and the number of reports.
pub fn write_all(
    global: &Global,
    store: &Store,
    folder: Option<PathBuf>,
    how: How,
    out: &Output,
) -> Result<(PathBuf, usize)> {
    let folder = folder.unwrap_or_else(|| global.runs.join("reports"));
    // Before any report is written.
    report::check_index(&folder, how.force).map_err(explained)?;
    let entries = how.language.during(|| entries(store))?;
    for entry in &entries {
        let own = folder.join(&entry.experiment);
        write(store, &Writing { experiment: &entry.experiment, folder: &own, how }, out)?;
    }
    let index = how.language.during(|| report::index(&entries, &folder, how.force)).map_err(explained)?;
    Ok((index, entries.len()))
}
