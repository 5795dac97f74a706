//! A push: what is there, what is missing, and the commit that adds it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    call::{Caller, Denial},
    error::PushError,
    hub::{Repo, Sample},
    store::Large,
};
use crate::assets::{Listener, Settings, failure::Failure, hash::hex, named_splits::CARD};

/// How often a commit is tried whose answer did not arrive.
const TRIES: u32 = 3;

/// What is pushed.
pub struct Push<'a> {
    /// `OWNER/NAME`.
    pub repo: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// Whether the repository must be private.
    pub private: bool,
    /// The first line of the commit.
    pub message: &'a str,
    /// The folder with the files, which has no folders in it.
    pub folder: &'a Path,
    /// Says of the README.md that the branch has whether it may be replaced; `None`: whatever it is.
    pub may_replace_card: Option<fn(&str) -> bool>,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is sent.
    Sent,
    /// The store has its content; the branch does not.
    Stored,
    /// The branch has it.
    Unchanged,
    /// The branch has another one that somebody wrote by hand, which stays.
    Kept,
    /// The `.gitignore` of the branch names it.
    Ignored,
}

/// A file of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PushedFile {
    /// Its name.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// What becomes of it.
    pub change: Change,
}

/// The repository before a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remote {
    /// It and the branch are there.
    Present,
    /// It is there without the branch.
    WithoutBranch,
    /// It is not there, or not for this token.
    Missing,
    /// It could not be asked.
    Unknown,
}

/// What a push did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// The repository before.
    pub before: Remote,
    /// Its address.
    pub url: String,
    /// The new commit; `None` if there is nothing to commit.
    pub commit: Option<String>,
    /// Each file.
    pub files: Vec<PushedFile>,
}

/// A file on this machine.
struct Local {
    name: String,
    path: PathBuf,
    size: u64,
    sha256: String,
    /// git's object name.
    git: String,
    start: Vec<u8>,
}

impl Local {
    /// Whether the hub's name of a content is that of this file.
    fn is(&self, oid: &str) -> bool {
        oid == self.sha256 || oid == self.git
    }
}

/// What a push would do. Nothing is changed.
///
/// # Errors
/// The hub cannot be reached, or refuses.
pub fn look(settings: &Settings, listener: Listener, wanted: &Push<'_>) -> Result<Pushed, PushError> {
    let caller = begin(settings, listener, wanted)?;
    let files = local(wanted.folder)?;
    let (before, known) = match caller.repo(wanted.branch)? {
        Repo::Branch { private, files, commit } => {
            refuse_public(wanted, private)?;
            (Remote::Present, Some((commit, files)))
        }
        Repo::NoBranch => (Remote::WithoutBranch, None),
        Repo::Missing => (Remote::Missing, None),
    };
    let change = |file: &Local| match known.as_ref().and_then(|(commit, files)| Some((commit, files.get(&file.name)?)))
    {
        Some((_, oid)) if file.is(oid) => Change::Unchanged,
        Some((commit, _)) if stays(&caller, wanted, file, commit) => Change::Kept,
        _ => Change::Sent,
    };
    let files = files.iter().map(|file| listed(file, change(file))).collect();
    Ok(Pushed { before, url: address(settings, wanted), commit: None, files })
}

/// What a push would send at most, where the hub cannot be asked what it has.
///
/// # Errors
/// A file cannot be read.
pub fn unasked(settings: &Settings, wanted: &Push<'_>) -> Result<Pushed, PushError> {
    let files = local(wanted.folder)?.iter().map(|file| listed(file, Change::Sent)).collect();
    Ok(Pushed { before: Remote::Unknown, url: address(settings, wanted), commit: None, files })
}

/// Uploads the files and commits them.
///
/// # Errors
/// The hub cannot be reached, or refuses: nothing was committed then. What was stored is not sent again by the next push.
pub fn push(settings: &Settings, listener: Listener, wanted: &Push<'_>) -> Result<Pushed, PushError> {
    let caller = begin(settings, listener, wanted)?;
    if settings.hub.token.is_none() {
        return Err(PushError::NoToken { endpoint: caller.endpoint() });
    }
    let files = local(wanted.folder)?;
    let before = match caller.repo(wanted.branch)? {
        Repo::Branch { private, .. } => {
            refuse_public(wanted, private)?;
            Remote::Present
        }
        Repo::NoBranch => Remote::WithoutBranch,
        Repo::Missing => {
            caller.create(wanted.private)?;
            Remote::Missing
        }
    };
    let mut tried = 0;
    loop {
        let commit = ready(&caller, wanted)?;
        let (states, lines) = gathered(&caller, wanted, &files, &commit)?;
        let files = || files.iter().zip(&states).map(|(file, change)| listed(file, *change)).collect();
        let done = |commit| Pushed { before, url: address(settings, wanted), commit, files: files() };
        if lines.is_empty() {
            // After a commit whose answer was lost, it is the present one.
            return Ok(done((tried > 0).then_some(commit)));
        }
        let header = json!({ "key": "header", "value": { "summary": wanted.message, "description": "", "parentCommit": commit } });
        let lines: Vec<Value> = [header].into_iter().chain(lines).collect();
        let denial = match caller.commit(wanted.branch, &lines) {
            Ok(commit) => return Ok(done(Some(commit))),
            Err(denial) => denial,
        };
        tried += 1;
        // It may have come through: then nothing is missing any more.
        if tried == TRIES || !may_have_worked(&denial) {
            return Err(caller.explain("the commit", denial));
        }
        std::thread::sleep(settings.patience.first_wait);
    }
}

