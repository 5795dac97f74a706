//! `taper logs`

use std::{fs, io, process::ExitCode};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use serde_json::json;
use taper::{
    cluster::Slurm,
    experiment::{Job, jobs, log},
    format,
};

use super::{Global, Unusable, common, named, output::Output};

/// Show the output of a run's cluster job.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper logs 3f2a\n  taper logs 3f2a --json")]
pub struct Logs {
    /// Run: its key, a prefix of its key, its name, an experiment or spec file that has only one run, or EXPERIMENT#RANK (or
    /// EXPERIMENT#TRIAL) for the best run of a trial.
    run: String,
}

impl Logs {
    /// Prints the output of the run's last job.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let run = named::find(&store, &self.run, global)?;
        let which = format!("{} ({})", format::short(&run.key), format::one_line(&run.name));
        let Some(submitted) = store.submitted(None)?.into_iter().rfind(|submitted| submitted.run == run.key) else {
            let why = format!("the run {which} was not submitted to a cluster, so it has no job output");
            let show = out.command(&format!("taper show {}", format::short(&run.key)));
            return Err(Unusable(anyhow!("{why}; `{show}` prints its evaluations")).into());
        };
        let path = log(&global.runs, &submitted);
        let text = match fs::read(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            read => Some(read.with_context(|| path.display().to_string())?),
        };
        // Where there is no cluster, its output can still be read.
        let state = || {
            let job = jobs(&Slurm::find().ok()?, vec![submitted.clone()], &store.submissions().ok()?).ok()?.pop();
            job.and_then(|job| Some(job.cluster?.described()))
        };
        if out.json {
            let id = Job { run: submitted.clone(), cluster: None }.id().map(|id| id.to_string());
            let text = text.as_deref().map(String::from_utf8_lossy);
            out.document(&json!({
                "run": run.key, "job": id, "state": state(), "path": path, "text": text, "submission": submitted.submission,
            }))?;
            return Ok(ExitCode::SUCCESS);
        }
        match text {
            Some(text) => out.bytes(&text)?,
            None => {
                let state = state().unwrap_or("the cluster does not know it".into());
                return Err(anyhow!("the job of {which} has printed nothing yet: {state}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
