//! Finds the files of all kinds of sources.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{
    AssetError, DataFile, DataSet, FilePin, Listener, Lock, ModelFiles, Pin, Settings, Use,
    download::Downloader,
    files,
    hub::Hub,
    local,
    modelscope::ModelScope,
    repository::{Compared, Found, Lookup, Repository, Suits, compare},
    web,
};
use crate::plan::{Part, Source};

/// Where a source's files were found, and their state: enough to find them again without any request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Located {
    /// Their state.
    pub pin: Pin,
    /// The folder that names in the pin are relative to.
    #[serde(with = "crate::format::path")]
    pub folder: PathBuf,
}

/// How a source is used, the source, and `data.file`.
type Wanted = (Use, String, Option<String>);

/// Finds the files of sources.
pub struct Library {
    settings: Settings,
    lock: Option<Lock>,
    update: bool,
    listener: Listener,
    suits: Suits,
    /// Sources whose files are already known.
    located: Vec<Located>,
    /// Sources that are unavailable, and why: a sweep requests the same ones repeatedly.
    refused: Vec<(Wanted, String)>,
}

impl Library {
    /// A library with the given settings.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            lock: None,
            update: false,
            listener: Arc::new(|_| {}),
            suits: |_| Ok(()),
            located: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// Adds a lock: its pins are used, and newly resolved sources are added to it.
    #[must_use]
    pub fn with_lock(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Adds a listener, which receives the progress of downloads.
    #[must_use]
    pub fn with_listener(mut self, listener: Listener) -> Self {
        self.listener = listener;
        self
    }

    /// Adds a check of a model's config.json after it is downloaded: if refused, the weights are not downloaded.
    #[must_use]
    pub fn with_check(mut self, suits: Suits) -> Self {
        self.suits = suits;
        self
    }

    /// Resolves everything again, regardless of the lock and the cache.
    #[must_use]
    pub fn updating(mut self) -> Self {
        self.update = true;
        if let Some(lock) = &mut self.lock {
            lock.renew();
        }
        self
    }

    /// The lock, with pins added since it was read.
    pub fn lock(&mut self) -> Option<&mut Lock> {
        self.lock.as_mut()
    }

    /// The download settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// All remote sources found so far.
    pub fn located(&self) -> &[Located] {
        &self.located
    }

    /// Adds sources that another process has found.
    pub fn know(&mut self, located: &[Located]) {
        for one in located {
            let pin = &one.pin;
            self.located.retain(|known| !known.pin.is_of(pin.used_as, &pin.source, pin.file.as_deref()));
            self.located.push(one.clone());
        }
    }

    /// The files of the model that `source` names, downloaded if needed.
    ///
    /// # Errors
    /// Anything missing, refused, unreachable or not as expected; see [`AssetError`]. [`AssetError::NoFiles`] for `scratch:`, which has no
    /// files.
    pub fn model(&mut self, source: &Source) -> Result<ModelFiles, AssetError> {
        self.once(Use::Model, source, None, |library| library.find_model(source))
    }

    /// The data file that `source` names; `file` chooses among those of a repository.
    ///
    /// # Errors
    /// As for [`Self::model`]; [`AssetError::SeveralDataFiles`] if a repository has several and none is chosen.
    pub fn data(&mut self, source: &Source, file: Option<&str>) -> Result<DataFile, AssetError> {
        self.once(Use::Data, source, file, |library| library.find_data(source, file))
    }

    /// The files of the splits of a dataset, by their names; `config` chooses a configuration.
    ///
    /// # Errors
    /// As for [`Self::model`]; [`AssetError::Splits`] if the dataset has no such configuration or split.
    pub fn data_set(&mut self, source: &Source, part: &Part) -> Result<DataSet, AssetError> {
        let key = part.key();
        self.once(Use::Data, source, key.as_deref(), |library| match part {
            Part::Splits { config, names } => library.find_data_set(source, config.as_deref(), names, key.as_deref()),
            Part::File(file) => {
                let found = library.find_data(source, file.as_deref())?;
                Ok(DataSet { splits: vec![vec![found.path]], config: None, classes: BTreeMap::new() })
            }
        })
    }

    fn find_data_set(
        &mut self,
        source: &Source,
        config: Option<&str>,
        names: &[String],
        key: Option<&str>,
    ) -> Result<DataSet, AssetError> {
        let repository: Box<dyn Repository + '_> = match source {
            Source::Path(folder) => return local::data_set(folder, config, names),
            Source::Scratch(_) | Source::Web(_) => return Err(AssetError::NoFiles(source.shown())),
            Source::Hub(repository) => Box::new(Hub::new(&self.settings, Use::Data, repository)?),
            Source::ModelScope(repository) => Box::new(ModelScope::new(&self.settings, Use::Data, repository)?),
        };
        let net = self.net();
        // What is known already is found again as a lock's files are, without any request.
        let known = self.known(Use::Data, source, key)?.map(|known| known.pin.clone());
        let pinned = match &known {
            Some(pin) => Some((pin, self.lock.as_ref().map_or(Path::new(""), Lock::path))),
            None => self.pinned(Use::Data, source, key),
        };
        let Found { set, revision, pins, folder } =
            self.lookup(repository.as_ref(), net.as_ref(), pinned).data_set(config, names)?;
        drop(repository);
        self.found(pin(Use::Data, source, key, Some(revision), pins), folder);
        Ok(set)
    }

