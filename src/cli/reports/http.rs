//! The little of HTTP/1.1 that the page of a sweep needs: requests without a body, one for each connection.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

/// The longest head of a request, in bytes.
const MOST: usize = 8 * 1024;
/// How long a client may take to send it.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it may take to receive an answer.
const LONGEST: Duration = Duration::from_secs(120);

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is no request.
    Malformed,
    /// It is too long.
    TooLong,
    /// It is for another host: a page of that host reached this server by changing its name's address (DNS rebinding).
    OtherHost,
    /// Only GET is answered.
    Method,
    /// There is nothing at this path.
    NotFound,
    /// There are too many connections.
    Busy,
}

impl Refusal {
    /// Its status line, without the version.
    pub fn status(self) -> &'static str {
        match self {
            Self::Malformed => "400 Bad Request",
            Self::TooLong => "431 Request Header Fields Too Large",
            Self::OtherHost => "421 Misdirected Request",
            Self::Method => "405 Method Not Allowed",
            Self::NotFound => "404 Not Found",
            Self::Busy => "503 Service Unavailable",
        }
    }
}

/// Reads the head of a request; `None` if the client sent nothing, or not all of it in time.
pub fn read(stream: &mut TcpStream) -> io::Result<Option<Result<Vec<u8>, Refusal>>> {
    let begin = Instant::now();
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        if head.windows(4).any(|end| end == b"\r\n\r\n") {
            return Ok(Some(Ok(head)));
        }
        if head.len() > MOST {
            return Ok(Some(Err(Refusal::TooLong)));
        }
        let Some(left) = PATIENCE.checked_sub(begin.elapsed()).filter(|left| !left.is_zero()) else { return Ok(None) };
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => head.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => return Ok(None),
            Err(e) => return Err(e),
        }
    }
}

/// The path that a request with this head asks for. Its only `Host` must be one of `hosts`.
pub fn path(head: &[u8], hosts: &[String]) -> Result<String, Refusal> {
    let text = std::str::from_utf8(head).map_err(|_| Refusal::Malformed)?;
    let mut lines = text.split("\r\n");
    let request: Vec<&str> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, version] = request[..] else { return Err(Refusal::Malformed) };
    if !version.starts_with("HTTP/1.") || !target.starts_with('/') {
        return Err(Refusal::Malformed);
    }
    let (mut named, mut other_site) = (Vec::new(), false);
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or(Refusal::Malformed)?;
        if name.eq_ignore_ascii_case("host") {
            named.push(value.trim());
        }
        // A page of another site that asks through the browser cannot read the answer, but would hold a connection.
        if name.eq_ignore_ascii_case("sec-fetch-site") && !["same-origin", "none"].contains(&value.trim()) {
            other_site = true;
        }
    }
    match named[..] {
        [host] if !other_site && hosts.iter().any(|own| own.eq_ignore_ascii_case(host)) => {}
        [_] => return Err(Refusal::OtherHost),
        _ => return Err(Refusal::Malformed),
    }
    if method != "GET" {
        return Err(Refusal::Method);
    }
    Ok(target.into())
}

/// Headers of every answer: nothing is stored, guessed, framed or told to other sites.
const HEADERS: &str = "Connection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\
    Referrer-Policy: no-referrer\r\nX-Frame-Options: DENY\r\nCross-Origin-Resource-Policy: same-origin\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n";

/// Writes a whole answer.
pub fn answer(stream: &mut impl Write, status: &str, kind: &str, body: &[u8]) -> io::Result<()> {
    let allow = if status == Refusal::Method.status() { "Allow: GET\r\n" } else { "" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {}\r\n{allow}{HEADERS}\r\n",
        body.len()
    );
    let begin = Instant::now();
    for part in [head.as_bytes()].into_iter().chain(body.chunks(64 * 1024)) {
        // A client that reads a little now and then would hold the connection for ever.
        if begin.elapsed() > LONGEST {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.write_all(part)?;
    }
    stream.flush()
}

/// Begins a stream of events.
pub fn begin_events(stream: &mut impl Write) -> io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{HEADERS}\r\n");
    stream.write_all(head.as_bytes())?;
    stream.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(head: &str) -> Result<String, Refusal> {
        path(head.as_bytes(), &["127.0.0.1:80".into(), "localhost:80".into()])
    }

    #[test]
    fn only_gets_for_this_host_have_a_path() {
        assert_eq!(of("GET /events HTTP/1.1\r\nAccept: */*\r\nHOST: LocalHost:80\r\n\r\n"), Ok("/events".into()));
        assert_eq!(of("GET / HTTP/1.1\r\nHost: localhost:80\r\nSec-Fetch-Site: none\r\n\r\n"), Ok("/".into()));
        for (head, refusal) in [
            ("GET / HTTP/1.1\r\nHost: evil.example:80\r\n\r\n", Refusal::OtherHost),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Refusal::OtherHost),
            ("GET /events HTTP/1.1\r\nHost: localhost:80\r\nSec-Fetch-Site: cross-site\r\n\r\n", Refusal::OtherHost),
            ("GET / HTTP/1.1\r\n\r\n", Refusal::Malformed),
            ("GET / HTTP/1.1\r\nHost: localhost:80\r\nHost: evil.example\r\n\r\n", Refusal::Malformed),
            ("POST / HTTP/1.1\r\nHost: localhost:80\r\n\r\n", Refusal::Method),
            ("GET http://localhost:80/ HTTP/1.1\r\nHost: localhost:80\r\n\r\n", Refusal::Malformed),
            ("GET /\r\n\r\n", Refusal::Malformed),
            ("\u{16}\u{3}\u{1}", Refusal::Malformed),
            ("GET / HTTP/1.1\r\nnonsense\r\n\r\n", Refusal::Malformed),
        ] {
            assert_eq!(of(head), Err(refusal), "{head}");
        }
        assert_eq!(path(b"GET /\xff HTTP/1.1\r\n\r\n", &[]), Err(Refusal::Malformed));
    }

    #[test]
    fn an_answer_says_how_long_it_is() {
        let mut bytes = Vec::new();
        answer(&mut bytes, "200 OK", "text/html", "é".as_bytes()).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 2\r\n"));
        assert!(text.contains("Connection: close\r\n") && text.ends_with("\r\n\r\né"), "{text}");
    }
}
