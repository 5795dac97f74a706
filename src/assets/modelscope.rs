//! ModelScope and its cache.
//!
//! Addresses and folders follow ModelScope's own Python package: files are listed at `/api/v1/models/OWNER/NAME/repo/files` (datasets:
//! `/repo/tree`, in pages) and downloaded from `/repo?Revision=…&FilePath=…`; they are stored in
//! `models/OWNER--NAME/snapshots/REVISION/`, where the revision is as requested. Packages up to 1.37 stored them in
//! `hub/models/OWNER/NAME`, which is also read.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use serde_json::Value;

use super::{
    AssetError,
    download::{Downloader, Wanted, in_parallel},
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

/// The default branch.
const BRANCH: &str = "master";

/// Files per page of a dataset's list.
const PAGE: usize = 200;
/// The most pages that are read.
const PAGES: usize = 100;

/// A repository of ModelScope.
pub(super) struct ModelScope<'a> {
    endpoint: &'a Endpoint,
    server: Server,
    cache: PathBuf,
    used_as: Use,
    repo: &'a str,
    revision: &'a str,
}

impl<'a> ModelScope<'a> {
    pub fn new(settings: &'a Settings, used_as: Use, repository: &'a plan::Repository) -> Result<Self, AssetError> {
        let shown = plan::Source::ModelScope(repository.clone()).to_string();
        Ok(Self {
            endpoint: &settings.modelscope,
            server: Server::new(Kind::ModelScope, &settings.modelscope, shown),
            cache: settings.modelscope_cache.clone().ok_or(AssetError::NoCache("MODELSCOPE_CACHE"))?,
            used_as,
            repo: &repository.repo,
            revision: repository.revision.as_deref().unwrap_or(BRANCH),
        })
    }

    /// `models` or `datasets`.
    fn segment(&self) -> &'static str {
        match self.used_as {
            Use::Model => "models",
            Use::Data => "datasets",
        }
    }

    fn api(&self, rest: &str) -> String {
        format!("{}/api/v1/{}/{}/{rest}", self.endpoint.url, self.segment(), self.repo)
    }

    fn snapshot(&self, revision: &str) -> PathBuf {
        let repo = self.repo.replace('/', "--");
        self.cache.join(self.segment()).join(repo).join("snapshots").join(revision)
    }

    /// Where packages up to 1.37 stored the repository.
    fn old_folders(&self) -> impl Iterator<Item = PathBuf> {
        let (owner, name) = self.repo.split_once('/').unwrap_or((self.repo, ""));
        let below = PathBuf::from(self.segment()).join(owner).join(name.replace('.', "___"));
        [self.cache.join(&below), self.cache.join("hub").join(&below)].into_iter()
    }

    fn page(&self, net: &Downloader, url: &str) -> Result<Value, Failure> {
        let request = Request { url, token: self.endpoint.token.as_ref(), ..Request::default() };
        let answer = net.ask(self.repo, request, Answer::json)?;
        // Some refusals are sent as a success whose body says otherwise.
        match answer["Code"].as_u64().unwrap_or(200) {
            200 => Ok(answer["Data"].clone()),
            code @ (401 | 403 | 404) => Err(Failure::Status { status: code as u16, code: None, retry_after: None }),
            code => {
                let message = answer["Message"].as_str().unwrap_or("no message").chars().take(200).collect::<String>();
                Err(Failure::Odd(format!("it answered with code {code}: {message}")))
            }
        }
    }

    fn fetch_one(
        &self,
        net: &Downloader,
        revision: &str,
        to: PathBuf,
        file: &Remote,
        stop: &AtomicBool,
    ) -> Result<(), Failure> {
        let url = self.api(&format!("repo?Revision={}&FilePath={}", encode(revision, ""), encode(&file.name, "")));
        let digest = file.check.as_ref().map_or("", |check| &check.digest()[..12]);
        let name = to.file_name().unwrap_or_default().display().to_string();
        let lock =
            format!("{}--{}--{}.lock", self.segment(), self.repo.replace('/', "--"), file.name.replace('/', "--"));
        let wanted = Wanted {
            name: &file.name,
            url: &url,
            token: self.endpoint.token.as_ref(),
            size: file.size,
            check: file.check.as_ref(),
            tag: None,
            // Without a digest nothing identifies the version of a partial download.
            resume: file.check.is_some(),
            // A branch's folder may contain files of earlier commits.
            replace: true,
            part: to.with_file_name(format!(".{name}.{digest}.incomplete")),
            lock: self.cache.join(".lock").join(lock),
            to,
        };
        net.fetch(&wanted, stop)
    }
}

impl Repository for ModelScope<'_> {
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
        let revision = self.revision.to_string();
        // An old folder does not say which revision it holds, so it is only used for the default branch.
        let old = self.old_folders().filter(|_| self.revision == BRANCH);
        let folders = std::iter::once(self.snapshot(self.revision)).chain(old);
        folders.filter(|folder| folder.is_dir()).map(|folder| Snapshot { revision: revision.clone(), folder }).collect()
    }

    fn folders(&self, revision: &str) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> = self.old_folders().collect();
        folders.extend([self.snapshot(self.revision), self.snapshot(revision)]);
        folders.dedup();
        folders
    }

    fn target(&self, revision: &str, pinned: bool) -> PathBuf {
        self.snapshot(if pinned { revision } else { self.revision })
    }

    fn list(&self, net: &Downloader) -> Result<Listing, Failure> {
        let mut entries: Vec<Value> = Vec::new();
        let mut revision = None;
        for number in 1..=PAGES {
            let asked = format!("Revision={}&Recursive=True", encode(self.revision, ""));
            let url = match self.used_as {
                Use::Model => self.api(&format!("repo/files?{asked}")),
                Use::Data => self.api(&format!("repo/tree?{asked}&PageNumber={number}&PageSize={PAGE}")),
            };
            let data = self.page(net, &url)?;
            let Some(files) = data["Files"].as_array() else {
                return Err(Failure::Odd("its answer lists no files".into()));
            };
            // Not every response names the commit.
            let commit = data["LatestCommitter"]["Id"].as_str().filter(|commit| is_hex(commit, 40));
            revision = revision.or(commit.map(String::from));
            entries.extend(files.iter().cloned());
            if self.used_as == Use::Model || files.len() < PAGE {
                break;
            }
        }
        let file = |entry: &Value| {
            let name = entry["Path"].as_str().or(entry["Name"].as_str())?;
            let sha256 = entry["Sha256"].as_str().filter(|digest| is_hex(digest, 64));
            let check = sha256.map(|digest| Check::Sha256(digest.to_ascii_lowercase()));
            (entry["Type"] != "tree").then(|| Remote {
                name: name.into(),
                size: entry["Size"].as_u64().filter(|size| *size > 0),
                check,
            })
        };
        let files = entries.iter().filter_map(file).collect();
        Ok(Listing { revision: revision.unwrap_or_else(|| self.revision.into()), files })
    }

    fn fetch(&self, net: &Downloader, revision: &str, folder: &Path, files: &[Remote]) -> Result<(), (usize, Failure)> {
        in_parallel(files, |file, stop| self.fetch_one(net, revision, folder.join(&file.name), file, stop))
    }

    fn remember(&self, _: &str) -> Result<(), AssetError> {
        Ok(())
    }
}
