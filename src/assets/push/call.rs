//! Requests that change something, with the retries that the settings allow.

use std::{io::Read, thread, time::Duration};

use serde_json::Value;

use super::{
    error::{Denied, PushError},
    site::Site,
};
use crate::assets::{
    Endpoint, Listener, Progress, Settings,
    explained::plain,
    failure::Failure,
    http::{Answer, Client, Sent},
};

/// The longest message of a server that is shown, in characters.
const LONGEST: usize = 300;

/// Sends requests about one repository.
pub(super) struct Caller<'a> {
    pub client: Client,
    pub settings: &'a Settings,
    pub site: Site,
    pub listener: Listener,
    /// `OWNER/NAME`.
    pub repo: &'a str,
}

/// An answer that is no success.
pub(super) struct Refusal {
    pub status: u16,
    /// `RepoNotFound`, `RevisionNotFound` …; on ModelScope a number.
    pub code: String,
    pub failure: Failure,
    /// What the hub said, as it may be shown.
    pub said: String,
}

/// Why there is no answer that can be used.
pub(super) enum Denial {
    Status(Refusal),
    Failed(Failure),
}

impl Refusal {
    /// An answer with this status, for what the hub said.
    pub fn new(status: u16, code: &str, said: &str) -> Self {
        let said = plain(said.trim()).chars().take(LONGEST).collect();
        Self { status, code: code.into(), failure: Failure::Status { status, code: None, retry_after: None }, said }
    }
}

impl Denial {
    /// The failure, which says whether to try again.
    pub fn failure(&self) -> &Failure {
        match self {
            Self::Status(refusal) => &refusal.failure,
            Self::Failed(failure) => failure,
        }
    }

    /// Whether what was asked may have been done all the same: the answer is lost, or none that the hub itself gives.
    pub fn is_unclear(&self) -> bool {
        match self {
            Self::Status(refusal) => refusal.status == 408 || refusal.status >= 500,
            Self::Failed(Failure::Offline | Failure::Io { .. }) => false,
            Self::Failed(_) => true,
        }
    }
}

impl<'a> Caller<'a> {
    pub fn new(settings: &'a Settings, site: Site, listener: Listener, repo: &'a str) -> Self {
        Self { client: Client::new(settings), settings, site, listener, repo }
    }

