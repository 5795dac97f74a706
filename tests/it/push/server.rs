//! The server of a hub and of its store, at two addresses, so that each is sent only what it may have.

use std::{
    io,
    net::TcpListener,
    sync::{Arc, Mutex, MutexGuard},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, header::HeaderValue, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::{
    modelscope,
    repositories::{Answer, Content, Refusal, Repositories},
};

pub const TOKEN: &str = "hf_write_token_of_the_tests";

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It refuses with this status, and a header.
    Status(u16, Option<(&'static str, &'static str)>),
    /// It refuses with this status and body.
    Body(u16, &'static str),
    /// Somebody else commits to me/small first.
    OtherCommit,
    /// The connection breaks after so many bytes of the body arrived.
    CutAfter(usize),
    /// It does what is asked, and the connection breaks before it says so.
    LostAnswer,
    /// It does what is asked, and from then on requests that hold this go wrong.
    Then(&'static str, usize, Box<Fault>),
    /// It takes the body, and does not answer for so long.
    Silent(Duration),
}

/// Which hub it is.
#[derive(Clone, Copy, PartialEq)]
pub enum Site {
    HuggingFace,
    ModelScope,
}

struct State {
    site: Site,
    repositories: Mutex<Repositories>,
    faults: Mutex<Vec<(String, usize, Fault)>>,
    seen: Mutex<Vec<String>>,
    hub: String,
    store: String,
}

pub struct Server {
    state: Arc<State>,
}

impl Server {
    /// The Hugging Face Hub.
    pub fn start() -> Self {
        Self::of(Site::HuggingFace)
    }

    pub fn of(site: Site) -> Self {
        let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
        let (hub, store) = (listen(), listen());
        let url = |listener: &TcpListener| format!("http://{}", listener.local_addr().expect("an address"));
        let repositories = Repositories::new();
        let state = Arc::new(State {
            site,
            repositories: Mutex::new(repositories),
            faults: Mutex::default(),
            seen: Mutex::default(),
            hub: url(&hub),
            store: url(&store),
        });
        for (listener, is_hub) in [(hub, true), (store, false)] {
            let state = state.clone();
            thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(serve(listener, state, is_hub));
            });
        }
        Self { state }
    }

    pub fn site(&self) -> Site {
        self.state.site
    }

    /// The address of the hub.
    pub fn url(&self) -> &str {
        &self.state.hub
    }

    pub fn repositories(&self) -> MutexGuard<'_, Repositories> {
        self.state.repositories.lock().expect("a lock")
    }

    /// The next `times` requests whose `METHOD PATH` holds `part` go wrong.
    pub fn fault(&self, part: &str, times: usize, fault: Fault) {
        self.state.faults.lock().expect("a lock").push((part.into(), times, fault));
    }

    /// Nothing goes wrong any more.
    pub fn works_again(&self) {
        self.state.faults.lock().expect("a lock").clear();
    }

    /// `METHOD PATH` of the requests since the last call.
    pub fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.state.seen.lock().expect("a lock"))
    }
}

