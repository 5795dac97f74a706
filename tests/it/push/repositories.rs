//! What the hub keeps: repositories with branches and commits, and the store of large files. It refuses what the real one refuses.

use std::collections::{BTreeMap, BTreeSet};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::hub::server::{git, sha256};

/// A refusal: its status, the code of the hub, and its words.
pub struct Refusal(pub u16, pub &'static str, pub String);

pub type Answer = Result<Value, Refusal>;

pub fn refuse<T>(status: u16, code: &'static str, words: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal(status, code, words.into()))
}

/// A file of a commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Regular(Vec<u8>),
    /// By its SHA-256.
    Large(String),
}

pub type Files = BTreeMap<String, Content>;

#[derive(Clone, Debug, Default)]
pub struct Repo {
    pub private: bool,
    /// What was stated when it was created.
    pub license: Option<String>,
    /// Branch → commit.
    pub branches: BTreeMap<String, String>,
    /// Commit → its files.
    pub commits: BTreeMap<String, Files>,
    /// The commits, the newest last.
    pub order: Vec<String>,
    /// Commit → the one that it builds on.
    pub parents: BTreeMap<String, String>,
    /// First lines of the commits, in their order.
    pub messages: Vec<String>,
}

#[derive(Default)]
pub struct Repositories {
    pub repos: BTreeMap<String, Repo>,
    /// The store: SHA-256 → bytes.
    pub objects: BTreeMap<String, Vec<u8>>,
    /// Objects that may be sent.
    pub granted: BTreeSet<String>,
    /// Objects of several parts: (SHA-256, part) → bytes.
    parts: BTreeMap<(String, u64), Vec<u8>>,
    /// How often each object was sent, in one piece or as its last part.
    pub sent: BTreeMap<String, usize>,
    /// Objects from this size on are sent in parts of this size.
    pub part_size: u64,
    /// The hub does not say whether a repository is private.
    pub hides_visibility: bool,
    /// So many lists of files on ModelScope are those before the last commit.
    pub lags: usize,
    /// ModelScope sends large files to a store that is not its own.
    pub has_foreign_store: bool,
}

/// Whether a file is stored as a large one: by its ending, as `.gitattributes` of the hub says, or its size.
fn is_large(name: &str, size: u64) -> bool {
    [".safetensors", ".onnx", ".bin", ".data"].iter().any(|ending| name.ends_with(ending)) || size > 10_000_000
}

/// A name for a commit.
fn commit_id(n: usize, files: &Files) -> String {
    git(format!("{n} {files:?}").as_bytes())
}

impl Repositories {
    /// None, and a store that takes objects of any size in one piece.
    pub fn new() -> Self {
        Self { part_size: u64::MAX, ..Self::default() }
    }

    pub fn create(&mut self, body: &Value) -> Answer {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        if text("type") != "model" || text("name").is_empty() {
            return refuse(400, "", "invalid body");
        }
        if !["me", "team"].contains(&text("organization")) {
            return refuse(
                403,
                "",
                format!("You don't have the rights to create a model under {}", text("organization")),
            );
        }
        let id = format!("{}/{}", text("organization"), text("name"));
        if self.repos.contains_key(&id) {
            return refuse(409, "", "You already created this model repo");
        }
        let mut repo = Repo { private: text("visibility") == "private", ..Repo::default() };
        let attributes = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n".to_vec();
        repo.add("main", Files::from([(".gitattributes".into(), Content::Regular(attributes))]), "initial commit");
        self.repos.insert(id.clone(), repo);
        Ok(json!({ "url": format!("https://hub/{id}") }))
    }

    pub fn repo(&mut self, id: &str) -> Result<&mut Repo, Refusal> {
        let missing = || Refusal(404, "RepoNotFound", "Repository not found".into());
        self.repos.get_mut(id).ok_or_else(missing)
    }

    pub fn head(&mut self, id: &str, revision: &str) -> Result<(String, Files), Refusal> {
        let repo = self.repo(id)?;
        let commit = repo.branches.get(revision).cloned().unwrap_or_else(|| revision.into());
        match repo.commits.get(&commit) {
            Some(files) => Ok((commit, files.clone())),
            None => refuse(404, "RevisionNotFound", format!("Invalid rev id: {revision}")),
        }
    }

