//! A push: what is there, what is missing, and the commit that adds it.

use std::path::Path;

use serde::Serialize;

use super::{
    call::Caller,
    error::PushError,
    hub::{Addition, Head, Hub, Mode, Repo},
    hugging_face::HuggingFace,
    local::{Local, files_of},
    modelscope::ModelScope,
    site::Site,
    store::store,
};
use crate::assets::{Listener, Progress, Settings, failure::Failure, named_splits::CARD};

/// How often a commit is tried whose answer is none of a hub.
const TRIES: u32 = 3;

/// What the last request is called.
const COMMIT: &str = "the commit";

/// What is pushed.
pub struct Push<'a> {
    /// The hub.
    pub site: Site,
    /// `OWNER/NAME`.
    pub repo: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// Whether the repository must be private.
    pub private: bool,
    /// The licence of the model, for a new repository; `None`: not known.
    pub license: Option<&'a str>,
    /// The first line of the commit.
    pub message: &'a str,
    /// The folder with the files, which has no folders in it.
    pub folder: &'a Path,
    /// Says of the README.md that the branch has whether it may be replaced, as one that is empty or that the hub wrote; `None`: whatever it is.
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
    /// The new commit, empty if the hub has not named it; `None` if there is nothing to commit.
    pub commit: Option<String>,
    /// Each file.
    pub files: Vec<PushedFile>,
}

/// What a push would do. Nothing is changed.
///
/// # Errors
/// The hub cannot be reached, or refuses.
pub fn look(settings: &Settings, listener: Listener, wanted: &Push<'_>) -> Result<Pushed, PushError> {
    let hub = begin(settings, listener, wanted)?;
    let files = files_of(wanted.folder)?;
    let state = hub.state(wanted.branch)?;
    check(&*hub, wanted, &state)?;
    let (before, head) = match state {
        Repo::Branch(head) => (Remote::Present, Some(head)),
        Repo::NoBranch => (Remote::WithoutBranch, None),
        Repo::Missing => (Remote::Missing, None),
    };
    let change = |file: &Local| match head.as_ref().and_then(|head| Some((head, head.files.get(&file.name)?))) {
        Some((_, oid)) if file.is(oid) => Change::Unchanged,
        Some((head, _)) if stays(&*hub, wanted, file, head) => Change::Kept,
        _ => Change::Sent,
    };
    let files = files.iter().map(|file| listed(file, change(file))).collect();
    Ok(Pushed { before, url: wanted.site.page(settings, wanted.repo), commit: None, files })
}

/// What a push would send at most, where the hub cannot be asked what it has.
///
/// # Errors
/// A file cannot be read.
pub fn unasked(settings: &Settings, wanted: &Push<'_>) -> Result<Pushed, PushError> {
    let files = files_of(wanted.folder)?.iter().map(|file| listed(file, Change::Sent)).collect();
    Ok(Pushed { before: Remote::Unknown, url: wanted.site.page(settings, wanted.repo), commit: None, files })
}

/// Uploads the files and commits them.
///
/// # Errors
/// The hub cannot be reached, or refuses: the branch lacks files then. What was stored is not sent again by the next push.
pub fn push(settings: &Settings, listener: Listener, wanted: &Push<'_>) -> Result<Pushed, PushError> {
    let hub = begin(settings, listener, wanted)?;
    if hub.caller().hub().token.is_none() {
        return Err(PushError::NoToken { endpoint: hub.caller().endpoint(), site: wanted.site });
    }
    let files = files_of(wanted.folder)?;
    let state = hub.state(wanted.branch)?;
    check(&*hub, wanted, &state)?;
    let (before, created) = match state {
        Repo::Branch(_) => (Remote::Present, false),
        Repo::NoBranch => (Remote::WithoutBranch, false),
        Repo::Missing => (Remote::Missing, hub.create(wanted.private, wanted.license)?),
    };
    let url = wanted.site.page(settings, wanted.repo);
    let (mut tried, mut is_unclear, mut first) = (0, false, None);
    loop {
        let head = ready(&*hub, wanted, created)?;
        let (changes, additions) = gathered(&*hub, wanted, &files, &head)?;
        let done = |commit, changes: &[Change]| {
            let files = files.iter().zip(changes).map(|(file, change)| listed(file, *change)).collect();
            Pushed { before, url: url.clone(), commit, files }
        };
        if additions.is_empty() {
            // After a commit whose answer was lost, it is the present one, and brought what it was to bring.
            let commit = (tried > 0).then_some(head.commit);
            return Ok(done(commit, first.as_deref().unwrap_or(&changes)));
        }
        let denial = match hub.commit(wanted.branch, &head.commit, wanted.message, &additions) {
            Ok(commit) => return Ok(done(Some(commit), &changes)),
            Err(denial) => denial,
        };
        first.get_or_insert(changes);
        tried += 1;
        is_unclear |= denial.is_unclear();
        let (caller, patience) = (hub.caller(), &settings.patience);
        let wait = match denial.failure() {
            Failure::Odd(_) => (tried < TRIES).then_some(patience.first_wait),
            failure => failure.wait(tried, true, patience),
        };
        // It may have come through: then nothing is missing any more.
        if let Some(wait) = wait {
            caller.wait(COMMIT, &denial.failure().brief(), wait);
            continue;
        }
        if is_unclear {
            let why = format!("{}; checking whether it went through", denial.failure().brief());
            (caller.listener)(Progress::Waits { file: COMMIT, why: &why, wait: None });
            std::thread::sleep(patience.first_wait);
            if let Some(head) = complete(&*hub, wanted, &files) {
                return Ok(done(Some(head.commit), first.as_deref().unwrap_or_default()));
            }
        }
        return Err(caller.explain(COMMIT, denial));
    }
}

