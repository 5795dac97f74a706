//! The Hugging Face Hub, or a compatible mirror, and its cache.
//!
//! The cache has the layout of Python's huggingface_hub, and each finds what the other downloaded: contents are in `blobs` under their
//! entity tags, `snapshots/COMMIT/FILE` link to them, `refs/BRANCH` holds the commit that a branch pointed to. The hf-hub crate provides
//! the names of those folders; it is not used for downloads, because it has no offline mode, ignores the digests that the hub states,
//! leaves partial files that it cannot continue, and does not report `Retry-After`.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use hf_hub::{Cache, Repo, RepoType};
use serde_json::Value;

use super::{
    AssetError,
    download::{Downloader, Wanted, holds, in_parallel, io_at, sync_folder},
    endpoint::Endpoint,
    failure::Failure,
    hash::{Check, is_hex},
    http::{Answer, Request, encode},
    lock::Use,
    repository::{Listing, Remote, Repository, Snapshot},
    server::{Kind, Server},
    settings::Settings,
};
use crate::plan;

/// A repository of the hub.
pub(super) struct Hub<'a> {
    endpoint: &'a Endpoint,
    server: Server,
    cache: PathBuf,
    kind: RepoType,
    repo: &'a str,
    revision: &'a str,
}

/// What the hub states about a file before it is downloaded.
struct Facts {
    /// The entity tag, which is the file's name in the cache.
    tag: String,
    size: Option<u64>,
}

impl<'a> Hub<'a> {
    pub fn new(settings: &'a Settings, used_as: Use, repository: &'a plan::Repository) -> Result<Self, AssetError> {
        let shown = plan::Source::Hub(repository.clone()).to_string();
        Ok(Self {
            endpoint: &settings.hub,
            server: Server::new(Kind::Hub, &settings.hub, shown),
            cache: settings.hub_cache.clone().ok_or(AssetError::NoCache("HF_HOME"))?,
            kind: match used_as {
                Use::Model => RepoType::Model,
                Use::Data => RepoType::Dataset,
            },
            repo: &repository.repo,
            revision: repository.revision.as_deref().unwrap_or("main"),
        })
    }

    fn at(&self, revision: &str) -> Repo {
        Repo::with_revision(self.repo.into(), self.kind, revision.into())
    }

    /// The repository's folder in the cache.
    fn home(&self) -> PathBuf {
        self.cache.join(self.at(self.revision).folder_name())
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        Cache::new(self.cache.clone()).repo(self.at(commit)).pointer_path(commit)
    }

    fn url(&self, commit: &str, name: &str) -> String {
        let kind = match self.kind {
            RepoType::Dataset => "datasets/",
            _ => "",
        };
        format!("{}/{kind}{}/resolve/{}/{}", self.endpoint.url, self.repo, encode(commit, ""), encode(name, "/"))
    }

