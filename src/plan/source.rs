//! Sources as text: `path:…`, `scratch:…`, `hf:…`, `modelscope:…`, `https:…`.

use std::{fmt, path::PathBuf};

use super::{Repository, Source, WebFile};

impl Source {
    /// The same source with what it was found to be: the revision and the file of a repository, the digest of a file on the
    /// web. It means the same content for ever.
    pub fn pinned(&self, revision: Option<&str>, file: Option<&str>, sha256: Option<&str>) -> Self {
        let at = |repository: &Repository| Repository {
            repo: repository.repo.clone(),
            revision: revision.map(String::from).or_else(|| repository.revision.clone()),
            file: file.map(String::from).or_else(|| repository.file.clone()),
        };
        match self {
            Self::Hub(repository) => Self::Hub(at(repository)),
            Self::ModelScope(repository) => Self::ModelScope(at(repository)),
            Self::Web(file) => Self::Web(WebFile {
                url: file.url.clone(),
                sha256: sha256.map(String::from).or_else(|| file.sha256.clone()),
            }),
            Self::Path(_) | Self::Scratch(_) => self.clone(),
        }
    }

    /// As people and locks see it: what follows `?` in an address may hold a secret and is hidden.
    pub fn shown(&self) -> String {
        match self {
            Self::Web(file) => file.shown(),
            other => other.to_string(),
        }
    }

    /// Whether it comes from elsewhere: what it holds may change without anybody here doing anything.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Hub(_) | Self::ModelScope(_) | Self::Web(_))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path:{}", path.display()),
            Self::Scratch(name) => write!(f, "scratch:{name}"),
            Self::Hub(repository) => write!(f, "hf:{repository}"),
            Self::ModelScope(repository) => write!(f, "modelscope:{repository}"),
            Self::Web(file) => write!(f, "{file}"),
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
        let refuse = |why: &str| {
            let forms = "path:…, scratch:…, hf:OWNER/NAME[@REVISION][/FILE], modelscope:OWNER/NAME[@REVISION][/FILE] or https://…";
            format!("`{text}` {why}; expected {forms}")
        };
        let (kind, rest) = text.split_once(':').ok_or_else(|| refuse("is not a source"))?;
        match kind {
            "path" if !rest.is_empty() => Ok(Self::Path(PathBuf::from(rest))),
            "scratch" if !rest.is_empty() => Ok(Self::Scratch(rest.to_string())),
            "hf" => Repository::parse(rest).map(Self::Hub).map_err(refuse),
            "modelscope" => Repository::parse(rest).map(Self::ModelScope).map_err(refuse),
            "https" | "http" => WebFile::parse(&text).map(Self::Web).map_err(refuse),
            _ => Err(refuse("is not a source")),
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
            "modelscope:dienstag/rbt3@master",
            "https://a.example/x.csv",
        ] {
            let source = Source::try_from(text.to_string()).unwrap();
            assert_eq!(source.to_string(), text);
        }
    }

    #[test]
    fn half_sources_are_refused_with_what_is_expected() {
        for text in
            ["", "rbt3", "path:", "scratch:", "hf:rbt3", "hf:/rbt3", "hf:hfl/", "hf:a/b@", "modelscope:x", "ftp:x"]
        {
            let error = Source::try_from(text.to_string()).unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains("hf:OWNER/NAME"), "{error}");
        }
    }

    #[test]
    fn what_was_found_is_put_in_the_place_of_what_was_asked() {
        let pinned = |text: &str| {
            let source = Source::try_from(text.to_string()).unwrap();
            source.pinned(Some("c0ffee"), Some("x.csv"), Some(&"a".repeat(64))).to_string()
        };
        assert_eq!(pinned("hf:a/b@main"), "hf:a/b@c0ffee/x.csv");
        assert_eq!(pinned("modelscope:a/b"), "modelscope:a/b@c0ffee/x.csv");
        assert_eq!(pinned("https://a.example/x.csv"), format!("https://a.example/x.csv#sha256={}", "a".repeat(64)));
        assert_eq!(pinned("path:x"), "path:x");
    }
}
