//! Ownership of runs: file locks, which the kernel releases however a process ends.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::StoreError;

/// The right to train a run, held as long as this value lives. A killed process loses it at once, and reused process ids do not
/// matter.
#[derive(Debug)]
pub struct RunLock {
    file: File,
    path: PathBuf,
}

impl RunLock {
    /// Acquires the lock of the run `key` in the folder `runs`; `None` if another holder has it.
    pub fn acquire(runs: &Path, key: &str) -> Result<Option<Self>, StoreError> {
        Self::take(runs, key, File::try_lock)
    }

    /// Acquires a shared lock; `None` if another holder has it exclusively.
    pub fn share(runs: &Path, name: &str) -> Result<Option<Self>, StoreError> {
        Self::take(runs, name, File::try_lock_shared)
    }

    fn take(
        runs: &Path,
        key: &str,
        try_lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Option<Self>, StoreError> {
        let path = path(runs, key);
        let failed = |error| StoreError::Lock { path: path.clone(), error };
        let folder = runs.join(FOLDER);
        fs::create_dir_all(&folder).map_err(|error| StoreError::Folder { path: folder.clone(), error })?;
        if !is_plain(&path) {
            return Err(StoreError::NoLock { path });
        }
        let unwritable = |error| StoreError::Unwritable { path: folder.clone(), error };
        let open = || OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(unwritable);
        let mut file = open()?;
        // `is_locked` holds the lock for an instant; an owner holds it for longer than these attempts.
        let mut attempt = 0;
        loop {
            match try_lock(&file) {
                // Its owner may have removed the file between opening and locking: a lock on an unnamed file excludes no one.
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

/// Removes lock files left by killed processes, as far as possible.
pub fn tidy_locks(runs: &Path) {
    for entry in fs::read_dir(runs.join(FOLDER)).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ending| ending == "lock")
            && is_plain(&path)
            && let Ok(file) = File::open(&path)
            && file.try_lock().is_ok()
            && is_at(&file, &path)
        {
            drop(RunLock { file, path });
        }
    }
}

impl Drop for RunLock {
    /// Removes the file, while the lock is still held: waiting processes notice that it has no name.
    fn drop(&mut self) {
        // A shared lock's file is removed by its last holder.
        let alone = self.file.try_lock().is_ok();
        if alone && is_at(&self.file, &self.path) && CAN_REMOVE {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether files have ids, so that one may be removed while others have it open.
const CAN_REMOVE: bool = cfg!(unix);

/// Whether the open file is still the one at this path.
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

/// Whether a live process holds the lock of the run `key`.
///
/// If this cannot be determined, the answer is yes: showing a dead run as alive can be corrected later, marking a live one as dead
/// cannot.
pub fn is_locked(runs: &Path, key: &str) -> bool {
    let path = path(runs, key);
    if !is_plain(&path) {
        // It cannot be locked.
        return false;
    }
    match File::open(path) {
        Ok(file) => file.try_lock_shared().is_err(),
        // Without a folder of locks nothing is locked.
        Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Whether no process holds this lock, neither exclusively nor shared.
pub fn is_free(runs: &Path, name: &str) -> bool {
    let path = path(runs, name);
    if !is_plain(&path) {
        return true;
    }
    match File::open(&path) {
        Ok(file) => file.try_lock().is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
    }
}

/// Whether the path is a regular file, or does not exist: opening a pipe would block.
fn is_plain(path: &Path) -> bool {
    path.metadata().map_or(true, |facts| facts.is_file())
}

/// The process on this machine that holds the lock `key`, if the system provides it: its id, and whether it is stopped.
pub fn holder(runs: &Path, key: &str) -> Option<(u32, bool)> {
    let inode = format!(":{}", inode(&path(runs, key))?);
    // `1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF`
    let of = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != "FLOCK").skip(3);
        let (pid, file) = (words.next()?, words.next()?);
        if file.ends_with(&inode) { pid.parse().ok() } else { None }
    };
    let pid: u32 = fs::read_to_string("/proc/locks").ok()?.lines().find_map(of)?;
    let status = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some((pid, status.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with(['T', 't']))))
}

#[cfg(unix)]
fn inode(path: &Path) -> Option<u64> {
    path.metadata().ok().map(|facts| std::os::unix::fs::MetadataExt::ino(&facts))
}

#[cfg(not(unix))]
fn inode(_: &Path) -> Option<u64> {
    None
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
    fn checking_never_prevents_acquiring() {
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
    fn only_locks_of_killed_processes_are_tidied() {
        let folder = tempfile::tempdir().unwrap();
        let held = RunLock::acquire(folder.path(), "held").unwrap().expect("free");
        fs::write(path(folder.path(), "left"), "").unwrap();
        tidy_locks(folder.path());
        assert_eq!(path(folder.path(), "left").exists(), !CAN_REMOVE);
        assert!(path(folder.path(), "held").exists() && is_locked(folder.path(), "held"));
        drop(held);
        tidy_locks(&folder.path().join("nothing here"));
    }

    /// Many threads acquire and release the lock, removing its file: never two at a time.
    #[test]
    fn removing_the_file_keeps_the_lock_exclusive() {
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
    fn a_shared_lock_excludes_an_exclusive_one() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path();
        let share = || RunLock::share(runs, "a").unwrap();
        let (one, two) = (share().expect("free"), share().expect("shared"));
        assert!(RunLock::acquire(runs, "a").unwrap().is_none() && !is_free(runs, "a"));
        drop(one);
        assert!(RunLock::acquire(runs, "a").unwrap().is_none(), "there is another");
        assert!(share().is_some(), "the file is still the same");
        drop(two);
        let alone = RunLock::acquire(runs, "a").unwrap().expect("free");
        assert!(share().is_none());
        drop(alone);
        assert_eq!(path(runs, "a").exists(), !CAN_REMOVE);
        assert!(is_free(runs, "a") && share().is_some());
    }

    /// Opening a pipe would block.
    #[cfg(unix)]
    #[test]
    fn what_is_not_a_file_is_not_a_lock() {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path();
        fs::create_dir(runs.join(FOLDER)).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path(runs, "a")).status().unwrap().success());
        fs::create_dir(path(runs, "b")).unwrap();
        tidy_locks(runs);
        for name in ["a", "b"] {
            assert!(!is_locked(runs, name) && is_free(runs, name));
            let error = RunLock::acquire(runs, name).unwrap_err().to_string();
            assert!(error.contains("it is not a plain file: remove it"), "{error}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_holder_is_found() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(holder(folder.path(), "a"), None);
        let _lock = RunLock::acquire(folder.path(), "a").unwrap().expect("free");
        // Not every system lists locks.
        if let Some(found) = holder(folder.path(), "a") {
            assert_eq!(found, (std::process::id(), false));
        }
    }

    #[test]
    fn a_folder_that_cannot_be_created_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("locks"), "in the way").unwrap();
        assert!(!is_locked(folder.path(), "a"), "it cannot be locked");
        let error = RunLock::acquire(folder.path(), "a").unwrap_err().to_string();
        assert!(error.contains("locks") && error.contains("cannot create the folder"), "{error}");
    }
}
