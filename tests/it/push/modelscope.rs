//! ModelScope's endpoints for model repositories, as its own client for Python (modelscope 1.40, modelscope-hub 0.5) reads them.

use serde_json::{Value, json};

use super::{
    repositories::{Answer, Content, Files, Refusal, Repo, Repositories, refuse},
    server::{Asked, Sent, TOKEN, plain},
};
use crate::hub::server::sha256;

/// Files that the client sends as large ones: by the ending, or above this size in bytes.
const LARGE: usize = 64 << 10;

/// Files that the hub itself reads, so that they cannot be large ones.
const READ_BY_THE_HUB: [&str; 4] = ["README.md", "config.json", "configuration.json", ".gitattributes"];

/// The most actions of a commit.
const ACTIONS: usize = 2000;

/// The card of a new repository: the sentences that repositories on modelscope.cn have which nobody has described.
pub const TEMPLATE: &str = "---\nlicense: Apache License 2.0\n\n#language:\n#- cn \n---\n\
    ### 当前模型的贡献者未提供更加详细的模型介绍。模型文件和权重，可浏览“模型文件”页面获取。\n\
    #### 您可以通过如下git clone命令，或者ModelScope SDK来下载模型\n\n\
    <p>如果您是本模型的贡献者，我们邀请您根据模型贡献文档，及时完善模型卡片内容。</p>";

fn envelope(data: &Value) -> Value {
    json!({ "Code": 200, "Data": data, "Message": "success", "RequestId": "r", "Success": true })
}

fn said(answer: Answer) -> Sent {
    let (status, body) = match answer {
        Ok(data) => (200, envelope(&data)),
        Err(Refusal(status, code, words)) => {
            let code: u64 = code.parse().unwrap_or(status.into());
            (status, json!({ "Code": code, "Message": words, "RequestId": "r", "Success": false }))
        }
    };
    plain(status, &[("content-type", "application/json")], body.to_string())
}

/// A value of a query.
fn of_query(query: &str, key: &str) -> String {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let value = pairs.filter(|(name, _)| *name == key).map(|(_, value)| value).next().unwrap_or_default();
    value.replace("%2F", "/").replace('+', " ")
}

/// What ModelScope answers; its addresses begin with `hub`, those of a store of another with `store`.
pub fn answer(all: &mut Repositories, asked: &Asked<'_>, at: (&str, &str)) -> Sent {
    // The header alone is not enough for everything.
    let is_known = asked.token == format!("Bearer {TOKEN}")
        && asked.cookie.split("; ").any(|cookie| cookie == format!("m_session_id={TOKEN}"));
    let (path, query) = asked.path.split_once('?').unwrap_or((asked.path, ""));
    let Some(path) = path.strip_prefix("/api/v1/") else {
        return said(refuse(404, "", "no such page"));
    };
    let parts: Vec<&str> = path.split('/').collect();
    let id = |owner: &str, name: &str| format!("{owner}/{name}");
    if !is_known && (!asked.token.is_empty() || asked.method != "GET") {
        return match asked.method {
            "PUT" => said(refuse(400, "10030000001", "user not logged in")),
            _ => said(refuse(401, "", "Access token is invalid or expired")),
        };
    }
    let hidden = |all: &Repositories, id: &str| !is_known && all.repos.get(id).is_some_and(|repo| repo.private);
    match (asked.method, &parts[..]) {
        ("POST", ["models"]) => said(asked.json().and_then(|body| all.create_at_modelscope(&body))),
        ("GET", ["models", owner, name, ..]) if hidden(all, &id(owner, name)) => said(missing()),
        ("GET", ["models", owner, name]) => said(all.model(&id(owner, name))),
        ("GET", ["models", owner, name, "revisions"]) => said(all.revisions(&id(owner, name))),
        ("GET", ["models", owner, name, "repo", "files"]) => {
            said(all.list(&id(owner, name), &of_query(query, "Revision"), of_query(query, "Recursive") == "True"))
        }
        ("GET", ["models", owner, name, "repo"]) => {
            let (revision, file) = (of_query(query, "Revision"), of_query(query, "FilePath"));
            match all.file(&id(owner, name), &revision, &file) {
                Err(refusal) => said(Err(refusal)),
                Ok((_, tag, _, true)) => plain(302, &[("location", &format!("{}/store/{tag}?auth_key=1-a", at.1))], ""),
                Ok((_, _, bytes, false)) => plain(200, &[], bytes),
            }
        }
        ("POST", ["repos", "models", owner, name, "info", "lfs", "objects", "batch"]) => {
            said(asked.json().and_then(|body| all.batch_at_modelscope(&id(owner, name), &body, at)))
        }
        ("PUT", ["repos", "models", _, _, "blobs", oid, size]) => {
            if asked.length != size.parse().ok() || asked.length != Some(asked.bytes.len()) {
                return said(refuse(400, "", "another size"));
            }
            said(all.put(oid, None, asked.bytes).map(|_| json!({})))
        }
        ("POST", ["repos", "models", owner, name, "commit", branch]) => {
            let branch = branch.replace("%2F", "/");
            said(asked.json().and_then(|body| all.commit_at_modelscope(&id(owner, name), &branch, &body)))
        }
        _ => said(refuse(404, "", "no such page")),
    }
}

