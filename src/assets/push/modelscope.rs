//! The endpoints of ModelScope for a model repository, as its own client for Python uses them.
//!
//! Answers are envelopes: `Code` (200 for success), `Message`, `Data`. They differ from the hub's in what a push relies on:
//!
//! - A commit names no parent, so two programs can overwrite each other; the branch is asked for its end right before.
//! - A commit's answer does not name it; the list of files does, by the beginning of its name.
//! - A commit soon after another one is rejected for a while.
//! - The client decides which files are large. The store omits those that it has from its answer, and wants the token.
//! - Nothing creates a branch.

use serde_json::{Value, json};

use super::{
    call::{Caller, Denial, Refusal, code_of, message},
    error::PushError,
    hub::{Addition, Head, Hub, Mode, Repo},
    local::Local,
    store::Batch,
    template::is_template,
};
use crate::assets::{
    failure::Failure,
    hash::is_hex,
    http::{Answer, Sent, encode, same_origin},
};

/// Large files that are asked about at a time.
const AT_A_TIME: usize = 64;

/// The size in bytes from which on a file is large, whatever its name.
const LARGE: u64 = 64 << 10;

/// Endings of large files, of those that an export can have.
const ENDINGS: [&str; 4] = [".safetensors", ".onnx", ".bin", ".model"];

/// Files that the hub itself reads, which must not be large ones.
const READ_BY_THE_HUB: [&str; 6] =
    ["readme.md", "config.json", "configuration.json", ".gitattributes", ".gitignore", ".msc"];

/// The domains of the public hubs, and the subdomains of their own stores of large files.
const DOMAINS: [&str; 2] = ["modelscope.cn", "modelscope.ai"];
const STORES: [&str; 2] = ["lfs", "pre-lfs"];

/// How often the list of files is read for the name of a commit.
const LOOKS: u32 = 4;

/// Codes for a name that is taken.
const TAKEN: [&str; 2] = ["10010101001", "10010202004"];
/// The code for a token that is not valid.
const BAD_TOKEN: &str = "10010103009";
/// The code for a commit that is to be tried again: another one came first, or it came too soon after another one.
const AGAIN: &str = "10030000001";
/// The same in words, where another code is given.
const AGAIN_IN_WORDS: [&str; 5] =
    ["branch changed", "could not update refs", "please retry", "try again", "rejected by repository policy"];

/// How the hub writes that a repository is private, and that it is public.
const PRIVATE: u64 = 1;
const PUBLIC: u64 = 5;

/// A model repository on ModelScope.
pub(super) struct ModelScope<'a>(pub Caller<'a>);

impl ModelScope<'_> {
    fn api(&self, rest: &str) -> String {
        format!("{}/api/v1/{rest}", self.0.hub().url)
    }

    fn of_repo(&self, rest: &str) -> String {
        self.api(&format!("models/{}{rest}", self.0.repo))
    }

    /// Asks for the `Data` of an answer, or sends JSON for it.
    fn ask(&self, what: &'static str, url: &str, body: Option<&Value>) -> Result<Value, Denial> {
        let text = body.map(Value::to_string);
        self.0.tried(&self.0.at_hub(what), || self.once(url, text.as_deref()))
    }

    fn once(&self, url: &str, body: Option<&str>) -> Result<Value, Denial> {
        let headers = [("content-type", "application/json")];
        let sent = match body {
            Some(text) => Sent { headers: &headers, ..Sent::post(text.as_bytes()) },
            None => Sent::get(),
        };
        let answer = self.0.once(self.0.own(url, sent)).map_err(judged)?;
        opened(answer.json().map_err(Denial::Failed)?)
    }

    /// Whether the repository has a branch.
    fn has(&self, branch: &str) -> Result<bool, Denial> {
        let data = self.ask("the branches", &self.of_repo("/revisions"), None)?;
        let branches = data["RevisionMap"]["Branches"].as_array();
        Ok(branches.into_iter().flatten().any(|entry| entry["Revision"] == branch))
    }

    /// The end of a branch, without its visibility.
    fn head(&self, branch: &str) -> Result<Head, Denial> {
        let url = self.of_repo(&format!("/repo/files?Revision={}&Recursive=False", encode(branch, "")));
        let data = match self.ask("the state", &url, None) {
            // A repository without any commit.
            Err(Denial::Status(refusal)) if refusal.status == 404 => Value::Null,
            data => data?,
        };
        Ok(head_of(&data))
    }

    /// The commit after `parent`; empty if the list of files does not show it soon. The commit itself has succeeded, whatever is read here.
    fn after(&self, branch: &str, parent: &str) -> String {
        for look in 0..LOOKS {
            match self.head(branch) {
                Ok(head) if head.commit != parent => return head.commit,
                Ok(_) if look + 1 < LOOKS => {
                    let wait = self.0.settings.patience.first_wait;
                    self.0.wait("the new commit", "the list of files does not show it yet", wait);
                }
                _ => break,
            }
        }
        String::new()
    }
}

