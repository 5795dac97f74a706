//! Checks whether a server answers, and how fast, for `taper doctor`.

use std::time::{Duration, Instant};

use super::{
    Settings,
    endpoint::Endpoint,
    failure::Failure,
    http::{Client, Request},
};

/// The result of the check.
#[derive(Debug, Clone, PartialEq)]
pub enum Answering {
    /// It answers, after this time.
    Yes(Duration),
    /// It does not answer, or not as it should; why.
    No(String),
    /// Connections are not allowed.
    Offline,
}

/// Requests one small page from a server. The token is not sent.
pub fn probe(settings: &Settings, endpoint: &Endpoint, path: &str) -> Answering {
    let start = Instant::now();
    let url = format!("{}{path}", endpoint.url);
    match Client::new(settings).ask(Request { url: &url, no_page: true, ..Request::default() }) {
        // Any response of its own shows that it is reachable.
        Ok(_) | Err(Failure::Status { status: 400..=499, .. }) => Answering::Yes(start.elapsed()),
        Err(Failure::Offline) => Answering::Offline,
        Err(failure) => Answering::No(failure.brief()),
    }
}
