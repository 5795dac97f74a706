//! `taper rm`

use std::process::ExitCode;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::json;
use taper::{
    execute::{remove_runs, run_bytes},
    format,
    store::{RunRecord, Store},
};

use super::{Global, Unusable, ask, common, output::Output};

/// Remove runs: what was measured, and their folders. Asks first.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper rm 3f2a 77c1\n  taper rm --experiment quickstart --yes")]
pub struct Rm {
    /// Keys of runs (their first digits will do), or their names.
    #[arg(value_name = "RUN", required_unless_present = "experiment")]
    wanted: Vec<String>,
    /// Remove this experiment with all its runs that no other experiment has. Its report stays.
    #[arg(long, value_name = "NAME", conflicts_with = "wanted")]
    experiment: Option<String>,
    /// Do not ask.
    #[arg(long, short)]
    yes: bool,
}

impl Rm {
    /// Asks and removes.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let mut store = common::open_existing(global)?;
        let records = self.records(&store).map_err(Unusable)?;
        let bytes: u64 = records.iter().map(|run| run_bytes(&global.runs, &run.key)).sum();
        let many = match records.len() {
            1 => "1 run".into(),
            n => format!("{n} runs"),
        };
        if !self.yes {
            if !ask::can_ask() {
                return Err(Unusable(anyhow!(
                    "{many} would be removed: add --yes, for there is no terminal to ask on"
                ))
                .into());
            }
            self.list(&records, out)?;
            if !ask::confirm(&format!("remove {many} with all that was measured, {} of disk?", format::bytes(bytes)))? {
                out.line("nothing removed")?;
                return Ok(ExitCode::from(1));
            }
        }
        remove_runs(&mut store, &global.runs, &records)?;
        if let Some(name) = &self.experiment {
            store.remove_experiment(name)?;
        }
        if out.json {
            let keys: Vec<&str> = records.iter().map(|run| run.key.as_str()).collect();
            out.document(&json!({ "removed": keys, "experiment": self.experiment, "bytes": bytes }))?;
        } else if !global.quiet {
            out.line(format!("removed {many}, {} of disk", format::bytes(bytes)))?;
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The runs meant, each once.
    fn records(&self, store: &Store) -> Result<Vec<RunRecord>> {
        let mut records: Vec<RunRecord> = Vec::new();
        if let Some(name) = &self.experiment {
            let experiments = store.experiments()?;
            let elsewhere =
                |key: &str| experiments.iter().any(|e| e.name != *name && e.runs.iter().any(|(k, _)| k == key));
            records = store.runs_of(name)?.into_iter().filter(|run| !elsewhere(&run.key)).collect();
        }
        for wanted in &self.wanted {
            let run = store.find(wanted)?;
            if records.iter().all(|other| other.key != run.key) {
                records.push(run);
            }
        }
        Ok(records)
    }

    fn list(&self, records: &[RunRecord], out: &mut Output) -> Result<()> {
        out.table(
            &["run", "experiment", "name", "state", "steps"],
            records.iter().map(|run| {
                let key = format::short(&run.key).into();
                vec![key, run.experiment.clone(), run.name.clone(), common::state(run), format::count(run.steps)]
            }),
        )
    }
}