fn missing<T>() -> Result<T, Refusal> {
    refuse(404, "10010205001", "model not found")
}

impl Repositories {
    fn create_at_modelscope(&mut self, body: &Value) -> Answer {
        let text = |key: &str| body[key].as_str().unwrap_or_default();
        let visibility = body["Visibility"].as_u64();
        if text("Path").is_empty() || text("Name").is_empty() || !matches!(visibility, Some(1 | 3 | 5)) {
            return refuse(400, "", "invalid body");
        }
        if !["me", "team"].contains(&text("Path")) {
            return refuse(403, "", format!("no permission to create a model under {}", text("Path")));
        }
        let id = format!("{}/{}", text("Path"), text("Name"));
        if self.repos.contains_key(&id) {
            return refuse(400, "10010101001", "the model already exists");
        }
        let mut repo = Repo {
            private: visibility == Some(1),
            license: body["License"].as_str().map(String::from),
            ..Repo::default()
        };
        let file = |name: &str, text: &str| (name.to_owned(), Content::Regular(text.as_bytes().to_vec()));
        let files = [
            file(".gitattributes", "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"),
            file("README.md", TEMPLATE),
            file("configuration.json", "{}\n"),
        ];
        repo.add("master", Files::from(files), "init");
        self.repos.insert(id, repo);
        Ok(json!({ "Id": 1, "Path": text("Path"), "Name": text("Name"), "Visibility": visibility }))
    }

    fn model(&mut self, id: &str) -> Answer {
        let Some(repo) = self.repos.get(id) else { return missing() };
        let (owner, name) = id.split_once('/').expect("two parts");
        let visibility = (!self.hides_visibility).then_some(if repo.private { 1 } else { 5 });
        Ok(json!({ "Id": 1, "Path": owner, "Name": name, "Visibility": visibility, "License": "", "Downloads": 0 }))
    }

    fn revisions(&mut self, id: &str) -> Answer {
        let Some(repo) = self.repos.get(id) else { return missing() };
        let branches: Vec<Value> =
            repo.branches.keys().map(|name| json!({ "Revision": name, "CreatedAt": 0 })).collect();
        Ok(json!({ "RevisionMap": { "Branches": branches, "Tags": [] } }))
    }

