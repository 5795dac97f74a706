//! `taper collect`

use std::{collections::HashSet, process::ExitCode};

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    execute::{self, Collected},
    format,
    store::Store,
};

use super::{Global, Unusable, output::Output};

/// Import the results of runs that were trained on a cluster into the database.
#[derive(Args)]
#[command(
    after_help = "`taper list` and `taper report` do this automatically. Results that are collected twice are stored once."
)]
pub struct Collect {
    /// Show only what was collected for this experiment.
    name: Option<String>,
}

impl Collect {
    /// Collects.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let mut store = Store::open_existing(&global.runs).map_err(|e| Unusable(e.into()))?;
        if let Some(name) = &self.name {
            store.experiment(name).map_err(|e| Unusable(e.into()))?;
        }
        let collected = execute::collect(&mut store, &global.runs)?;
        let shown = self.shown(&store, &collected)?;
        match out.json {
            true => out.line(json!({
                "stored": shown.iter().filter(|key| collected.stored.contains(key)).collect::<Vec<_>>(),
                "not_needed": shown.iter().filter(|key| collected.not_needed.contains(key)).collect::<Vec<_>>(),
                "damaged": collected.damaged.iter().map(|(path, _)| path).collect::<Vec<_>>(),
                "unknown": collected.unknown,
                "busy": collected.busy,
            }))?,
            false => print(&store, &collected, &shown, out)?,
        }
        Ok(if collected.damaged.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// The keys of the collected runs that are shown.
    fn shown(&self, store: &Store, collected: &Collected) -> Result<Vec<String>> {
        let all = collected.stored.iter().chain(&collected.not_needed).cloned();
        let Some(name) = &self.name else { return Ok(all.collect()) };
        let own: HashSet<String> = store.runs_of(name)?.into_iter().map(|run| run.key).collect();
        Ok(all.filter(|key| own.contains(key)).collect())
    }
}

fn print(store: &Store, collected: &Collected, shown: &[String], out: &mut Output) -> Result<()> {
    for key in shown {
        let run = store.run(key)?;
        let what = match collected.not_needed.contains(key) {
            true => {
                "not needed: the run was completed elsewhere in the meantime, and those results are kept".to_string()
            }
            false => format!("collected: {}", run.state.word()),
        };
        out.wrapped(&format!("{}  {}: {what}", format::short(key), run.name))?;
    }
    if shown.is_empty() {
        out.line("nothing to collect")?;
    }
    for (path, what) in [
        (&collected.unknown, "its run is not in the database: run its spec again, then collect"),
        (&collected.busy, "another taper process is working on its run: collect again later"),
    ] {
        for path in path {
            out.wrapped(&format!("{}: not collected: {what}", path.display()))?;
        }
    }
    for (_, why) in &collected.damaged {
        out.wrapped(why)?;
    }
    Ok(())
}