impl Hub for ModelScope<'_> {
    fn caller(&self) -> &Caller<'_> {
        &self.0
    }

    fn state(&self, branch: &str) -> Result<Repo, PushError> {
        const WHAT: &str = "the state";
        let explain = |denial| self.0.explain(WHAT, denial);
        let info = match self.ask(WHAT, &self.of_repo(""), None) {
            Ok(info) => info,
            Err(Denial::Status(refusal)) if refusal.status == 404 => return Ok(Repo::Missing),
            Err(Denial::Status(refusal)) if matches!(refusal.status, 401 | 403) && self.0.hub().token.is_none() => {
                return Ok(Repo::Missing);
            }
            Err(denial) => return Err(explain(denial)),
        };
        if branch != self.0.site.default_branch() && !self.has(branch).map_err(explain)? {
            return Ok(Repo::NoBranch);
        }
        let private = info["Visibility"].as_u64().map(|visibility| visibility == PRIVATE);
        Ok(Repo::Branch(Head { private, ..self.head(branch).map_err(explain)? }))
    }

    fn create(&self, private: bool, license: Option<&str>) -> Result<bool, PushError> {
        const WHAT: &str = "the creation";
        let (owner, name) = self.0.repo.split_once('/').unwrap_or(("", self.0.repo));
        let visibility = if private { PRIVATE } else { PUBLIC };
        let mut body = json!({ "Path": owner, "Name": name, "Visibility": visibility });
        // None is claimed that is not known.
        if let Some(license) = license {
            body["License"] = license.into();
        }
        match self.ask(WHAT, &self.api("models"), Some(&body)) {
            Err(Denial::Status(refusal)) if refusal.status == 409 || TAKEN.contains(&refusal.code.as_str()) => {
                Ok(false)
            }
            Err(denial) => Err(self.0.explain(WHAT, denial)),
            Ok(_) => Ok(true),
        }
    }

    fn branch(&self, branch: &str) -> Result<(), PushError> {
        Err(self.0.no_branch(branch))
    }

    fn modes(&self, _branch: &str, head: &Head, files: &[Local]) -> Result<Vec<Mode>, PushError> {
        let mode = |file: &Local| Mode {
            is_large: is_large(&file.name, file.size),
            is_ignored: false,
            oid: head.files.get(&file.name).cloned(),
        };
        Ok(files.iter().map(mode).collect())
    }

    fn text(&self, branch: &str, _commit: &str, name: &str) -> Option<String> {
        let url = self.of_repo(&format!("/repo?Revision={}&FilePath={}", encode(branch, ""), encode(name, "")));
        self.0.text(name, &url)
    }

    fn is_template(&self, card: &str) -> bool {
        is_template(card)
    }

    fn actions(&self, _branch: &str, files: &[&Local]) -> Result<Vec<Option<Value>>, PushError> {
        let url = self.api(&format!("repos/models/{}/info/lfs/objects/batch", self.0.repo));
        let ask = |objects: Vec<Value>| {
            self.ask(Batch::WHAT, &url, Some(&json!({ "operation": "upload", "objects": objects })))
        };
        Batch { caller: &self.0, at_a_time: AT_A_TIME, names_all: false }.actions(files, ask)
    }

    fn is_own_store(&self, url: &str) -> bool {
        is_own_store(&self.0.hub().url, url)
    }

    /// The hub's own store says so in an envelope, another one in nothing but the status.
    fn taken(&self, answer: Answer) -> Result<Option<String>, Denial> {
        let text = answer.text().map_err(Denial::Failed)?;
        match serde_json::from_str(&text) {
            Ok(body) => opened(body).map(|_| None),
            Err(_) => Ok(None),
        }
    }

    fn commit(&self, branch: &str, parent: &str, message: &str, files: &[Addition<'_>]) -> Result<String, Denial> {
        if self.head(branch)?.commit != parent {
            return Err(Denial::Status(Refusal::new(412, "", "")));
        }
        let mut actions = Vec::new();
        for addition in files {
            let file = addition.file;
            actions.push(match addition.is_large {
                true => {
                    json!({ "action": "create", "path": file.name, "type": "lfs", "size": file.size, "sha256": file.sha256,
                            "content": "", "encoding": "" })
                }
                false => {
                    json!({ "action": "create", "path": file.name, "type": "normal", "size": file.size, "sha256": "",
                            "content": addition.content()?, "encoding": "base64" })
                }
            });
        }
        let body = json!({ "commit_message": message, "actions": actions }).to_string();
        let url = self.api(&format!("repos/models/{}/commit/{}", self.0.repo, encode(branch, "")));
        self.once(&url, Some(&body)).map_err(again)?;
        Ok(self.after(branch, parent))
    }
}

