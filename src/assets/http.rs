//! A single request, with redirects followed manually, so that a token is only sent to its own server.

use std::{
    io::{self, Read},
    time::{Duration, Instant},
};

use ureq::{Agent, Body, Error, http::HeaderMap};

use super::{endpoint::Token, failure::Failure, settings::Settings};

/// The most redirects that are followed.
const REDIRECTS: usize = 8;
/// Largest response other than a file, in bytes.
const LIST: usize = 64 << 20;
/// Such a response must be complete within this many times the read timeout.
const WAITS: u32 = 10;
/// A body that is sent more slowly, in bytes a second, does not arrive any more.
const SLOWEST: u64 = 10_000;

/// Sends requests to servers.
pub(super) struct Client {
    agent: Agent,
    offline: bool,
    /// The time limit for a response other than a file.
    whole: Duration,
}

/// A request.
#[derive(Clone, Copy, Default)]
pub(super) struct Request<'a> {
    pub url: &'a str,
    /// Sent only to the server of `url`.
    pub token: Option<&'a Token>,
    /// Only the headers.
    pub head: bool,
    /// From this byte on, and only if the file still has this entity tag.
    pub from: Option<(u64, Option<&'a str>)>,
    /// A web page is not a valid response.
    pub no_page: bool,
}

/// What a request sends.
pub(super) enum Payload<'a> {
    None,
    Bytes(&'a [u8]),
    /// So many bytes of a reader.
    Stream(&'a mut dyn Read, u64),
}

/// A request that sends something. Redirects are not followed.
pub(super) struct Sent<'a> {
    pub url: &'a str,
    pub method: &'static str,
    /// Sent to this server, whichever it is.
    pub token: Option<&'a Token>,
    /// The cookie that carries the token too.
    pub cookie: Option<&'static str>,
    pub headers: &'a [(&'static str, &'a str)],
    pub body: Payload<'a>,
}

impl<'a> Sent<'a> {
    /// A request without a body; its address is to be set.
    pub fn get() -> Self {
        Self { url: "", method: "GET", token: None, cookie: None, headers: &[], body: Payload::None }
    }

    /// A request with these bytes; its address is to be set.
    pub fn post(bytes: &'a [u8]) -> Self {
        Self { method: "POST", body: Payload::Bytes(bytes), ..Self::get() }
    }

    /// A request that stores so many bytes of a reader; its address is to be set.
    pub fn put(reader: &'a mut dyn Read, len: u64) -> Self {
        Self { method: "PUT", body: Payload::Stream(reader, len), ..Self::get() }
    }
}

/// A server's response.
pub(super) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Body,
    /// The deadline of a response other than a file.
    until: Instant,
}

impl Answer {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Length of the body, if stated.
    pub fn length(&self) -> Option<u64> {
        self.header("content-length")?.trim().parse().ok()
    }

    /// The body as JSON.
    pub fn json(self) -> Result<serde_json::Value, Failure> {
        let text = self.text()?;
        serde_json::from_str(&text).map_err(|error| match text.trim_start().starts_with('<') {
            true => Failure::WebPage,
            false => Failure::Odd(format!("its answer is not JSON ({error})")),
        })
    }
}

impl Answer {
    /// The body as text, of at most [`LIST`] bytes and within the deadline set by [`Client::ask`]. Otherwise a server that sends a byte now and
    /// then would be read forever.
    pub fn text(self) -> Result<String, Failure> {
        let mut body = self.body.into_with_config().limit(u64::MAX).reader();
        let (mut all, mut piece) = (Vec::new(), vec![0; 1 << 16]);
        loop {
            if Instant::now() > self.until {
                return Err(Failure::Odd("its answer did not end in time".into()));
            }
            match body.read(&mut piece) {
                Ok(0) => break,
                Ok(n) => all.extend_from_slice(&piece[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&error)),
            }
            if all.len() > LIST {
                return Err(Failure::Odd(format!("its answer is larger than {}", crate::format::bytes(LIST as u64))));
            }
        }
        String::from_utf8(all).map_err(|_| Failure::Odd("its answer is not UTF-8".into()))
    }
}

