//! Downloads one file: in as many pieces as needed, verified, and only then renamed to its final name.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    endpoint::Token,
    failure::Failure,
    hash::{Check, Hasher},
    http::{Answer, Client, Request, broken},
    progress::{Listener, Progress},
    settings::{Patience, Settings},
};
use crate::regular;

/// The most files that are downloaded in parallel.
const PARALLEL: usize = 4;
/// Bytes read at a time.
const PIECE: usize = 1 << 16;

/// Downloads files, with the retries that the settings allow.
pub(super) struct Downloader {
    client: Client,
    patience: Patience,
    listener: Listener,
    /// The largest file that is downloaded, in bytes.
    most: u64,
}

/// A file to download.
pub(super) struct Wanted<'a> {
    /// Its name, for messages.
    pub name: &'a str,
    pub url: &'a str,
    pub token: Option<&'a Token>,
    /// Its size, if the server states it.
    pub size: Option<u64>,
    /// Its digest, if known.
    pub check: Option<&'a Check>,
    /// An earlier partial download is continued only if the file still has this entity tag.
    pub tag: Option<&'a str>,
    /// Whether a partial download can only be of this file, or is verified by `check`.
    pub resume: bool,
    /// Whether an existing file is replaced, unless it has the wanted digest.
    pub replace: bool,
    /// Path of the partial download, unique to the file.
    pub part: PathBuf,
    /// Final path.
    pub to: PathBuf,
    /// Path of the lock held during the download.
    pub lock: PathBuf,
}

impl Downloader {
    pub fn new(settings: &Settings, listener: Listener) -> Self {
        Self { client: Client::new(settings), patience: settings.patience, listener, most: settings.max_download }
    }

    /// Sends a request, with retries; `what` is its subject, for the listener.
    pub fn ask<T>(
        &self,
        what: &str,
        request: Request,
        take: impl Fn(Answer) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut failed = 0;
        let mut reached = false;
        loop {
            let failure = match self.client.ask(request).and_then(&take) {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            reached |= matches!(failure, Failure::Status { .. });
            failed += 1;
            let Some(wait) = failure.wait(failed, reached, &self.patience) else { return Err(failure) };
            (self.listener)(Progress::Waits { file: what, why: &failure.brief(), wait: Some(wait) });
            thread::sleep(wait);
        }
    }

    /// Downloads a file, unless another process did so while this one waited for it.
    pub fn fetch(&self, wanted: &Wanted, stop: &AtomicBool) -> Result<(), Failure> {
        for path in [&wanted.part, &wanted.to, &wanted.lock] {
            let folder = path.parent().unwrap_or(Path::new("."));
            fs::create_dir_all(folder).map_err(io_at(folder))?;
        }
        let _lock = self.lock(wanted)?;
        if wanted.to.is_file() && (!wanted.replace || is_wanted(wanted)?) {
            return Ok(());
        }
        let mut failed = 0;
        let mut begun_anew = false;
        let (mut most, mut reached) = (0, false);
        loop {
            let mut attempt = Attempt {
                client: &self.client,
                listener: &self.listener,
                wanted,
                stop,
                most: self.most,
                kept: 0,
                done: 0,
            };
            let failure = match attempt.run() {
                Ok(()) => {
                    (self.listener)(Progress::Ended { file: wanted.name });
                    return Ok(());
                }
                Err(failure) => failure,
            };
            if attempt.done > most {
                // As long as there is progress, a slow or unreliable connection gets there.
                (most, failed, reached) = (attempt.done, 0, true);
            }
            reached |= matches!(failure, Failure::Status { .. });
            failed += 1;
            if let Failure::TooLarge { .. } = failure {
                let _ = fs::remove_file(&wanted.part);
            }
            if let Failure::Differs { .. } = failure {
                let _ = fs::remove_file(&wanted.part);
                // An earlier partial download may have been wrong; one that came in one piece was not.
                if attempt.kept > 0 && !begun_anew {
                    begun_anew = true;
                    continue;
                }
            }
            let Some(wait) = failure.wait(failed, reached, &self.patience) else { return Err(failure) };
            (self.listener)(Progress::Waits { file: wanted.name, why: &failure.brief(), wait: Some(wait) });
            let end = Instant::now() + wait;
            while Instant::now() < end {
                if stop.load(Ordering::Relaxed) {
                    return Err(Failure::GivenUp);
                }
                thread::sleep(Duration::from_millis(50).min(end.saturating_duration_since(Instant::now())));
            }
        }
    }

    /// The lock on a file, which makes a process wait while another one downloads it. The kernel releases it however its holder ends.
    /// Python's huggingface_hub uses the same one.
    fn lock(&self, wanted: &Wanted) -> Result<Option<File>, Failure> {
        let path = &wanted.lock;
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).map_err(io_at(path))?;
            let locked = match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    let why = "another process is downloading it";
                    (self.listener)(Progress::Waits { file: wanted.name, why, wait: None });
                    file.lock()
                }
                Err(TryLockError::Error(error)) => Err(error),
                Ok(()) => Ok(()),
            };
            match locked {
                // Its holder may have removed the file: a lock on an unnamed file excludes no one.
                Ok(()) if !is_at(&file, path) => {}
                Ok(()) => return Ok(Some(file)),
                // A file system without locks: two processes may write to the same partial file, which verification detects.
                Err(error) if error.kind() == io::ErrorKind::Unsupported => return Ok(None),
                Err(error) => return Err(Failure::Io { path: path.clone(), error }),
            }
        }
    }
}