/// Whether the token goes to this address: to that of the hub, and for the public hubs to their own stores of large files. Of another hub only
/// its own address is known to be its own: the host beside it can be somebody else's.
fn is_own_store(hub: &str, url: &str) -> bool {
    let is_of = |domain: &&str| {
        ["", "www."].iter().any(|before| same_origin(hub, &format!("https://{before}{domain}")))
            && STORES.iter().any(|store| same_origin(url, &format!("https://{store}.{domain}")))
    };
    same_origin(hub, url) || DOMAINS.iter().any(is_of)
}

/// The `Data` of an envelope; what has none is its own.
fn opened(mut body: Value) -> Result<Value, Denial> {
    let code = code_of(&body).unwrap_or("200".into());
    if code != "200" || body["Success"] == false {
        let status = match code.as_str() {
            "401" | "403" | "404" | "409" | "429" | "500" | "502" | "503" | "504" => code.parse().unwrap_or(400),
            _ => 400,
        };
        return Err(judged(Denial::Status(Refusal::new(status, &code, &message(&body).unwrap_or_default()))));
    }
    Ok(match body.get_mut("Data") {
        Some(data) => data.take(),
        None => body,
    })
}

/// A refusal with the status that its code means: some are sent as a bad request.
fn judged(denial: Denial) -> Denial {
    let Denial::Status(mut refusal) = denial else { return denial };
    if refusal.code == BAD_TOKEN || refusal.status == 400 && refusal.said.contains("not logged in") {
        refusal.status = 401;
    }
    Denial::Status(refusal)
}

/// The refusal of a commit, which passes if it says so.
fn again(denial: Denial) -> Denial {
    let Denial::Status(mut refusal) = denial else { return denial };
    let said = refusal.said.to_lowercase();
    let passes = refusal.code == AGAIN || AGAIN_IN_WORDS.iter().any(|words| said.contains(words));
    if passes && matches!(refusal.status, 400 | 409) {
        refusal.failure = Failure::Status { status: 503, code: None, retry_after: None };
    }
    Denial::Status(refusal)
}

fn is_large(name: &str, size: u64) -> bool {
    let name = name.to_lowercase();
    let of_the_hub = READ_BY_THE_HUB.contains(&name.as_str());
    !of_the_hub && size > 0 && (size > LARGE || ENDINGS.iter().any(|ending| name.ends_with(ending)))
}

