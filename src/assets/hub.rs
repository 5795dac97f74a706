//! `hf:` sources: repositories of the Hugging Face hub, or of a mirror that speaks its language.
//!
//! A revision is resolved to a commit first and everything is taken from that commit, so files never mix. What the cache
//! holds of a commit is used without a request. Small files are downloaded before the weights: a commit whose weights are in
//! the cache has all its files there.

use std::{
    env, fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use hf_hub::{
    Cache, Repo, RepoType,
    api::{
        Progress,
        sync::{Api, ApiBuilder, ApiError},
    },
};

use super::{
    AssetError, DataFile, ModelFiles,
    files::{self, Choice},
};

/// Hears of downloads: file, bytes done, bytes in all.
type Listener = Box<dyn Fn(&str, u64, u64) + Send + Sync>;

/// A hub and the cache for what comes from it.
pub struct Hub {
    pub(super) endpoint: String,
    pub(super) cache: Cache,
    pub(super) token: Option<String>,
    pub(super) offline: bool,
    pub(super) listener: Option<Listener>,
}

/// A repository at a revision.
struct Place<'a> {
    kind: RepoType,
    repo: &'a str,
    revision: &'a str,
}

impl Place<'_> {
    /// For messages: as the user wrote it.
    fn show(&self) -> String {
        match self.revision {
            "main" => format!("hf:{}", self.repo),
            revision => format!("hf:{}@{revision}", self.repo),
        }
    }

    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.repo.into(), self.kind, revision.into())
    }
}

/// What the hub says of a revision.
struct Listing {
    commit: String,
    files: Vec<String>,
}

impl Hub {
    /// The hub that the environment names: `HF_ENDPOINT` (huggingface.co where absent), `HF_HOME` (the cache and the file
    /// `token`; `~/.cache/huggingface` where absent), `HF_TOKEN` (before that file), `HF_HUB_OFFLINE` (only the cache).
    ///
    /// # Errors
    /// [`AssetError::NoCache`] without `HF_HOME` and a home folder.
    pub fn from_env() -> Result<Self, AssetError> {
        Self::from_vars(|name| env::var(name).ok(), env::home_dir())
    }

    pub(super) fn from_vars(var: impl Fn(&str) -> Option<String>, home: Option<PathBuf>) -> Result<Self, AssetError> {
        let var = |name| var(name).map(|value| value.trim().to_string()).filter(|value| !value.is_empty());
        let home = match (var("HF_HOME"), home) {
            (Some(folder), _) => PathBuf::from(folder),
            (None, Some(home)) => home.join(".cache").join("huggingface"),
            (None, None) => return Err(AssetError::NoCache),
        };
        let cache = Cache::new(home.join("hub"));
        let offline = var("HF_HUB_OFFLINE").unwrap_or_default().to_ascii_uppercase();
        Ok(Self {
            endpoint: var("HF_ENDPOINT").unwrap_or("https://huggingface.co".into()).trim_end_matches('/').into(),
            token: var("HF_TOKEN").or_else(|| cache.token()),
            cache,
            offline: ["1", "ON", "YES", "TRUE"].contains(&offline.as_str()),
            listener: None,
        })
    }

    /// Calls `listener` with (file, bytes done, bytes in all) while a file is downloaded.
    pub fn on_progress(mut self, listener: impl Fn(&str, u64, u64) + Send + Sync + 'static) -> Self {
        self.listener = Some(Box::new(listener));
        self
    }

    /// The model in repository `repo` at `revision` (branch, tag or commit; `main` where absent).
    ///
    /// A commit that the cache holds is used without a request; a branch or tag costs one request to learn its commit.
    ///
    /// # Errors
    /// Whatever is missing, refused or unreachable.
    pub fn model(&self, repo: &str, revision: Option<&str>) -> Result<ModelFiles, AssetError> {
        let place = Place { kind: RepoType::Model, repo, revision: revision.unwrap_or("main") };
        let cached = self.cached_model(&place);
        if self.offline || is_commit(place.revision) {
            match cached {
                Some((commit, choice)) => return files::collect(&self.folder(&place, &commit), &choice, Some(commit)),
                None if self.offline => return Err(self.not_cached(place.show())),
                None => {}
            }
        }
        let api = self.api(&place)?;
        let listing = self.list(&api, &place, cached.is_some())?;
        let choice = files::choose(&place.show(), |name| listing.files.iter().any(|file| file == name))?;
        for name in choice.small.iter().chain([&choice.weights]) {
            self.fetch(&api, &place, &listing.commit, name)?;
        }
        self.remember(&place, &listing.commit)?;
        files::collect(&self.folder(&place, &listing.commit), &choice, Some(listing.commit))
    }

