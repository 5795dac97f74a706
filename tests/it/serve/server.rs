//! A server that a test starts, and what asks it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::Sandbox;

/// A server; it is killed with the value.
pub struct Server {
    child: Child,
    /// Where it listens: `127.0.0.1:PORT`.
    pub address: String,
    /// What it has said on standard error.
    said: Arc<Mutex<String>>,
}

/// A status, the headers, and the body.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub retry_after: Option<String>,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The message of an error, which has the shape of text-embeddings-inference's.
    pub fn error(&self) -> String {
        let value = self.json();
        let fields: Vec<&String> = value.as_object().expect("an object").keys().collect();
        assert_eq!(fields, ["error", "error_type"], "{self:?}");
        let message = value["error"].as_str().expect("a message").to_owned();
        assert!(!message.is_empty() && !value["error_type"].as_str().expect("a type").is_empty());
        message
    }
}

/// A client with connections of its own.
pub struct Client {
    agent: ureq::Agent,
    url: String,
}

impl Client {
    pub fn get(&self, path: &str) -> Reply {
        let request = self.agent.get(format!("{}{path}", self.url));
        reply(request.call()).expect("an answer")
    }

    pub fn get_with_token(&self, path: &str, token: &str) -> Reply {
        let request = self.agent.get(format!("{}{path}", self.url)).header("Authorization", token);
        reply(request.call()).expect("an answer")
    }

    /// Sends JSON.
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.try_post(path, &body.to_string()).expect("an answer")
    }

    /// Sends a text as JSON; an error if there is no answer.
    pub fn try_post(&self, path: &str, body: &str) -> Result<Reply, ureq::Error> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("Content-Type", "application/json");
        reply(request.send(body))
    }

    /// Sends a text of another type.
    pub fn post_as(&self, path: &str, media_type: &str, body: &str) -> Reply {
        let request = self.agent.post(format!("{}{path}", self.url)).header("Content-Type", media_type);
        reply(request.send(body)).expect("an answer")
    }

    /// The body of an answer with status 200.
    pub fn asked(&self, path: &str, body: Value) -> Value {
        let reply = self.post(path, &body);
        assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
        reply.json()
    }

    /// What `POST /v1/classify` says of a text.
    pub fn classified(&self, text: &str) -> Value {
        self.asked("/v1/classify", json!({ "input": text, "truncate": true }))["data"][0].take()
    }
}

fn reply(answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Reply, ureq::Error> {
    let mut answer = answer?;
    let status = answer.status().as_u16();
    let retry_after = answer.headers().get("retry-after").map(|value| value.to_str().expect("ASCII").to_owned());
    Ok(Reply { status, retry_after, body: answer.body_mut().read_to_string()? })
}

impl Server {
    /// `taper serve` with these arguments, on a free port.
    pub fn start(sandbox: &Sandbox, arguments: &[&str]) -> Self {
        let free = if arguments.contains(&"--addr") { &[][..] } else { &["--addr", "127.0.0.1:0"] };
        let all = [&["serve"], free, arguments].concat();
        let mut child =
            sandbox.command(&all).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("taper starts");
        let said = Arc::new(Mutex::new(String::new()));
        let mut errors = child.stderr.take().expect("its errors");
        thread::spawn({
            let said = said.clone();
            move || {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = errors.read(&mut buffer) {
                    said.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..n]));
                }
            }
        });
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address = lines.map_while(Result::ok).find_map(|line| Some(line.split_once("http://")?.1.to_owned()));
        let Some(address) = address else {
            let code = child.wait();
            panic!("it does not serve: {code:?}, {}", said.lock().unwrap())
        };
        Self { child, address, said }
    }

    pub fn client(&self) -> Client {
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)))
            .build()
            .into();
        Client { agent, url: format!("http://{}", self.address) }
    }

    /// What it has said on standard error.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Waits until it has said this.
    pub fn wait_until_said(&self, what: &str) {
        let began = Instant::now();
        while !self.said().contains(what) {
            assert!(began.elapsed() < Duration::from_secs(60), "it does not say `{what}`: {}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill").success());
    }

    /// Its exit code, and all that it said on standard error.
    pub fn wait(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("its end").code();
        // Its last words may still be in the pipe.
        thread::sleep(Duration::from_millis(100));
        (code, self.said())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
