//! Sources, and their textual form.

use std::{
    fmt,
    path::{Component, Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use super::{
    address::{Repository, WebFile},
    fault::{Fault, SourceError},
    preset::Preset,
    scheme::Scheme,
};

/// Where a model or a dataset comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Source {
    /// A file or folder.
    Path(PathBuf),
    /// A new model.
    Scratch(Scratch),
    /// A repository of the Hugging Face Hub.
    Hub(Repository),
    /// A repository of ModelScope.
    ModelScope(Repository),
    /// A data file on the web.
    Web(WebFile),
}

/// The shape of a new model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scratch {
    /// A built-in shape, with a vocabulary built from the training texts.
    Preset(Preset),
    /// A config.json, with a vocabulary built from the training texts: `FILE.json`.
    Config(PathBuf),
    /// A folder with a config.json and a tokenizer: `DIR/`. The path has no slash at its end.
    Folder(PathBuf),
}

impl Source {
    /// Its scheme.
    pub fn scheme(&self) -> Scheme {
        match self {
            Self::Path(_) => Scheme::Path,
            Self::Scratch(_) => Scheme::Scratch,
            Self::Hub(_) => Scheme::Hub,
            Self::ModelScope(_) => Scheme::ModelScope,
            Self::Web(_) => Scheme::Web,
        }
    }

    /// The repository that it is, or is in.
    pub fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Hub(repository) | Self::ModelScope(repository) => Some(repository),
            Self::Path(_) | Self::Scratch(_) | Self::Web(_) => None,
        }
    }

    /// Whether it is a model with a vocabulary built from the training texts; all others have their own.
    pub fn builds_vocabulary(&self) -> bool {
        matches!(self, Self::Scratch(Scratch::Preset(_) | Scratch::Config(_)))
    }

    /// The local path in it, if any.
    pub fn local_mut(&mut self) -> Option<&mut PathBuf> {
        match self {
            Self::Path(path) | Self::Scratch(Scratch::Config(path) | Scratch::Folder(path)) => Some(path),
            Self::Scratch(Scratch::Preset(_)) | Self::Hub(_) | Self::ModelScope(_) | Self::Web(_) => None,
        }
    }

    /// The same source relative to the current folder, if it was written in `folder`.
    pub fn beside(mut self, folder: &Path) -> Self {
        if let Some(path) = self.local_mut() {
            *path = beside(folder, path);
        }
        self
    }

    /// The same source with its resolved revision and file, or its digest: it always means the same content.
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

    /// As shown to people and stored in locks: what follows `?` in an address may be a secret and is hidden.
    pub fn shown(&self) -> String {
        match self {
            Self::Web(file) => file.shown(),
            other => other.to_string(),
        }
    }

    /// Whether it is remote: its content may change without any local action.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Hub(_) | Self::ModelScope(_) | Self::Web(_))
    }
}

/// `path` relative to the current folder, if it was written in `folder`, without `.` parts.
pub fn beside(folder: &Path, path: &Path) -> PathBuf {
    let joined: PathBuf = folder.join(path).components().filter(|c| !matches!(c, Component::CurDir)).collect();
    if joined.as_os_str().is_empty() { ".".into() } else { joined }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "path:{}", path.display()),
            Self::Scratch(scratch) => write!(f, "scratch:{scratch}"),
            Self::Hub(repository) => write!(f, "hf:{repository}"),
            Self::ModelScope(repository) => write!(f, "modelscope:{repository}"),
            Self::Web(file) => write!(f, "{file}"),
        }
    }
}

impl fmt::Display for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Preset(preset) => f.write_str(preset.name()),
            Self::Config(path) => write!(f, "{}", path.display()),
            // The root has its slash already.
            Self::Folder(path) if path.parent().is_none() && path.has_root() => write!(f, "{}", path.display()),
            Self::Folder(path) => write!(f, "{}/", path.display()),
        }
    }
}

impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let refuse = |fault: Fault| SourceError { text: text.into(), fault };
        let (scheme, rest) = text.split_once(':').ok_or_else(|| refuse(Fault::NoScheme))?;
        let malformed = |why: &'static str| refuse(Fault::Malformed(why));
        match Scheme::named(scheme).ok_or_else(|| refuse(Fault::UnknownScheme))? {
            Scheme::Path if rest.trim().is_empty() => Err(refuse(Fault::NoPath)),
            Scheme::Path => Ok(Self::Path(rest.into())),
            Scheme::Scratch => rest.parse().map(Self::Scratch).map_err(refuse),
            Scheme::Hub => Repository::parse(rest).map(Self::Hub).map_err(malformed),
            Scheme::ModelScope => Repository::parse(rest).map(Self::ModelScope).map_err(malformed),
            Scheme::Web => WebFile::parse(text).map(Self::Web).map_err(malformed),
        }
    }
}