    /// The list of a branch: of its last commit the beginning only, of each file the commit that changed it last.
    fn list(&mut self, id: &str, revision: &str, recursive: bool) -> Answer {
        if !self.repos.contains_key(id) {
            return missing();
        }
        let Ok((mut commit, mut files)) = self.head(id, revision) else {
            return Ok(json!({ "Files": null, "IsVisual": 0, "LatestCommitter": null }));
        };
        if self.lags > 0
            && let Some(parent) = self.repos[id].parents.get(&commit)
        {
            self.lags -= 1;
            (files, commit) = (self.repos[id].commits[parent].clone(), parent.clone());
        }
        let repo = &self.repos[id];
        let changed_by = |name: &str| {
            let mut last = &commit;
            while let Some(parent) = repo.parents.get(last)
                && repo.commits[parent].get(name) == files.get(name)
            {
                last = parent;
            }
            last.clone()
        };
        let entry = |(name, content): (&String, &Content)| {
            let (bytes, is_lfs) = match content {
                Content::Regular(bytes) => (bytes, false),
                Content::Large(oid) => (&self.objects[oid], true),
            };
            json!({ "Path": name, "Name": name.rsplit('/').next(), "Type": "blob", "Size": bytes.len(), "Sha256": sha256(bytes),
                    "IsLFS": is_lfs, "Revision": changed_by(name), "CommittedDate": 0 })
        };
        let listed = files.iter().filter(|(name, _)| recursive || !name.contains('/'));
        let listed: Vec<Value> = listed.map(entry).collect();
        Ok(json!({ "Files": listed, "IsVisual": 0, "LatestCommitter": { "Id": "", "ShortId": &commit[..8] } }))
    }

    /// Only what is missing is answered.
    fn batch_at_modelscope(&mut self, id: &str, body: &Value, (hub, store): (&str, &str)) -> Answer {
        if !self.repos.contains_key(id) {
            return missing();
        }
        if body["operation"] != "upload" {
            return refuse(400, "", "invalid batch");
        }
        let mut objects = Vec::new();
        for object in body["objects"].as_array().into_iter().flatten() {
            let (Some(oid), Some(size)) = (object["oid"].as_str(), object["size"].as_u64()) else {
                return refuse(400, "", "an object lacks its oid or size");
            };
            if self.objects.contains_key(oid) {
                continue;
            }
            self.granted.insert(oid.into());
            let href = match self.has_foreign_store {
                true => format!("{store}/store/{oid}"),
                false => format!("{hub}/api/v1/repos/models/{id}/blobs/{oid}/{size}"),
            };
            let upload =
                json!({ "href": href, "offset": 0, "upload_header": { "Range": "bytes=0-" }, "upload_parameters": {} });
            objects.push(json!({ "oid": oid, "size": size, "actions": { "upload": upload } }));
        }
        Ok(json!({ "objects": objects, "reused-objects": [] }))
    }

    fn commit_at_modelscope(&mut self, id: &str, branch: &str, body: &Value) -> Answer {
        if !self.repos.contains_key(id) {
            return missing();
        }
        if !self.repos[id].branches.contains_key(branch) {
            return refuse(400, "10030000001", "commit rejected by repository policy");
        }
        let (_, before) = self.head(id, branch)?;
        let mut files = before.clone();
        let (Some(message), Some(actions)) = (body["commit_message"].as_str(), body["actions"].as_array()) else {
            return refuse(400, "", "invalid commit");
        };
        if actions.len() > ACTIONS {
            return refuse(422, "", format!("commit request exceeds actions limit: {} > {ACTIONS}", actions.len()));
        }
        for action in actions {
            let text = |key: &str| action[key].as_str().unwrap_or_default();
            let (path, size) = (text("path"), action["size"].as_u64());
            let content = match (text("action"), text("type")) {
                ("create" | "update", "normal") if text("encoding") == "base64" && text("sha256").is_empty() => {
                    use base64::{Engine, engine::general_purpose::STANDARD};
                    match STANDARD.decode(text("content")) {
                        Ok(bytes) if Some(bytes.len() as u64) == size && bytes.len() <= LARGE.max(1 << 20) => {
                            Content::Regular(bytes)
                        }
                        _ => return refuse(400, "", format!("invalid content of {path}")),
                    }
                }
                ("create" | "update", "lfs") if text("content").is_empty() && !READ_BY_THE_HUB.contains(&path) => {
                    match self.objects.get(text("sha256")) {
                        Some(bytes) if Some(bytes.len() as u64) == size => Content::Large(text("sha256").into()),
                        _ => return refuse(400, "", format!("the content of {path} is not stored")),
                    }
                }
                _ => return refuse(400, "", format!("invalid action for {path}")),
            };
            files.insert(path.into(), content);
        }
        if files == before {
            return refuse(400, "", "an empty commit");
        }
        self.repo(id)?.add(branch, files, message);
        Ok(json!({}))
    }
}
