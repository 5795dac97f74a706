//! The plan room: from a spec to runs as meant.

mod config;

use std::path::PathBuf;

pub use config::*;

impl From<Source> for String {
    fn from(source: Source) -> Self {
        match source {
            Source::Path(path) => format!("path:{}", path.display()),
            Source::Scratch(name) => format!("scratch:{name}"),
            Source::Hub { repo, revision: None } => format!("hf:{repo}"),
            Source::Hub { repo, revision: Some(revision) } => format!("hf:{repo}@{revision}"),
        }
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("path", path)) if !path.is_empty() => Ok(Self::Path(PathBuf::from(path))),
            Some(("scratch", name)) if !name.is_empty() => Ok(Self::Scratch(name.to_string())),
            Some(("hf", repo)) if repo.contains('/') => Ok(match repo.split_once('@') {
                Some((repo, revision)) => Self::Hub { repo: repo.into(), revision: Some(revision.into()) },
                None => Self::Hub { repo: repo.into(), revision: None },
            }),
            Some(("modelscope", _)) => Err("`modelscope:` sources are not built yet; use `hf:` or `path:`".into()),
            _ => Err(format!("`{text}` is no source; expected path:…, scratch:… or hf:OWNER/NAME")),
        }
    }
}
