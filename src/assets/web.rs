//! `https:` sources: one data file, cached in `TAPER_CACHE` by its address.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use sha2::{Digest, Sha256};

use super::{
    AssetError, DataFile, FilePin,
    download::{Downloader, Wanted},
    endpoint::Endpoint,
    failure::Failure,
    hash::{Check, hex},
    http::Request,
    lock::Pin,
    server::{Kind, Server},
    settings::Settings,
};
use crate::plan::WebFile;

/// The data file at an address. `net` is `None` offline; `update` asks the server even if the cache has a copy.
pub(super) fn data(
    settings: &Settings,
    file: &WebFile,
    net: Option<&Downloader>,
    pin: Option<(&Pin, &Path)>,
    update: bool,
) -> Result<DataFile, AssetError> {
    let cache = settings.web_cache.clone().ok_or(AssetError::NoCache("TAPER_CACHE"))?;
    let folder = cache.join("files").join(&hex(&Sha256::digest(&file.url))[..16]);
    let address = file.url.split('?').next().unwrap_or_default();
    let (scheme, rest) = address.split_once("://").unwrap_or(("https", address));
    let host = format!("{scheme}://{}", rest.split('/').next().unwrap_or_default());
    let server = Server::new(Kind::Web, &Endpoint { url: host, token: None }, address.into());
    let fetch = Fetch { file, server, to: folder.join(file.name()), cache };

    let pinned = pin.and_then(|(pin, lock)| Some((pin.files.first()?, lock)));
    let expected = file.sha256.clone().or(pinned.map(|(pin, _)| pin.sha256.clone())).map(Check::Sha256);
    // Every version that was ever found is kept under its digest, since another spec may have pinned it.
    let version = |digest: &str| folder.join(&digest[..16]).join(file.name());
    let kept = expected.as_ref().map(|check| version(check.digest())).filter(|path| path.is_file());
    let place_of = kept.as_ref().unwrap_or(&fetch.to);
    let here = place_of.is_file().then(|| FilePin::of(file.name(), place_of)).transpose()?;
    let fits = |found: &FilePin| expected.as_ref().is_none_or(|check| check.digest() == found.sha256);
    let (found, lies) = match (here, net) {
        (Some(here), _) if fits(&here) && (expected.is_some() || !update) => (here, place_of),
        (_, Some(net)) => {
            match (fetch.download(net, expected.as_ref()), pinned) {
                // Only the lock says what it should be.
                (Err(AssetError::Mismatch { stated, found, .. }), Some((_, lock))) if file.sha256.is_none() => {
                    let (what, difference) =
                        (fetch.server.source, format!("pinned {stated}, found {found} on its server"));
                    return Err(AssetError::Changed { what, lock: lock.into(), difference, path: None });
                }
                (downloaded, _) => downloaded?,
            }
            (FilePin::of(file.name(), &fetch.to)?, &fetch.to)
        }
        (Some(here), None) => (here, place_of),
        (None, None) => return Err(AssetError::NotCached { source_: fetch.server.source, cache: fetch.cache }),
    };
    if let Some((pin, lock)) = pinned.filter(|(pin, _)| pin.sha256 != found.sha256) {
        return Err(AssetError::Changed {
            what: fetch.server.source,
            lock: lock.into(),
            difference: format!("pinned {}, found {}", pin.shown(), found.shown()),
            path: None,
        });
    }
    match expected {
        Some(check) if !fits_digest(&check, &found) => Err(fetch.server.explain(
            Failure::Differs { stated: check.to_string(), found: found.sha256 },
            Some(file.name()),
            true,
            &fetch.cache,
        )),
        _ => {
            let path = version(&found.sha256);
            if *lies != path {
                keep(lies, &path).map_err(|error| AssetError::Io { path: path.clone(), error })?;
                // Another process may just have replaced it with another version.
                let kept = FilePin::of(file.name(), &path)?;
                if kept != found {
                    let failure = Failure::Differs { stated: found.sha256, found: kept.sha256 };
                    return Err(fetch.server.explain(failure, Some(file.name()), true, &fetch.cache));
                }
            }
            Ok(DataFile { path, revision: None, pin: Some(found) })
        }
    }
}

/// Gives a file a second name, or copies it if that is impossible.
fn keep(file: &Path, name: &Path) -> io::Result<()> {
    fs::create_dir_all(name.parent().unwrap_or(name))?;
    let temporary = name.with_file_name(format!(".{}.tmp", std::process::id()));
    let _ = fs::remove_file(&temporary);
    fs::hard_link(file, &temporary).or_else(|_| fs::copy(file, &temporary).map(drop))?;
    fs::rename(&temporary, name)
}

fn fits_digest(check: &Check, found: &FilePin) -> bool {
    check.digest() == found.sha256
}

/// A download.
struct Fetch<'a> {
    file: &'a WebFile,
    server: Server,
    to: PathBuf,
    cache: PathBuf,
}

impl Fetch<'_> {
    fn download(&self, net: &Downloader, check: Option<&Check>) -> Result<(), AssetError> {
        let name = self.file.name();
        // A partial download is identified by the version's digest, or else by the entity tag.
        let (tag, size) = match check {
            Some(_) => (None, None),
            None => self.facts(net)?,
        };
        let version = match (check, &tag) {
            (Some(check), _) => check.digest()[..12].to_string(),
            (None, Some(tag)) => hex(&Sha256::digest(tag))[..12].to_string(),
            (None, None) => "new".into(),
        };
        let wanted = Wanted {
            name,
            url: &self.file.url,
            token: None,
            size,
            check,
            tag: tag.as_deref(),
            resume: check.is_some() || tag.is_some(),
            replace: true,
            part: self.to.with_file_name(format!(".{name}.{version}.incomplete")),
            to: self.to.clone(),
            lock: self.to.with_file_name(".lock"),
        };
        let fetched = net.fetch(&wanted, &AtomicBool::new(false));
        fetched.map_err(|failure| self.server.explain(failure, Some(name), self.to.is_file(), &self.cache))
    }

    /// The entity tag, if it is a strong one, and the size.
    fn facts(&self, net: &Downloader) -> Result<(Option<String>, Option<u64>), AssetError> {
        let request = Request { url: &self.file.url, head: true, no_page: true, ..Request::default() };
        let facts = net.ask(self.file.name(), request, |answer| {
            let tag = answer.header("etag").filter(|tag| tag.starts_with('"')).map(String::from);
            Ok((tag, answer.length()))
        });
        match facts {
            // Some servers and signed addresses do not support HEAD.
            Err(Failure::Status { status: 400 | 403 | 405 | 501, .. }) => Ok((None, None)),
            facts => facts.map_err(|failure| self.server.explain(failure, None, self.to.is_file(), &self.cache)),
        }
    }
}
