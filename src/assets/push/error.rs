//! Why a push failed, and what to do about it.

use std::{fmt, io, path::PathBuf, time::Duration};

use super::site::Site;

/// Why a push failed. No message contains a token, nor an address of the store, which can be a secret.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// Connections are not allowed.
    #[error("a push needs the network, which --offline or HF_HUB_OFFLINE forbids: run it without them")]
    Offline,
    /// There is no token.
    #[error(
        "a push to {endpoint} needs a token with write access: {}; --dry-run works without one", .site.how_to_give_a_token()
    )]
    NoToken {
        /// The hub.
        endpoint: String,
        /// Which it is.
        site: Site,
    },
    /// Another answer than success.
    #[error("{0}")]
    Denied(Denied),
    /// The branch has another commit by now.
    #[error(
        "somebody else has committed to {repo} during this push: this push made no further commit; look at their commit, then run the same command \
         again, which sends only what is missing"
    )]
    Moved {
        /// The repository.
        repo: String,
    },
    /// Too many requests.
    #[error(
        "{endpoint} received too many requests (429){}: run the same command again later, which sends only what is missing",
        .wait.map(|wait| format!(" and asks to wait {} seconds", wait.as_secs())).unwrap_or_default()
    )]
    TooMany {
        /// The hub.
        endpoint: String,
        /// How long it asks to wait.
        wait: Option<Duration>,
    },
    /// It sends elsewhere.
    #[error("{endpoint} redirects {what} of {repo}: the repository was probably renamed; use its new name")]
    Redirected {
        /// The hub.
        endpoint: String,
        /// The repository.
        repo: String,
        /// What was asked.
        what: &'static str,
    },
    /// The connection does not work.
    #[error(
        "{endpoint} cannot be reached for {what} ({cause}): check the network and the proxy (HTTPS_PROXY), then run the same command again, \
         which sends only what is missing"
    )]
    Unreachable {
        /// The server.
        endpoint: String,
        /// What was asked.
        what: &'static str,
        /// Why.
        cause: String,
    },
    /// An answer that is none of a hub.
    #[error("{endpoint} does not answer as a hub does for {what}: {cause}; check {}", .site.variable())]
    Odd {
        /// The server.
        endpoint: String,
        /// Which hub it should be.
        site: Site,
        /// What was asked.
        what: &'static str,
        /// What is wrong.
        cause: String,
    },
    /// The branch is not there, and the hub has no endpoint that creates one.
    #[error(
        "{repo} has no branch {branch} on {endpoint}, and taper cannot create one there: create it on the page of the repository or with git, \
         or leave out --revision"
    )]
    NoBranch {
        /// The hub.
        endpoint: String,
        /// The repository.
        repo: String,
        /// The branch.
        branch: String,
    },
    /// The repository is public, or not known to be private.
    #[error(
        "--private was given, but {repo} is public, or the hub does not say that it is private: nothing was sent; make it private in its \
         settings on the hub, choose another name, or leave out --private"
    )]
    Public {
        /// The repository.
        repo: String,
    },
    /// A file cannot be stored.
    #[error("{endpoint} does not store {file} of {repo}: {cause}")]
    Refused {
        /// The hub.
        endpoint: String,
        /// The repository.
        repo: String,
        /// The file.
        file: String,
        /// What the hub said.
        cause: String,
    },
    /// A file cannot be read.
    #[error("{}: {}", .path.display(), crate::format::io(.error))]
    Io {
        /// The file.
        path: PathBuf,
        /// Why. Not a `source`: the message already contains it.
        error: io::Error,
    },
}

/// A request that a hub answered with a status other than success.
#[derive(Debug)]
pub struct Denied {
    /// The hub.
    pub endpoint: String,
    /// Which it is.
    pub site: Site,
    /// The repository.
    pub repo: String,
    /// What was asked.
    pub what: &'static str,
    /// The status.
    pub status: u16,
    /// What the hub said.
    pub said: String,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, site, repo, what, status, .. } = self;
        let answer = format!("({status}{})", words_of(&self.said));
        match status {
            401 => write!(
                f,
                "{endpoint} does not accept the token in {} for {what} {answer}: create a token with write access to {repo}",
                site.token()
            ),
            403 => write!(
                f,
                "{endpoint} refuses {what} of {repo} with this token {answer}: use a token with write access to it, check that {} is your \
                 name or that of an organisation that you may write to",
                repo.split('/').next().unwrap_or_default()
            ),
            404 => write!(
                f,
                "{endpoint} has nothing for {what} of {repo} {answer}: check the name, that the token gives access to it, and that {} is \
                 a hub that takes uploads (mirrors often do not)",
                site.variable()
            ),
            409 => write!(
                f,
                "{endpoint} reports a conflict for {what} of {repo} {answer}: another program changes it; run the same command again"
            ),
            500.. => write!(
                f,
                "{endpoint} did not accept {what} of {repo} {answer}: run the same command again later, which sends only what is missing"
            ),
            _ => write!(f, "{endpoint} did not accept {what} of {repo} {answer}"),
        }
    }
}

/// What the hub said, after a status.
fn words_of(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}
