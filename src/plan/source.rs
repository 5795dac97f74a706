//! Sources as text: `path:…`, `scratch:…`, `hf:OWNER/NAME` and `hf:OWNER/NAME@REVISION`.

use std::{fmt, path::PathBuf};

use super::Source;

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path:{}", path.display()),
            Self::Scratch(name) => write!(f, "scratch:{name}"),
            Self::Hub { repo, revision: None } => write!(f, "hf:{repo}"),
            Self::Hub { repo, revision: Some(revision) } => write!(f, "hf:{repo}@{revision}"),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let no_source = || format!("`{text}` is no source; expected path:…, scratch:… or hf:OWNER/NAME[@REVISION]");
        let (kind, rest) = text.split_once(':').ok_or_else(no_source)?;
        match kind {
            "path" if !rest.is_empty() => Ok(Self::Path(PathBuf::from(rest))),
            "scratch" if !rest.is_empty() => Ok(Self::Scratch(rest.to_string())),
            "hf" => {
                let (repo, revision) = match rest.split_once('@') {
                    Some((repo, revision)) => (repo, Some(revision)),
                    None => (rest, None),
                };
                let parts: Vec<&str> = repo.split('/').collect();
                if parts.len() != 2 || parts.iter().any(|part| part.is_empty()) || revision == Some("") {
                    return Err(no_source());
                }
                Ok(Self::Hub { repo: repo.to_string(), revision: revision.map(String::from) })
            }
            "modelscope" => Err("`modelscope:` sources are not built yet; use `hf:` or `path:`".into()),
            _ => Err(no_source()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_their_text() {
        for text in [
            "path:a b/模型",
            "path:C:\\m",
            "scratch:tiny",
            "scratch:a/rbt3/",
            "scratch:my.json",
            "hf:hfl/rbt3",
            "hf:hfl/rbt3@v1/x",
        ] {
            let source = Source::try_from(text.to_string()).unwrap();
            assert_eq!(source.to_string(), text);
        }
        let hub = Source::try_from("hf:hfl/rbt3@main".to_string()).unwrap();
        assert_eq!(hub, Source::Hub { repo: "hfl/rbt3".into(), revision: Some("main".into()) });
    }

    #[test]
    fn half_sources_are_refused_with_what_is_expected() {
        for text in ["", "rbt3", "path:", "scratch:", "hf:rbt3", "hf:/rbt3", "hf:hfl/", "hf:a/b/c", "hf:a/b@", "ftp:x"]
        {
            let error = Source::try_from(text.to_string()).unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains("hf:OWNER/NAME"), "{error}");
        }
        assert!(Source::try_from("modelscope:a/b".to_string()).unwrap_err().contains("not built yet"));
    }
}
