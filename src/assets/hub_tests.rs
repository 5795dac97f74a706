//! The hub's tests: a small hub on the loopback interface, and no network.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    sync::{Arc, Mutex},
    thread,
};

use super::{AssetError, Hub};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TOKEN: &str = "hf_secret";

/// Files by their path, such as `a/model/config.json` or `datasets/a/data/x.csv`.
type Files = BTreeMap<String, Vec<u8>>;

/// A hub: it knows `a/model`, `a/sharded` and the data sets `a/one` and `a/two`, refuses `a/private` and fails at `a/broken`.
struct Server {
    endpoint: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let names: [(&str, &[u8]); 11] = [
            ("a/model/config.json", b"{}"),
            ("a/model/pytorch_model.bin", b"old weights"),
            ("a/model/model.safetensors", &[7; 3000]),
            ("a/model/vocab.txt", b"[PAD]\n"),
            ("a/model/README.md", b"about"),
            ("a/sharded/model.safetensors.index.json", b"{}"),
            ("datasets/a/one/data/reviews.csv", b"label,review\n"),
            ("datasets/a/one/README.md", b"about"),
            ("datasets/a/torn/x.csv", b"never whole"),
            ("datasets/a/two/train.jsonl", b"{}\n"),
            ("datasets/a/two/test.jsonl", b"[]\n"),
        ];
        let files: Files = names.map(|(name, bytes)| (name.to_string(), bytes.to_vec())).into();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A connection that breaks is the client's affair.
                let _ = answer(stream, &files, &log);
            }
        });
        Self { endpoint, requests }
    }

    fn hub(&self, home: &Path) -> Hub {
        hub(&self.endpoint, home, &[])
    }

    /// Requests since the last call.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

fn hub(endpoint: &str, home: &Path, vars: &[(&str, &str)]) -> Hub {
    let home = home.display().to_string();
    let var = |name: &str| match name {
        "HF_ENDPOINT" => Some(endpoint.to_string()),
        "HF_HOME" => Some(home.clone()),
        _ => vars.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()),
    };
    Hub::from_vars(var, None).unwrap()
}

/// Answers one request: the listing of a revision, or a file or the part of it that is asked for.
fn answer(mut stream: TcpStream, files: &Files, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let path = request.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_string();
    let (mut start, mut end, mut authorised) = (None, None, false);
    for line in lines {
        let line = line?.to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            let (from, to) = range.split_once('-').unwrap_or((range, ""));
            (start, end) = (from.parse::<usize>().ok(), to.parse::<usize>().ok());
        }
        authorised |= line == format!("authorization: bearer {TOKEN}");
        if line.is_empty() {
            break;
        }
    }
    log.lock().unwrap().push(path.clone());

    let mut reply = |status: &str, headers: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body))
    };
    if path.contains("a/private") && !authorised {
        return reply("401 Unauthorized", "", b"");
    }
    if path.contains("a/gated") {
        return reply("403 Forbidden", "", b"");
    }
    if path.contains("a/broken") {
        return reply("500 Internal Server Error", "", b"");
    }
    if path.contains("a/torn/resolve") {
        let headers = format!("x-repo-commit: {COMMIT}\r\netag: \"torn\"\r\ncontent-range: bytes 0-0/9\r\n");
        let head = format!("HTTP/1.1 206 Partial Content\r\nconnection: close\r\n{headers}content-length: 9\r\n\r\n");
        return stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"half"));
    }
    if let Some((repo, revision)) = path.strip_prefix("api/").and_then(|rest| rest.split_once("/revision/")) {
        let prefix = format!("{}/", repo.trim_start_matches("models/"));
        let names: Vec<_> = files.keys().filter_map(|name| name.strip_prefix(&prefix)).collect();
        if names.is_empty() || !["main", COMMIT].contains(&revision) {
            return reply("404 Not Found", "", b"");
        }
        let siblings: Vec<_> = names.iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
        let body = serde_json::json!({ "sha": COMMIT, "siblings": siblings }).to_string();
        return reply("200 OK", "content-type: application/json\r\n", body.as_bytes());
    }
    let Some(body) = files.get(&path.replace(&format!("/resolve/{COMMIT}/"), "/")) else {
        return reply("404 Not Found", "", b"");
    };
    let start = start.unwrap_or(0);
    let end = end.map_or(body.len(), |end| (end + 1).min(body.len()));
    let headers = format!(
        "x-repo-commit: {COMMIT}\r\netag: \"{:x}\"\r\ncontent-range: bytes {start}-{}/{}\r\n",
        body.iter().fold(body.len(), |sum, byte| sum * 31 % 0xffff_ffff + usize::from(*byte)),
        end - 1,
        body.len()
    );
    reply("206 Partial Content", &headers, &body[start..end])
}

