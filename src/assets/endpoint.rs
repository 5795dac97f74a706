//! The address of a server, and its token.

use std::fmt;

/// A secret that no message, log or debug output contains.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token, without surrounding white space.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.into()))
    }

    /// The secret, for the header that carries it.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// A server, with the token that it is sent.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Without a slash at the end.
    pub url: String,
    /// Sent only to this server.
    pub token: Option<Token>,
}

impl Endpoint {
    pub(super) fn new(url: &str, token: Option<String>) -> Self {
        let url = url.trim_end_matches('/');
        let url = if url.contains("://") { url.to_string() } else { format!("https://{url}") };
        Self { url, token: token.as_deref().and_then(Token::new) }
    }

    /// The address without user name and password.
    pub fn shown(&self) -> String {
        match (self.url.split_once("://"), self.url.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => self.url.clone(),
        }
    }
}
