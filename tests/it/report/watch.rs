//! `taper report --watch`: the server of a page, and its end.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, ChildStdout, Stdio},
};

use taper::execute::Planning;

use super::all::SECOND;
use crate::support::{Sandbox, store};

/// A command that watches, and where.
struct Watched {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

/// An experiment with two completed runs, as if a command were training it; it is watched.
fn watched(sandbox: &Sandbox) -> (Planning, Watched) {
    sandbox.write_rows();
    sandbox.write("b.toml", SECOND);
    sandbox.ok(&["run", "b.toml", "--quiet"]);
    let planning = Planning::begin(&sandbox.path("runs"), "second").unwrap();
    let mut command = sandbox.command(&["report", "second", "--watch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut url = String::new();
    stdout.read_line(&mut url).unwrap();
    let address =
        url.trim().strip_prefix("http://").and_then(|url| url.strip_suffix('/')).unwrap_or_else(|| panic!("{url}"));
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    (planning, Watched { child, stdout, address: address.into() })
}

impl Watched {
    /// Sends bytes and returns the whole answer.
    fn asked(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A refused request may be cut off.
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, path: &str) -> String {
        self.asked(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address))
    }

    /// The events of the page, as lines.
    fn events(&self) -> impl Iterator<Item = String> + use<> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        write!(stream, "GET /events HTTP/1.1\r\nHost: {}\r\n\r\n", self.address).unwrap();
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.filter(|line| line.starts_with("event: ") || line.starts_with("data: "))
    }

    /// What it printed after its address, and its exit code.
    fn end(mut self) -> (String, Option<i32>) {
        let mut said = String::new();
        self.stdout.read_to_string(&mut said).unwrap();
        (said, self.child.wait().unwrap().code())
    }
}

#[test]
fn a_page_is_refreshed_until_the_training_ends() {
    let sandbox = Sandbox::new();
    let (planning, watched) = watched(&sandbox);
    let page = watched.get("/");
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains(&format!("Content-Length: {}\r\n", body.len())),
        "{head}"
    );
    assert!(
        body.contains("connect-src &#39;self&#39;") && body.contains("2 completed") && !body.contains("report.md"),
        "{head}"
    );
    let version = body.split("data-version=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let mut events = watched.events();
    assert_eq!([events.next().unwrap(), events.next().unwrap()], ["event: page".into(), format!("data: {version}")]);

    let mut store = store(&sandbox.path("runs"));
    let mut experiment = store.experiment("second").unwrap();
    experiment.description = "described anew".into();
    store.save_experiment(&experiment).unwrap();
    assert_eq!(events.next().unwrap(), "event: page");
    let newer = events.next().unwrap();
    let page = watched.get("/");
    assert!(page.contains("described anew") && page.contains(&newer.replace("data: ", "data-version=\"")), "{newer}");

    drop(planning);
    assert_eq!(events.next().unwrap(), "event: end");
    assert!(events.next().unwrap().contains("The training has ended") && events.next().is_none());
    let (said, code) = watched.end();
    assert!(code == Some(0) && said.contains("report.html\n") && said.contains("shows the report of second"), "{said}");
    assert!(
        std::fs::read_to_string(sandbox.path("runs/reports/second/report.html")).unwrap().contains("described anew")
    );
}

#[test]
fn other_hosts_methods_and_long_requests_are_refused() {
    let sandbox = Sandbox::new();
    let (_planning, watched) = watched(&sandbox);
    let own = &watched.address;
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n".into(), "421 "),
        (format!("GET / HTTP/1.1\r\nHost: {own}.evil.example\r\n\r\n"), "421 "),
        ("GET / HTTP/1.1\r\n\r\n".into(), "400 "),
        ("nonsense\r\n\r\n".into(), "400 "),
        (format!("POST / HTTP/1.1\r\nHost: {own}\r\nContent-Length: 1\r\n\r\nx"), "405 "),
        (format!("GET /../taper.db HTTP/1.1\r\nHost: {own}\r\n\r\n"), "404 "),
        (format!("GET / HTTP/1.1\r\nHost: {own}\r\nX: {}", "x".repeat(9000)), "431 "),
    ] {
        let answer = watched.asked(&request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{}: {answer}", &request[..request.len().min(99)]);
        assert!(!answer.contains("<html"), "{answer}");
    }
    // Open connections are limited: those that are too many are told so, and others are answered when these are closed.
    let open: Vec<TcpStream> = (0..40).map(|_| TcpStream::connect(own).unwrap()).collect();
    let mut last = String::new();
    let _ = (&open[39]).read_to_string(&mut last);
    assert!(last.starts_with("HTTP/1.1 503 "), "{last}");
    drop(open);
    let answered = (0..1000).any(|_| watched.get("/").starts_with("HTTP/1.1 200 "));
    assert!(answered, "the connections are not freed");
    let mut watched = watched;
    watched.child.kill().unwrap();
    watched.child.wait().unwrap();
}

#[test]
#[cfg(unix)]
fn a_signal_ends_it_as_other_commands() {
    let sandbox = Sandbox::new();
    let (_planning, watched) = watched(&sandbox);
    let mut events = watched.events();
    assert_eq!(events.next().unwrap(), "event: page");
    let id = watched.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert!(events.last().unwrap().contains("was stopped"));
    assert_eq!(watched.end().1, Some(130));
}

#[test]
fn only_addresses_of_this_machine_are_served() {
    let sandbox = Sandbox::new();
    sandbox.write_rows();
    sandbox.write("b.toml", SECOND);
    sandbox.ok(&["run", "b.toml", "--quiet"]);
    let (code, said) = sandbox.says(&["report", "second", "--watch", "--addr", "0.0.0.0:0"]);
    assert!(code == 2 && said.contains("can be reached from other machines"), "{said}");
    let (code, said) = sandbox.says(&["report", "second", "--watch", "--json"]);
    assert!(code == 2 && said.contains("cannot be used with"), "{said}");
    let (code, said) = sandbox.says(&["report", "other", "--watch"]);
    assert!(code == 2 && said.contains("other"), "{said}");
    // Nothing trains it and nothing is left to train: the report is written at once.
    let (code, said) = sandbox.says(&["report", "second", "--watch"]);
    assert!(code == 0 && said.contains("report.html\n"), "{said}");
}