/// What a list of files says of a branch.
fn head_of(data: &Value) -> Head {
    let files: Vec<&Value> = data["Files"].as_array().into_iter().flatten().filter(|f| f["Type"] != "tree").collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let revisions: Vec<String> = files.iter().map(|file| text(&file["Revision"])).collect();
    let of_file = |file: &&Value| (text(&file["Path"]), text(&file["Sha256"]).to_lowercase());
    let (long, short) = (text(&data["LatestCommitter"]["Id"]), text(&data["LatestCommitter"]["ShortId"]));
    // Only the beginning is stated; the files that the last commit changed have it in full.
    let commit = match is_hex(&long, 40) {
        true => long,
        false => {
            let of_last = revisions.iter().find(|revision| !short.is_empty() && revision.starts_with(&short));
            of_last.cloned().unwrap_or(short)
        }
    };
    Head { commit, private: None, files: files.iter().map(of_file).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_the_hub_reads_are_never_large() {
        for (name, size, expected) in [
            ("model.safetensors", 10, true),
            ("tokenizer.json", 65_537, true),
            ("tokenizer.json", 65_536, false),
            ("README.md", 1 << 20, false),
            ("config.json", 1 << 20, false),
            ("sentencepiece.bpe.model", 1, true),
            ("model.onnx", 0, false),
        ] {
            assert_eq!(is_large(name, size), expected, "{name} of {size} bytes");
        }
    }

    #[test]
    fn the_last_commit_is_found_by_its_beginning() {
        let (old, new) = ("a".repeat(40), "b".repeat(40));
        let file =
            |name: &str, revision: &str| json!({ "Path": name, "Type": "blob", "Sha256": "AB", "Revision": revision });
        let list = |files: Vec<Value>, id: &str, short: &str| {
            head_of(&json!({ "Files": files, "LatestCommitter": { "Id": id, "ShortId": short } }))
        };
        let both = || vec![file("README.md", &new), file(".gitattributes", &old)];
        assert_eq!(list(both(), "", &new[..8]).commit, new);
        assert_eq!(list(both(), &old, &new[..8]).commit, old);
        // The last commit has removed a file only.
        assert_eq!(list(vec![file("a", &old)], "", "cccccccc").commit, "cccccccc");
        assert_eq!(list(both(), "", &new[..8]).files["README.md"], "ab");
        // A branch without commits, as the hub writes it.
        let none = head_of(&json!({ "Files": null, "LatestCommitter": null }));
        assert_eq!((none.commit.as_str(), none.files.len()), ("", 0));
    }

    #[test]
    fn the_token_goes_to_stores_of_the_public_hubs_and_to_no_neighbour_of_another() {
        for hub in ["https://modelscope.cn", "https://www.modelscope.cn/"] {
            for own in ["https://lfs.modelscope.cn/x", "https://pre-lfs.modelscope.cn/x?y", hub] {
                assert!(is_own_store(hub, own), "{hub} {own}");
            }
            for other in [
                "http://lfs.modelscope.cn/x",
                "https://lfs.modelscope.cn:8443/x",
                "https://lfs.modelscope.ai/x",
                "https://lfs.modelscope.cn.evil/x",
                "https://lfs.modelscope.cn@evil/x",
                "https://evil-lfs.modelscope.cn/x",
                "https://a.lfs.modelscope.cn/x",
            ] {
                assert!(!is_own_store(hub, other), "{hub} {other}");
            }
        }
        assert!(is_own_store("https://www.modelscope.ai", "https://lfs.modelscope.ai/x"));
        // Names below a public suffix belong to different people, and so may those of a company.
        for (hub, other) in [
            ("https://x.github.io", "https://lfs.github.io/x"),
            ("https://hub.example.com", "https://lfs.example.com/x"),
            ("https://example.com", "https://lfs.example.com/x"),
            ("https://evil-modelscope.cn", "https://lfs.modelscope.cn/x"),
            ("http://modelscope.cn", "https://lfs.modelscope.cn/x"),
            ("http://127.0.0.1:80", "http://127.0.0.1:81/x"),
        ] {
            assert!(!is_own_store(hub, other), "{hub} {other}");
        }
        assert!(is_own_store("https://hub.example.com", "https://hub.example.com/store/x"));
    }

    #[test]
    fn an_envelope_that_says_no_is_a_refusal() {
        let refused = |body: Value| match opened(body) {
            Err(Denial::Status(refusal)) => (refusal.status, refusal.code, refusal.said),
            _ => panic!("no refusal"),
        };
        assert_eq!(opened(json!({ "Code": 200, "Data": { "a": 1 } })).ok(), Some(json!({ "a": 1 })));
        assert_eq!(opened(json!({ "a": 1 })).ok(), Some(json!({ "a": 1 })));
        let body = json!({ "Code": 404, "Message": "none", "Success": false });
        assert_eq!(refused(body), (404, "404".into(), "none".into()));
        assert_eq!(refused(json!({ "Code": 200, "Success": false })).0, 400);
        assert_eq!(refused(json!({ "Code": 10010103009_u64, "Message": "expired" })).0, 401);
        let late = json!({ "Code": 10030000001_u64, "Message": "commit rejected by repository policy" });
        let Err(denial) = opened(late) else { panic!("no refusal") };
        assert!(matches!(again(denial).failure(), Failure::Status { status: 503, .. }));
        let Err(denial) = opened(json!({ "Code": 10, "Message": "no such path" })) else { panic!("no refusal") };
        assert!(matches!(again(denial).failure(), Failure::Status { status: 400, .. }));
    }
}