    /// Looks a source up, unless it is already known to be unavailable.
    fn once<T>(
        &mut self,
        used_as: Use,
        source: &Source,
        file: Option<&str>,
        find: impl FnOnce(&mut Self) -> Result<T, AssetError>,
    ) -> Result<T, AssetError> {
        let key = (used_as, source.shown(), file.map(String::from));
        if let Some((_, why)) = self.refused.iter().find(|(known, _)| *known == key) {
            return Err(AssetError::Refused(why.clone()));
        }
        let found = find(self);
        found.inspect_err(|error| {
            if source.is_remote() {
                self.refused.push((key, error.to_string()));
            }
        })
    }

    fn find_model(&mut self, source: &Source) -> Result<ModelFiles, AssetError> {
        let (repository, part): (Box<dyn Repository + '_>, _) = match source {
            Source::Path(folder) => return local::model(folder),
            Source::Scratch(_) => return Err(AssetError::NoFiles(source.shown())),
            Source::Web(_) => return Err(AssetError::NoModel(source.shown())),
            Source::Hub(repository) => {
                (Box::new(Hub::new(&self.settings, Use::Model, repository)?), repository.file.as_deref())
            }
            Source::ModelScope(repository) => {
                (Box::new(ModelScope::new(&self.settings, Use::Model, repository)?), repository.file.as_deref())
            }
        };
        if let Some(known) = self.known(Use::Model, source, None)? {
            let has = |name: &str| known.pin.files.iter().any(|file| file.name == name);
            let choice = files::choose(&source.shown(), part, has)?;
            return files::collect(&known.folder, &choice, known.pin.revision.clone(), &known.pin.files);
        }
        let net = self.net();
        let model =
            self.lookup(repository.as_ref(), net.as_ref(), self.pinned(Use::Model, source, None)).model(part)?;
        let folder = root(&model.folder, &model.files[0].name);
        drop(repository);
        let pin = pin(Use::Model, source, None, model.revision.clone(), model.files.clone());
        self.found(pin, folder);
        Ok(model)
    }

