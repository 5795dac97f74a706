//! `taper report`

use std::{io, path::PathBuf, process::ExitCode};

use anyhow::Result;
use clap::Args;
use taper::{
    format,
    report::{self, ReportError, ReportInput},
};

use super::{
    Global, Unusable, common,
    listed::no_runs,
    output::{self, Output},
};

/// Write the report of an experiment: report.html, report.md, charts and tables.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper report quickstart\n  taper report quickstart --out docs/quickstart")]
pub struct Report {
    /// Experiment: its name or its spec file.
    experiment: String,
    /// Output folder; `RUNS/reports/EXPERIMENT` by default.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Overwrite existing files that have the names of report files, even if taper did not write them.
    #[arg(long)]
    force: bool,
}

/// Whether a folder cannot be written, so that another one may help.
fn is_elsewhere(e: &io::Error) -> bool {
    use io::ErrorKind::*;
    matches!(
        e.kind(),
        AlreadyExists
            | NotADirectory
            | IsADirectory
            | PermissionDenied
            | ReadOnlyFilesystem
            | InvalidFilename
            | NotFound
    )
}

impl Report {
    /// Writes the report and prints its files.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let experiment = store.experiment(&common::experiment(&store, &self.experiment)?)?;
        let name = experiment.name.clone();
        let earlier = store.runs_ever_of(&name)?.iter().filter(|run| !run.in_plan).count();
        let input = ReportInput::read(&store, experiment)?;
        let is_empty = input.runs.is_empty();
        let folder = self.out.clone().unwrap_or_else(|| global.runs.join("reports").join(&name));
        let render = if self.force { report::render_over } else { report::render };
        let files = match render(&input, &folder) {
            Err(e @ ReportError::Foreign { .. }) => return Err(Unusable(e.into()).into()),
            Err(ReportError::Folder { path, error } | ReportError::Write { path, error }) if is_elsewhere(&error) => {
                let what = match error.kind() {
                    io::ErrorKind::AlreadyExists => format!("{} exists and is not a folder", path.display()),
                    // Its parents are created: there is no room for it in the one that is there.
                    io::ErrorKind::NotFound => {
                        format!("{} cannot be created: check that its parent folder is writable", path.display())
                    }
                    _ => format!("{}: {}", path.display(), format::io(&error)),
                };
                let why = format!("the report cannot be written: {what}; choose another folder with --out DIR");
                return Err(Unusable(anyhow::anyhow!(why)).into());
            }
            files => files?,
        };
        if is_empty {
            output::error(&no_runs(&name, out));
        }
        if out.json {
            out.document(&files)?;
        } else {
            let is_page = |file: &&PathBuf| file.file_stem().is_some_and(|stem| stem == "report");
            files.iter().rev().filter(is_page).try_for_each(|file| out.line(file.display()))?;
            // The others are internal: the fonts used, and the list of files.
            let shows = |file: &&PathBuf| {
                file.extension().is_some_and(|ending| ["png", "svg", "csv"].iter().any(|e| ending == *e))
            };
            let others = files.iter().filter(|file| !is_page(file) && shows(file)).count();
            if !global.quiet {
                let are = format::by_number(others as u64, "chart or table", "charts and tables");
                out.line(format!("and {others} {are} in the same folder"))?;
            }
            if earlier > 0 && !global.quiet {
                out.wrapped(&format!(
                    "the report leaves out {} with this experiment's name that {} to earlier versions or variants of the spec; `{}` shows {}",
                    format::counted(earlier as u64, "run"),
                    format::by_number(earlier as u64, "belongs", "belong"),
                    out.command(&format!("taper list {}", format::command::shell_word(&name))),
                    format::by_number(earlier as u64, "it", "them"),
                ))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
