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
    file: File,
    path: PathBuf,
}

impl RunLock {
    /// Takes the lock of the run `key` in the folder `runs`; `None` where another holder has it.
    pub fn acquire(runs: &Path, key: &str) -> Result<Option<Self>, StoreError> {
        let path = path(runs, key);
        let failed = |error| StoreError::Lock { path: path.clone(), error };
        let folder = runs.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| StoreError::Folder { path: folder, error })?;
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(failed);
        let mut file = open()?;
        // A look by `is_locked` holds the lock for an instant; an owner holds it for longer than these tries.
        let mut attempt = 0;
        loop {
            match file.try_lock() {
                // Between opening and locking its owner may have removed it: a lock without a name locks nobody out.
                Ok(()) if is_at(&file, &path) => return Ok(Some(Self { file, path })),
                Ok(()) => file = open()?,
                Err(TryLockError::WouldBlock) if attempt < 40 => {
                    attempt += 1;
                    thread::sleep(Duration::from_millis(5));
                }
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

/// Removes what killed processes left of their locks: files that nobody holds. As far as that goes.
pub fn tidy_locks(runs: &Path) {
    for entry in fs::read_dir(runs.join(FOLDER)).into_iter().flatten().flatten() {
        let path = entry.path();
        if let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
            && is_at(&file, &path)
        {
            drop(RunLock { file, path });
        }
    }
}

impl Drop for RunLock {
    /// Leaves no file behind. It is removed while the lock is still held: whoever waits for it finds out that it has no name.
    fn drop(&mut self) {
        if is_at(&self.file, &self.path) && CAN_REMOVE {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether files can be told apart, so that one may be removed while others have it open.
const CAN_REMOVE: bool = cfg!(unix);

/// Whether the open file is the one that has this name.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: std::io::Result<fs::Metadata>| metadata.ok().map(|m| (m.dev(), m.ino()));
    id(file.metadata()).is_some_and(|own| id(fs::metadata(path)) == Some(own))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
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
        let file = folder.path().join("locks/a.lock");
        assert!(file.exists());
        drop(lock);
        assert!(!is_locked(folder.path(), "a"));
        assert_eq!(file.exists(), !CAN_REMOVE, "nothing is left");
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
    fn what_killed_processes_left_is_tidied_and_what_is_held_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let held = RunLock::acquire(folder.path(), "held").unwrap().expect("free");
        fs::write(path(folder.path(), "left"), "").unwrap();
        tidy_locks(folder.path());
        assert_eq!(path(folder.path(), "left").exists(), !CAN_REMOVE);
        assert!(path(folder.path(), "held").exists() && is_locked(folder.path(), "held"));
        drop(held);
        tidy_locks(&folder.path().join("nothing here"));
    }

    /// Many that take the lock and give it back, removing its file: never two at a time.
    #[test]
    fn removing_the_file_lets_nobody_in_twice() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let folder = tempfile::tempdir().unwrap();
        let (inside, times) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        if let Some(_lock) = RunLock::acquire(folder.path(), "a").unwrap() {
                            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                            times.fetch_add(1, Ordering::SeqCst);
                            inside.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(times.into_inner() > 100);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("locks"), "in the way").unwrap();
        let error = RunLock::acquire(folder.path(), "a").unwrap_err().to_string();
        assert!(error.contains("locks") && error.contains("cannot create the folder"), "{error}");
    }
}