    pub fn info(&mut self, id: &str, revision: &str) -> Answer {
        let private = Some(self.repo(id)?.private).filter(|_| !self.hides_visibility);
        let (sha, files) = self.head(id, revision)?;
        let sibling = |(name, content): (&String, &Content)| match content {
            Content::Regular(bytes) => json!({ "rfilename": name, "size": bytes.len(), "blobId": git(bytes) }),
            Content::Large(oid) => {
                let size = self.objects[oid].len();
                json!({ "rfilename": name, "size": size, "blobId": git(oid.as_bytes()), "lfs": { "sha256": oid, "size": size, "pointerSize": 134 } })
            }
        };
        let siblings: Vec<Value> = files.iter().map(sibling).collect();
        Ok(
            json!({ "id": id, "modelId": id, "sha": sha, "private": private, "siblings": siblings, "tags": [], "downloads": 0 }),
        )
    }

    pub fn tree(&mut self, id: &str, revision: &str) -> Answer {
        let info = self.info(id, revision)?;
        let entry = |file: &Value| {
            let mut entry =
                json!({ "type": "file", "path": file["rfilename"], "size": file["size"], "oid": file["blobId"] });
            if file["lfs"].is_object() {
                entry["lfs"] = json!({ "oid": file["lfs"]["sha256"], "size": file["size"], "pointerSize": 134 });
            }
            entry
        };
        Ok(info["siblings"].as_array().expect("files").iter().map(entry).collect())
    }

    /// A file: the commit, its entity tag, its bytes, and whether it is large.
    pub fn file(&mut self, id: &str, revision: &str, name: &str) -> Result<(String, String, Vec<u8>, bool), Refusal> {
        let (commit, files) = self.head(id, revision)?;
        match files.get(name) {
            None => refuse(404, "EntryNotFound", "Entry not found"),
            Some(Content::Regular(bytes)) => Ok((commit, git(bytes), bytes.clone(), false)),
            Some(Content::Large(oid)) => Ok((commit, oid.clone(), self.objects[oid].clone(), true)),
        }
    }

    pub fn branch(&mut self, id: &str, branch: &str) -> Answer {
        let (commit, _) = self.head(id, "main")?;
        let repo = self.repo(id)?;
        if repo.branches.insert(branch.into(), commit).is_some() {
            return refuse(409, "", "Reference already exists");
        }
        Ok(Value::Null)
    }

    pub fn preupload(&mut self, id: &str, branch: &str, body: &Value) -> Answer {
        let (_, files) = self.head(id, branch)?;
        let Some(asked) = body["files"].as_array() else { return refuse(400, "", "no files") };
        let mut modes = Vec::new();
        for file in asked {
            let (Some(name), Some(size), Some(sample)) =
                (file["path"].as_str(), file["size"].as_u64(), file["sample"].as_str())
            else {
                return refuse(400, "", "a file lacks its path, size or sample");
            };
            let sample = STANDARD.decode(sample).map_or(0, |bytes| bytes.len() as u64);
            if sample != size.min(512) {
                return refuse(400, "", format!("a sample of {sample} bytes"));
            }
            let mode = if is_large(name, size) { "lfs" } else { "regular" };
            let mut known = json!({ "path": name, "uploadMode": mode, "shouldIgnore": name.ends_with(".ignored") });
            match files.get(name) {
                Some(Content::Regular(bytes)) => known["oid"] = git(bytes).into(),
                Some(Content::Large(oid)) => known["oid"] = oid.clone().into(),
                None => {}
            }
            modes.push(known);
        }
        Ok(json!({ "files": modes }))
    }

    /// Git LFS's batch API; addresses of the store begin with `store`, those of the hub with `hub`.
    pub fn batch(&mut self, id: &str, body: &Value, (hub, store): (&str, &str)) -> Answer {
        self.repo(id)?;
        if body["operation"] != "upload" || body["hash_algo"] != "sha256" || body["ref"]["name"].as_str().is_none() {
            return refuse(422, "", "invalid batch");
        }
        let mut objects = Vec::new();
        for object in body["objects"].as_array().into_iter().flatten() {
            let (Some(oid), Some(size)) = (object["oid"].as_str(), object["size"].as_u64()) else {
                return refuse(422, "", "an object lacks its oid or size");
            };
            let mut answer = json!({ "oid": oid, "size": size });
            if !self.objects.contains_key(oid) {
                self.granted.insert(oid.into());
                let verify = json!({ "href": format!("{hub}/{id}.git/info/lfs/verify") });
                let upload = if size >= self.part_size {
                    let mut header = json!({ "chunk_size": self.part_size.to_string() });
                    for part in 1..=size.div_ceil(self.part_size) {
                        header[format!("{part:05}")] = format!("{store}/store/{oid}?part={part}").into();
                    }
                    json!({ "href": format!("{store}/complete/{oid}"), "header": header })
                } else {
                    json!({ "href": format!("{store}/store/{oid}") })
                };
                answer["actions"] = json!({ "upload": upload, "verify": verify });
            }
            objects.push(answer);
        }
        Ok(json!({ "transfer": "basic", "objects": objects }))
    }