impl FromStr for Scratch {
    type Err = Fault;

    fn from_str(text: &str) -> Result<Self, Fault> {
        const CONFIG: &str = ".json";
        if let Some(preset) = Preset::named(text) {
            return Ok(Self::Preset(preset));
        }
        if text.len() > CONFIG.len() && text.ends_with(CONFIG) {
            return Ok(Self::Config(text.into()));
        }
        // A folder is recognised by its slash: without one it would be the name of a preset.
        match (text.contains('/'), text.trim_end_matches('/')) {
            (false, _) => Err(Fault::UnknownModel(text.into())),
            (true, "") => Ok(Self::Folder("/".into())),
            (true, folder) => Ok(Self::Folder(folder.into())),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = SourceError;

    fn try_from(text: String) -> Result<Self, SourceError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Source {
        text.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    /// Stored configs and run keys hold these texts.
    #[test]
    fn sources_survive_their_text() {
        for text in [
            "path:a b/模型",
            "path:C:\\m",
            "path:/m/",
            "scratch:tiny",
            "scratch:small",
            "scratch:rbt3",
            "scratch:a/rbt3/",
            "scratch:rbt3/",
            "scratch:../a/",
            "scratch:/",
            "scratch:my.json",
            "scratch:a/tiny.json",
            "hf:hfl/rbt3",
            "hf:hfl/rbt3@v1/x",
            "modelscope:dienstag/rbt3@master",
            "https://a.example/x.csv",
        ] {
            let source = parsed(text);
            assert_eq!(source.to_string(), text);
            let json = serde_json::to_string(&source).unwrap();
            assert_eq!(json, serde_json::to_string(text).unwrap());
            assert_eq!(serde_json::from_str::<Source>(&json).unwrap(), source);
        }
    }

    #[test]
    fn what_follows_scratch_is_a_preset_a_config_or_a_folder() {
        for (text, expected) in [
            ("scratch:rbt3", Scratch::Preset(Preset::Rbt3)),
            ("scratch:rbt3/", Scratch::Folder("rbt3".into())),
            ("scratch:a/rbt3", Scratch::Folder("a/rbt3".into())),
            ("scratch:a/rbt3//", Scratch::Folder("a/rbt3".into())),
            ("scratch:/", Scratch::Folder("/".into())),
            ("scratch:rbt3.json", Scratch::Config("rbt3.json".into())),
            ("scratch:a.json/", Scratch::Folder("a.json".into())),
        ] {
            assert_eq!(parsed(text), Source::Scratch(expected), "{text}");
        }
        for text in ["scratch:", "scratch:.json", "scratch:Tiny", "scratch:rbt4"] {
            let fault = text.parse::<Source>().unwrap_err().fault;
            assert_eq!(fault, Fault::UnknownModel(text["scratch:".len()..].into()), "{text}");
        }
    }

    #[test]
    fn a_vocabulary_is_built_where_the_model_brings_none() {
        let built = ["scratch:tiny", "scratch:a/x.json", "scratch:a/", "path:a", "hf:a/b", "path:x.json"];
        assert_eq!(built.map(|text| parsed(text).builds_vocabulary()), [true, true, false, false, false, false]);
    }

    #[test]
    fn half_sources_are_refused_with_what_is_expected() {
        for text in [
            "",
            "rbt3",
            "path:",
            "path: ",
            "scratch:",
            "hf:rbt3",
            "hf:/rbt3",
            "hf:hfl/",
            "hf:a/b@",
            "modelscope:x",
            "ftp:x",
        ] {
            let error = text.parse::<Source>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")) && error.contains("hf:OWNER/NAME"), "{error}");
        }
    }

    #[test]
    fn what_was_found_replaces_what_was_requested() {
        let pinned = |text: &str| parsed(text).pinned(Some("c0ffee"), Some("x.csv"), Some(&"a".repeat(64))).to_string();
        assert_eq!(pinned("hf:a/b@main"), "hf:a/b@c0ffee/x.csv");
        assert_eq!(pinned("modelscope:a/b"), "modelscope:a/b@c0ffee/x.csv");
        assert_eq!(pinned("https://a.example/x.csv"), format!("https://a.example/x.csv#sha256={}", "a".repeat(64)));
        assert_eq!(pinned("path:x"), "path:x");
    }
}
