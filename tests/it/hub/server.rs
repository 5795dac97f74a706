//! A hub, ModelScope and a plain web server in one, on the loopback interface, that fail as they are told.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    fmt::Write,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use hyper::{Method, Request, Response, body::Incoming, header::HeaderValue, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sha1::Sha1;
use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub const TOKEN: &str = "hf_secret_of_the_tests";
/// Files from this size on are large: the hub redirects to a store for them.
pub const LARGE: usize = 2000;
/// Bytes sent at a time.
const PIECE: usize = 4096;

/// What a server does wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answers with a status and a header.
    Status(u16, Option<(&'static str, &'static str)>),
    /// Breaks the connection after so many bytes of the body.
    CutAfter(usize),
    /// Sends nothing more after so many bytes of the body.
    StallAfter(usize),
    /// Waits before each piece of the body.
    Slow(Duration),
    /// Answers with a page that asks for a login.
    Login,
    /// Sends other bytes of the same number.
    OtherBytes,
    /// Does not say how long a file is.
    Chunked,
    /// Sends a list byte by byte, with a wait before each.
    Drip(Duration),
    /// Refuses with a success that says so.
    Message(&'static str),
    /// Gives every file the same entity tag.
    OneTag,
    /// Sends to another server for the same path.
    Redirect(String),
    /// Says another length than it states in its list.
    Shorter(usize),
}

/// A request that came.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub range: Option<String>,
    pub token: bool,
}

#[derive(Default)]
struct State {
    /// `models/a/b/FILE`, `datasets/a/b/FILE` or `web/FILE` → its bytes.
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    commit: Mutex<String>,
    /// Part of a path (with its method), how often, and what happens then.
    faults: Mutex<Vec<(String, usize, Fault)>>,
    seen: Mutex<Vec<Seen>>,
    /// Where large files are kept.
    store: Mutex<String>,
}

pub struct Server {
    pub url: String,
    state: Arc<State>,
}

