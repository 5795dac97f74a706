//! The hub's endpoints for a model repository.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    call::{Caller, Denial},
    error::PushError,
};
use crate::assets::{
    failure::Failure,
    hash::is_hex,
    http::{Sent, encode},
};

/// Files that are asked about at a time.
pub(super) const AT_A_TIME: usize = 256;

/// What the hub says of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Repo {
    /// The branch, with its last commit.
    Branch { commit: String, private: Option<bool>, files: BTreeMap<String, String> },
    /// The repository without this branch.
    NoBranch,
    /// No repository that the token gives access to.
    Missing,
}

/// How a file is stored, and what is there.
pub(super) struct Mode {
    pub is_large: bool,
    pub is_ignored: bool,
    /// SHA-256 of a large file, git's object name of another.
    pub oid: Option<String>,
}

/// A file to ask about.
pub(super) struct Sample<'a> {
    pub name: &'a str,
    pub size: u64,
    /// Its first 512 bytes.
    pub start: &'a [u8],
}

impl Caller<'_> {
    fn api(&self, rest: &str) -> String {
        format!("{}/api/models/{}{rest}", self.settings.hub.url, self.repo)
    }

    /// What is there.
    pub fn repo(&self, branch: &str) -> Result<Repo, PushError> {
        const WHAT: &str = "the state";
        let at = format!("/revision/{}?blobs=true", encode(branch, ""));
        let info = match self.json(WHAT, &self.api(&at), None) {
            Ok(info) => info,
            Err(Denial::Status(refusal)) if refusal.status == 404 && refusal.code == "RevisionNotFound" => {
                return Ok(Repo::NoBranch);
            }
            Err(Denial::Status(refusal)) if refusal.status == 404 => return Ok(Repo::Missing),
            // Without a token the hub does not tell a missing repository from a private one.
            Err(Denial::Status(refusal)) if refusal.status == 401 && self.settings.hub.token.is_none() => {
                return Ok(Repo::Missing);
            }
            Err(denial) => return Err(self.explain(WHAT, denial)),
        };
        let commit = info["sha"].as_str().filter(|sha| is_hex(sha, 40)).map(String::from);
        let commit = commit.ok_or_else(|| self.odd(WHAT, "it names no commit"))?;
        let oid = |file: &Value| {
            let oid = file["lfs"]["sha256"].as_str().or(file["blobId"].as_str())?;
            Some((file["rfilename"].as_str()?.to_owned(), oid.to_owned()))
        };
        let files = info["siblings"].as_array().into_iter().flatten().filter_map(oid).collect();
        Ok(Repo::Branch { commit, private: info["private"].as_bool(), files })
    }

    /// Creates the repository, unless another program has done so meanwhile.
    pub fn create(&self, private: bool) -> Result<(), PushError> {
        const WHAT: &str = "the creation";
        let (owner, name) = self.repo.split_once('/').unwrap_or(("", self.repo));
        let mut body = json!({ "type": "model", "name": name, "organization": owner });
        if private {
            // Newer hubs read the one, older ones the other.
            body["visibility"] = "private".into();
            body["private"] = true.into();
        }
        match self.json(WHAT, &format!("{}/api/repos/create", self.settings.hub.url), Some(&body)) {
            Err(Denial::Status(refusal)) if refusal.status == 409 => Ok(()),
            Err(denial) => Err(self.explain(WHAT, denial)),
            Ok(_) => Ok(()),
        }
    }

    /// Creates a branch from the default one, unless it is there.
    pub fn branch(&self, branch: &str) -> Result<(), PushError> {
        const WHAT: &str = "the new branch";
        let url = self.api(&format!("/branch/{}", encode(branch, "")));
        let made = self.tried(WHAT, || {
            let headers = [("content-type", "application/json")];
            let token = self.settings.hub.token.as_ref();
            self.once(Sent { url: &url, token, headers: &headers, ..Sent::post(b"{}") }).map(drop)
        });
        match made {
            Err(Denial::Status(refusal)) if refusal.status == 409 => Ok(()),
            made => made.map_err(|denial| self.explain(WHAT, denial)),
        }
    }

    /// How these files are stored, in their order.
    pub fn modes(&self, branch: &str, files: &[Sample<'_>]) -> Result<Vec<Mode>, PushError> {
        const WHAT: &str = "the list of files";
        let url = self.api(&format!("/preupload/{}", encode(branch, "")));
        let mut modes = Vec::new();
        for some in files.chunks(AT_A_TIME) {
            let entry = |file: &Sample<'_>| json!({ "path": file.name, "size": file.size, "sample": STANDARD.encode(file.start) });
            let body = json!({ "files": some.iter().map(entry).collect::<Vec<_>>() });
            let answer = self.json(WHAT, &url, Some(&body)).map_err(|denial| self.explain(WHAT, denial))?;
            for file in some {
                let of = |known: &&Value| known["path"] == file.name;
                let known = answer["files"].as_array().and_then(|files| files.iter().find(of));
                let mode = known.and_then(|known| known["uploadMode"].as_str());
                let (Some(known), Some(mode @ ("lfs" | "regular"))) = (known, mode) else {
                    return Err(self.odd(WHAT, "it does not say how each file is stored"));
                };
                modes.push(Mode {
                    // The store refuses empty files.
                    is_large: mode == "lfs" && file.size > 0,
                    is_ignored: known["shouldIgnore"].as_bool().unwrap_or(false),
                    oid: known["oid"].as_str().map(String::from),
                });
            }
        }
        Ok(modes)
    }

    /// The text of a file of a commit; `None` if it is not a short text.
    pub fn text(&self, commit: &str, name: &str) -> Option<String> {
        let url = format!("{}/{}/resolve/{commit}/{}", self.settings.hub.url, self.repo, encode(name, "/"));
        let token = self.settings.hub.token.as_ref();
        self.tried(name, || self.once(Sent { url: &url, token, ..Sent::get() })?.text().map_err(Denial::Failed)).ok()
    }

    /// Commits lines of JSON onto a commit; returns the new one.
    pub fn commit(&self, branch: &str, lines: &[Value]) -> Result<String, Denial> {
        let body: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let url = self.api(&format!("/commit/{}", encode(branch, "")));
        let headers = [("content-type", "application/x-ndjson")];
        let token = self.settings.hub.token.as_ref();
        let answer = self.once(Sent { url: &url, token, headers: &headers, ..Sent::post(body.as_bytes()) })?;
        let answer = answer.json().map_err(Denial::Failed)?;
        let commit = answer["commitOid"].as_str().map(String::from);
        commit.ok_or_else(|| Denial::Failed(Failure::Odd("it names no commit".into())))
    }

    /// The error for an answer of a server that is no hub.
    pub fn odd(&self, what: &'static str, cause: &str) -> PushError {
        PushError::Odd { endpoint: self.endpoint(), what, cause: cause.into() }
    }
}
