//! Schemes of sources.

/// The scheme of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// `path:`
    Path,
    /// `scratch:`
    Scratch,
    /// `hf:`
    Hub,
    /// `modelscope:`
    ModelScope,
    /// `https:`, or `http:` with a digest.
    Web,
}

impl Scheme {
    /// Its name, without the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Scratch => "scratch",
            Self::Hub => "hf",
            Self::ModelScope => "modelscope",
            Self::Web => "https",
        }
    }

    /// The scheme of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "path" => Some(Self::Path),
            "scratch" => Some(Self::Scratch),
            "hf" => Some(Self::Hub),
            "modelscope" => Some(Self::ModelScope),
            "https" | "http" => Some(Self::Web),
            _ => None,
        }
    }
}
