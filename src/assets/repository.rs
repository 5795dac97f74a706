//! Models and datasets in repositories of any server: found in the cache, pinned by a lock, or downloaded.
//!
//! All files of a source come from one commit, so versions never mix. Small files are downloaded before the weights: if the weights are in
//! the cache, all files of their commit are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    AssetError, DataFile, DataSet, FilePin, ModelFiles,
    download::{Downloader, holds},
    failure::Failure,
    files::{self, Choice},
    hash::Check,
    lock::Pin,
    named_splits::{CARD, NamedSplits, check_apart},
    server::Server,
};

/// Whether a config.json is that of a model that can be trained; if not, why.
pub type Suits = fn(&Path) -> Result<(), String>;

/// A file as listed by its server.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub name: String,
    pub size: Option<u64>,
    pub check: Option<Check>,
}

impl From<&FilePin> for Remote {
    fn from(pin: &FilePin) -> Self {
        Self { name: pin.name.clone(), size: Some(pin.size), check: Some(Check::Sha256(pin.sha256.clone())) }
    }
}

/// A server's listing of a revision.
pub(super) struct Listing {
    /// The commit; on servers without commits, the revision itself.
    pub revision: String,
    pub files: Vec<Remote>,
}

/// A snapshot in the cache.
pub(super) struct Snapshot {
    pub revision: String,
    pub folder: PathBuf,
}

/// A repository at the revision of a source.
pub(super) trait Repository {
    /// Its server.
    fn server(&self) -> &Server;
    /// The folder where its files are cached.
    fn cache(&self) -> &Path;
    /// Whether the revision can never mean something else.
    fn is_fixed(&self) -> bool;
    /// Cached snapshots of the revision, the best first.
    fn cached(&self) -> Vec<Snapshot>;
    /// Folders that may hold the files of a pinned revision.
    fn folders(&self, revision: &str) -> Vec<PathBuf>;
    /// The folder that files of a revision are downloaded to: one pinned by the lock, or the requested one.
    fn target(&self, revision: &str, pinned: bool) -> PathBuf;
    /// Lists the files on the server.
    fn list(&self, net: &Downloader) -> Result<Listing, Failure>;
    /// Downloads files of a revision into a folder, except existing ones.
    fn fetch(&self, net: &Downloader, revision: &str, folder: &Path, files: &[Remote]) -> Result<(), (usize, Failure)>;
    /// Stores what the revision resolved to, for use offline.
    fn remember(&self, revision: &str) -> Result<(), AssetError>;
    /// The digest that a file's name in the cache states.
    fn stated(&self, _: &Path) -> Option<(PathBuf, Check)> {
        None
    }
}

/// How a source is looked up.
pub(super) struct Lookup<'a> {
    pub repository: &'a dyn Repository,
    /// `None`: offline.
    pub net: Option<&'a Downloader>,
    /// The pin in the lock, and the lock's path.
    pub pin: Option<(&'a Pin, &'a Path)>,
    /// Checks a model's config.json before its weights are downloaded.
    pub suits: Suits,
}

