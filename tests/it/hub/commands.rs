//! `taper fetch` as a process: two of them at once, killed in the middle; and `taper doctor`.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use taper::{
    data::Tokenizer,
    model::{ModelConfig, Named, Parameters, write_folder},
};

use crate::hub::{
    home::{Home, files},
    server::{Fault, Server, TOKEN},
};

/// An experiment whose model and data come from a server, in a folder of its own.
pub struct FetchSandbox {
    pub server: Server,
    pub home: Home,
}

impl FetchSandbox {
    pub fn new() -> Self {
        let rows: String = (0..20).map(|i| format!("1,味道很好 第{i}次点 快\n0,难吃 送得慢 {i}小时\n")).collect();
        let model = tempfile::tempdir().expect("a folder");
        let tokenizer = Tokenizer::from_vocab(Tokenizer::build_vocab(rows.lines(), 300), true).expect("a tokenizer");
        let mut shape = ModelConfig::preset(taper::source::Preset::Tiny);
        shape.vocab_size = tokenizer.vocab_size();
        let parameters = Parameters::fresh(&shape, 2, 7).expect("weights");
        let named: Vec<Named> = parameters.iter().map(|(name, tensor)| Named::of(name.into(), tensor)).collect();
        write_folder(taper::task::Task::SingleLabel, &shape, &named, &["0".into(), "1".into()], model.path())
            .expect("a model");
        tokenizer.save(model.path(), 32).expect("a tokenizer's files");

        let server = Server::start(&[]);
        for (path, _) in files(model.path()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            server.put(&format!("models/a/tiny/{name}"), &fs::read(&path).expect("a file"));
        }
        server.put("datasets/a/rows/rows.csv", format!("label,review\n{rows}").as_bytes());
        let home = Home::new(&server.url).with_token();
        let spec = "[model]\nsource = \"hf:a/tiny\"\n[data]\nsource = \"hf:a/rows\"\ntext_column = \"review\"\n\
                    max_length = 32\n[train]\nepochs = 1\nbatch_size = 8\n";
        fs::write(home.path("tiny.toml"), spec).expect("a spec");
        Self { server, home }
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.dir.command(arguments);
        command.env_clear().envs(self.home.vars.iter().cloned());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Exit code, and what was said in all. The token is said nowhere.
    pub fn says(&self, arguments: &[&str]) -> (i32, String) {
        said(self.command(arguments).output().expect("taper starts"))
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let (code, text) = self.says(arguments);
        assert_eq!(code, 0, "taper {arguments:?}: {text}");
        text
    }
}

fn said(output: Output) -> (i32, String) {
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(!text.contains(TOKEN), "{text}");
    (output.status.code().unwrap_or(-1), text)
}

const WEIGHTS: &str = "/store/";

/// Requests for large files.
fn stored(server: &Server) -> Vec<Option<String>> {
    let get = |seen: &crate::hub::server::Seen| seen.method == "GET" && seen.path.starts_with(WEIGHTS);
    server.seen().into_iter().filter(get).map(|seen| seen.range).collect()
}

#[test]
fn two_processes_share_one_download() {
    let sandbox = FetchSandbox::new();
    sandbox.server.fault(WEIGHTS, usize::MAX, Fault::Slow(Duration::from_millis(1)));
    let start = || -> Child { sandbox.command(&["fetch", "tiny.toml"]).spawn().expect("taper starts") };
    let both = [start(), start()];
    for child in both {
        let (code, text) = said(child.wait_with_output().expect("taper ends"));
        assert_eq!(code, 0, "{text}");
    }
    let requests = stored(&sandbox.server);
    let large =
        files(&sandbox.home.path("hf/hub/models--a--tiny/blobs")).iter().filter(|(_, size)| *size >= 2000).count();
    assert_eq!(requests.len(), large, "each large file once: {requests:?}");
    assert!(requests.iter().all(Option::is_none));
}

#[test]
fn a_killed_fetch_resumes_where_it_was() {
    let sandbox = FetchSandbox::new();
    sandbox.server.fault(WEIGHTS, usize::MAX, Fault::Slow(Duration::from_millis(4)));
    let mut child = sandbox.command(&["fetch", "tiny.toml"]).spawn().expect("taper starts");
    let part = || {
        let found = files(&sandbox.home.path("hf/hub/models--a--tiny/blobs"));
        found.into_iter().find(|(path, size)| path.to_string_lossy().ends_with(".incomplete") && *size > 20_000)
    };
    let end = Instant::now() + Duration::from_secs(20);
    while part().is_none() {
        assert!(Instant::now() < end && child.try_wait().expect("a child").is_none(), "nothing was left half done");
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it is gone");
    let (_, size) = part().expect("what is left of it");
    assert!(!sandbox.home.path("tiny.toml.lock").exists());
    let (code, text) = sandbox.says(&["plan", "tiny.toml", "--offline"]);
    assert!(code == 2 && text.contains("is missing from the cache"), "{text}");

    let slow = stored(&sandbox.server);
    assert!(slow.iter().all(Option::is_none), "{slow:?}");
    let text = sandbox.ok(&["fetch", "tiny.toml"]);
    assert!(text.contains("resuming after") && text.contains("pinned in tiny.toml.lock"), "{text}");
    let ranges: Vec<u64> =
        stored(&sandbox.server).into_iter().flatten().map(|r| r[6..r.len() - 1].parse().unwrap()).collect();
    assert!(ranges.iter().any(|from| *from >= size), "{ranges:?}, of {size} bytes that were here");
    sandbox.ok(&["plan", "tiny.toml", "--offline"]);
}

#[test]
fn what_cannot_be_fetched_is_not_reported_as_present() {
    let sandbox = FetchSandbox::new();
    let (code, text) = sandbox.says(&["fetch", "tiny.toml", "--offline"]);
    assert!(code == 2 && text.contains("is missing from the cache"), "{text}");
    assert!(!text.contains("nothing to fetch"), "{text}");
}

/// A proxy that leads everywhere to one server, and the first lines of what it was asked.
fn proxy(server: &str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, to) = (asked.clone(), server.trim_start_matches("http://").to_string());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let (log, to) = (log.clone(), to.clone());
            thread::spawn(move || {
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|n| n == 1) {
                    head.push(byte[0]);
                }
                let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_string();
                log.lock().unwrap().push(line.clone());
                let mut server = TcpStream::connect(to).expect("the server");
                let begun = match line.starts_with("CONNECT") {
                    true => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n"),
                    false => server.write_all(&head),
                };
                begun.expect("a connection");
                let (mut from, mut back) =
                    (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                thread::spawn(move || std::io::copy(&mut from, &mut back));
                let _ = std::io::copy(&mut server, &mut client);
            });
        }
    });
    (url, asked)
}

