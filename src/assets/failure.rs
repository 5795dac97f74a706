//! Failures of requests and downloads, and whether to retry.

use std::{io, path::PathBuf, time::Duration};

use super::settings::Patience;

/// Why a request or download failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refuses the request or fails.
    Status { status: u16, code: Option<String>, retry_after: Option<Duration> },
    /// There is no connection, or it broke.
    Network(String),
    /// Nothing was received for too long.
    Timeout,
    /// The response ended before the file was complete.
    Cut { done: u64, total: u64 },
    /// A web page instead of a file or JSON.
    WebPage,
    /// An invalid response.
    Odd(String),
    /// The content is not as expected; both sides in words.
    Differs { stated: String, found: String },
    /// The file is larger than allowed.
    TooLarge { most: u64 },
    /// A local file could not be read or written.
    Io { path: PathBuf, error: io::Error },
    /// Connections are not allowed.
    Offline,
    /// A parallel download failed.
    GivenUp,
}

impl Failure {
    /// A short description.
    pub fn brief(&self) -> String {
        match self {
            Self::Status { status, .. } => format!("status {status}"),
            Self::Network(why) => why.clone(),
            Self::Timeout => "no data arrived for too long".into(),
            Self::Cut { done, total } => {
                format!("the connection broke after {done} of {total} bytes; the next attempt continues from there")
            }
            Self::WebPage => "it answered with a web page".into(),
            Self::Odd(why) => why.clone(),
            Self::Differs { stated, found } => format!("it should be {stated}, but is {found}"),
            Self::TooLarge { most } => format!("the file is larger than {}", crate::format::bytes(*most)),
            Self::Io { path, error } => format!("{}: {}", path.display(), crate::format::io(error)),
            Self::Offline => "offline".into(),
            Self::GivenUp => "given up".into(),
        }
    }

    /// How long to wait before the next attempt after `failed` attempts in a row; `None` if a retry is useless. `reached`: the server has
    /// answered before; if not, there is probably no network.
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
    fn waits_double_up_to_a_limit() {
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