/// Whether the existing file has the wanted digest.
fn is_wanted(wanted: &Wanted) -> Result<bool, Failure> {
    match wanted.check {
        Some(check) => holds(&wanted.to, wanted.size, Some(check)).map_err(io_at(&wanted.to)),
        None => Ok(false),
    }
}

/// Whether a file has the known size and digest; true if neither is known.
pub(super) fn holds(path: &Path, size: Option<u64>, check: Option<&Check>) -> io::Result<bool> {
    let mut file = regular::open(path)?;
    let length = file.metadata()?.len();
    if size.is_some_and(|size| size != length) {
        return Ok(false);
    }
    let Some(check) = check else { return Ok(true) };
    let mut hasher = Hasher::new(Some(length));
    io::copy(&mut file, &mut hasher)?;
    Ok(hasher.found(check) == check.digest())
}

/// Opens a partial download to continue it. Anything but a regular file with a single name, such as a link to another file, is removed
/// first: it must not be written through.
fn open_part(part: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).read(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    if part.symlink_metadata().is_ok_and(|there| !there.is_file() || has_other_names(&there)) {
        fs::remove_file(part)?;
    }
    options.open(part)
}

/// Whether a file has another name as well.
#[cfg(unix)]
fn has_other_names(facts: &fs::Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(facts) > 1
}

#[cfg(not(unix))]
fn has_other_names(_: &fs::Metadata) -> bool {
    false
}

/// One attempt to download a file.
struct Attempt<'a> {
    client: &'a Client,
    listener: &'a Listener,
    wanted: &'a Wanted<'a>,
    stop: &'a AtomicBool,
    /// The largest file that is downloaded, in bytes.
    most: u64,
    /// Bytes of an earlier partial download that is continued.
    kept: u64,
    /// Bytes received so far.
    done: u64,
}