    /// A data file of the data set `repo` at `revision`: `file`, or the only csv, tsv or jsonl file there is (offline: in
    /// the cache). A file of a commit that the cache holds is used without a request.
    ///
    /// # Errors
    /// Whatever is missing, refused, unreachable or not clear.
    pub fn data(&self, repo: &str, revision: Option<&str>, file: Option<&str>) -> Result<DataFile, AssetError> {
        let place = Place { kind: RepoType::Dataset, repo, revision: revision.unwrap_or("main") };
        let cached = self.cached_data(&place, file);
        if self.offline || is_commit(place.revision) && file.is_some() {
            match cached {
                Some(found) => return found,
                None if self.offline => {
                    let file = file.map(|file| format!("{file} of ")).unwrap_or_default();
                    return Err(self.not_cached(format!("{file}{}", place.show())));
                }
                None => {}
            }
        }
        let api = self.api(&place)?;
        let listing = self.list(&api, &place, matches!(cached, Some(Ok(_))))?;
        let name = files::choose_data(&place.show(), &listing.files, file)?;
        let path = self.fetch(&api, &place, &listing.commit, &name)?;
        self.remember(&place, &listing.commit)?;
        Ok(DataFile { path, revision: Some(listing.commit) })
    }

    /// Folder of a commit's files in the cache.
    fn folder(&self, place: &Place, commit: &str) -> PathBuf {
        self.cache.repo(place.at(commit)).pointer_path(commit)
    }

    /// The commit that the cache knows `place` by, where it holds something of it.
    fn cached_commit(&self, place: &Place) -> Option<String> {
        let commit = if is_commit(place.revision) {
            place.revision.to_string()
        } else {
            let reference = self.cache.path().join(place.at(place.revision).folder_name()).join("refs");
            fs::read_to_string(reference.join(place.revision)).ok()?.trim().to_string()
        };
        (is_commit(&commit) && self.folder(place, &commit).is_dir()).then_some(commit)
    }

    fn cached_model(&self, place: &Place) -> Option<(String, Choice)> {
        let commit = self.cached_commit(place)?;
        let folder = self.folder(place, &commit);
        let choice = files::choose(&place.show(), |name| folder.join(name).is_file()).ok()?;
        Some((commit, choice))
    }

    /// The data file in the cache; an error where it holds several and none is chosen.
    fn cached_data(&self, place: &Place, file: Option<&str>) -> Option<Result<DataFile, AssetError>> {
        let commit = self.cached_commit(place)?;
        let folder = self.folder(place, &commit);
        let mut held = Vec::new();
        list_files(&folder, "", &mut held);
        match files::choose_data(&place.show(), &held, file) {
            Ok(name) => Some(Ok(DataFile { path: folder.join(name), revision: Some(commit) })),
            Err(error @ AssetError::SeveralDataFiles { .. }) => Some(Err(error)),
            Err(_) => None,
        }
    }

    fn api(&self, place: &Place) -> Result<Api, AssetError> {
        ApiBuilder::from_cache(self.cache.clone())
            .with_endpoint(self.endpoint.clone())
            .with_token(self.token.clone())
            .with_progress(false)
            .with_retries(2)
            .with_user_agent("taper", env!("CARGO_PKG_VERSION"))
            .build()
            .map_err(|error| self.explain(error, place, false))
    }

    fn list(&self, api: &Api, place: &Place, cached: bool) -> Result<Listing, AssetError> {
        let info = api.repo(place.at(place.revision)).info().map_err(|error| self.explain(error, place, cached))?;
        if !is_commit(&info.sha) {
            return Err(self.fault(place, format!("it names no commit but `{}`", info.sha)));
        }
        Ok(Listing { commit: info.sha, files: info.siblings.into_iter().map(|file| file.rfilename).collect() })
    }

    /// Path of a file in the cache, downloaded where it is not there yet.
    fn fetch(&self, api: &Api, place: &Place, commit: &str, name: &str) -> Result<PathBuf, AssetError> {
        let path = files::below(&self.folder(place, commit), name)
            .ok_or_else(|| self.fault(place, format!("it names a file `{name}` outside of the repository")))?;
        if !path.is_file() {
            let report = Report { hub: self, file: name, done: 0, total: 0 };
            let fetched = api.repo(place.at(commit)).download_with_progress(name, report);
            fetched.map_err(|error| self.explain(error, place, false))?;
        }
        Ok(path)
    }

