//! The hubs that take uploads, and what is named differently on each.

use crate::assets::{Endpoint, Settings};

/// A hub that takes uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Site {
    /// The Hugging Face Hub.
    HuggingFace,
    /// ModelScope.
    ModelScope,
}

impl Site {
    /// Its address and token.
    pub fn endpoint(self, settings: &Settings) -> &Endpoint {
        match self {
            Self::HuggingFace => &settings.hub,
            Self::ModelScope => &settings.modelscope,
        }
    }

    /// The branch that a new repository has.
    pub fn default_branch(self) -> &'static str {
        match self {
            Self::HuggingFace => "main",
            Self::ModelScope => "master",
        }
    }

    /// Whether it has an endpoint that creates branches.
    pub(super) fn creates_branches(self) -> bool {
        self == Self::HuggingFace
    }

    /// Whether it always says if a repository is private.
    pub(super) fn says_what_is_private(self) -> bool {
        self == Self::HuggingFace
    }

    /// The page of a repository.
    pub(super) fn page(self, settings: &Settings, repo: &str) -> String {
        let hub = self.endpoint(settings).shown();
        match self {
            Self::HuggingFace => format!("{hub}/{repo}"),
            Self::ModelScope => format!("{hub}/models/{repo}"),
        }
    }

    /// The cookie that carries the token besides the header, where the hub wants both.
    pub(super) fn cookie(self) -> Option<&'static str> {
        match self {
            Self::HuggingFace => None,
            Self::ModelScope => Some("m_session_id"),
        }
    }

    /// Where the token is read.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::HuggingFace => "HF_TOKEN (else the file `token` in HF_HOME)",
            Self::ModelScope => "MODELSCOPE_API_TOKEN",
        }
    }

    /// How to give a token.
    pub(super) fn how_to_give_a_token(self) -> &'static str {
        match self {
            Self::HuggingFace => "put one in HF_TOKEN, or run `hf auth login`",
            Self::ModelScope => "put one in MODELSCOPE_API_TOKEN",
        }
    }

    /// The variable with its address.
    pub(super) fn variable(self) -> &'static str {
        match self {
            Self::HuggingFace => "HF_ENDPOINT",
            Self::ModelScope => "MODELSCOPE_ENDPOINT",
        }
    }
}