impl Lookup<'_> {
    /// The model in `part` of the repository.
    pub fn model(&self, part: Option<&str>) -> Result<ModelFiles, AssetError> {
        let source = &self.repository.server().source;
        if let Some((pin, _)) = self.pin {
            let root = self.pinned(&pin.files)?;
            let choice = files::choose(source, part, |name| pin.files.iter().any(|file| file.name == name))?;
            return files::collect(&root, &choice, pin.revision.clone(), &pin.files);
        }
        let mut adapter = None;
        let mut whole = |snapshot: &Snapshot| {
            let choice = match files::choose(source, part, |name| snapshot.folder.join(name).is_file()) {
                Err(error @ AssetError::Adapter { .. }) => {
                    adapter = Some(error);
                    None
                }
                choice => choice.ok(),
            }?;
            let shards = choice.shards(&snapshot.folder.join(&choice.folder)).ok()?;
            shards.iter().all(|name| snapshot.folder.join(choice.full(name)).is_file()).then_some(choice)
        };
        let cached = self.repository.cached().into_iter().find_map(|snapshot| Some((whole(&snapshot)?, snapshot)));
        let here = |(choice, snapshot): (Choice, Snapshot)| {
            files::collect(&snapshot.folder, &choice, Some(snapshot.revision), &[])
        };
        let damage = |model: &ModelFiles| -> Result<(), AssetError> {
            let path = |file: &FilePin| model.folder.join(file.name.rsplit('/').next().unwrap_or_default());
            model.files.iter().try_for_each(|file| self.undamaged(&path(file), &file.sha256))
        };
        let model = match (cached, self.net) {
            (Some(cached), None) => here(cached)?,
            (None, None) => return Err(adapter.unwrap_or_else(|| self.not_cached(None))),
            (Some(cached), Some(net)) if self.repository.is_fixed() && cached.0.is_the_first(part) => {
                let model = here(cached)?;
                match damage(&model) {
                    Err(AssetError::Damaged { .. }) => self.download_model(net, part, true)?,
                    _ => model,
                }
            }
            // The cache may hold only some files of a commit, since other programs choose other files.
            (cached, Some(net)) => match (self.download_model(net, part, cached.is_some()), cached) {
                (Err(AssetError::Unreachable { .. }), Some(cached)) if self.repository.is_fixed() => here(cached)?,
                (downloaded, _) => downloaded?,
            },
        };
        damage(&model)?;
        Ok(model)
    }

    fn download_model(&self, net: &Downloader, part: Option<&str>, cached: bool) -> Result<ModelFiles, AssetError> {
        let listing = self.list(net, cached)?;
        let has = |name: &str| listing.files.iter().any(|file| file.name == name);
        let choice = files::choose(&self.repository.server().source, part, has)?;
        let root = self.repository.target(&listing.revision, false);
        let mut first: Vec<String> = choice.small.clone();
        if choice.is_sharded() {
            first.push(choice.weights.clone());
        }
        self.fetch(net, &listing, &choice, &first)?;
        (self.suits)(&root.join(choice.full("config.json"))).map_err(AssetError::Unsuited)?;
        let shards = choice.shards(&root.join(&choice.folder))?;
        let weights = if choice.is_sharded() { shards } else { vec![choice.weights.clone()] };
        self.fetch(net, &listing, &choice, &weights)?;
        self.fetch_card(net, &listing);
        self.repository.remember(&listing.revision)?;
        files::collect(&root, &choice, Some(listing.revision), &[])
    }

    /// Downloads the card, from which cards of exported models have the licence and the language. Nothing else needs it.
    fn fetch_card(&self, net: &Downloader, listing: &Listing) {
        let whole = Choice { folder: String::new(), small: Vec::new(), weights: String::new() };
        if listing.files.iter().any(|file| file.name == CARD) {
            let _ = self.fetch(net, listing, &whole, &[CARD.to_owned()]);
        }
    }

    /// A data file: `wanted`, or the only one (offline: the only one in the cache).
    pub fn data(&self, wanted: Option<&str>) -> Result<DataFile, AssetError> {
        let source = &self.repository.server().source;
        if let Some((pin, lock)) = self.pin {
            let root = self.pinned(&pin.files)?;
            let Some(file) = pin.files.first() else {
                return Err(AssetError::Lock { path: lock.into(), what: format!("it pins no file of {source}") });
            };
            return Ok(DataFile {
                path: root.join(&file.name),
                revision: pin.revision.clone(),
                pin: Some(file.clone()),
            });
        }
        let choose = |snapshot: &Snapshot| match files::list(&snapshot.folder) {
            Ok(files) => files::choose_data(source, &files, wanted),
            Err(error) => Err(error),
        };
        let mut unreadable = None;
        let found = |snapshot: &Snapshot| match choose(snapshot) {
            Ok(name) => Some(Ok((name, snapshot.folder.clone(), snapshot.revision.clone()))),
            Err(error @ AssetError::SeveralDataFiles { .. }) => Some(Err(error)),
            Err(error @ AssetError::Io { .. }) => {
                unreadable.get_or_insert(error);
                None
            }
            Err(_) => None,
        };
        let cached = self.repository.cached().iter().find_map(found);
        let sound = |found: &Result<(String, PathBuf, String), AssetError>| match found {
            Ok((name, folder, _)) => {
                let path = folder.join(name);
                FilePin::of(name, &path).is_ok_and(|pin| self.undamaged(&path, &pin.sha256).is_ok())
            }
            Err(_) => true,
        };
        let (name, folder, revision) = match (cached, self.net) {
            // The only data file in the cache need not be the only one in the repository.
            (Some(found), None) => found?,
            (Some(found), _) if self.repository.is_fixed() && wanted.is_some() && sound(&found) => found?,
            (_, None) => return Err(unreadable.unwrap_or_else(|| self.not_cached(wanted))),
            (cached, Some(net)) => {
                let listing = self.list(net, matches!(cached, Some(Ok(_))))?;
                let names: Vec<String> = listing.files.iter().map(|file| file.name.clone()).collect();
                let name = files::choose_data(source, &names, wanted)?;
                let whole = Choice { folder: String::new(), small: Vec::new(), weights: String::new() };
                self.fetch(net, &listing, &whole, std::slice::from_ref(&name))?;
                self.fetch_card(net, &listing);
                self.repository.remember(&listing.revision)?;
                (name, self.repository.target(&listing.revision, false), listing.revision)
            }
        };
        let path = folder.join(&name);
        let pin = FilePin::of(&name, &path)?;
        self.undamaged(&path, &pin.sha256)?;
        Ok(DataFile { path, revision: Some(revision), pin: Some(pin) })
    }

    /// The files of the splits with these names, and all files that were read for them.
    pub fn data_set(&self, config: Option<&str>, names: &[String]) -> Result<Found, AssetError> {
        let source = &self.repository.server().source;
        let chosen = |files: &[String], card: Option<&Path>| -> Result<(NamedSplits, Vec<Vec<String>>), AssetError> {
            let text =
                card.map(|path| fs::read_to_string(path).map_err(|error| AssetError::Io { path: path.into(), error }));
            let found = NamedSplits::of(source, files, text.transpose()?.as_deref(), config)?;
            let refuse = |what| AssetError::Splits { source_: source.clone(), what };
            let splits = names.iter().map(|name| Ok(found.files(name).map_err(refuse)?.to_vec()));
            let splits = splits.collect::<Result<Vec<_>, AssetError>>()?;
            check_apart(names, &splits).map_err(refuse)?;
            Ok((found, splits))
        };
        let (root, revision, pins, (found, splits)) = if let Some((pin, _)) = self.pin {
            let root = self.pinned(&pin.files)?;
            let files: Vec<String> = pin.files.iter().map(|file| file.name.clone()).collect();
            let card = files.iter().any(|name| name == CARD).then(|| root.join(CARD));
            let chosen = chosen(&files, card.as_deref())?;
            (root, pin.revision.clone().unwrap_or_default(), pin.files.clone(), chosen)
        } else {
            let (root, revision, chosen) = match self.net {
                None => {
                    let Some(snapshot) = self.repository.cached().into_iter().next() else {
                        return Err(self.not_cached(None));
                    };
                    let card = Some(snapshot.folder.join(CARD)).filter(|card| card.is_file());
                    let chosen = chosen(&files::list(&snapshot.folder)?, card.as_deref())?;
                    (snapshot.folder, snapshot.revision, chosen)
                }
                Some(net) => {
                    let listing = self.list(net, false)?;
                    let files: Vec<String> = listing.files.iter().map(|file| file.name.clone()).collect();
                    let root = self.repository.target(&listing.revision, false);
                    let whole = Choice { folder: String::new(), small: Vec::new(), weights: String::new() };
                    let card = files.iter().any(|name| name == CARD).then(|| CARD.to_owned());
                    self.fetch(net, &listing, &whole, card.as_slice())?;
                    let chosen = chosen(&files, card.map(|card| root.join(card)).as_deref())?;
                    self.fetch(net, &listing, &whole, &chosen.1.concat())?;
                    self.repository.remember(&listing.revision)?;
                    (root, listing.revision, chosen)
                }
            };
            let card = Some(CARD.to_owned()).filter(|card| root.join(card).is_file());
            let pin = |name: String| {
                let (path, pin) = (root.join(&name), FilePin::of(&name, &root.join(&name))?);
                self.undamaged(&path, &pin.sha256)?;
                Ok(pin)
            };
            let pins = card.into_iter().chain(chosen.1.concat()).map(pin).collect::<Result<Vec<_>, AssetError>>()?;
            (root, revision, pins, chosen)
        };
        let paths = |files: Vec<String>| files.into_iter().map(|name| root.join(name)).collect();
        let splits = splits.into_iter().map(paths).collect();
        let set = DataSet { splits, config: found.config, classes: found.classes };
        Ok(Found { set, revision, pins, folder: root })
    }

    /// The folder that holds exactly the pinned files, downloaded if needed.
    fn pinned(&self, pins: &[FilePin]) -> Result<PathBuf, AssetError> {
        let Some((pin, lock)) = self.pin else { return Err(self.not_cached(None)) };
        let server = self.repository.server();
        let revision = pin.revision.as_deref().unwrap_or_default();
        let changed = |folder: &Path, (file, pinned, found): (String, String, String)| {
            let path = Some(folder.join(&file).into());
            let difference = format!("pinned {pinned}, found {found}");
            AssetError::Changed { what: format!("{file} of {}", server.source), lock: lock.into(), difference, path }
        };
        let target = self.repository.target(revision, true);
        let mut odd = None;
        for folder in self.repository.folders(revision) {
            match compare(&folder, pins)? {
                Compared::Same => return Ok(folder),
                Compared::Missing => {}
                // A folder of a branch that has moved on, or one with damaged files, does not matter: the pinned files are downloaded
                // again.
                Compared::Differs(..) if self.net.is_some() => {}
                Compared::Differs(name, pinned, found) => odd = Some(changed(&folder, (name, pinned, found))),
            }
        }
        if let Some(odd) = odd {
            return Err(odd);
        }
        let Some(net) = self.net else { return Err(self.not_cached(None)) };
        let wanted: Vec<Remote> = pins.iter().map(Remote::from).collect();
        self.repository.fetch(net, revision, &target, &wanted).map_err(|(at, failure)| match failure {
            Failure::Differs { stated, found } => AssetError::Changed {
                what: format!("{} of {}", pins[at].name, server.source),
                lock: lock.into(),
                difference: format!("pinned {stated}, found {found} on {}", server.endpoint),
                path: None,
            },
            failure => server.explain(failure, Some(&pins[at].name), false, self.repository.cache()),
        })?;
        // Existing files have not been verified yet.
        match compare(&target, pins)? {
            Compared::Same => Ok(target),
            Compared::Missing => Err(self.not_cached(None)),
            Compared::Differs(name, pinned, found) => Err(changed(&target, (name, pinned, found))),
        }
    }

    fn list(&self, net: &Downloader, cached: bool) -> Result<Listing, AssetError> {
        let (server, cache) = (self.repository.server(), self.repository.cache());
        let listing = self.repository.list(net).map_err(|failure| server.explain(failure, None, cached, cache))?;
        match listing.files.iter().find(|file| files::below(Path::new(""), &file.name).is_none()) {
            None => Ok(listing),
            Some(file) => {
                let why = format!("it lists a file `{}` outside the repository", file.name);
                Err(server.explain(Failure::Odd(why), None, cached, cache))
            }
        }
    }

    fn fetch(&self, net: &Downloader, listing: &Listing, choice: &Choice, names: &[String]) -> Result<(), AssetError> {
        let (server, cache) = (self.repository.server(), self.repository.cache());
        let mut wanted = Vec::new();
        for name in names.iter().map(|name| choice.full(name)) {
            match listing.files.iter().find(|file| file.name == name) {
                Some(file) => wanted.push(file.clone()),
                None => {
                    let missing = Failure::Odd(
                        "the index of the weights lists this file, but the repository does not have it".into(),
                    );
                    return Err(server.explain(missing, Some(&name), false, cache));
                }
            }
        }
        let folder = self.repository.target(&listing.revision, false);
        let fetched = self.repository.fetch(net, &listing.revision, &folder, &wanted);
        fetched.map_err(|(at, failure)| {
            server.explain(failure, wanted.get(at).map(|file| file.name.as_str()), false, cache)
        })
    }

    /// Refuses a file whose name in the cache states another digest than it has.
    fn undamaged(&self, path: &Path, found: &str) -> Result<(), AssetError> {
        match self.repository.stated(path) {
            Some((path, stated)) => {
                let io = |error| AssetError::Io { path: path.clone(), error };
                // git's object name is another digest than the computed one.
                let whole = match &stated {
                    Check::Sha256(digest) => digest == found,
                    Check::Git(_) => holds(&path, None, Some(&stated)).map_err(io)?,
                };
                match whole {
                    true => Ok(()),
                    false => Err(AssetError::Damaged { path, stated: stated.to_string(), found: found.into() }),
                }
            }
            None => Ok(()),
        }
    }

    fn not_cached(&self, file: Option<&str>) -> AssetError {
        let file = file.map(|file| format!("{file} of ")).unwrap_or_default();
        let source_ = format!("{file}{}", self.repository.server().source);
        AssetError::NotCached { source_, cache: self.repository.cache().into() }
    }
}

/// The files of splits, and all files that were read for them.
pub(super) struct Found {
    pub set: DataSet,
    /// The commit.
    pub revision: String,
    pub pins: Vec<FilePin>,
    /// The folder that names in the pins are relative to.
    pub folder: PathBuf,
}

/// Result of comparing a folder with pinned files.
pub(super) enum Compared {
    Same,
    /// At least one file is missing.
    Missing,
    /// A file's name, its pinned state, and its actual state.
    Differs(String, String, String),
}

/// Compares the files in a folder with pinned ones, by their digests.
pub(super) fn compare(folder: &Path, pins: &[FilePin]) -> Result<Compared, AssetError> {
    let path = |pin: &FilePin| files::below(folder, &pin.name);
    if !pins.iter().all(|pin| path(pin).is_some_and(|path| path.is_file())) {
        return Ok(Compared::Missing);
    }
    for pin in pins {
        let found = FilePin::of(&pin.name, &folder.join(&pin.name))?;
        if found != *pin {
            return Ok(Compared::Differs(pin.name.clone(), pin.shown(), found.shown()));
        }
    }
    Ok(Compared::Same)
}