/// The end of the branch, if it lacks none of the files.
fn complete(hub: &dyn Hub, wanted: &Push<'_>, files: &[Local]) -> Option<Head> {
    let Ok(Repo::Branch(head)) = hub.state(wanted.branch) else { return None };
    let modes = hub.modes(wanted.branch, &head, files).ok()?;
    (!changes(hub, wanted, files, &modes, &head).contains(&Change::Sent)).then_some(head)
}

fn begin<'a>(settings: &'a Settings, listener: Listener, wanted: &Push<'a>) -> Result<Box<dyn Hub + 'a>, PushError> {
    if settings.offline {
        return Err(PushError::Offline);
    }
    let caller = Caller::new(settings, wanted.site, listener, wanted.repo);
    Ok(match wanted.site {
        Site::HuggingFace => Box::new(HuggingFace(caller)),
        Site::ModelScope => Box::new(ModelScope(caller)),
    })
}

/// Whether the repository can be pushed to as it is wanted, or created so.
fn check(hub: &dyn Hub, wanted: &Push<'_>, state: &Repo) -> Result<(), PushError> {
    let is_default = wanted.branch == wanted.site.default_branch();
    match state {
        Repo::Branch(head) => refuse_public(wanted, head.private == Some(true)),
        Repo::NoBranch | Repo::Missing if !is_default && !wanted.site.creates_branches() => {
            Err(hub.caller().no_branch(wanted.branch))
        }
        Repo::NoBranch | Repo::Missing => Ok(()),
    }
}

fn refuse_public(wanted: &Push<'_>, is_private: bool) -> Result<(), PushError> {
    match wanted.private && !is_private {
        true => Err(PushError::Public { repo: wanted.repo.into() }),
        false => Ok(()),
    }
}

/// The end of the branch, which is created if it is missing. Where a hub may leave open whether a repository is private, one that this push
/// itself has `created` is as it was wanted.
fn ready(hub: &dyn Hub, wanted: &Push<'_>, created: bool) -> Result<Head, PushError> {
    for made in [false, true] {
        match hub.state(wanted.branch)? {
            Repo::Branch(head) => {
                let assumed = created && !wanted.site.says_what_is_private();
                refuse_public(wanted, head.private.unwrap_or(assumed))?;
                return Ok(head);
            }
            Repo::NoBranch if !made => hub.branch(wanted.branch)?,
            Repo::NoBranch | Repo::Missing => break,
        }
    }
    Err(hub.caller().odd("the state", "it does not show what was created"))
}

/// What becomes of each file, and those that are to be committed.
fn gathered<'f>(
    hub: &dyn Hub,
    wanted: &Push<'_>,
    files: &'f [Local],
    head: &Head,
) -> Result<(Vec<Change>, Vec<Addition<'f>>), PushError> {
    let modes = hub.modes(wanted.branch, head, files)?;
    let mut states = changes(hub, wanted, files, &modes, head);
    let large: Vec<usize> = (0..files.len()).filter(|&i| states[i] == Change::Sent && modes[i].is_large).collect();
    let sent = store(hub, wanted.branch, &large.iter().map(|&i| &files[i]).collect::<Vec<_>>())?;
    for (i, _) in large.iter().zip(sent).filter(|(_, sent)| !sent) {
        states[*i] = Change::Stored;
    }
    let added = files.iter().zip(&modes).zip(&states).filter(|(_, s)| matches!(s, Change::Sent | Change::Stored));
    let additions = added.map(|((file, mode), _)| Addition { file, is_large: mode.is_large }).collect();
    Ok((states, additions))
}

/// What becomes of each file, as far as the branch says.
fn changes(hub: &dyn Hub, wanted: &Push<'_>, files: &[Local], modes: &[Mode], head: &Head) -> Vec<Change> {
    let of = |(file, mode): (&Local, &Mode)| match &mode.oid {
        _ if mode.is_ignored => Change::Ignored,
        Some(oid) if file.is(oid) => Change::Unchanged,
        Some(_) if stays(hub, wanted, file, head) => Change::Kept,
        _ => Change::Sent,
    };
    files.iter().zip(modes).map(of).collect()
}

/// Whether this is a card, and the branch has one that somebody wrote. One that cannot be read stays, too.
fn stays(hub: &dyn Hub, wanted: &Push<'_>, file: &Local, head: &Head) -> bool {
    let Some(may_replace) = wanted.may_replace_card.filter(|_| file.name == CARD) else { return false };
    let is_nobodys = |text: &str| text.trim().is_empty() || hub.is_template(text) || may_replace(text);
    hub.text(wanted.branch, &head.commit, &file.name).is_none_or(|text| !is_nobodys(&text))
}

fn listed(file: &Local, change: Change) -> PushedFile {
    PushedFile { name: file.name.clone(), size: file.size, change }
}
