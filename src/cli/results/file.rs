//! A file that is written whole or not at all.

use std::{
    fs::{self, File, Metadata},
    io::{self, BufWriter, ErrorKind, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

use anyhow::{Context, Result, anyhow};
use flate2::{Compression, write::GzEncoder};
use taper::{data::Origin, format};

use super::{
    super::{Unusable, output, stop},
    form::Packing,
};

/// Whether the file of results has its name: from then on there is nothing to take back.
static PUBLISHED: AtomicBool = AtomicBool::new(false);

/// A file that becomes what it is called once it is complete.
pub struct NewFile {
    /// As the command names it.
    shown: PathBuf,
    path: PathBuf,
    temporary: PathBuf,
    /// Whether it has its name.
    published: bool,
}

/// Its bytes, packed on their way.
pub enum Packed {
    None(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Zstd(zstd::Encoder<'static, BufWriter<File>>),
}

impl NewFile {
    /// Begins a temporary file beside `path`. An existing file is replaced when the new one is complete.
    ///
    /// # Errors
    /// `path` is the file that is read, one of taper's own in the folder `runs`, a folder, or nothing that can be replaced; or its folder cannot
    /// be written.
    pub fn create(path: &Path, packing: Packing, input: &Origin, runs: &Path) -> Result<(Self, Packed), Unusable> {
        let shown = path.display();
        let refused = |why: &str| Err(Unusable(anyhow!("--out {shown}: {why}")));
        if path.as_os_str() == "-" {
            return refused("expected the name of a file; without --out, results go to standard output");
        }
        if let Some(to) = dangling(path) {
            return refused(&format!(
                "it is a symbolic link to {}, which does not exist; remove the link, or name another file",
                to.display()
            ));
        }
        if let Ok(found) = path.metadata() {
            if found.is_dir() {
                return refused("it is a folder; expected the name of a file");
            }
            if !found.is_file() {
                return refused(
                    "it is a pipe or a device, which cannot be replaced; omit --out and append `> FILE` to the command",
                );
            }
            let read = match input {
                Origin::File(path) | Origin::Descriptor(path) => path.metadata(),
                Origin::StandardInput => fs::metadata("/dev/stdin"),
            };
            if read.is_ok_and(|read| is_same(&read, &found)) {
                return refused("it is the input file; name another one");
            }
        }
        // A link stays one.
        let path = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        if is_tapers_own(&path, runs) {
            return refused("it is taper's database or lies in a run's folder; choose another path");
        }
        // Of this command alone: process ids are the same in two containers that share a folder.
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let own = format!(".taper-predict-{}-{}", std::process::id(), since_1970.as_nanos());
        let temporary = path.with_file_name(own);
        let failed = |e: io::Error| {
            let folder =
                path.parent().filter(|folder| e.kind() == ErrorKind::NotFound && !folder.as_os_str().is_empty());
            let at = folder.map_or(String::new(), |folder| format!("{}: ", folder.display()));
            Unusable(anyhow!("--out cannot write {shown}: {at}{}", format::io(&e)))
        };
        if path.file_name().is_none() {
            return refused("expected the name of a file");
        }
        let at_stop = (temporary.clone(), shown.to_string());
        // Before the file is there, so that at no moment it stays.
        remove_when_stopped(at_stop).map_err(|e| Unusable(e.into()))?;
        // Never through what lies there, a link for example.
        let file = File::options().write(true).create_new(true).open(&temporary).map_err(failed)?;
        if let Ok(replaced) = fs::metadata(&path) {
            file.set_permissions(replaced.permissions()).map_err(failed)?;
        }
        let new = Self { shown: shown.to_string().into(), path: path.clone(), temporary, published: false };
        Ok((new, Packed::new(file, packing).map_err(failed)?))
    }

    /// Gives the complete file its name.
    pub fn publish(mut self, written: Packed) -> Result<()> {
        let file = written.finish().with_context(|| self.unwritten())?;
        file.sync_all().and_then(|()| fs::rename(&self.temporary, &self.path)).with_context(|| self.unwritten())?;
        self.published = true;
        PUBLISHED.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// What is said when it cannot be written.
    pub fn unwritten(&self) -> String {
        format!("{} cannot be written", self.shown.display())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.published {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// What a symbolic link names, if that does not exist.
fn dangling(path: &Path) -> Option<PathBuf> {
    path.metadata().is_err().then(|| fs::read_link(path).ok())?
}

/// Whether a path is the database of the runs, or lies in the folder of a run or among the locks.
fn is_tapers_own(path: &Path, runs: &Path) -> bool {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = absolute.parent().and_then(|folder| folder.canonicalize().ok());
    let Some((folder, runs)) = folder.zip(runs.canonicalize().ok()) else { return false };
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    match folder.strip_prefix(&runs).map(|below| below.components().next()) {
        Ok(None) => name == "taper.db" || name.starts_with("taper.db-"),
        Ok(Some(first)) => first.as_os_str() == "locks" || runs.join(first).join("run.toml").is_file(),
        Err(_) => false,
    }
}

/// Ctrl-C, or a request to end, ends the command without leaving the unfinished file `temporary`.
fn remove_when_stopped((temporary, shown): (PathBuf, String)) -> Result<(), ctrlc::Error> {
    stop::on_signal(move || {
        if !PUBLISHED.load(Ordering::Relaxed) {
            let _ = fs::remove_file(&temporary);
            output::error(&format!("\nstopped: {shown} was not written"));
        }
        std::process::exit(130);
    })
}

/// Whether two names lead to one file.
#[cfg(unix)]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Whether two names lead to one file, as far as their facts show it.
#[cfg(not(unix))]
fn is_same(a: &Metadata, b: &Metadata) -> bool {
    let facts = |file: &Metadata| (file.len(), file.created().ok(), file.modified().ok());
    facts(a) == facts(b)
}

impl Packed {
    fn new(file: File, packing: Packing) -> io::Result<Self> {
        let file = BufWriter::new(file);
        Ok(match packing {
            Packing::None => Self::None(file),
            Packing::Gzip => Self::Gzip(GzEncoder::new(file, Compression::default())),
            Packing::Zstd => Self::Zstd(zstd::Encoder::new(file, 0)?),
        })
    }

    /// Writes what is left.
    fn finish(self) -> io::Result<File> {
        let file = match self {
            Self::None(file) => file,
            Self::Gzip(packed) => packed.finish()?,
            Self::Zstd(packed) => packed.finish()?,
        };
        file.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl Write for Packed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::None(to) => to.write(bytes),
            Self::Gzip(to) => to.write(bytes),
            Self::Zstd(to) => to.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::None(to) => to.flush(),
            Self::Gzip(to) => to.flush(),
            Self::Zstd(to) => to.flush(),
        }
    }
}
