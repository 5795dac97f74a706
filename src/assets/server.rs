//! Servers, and what messages say about them.

use super::endpoint::Endpoint;

/// The kind of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The Hugging Face Hub or a mirror.
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

    /// Alternatives to this server.
    pub(super) fn elsewhere(self) -> &'static str {
        match self {
            Self::Hub => "name a mirror in HF_ENDPOINT (such as https://hf-mirror.com), use modelscope:",
            Self::ModelScope => "name another address in MODELSCOPE_ENDPOINT, use hf:",
            Self::Web => "use another address",
        }
    }

    /// What else it may be if it does not answer like such a server.
    pub(super) fn no_server(self) -> &'static str {
        match self {
            Self::Hub => "HF_ENDPOINT is not the address of a hub",
            Self::ModelScope => "MODELSCOPE_ENDPOINT is not the address of ModelScope",
            Self::Web => "the address leads to a page about the file, not to the file itself",
        }
    }

    /// The variable that sets the folder of downloads.
    pub(super) fn cache_variable(self) -> &'static str {
        match self {
            Self::Hub => "HF_HOME",
            Self::ModelScope => "MODELSCOPE_CACHE",
            Self::Web => "TAPER_CACHE",
        }
    }
}

/// A server and the requested source, as messages show them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// The kind of server.
    pub kind: Kind,
    /// Its address, without a user name and password.
    pub endpoint: String,
    /// The source, as the user wrote it.
    pub source: String,
    /// Whether a token is sent to it.
    pub token: bool,
}

impl Server {
    pub(super) fn new(kind: Kind, endpoint: &Endpoint, source: String) -> Self {
        Self { kind, endpoint: endpoint.shown(), source, token: endpoint.token.is_some() }
    }

    pub(super) fn denied(&self, status: u16, gated: bool) -> String {
        let variable = match self.kind {
            Kind::Hub => "HF_TOKEN",
            Kind::ModelScope => "MODELSCOPE_API_TOKEN",
            Kind::Web => {
                return "it requires a login, which taper does not support: download the file and use path:".into();
            }
        };
        let file = if self.kind == Kind::Hub { " (else the file `token` in HF_HOME)" } else { "" };
        let login = if self.kind == Kind::Hub { ", or run `hf auth login`" } else { "" };
        let web = format!("{}/{}", self.endpoint, self.source.split_once(':').map_or("", |(_, name)| name));
        match (gated, status, self.token) {
            (true, _, true) => format!(
                "it is gated: accept its terms in a browser ({web}) with the account that the token in {variable} \
                 belongs to"
            ),
            (true, _, false) => format!(
                "it is gated: accept its terms in a browser ({web}), create a token there and put it in \
                 {variable}{login}"
            ),
            (false, 403, true) => format!(
                "the token in {variable}{file} does not give access to it: accept its terms in a browser ({web}), or \
                 use another token"
            ),
            (false, _, true) => {
                format!(
                    "its name is wrong, or the token in {variable}{file} is not valid or does not give access to it"
                )
            }
            (false, _, false) => {
                format!(
                    "its name is wrong, or it is private or gated: put a token that gives access to it in \
                     {variable}{login}"
                )
            }
        }
    }
}
