//! `taper export`

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, bail};
use clap::Args;
use taper::{execute::RunFolder, format, plan::Keep, store::RunRecord};

use super::{Global, common, output::Output};

/// Copy a trained model to a folder that transformers loads as it is.
#[derive(Args)]
#[command(after_help = "In Python:\n  from transformers import AutoModelForSequenceClassification, AutoTokenizer\n  \
    model = AutoModelForSequenceClassification.from_pretrained(DIR)\n  tokenizer = AutoTokenizer.from_pretrained(DIR)")]
pub struct Export {
    /// Key of the run (its first digits will do), or its name.
    run: String,
    /// The new folder.
    dir: PathBuf,
}

/// The folder of a run's model; why there is none, where there is none.
pub fn model_folder(run: &RunRecord, runs: &Path) -> Result<PathBuf> {
    let folder = RunFolder::new(runs, &run.key).model();
    if folder.join("model.safetensors").is_file() {
        return Ok(folder);
    }
    if run.config.checkpoint.keep == Keep::None {
        bail!("run {} kept no model: its spec says checkpoint.keep = \"none\"", format::short(&run.key));
    }
    bail!("run {} has no model: it is {}; `taper run` makes it", format::short(&run.key), common::state(run))
}

impl Export {
    /// Copies the files.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let run = common::open_existing(global)?.find(&self.run)?;
        let from = model_folder(&run, &global.runs)?;
        let occupied = std::fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_some());
        if occupied || self.dir.is_file() {
            bail!("{} is there already and not an empty folder; choose another", self.dir.display());
        }
        std::fs::create_dir_all(&self.dir).with_context(|| self.dir.display().to_string())?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&from).with_context(|| from.display().to_string())? {
            let from = entry?.path();
            let to = self.dir.join(from.file_name().unwrap_or_default());
            std::fs::copy(&from, &to).with_context(|| to.display().to_string())?;
            files.push(to);
        }
        files.sort();
        match out.json {
            true => out.document(&files)?,
            false => files.iter().try_for_each(|file| out.line(file.display()))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}
