//! `taper gc`

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;
use taper::{
    execute::{Waste, find_unknown, find_waste, remove_waste},
    format,
};

use super::{Global, ask, common, output::Output};

/// List files that no run needs and remove them. Asks first.
#[derive(Args)]
#[command(after_help = "Examples:\n  taper gc\n  taper gc --yes")]
pub struct Gc {
    /// Do not ask for confirmation. Without a terminal, nothing is removed unless this is given.
    #[arg(long, short)]
    yes: bool,
}

impl Gc {
    /// Lists, asks, removes.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let found = find_waste(&store, &global.runs)?;
        let unknown = find_unknown(&store, &global.runs)?;
        let size = |waste: &[Waste]| waste.iter().map(|w| w.bytes).sum::<u64>();
        let total = format::bytes(size(&found));
        if !out.json && !global.quiet && !found.is_empty() {
            out.table(
                &["size", "file or folder", "why no run needs it"],
                found.iter().map(|w| vec![format::bytes(w.bytes), w.path.display().to_string(), w.why.into()]),
            )?;
        }
        let question = format!("remove all of these, {total}?");
        let wanted = !found.is_empty() && (self.yes || (!out.json && ask::can_ask() && ask::confirm(&question)?));
        let (shown, removed) = match wanted {
            true => (Vec::new(), remove_waste(&store, &global.runs, found)?),
            false => (found, Vec::new()),
        };
        if out.json {
            out.document(&json!({ "found": shown, "removed": removed, "bytes": size(&shown) + size(&removed), "unknown": unknown }))?;
            return Ok(ExitCode::SUCCESS);
        }
        if !removed.is_empty() {
            out.line(format!("freed {} of disk space", format::bytes(size(&removed))))?;
        } else if shown.is_empty() {
            out.line("nothing to remove")?;
        } else {
            out.line(format!("{total} could be freed: `{}` removes these files", out.command("taper gc --yes")))?;
        }
        if let Some(first) = unknown.first().filter(|_| !global.quiet) {
            out.line(format!(
                "{} without a record in this database {} left alone ({}{}): {}",
                format::counted(unknown.len() as u64, "run folder"),
                format::by_number(unknown.len() as u64, "was", "were"),
                format::by_number(unknown.len() as u64, "", "the first is "),
                first.display(),
                format::by_number(
                    unknown.len() as u64,
                    "it may belong to another database; remove it by hand if you do not need it",
                    "they may belong to another database; remove them by hand if you do not need them"
                )
            ))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}
