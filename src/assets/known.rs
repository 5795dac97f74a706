//! Files whose digests are known, and what was read from them: a run is stored under the digest of its files, so what it reads
//! has to be what was digested.
//!
//! Readers open files by their paths, whenever they like. [`KnownFiles::reading`] holds the files against their digests after
//! they were read, and makes sure that none of them changed since before: then what was read has that digest.

use std::{
    fs::{self, Metadata},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, SystemTime},
};

use super::{AssetError, ModelFiles, digest_file};

/// Files with their digests.
#[derive(Debug)]
pub struct KnownFiles {
    files: Vec<Known>,
    /// Files that a reader would open if they were there, and that were not.
    absent: Vec<PathBuf>,
}

#[derive(Debug)]
struct Known {
    path: PathBuf,
    sha256: String,
    /// The file that was last found to have this digest: it is not read again.
    found: Mutex<Option<Identity>>,
}

/// A file that is not what it was.
#[derive(Debug, thiserror::Error)]
pub enum Unlike {
    /// It has another digest than the one that is known.
    #[error("{}: its SHA-256 was {was} and is {is}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// The digest that it had.
        was: String,
        /// The digest that it has.
        is: String,
    },
    /// It was written to, replaced, made or removed while it was read.
    #[error("{} changed while it was read", path.display())]
    Moving {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] AssetError),
}

/// What is different about a file as soon as it is written to or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    size: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and seconds and nanoseconds of its last change of any kind, which no program can set back.
    inode: (u64, u64, i64, i64),
}

/// File systems keep times in steps of a few milliseconds: a file that changed just now may change once more and keep its time.
const STEP: Duration = Duration::from_millis(50);

impl Identity {
    /// Of the file at a path, once its times are old enough to tell a later change.
    fn settled(path: &Path) -> Result<Self, AssetError> {
        let io = |error| AssetError::Io { path: path.into(), error };
        let metadata = path.metadata().map_err(io)?;
        if let Some(rest) = STEP.checked_sub(changed(&metadata).unwrap_or(STEP)) {
            thread::sleep(rest);
        }
        Ok(Self::of(&path.metadata().map_err(io)?))
    }

    fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified: metadata.modified().ok(), inode: inode(metadata) }
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> (u64, u64, i64, i64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> (u64, u64, i64, i64) {
    (0, 0, 0, 0)
}

/// How long ago a file changed; none where that lies in the future or is not told.
fn changed(metadata: &Metadata) -> Option<Duration> {
    let (_, _, seconds, nanoseconds) = inode(metadata);
    let since_1970 = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + since_1970).ok()
}

impl KnownFiles {
    /// Files by their paths, each with its SHA-256 in hex; and files that are not there.
    pub fn new(files: impl IntoIterator<Item = (PathBuf, String)>, absent: Vec<PathBuf>) -> Self {
        let known = |(path, sha256)| Known { path, sha256, found: Mutex::new(None) };
        Self { files: files.into_iter().map(known).collect(), absent }
    }

    /// Those of a model: everything that was digested, and what a tokenizer would be read from besides.
    pub fn of_model(model: &ModelFiles) -> Self {
        // Names of pins begin where the repository does, paths of files in the model's folder.
        let name = model.weights.strip_prefix(&model.folder).unwrap_or(&model.weights).to_string_lossy();
        let prefix = model.files.iter().find_map(|pin| pin.name.strip_suffix(name.as_ref()));
        let prefix = prefix.filter(|prefix| prefix.is_empty() || prefix.ends_with('/')).unwrap_or("");
        let within = |name: &str| model.folder.join(name.strip_prefix(prefix).unwrap_or(name));
        let files = model.files.iter().map(|pin| (within(&pin.name), pin.sha256.clone()));
        let mut known = Self::new(files, Vec::new());
        let others = super::files::SMALL_FILES.map(|name| model.folder.join(name));
        known.absent = others.into_iter().filter(|path| known.files.iter().all(|file| file.path != *path)).collect();
        known
    }

    /// Digests the files of these names that are in a folder; the others are taken to be absent.
    ///
    /// # Errors
    /// Where one cannot be read.
    pub fn in_folder(folder: &Path, names: &[&str]) -> Result<Self, AssetError> {
        let (there, absent): (Vec<_>, Vec<_>) =
            names.iter().map(|name| folder.join(name)).partition(|path| path.is_file());
        let files: Result<Vec<_>, AssetError> =
            there.into_iter().map(|path| digest_file(&path).map(|sha256| (path, sha256))).collect();
        Ok(Self::new(files?, absent))
    }

    /// Paths and digests.
    pub fn files(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.files.iter().map(|file| (file.path.as_path(), file.sha256.as_str()))
    }