fn begin<'a>(settings: &'a Settings, listener: Listener, wanted: &Push<'a>) -> Result<Caller<'a>, PushError> {
    match settings.offline {
        true => Err(PushError::Offline),
        false => Ok(Caller::new(settings, listener, wanted.repo)),
    }
}

/// A commit that was refused may be tried again as little as one that came through.
fn may_have_worked(denial: &Denial) -> bool {
    match denial {
        Denial::Status(refusal) => matches!(refusal.status, 408 | 429 | 500..=599),
        Denial::Failed(failure) => matches!(failure, Failure::Network(_) | Failure::Timeout | Failure::Odd(_)),
    }
}

fn refuse_public(wanted: &Push<'_>, private: Option<bool>) -> Result<(), PushError> {
    match wanted.private && private != Some(true) {
        true => Err(PushError::Public { repo: wanted.repo.into() }),
        false => Ok(()),
    }
}

/// The last commit of the branch, which is created if it is missing.
fn ready(caller: &Caller<'_>, wanted: &Push<'_>) -> Result<String, PushError> {
    for made in [false, true] {
        match caller.repo(wanted.branch)? {
            Repo::Branch { commit, private, .. } => {
                refuse_public(wanted, private)?;
                return Ok(commit);
            }
            Repo::NoBranch if !made => caller.branch(wanted.branch)?,
            Repo::NoBranch | Repo::Missing => break,
        }
    }
    Err(caller.odd("the state", "it does not show what was created"))
}

/// What becomes of each file, and the lines of the commit.
fn gathered(
    caller: &Caller<'_>,
    wanted: &Push<'_>,
    files: &[Local],
    commit: &str,
) -> Result<(Vec<Change>, Vec<Value>), PushError> {
    let samples: Vec<Sample<'_>> =
        files.iter().map(|file| Sample { name: &file.name, size: file.size, start: &file.start }).collect();
    let modes = caller.modes(wanted.branch, &samples)?;
    let mut states: Vec<Change> = files
        .iter()
        .zip(&modes)
        .map(|(file, mode)| match &mode.oid {
            _ if mode.is_ignored => Change::Ignored,
            Some(oid) if file.is(oid) => Change::Unchanged,
            Some(_) if stays(caller, wanted, file, commit) => Change::Kept,
            _ => Change::Sent,
        })
        .collect();
    let large: Vec<usize> = (0..files.len()).filter(|&i| states[i] == Change::Sent && modes[i].is_large).collect();
    let of = |i: &usize| {
        let file = &files[*i];
        Large { name: &file.name, path: &file.path, size: file.size, sha256: &file.sha256 }
    };
    let sent = caller.store(wanted.branch, &large.iter().map(of).collect::<Vec<_>>())?;
    for (i, _) in large.iter().zip(sent).filter(|(_, sent)| !sent) {
        states[*i] = Change::Stored;
    }
    let mut lines = Vec::new();
    for ((file, mode), state) in files.iter().zip(&modes).zip(&states) {
        if !matches!(state, Change::Sent | Change::Stored) {
            continue;
        }
        lines.push(match mode.is_large {
            true => json!({ "key": "lfsFile", "value": { "path": file.name, "algo": "sha256", "oid": file.sha256, "size": file.size } }),
            false => {
                let bytes = fs::read(&file.path).map_err(|error| PushError::Io { path: file.path.clone(), error })?;
                json!({ "key": "file", "value": { "content": STANDARD.encode(bytes), "path": file.name, "encoding": "base64" } })
            }
        });
    }
    Ok((states, lines))
}

/// Whether this is a card, and the branch has one that may not be replaced. One that cannot be read stays, too.
fn stays(caller: &Caller<'_>, wanted: &Push<'_>, file: &Local, commit: &str) -> bool {
    match wanted.may_replace_card {
        Some(may_replace) if file.name == CARD => {
            caller.text(commit, &file.name).is_none_or(|text| !may_replace(&text))
        }
        _ => false,
    }
}

fn listed(file: &Local, change: Change) -> PushedFile {
    PushedFile { name: file.name.clone(), size: file.size, change }
}

/// The repository's page.
fn address(settings: &Settings, wanted: &Push<'_>) -> String {
    format!("{}/{}", settings.hub.shown(), wanted.repo)
}

/// The files of a folder, by name, with their digests.
fn local(folder: &Path) -> Result<Vec<Local>, PushError> {
    let at = |path: &Path, error| PushError::Io { path: path.into(), error };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| at(folder, e))? {
        let path = entry.map_err(|e| at(folder, e))?.path();
        files.push(digested(path.clone()).map_err(|e| at(&path, e))?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

fn digested(path: PathBuf) -> std::io::Result<Local> {
    use std::io::Read;
    let mut file = fs::File::open(&path)?;
    let size = file.metadata()?.len();
    let mut start = Vec::new();
    (&mut file).take(512).read_to_end(&mut start)?;
    let (mut sha256, mut git) = (Sha256::new(), Sha1::new_with_prefix(format!("blob {size}\0")));
    sha256.update(&start);
    git.update(&start);
    let mut piece = vec![0; 1 << 20];
    loop {
        match file.read(&mut piece)? {
            0 => break,
            n => {
                sha256.update(&piece[..n]);
                git.update(&piece[..n]);
            }
        }
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Local { name, path, size, sha256: hex(&sha256.finalize()), git: hex(&git.finalize()), start })
}
