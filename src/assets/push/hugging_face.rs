//! The endpoints of the Hugging Face Hub for a model repository.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{
    call::{Caller, Denial},
    error::PushError,
    hub::{Addition, Head, Hub, Mode, Repo},
    local::Local,
    store::{Batch, LFS},
};
use crate::assets::{
    failure::Failure,
    hash::is_hex,
    http::{Sent, encode},
};

/// Files that are asked about at a time.
const AT_A_TIME: usize = 256;

/// The hub's own address, which answers may name although a mirror was asked.
const PUBLIC: &str = "https://huggingface.co";

/// A model repository on the Hugging Face Hub.
pub(super) struct HuggingFace<'a>(pub Caller<'a>);

impl HuggingFace<'_> {
    fn url(&self, rest: &str) -> String {
        format!("{}{rest}", self.0.hub().url)
    }

    fn api(&self, rest: &str) -> String {
        self.url(&format!("/api/models/{}{rest}", self.0.repo))
    }
}

impl Hub for HuggingFace<'_> {
    fn caller(&self) -> &Caller<'_> {
        &self.0
    }

    fn state(&self, branch: &str) -> Result<Repo, PushError> {
        const WHAT: &str = "the state";
        let at = format!("/revision/{}?blobs=true", encode(branch, ""));
        let info = match self.0.json(WHAT, &self.api(&at), None) {
            Ok(info) => info,
            Err(Denial::Status(refusal)) if refusal.status == 404 && refusal.code == "RevisionNotFound" => {
                return Ok(Repo::NoBranch);
            }
            Err(Denial::Status(refusal)) if refusal.status == 404 => return Ok(Repo::Missing),
            // Without a token the hub does not tell a missing repository from a private one.
            Err(Denial::Status(refusal)) if refusal.status == 401 && self.0.hub().token.is_none() => {
                return Ok(Repo::Missing);
            }
            Err(denial) => return Err(self.0.explain(WHAT, denial)),
        };
        let commit = info["sha"].as_str().filter(|sha| is_hex(sha, 40)).map(String::from);
        let commit = commit.ok_or_else(|| self.0.odd(WHAT, "it names no commit"))?;
        let oid = |file: &Value| {
            let oid = file["lfs"]["sha256"].as_str().or(file["blobId"].as_str())?;
            Some((file["rfilename"].as_str()?.to_owned(), oid.to_owned()))
        };
        let files = info["siblings"].as_array().into_iter().flatten().filter_map(oid).collect();
        Ok(Repo::Branch(Head { commit, private: info["private"].as_bool(), files }))
    }

    fn create(&self, private: bool, _license: Option<&str>) -> Result<bool, PushError> {
        const WHAT: &str = "the creation";
        let (owner, name) = self.0.repo.split_once('/').unwrap_or(("", self.0.repo));
        let mut body = json!({ "type": "model", "name": name, "organization": owner });
        if private {
            // Newer hubs read the one, older ones the other.
            body["visibility"] = "private".into();
            body["private"] = true.into();
        }
        match self.0.json(WHAT, &self.url("/api/repos/create"), Some(&body)) {
            Err(Denial::Status(refusal)) if refusal.status == 409 => Ok(false),
            Err(denial) => Err(self.0.explain(WHAT, denial)),
            Ok(_) => Ok(true),
        }
    }

    fn branch(&self, branch: &str) -> Result<(), PushError> {
        const WHAT: &str = "the new branch";
        let url = self.api(&format!("/branch/{}", encode(branch, "")));
        let made = self.0.tried(WHAT, || {
            let headers = [("content-type", "application/json")];
            self.0.once(self.0.own(&url, Sent { headers: &headers, ..Sent::post(b"{}") })).map(drop)
        });
        match made {
            Err(Denial::Status(refusal)) if refusal.status == 409 => Ok(()),
            made => made.map_err(|denial| self.0.explain(WHAT, denial)),
        }
    }

    fn modes(&self, branch: &str, _head: &Head, files: &[Local]) -> Result<Vec<Mode>, PushError> {
        const WHAT: &str = "the list of files";
        let url = self.api(&format!("/preupload/{}", encode(branch, "")));
        let mut modes = Vec::new();
        for some in files.chunks(AT_A_TIME) {
            let entry =
                |file: &Local| json!({ "path": file.name, "size": file.size, "sample": STANDARD.encode(&file.start) });
            let body = json!({ "files": some.iter().map(entry).collect::<Vec<_>>() });
            let answer = self.0.json(WHAT, &url, Some(&body)).map_err(|denial| self.0.explain(WHAT, denial))?;
            for file in some {
                let of = |known: &&Value| known["path"] == file.name;
                let known = answer["files"].as_array().and_then(|files| files.iter().find(of));
                let mode = known.and_then(|known| known["uploadMode"].as_str());
                let (Some(known), Some(mode @ ("lfs" | "regular"))) = (known, mode) else {
                    return Err(self.0.odd(WHAT, "it does not say how each file is stored"));
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

    fn text(&self, _branch: &str, commit: &str, name: &str) -> Option<String> {
        self.0.text(name, &self.url(&format!("/{}/resolve/{commit}/{}", self.0.repo, encode(name, "/"))))
    }

    fn actions(&self, branch: &str, files: &[&Local]) -> Result<Vec<Option<Value>>, PushError> {
        let url = self.url(&format!("/{}.git/info/lfs/objects/batch", self.0.repo));
        let ask = |objects: Vec<Value>| {
            let body = json!({
                "operation": "upload", "transfers": ["basic", "multipart"], "objects": objects, "hash_algo": "sha256",
                "ref": { "name": branch },
            });
            let text = body.to_string();
            self.0.tried(Batch::WHAT, || {
                let sent = Sent { headers: &LFS, ..Sent::post(text.as_bytes()) };
                self.0.once(self.0.own(&url, sent))?.json().map_err(Denial::Failed)
            })
        };
        Batch { caller: &self.0, at_a_time: AT_A_TIME, names_all: true }.actions(files, ask)
    }

    /// That of the public hub is meant to be the one that was asked.
    fn address(&self, href: &str) -> String {
        match href.strip_prefix(PUBLIC) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => self.url(rest),
            _ => href.into(),
        }
    }

    fn commit(&self, branch: &str, parent: &str, message: &str, files: &[Addition<'_>]) -> Result<String, Denial> {
        let header =
            json!({ "key": "header", "value": { "summary": message, "description": "", "parentCommit": parent } });
        let mut body = format!("{header}\n");
        for addition in files {
            let file = addition.file;
            let line = match addition.is_large {
                true => {
                    json!({ "key": "lfsFile", "value": { "path": file.name, "algo": "sha256", "oid": file.sha256, "size": file.size } })
                }
                false => {
                    json!({ "key": "file", "value": { "content": addition.content()?, "path": file.name, "encoding": "base64" } })
                }
            };
            body.push_str(&format!("{line}\n"));
        }
        let url = self.api(&format!("/commit/{}", encode(branch, "")));
        let headers = [("content-type", "application/x-ndjson")];
        let answer = self.0.once(self.0.own(&url, Sent { headers: &headers, ..Sent::post(body.as_bytes()) }))?;
        let answer = answer.json().map_err(Denial::Failed)?;
        let commit = answer["commitOid"].as_str().map(String::from);
        commit.ok_or_else(|| Denial::Failed(Failure::Odd("it names no commit".into())))
    }
}