impl Attempt<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        let Wanted { part, to, size, check, .. } = self.wanted;
        let io = io_at(part);
        let mut file = open_part(part).map_err(&io)?;
        let mut hasher = Hasher::new(*size);
        self.done = file.metadata().map_err(&io)?.len();
        if self.done > 0 && (!self.wanted.resume || size.is_some_and(|size| self.done > size)) {
            file.set_len(0).map_err(&io)?;
            self.done = 0;
        }
        if self.done > 0 {
            file.seek(SeekFrom::Start(0)).map_err(&io)?;
            io::copy(&mut (&file).take(self.done), &mut hasher).map_err(&io)?;
        }
        self.kept = self.done;
        if *size != Some(self.done) || self.done == 0 {
            self.receive(&mut file, &mut hasher)?;
        }
        file.sync_all().map_err(&io)?;
        let len = file.metadata().map_err(&io)?.len();
        if len != self.done {
            // On a file system without locks, another process may have written to the same partial file.
            return Err(differs(format!("{} bytes long", self.done), len.to_string()));
        }
        if let Some(check) = check {
            let found = hasher.found(check);
            if found != check.digest() {
                return Err(Failure::Differs { stated: check.to_string(), found });
            }
        }
        drop(file);
        fs::rename(part, to).map_err(io_at(to))?;
        sync_folder(to);
        Ok(())
    }

    /// Appends the missing bytes.
    fn receive(&mut self, file: &mut File, hasher: &mut Hasher) -> Result<(), Failure> {
        let Wanted { name, part, url, token, tag, .. } = self.wanted;
        let io = io_at(part);
        let from = Some((self.done, *tag));
        let request = Request { url, token: *token, from, no_page: true, head: false };
        let answer = match self.client.ask(request) {
            Err(Failure::Status { status: 416, .. }) if self.done > 0 => {
                return Err(differs(format!("longer than {} bytes", self.done), "not".into()));
            }
            answer => answer?,
        };
        let total = match answer.status {
            206 => match answer.header("content-range").and_then(range) {
                Some((from, total)) if from == self.done => total,
                _ => return Err(Failure::Odd("it sent a part of the file other than the requested one".into())),
            },
            _ => {
                if self.done > 0 {
                    file.set_len(0).map_err(&io)?;
                    (self.done, self.kept) = (0, 0);
                    *hasher = Hasher::new(self.wanted.size);
                }
                answer.length()
            }
        };
        let total = match (self.wanted.size, total) {
            (Some(stated), Some(total)) if stated != total => {
                return Err(differs(format!("{stated} bytes long"), format!("{total}")));
            }
            (stated, total) => stated.or(total),
        };
        let chunked =
            answer.header("transfer-encoding").is_some_and(|text| text.to_ascii_lowercase().contains("chunked"));
        if total.is_none() && !chunked {
            return Err(Failure::Odd(
                "it does not say how long the file is, so a truncated download could not be detected".into(),
            ));
        }
        let most = self.most;
        if total.is_some_and(|total| total > most) {
            return Err(Failure::TooLarge { most });
        }
        (self.listener)(Progress::Began { file: name, done: self.done, total });
        let mut body = answer.body.into_with_config().limit(u64::MAX).reader();
        let mut piece = vec![0; PIECE];
        loop {
            if self.stop.load(Ordering::Relaxed) {
                return Err(Failure::GivenUp);
            }
            let n = match body.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    return Err(match (broken(&error), total) {
                        (Failure::Network(_), Some(total)) => Failure::Cut { done: self.done, total },
                        (failure, _) => failure,
                    });
                }
            };
            if total.is_some_and(|total| self.done + n as u64 > total) {
                return Err(differs(format!("{} bytes long", total.unwrap_or_default()), "more".into()));
            }
            if self.done + n as u64 > most {
                return Err(Failure::TooLarge { most });
            }
            file.write_all(&piece[..n]).map_err(&io)?;
            hasher.take(&piece[..n]);
            self.done += n as u64;
            (self.listener)(Progress::Advanced { file: name, done: self.done });
        }
        match total {
            Some(total) if self.done < total => Err(Failure::Cut { done: self.done, total }),
            _ => Ok(()),
        }
    }
}

fn differs(stated: String, found: String) -> Failure {
    Failure::Differs { stated, found }
}

/// The start of a range, and the total size: `bytes 5-9/10`.
fn range(text: &str) -> Option<(u64, Option<u64>)> {
    let (part, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    Some((part.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// For `map_err`: a failure at a path.
pub(super) fn io_at(path: &Path) -> impl Fn(io::Error) -> Failure + '_ {
    |error| Failure::Io { path: path.into(), error }
}

/// Makes a new name durable, as far as the system allows.
pub(super) fn sync_folder(path: &Path) {
    if let Some(folder) = path.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

/// Whether the open file is still the one at this path.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|m| (m.dev(), m.ino()));
    id(file.metadata()).is_some_and(|own| id(fs::metadata(path)) == Some(own))
}

#[cfg(not(unix))]
fn is_at(_: &File, _: &Path) -> bool {
    true
}

/// Calls `work` for each item, several at a time. After the first failure no new item is started, and running ones are told to
/// stop.
pub(super) fn in_parallel<T: Sync>(
    items: &[T],
    work: impl Fn(&T, &AtomicBool) -> Result<(), Failure> + Sync,
) -> Result<(), (usize, Failure)> {
    let (next, stop, first) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..PARALLEL.min(items.len()) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { return };
                    if let Err(failure) = work(item, &stop) {
                        // Recorded before the others are stopped: their failures are consequences.
                        first.lock().unwrap_or_else(|e| e.into_inner()).get_or_insert((at, failure));
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    first.into_inner().unwrap_or_else(|e| e.into_inner()).map_or(Ok(()), Err)
}
