//! `taper export`

use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    path::{self, Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Result, anyhow};
use clap::Args;
use taper::{
    event::FailureKind,
    execute::{ExecuteError, Kept},
    format,
    plan::Keep,
    store::{RunRecord, RunState, Store},
};

use super::{Global, Unusable, common, output::Output};

/// Export a trained model to a folder that transformers can load.
#[derive(Args)]
#[command(after_help = "In Python:\n  from transformers import AutoModelForSequenceClassification, AutoTokenizer\n  \
    model = AutoModelForSequenceClassification.from_pretrained(DIR)\n  tokenizer = AutoTokenizer.from_pretrained(DIR)")]
pub struct Export {
    /// Run: its key, the first digits of the key, its name, or the experiment or spec file if it has only one run.
    run: String,
    /// Folder to create.
    dir: PathBuf,
}

/// The model of a run; why there is none, where there is none.
pub fn kept(store: &Store, run: &RunRecord, runs: &Path) -> Result<Kept> {
    if let Some(kept) = Kept::of(store, runs, run)? {
        return Ok(kept);
    }
    if run.config.checkpoint.keep == Keep::None {
        let why = anyhow!(
            "run {} kept no model: its spec says checkpoint.keep = \"none\"; with \"last\" or \"best\", `taper run` trains it again and keeps one",
            format::short(&run.key)
        );
        return Err(Unusable(why).into());
    }
    let retry = match run.failure {
        Some(FailureKind::Diverged) => "; `taper run` leaves out what diverged, with --retry it trains it again",
        _ if run.state == RunState::Pruned => {
            "; `taper run` leaves out what was pruned, with --retry it trains it to its end"
        }
        _ => "; `taper run` trains it",
    };
    let key = format::short(&run.key);
    let why = match run.state {
        RunState::Completed => {
            anyhow!("run {key} is completed, but its model is not there; `taper run` trains it again")
        }
        _ => anyhow!("run {key} has no model: it is {}{retry}", run.state_text()),
    };
    Err(Unusable(why).into())
}

impl Export {
    /// Copies the files.
    pub fn execute(&self, global: &Global, out: &mut Output) -> Result<ExitCode> {
        let store = common::open_existing(global)?;
        let run = common::find(&store, &self.run)?;
        let kept = kept(&store, &run, &global.runs)?;
        let occupied = fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_some());
        if occupied || self.dir.is_file() {
            let why = anyhow!("{} is there already and not an empty folder; choose another", self.dir.display());
            return Err(Unusable(why).into());
        }
        // A model that is not what the run kept is not exported.
        let copy = |new: &Path| kept.reading(|| copy_files(kept.folder(), new));
        let mut files = copy_whole(&self.dir, copy)?;
        files.sort();
        match out.json {
            true => out.document(&files)?,
            false => files.iter().try_for_each(|file| out.line(file.display()))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Has `copy` fill a new folder, which is there whole or not at all. Gives back the files of the names that it returns.
fn copy_whole<E: Into<anyhow::Error>>(
    dir: &Path,
    copy: impl FnOnce(&Path) -> Result<Vec<OsString>, E>,
) -> Result<Vec<PathBuf>> {
    let at = |path: &Path, e: &io::Error| anyhow!("{}: {}", path.display(), format::io(e));
    // Before anything is copied: another folder will do.
    let refused = |path: &Path, e: &io::Error| anyhow::Error::from(Unusable(at(path, e)));
    // An empty folder, which may be reached by a link, makes room for the new one.
    let to = dir.canonicalize().or_else(|_| path::absolute(dir)).map_err(|e| refused(dir, &e))?;
    let above = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(above).map_err(|e| refused(above, &e))?;
    // Its name follows from that of the folder: one that was cut short is found by the same command.
    let digest =
        to.file_name().unwrap_or_default().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let new = above.join(format!(".taper-export-{digest:016x}"));
    let clear = || match fs::remove_dir_all(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    clear().and_then(|()| fs::create_dir(&new)).map_err(|e| refused(&new, &e))?;
    let copied = copy(&new).map_err(Into::into).and_then(|names| {
        let _ = fs::remove_dir(&to);
        fs::rename(&new, &to).and_then(|()| sync_folder(above)).map_err(|e| at(&to, &e))?;
        Ok(names.into_iter().map(|name| dir.join(name)).collect())
    });
    if copied.is_err() {
        let _ = clear();
    }
    copied
}

/// Copies the files of a folder to another one; gives back their names.
fn copy_files(from: &Path, to: &Path) -> Result<Vec<OsString>, ExecuteError> {
    let at = |path: &Path, error| ExecuteError::Io { path: path.to_path_buf(), error };
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(|e| at(from, e))? {
        let name = entry.map_err(|e| at(from, e))?.file_name();
        let copy = to.join(&name);
        fs::copy(from.join(&name), &copy).and_then(|_| File::open(&copy)?.sync_all()).map_err(|e| at(&copy, e))?;
        names.push(name);
    }
    sync_folder(to).map_err(|e| at(to, e))?;
    Ok(names)
}

/// Puts the names in a folder on the disk, where the system can.
fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_was_cut_short_is_not_there_and_the_next_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("model"), dir.path().join("deep/er/out"));
        fs::create_dir(&from).unwrap();
        for name in ["config.json", "model.safetensors"] {
            fs::write(from.join(name), name).unwrap();
        }
        // What is no file cannot be copied: the copy fails in the middle.
        fs::create_dir(from.join("zz")).unwrap();
        assert!(copy_whole(&to, |new| copy_files(&from, new)).is_err());
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 0, "nothing is left");
        fs::remove_dir(from.join("zz")).unwrap();
        // Left by a process that was killed.
        copy_whole(&to, |new| copy_files(&from, new)).unwrap();
        let whole = fs::read_dir(&to).unwrap().count();
        fs::remove_dir_all(&to).unwrap();
        fs::create_dir(&to).unwrap();
        let files = copy_whole(&to, |new| copy_files(&from, new)).unwrap();
        assert_eq!((files.len(), whole), (2, 2));
        assert!(files.iter().all(|file| fs::read(file).unwrap() == file.file_name().unwrap().as_encoded_bytes()));
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
    }
}
