//! Explains failures of a server to users.

use std::path::Path;

use super::{AssetError, failure::Failure, server::Server};

impl Server {
    /// The error for a failure. `file` is the requested file, if any; `cached` says whether there is a copy.
    pub(super) fn explain(&self, failure: Failure, file: Option<&str>, cached: bool, cache: &Path) -> AssetError {
        let (server, name) = (Box::new(self.clone()), file.map(plain));
        match failure {
            Failure::Status { status: 404, .. } => AssetError::NotFound { server, file: name },
            Failure::Status { status: status @ (401 | 403), code, .. } => {
                let gated = code.is_some_and(|code| code == "GatedRepo");
                AssetError::Denied { server, status, gated }
            }
            Failure::Status { status, retry_after: Some(wait), .. } => {
                let cause = format!(
                    "it answered with status {status} and asked to wait {} seconds before trying again",
                    wait.as_secs()
                );
                AssetError::Server { server, file: name, cause }
            }
            Failure::Status { status, .. } => {
                AssetError::Server { server, file: name, cause: format!("it answered with status {status}") }
            }
            failure @ (Failure::Network(_) | Failure::Timeout | Failure::Cut { .. }) => {
                AssetError::Unreachable { server, cause: plain(&failure.brief()), cached }
            }
            Failure::WebPage => AssetError::WebPage { server },
            // It may contain text from the server.
            Failure::Odd(cause) => AssetError::Server { server, file: name, cause: plain(&cause) },
            failure @ Failure::TooLarge { .. } => {
                let cause = format!("{}, the limit for one file (TAPER_MAX_DOWNLOAD, in bytes)", failure.brief());
                AssetError::Server { server, file: name, cause }
            }
            Failure::Differs { stated, found } => {
                AssetError::Mismatch { server, file: name.unwrap_or_else(|| "the file".into()), stated, found }
            }
            Failure::Io { path, error } if error.kind() == std::io::ErrorKind::StorageFull => {
                AssetError::DiskFull { path, variable: self.kind.cache_variable() }
            }
            Failure::Io { path, error } => AssetError::Io { path, error },
            Failure::Offline | Failure::GivenUp => {
                AssetError::NotCached { source_: self.source.clone(), cache: cache.into() }
            }
        }
    }
}

/// A server's text without control characters.
pub(super) fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{super::server::Kind, *};

    fn explained(failure: Failure) -> String {
        let server = Server { kind: Kind::Hub, endpoint: "https://h".into(), source: "hf:a/b".into(), token: false };
        server.explain(failure, Some("x\u{1b}[2J.csv"), false, Path::new("/cache")).to_string()
    }

    #[test]
    fn a_full_disk_and_a_file_that_is_too_large_are_named() {
        let full = Failure::Io { path: "/cache/x".into(), error: io::ErrorKind::StorageFull.into() };
        let text = explained(full);
        assert!(text.contains("the disk is full") && text.contains("HF_HOME"), "{text}");
        let text = explained(Failure::TooLarge { most: 64 << 30 });
        assert!(text.contains("larger than 64.0 GiB") && text.contains("TAPER_MAX_DOWNLOAD"), "{text}");
    }

    #[test]
    fn a_servers_text_does_not_control_the_terminal() {
        for words in ["it says 500: \u{1b}]0;x\u{7}", "\u{9b}31m", "a\u{202e}b", "one\ntwo"] {
            let text = explained(Failure::Odd(words.into()));
            assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}') && text.contains("\\u{"), "{text:?}");
        }
        assert!(explained(Failure::Odd("找不到".into())).contains("找不到"));
    }
}