impl Client {
    /// A client with the timeouts of `settings`, and the proxy of the environment (`HTTPS_PROXY`, `NO_PROXY`, …).
    pub fn new(settings: &Settings) -> Self {
        let patience = settings.patience;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(patience.connect))
            .timeout_recv_response(Some(patience.read))
            .timeout_per_read(Some(patience.read))
            .user_agent(concat!("taper/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: config.into(), offline: settings.offline, whole: patience.read * WAITS }
    }

    /// Sends a request and returns a successful response (2xx).
    ///
    /// # Errors
    /// Any other response.
    pub fn ask(&self, request: Request) -> Result<Answer, Failure> {
        let mut url = request.url.to_string();
        for _ in 0..REDIRECTS {
            let answer = self.once(&request, &url)?;
            match answer.status {
                200..=299 => {
                    let page = answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html"));
                    return if page && request.no_page { Err(Failure::WebPage) } else { Ok(answer) };
                }
                301 | 302 | 303 | 307 | 308 => {
                    // The hub states a file's properties in its own response, not in that of the storage it redirects to.
                    if request.head && answer.header("x-linked-etag").is_some() {
                        return Ok(answer);
                    }
                    let location = answer
                        .header("location")
                        .ok_or_else(|| Failure::Odd("it redirects without saying where to".into()))?;
                    let next = join(&url, location);
                    if scheme(&url) == Some("https") && scheme(&next) == Some("http") {
                        return Err(Failure::Odd(
                            "it redirects from https to http, where the file could be altered in transit".into(),
                        ));
                    }
                    url = next;
                }
                status => {
                    let text = |name: &str| answer.header(name).map(String::from);
                    let seconds = text("retry-after").and_then(|text| text.trim().parse().ok());
                    return Err(Failure::Status {
                        status,
                        code: text("x-error-code"),
                        retry_after: seconds.map(Duration::from_secs),
                    });
                }
            }
        }
        Err(Failure::Odd(format!("it redirects more than {REDIRECTS} times")))
    }

    /// Sends a request with a body once, and returns whatever comes back.
    ///
    /// # Errors
    /// Nothing comes back.
    pub fn send(&self, sent: Sent<'_>) -> Result<Answer, Failure> {
        if self.offline {
            return Err(Failure::Offline);
        }
        if !matches!(scheme(sent.url), Some("http" | "https")) {
            return Err(Failure::Odd("it names an address that is neither http nor https".into()));
        }
        let mut call = ureq::http::Request::builder().method(sent.method).uri(sent.url);
        call = call.header("accept-encoding", "identity");
        if let Some(token) = sent.token {
            call = call.header("authorization", format!("Bearer {}", token.reveal()));
            if let Some(name) = sent.cookie {
                call = call.header("cookie", format!("{name}={}", token.reveal()));
            }
        }
        for (name, value) in sent.headers {
            call = call.header(*name, *value);
        }
        let odd = |_| Failure::Odd("its address is not valid".into());
        let config = |len: u64| self.whole + Duration::from_secs(len / SLOWEST);
        let answer = match sent.body {
            Payload::None => self.agent.run(call.body(()).map_err(odd)?),
            Payload::Bytes(bytes) => {
                let request = self.agent.configure_request(call.body(bytes).map_err(odd)?);
                let limit = config(bytes.len() as u64);
                self.agent.run(request.timeout_send_body(Some(limit)).timeout_recv_response(Some(self.whole)).build())
            }
            Payload::Stream(reader, len) => {
                let call = call.header("content-length", len);
                let request = call.body(ureq::SendBody::from_reader(reader)).map_err(odd)?;
                let request = self.agent.configure_request(request).timeout_send_body(Some(config(len)));
                self.agent.run(request.timeout_recv_response(Some(self.whole)).build())
            }
        };
        let (parts, body) = answer.map_err(failure)?.into_parts();
        let until = Instant::now() + self.whole;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, until })
    }

    /// One request, without following redirects.
    fn once(&self, request: &Request, url: &str) -> Result<Answer, Failure> {
        if self.offline {
            return Err(Failure::Offline);
        }
        if !matches!(scheme(url), Some("http" | "https")) {
            return Err(Failure::Odd("it redirects to an address that is neither http nor https".into()));
        }
        let mut call = match request.head {
            true => self.agent.head(url),
            false => self.agent.get(url),
        };
        // A compressed response has another length than the file.
        call = call.header("accept-encoding", "identity");
        if let Some(token) = request.token.filter(|_| origin(url) == origin(request.url)) {
            call = call.header("authorization", format!("Bearer {}", token.reveal()));
        }
        if let Some((from, tag)) = request.from.filter(|(from, _)| *from > 0) {
            call = call.header("range", format!("bytes={from}-"));
            if let Some(tag) = tag {
                call = call.header("if-range", tag);
            }
        }
        let (parts, body) = call.call().map_err(failure)?.into_parts();
        let until = Instant::now() + self.whole;
        Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, until })
    }
}