    /// Requests what the hub states about a file.
    fn facts(&self, net: &Downloader, commit: &str, file: &Remote) -> Result<Facts, Failure> {
        let url = self.url(commit, &file.name);
        let token = self.endpoint.token.as_ref();
        net.ask(&file.name, Request { url: &url, token, head: true, no_page: true, from: None }, |answer: Answer| {
            if answer.header("x-repo-commit").is_some_and(|stated| stated != commit) {
                return Err(Failure::Odd("it sent the file of a commit other than the requested one".into()));
            }
            let tag = answer.header("x-linked-etag").or(answer.header("etag"));
            let tag = tag.map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_string());
            let Some(tag) = tag.filter(|tag| is_name(tag)) else {
                return Err(Failure::Odd(
                    "it sent no ETag for the file, so it is not a hub (check HF_ENDPOINT)".into(),
                ));
            };
            let linked = answer.header("x-linked-size").and_then(|text| text.trim().parse().ok());
            let own = answer.length().filter(|_| answer.status < 300);
            Ok(Facts { tag, size: linked.or(own) })
        })
    }

    /// Downloads one file into `blobs` and links to it.
    fn fetch_one(
        &self,
        net: &Downloader,
        commit: &str,
        pointer: &Path,
        file: &Remote,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        // An existing file may be truncated or have other content, whatever wrote it.
        if pointer.is_file() && holds(pointer, file.size, file.check.as_ref()).map_err(io_at(pointer))? {
            return Ok(());
        }
        let Facts { tag, size } = self.facts(net, commit, file)?;
        if let (Some(listed), Some(size)) = (file.size, size)
            && listed != size
        {
            return Err(Failure::Differs { stated: format!("{listed} bytes long"), found: size.to_string() });
        }
        let size = file.size.or(size);
        // Large files are named by their SHA-256; for others only the list states git's object name.
        let named = is_hex(&tag, 64).then(|| Check::Sha256(tag.clone()));
        let check = match (&file.check, named) {
            (Some(check @ Check::Sha256(_)), _) => Some(check.clone()),
            (_, Some(named)) => Some(named),
            (check, None) => check.clone().filter(|_| size.is_some()),
        };
        // By its digest, if known: a server may give all its files the same tag.
        let tag = file.check.as_ref().map_or(tag, |check| check.digest().to_string());
        let blob = self.home().join("blobs").join(&tag);
        let whole = blob.is_file() && holds(&blob, size, check.as_ref()).map_err(io_at(&blob))?;
        if !whole {
            net.fetch(
                &Wanted {
                    name: &file.name,
                    url: &self.url(commit, &file.name),
                    token: self.endpoint.token.as_ref(),
                    size,
                    check: check.as_ref(),
                    // The partial file is named by the tag, so it is of this file.
                    tag: None,
                    resume: true,
                    replace: blob.exists(),
                    part: blob.with_file_name(format!("{tag}.incomplete")),
                    to: blob.clone(),
                    lock: self.cache.join(".locks").join(self.at(commit).folder_name()).join(format!("{tag}.lock")),
                },
                stop,
            )?;
        }
        link(&blob, pointer)
    }
}

