//! `taper list`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use taper::format;

use super::{Global, common, output::Output};

/// List runs, oldest first.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper list\n  taper list quickstart --json")]
pub struct List {
    /// Runs of this experiment only, those of its earlier plans too.
    experiment: Option<String>,
}

impl List {
    /// Prints a table, or with `--json` an array of runs.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        if out.json && !global.runs.join("taper.db").exists() {
            out.document(&[(); 0])?;
            return Ok(ExitCode::SUCCESS);
        }
        let store = common::open_existing(global)?;
        let mut runs = store.runs()?;
        if let Some(name) = &self.experiment {
            let experiment = store.experiment(name)?;
            runs.retain(|run| {
                run.experiment == experiment.name || experiment.runs.iter().any(|(key, _)| *key == run.key)
            });
        }
        if out.json {
            out.document(&runs)?;
            return Ok(ExitCode::SUCCESS);
        }
        let dash = || "–".to_string();
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
        out.table(&["run", "experiment", "name", "state", "steps", "train loss", "accuracy"], rows)?;
        Ok(ExitCode::SUCCESS)
    }
}