async fn serve(listener: TcpListener, state: Arc<State>, is_hub: bool) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        let service = service_fn(move |request| answer(state.clone(), request, is_hub));
        tokio::spawn(async move {
            // A connection that breaks is what some tests want.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

pub type Sent = Response<Full<Bytes>>;

pub fn plain(status: u16, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Sent {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status.try_into().expect("a status");
    for (name, value) in headers {
        response.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    response
}

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

async fn answer(state: Arc<State>, request: Request<Incoming>, is_hub: bool) -> Result<Sent, io::Error> {
    let (parts, mut body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str()).to_string();
    let line = format!("{} {path}", parts.method);
    state.seen.lock().expect("a lock").push(line.clone());
    let fault = {
        let mut faults = state.faults.lock().expect("a lock");
        let found = faults.iter_mut().find(|(part, times, _)| *times > 0 && line.contains(part.as_str()));
        found.map(|(_, times, fault)| {
            *times -= 1;
            fault.clone()
        })
    };
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(broken()) };
        bytes.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        if let Some(Fault::CutAfter(most)) = fault
            && bytes.len() >= most
        {
            return Err(broken());
        }
    }
    match fault {
        Some(Fault::Status(status, extra)) => {
            let headers: Vec<(&'static str, &str)> = extra.into_iter().collect();
            return Ok(plain(status, &headers, "{\"error\":\"as the test wants\"}"));
        }
        Some(Fault::Body(status, body)) => return Ok(plain(status, &[], body)),
        Some(Fault::OtherCommit) => {
            let mut repositories = state.repositories.lock().expect("a lock");
            let repo = repositories.repos.get_mut("me/small").expect("it");
            let branch = repo.branches.keys().next().expect("a branch").clone();
            let mut files = repo.files(&branch).clone();
            files.insert("other.txt".into(), Content::Regular(b"other".to_vec()));
            repo.add(&branch, files, "other");
        }
        Some(Fault::Silent(wait)) => tokio::time::sleep(wait).await,
        Some(Fault::Then(part, times, ref next)) => {
            let next = (part.to_owned(), times, (**next).clone());
            state.faults.lock().expect("a lock").push(next);
        }
        _ => {}
    }
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let asked = Asked {
        method: parts.method.as_str(),
        path: &path,
        bytes: &bytes,
        kind: header("content-type"),
        accept: header("accept"),
        token: header("authorization"),
        cookie: header("cookie"),
        length: header("content-length").parse().ok(),
    };
    let done = match (is_hub, state.site) {
        (false, _) => of_store(&state, &asked),
        (true, Site::HuggingFace) => of_hub(&state, &asked),
        (true, Site::ModelScope) => {
            let mut repositories = state.repositories.lock().expect("a lock");
            modelscope::answer(&mut repositories, &asked, (&state.hub, &state.store))
        }
    };
    if let Some(Fault::LostAnswer) = fault {
        return Err(broken());
    }
    Ok(done)
}

/// What is asked.
pub struct Asked<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub bytes: &'a [u8],
    kind: &'a str,
    accept: &'a str,
    pub token: &'a str,
    pub cookie: &'a str,
    pub length: Option<usize>,
}

impl Asked<'_> {
    pub fn json(&self) -> Result<Value, Refusal> {
        serde_json::from_slice(self.bytes).map_err(|e| Refusal(400, "", format!("no JSON: {e}")))
    }
}

/// The store takes no token, and wants to know the length first.
fn of_store(state: &State, asked: &Asked<'_>) -> Sent {
    if !asked.token.is_empty() {
        return plain(400, &[], "Only one auth mechanism allowed");
    }
    let mut repositories = state.repositories.lock().expect("a lock");
    let (path, query) = asked.path.split_once('?').unwrap_or((asked.path, ""));
    match (asked.method, path.rsplit_once('/')) {
        ("GET" | "HEAD", Some(("/store", oid))) => match repositories.objects.get(oid) {
            Some(bytes) => plain(200, &[], if asked.method == "HEAD" { Vec::new() } else { bytes.clone() }),
            None => plain(404, &[], ""),
        },
        ("PUT", Some(("/store", oid))) => {
            if asked.length != Some(asked.bytes.len()) {
                return plain(411, &[], "MissingContentLength");
            }
            let part = query.strip_prefix("part=").and_then(|part| part.parse().ok());
            match repositories.put(oid, part, asked.bytes) {
                Ok(tag) => plain(200, &[("etag", &tag)], ""),
                Err(Refusal(status, _, words)) => plain(status, &[], words),
            }
        }
        ("POST", Some(("/complete", oid))) => said(asked.json().and_then(|body| repositories.complete(oid, &body))),
        _ => plain(404, &[], ""),
    }
}

fn said(answer: Answer) -> Sent {
    match answer {
        Ok(value) => plain(200, &[("content-type", "application/json")], value.to_string()),
        Err(Refusal(status, code, words)) => {
            let body = serde_json::json!({ "error": words }).to_string();
            plain(status, &[("x-error-code", code), ("content-type", "application/json")], body)
        }
    }
}

fn of_hub(state: &State, asked: &Asked<'_>) -> Sent {
    let is_known = asked.token == format!("Bearer {TOKEN}");
    if !(is_known || asked.token.is_empty() && asked.method != "POST") {
        return said(Err(Refusal(401, "", "Invalid username or password.".into())));
    }
    let mut repositories = state.repositories.lock().expect("a lock");
    let path = asked.path.split('?').next().unwrap_or_default().trim_start_matches('/');
    // Without a token a private repository is as one that is not there.
    let id: String = path.trim_start_matches("api/models/").split('/').take(2).collect::<Vec<_>>().join("/");
    if !is_known && repositories.repos.get(id.trim_end_matches(".git")).is_some_and(|repo| repo.private) {
        return said(Err(Refusal(401, "RepoNotFound", "Invalid username or password.".into())));
    }
    if asked.method != "POST"
        && let Some((id, rest)) = path.split_once("/resolve/")
    {
        return resolve(state, &mut repositories, id, rest, asked.method == "HEAD");
    }
    let is_lfs = asked.accept == "application/vnd.git-lfs+json" && asked.kind == asked.accept;
    said(route(state, &mut repositories, asked, path, is_lfs))
}

fn route(state: &State, repositories: &mut Repositories, asked: &Asked<'_>, path: &str, is_lfs: bool) -> Answer {
    let unknown = || Err(Refusal(404, "", "Sorry, we can't find the page you are looking for.".into()));
    if let Some((id, what)) = path.split_once(".git/info/lfs/") {
        return match what {
            _ if !is_lfs => Err(Refusal(406, "", "not Git LFS".into())),
            "objects/batch" => repositories.batch(id, &asked.json()?, (&state.hub, &state.store)),
            "verify" => repositories.verify(&asked.json()?),
            _ => unknown(),
        };
    }
    let rest: Vec<&str> = path.split('/').collect();
    match (asked.method, &rest[..]) {
        ("POST", ["api", "repos", "create"]) => repositories.create(&asked.json()?),
        ("GET", ["api", "models", owner, name]) => repositories.info(&format!("{owner}/{name}"), "main"),
        ("GET", ["api", "models", owner, name, "revision", at]) => {
            repositories.info(&format!("{owner}/{name}"), &at.replace("%2F", "/"))
        }
        ("GET", ["api", "models", owner, name, "tree", at]) => repositories.tree(&format!("{owner}/{name}"), at),
        ("POST", ["api", "models", owner, name, "branch", at]) => {
            repositories.branch(&format!("{owner}/{name}"), &at.replace("%2F", "/"))
        }
        ("POST", ["api", "models", owner, name, "preupload", at]) => {
            repositories.preupload(&format!("{owner}/{name}"), &at.replace("%2F", "/"), &asked.json()?)
        }
        ("POST", ["api", "models", owner, name, "commit", at]) => {
            if asked.kind != "application/x-ndjson" {
                return Err(Refusal(415, "", "no NDJSON".into()));
            }
            let lines = String::from_utf8_lossy(asked.bytes);
            let lines: Result<Vec<Value>, _> = lines.lines().map(serde_json::from_str).collect();
            let lines = lines.map_err(|e| Refusal(400, "", e.to_string()))?;
            repositories.commit(&format!("{owner}/{name}"), &at.replace("%2F", "/"), &lines)
        }
        _ => unknown(),
    }
}

/// A file; the hub sends to the store for large ones.
fn resolve(state: &State, repositories: &mut Repositories, id: &str, rest: &str, head: bool) -> Sent {
    let (revision, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (commit, tag, bytes, is_large) = match repositories.file(id, revision, name) {
        Ok(found) => found,
        Err(refusal) => return said(Err(refusal)),
    };
    let (quoted, length) = (format!("\"{tag}\""), bytes.len().to_string());
    if is_large {
        let to = format!("{}/store/{tag}", state.store);
        let headers =
            [("x-repo-commit", &commit[..]), ("x-linked-etag", &quoted), ("x-linked-size", &length), ("location", &to)];
        return plain(302, &headers, "");
    }
    let mut response = plain(200, &[("x-repo-commit", &commit), ("etag", &quoted)], bytes);
    if head {
        response = plain(200, &[("x-repo-commit", &commit), ("etag", &quoted)], "");
        response.headers_mut().insert("content-length", HeaderValue::from_str(&length).expect("a header"));
    }
    response
}