    /// Gives what `read` reads from those of the files that `which` picks, if they are what they are known to be.
    ///
    /// # Errors
    /// Those of `read`; [`Unlike`] where a file has another digest, or changed while it was read.
    pub fn reading<T, E: From<Unlike>>(
        &self,
        which: impl Fn(&Path) -> bool,
        read: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let files: Vec<&Known> = self.files.iter().filter(|file| which(&file.path)).collect();
        let absent: Vec<&PathBuf> = self.absent.iter().filter(|path| which(path)).collect();
        let identities: Result<Vec<Identity>, AssetError> =
            files.iter().map(|file| Identity::settled(&file.path)).collect();
        let identities = identities.map_err(Unlike::from)?;
        let none_came = || match absent.iter().find(|path| fs::symlink_metadata(path).is_ok()) {
            Some(path) => Err(Unlike::Moving { path: path.to_path_buf() }),
            None => Ok(()),
        };
        none_came()?;
        let value = read()?;
        none_came()?;
        for (file, identity) in files.into_iter().zip(identities) {
            file.check(identity)?;
        }
        Ok(value)
    }

    /// Whether all files are what they are known to be.
    ///
    /// # Errors
    /// [`Unlike`] for the first that is not.
    pub fn check(&self) -> Result<(), Unlike> {
        self.reading(|_| true, || Ok(()))
    }
}

impl Known {
    /// Whether the file is still the one of this identity, and has the digest.
    fn check(&self, identity: Identity) -> Result<(), Unlike> {
        let moving = || Unlike::Moving { path: self.path.clone() };
        let still = || self.path.metadata().is_ok_and(|metadata| Identity::of(&metadata) == identity);
        if !still() {
            return Err(moving());
        }
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if *found == Some(identity) {
            return Ok(());
        }
        let is = digest_file(&self.path)?;
        if !still() {
            return Err(moving());
        }
        if is != self.sha256 {
            return Err(Unlike::Content { path: self.path.clone(), was: self.sha256.clone(), is });
        }
        *found = Some(identity);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    /// A folder with `a` and `b`, both known, and without `c`.
    fn known() -> (tempfile::TempDir, KnownFiles) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "first").unwrap();
        fs::write(dir.path().join("b"), "second").unwrap();
        let known = KnownFiles::in_folder(dir.path(), &["a", "b", "c"]).unwrap();
        (dir, known)
    }

    /// Reads `a`; `before` and `after` happen around it.
    fn read(dir: &Path, known: &KnownFiles, before: impl Fn(), after: impl Fn()) -> Result<String, Unlike> {
        known.reading(
            |_| true,
            || {
                before();
                let text = fs::read_to_string(dir.join("a")).unwrap();
                after();
                Ok(text)
            },
        )
    }

    #[test]
    fn what_has_not_changed_is_read_as_often_as_one_likes() {
        let (dir, known) = known();
        for _ in 0..3 {
            assert_eq!(read(dir.path(), &known, || {}, || {}).unwrap(), "first");
        }
        assert_eq!(known.files().map(|(path, _)| path.file_name().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    }

    /// Replaced, written over and put back: each before it is read, and after.
    #[test]
    fn no_change_around_the_reading_passes() {
        let put = |path: PathBuf, text: &'static str| {
            move || {
                // Of the same size and with the same time of writing.
                let time = path.metadata().unwrap().modified().unwrap();
                fs::write(&path, text).unwrap();
                File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
            }
        };
        let replace = |path: PathBuf, text: &'static str| {
            move || {
                let new = path.with_extension("new");
                fs::write(&new, text).unwrap();
                fs::rename(&new, &path).unwrap();
            }
        };
        // The other text is read, and the known one is there again when the file is digested.
        for checked_before in [false, true] {
            let (dir, known) = known();
            if checked_before {
                known.check().unwrap();
            }
            let a = dir.path().join("a");
            let result = read(dir.path(), &known, put(a.clone(), "FIRST"), put(a.clone(), "first"));
            assert!(matches!(&result, Err(Unlike::Moving { path }) if *path == a), "{result:?}");
            let result = read(dir.path(), &known, replace(a.clone(), "FIRST"), replace(a.clone(), "first"));
            assert!(matches!(&result, Err(Unlike::Moving { .. })), "{result:?}");
            assert_eq!(read(dir.path(), &known, || {}, || {}).unwrap(), "first", "it is as it was");
            let result = read(dir.path(), &known, replace(a.clone(), "FIRST"), || {});
            assert!(matches!(&result, Err(Unlike::Moving { .. })), "{result:?}");
            let result = read(dir.path(), &known, || {}, || {});
            assert!(matches!(&result, Err(Unlike::Content { .. })), "{result:?}");
            fs::remove_file(&a).unwrap();
            assert!(matches!(known.check(), Err(Unlike::Unreadable(_))));
        }
    }

    #[test]
    fn a_file_that_was_not_there_may_not_come() {
        let (dir, known) = known();
        let c = dir.path().join("c");
        let result = read(dir.path(), &known, || fs::write(&c, "third").unwrap(), || {});
        assert!(matches!(&result, Err(Unlike::Moving { path }) if *path == c), "{result:?}");
        assert!(known.check().is_err());
        fs::remove_file(&c).unwrap();
        known.check().unwrap();
    }

    #[test]
    fn only_the_files_that_are_read_count() {
        let (dir, known) = known();
        fs::write(dir.path().join("b"), "other").unwrap();
        assert!(known.reading(|path| path.ends_with("a"), || Ok::<_, Unlike>(())).is_ok());
        assert!(known.check().is_err());
    }
}