impl Server {
    pub fn start(files: &[(&str, &[u8])]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State::default());
        *state.commit.lock().unwrap() = COMMIT.into();
        *state.store.lock().unwrap() = url.clone();
        let server = Self { url, state };
        files.iter().for_each(|(name, bytes)| server.put(name, bytes));
        let state = server.state.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve(listener, state));
        });
        server
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        self.state.files.lock().unwrap().insert(name.into(), bytes.into());
    }

    /// Moves a branch to another commit.
    pub fn commit(&self, commit: &str) {
        *self.state.commit.lock().unwrap() = commit.into();
    }

    /// The next `times` requests whose `METHOD PATH` holds `part` go wrong.
    pub fn fault(&self, part: &str, times: usize, fault: Fault) {
        self.state.faults.lock().unwrap().push((part.into(), times, fault));
    }

    /// Keeps large files on another server.
    pub fn store_at(&self, url: &str) {
        *self.state.store.lock().unwrap() = url.into();
    }

    /// Requests since the last call.
    pub fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.state.seen.lock().unwrap())
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    listener.set_nonblocking(true).expect("a listener");
    let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        let service = service_fn(move |request| {
            let state = state.clone();
            async move { Ok::<_, Infallible>(answer(&state, &request)) }
        });
        tokio::spawn(async move {
            // A connection that breaks is what some tests want.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

type Body = Channel<Bytes, std::io::Error>;

fn plain(status: u16, headers: &[(&'static str, String)], body: impl Into<Bytes>) -> Response<Body> {
    let (mut sender, channel) = Channel::new(2);
    let body = body.into();
    let mut response = Response::new(channel);
    *response.status_mut() = status.try_into().expect("a status");
    let length = [("content-length", body.len().to_string())];
    for (name, value) in headers.iter().chain(&length) {
        response.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    tokio::spawn(async move { sender.send_data(body).await });
    response
}

fn answer(state: &State, request: &Request<Incoming>) -> Response<Body> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(String::from);
    let path = request.uri().path_and_query().map_or("", |path| path.as_str()).to_string();
    let token = header("authorization") == Some(format!("Bearer {TOKEN}"));
    let seen = Seen { method: request.method().to_string(), path, range: header("range"), token };
    let line = format!("{} {}", seen.method, seen.path);
    state.seen.lock().unwrap().push(seen.clone());
    let fault = {
        let mut faults = state.faults.lock().unwrap();
        let found = faults.iter_mut().find(|(part, times, _)| *times > 0 && line.contains(part.as_str()));
        found.map(|(_, times, fault)| {
            *times -= 1;
            fault.clone()
        })
    };
    match &fault {
        Some(Fault::Status(status, extra)) => {
            let headers: Vec<_> = extra.iter().map(|(name, value)| (*name, value.to_string())).collect();
            return plain(*status, &headers, "");
        }
        Some(Fault::Login) => {
            let page = "<html><body>Please log in to this network</body></html>";
            return plain(200, &[("content-type", "text/html; charset=utf-8".into())], page);
        }
        Some(Fault::Redirect(to)) => return plain(302, &[("location", format!("{to}{}", seen.path))], ""),
        _ => {}
    }
    if let Some(Fault::Drip(wait)) = fault {
        return drip(wait);
    }
    if let Some(Fault::Message(words)) = fault {
        return plain(200, &[], json!({ "Code": 500, "Message": words }).to_string());
    }
    let path = seen.path.trim_start_matches('/');
    let commit = state.commit.lock().unwrap().clone();
    if path.contains("a/private") && !token {
        return plain(401, &[("x-error-code", "RepoNotFound".into())], "");
    }
    if path.contains("a/gated") && path.contains("resolve") && !token {
        return plain(401, &[("x-error-code", "GatedRepo".into())], "");
    }
    if let Some(rest) = path.strip_prefix("api/v1/") {
        return modelscope(state, rest, &seen, fault.as_ref());
    }
    if let Some(rest) = path.strip_prefix("api/") {
        return list(state, rest, &commit);
    }
    if let Some(digest) = path.strip_prefix("store/") {
        let found = state.files.lock().unwrap().values().find(|bytes| sha256(bytes) == digest).cloned();
        return match found {
            Some(bytes) => file(&bytes, &[], &seen, fault.as_ref()),
            None => plain(404, &[], ""),
        };
    }
    if path.starts_with("web/") {
        let found = state.files.lock().unwrap().get(path).cloned();
        let tag = |bytes: &[u8]| [("etag", format!("\"{}\"", &sha256(bytes)[..8]))];
        return found.map_or_else(|| plain(404, &[], ""), |bytes| file(&bytes, &tag(&bytes), &seen, fault.as_ref()));
    }
    resolve(state, path, &commit, &seen, fault.as_ref())
}

/// White space, a byte at a time, without end.
fn drip(wait: Duration) -> Response<Body> {
    let (mut sender, channel) = Channel::new(1);
    tokio::spawn(async move {
        while sender.send_data(Bytes::from_static(b" ")).await.is_ok() {
            tokio::time::sleep(wait).await;
        }
    });
    Response::new(channel)
}

/// What the hub says of a revision.
fn list(state: &State, rest: &str, commit: &str) -> Response<Body> {
    let rest = rest.split('?').next().unwrap_or_default();
    let Some((repo, revision)) = rest.split_once("/revision/") else { return plain(404, &[], "") };
    let files = state.files.lock().unwrap();
    let prefix = format!("{repo}/");
    let siblings: Vec<Value> = files
        .iter()
        .filter_map(|(name, bytes)| {
            let name = name.strip_prefix(&prefix)?;
            let mut sibling = json!({ "rfilename": name, "size": bytes.len(), "blobId": git(bytes) });
            if bytes.len() >= LARGE {
                sibling["lfs"] = json!({ "sha256": sha256(bytes), "size": bytes.len(), "pointerSize": 134 });
            }
            Some(sibling)
        })
        .collect();
    if siblings.is_empty() || !["main", commit, COMMIT].contains(&revision) {
        return plain(404, &[("x-error-code", "RepoNotFound".into())], "");
    }
    let sha = if revision == "main" { commit } else { revision };
    let body = json!({ "id": repo, "sha": sha, "siblings": siblings }).to_string();
    plain(200, &[("content-type", "application/json".into())], body)
}

/// A file of the hub.
fn resolve(state: &State, path: &str, commit: &str, seen: &Seen, fault: Option<&Fault>) -> Response<Body> {
    let Some((repo, rest)) = path.split_once("/resolve/") else { return plain(404, &[], "") };
    let Some((revision, name)) = rest.split_once('/') else { return plain(404, &[], "") };
    let repo = if repo.starts_with("datasets/") { repo.to_string() } else { format!("models/{repo}") };
    let Some(bytes) = state.files.lock().unwrap().get(&format!("{repo}/{name}")).cloned() else {
        return plain(404, &[("x-error-code", "EntryNotFound".into())], "");
    };
    let sha = if revision == "main" { commit } else { revision };
    let mut headers = vec![("x-repo-commit", sha.to_string())];
    let one_tag = matches!(fault, Some(Fault::OneTag));
    if bytes.len() < LARGE {
        headers.push(("etag", format!("\"{}\"", if one_tag { "same".into() } else { git(&bytes) })));
        return file(&bytes, &headers, seen, fault);
    }
    let digest = sha256(&bytes);
    headers.push(("x-linked-etag", format!("\"{}\"", if one_tag { "same" } else { &digest })));
    headers.push(("x-linked-size", bytes.len().to_string()));
    headers.push(("location", format!("{}/store/{digest}", state.store.lock().unwrap())));
    plain(302, &headers, "")
}

fn modelscope(state: &State, rest: &str, seen: &Seen, fault: Option<&Fault>) -> Response<Body> {
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let Some((repo, what)) = path.split_once("/repo") else { return plain(404, &[], "") };
    let files = state.files.lock().unwrap();
    let prefix = format!("{repo}/");
    let of_repo: Vec<_> = files.iter().filter_map(|(name, bytes)| Some((name.strip_prefix(&prefix)?, bytes))).collect();
    if of_repo.is_empty() {
        let body = json!({ "Code": 404, "Message": "not found", "Success": false }).to_string();
        return plain(404, &[], body);
    }
    let expected = if repo.starts_with("models/") { "/files" } else { "/tree" };
    if what == expected {
        let entry = |(name, bytes): &(&str, &Vec<u8>)| json!({ "Path": name, "Name": name.rsplit('/').next(), "Type": "blob", "Size": bytes.len(), "Sha256": sha256(bytes) });
        let mut entries: Vec<Value> = of_repo.iter().map(entry).collect();
        entries.push(json!({ "Path": "folder", "Name": "folder", "Type": "tree", "Size": 0 }));
        let commit = state.commit.lock().unwrap().clone();
        let data = json!({ "Files": entries, "LatestCommitter": { "Id": commit } });
        return plain(200, &[], json!({ "Code": 200, "Data": data, "Success": true }).to_string());
    }
    let name = query.split('&').find_map(|pair| pair.strip_prefix("FilePath=")).unwrap_or_default().replace("%2F", "/");
    match of_repo.iter().find(|(file, _)| *file == name) {
        Some((_, bytes)) => file(bytes, &[], seen, fault),
        None => plain(404, &[], ""),
    }
}

/// Bytes, or the part of them that is asked for; not as they should be where there is a fault.
fn file(bytes: &[u8], headers: &[(&'static str, String)], seen: &Seen, fault: Option<&Fault>) -> Response<Body> {
    let from = seen.range.as_ref().and_then(|range| range.strip_prefix("bytes=")?.split('-').next()?.parse().ok());
    let total = bytes.len();
    let (from, status) = match from {
        Some(from) if from >= total => return plain(416, &[("content-range", format!("bytes */{total}"))], ""),
        Some(from) => (from, 206),
        None => (0usize, 200),
    };
    let mut body = bytes[from..].to_vec();
    match fault {
        Some(Fault::OtherBytes) => body.iter_mut().for_each(|byte| *byte = byte.wrapping_add(1)),
        Some(Fault::Shorter(by)) => body.truncate(body.len() - by),
        _ => {}
    }
    let (sender, channel) = Channel::new(1);
    let mut response = Response::new(channel);
    *response.status_mut() = status.try_into().expect("a status");
    let mut own = match fault {
        Some(Fault::Chunked) if seen.method != Method::HEAD.as_str() => Vec::new(),
        _ => vec![("content-length", body.len().to_string())],
    };
    if status == 206 {
        own.push(("content-range", format!("bytes {from}-{}/{total}", total - 1)));
    }
    for (name, value) in headers.iter().chain(&own) {
        response.headers_mut().insert(*name, HeaderValue::from_str(value).expect("a header"));
    }
    if seen.method != Method::HEAD.as_str() {
        tokio::spawn(send(sender, body, fault.cloned()));
    }
    response
}

async fn send(mut sender: Sender<Bytes, std::io::Error>, body: Vec<u8>, fault: Option<Fault>) {
    let (end, stall) = match fault {
        Some(Fault::CutAfter(n)) => (n.min(body.len()), false),
        Some(Fault::StallAfter(n)) => (n.min(body.len()), true),
        _ => (body.len(), false),
    };
    for piece in body[..end].chunks(PIECE) {
        if let Some(Fault::Slow(wait)) = fault {
            tokio::time::sleep(wait).await;
        }
        if sender.send_data(Bytes::copy_from_slice(piece)).await.is_err() {
            return;
        }
    }
    if stall {
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    if end < body.len() {
        // So that what was sent leaves before the connection breaks.
        tokio::time::sleep(Duration::from_millis(20)).await;
        sender.abort(std::io::ErrorKind::BrokenPipe.into());
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// `git hash-object`.
pub fn git(bytes: &[u8]) -> String {
    hex(&Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string");
        text
    })
}
