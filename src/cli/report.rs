//! `taper report`

use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use taper::{
    event::Split,
    report::{self, ReportError, ReportInput, RunInput},
};

use super::{Global, Unusable, common, output::Output};

/// Write the report of an experiment: report.html, report.md, charts and tables.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper report quickstart\n  taper report quickstart --out docs/quickstart")]
pub struct Report {
    /// Experiment: its name or its spec file.
    experiment: String,
    /// Output folder; `RUNS/reports/EXPERIMENT` by default.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite files of the same names even if no report wrote them.
    #[arg(long)]
    force: bool,
}

impl Report {
    /// Writes the report and names its files.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let experiment = store.experiment(&common::experiment(&store, &self.experiment)?)?;
        let name = experiment.name.clone();
        let planned = |key: &String| experiment.runs.iter().any(|(k, _)| k == key);
        let earlier = store.runs()?.iter().filter(|r| r.experiment == experiment.name && !planned(&r.key)).count();
        let mut runs = Vec::new();
        for run in store.runs_of(&experiment.name)? {
            let split = if run.config.data.test > 0.0 { Split::Test } else { Split::Dev };
            runs.push(RunInput {
                steps: store.steps(&run.key)?,
                evals: store.evals(&run.key)?,
                probes: store.probes(&run.key)?,
                predictions: store.predictions(&run.key, split)?,
                warnings: store.warnings(&run.key)?,
                run,
            });
        }
        let folder = self.out.clone().unwrap_or_else(|| global.runs.join("reports").join(&experiment.name));
        let render = if self.force { report::render_over } else { report::render };
        let files = match render(&ReportInput { experiment, runs }, &folder) {
            Err(e @ ReportError::Foreign { .. }) => return Err(Unusable(e.into()).into()),
            files => files?,
        };
        if out.json {
            out.document(&files)?;
        } else {
            let is_page = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem == "report");
            files.iter().rev().filter(is_page).try_for_each(|file| out.line(file.display()))?;
            let hidden =
                |file: &&PathBuf| file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            let others = files.iter().filter(|file| !is_page(file) && !hidden(file)).count();
            if !global.quiet {
                out.line(format!("{others} charts and tables lie beside them"))?;
            }
            if earlier > 0 && !global.quiet {
                out.line(format!(
                    "{earlier} other runs of this name, of earlier versions of the spec or variants of it, are not in it: `taper list {0}` \
                     shows them",
                    name
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