    /// Notes which commit a branch or tag stands for, for use offline.
    fn remember(&self, place: &Place, commit: &str) -> Result<(), AssetError> {
        let noted = self.cache.repo(place.at(place.revision)).create_ref(commit);
        noted.map_err(|source| AssetError::Io { path: self.cache.path().clone(), source })
    }

    fn not_cached(&self, place: String) -> AssetError {
        AssetError::NotCached { place, cache: self.cache.path().clone() }
    }

    fn fault(&self, place: &Place, cause: String) -> AssetError {
        AssetError::Hub { place: place.show(), endpoint: self.shown_endpoint(), cause }
    }

    /// What an interrupted download left cannot be gone on from.
    fn damaged(&self, place: &Place) -> AssetError {
        let blobs = self.cache.path().join(place.at(place.revision).folder_name()).join("blobs");
        self.fault(
            place,
            format!("an earlier download left a damaged part; delete the .part files in {}", blobs.display()),
        )
    }

    /// The endpoint without a user name and password.
    fn shown_endpoint(&self) -> String {
        match (self.endpoint.split_once("://"), self.endpoint.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => self.endpoint.clone(),
        }
    }

    /// A text of the HTTP client without anything secret.
    fn redact(&self, text: &str) -> String {
        let text = text.replace(&self.endpoint, &self.shown_endpoint());
        self.token.as_ref().map_or(text.clone(), |token| text.replace(token, "…"))
    }

    fn explain(&self, error: ApiError, place: &Place, cached: bool) -> AssetError {
        use ureq::Error as Http;
        let (show, endpoint) = (place.show(), self.shown_endpoint());
        let unreachable = |cause: String| AssetError::Unreachable {
            place: place.show(),
            endpoint: self.shown_endpoint(),
            cause: self.redact(&cause),
            cached,
        };
        match error {
            ApiError::TooManyRetries(last) => self.explain(*last, place, cached),
            ApiError::RequestError(error) => match *error {
                Http::StatusCode(404) => AssetError::NotFound { place: show, endpoint },
                Http::StatusCode(status @ (401 | 403)) => {
                    AssetError::Denied { place: show, endpoint, status, token: self.token.is_some() }
                }
                // A whole part that was never renamed leaves nothing to ask for.
                Http::StatusCode(416) => self.damaged(place),
                Http::StatusCode(status) => self.fault(place, format!("it answers with status {status}")),
                Http::Io(_)
                | Http::HostNotFound
                | Http::ConnectionFailed
                | Http::Timeout(_)
                | Http::ConnectProxyFailed(_) => unreachable(error.to_string()),
                _ => self.fault(place, self.redact(&error.to_string())),
            },
            ApiError::InvalidResume => self.damaged(place),
            ApiError::LockAcquisition(path) => {
                self.fault(place, format!("another process is downloading it (if none is, delete {})", path.display()))
            }
            // A download that breaks off and a full disk both come as this.
            ApiError::IoError(source) => match source.kind() {
                ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::TimedOut
                | ErrorKind::UnexpectedEof => unreachable(source.to_string()),
                _ if source.raw_os_error().is_some() => AssetError::Io { path: self.cache.path().clone(), source },
                _ => self.fault(place, self.redact(&source.to_string())),
            },
            other => self.fault(place, self.redact(&other.to_string())),
        }
    }
}

/// Whether a revision is a full commit hash, which never comes to mean something else.
fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Files below a folder, named from it with `/`.
fn list_files(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        match entry.path() {
            path if path.is_dir() => list_files(&path, &format!("{name}/"), found),
            _ => found.push(name),
        }
    }
}

/// Passes a download's progress on to the hub's listener.
struct Report<'a> {
    hub: &'a Hub,
    file: &'a str,
    done: u64,
    total: u64,
}

impl Report<'_> {
    fn tell(&self) {
        if let Some(listener) = &self.hub.listener {
            listener(self.file, self.done, self.total);
        }
    }
}

impl Progress for Report<'_> {
    fn init(&mut self, size: usize, _: &str) {
        (self.done, self.total) = (0, size as u64);
        self.tell();
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.tell();
    }

    fn finish(&mut self) {
        self.tell();
    }
}