/// A transport error. It never contains a token: neither headers nor addresses are part of it.
pub(super) fn failure(error: Error) -> Failure {
    match error {
        Error::Timeout(_) => Failure::Timeout,
        Error::HostNotFound => Failure::Network("its name cannot be resolved".into()),
        Error::ConnectionFailed => Failure::Network("no connection".into()),
        Error::ConnectProxyFailed(why) => Failure::Network(format!("the proxy refused the connection: {why}")),
        Error::InvalidProxyUrl => {
            Failure::Odd("the proxy address in the environment (such as HTTPS_PROXY) is not valid".into())
        }
        Error::Io(error) => broken(&error),
        Error::Tls(why) => Failure::Network(format!("no encrypted connection could be established: {why}")),
        Error::Rustls(error) => Failure::Network(format!("no encrypted connection could be established: {error}")),
        Error::BadUri(_) | Error::Http(_) => Failure::Odd("its address is not valid".into()),
        other => Failure::Odd(format!("the HTTP request failed ({other})")),
    }
}

/// An I/O error of a connection.
pub(super) fn broken(error: &io::Error) -> Failure {
    // The HTTP library wraps its own errors in I/O errors.
    if let Some(Error::Timeout(_)) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
        return Failure::Timeout;
    }
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::Timeout,
        _ => Failure::Network(error.to_string()),
    }
}

/// `http`, `https` or another scheme; `None` if the text has none.
fn scheme(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once("://")?;
    let rest = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_one = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(rest);
    is_one.then(|| match scheme {
        _ if scheme.eq_ignore_ascii_case("https") => "https",
        _ if scheme.eq_ignore_ascii_case("http") => "http",
        other => other,
    })
}

/// Scheme, host and port of an address, which a token belongs to.
fn origin(url: &str) -> Option<(String, String)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?.rsplit('@').next()?;
    let scheme = scheme.to_ascii_lowercase();
    let port = if scheme == "https" { ":443" } else { ":80" };
    Some((scheme, authority.strip_suffix(port).unwrap_or(authority).to_ascii_lowercase()))
}

/// Whether two addresses are of one server, so that what is a secret of one is none of the other.
pub(super) fn same_origin(a: &str, b: &str) -> bool {
    origin(a).is_some_and(|of| Some(of) == origin(b))
}

/// Resolves `location` in a response from `base`.
fn join(base: &str, location: &str) -> String {
    let (same, rest) = base.split_once("://").unwrap_or(("https", base));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let folder = path.split(['?', '#']).next().and_then(|path| path.rsplit_once('/')).map_or("", |(folder, _)| folder);
    match location {
        _ if scheme(location).is_some() => location.into(),
        _ if location.starts_with("//") => format!("{same}:{location}"),
        _ if location.starts_with('/') => format!("{same}://{authority}{location}"),
        _ => format!("{same}://{authority}{folder}/{location}"),
    }
}

/// Percent-encodes a text; characters in `keep` are kept.
pub(super) fn encode(text: &str, keep: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.as_bytes().contains(&byte);
    text.bytes().map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_joined_and_compared() {
        let base = "https://h.example/a/b?c=/d";
        for (location, expected) in [
            ("http://x/y", "http://x/y"),
            ("//x/y", "https://x/y"),
            ("/y?z", "https://h.example/y?z"),
            ("y", "https://h.example/a/y"),
            ("/login?next=https://x/y", "https://h.example/login?next=https://x/y"),
            ("HTTPS://x/y", "HTTPS://x/y"),
        ] {
            assert_eq!(join(base, location), expected);
        }
        assert_eq!(join("https://h.example", "y"), "https://h.example/y");
        assert_eq!(origin("https://H.example:443/x"), origin("https://h.example"));
        assert_eq!(origin("https://me:pw@h.example/x"), origin("https://h.example?x"));
        for other in [
            "http://h.example",
            "https://h.example:8443",
            "https://h.example.evil",
            "https://evil/h.example",
            "https://h.example@evil",
        ] {
            assert_ne!(origin("https://h.example"), origin(other), "{other}");
        }
        assert_eq!(encode("a b/模.csv", "/"), "a%20b/%E6%A8%A1.csv");
        assert_eq!(encode("refs/pr/1", ""), "refs%2Fpr%2F1");
    }
}
