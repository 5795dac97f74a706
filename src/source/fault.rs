//! Why a text is not a source.

use std::fmt;

/// Why a text is not a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It does not begin with a scheme.
    NoScheme,
    /// It begins with an unknown scheme.
    UnknownScheme,
    /// Only `path:`.
    NoPath,
    /// What follows `scratch:` is not a preset, a `.json` file or a folder.
    UnknownModel(String),
    /// A malformed repository or address: what is wrong with it.
    Malformed(&'static str),
}

impl fmt::Display for Fault {
    /// The message, to be appended to the text or its key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoScheme => f.write_str("has no scheme"),
            Self::UnknownScheme => f.write_str("has an unknown scheme"),
            Self::NoPath => f.write_str("has no path"),
            Self::UnknownModel(name) => write!(f, "is not a known model: `{name}`"),
            Self::Malformed(why) => f.write_str(why),
        }
    }
}

/// A text that is not a source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` {fault}; expected path:…, scratch:…, hf:OWNER/NAME[@REVISION][/FILE], modelscope:OWNER/NAME[@REVISION][/FILE] \
     or https://…"
)]
pub struct SourceError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub fault: Fault,
}
