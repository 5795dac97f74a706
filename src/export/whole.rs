//! Creates folders atomically.

use std::{
    ffi::OsString,
    fs, io,
    path::{self, Path, PathBuf},
};

use super::{
    Exporter, Numbers,
    files::{sync_folder, write_file},
};
use crate::execute::{ExecuteError, Kept};

/// Why a model was not exported.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Another folder may work: nothing was written.
    #[error("{}: {}", path.display(), crate::format::io(error))]
    Folder {
        /// The folder, or its parent.
        path: PathBuf,
        /// Why it cannot be used. Not a `source`: the message already contains it.
        error: io::Error,
    },
    /// Its parent is there, but takes no folder.
    #[error("{} cannot be created: check that {} is writable", path.display(), above.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// Its parent.
        above: PathBuf,
    },
    /// The folder is a link to nothing.
    #[error("{} is a symbolic link to {}, which does not exist: remove the link, or choose another folder", path.display(), to.display())]
    Dangling {
        /// The link.
        path: PathBuf,
        /// What it names.
        to: PathBuf,
    },
    /// The folder is not empty.
    #[error("{} already exists and is not an empty folder: choose another", .0.display())]
    Occupied(PathBuf),
    /// Writing failed, or the model is damaged.
    #[error(transparent)]
    Failed(#[from] ExecuteError),
}

/// The name of a model card.
pub const CARD: &str = "README.md";

/// Writes a model in a format with its card to a folder that is new or empty. Returns its files, sorted. A README.md that somebody put beside
/// the kept model is copied instead of the card.
///
/// # Errors
/// The folder is not empty, the model has changed since its run, or writing fails: then nothing is left behind.
pub fn export(
    format: &dyn Exporter,
    model: &Kept,
    numbers: Numbers,
    card: &str,
    dir: &Path,
) -> Result<Vec<PathBuf>, Refused> {
    free(dir)?;
    let write = |new: &Path| {
        let mut names = model.reading(|| format.write(model, numbers, new))?;
        if !names.iter().any(|name| name == CARD) {
            write_file(&new.join(CARD), card)?;
            names.push(CARD.into());
        }
        Ok(names)
    };
    let mut files = fill(dir, write)?;
    files.sort();
    Ok(files)
}

/// Refuses a folder that is not empty.
pub(super) fn free(dir: &Path) -> Result<(), Refused> {
    if let (false, Ok(to)) = (dir.exists(), fs::read_link(dir)) {
        return Err(Refused::Dangling { path: dir.to_path_buf(), to });
    }
    let occupied = fs::read_dir(dir).is_ok_and(|mut entries| entries.next().is_some());
    if occupied || dir.exists() && !dir.is_dir() { Err(Refused::Occupied(dir.to_path_buf())) } else { Ok(()) }
}

/// Calls `write` to fill a new folder. Returns the paths of the names that it returns.
pub(super) fn fill(
    dir: &Path,
    write: impl FnOnce(&Path) -> Result<Vec<OsString>, ExecuteError>,
) -> Result<Vec<PathBuf>, Refused> {
    let refused = |path: &Path, error| Refused::Folder { path: path.to_path_buf(), error };
    // An empty folder, possibly reached by a link, is replaced by the new one.
    let to = dir.canonicalize().or_else(|_| path::absolute(dir)).map_err(|e| refused(dir, e))?;
    let above = to.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(above).map_err(|e| refused(above, e))?;
    // Its name is derived from that of the folder, so that the same command finds and removes an incomplete one.
    let digest =
        to.file_name().unwrap_or_default().as_encoded_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
    let new = above.join(format!(".taper-export-{digest:016x}"));
    let clear = || match fs::remove_dir_all(&new) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    };
    clear().and_then(|()| fs::create_dir(&new)).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => Refused::Unwritable { path: dir.to_path_buf(), above: above.to_path_buf() },
        _ => refused(above, e),
    })?;
    let written = write(&new).map_err(|e| in_place_of(e, &new, &to)).and_then(|names| {
        let _ = fs::remove_dir(&to);
        let at = |error| ExecuteError::Io { path: to.clone(), error };
        fs::rename(&new, &to).and_then(|()| sync_folder(above)).map_err(at)?;
        Ok(names.into_iter().map(|name| dir.join(name)).collect())
    });
    if written.is_err() {
        let _ = clear();
    }
    Ok(written?)
}

/// An error about a file in the new folder names it in the folder that was asked for: the new one is gone then.
fn in_place_of(error: ExecuteError, new: &Path, to: &Path) -> ExecuteError {
    match error {
        ExecuteError::Io { path, error } => {
            let path = path.strip_prefix(new).map(|name| to.join(name)).unwrap_or(path);
            ExecuteError::Io { path, error }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::files::copy_files, *};

    #[test]
    fn a_copy_that_was_cut_short_is_not_there_and_the_next_one_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("model"), dir.path().join("deep/er/out"));
        fs::create_dir(&from).unwrap();
        for name in ["config.json", "model.safetensors"] {
            fs::write(from.join(name), name).unwrap();
        }
        // A directory entry that is not a file cannot be copied: the copy fails halfway.
        fs::create_dir(from.join("zz")).unwrap();
        assert!(fill(&to, |new| copy_files(&from, new, &[])).is_err());
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 0, "nothing is left");
        fs::remove_dir(from.join("zz")).unwrap();
        // Left by a killed process.
        fill(&to, |new| copy_files(&from, new, &[])).unwrap();
        let whole = fs::read_dir(&to).unwrap().count();
        fs::remove_dir_all(&to).unwrap();
        fs::create_dir(&to).unwrap();
        let files = fill(&to, |new| copy_files(&from, new, &[])).unwrap();
        assert_eq!((files.len(), whole), (2, 2));
        assert!(files.iter().all(|file| fs::read(file).unwrap() == file.file_name().unwrap().as_encoded_bytes()));
        assert_eq!(fs::read_dir(to.parent().unwrap()).unwrap().count(), 1);
    }
}
