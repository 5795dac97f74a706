//! What a push needs of a hub.

use std::{collections::BTreeMap, fs};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;

use super::{
    call::{Caller, Denial},
    error::PushError,
    local::Local,
};
use crate::assets::{failure::Failure, http::Answer};

/// What the hub says of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Repo {
    /// The branch is there.
    Branch(Head),
    /// The repository without this branch.
    NoBranch,
    /// No repository that the token gives access to.
    Missing,
}

/// The end of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// Its last commit, as the hub names it; empty if there is none.
    pub commit: String,
    /// `None`: the hub does not say.
    pub private: Option<bool>,
    /// The digest of each file: SHA-256, or git's object name. Empty where the hub states none.
    pub files: BTreeMap<String, String>,
}

/// How a file is stored, and what is there.
pub(super) struct Mode {
    pub is_large: bool,
    pub is_ignored: bool,
    /// SHA-256 of a large file, git's object name of another.
    pub oid: Option<String>,
}

/// A file of a commit.
pub(super) struct Addition<'a> {
    pub file: &'a Local,
    pub is_large: bool,
}

impl Addition<'_> {
    /// The content in base64.
    pub fn content(&self) -> Result<String, Denial> {
        let path = &self.file.path;
        let bytes = fs::read(path).map_err(|error| Denial::Failed(Failure::Io { path: path.clone(), error }))?;
        Ok(STANDARD.encode(bytes))
    }
}

/// A model repository on a hub.
pub(super) trait Hub {
    /// Sends its requests.
    fn caller(&self) -> &Caller<'_>;

    /// What is there.
    fn state(&self, branch: &str) -> Result<Repo, PushError>;

    /// Creates the repository; `false`: another program, or a request of this one whose answer was lost, has done so meanwhile.
    fn create(&self, private: bool, license: Option<&str>) -> Result<bool, PushError>;

    /// Creates a branch from the default one, unless it is there.
    fn branch(&self, branch: &str) -> Result<(), PushError>;

    /// How these files are stored, in their order.
    fn modes(&self, branch: &str, head: &Head, files: &[Local]) -> Result<Vec<Mode>, PushError>;

    /// The text of a file; `None` if it is not a short text.
    fn text(&self, branch: &str, commit: &str, name: &str) -> Option<String>;

    /// Whether this card is the one that the hub writes into a new repository, so that it is nobody's.
    fn is_template(&self, _card: &str) -> bool {
        false
    }

    /// For each of these large files how it is sent to the store, in the form of Git LFS; `None`: the store has it.
    fn actions(&self, branch: &str, files: &[&Local]) -> Result<Vec<Option<Value>>, PushError>;

    /// Where an address of an answer is.
    fn address(&self, href: &str) -> String {
        href.into()
    }

    /// Whether this address of the store is one of the hub's own, which want the token.
    fn is_own_store(&self, _url: &str) -> bool {
        false
    }

    /// Whether the store has taken what it was sent; returns the tag that it gives.
    fn taken(&self, answer: Answer) -> Result<Option<String>, Denial> {
        Ok(answer.header("etag").map(String::from))
    }

    /// Commits files onto a commit; returns the new one, empty if the hub has taken it without naming it.
    fn commit(&self, branch: &str, parent: &str, message: &str, files: &[Addition<'_>]) -> Result<String, Denial>;
}