    /// The hub and the token.
    pub fn hub(&self) -> &'a Endpoint {
        self.site.endpoint(self.settings)
    }

    /// The hub, as messages name it.
    pub fn endpoint(&self) -> String {
        self.hub().shown()
    }

    /// A request to one of the hub's own addresses, with the token.
    pub fn own<'b>(&'b self, url: &'b str, sent: Sent<'b>) -> Sent<'b> {
        Sent { url, token: self.hub().token.as_ref(), cookie: self.site.cookie(), ..sent }
    }

    /// Sends what `send` sends until it succeeds, as often as its failure allows. `what` is its subject for the listener.
    pub fn tried<T>(&self, what: &str, mut send: impl FnMut() -> Result<T, Denial>) -> Result<T, Denial> {
        let (mut failed, mut reached) = (0, false);
        loop {
            let denial = match send() {
                Ok(value) => return Ok(value),
                Err(denial) => denial,
            };
            let failure = denial.failure();
            reached |= matches!(failure, Failure::Status { .. });
            failed += 1;
            let Some(wait) = failure.wait(failed, reached, &self.settings.patience) else { return Err(denial) };
            self.wait(what, &failure.brief(), wait);
        }
    }

    /// Waits, and tells the listener why.
    pub fn wait(&self, what: &str, why: &str, wait: Duration) {
        (self.listener)(Progress::Waits { file: what, why, wait: Some(wait) });
        thread::sleep(wait);
    }

    /// Sends a request once. Only answers from 200 to 299 are successes.
    pub fn once(&self, sent: Sent<'_>) -> Result<Answer, Denial> {
        let answer = self.client.send(sent).map_err(Denial::Failed)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        let header = |name: &str| answer.header(name).map(String::from);
        let (status, code, stated) = (answer.status, header("x-error-code"), header("x-error-message"));
        let seconds: Option<u64> = header("retry-after").and_then(|text| text.trim().parse().ok());
        let body = body(answer);
        let said = stated.or_else(|| message(&body)).unwrap_or_default();
        let code = code.or_else(|| code_of(&body)).unwrap_or_default();
        let mut refusal = Refusal::new(status, &code, &said);
        refusal.failure = Failure::Status { status, code: None, retry_after: seconds.map(Duration::from_secs) };
        Err(Denial::Status(refusal))
    }

    /// What is asked of the hub, with its address: without a network nothing else says which server it is.
    pub fn at_hub(&self, what: &str) -> String {
        format!("{what} at {}", self.endpoint())
    }

    /// Asks for JSON, or sends it, with the token; `what` names it in messages.
    pub fn json(&self, what: &'static str, url: &str, body: Option<&Value>) -> Result<Value, Denial> {
        let text = body.map(Value::to_string);
        self.tried(&self.at_hub(what), || {
            let headers = [("content-type", "application/json")];
            let sent = match &text {
                Some(text) => self.own(url, Sent { headers: &headers, ..Sent::post(text.as_bytes()) }),
                None => self.own(url, Sent::get()),
            };
            self.once(sent)?.json().map_err(Denial::Failed)
        })
    }

    /// The text of a file at one of the hub's own addresses; `None` if it cannot be had.
    pub fn text(&self, name: &str, url: &str) -> Option<String> {
        self.tried(name, || self.once(self.own(url, Sent::get()))?.text().map_err(Denial::Failed)).ok()
    }

    /// The error for a request that was denied.
    pub fn explain(&self, what: &'static str, denial: Denial) -> PushError {
        let (endpoint, repo, site) = (self.endpoint(), self.repo.to_owned(), self.site);
        let refusal = match denial {
            Denial::Failed(Failure::Offline) => return PushError::Offline,
            Denial::Failed(Failure::Io { path, error }) => return PushError::Io { path, error },
            Denial::Failed(failure @ (Failure::Network(_) | Failure::Timeout | Failure::Cut { .. })) => {
                return PushError::Unreachable { endpoint, what, cause: plain(&failure.brief()) };
            }
            Denial::Failed(failure) => return PushError::Odd { endpoint, site, what, cause: plain(&failure.brief()) },
            Denial::Status(refusal) => refusal,
        };
        let said = refusal.said;
        match refusal.status {
            300..=399 => PushError::Redirected { endpoint, repo, what },
            412 => PushError::Moved { repo },
            429 => {
                let wait = match refusal.failure {
                    Failure::Status { retry_after, .. } => retry_after,
                    _ => None,
                };
                PushError::TooMany { endpoint, wait }
            }
            status => PushError::Denied(Denied { endpoint, site, repo, what, status, said }),
        }
    }

    /// The error for a branch that is not there, where none can be created.
    pub fn no_branch(&self, branch: &str) -> PushError {
        PushError::NoBranch { endpoint: self.endpoint(), repo: self.repo.into(), branch: branch.into() }
    }

    /// The error for an answer of a server that is no hub.
    pub fn odd(&self, what: &'static str, cause: &str) -> PushError {
        PushError::Odd { endpoint: self.endpoint(), site: self.site, what, cause: cause.into() }
    }
}

/// The JSON in the body of a refusal; null if there is none.
fn body(answer: Answer) -> Value {
    let mut text = String::new();
    match answer.body.into_reader().take(1 << 16).read_to_string(&mut text) {
        Ok(_) => serde_json::from_str(&text).unwrap_or_default(),
        Err(_) => Value::Null,
    }
}

/// The message of a body.
pub(super) fn message(body: &Value) -> Option<String> {
    ["error", "message", "Message"].into_iter().find_map(|key| body[key].as_str()).map(String::from)
}

/// The code of a body, a number or a text.
pub(super) fn code_of(body: &Value) -> Option<String> {
    let code = [&body["Code"], &body["code"]].into_iter().find(|code| !code.is_null())?;
    Some(code.as_str().map_or_else(|| code.to_string(), String::from))
}