#[test]
fn the_proxy_of_the_environment_is_used() {
    let sandbox = FetchSandbox::new();
    let (url, asked) = proxy(&sandbox.server.url);
    let fetch = |no_proxy: &str| {
        let mut command = sandbox.command(&["fetch", "tiny.toml"]);
        command.env("HF_ENDPOINT", "http://hub.invalid").env("HTTP_PROXY", &url).env("NO_PROXY", no_proxy);
        said(command.output().expect("taper starts"))
    };
    let (code, text) = fetch("hub.invalid");
    assert!(code == 2 && text.contains("http://hub.invalid cannot be reached"), "{text}");
    assert_eq!(*asked.lock().unwrap(), [""; 0]);
    let (code, text) = fetch("");
    assert_eq!(code, 0, "{text}");
    assert!(asked.lock().unwrap().iter().any(|line| line.contains("hub.invalid")), "{asked:?}");
}

#[test]
fn doctor_reports_what_works() {
    let sandbox = FetchSandbox::new();
    let (code, text) = sandbox.says(&["doctor"]);
    assert_eq!(code, 0, "{text}");
    for words in ["hub", "modelscope", "devices", "threads", "font", "disk", "database", &sandbox.server.url] {
        assert!(text.contains(words), "no `{words}` in {text}");
    }
    let json: Value = serde_json::from_str(&sandbox.ok(&["doctor", "--json"])).expect("JSON");
    let checks = json["checks"].as_array().expect("checks");
    let hub = checks.iter().find(|check| check["what"] == "hub").expect("the hub");
    assert_eq!((&hub["ok"], hub["seconds"].is_number()), (&true.into(), true), "{hub}");
    // What is used already is not advised.
    let devices = checks.iter().find(|check| check["what"] == "devices").expect("devices");
    let found = devices["found"].as_str().expect("what was found");
    assert!(devices["ok"] == true && !found.contains("--device cpu"), "{devices}");
    // An unreachable server is reported with advice, and offline no server is contacted.
    sandbox.server.seen();
    let text = sandbox.ok(&["doctor", "--offline"]);
    assert!(text.contains("offline") && sandbox.server.seen().is_empty(), "{text}");
    let mut command = sandbox.command(&["doctor"]);
    let (_, text) = said(command.env("HF_ENDPOINT", "http://nowhere.invalid").output().expect("taper starts"));
    assert!(text.contains("http://nowhere.invalid") && text.contains("https://hf-mirror.com"), "{text}");
}
