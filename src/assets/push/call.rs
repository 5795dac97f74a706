//! Requests that change something, with the retries that the settings allow.

use std::{io::Read, thread};

use serde_json::Value;

use super::error::PushError;
use crate::assets::{
    Listener, Progress, Settings,
    failure::Failure,
    http::{Answer, Client, Sent},
    origin::plain,
};

/// The longest message of a server that is shown, in characters.
const LONGEST: usize = 300;

/// Sends requests about one repository.
pub(super) struct Caller<'a> {
    pub client: Client,
    pub settings: &'a Settings,
    pub listener: Listener,
    /// `OWNER/NAME`.
    pub repo: &'a str,
}

/// An answer that is no success.
pub(super) struct Refusal {
    pub status: u16,
    /// `RepoNotFound`, `RevisionNotFound` …
    pub code: String,
    failure: Failure,
    said: String,
}

/// Why there is no answer that can be used.
pub(super) enum Denial {
    Status(Refusal),
    Failed(Failure),
}

impl<'a> Caller<'a> {
    pub fn new(settings: &'a Settings, listener: Listener, repo: &'a str) -> Self {
        Self { client: Client::new(settings), settings, listener, repo }
    }

    /// The hub, as messages name it.
    pub fn endpoint(&self) -> String {
        self.settings.hub.shown()
    }

    /// Sends what `send` sends until it succeeds, as often as its failure allows. `what` is its subject for the listener.
    pub fn tried<T>(&self, what: &str, mut send: impl FnMut() -> Result<T, Denial>) -> Result<T, Denial> {
        let (mut failed, mut reached) = (0, false);
        loop {
            let denial = match send() {
                Ok(value) => return Ok(value),
                Err(denial) => denial,
            };
            let failure = match &denial {
                Denial::Status(refusal) => &refusal.failure,
                Denial::Failed(failure) => failure,
            };
            reached |= matches!(failure, Failure::Status { .. });
            failed += 1;
            let Some(wait) = failure.wait(failed, reached, &self.settings.patience) else { return Err(denial) };
            (self.listener)(Progress::Waits { file: what, why: &failure.brief(), wait: Some(wait) });
            thread::sleep(wait);
        }
    }

    /// Sends a request once. Only answers from 200 to 299 are successes.
    pub fn once(&self, sent: Sent<'_>) -> Result<Answer, Denial> {
        let answer = self.client.send(sent).map_err(Denial::Failed)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let header = |name: &str| answer.header(name).map(String::from);
        let (status, code) = (answer.status, header("x-error-code").unwrap_or_default());
        let seconds: Option<u64> = header("retry-after").and_then(|text| text.trim().parse().ok());
        let failure = Failure::Status { status, code: None, retry_after: seconds.map(std::time::Duration::from_secs) };
        let stated = header("x-error-message");
        let said = stated.or_else(|| message(answer)).unwrap_or_default();
        let said = plain(said.trim()).chars().take(LONGEST).collect();
        Err(Denial::Status(Refusal { status, code, failure, said }))
    }

    /// Asks for JSON, or sends it, with the token; `what` names it in messages.
    pub fn json(&self, what: &'static str, url: &str, body: Option<&Value>) -> Result<Value, Denial> {
        let text = body.map(Value::to_string);
        self.tried(what, || {
            let headers = [("content-type", "application/json")];
            let token = self.settings.hub.token.as_ref();
            let sent = match &text {
                Some(text) => Sent { url, token, headers: &headers, ..Sent::post(text.as_bytes()) },
                None => Sent { url, token, ..Sent::get() },
            };
            self.once(sent)?.json().map_err(Denial::Failed)
        })
    }

    /// The error for a request that was denied.
    pub fn explain(&self, what: &'static str, denial: Denial) -> PushError {
        let (endpoint, repo) = (self.endpoint(), self.repo.to_owned());
        let refusal = match denial {
            Denial::Failed(Failure::Offline) => return PushError::Offline,
            Denial::Failed(Failure::Io { path, error }) => return PushError::Io { path, error },
            Denial::Failed(failure @ (Failure::Network(_) | Failure::Timeout | Failure::Cut { .. })) => {
                return PushError::Unreachable { endpoint, what, cause: plain(&failure.brief()) };
            }
            Denial::Failed(failure) => return PushError::Odd { endpoint, what, cause: plain(&failure.brief()) },
            Denial::Status(refusal) => refusal,
        };
        let said = refusal.said;
        match refusal.status {
            300..=399 => PushError::Redirected { endpoint, repo, what },
            401 => PushError::BadToken { endpoint, repo, what, said },
            403 => PushError::Forbidden { endpoint, repo, what, said },
            404 => PushError::NotFound { endpoint, repo, what, said },
            409 => PushError::Conflict { endpoint, repo, what, said },
            412 => PushError::Moved { repo },
            429 => {
                let wait = match refusal.failure {
                    Failure::Status { retry_after, .. } => retry_after,
                    _ => None,
                };
                PushError::TooMany { endpoint, wait }
            }
            status => PushError::Status { endpoint, repo, what, status, said },
        }
    }
}

/// The message in the body of an answer, which the hub writes as JSON.
fn message(answer: Answer) -> Option<String> {
    let mut text = String::new();
    answer.body.into_reader().take(1 << 16).read_to_string(&mut text).ok()?;
    let value: Value = serde_json::from_str(&text).ok()?;
    let said = [&value["error"], &value["message"]].into_iter().find_map(Value::as_str);
    said.map(String::from)
}
