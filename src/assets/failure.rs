//! Why a request or a download did not succeed, and whether to try again.

use std::{io, path::PathBuf, time::Duration};

use super::settings::Patience;

/// Why it did not succeed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refuses or fails.
    Status { status: u16, code: Option<String>, retry_after: Option<Duration> },
    /// No connection, or one that broke.
    Network(String),
    /// Nothing came for too long.
    Timeout,
    /// The body ended before the file did.
    Cut { done: u64, total: u64 },
    /// A web page where a file or JSON was asked for.
    WebPage,
    /// Something that no server should do.
    Odd(String),
    /// What came is not what it should be; both sides in words.
    Differs { stated: String, found: String },
    /// The file is larger than one may be.
    TooLarge { most: u64 },
    /// A file here.
    Io { path: PathBuf, error: io::Error },
    /// No connection may be made.
    Offline,
    /// Somebody else's download failed while this one went on.
    GivenUp,
}

impl Failure {
    /// In a few words.
    pub fn brief(&self) -> String {
        match self {
            Self::Status { status, .. } => format!("status {status}"),
            Self::Network(why) => why.clone(),
            Self::Timeout => "nothing came for too long".into(),
            Self::Cut { done, total } => {
                format!("the connection broke after {done} of {total} bytes, where the next attempt continues")
            }
            Self::WebPage => "it answers with a web page".into(),
            Self::Odd(why) => why.clone(),
            Self::Differs { stated, found } => format!("it should be {stated}, but is {found}"),
            Self::TooLarge { most } => format!("the file has more than {}", crate::format::bytes(*most)),
            Self::Io { path, error } => format!("{}: {}", path.display(), crate::format::io(error)),
            Self::Offline => "offline".into(),
            Self::GivenUp => "given up".into(),
        }
    }

    /// How long to wait before trying again after `failed` attempts in a row; none where that is of no use. `reached` says
    /// whether the server has answered before: where it has not, there is likely no network.
    pub fn wait(&self, failed: u32, reached: bool, patience: &Patience) -> Option<Duration> {
        let attempts = match self {
            Self::Status { status: 408 | 425 | 429 | 500 | 502..=599, .. } | Self::Cut { .. } => patience.attempts,
            Self::Network(_) | Self::Timeout if reached => patience.attempts,
            Self::Network(_) | Self::Timeout => patience.attempts.min(2),
            _ => 1,
        };
        if failed >= attempts {
            return None;
        }
        let asked = match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        let doubled = patience.first_wait.saturating_mul(1 << (failed - 1).min(16)).min(Patience::LONGEST);
        match asked {
            Some(asked) if asked > Patience::LONGEST => None,
            asked => Some(doubled.max(asked.unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        attempts: 4,
        first_wait: Duration::from_secs(1),
        connect: Duration::from_secs(1),
        read: Duration::from_secs(1),
    };

    fn status(status: u16, retry_after: Option<u64>) -> Failure {
        Failure::Status { status, code: None, retry_after: retry_after.map(Duration::from_secs) }
    }

    #[test]
    fn waits_double_and_end() {
        let waits = |failure: Failure, reached: bool| -> Vec<u64> {
            (1..9).map_while(|n| failure.wait(n, reached, &PATIENCE)).map(|wait| wait.as_secs()).collect()
        };
        assert_eq!(waits(status(503, None), true), [1, 2, 4]);
        assert_eq!(waits(status(429, Some(3)), true), [3, 3, 4]);
        assert_eq!(waits(status(429, Some(3600)), true), [0; 0]);
        assert_eq!(waits(Failure::Timeout, true), [1, 2, 4]);
        assert_eq!(waits(Failure::Timeout, false), [1]);
        assert_eq!(waits(Failure::Network("x".into()), true), [1, 2, 4]);
        assert_eq!(waits(Failure::Network("x".into()), false), [1]);
        for hopeless in [status(404, None), status(403, None), status(501, None), Failure::WebPage, Failure::Offline] {
            assert_eq!(waits(hopeless, true), [0; 0]);
        }
    }
}