fn message<T>(result: Result<T, AssetError>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn a_model_is_downloaded_once() {
    let (server, home) = (Server::start(), tempfile::tempdir().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = heard.clone();
    let hub = server
        .hub(home.path())
        .on_progress(move |file, done, total| ear.lock().unwrap().push((file.to_string(), done, total)));
    let model = hub.model("a/model", None).unwrap();
    assert_eq!(model.revision.as_deref(), Some(COMMIT));
    assert_eq!(std::fs::read(&model.weights).unwrap(), [7; 3000]);
    assert!(model.weights.ends_with("model.safetensors") && model.folder.join("vocab.txt").is_file());
    assert!(!model.folder.join("pytorch_model.bin").exists() && !model.folder.join("README.md").exists());
    assert_eq!(heard.lock().unwrap().last(), Some(&("model.safetensors".to_string(), 3000, 3000)));
    let asked = server.requests();
    assert_eq!(asked[0], "api/models/a/model/revision/main");
    assert!(asked.last().unwrap().ends_with("model.safetensors"), "the weights come last: {asked:?}");

    // A branch may have moved: one question. A commit has not: none.
    assert_eq!(hub.model("a/model", None).unwrap(), model);
    assert_eq!(server.requests(), ["api/models/a/model/revision/main"]);
    assert_eq!(hub.model("a/model", Some(COMMIT)).unwrap(), model);
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn offline_the_cache_is_all_there_is() {
    let (server, home) = (Server::start(), tempfile::tempdir().unwrap());
    let offline = hub(&server.endpoint, home.path(), &[("HF_HUB_OFFLINE", "1")]);
    let text = message(offline.model("a/model", None));
    assert!(text.contains("hf:a/model is not in the cache") && text.contains("HF_HUB_OFFLINE"), "{text}");
    let text = message(offline.data("a/one", None, Some("x.csv")));
    assert!(text.starts_with("x.csv of hf:a/one is not in the cache"), "{text}");
    assert_eq!(server.requests(), [""; 0]);

    let model = server.hub(home.path()).model("a/model", None).unwrap();
    let data = server.hub(home.path()).data("a/one", None, None).unwrap();
    server.requests();
    assert_eq!(offline.model("a/model", None).unwrap(), model);
    assert_eq!(offline.model("a/model", Some(COMMIT)).unwrap(), model);
    assert_eq!(offline.data("a/one", None, None).unwrap(), data);
    assert!(offline.model("a/model", Some("v2")).is_err());
    assert_eq!(server.requests(), [""; 0]);

    // Half a download is no model.
    std::fs::remove_file(&model.weights).unwrap();
    assert!(message(offline.model("a/model", None)).contains("or not all of it"));
    assert!(server.hub(home.path()).model("a/model", Some(COMMIT)).is_ok(), "what is missing is downloaded");
}

#[test]
fn a_data_set_gives_its_only_file_or_the_one_chosen() {
    let (server, home) = (Server::start(), tempfile::tempdir().unwrap());
    let hub = server.hub(home.path());
    let data = hub.data("a/one", None, None).unwrap();
    assert!(data.path.ends_with("data/reviews.csv"));
    assert_eq!(std::fs::read(&data.path).unwrap(), b"label,review\n");
    assert_eq!(data.revision.as_deref(), Some(COMMIT));

    let text = message(hub.data("a/two", None, None));
    assert!(text.contains("holds 2 data files") && text.ends_with("data.file: test.jsonl, train.jsonl"), "{text}");
    let text = message(hub.data("a/two", None, Some("dev.jsonl")));
    assert!(text.contains("hf:a/two holds no file `dev.jsonl`") && text.contains("train.jsonl"), "{text}");
    let train = hub.data("a/two", Some(COMMIT), Some("train.jsonl")).unwrap();
    server.requests();
    assert_eq!(hub.data("a/two", Some(COMMIT), Some("train.jsonl")).unwrap(), train);
    assert_eq!(server.requests(), [""; 0]);
}

#[test]
fn each_refusal_says_what_to_do_and_no_token() {
    let (server, home) = (Server::start(), tempfile::tempdir().unwrap());
    let anonymous = server.hub(home.path());
    let wrong = hub(&server.endpoint, home.path(), &[("HF_TOKEN", "hf_wrong")]);
    for (result, want) in [
        (anonymous.model("a/none", None), ["hf:a/none (404)", "check its name and revision"]),
        (anonymous.model("a/model", Some("v9")), ["hf:a/model@v9 (404)", "check its name and revision"]),
        (anonymous.model("a/private", None), ["hf:a/private (401)", "put a token that may read it in HF_TOKEN"]),
        (wrong.model("a/private", None), ["hf:a/private (401)", "is not valid or may not read it"]),
        (wrong.model("a/gated", None), ["hf:a/gated (403)", "accept its terms on its web page"]),
        (anonymous.model("a/broken", None), ["status 500", "try again later"]),
        (anonymous.model("a/sharded", None), ["hf:a/sharded keeps its weights in several files", "not built yet"]),
    ] {
        let text = message(result);
        assert!(want.iter().all(|want| text.contains(want)) && !text.contains("hf_wrong"), "{text}");
    }
    // The right one opens the door: nothing is behind it.
    assert!(
        message(hub(&server.endpoint, home.path(), &[("HF_TOKEN", TOKEN)]).model("a/private", None)).contains("404")
    );
    std::fs::write(home.path().join("token"), format!("{TOKEN}\n")).unwrap();
    assert!(message(server.hub(home.path()).model("a/private", None)).contains("404"));
}

#[test]
fn without_a_network_the_way_round_is_named() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::start();
    server.hub(home.path()).model("a/model", None).unwrap();
    // A port that was free a moment ago.
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://user:{TOKEN}@{closed}");
    let text = message(hub(&endpoint, home.path(), &[]).model("a/other", None));
    assert!(text.starts_with(&format!("http://{closed} cannot be reached for hf:a/other")), "{text}");
    assert!(text.contains("mirror in HF_ENDPOINT") && !text.contains("HF_HUB_OFFLINE"), "{text}");
    let text = message(hub(&endpoint, home.path(), &[("HF_TOKEN", TOKEN)]).model("a/model", None));
    assert!(text.contains("set HF_HUB_OFFLINE=1 to use the copy") && !text.contains(TOKEN), "{text}");
}

#[test]
fn the_environment_is_read_as_by_the_hubs_own_library() {
    let vars = |pairs: &'static [(&str, &str)]| {
        let var = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string());
        Hub::from_vars(var, Some("/home/me".into())).unwrap()
    };
    let plain = vars(&[("HF_ENDPOINT", ""), ("HF_HUB_OFFLINE", "0")]);
    assert_eq!((plain.endpoint.as_str(), plain.offline), ("https://huggingface.co", false));
    assert_eq!(plain.cache.path(), Path::new("/home/me/.cache/huggingface/hub"));
    let set = vars(&[
        ("HF_ENDPOINT", "https://m.example/"),
        ("HF_HOME", "/c"),
        ("HF_HUB_OFFLINE", "true"),
        ("HF_TOKEN", " t\n"),
    ]);
    assert_eq!((set.endpoint.as_str(), set.offline, set.token.as_deref()), ("https://m.example", true, Some("t")));
    assert_eq!(set.cache.path(), Path::new("/c/hub"));
    assert!(matches!(Hub::from_vars(|_| None, None), Err(AssetError::NoCache)));
}

/// A download that breaks off is an error, and what came of it is not taken for the file.
#[test]
fn a_torn_download_is_no_file() {
    let (server, home) = (Server::start(), tempfile::tempdir().unwrap());
    let hub = server.hub(home.path());
    let text = message(hub.data("a/torn", None, None));
    assert!(text.contains("cannot be reached for hf:a/torn"), "{text}");
    // The server sends its half again wherever it is asked to begin: now there is more than there should be.
    let text = message(hub.data("a/torn", None, None));
    assert!(text.contains("delete the .part files in") && text.contains("datasets--a--torn"), "{text}");
    assert!(hub.data("a/torn", Some(COMMIT), Some("x.csv")).is_err());
}
