//! Files with known digests, and what is read from them: a run is stored under the digests of its files, so the files that it reads must be
//! the digested ones.
//!
//! Readers open files by path at any time. [`KnownFiles::reading`] compares the digests after reading, and checks that no file has changed
//! since before: then what was read has those digests.

use std::{
    fs::{self, Metadata},
    io,
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
    /// Files that a reader would open if they existed, and that did not exist.
    absent: Vec<PathBuf>,
}

#[derive(Debug)]
struct Known {
    path: PathBuf,
    sha256: String,
    /// The identity of the file when it last had this digest: while it is unchanged, the file is not digested again.
    found: Mutex<Option<Identity>>,
}

/// A file that has changed.
#[derive(Debug, thiserror::Error)]
pub enum Unlike {
    /// It has another digest than the known one.
    #[error("{}: its SHA-256 changed from {was} to {is}", path.display())]
    Content {
        /// Which.
        path: PathBuf,
        /// Its known digest.
        was: String,
        /// Its current digest.
        is: String,
    },
    /// It was modified, replaced, created or removed while it was read.
    #[error("{} changed while it was read", path.display())]
    Moving {
        /// Which.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] AssetError),
}

/// Properties of a file that change whenever it is written or replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    size: u64,
    modified: Option<SystemTime>,
    /// Device, inode, and time of the last change of any kind in seconds and nanoseconds, which programs cannot reset.
    inode: (u64, u64, i64, i64),
}

/// The resolution of file times is a few milliseconds: a file that has just changed may change again without a new time.
const STEP: Duration = Duration::from_millis(50);

impl Identity {
    /// The identity of the file at a path, once its times are old enough to reveal a later change.
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

/// How long ago a file changed; `None` if that is in the future or unknown.
fn changed(metadata: &Metadata) -> Option<Duration> {
    let (_, _, seconds, nanoseconds) = inode(metadata);
    let since_1970 = Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + since_1970).ok()
}

impl KnownFiles {
    /// Files by path, each with its SHA-256 in hex; and files that do not exist.
    pub fn new(files: impl IntoIterator<Item = (PathBuf, String)>, absent: Vec<PathBuf>) -> Self {
        let known = |(path, sha256)| Known { path, sha256, found: Mutex::new(None) };
        Self { files: files.into_iter().map(known).collect(), absent }
    }

    /// The files of a model: all that were digested, and those that a tokenizer would read if they existed.
    pub fn of_model(model: &ModelFiles) -> Self {
        // Names of pins are relative to the repository, paths of files to the model's folder.
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

    /// Digests those of these files that exist in a folder; the others are recorded as absent.
    ///
    /// # Errors
    /// If one cannot be read.
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

    /// Calls `read`, which reads the files selected by `which`, and returns its result if they have their known digests.
    ///
    /// # Errors
    /// Those of `read`; [`Unlike`] if a file has another digest, or changed while it was read.
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
        if let Some(path) = absent.iter().find(|path| path.is_dir()) {
            let error = io::ErrorKind::IsADirectory.into();
            return Err(Unlike::from(AssetError::Io { path: path.to_path_buf(), error }).into());
        }
        none_came()?;
        let value = read()?;
        none_came()?;
        for (file, identity) in files.into_iter().zip(identities) {
            file.check(identity)?;
        }
        Ok(value)
    }

    /// Checks that all files have their known digests.
    ///
    /// # Errors
    /// [`Unlike`] for the first that does not.
    pub fn check(&self) -> Result<(), Unlike> {
        self.reading(|_| true, || Ok(()))
    }
}

impl Known {
    /// Checks that the file still has this identity, and the digest.
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

    /// A folder with the known files `a` and `b`, and without `c`.
    fn known() -> (tempfile::TempDir, KnownFiles) {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "first").unwrap();
        fs::write(dir.path().join("b"), "second").unwrap();
        let known = KnownFiles::in_folder(dir.path(), &["a", "b", "c"]).unwrap();
        (dir, known)
    }

    /// Reads `a`; `before` and `after` are called around it.
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
    fn unchanged_files_can_be_read_repeatedly() {
        let (dir, known) = known();
        for _ in 0..3 {
            assert_eq!(read(dir.path(), &known, || {}, || {}).unwrap(), "first");
        }
        assert_eq!(known.files().map(|(path, _)| path.file_name().unwrap()).collect::<Vec<_>>(), ["a", "b"]);
    }

    /// Replaced, overwritten and restored, each before and after reading.
    #[test]
    fn any_change_around_reading_is_detected() {
        let put = |path: PathBuf, text: &'static str| {
            move || {
                // With the same size and modification time.
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
        // The other text is read, and the known one is back when the file is digested.
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
    fn a_folder_with_the_name_of_a_file_is_named() {
        let (dir, known) = known();
        fs::create_dir(dir.path().join("c")).unwrap();
        let error = known.check().unwrap_err();
        assert!(matches!(&error, Unlike::Unreadable(_)), "{error:?}");
        assert!(error.to_string().contains("c: it is a folder where a file is expected"), "{error}");
    }

    #[test]
    fn a_file_that_did_not_exist_must_not_appear() {
        let (dir, known) = known();
        let c = dir.path().join("c");
        let result = read(dir.path(), &known, || fs::write(&c, "third").unwrap(), || {});
        assert!(matches!(&result, Err(Unlike::Moving { path }) if *path == c), "{result:?}");
        assert!(known.check().is_err());
        fs::remove_file(&c).unwrap();
        known.check().unwrap();
    }

    #[test]
    fn only_files_that_are_read_count() {
        let (dir, known) = known();
        fs::write(dir.path().join("b"), "other").unwrap();
        assert!(known.reading(|path| path.ends_with("a"), || Ok::<_, Unlike>(())).is_ok());
        assert!(known.check().is_err());
    }
}