    fn find_data(&mut self, source: &Source, file: Option<&str>) -> Result<DataFile, AssetError> {
        let repository = match source {
            Source::Hub(repository) | Source::ModelScope(repository) => Some(repository),
            _ => None,
        };
        let wanted = match (repository.and_then(|repository| repository.file.as_deref()), file, repository) {
            (Some(named), Some(file), _) if named != file => {
                return Err(AssetError::TwoFiles { file: file.into(), source_: source.shown() });
            }
            (_, Some(file), None) => {
                return Err(AssetError::TwoFiles { file: file.into(), source_: source.shown() });
            }
            (named, file, _) => named.or(file),
        };
        match source {
            Source::Path(path) => return local::data(path),
            Source::Scratch(_) => return Err(AssetError::NoFiles(source.shown())),
            Source::Hub(_) | Source::ModelScope(_) | Source::Web(_) => {}
        }
        if let Some(known) = self.known(Use::Data, source, file)? {
            let pin = known.pin.files[0].clone();
            let (path, revision) = (known.folder.join(&pin.name), known.pin.revision.clone());
            return Ok(DataFile { path, revision, pin: Some(pin) });
        }
        let net = self.net();
        let pinned = self.pinned(Use::Data, source, file);
        let repository: Option<Box<dyn Repository + '_>> = match source {
            Source::Hub(repository) => Some(Box::new(Hub::new(&self.settings, Use::Data, repository)?)),
            Source::ModelScope(repository) => Some(Box::new(ModelScope::new(&self.settings, Use::Data, repository)?)),
            _ => None,
        };
        let data = match (&repository, source) {
            (Some(repository), _) => self.lookup(repository.as_ref(), net.as_ref(), pinned).data(wanted)?,
            (None, Source::Web(file)) => web::data(&self.settings, file, net.as_ref(), pinned, self.update)?,
            (None, _) => return Err(AssetError::NoFiles(source.shown())),
        };
        drop(repository);
        if let Some(file_pin) = data.pin.clone() {
            let folder = root(data.path.parent().unwrap_or(Path::new("")), &file_pin.name);
            self.found(pin(Use::Data, source, file, data.revision.clone(), vec![file_pin]), folder);
        }
        Ok(data)
    }

    /// `None` if connections are not allowed.
    fn net(&self) -> Option<Downloader> {
        (!self.settings.offline).then(|| Downloader::new(&self.settings, self.listener.clone()))
    }

    fn lookup<'a>(
        &self,
        repository: &'a dyn Repository,
        net: Option<&'a Downloader>,
        pin: Option<(&'a Pin, &'a Path)>,
    ) -> Lookup<'a> {
        Lookup { repository, net, pin, suits: self.suits }
    }

    fn pinned(&self, used_as: Use, source: &Source, file: Option<&str>) -> Option<(&Pin, &Path)> {
        let lock = self.lock.as_ref()?;
        Some((lock.find(used_as, &source.shown(), file)?, lock.path()))
    }

    /// Where a source's files are, if they are known and unchanged.
    fn known(&self, used_as: Use, source: &Source, file: Option<&str>) -> Result<Option<&Located>, AssetError> {
        let source = source.shown();
        let Some(known) = self.located.iter().find(|known| known.pin.is_of(used_as, &source, file)) else {
            return Ok(None);
        };
        match compare(&known.folder, &known.pin.files)? {
            Compared::Same if !known.pin.files.is_empty() => Ok(Some(known)),
            _ => Ok(None),
        }
    }

    fn found(&mut self, pin: Pin, folder: PathBuf) {
        if let Some(lock) = &mut self.lock
            && lock.find(pin.used_as, &pin.source, pin.file.as_deref()).is_none()
        {
            lock.add(pin.clone());
        }
        self.know(&[Located { pin, folder }]);
    }
}

impl Default for Library {
    /// With the settings of the environment, without a lock.
    fn default() -> Self {
        Self::new(Settings::unchecked())
    }
}

fn pin(used_as: Use, source: &Source, file: Option<&str>, revision: Option<String>, files: Vec<FilePin>) -> Pin {
    Pin { used_as, source: source.shown(), file: file.map(String::from), revision, files }
}

/// The folder that a file's name in its repository is relative to, given the folder of the file.
fn root(folder: &Path, name: &str) -> PathBuf {
    let depth = name.matches('/').count();
    folder.ancestors().nth(depth).unwrap_or(folder).to_path_buf()
}
