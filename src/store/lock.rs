//! Who owns a run: a lock on a file, which the kernel gives back however its process ends.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::StoreError;

/// The right to make a run, held as long as this lives. A process that is killed loses it at once; a process id that is
/// used again means nothing.
#[derive(Debug)]
pub struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of the run `key` in the folder `runs`; `None` where another holder has it.
    ///
    /// The file stays behind when the lock is given back: removing it would let two processes hold "the" lock, one of
    /// them on a file that has no name any more.
    pub fn acquire(runs: &Path, key: &str) -> Result<Option<Self>, StoreError> {
        let path = path(runs, key);
        let failed = |error| StoreError::Lock { path: path.clone(), error };
        let folder = runs.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| StoreError::Folder { path: folder, error })?;
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
        // A look by `is_locked` holds the lock for an instant; an owner holds it for longer than these tries.
        for attempt in 0.. {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) if attempt < 40 => thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::WouldBlock) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Ok(None)
    }
}

/// Whether a living process holds the lock of the run `key`.
///
/// Where that cannot be found out the answer is yes: showing a dead run as alive can be put right later, calling a
/// living one dead cannot.
pub fn is_locked(runs: &Path, key: &str) -> bool {
    match File::open(path(runs, key)) {
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

const FOLDER: &str = "locks";

fn path(runs: &Path, key: &str) -> PathBuf {
    runs.join(FOLDER).join(format!("{key}.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_locked(folder.path(), "a"));
        let lock = RunLock::acquire(folder.path(), "a").unwrap().expect("free");
        assert!(is_locked(folder.path(), "a") && !is_locked(folder.path(), "b"));
        assert!(RunLock::acquire(folder.path(), "a").unwrap().is_none());
        drop(lock);
        assert!(!is_locked(folder.path(), "a"));
        assert!(RunLock::acquire(folder.path(), "a").unwrap().is_some());
    }

    #[test]
    fn looking_never_takes_the_lock_from_who_wants_it() {
        let folder = tempfile::tempdir().unwrap();
        drop(RunLock::acquire(folder.path(), "a").unwrap());
        thread::scope(|scope| {
            scope.spawn(|| (0..2000).for_each(|_| _ = is_locked(folder.path(), "a")));
            for _ in 0..50 {
                assert!(RunLock::acquire(folder.path(), "a").unwrap().is_some());
            }
        });
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("locks"), "in the way").unwrap();
        let error = RunLock::acquire(folder.path(), "a").unwrap_err().to_string();
        assert!(error.contains("locks") && error.contains("cannot create the folder"), "{error}");
    }
}