    /// Takes an object, or a part of one; returns its tag.
    pub fn put(&mut self, oid: &str, part: Option<u64>, bytes: &[u8]) -> Result<String, Refusal> {
        if !self.granted.contains(oid) {
            return refuse(403, "", "Request has expired");
        }
        match part {
            Some(part) => _ = self.parts.insert((oid.into(), part), bytes.into()),
            None => self.keep(oid, bytes.into())?,
        }
        Ok(format!("\"{}\"", git(bytes)))
    }

    pub fn keep(&mut self, oid: &str, bytes: Vec<u8>) -> Result<(), Refusal> {
        if sha256(&bytes) != oid {
            return refuse(400, "", "The SHA256 you specified does not match the calculated checksum");
        }
        *self.sent.entry(oid.into()).or_default() += 1;
        self.objects.insert(oid.into(), bytes);
        Ok(())
    }

    pub fn complete(&mut self, oid: &str, body: &Value) -> Answer {
        let mut bytes = Vec::new();
        for (at, part) in body["parts"].as_array().into_iter().flatten().enumerate() {
            let n = at as u64 + 1;
            let Some(of_part) = self.parts.get(&(oid.to_owned(), n)) else {
                return refuse(400, "", "a part is missing");
            };
            if part["partNumber"] != n || part["etag"] != format!("\"{}\"", git(of_part)) {
                return refuse(400, "", "One or more of the specified parts could not be found");
            }
            bytes.extend_from_slice(of_part);
        }
        self.keep(oid, bytes)?;
        Ok(json!({}))
    }

    pub fn verify(&self, body: &Value) -> Answer {
        let stored = body["oid"].as_str().and_then(|oid| self.objects.get(oid));
        match stored.is_some_and(|bytes| body["size"] == bytes.len()) {
            true => Ok(json!({})),
            false => refuse(404, "", "Object not found"),
        }
    }

    pub fn commit(&mut self, id: &str, branch: &str, lines: &[Value]) -> Answer {
        let (head, mut files) = self.head(id, branch)?;
        let header = lines.first().filter(|line| line["key"] == "header").map(|line| &line["value"]);
        let Some(header) = header.filter(|header| header["summary"].as_str().is_some_and(|text| !text.is_empty()))
        else {
            return refuse(400, "", "no header");
        };
        if header["parentCommit"].as_str().is_some_and(|parent| parent != head) {
            return refuse(412, "", "A commit has happened since. Please refresh and try again.");
        }
        let before = files.clone();
        for line in &lines[1..] {
            let value = &line["value"];
            let Some(path) = value["path"].as_str() else { return refuse(400, "", "no path") };
            let content = match line["key"].as_str() {
                Some("file") if value["encoding"] == "base64" => {
                    let bytes = value["content"].as_str().and_then(|text| STANDARD.decode(text).ok());
                    let Some(bytes) = bytes.filter(|bytes| !is_large(path, bytes.len() as u64)) else {
                        return refuse(400, "", format!("{path} must be stored as a large file"));
                    };
                    Content::Regular(bytes)
                }
                Some("lfsFile") if value["algo"] == "sha256" => {
                    let oid = value["oid"].as_str().unwrap_or_default();
                    match self.objects.get(oid).filter(|bytes| value["size"] == bytes.len()) {
                        Some(_) => Content::Large(oid.into()),
                        None => {
                            return refuse(
                                400,
                                "",
                                format!("LFS pointer pointed to a file that does not exist: {path}"),
                            );
                        }
                    }
                }
                _ => return refuse(400, "", "invalid line"),
            };
            files.insert(path.into(), content);
        }
        if files == before {
            return refuse(400, "", "an empty commit");
        }
        let summary = header["summary"].as_str().expect("a summary").to_owned();
        let commit = self.repo(id)?.add(branch, files, &summary);
        Ok(json!({ "success": true, "commitOid": commit, "commitUrl": format!("https://hub/{id}/commit/{commit}") }))
    }
}

impl Repo {
    /// Adds a commit to a branch.
    pub fn add(&mut self, branch: &str, files: Files, message: &str) -> String {
        let commit = commit_id(self.commits.len(), &files);
        self.commits.insert(commit.clone(), files);
        let parent = self.branches.insert(branch.into(), commit.clone());
        self.parents.extend(parent.map(|parent| (commit.clone(), parent)));
        self.order.push(commit.clone());
        self.messages.push(message.into());
        commit
    }

    /// The files of a branch.
    pub fn files(&self, branch: &str) -> &Files {
        &self.commits[&self.branches[branch]]
    }
}
