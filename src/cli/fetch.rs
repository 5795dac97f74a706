//! `taper fetch`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    assets::{Located, Pin, Use, differences},
    format,
};

use super::{
    Global, Unusable,
    common::SpecArgs,
    output::{self, Output},
};

/// Download the models and data of a spec and pin them in SPEC.lock, for use offline.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper fetch experiments/rbt3-waimai.toml\n  \
    HF_ENDPOINT=https://hf-mirror.com taper fetch experiments/rbt3-waimai.toml\n  \
    taper fetch experiments/rbt3-waimai.toml --update     resolve again, show the changes, pin them")]
pub struct Fetch {
    #[command(flatten)]
    spec: SpecArgs,
    /// Resolve branches, tags and URLs again, and pin their current content.
    #[arg(long)]
    update: bool,
}

impl Fetch {
    /// Downloads and pins.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let experiment = self.spec.open(global, Vec::new(), "stopped: nothing was pinned")?;
        let wanted = experiment.layers().sources(experiment.spec())?;
        let mut library = experiment.library()?;
        let before: Vec<Pin> = library.lock().map(|lock| lock.written().to_vec()).unwrap_or_default();
        if self.update {
            if library.settings().offline {
                let why = "--update asks the servers for the current versions, which is not possible with --offline";
                return Err(Unusable(anyhow::anyhow!(why)).into());
            }
            library = library.updating();
        }
        let mut problems: Vec<String> = Vec::new();
        for (used_as, source, part) in wanted.iter().filter(|(_, source, _)| source.is_remote()) {
            let found = match used_as {
                Use::Model => library.model(source).map(drop),
                Use::Data => library.data_set(source, part).map(drop),
            };
            if let Err(e) = found.map_err(|e| e.to_string())
                && !problems.contains(&e)
            {
                problems.push(e);
            }
        }
        // Half an update would leave an inconsistent lock; half a first fetch is still useful.
        let keep = problems.is_empty() || !self.update;
        let written = match library.lock() {
            Some(lock) if keep => lock.save().map_err(|e| Unusable(e.into()))?,
            _ => false,
        };
        let located = library.located().to_vec();
        let path = library.lock().map(|lock| lock.path().display().to_string()).unwrap_or_default();
        match out.json {
            true => {
                out.document(&json!({ "lock": path, "written": written, "sources": located, "problems": problems }))?
            }
            // If nothing was found there is only the error to show.
            false if located.is_empty() && !problems.is_empty() => {}
            false => print(&located, &before, self.update, (&path, written), global, out)?,
        }
        match problems.is_empty() {
            true => Ok(ExitCode::SUCCESS),
            false => {
                output::error(&format!("error: {}", problems.join("\nerror: ")));
                Ok(ExitCode::from(2))
            }
        }
    }
}

fn print(
    located: &[Located],
    before: &[Pin],
    update: bool,
    (path, written): (&str, bool),
    global: &Global,
    out: &mut Output,
) -> Result<()> {
    if global.quiet {
        return Ok(());
    }
    let mut rows = Vec::new();
    for Located { pin, folder } in located {
        let bytes = pin.files.iter().map(|file| file.size).sum();
        let files = match pin.files.len() {
            1 => pin.files[0].name.clone(),
            n => format!("{n} files"),
        };
        let revision = pin.revision.as_deref().map_or("", format::short).to_string();
        rows.push(vec![pin.source.clone(), revision, files, format::bytes(bytes), folder.display().to_string()]);
    }
    out.rows(rows)?;
    if update {
        for Located { pin, .. } in located {
            let same = |old: &&Pin| (old.used_as, &old.source, &old.file) == (pin.used_as, &pin.source, &pin.file);
            let changes = before.iter().find(same).map(|old| differences(old, pin));
            match changes {
                Some(changes) if changes.is_empty() => out.line(format!("{}: unchanged", pin.source))?,
                Some(changes) => out.line(format!("{}: {}", pin.source, changes.join("; ")))?,
                None => out.line(format!("{}: new", pin.source))?,
            }
        }
    }
    match (located.is_empty(), written) {
        (true, _) => out.line("nothing to fetch: every source is local (path:) or created (scratch:)"),
        (false, true) => out.line(format!("pinned in {path}")),
        (false, false) => out.line(format!("already pinned in {path}")),
    }
}