impl Repository for Hub<'_> {
    fn server(&self) -> &Server {
        &self.server
    }

    fn cache(&self) -> &Path {
        &self.cache
    }

    fn is_fixed(&self) -> bool {
        is_hex(self.revision, 40)
    }

    fn cached(&self) -> Vec<Snapshot> {
        let commit = match self.is_fixed() {
            true => Some(self.revision.to_string()),
            false => fs::read_to_string(self.home().join("refs").join(self.revision)).ok(),
        };
        let commit = commit.map(|text| text.trim().to_string()).filter(|commit| is_hex(commit, 40));
        let snapshot = |revision: String| Snapshot { folder: self.snapshot(&revision), revision };
        commit.map(snapshot).filter(|snapshot| snapshot.folder.is_dir()).into_iter().collect()
    }

    fn folders(&self, revision: &str) -> Vec<PathBuf> {
        vec![self.snapshot(revision)]
    }

    fn target(&self, revision: &str, _: bool) -> PathBuf {
        self.snapshot(revision)
    }

    fn list(&self, net: &Downloader) -> Result<Listing, Failure> {
        // With `blobs`, sizes and digests are included.
        let url = format!("{}/api/{}?blobs=true", self.endpoint.url, api(self.kind, self.repo, self.revision));
        let request = Request { url: &url, token: self.endpoint.token.as_ref(), ..Request::default() };
        let info = net.ask(self.repo, request, Answer::json)?;
        let revision = info["sha"].as_str().unwrap_or_default().to_string();
        let Some(siblings) = info["siblings"].as_array().filter(|_| is_hex(&revision, 40)) else {
            return Err(Failure::Odd(
                "its answer lists no commit or no files, so it is not a hub (check HF_ENDPOINT)".into(),
            ));
        };
        let file = |sibling: &Value| {
            let sha256 = sibling["lfs"]["sha256"].as_str().filter(|digest| is_hex(digest, 64));
            let git = sibling["blobId"].as_str().filter(|digest| is_hex(digest, 40) && sibling["lfs"].is_null());
            let check = sha256.map(|d| Check::Sha256(d.into())).or(git.map(|d| Check::Git(d.into())));
            Some(Remote { name: sibling["rfilename"].as_str()?.into(), size: sibling["size"].as_u64(), check })
        };
        Ok(Listing { revision, files: siblings.iter().filter_map(file).collect() })
    }

    fn fetch(&self, net: &Downloader, commit: &str, folder: &Path, files: &[Remote]) -> Result<(), (usize, Failure)> {
        in_parallel(files, |file, stop| self.fetch_one(net, commit, &folder.join(&file.name), file, stop))
    }

    fn remember(&self, commit: &str) -> Result<(), AssetError> {
        if self.revision == commit {
            return Ok(());
        }
        let path = self.home().join("refs").join(self.revision);
        // Unchanged, perhaps in a cache that only others may write to.
        if fs::read_to_string(&path).is_ok_and(|known| known.trim() == commit) {
            return Ok(());
        }
        let temporary = self.home().join(format!("refs.{}.tmp", std::process::id()));
        let noted = fs::create_dir_all(path.parent().unwrap_or(&path))
            // A link of that name must not be written through.
            .and_then(|()| fs::remove_file(&temporary).or(Ok(())))
            .and_then(|()| fs::OpenOptions::new().write(true).create_new(true).open(&temporary))
            .and_then(|mut file| file.write_all(commit.as_bytes()))
            .and_then(|()| fs::rename(&temporary, &path));
        noted.map_err(|error| AssetError::Io { path, error })
    }

    fn stated(&self, path: &Path) -> Option<(PathBuf, Check)> {
        let blob = fs::canonicalize(path).ok()?;
        let name = blob.file_name()?.to_str()?.to_string();
        let check = match name.len() {
            _ if !blob.parent()?.ends_with("blobs") => return None,
            64 if is_hex(&name, 64) => Check::Sha256(name),
            40 if is_hex(&name, 40) => Check::Git(name),
            _ => return None,
        };
        Some((blob, check))
    }
}

/// The address of a revision's metadata, below `api/`.
fn api(kind: RepoType, repo: &str, revision: &str) -> String {
    let kind = match kind {
        RepoType::Dataset => "datasets",
        _ => "models",
    };
    format!("{kind}/{repo}/revision/{}", encode(revision, ""))
}

/// Whether an entity tag is valid as a file name.
fn is_name(tag: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=128).contains(&tag.len()) && tag.bytes().all(plain) && !tag.starts_with('.')
}

/// Creates a relative link from `pointer` to `blob`, or a copy if links are not supported.
fn link(blob: &Path, pointer: &Path) -> Result<(), Failure> {
    let folder = pointer.parent().unwrap_or(pointer);
    let io = io_at(pointer);
    fs::create_dir_all(folder).map_err(&io)?;
    let home = blob.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let depth = folder.strip_prefix(home).map_or(2, |below| below.components().count());
    let mut target = PathBuf::from("../".repeat(depth));
    target.extend(["blobs".as_ref(), blob.file_name().unwrap_or_default()]);
    // By the pointer's own name: two files with the same content share a blob.
    let temporary =
        folder.join(format!(".{}.{}.tmp", pointer.file_name().unwrap_or_default().display(), std::process::id()));
    let _ = fs::remove_file(&temporary);
    #[cfg(unix)]
    let linked = std::os::unix::fs::symlink(&target, &temporary);
    #[cfg(not(unix))]
    let linked = fs::copy(blob, &temporary).map(drop);
    // Renamed into place, which also replaces a dangling link.
    let done = linked.and_then(|()| fs::rename(&temporary, pointer));
    done.map_err(|error| {
        let _ = fs::remove_file(&temporary);
        io(error)
    })?;
    sync_folder(pointer);
    Ok(())
}
