//! `taper list`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use taper::{
    format,
    report::leaderboard,
    store::{RunRecord, Store},
};

use super::{Global, common, leaderboard as board, output::Output, watch};

/// List runs, oldest first.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper list\n  taper list quickstart --json\n  \
    taper list rbt3-waimai-sweep --leaderboard      trials, best first\n  \
    taper list --watch                              from another terminal while runs go on")]
pub struct List {
    /// Runs of this experiment only, those of its earlier plans too.
    experiment: Option<String>,
    /// Show the runs until none is at work any more; ends with Ctrl-C too.
    #[arg(long, conflicts_with_all = ["leaderboard", "json"])]
    watch: bool,
    /// Show the experiment's trials, best first: runs that differ in their seed only, with their mean and its 95 % interval.
    #[arg(long, requires = "experiment")]
    leaderboard: bool,
}

impl List {
    /// Prints a table, or with `--json` an array of runs or of trials.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if self.watch {
            return watch::watch(global, self.experiment.as_deref(), out);
        }
        if out.json && self.experiment.is_none() && !global.runs.join("taper.db").exists() {
            out.document(&[(); 0])?;
            return Ok(ExitCode::SUCCESS);
        }
        let store = common::open_existing(global)?;
        match &self.experiment {
            Some(wanted) if self.leaderboard => {
                board::print(&leaderboard(&store, &common::experiment(&store, wanted)?)?, None, out)?
            }
            experiment => print(&runs(&store, experiment.as_deref())?, out)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// All runs, or those of an experiment, which is named or whose spec file is.
pub fn runs(store: &Store, experiment: Option<&str>) -> Result<Vec<RunRecord>> {
    Ok(match experiment {
        None => store.runs()?,
        Some(wanted) => store.runs_ever_of(&common::experiment(store, wanted)?)?,
    })
}

fn print(runs: &[RunRecord], out: &mut Output) -> Result<()> {
    if out.json {
        return out.document(&runs);
    }
    let dash = || format::NOTHING.to_string();
    let rows = runs.iter().map(|run| {
        let metrics = run.final_metrics.as_ref();
        vec![
            format::short(&run.key).to_string(),
            run.experiment.clone(),
            run.name.clone(),
            common::state(run),
            format!("{}/{}", run.steps, run.total_steps),
            run.last_loss.map_or_else(dash, |loss| format!("{loss:.4}")),
            metrics.map_or_else(dash, |m| format::percent(m.accuracy)),
        ]
    });
    out.table(&["run", "experiment", "name", "state", "steps", "train loss", "accuracy"], rows)
}
