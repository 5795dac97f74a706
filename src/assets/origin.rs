//! Who is asked for what, and what a failure there means for people.

use std::path::Path;

use super::{AssetError, failure::Failure, settings::Endpoint};

/// What kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The Hugging Face hub or a mirror.
    Hub,
    /// ModelScope.
    ModelScope,
    /// Any other.
    Web,
}

impl Kind {
    pub(super) fn also(self) -> &'static str {
        match self {
            Self::Hub | Self::ModelScope => " and revision",
            Self::Web => "",
        }
    }

    /// Where else to get it.
    pub(super) fn elsewhere(self) -> &'static str {
        match self {
            Self::Hub => "name a mirror in HF_ENDPOINT (such as https://hf-mirror.com), use modelscope:",
            Self::ModelScope => "name another address in MODELSCOPE_ENDPOINT, use hf:",
            Self::Web => "use another address",
        }
    }

    /// What it may be other than such a server.
    pub(super) fn no_server(self) -> &'static str {
        match self {
            Self::Hub => "HF_ENDPOINT names no hub",
            Self::ModelScope => "MODELSCOPE_ENDPOINT does not name ModelScope",
            Self::Web => "the address is that of a page about the file",
        }
    }

    /// What says where downloads are kept.
    pub(super) fn cache_variable(self) -> &'static str {
        match self {
            Self::Hub => "HF_HOME",
            Self::ModelScope => "MODELSCOPE_CACHE",
            Self::Web => "TAPER_CACHE",
        }
    }
}

/// A server and what it is asked for, as messages show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// What kind of server it is.
    pub kind: Kind,
    /// Its address, without a user name and password.
    pub endpoint: String,
    /// The source, as the user wrote it.
    pub place: String,
    /// Whether it is told who asks.
    pub token: bool,
}

impl Server {
    pub(super) fn new(kind: Kind, endpoint: &Endpoint, place: String) -> Self {
        Self { kind, endpoint: endpoint.shown(), place, token: endpoint.token.is_some() }
    }

    pub(super) fn denied(&self, status: u16, gated: bool) -> String {
        let variable = match self.kind {
            Kind::Hub => "HF_TOKEN",
            Kind::ModelScope => "MODELSCOPE_API_TOKEN",
            Kind::Web => return "it wants a login, which taper cannot give it: download the file and use path:".into(),
        };
        let file = if self.kind == Kind::Hub { " (else the file `token` in HF_HOME)" } else { "" };
        let login = if self.kind == Kind::Hub { ", or run `hf auth login`" } else { "" };
        let web = format!("{}/{}", self.endpoint, self.place.split_once(':').map_or("", |(_, name)| name));
        match (gated, status, self.token) {
            (true, _, true) => format!(
                "it is gated: accept its terms in a browser ({web}) with the account of the token in {variable}"
            ),
            (true, _, false) => format!(
                "it is gated: accept its terms in a browser ({web}), make a token there and put it in {variable}{login}"
            ),
            (false, 403, true) => format!(
                "the token in {variable}{file} may not read it: accept its terms in a browser ({web}), or use a token that may"
            ),
            (false, _, true) => {
                format!("its name is wrong, or the token in {variable}{file} is not valid or may not read it")
            }
            (false, _, false) => {
                format!(
                    "its name is wrong, or it is private or gated: put a token that may read it in {variable}{login}"
                )
            }
        }
    }

    /// What a failure means. `file` is what was asked for where it was one; `cached` says whether there is a copy.
    pub(super) fn explain(&self, failure: Failure, file: Option<&str>, cached: bool, cache: &Path) -> AssetError {
        let (server, name) = (Box::new(self.clone()), file.map(plain));
        match failure {
            Failure::Status { status: 404, .. } => AssetError::NotFound { server, file: name },
            Failure::Status { status: status @ (401 | 403), code, .. } => {
                let gated = code.is_some_and(|code| code == "GatedRepo");
                AssetError::Denied { server, status, gated }
            }
            Failure::Status { status, retry_after: Some(wait), .. } => {
                let cause = format!("status {status}, and it wants to be asked again in {} seconds", wait.as_secs());
                AssetError::Server { server, file: name, cause }
            }
            Failure::Status { status, .. } => {
                AssetError::Server { server, file: name, cause: format!("it answers with status {status}") }
            }
            failure @ (Failure::Network(_) | Failure::Timeout | Failure::Cut { .. }) => {
                AssetError::Unreachable { server, cause: plain(&failure.brief()), cached }
            }
            Failure::WebPage => AssetError::WebPage { server },
            // It may hold what the server wrote.
            Failure::Odd(cause) => AssetError::Server { server, file: name, cause: plain(&cause) },
            failure @ Failure::TooLarge { .. } => {
                let cause =
                    format!("{}, the most that is downloaded of one (TAPER_MAX_DOWNLOAD, in bytes)", failure.brief());
                AssetError::Server { server, file: name, cause }
            }
            Failure::Differs { stated, found } => {
                AssetError::Mismatch { server, file: name.unwrap_or_else(|| "the file".into()), stated, found }
            }
            Failure::Io { path, error } if error.kind() == std::io::ErrorKind::StorageFull => {
                AssetError::DiskFull { path, variable: self.kind.cache_variable() }
            }
            Failure::Io { path, error } => AssetError::Io { path, source: error },
            Failure::Offline | Failure::GivenUp => {
                AssetError::NotCached { place: self.place.clone(), cache: cache.into() }
            }
        }
    }
}

/// A server's words without what would steer a terminal.
pub(super) fn plain(text: &str) -> String {
    let steers = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if steers(c) { c.escape_unicode().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn explained(failure: Failure) -> String {
        let server = Server { kind: Kind::Hub, endpoint: "https://h".into(), place: "hf:a/b".into(), token: false };
        server.explain(failure, Some("x\u{1b}[2J.csv"), false, Path::new("/cache")).to_string()
    }

    #[test]
    fn a_full_disk_and_a_file_that_is_too_large_are_named() {
        let full = Failure::Io { path: "/cache/x".into(), error: io::ErrorKind::StorageFull.into() };
        let text = explained(full);
        assert!(text.contains("the disk is full") && text.contains("HF_HOME"), "{text}");
        let text = explained(Failure::TooLarge { most: 64 << 30 });
        assert!(text.contains("more than 64.0 GiB") && text.contains("TAPER_MAX_DOWNLOAD"), "{text}");
    }

    #[test]
    fn a_servers_words_do_not_steer_the_terminal() {
        for words in ["it says 500: \u{1b}]0;x\u{7}", "\u{9b}31m", "a\u{202e}b", "one\ntwo"] {
            let text = explained(Failure::Odd(words.into()));
            assert!(!text.contains(|c: char| c.is_control() || c == '\u{202e}') && text.contains("\\u{"), "{text:?}");
        }
        assert!(explained(Failure::Odd("找不到".into())).contains("找不到"));
    }
}
