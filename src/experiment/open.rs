//! Opens and plans experiments.

use std::path::{Path, PathBuf};

use super::{ExperimentError, Layers, Planner};
use crate::{
    assets::{Library, Listener, Lock, Settings},
    data,
    execute::{DeviceChoice, Prepared, Workbench},
    model::ModelConfig,
    spec::LoadedSpec,
    store::{Before, ExperimentRecord, Store},
};

/// Options for opening an experiment.
#[derive(Clone)]
pub struct Options {
    /// Folder of the database, the models and the reports.
    pub runs: PathBuf,
    /// Devices to train on.
    pub devices: Vec<DeviceChoice>,
    /// Keys that override the file, each `KEY=VALUE`.
    pub sets: Vec<String>,
    /// The profile to apply.
    pub profile: Option<String>,
    /// Environment variables that may set keys, such as [`environment`](super::environment)'s.
    pub variables: Vec<(String, String)>,
    /// Whether models and data are read from the cache only.
    pub offline: bool,
    /// Receives the progress of downloads.
    pub downloads: Listener,
    /// Receives the progress of reading and tokenising data.
    pub reading: data::Listener,
}

impl Default for Options {
    /// Like `taper` without options, except that environment variables set no keys, and no progress of downloads and of reading is reported.
    fn default() -> Self {
        Self {
            runs: "runs".into(),
            devices: vec![DeviceChoice::Auto],
            sets: Vec::new(),
            profile: None,
            variables: Vec::new(),
            offline: false,
            downloads: std::sync::Arc::new(|_| {}),
            reading: data::silent(),
        }
    }
}

/// An opened spec file.
pub struct Experiment {
    pub(super) options: Options,
    layers: Layers,
    spec: LoadedSpec,
    /// Its runs, once planned.
    pub(super) planner: Option<Planner>,
    /// The plan that was stored to be submitted, and what was stored before it.
    pub(super) stored: Option<(ExperimentRecord, Before)>,
}

impl Experiment {
    /// Reads and checks a spec file. Reads no data and no model.
    ///
    /// # Errors
    /// Every problem of the file, with its line.
    pub fn open(spec: impl AsRef<Path>, options: Options) -> Result<Self, ExperimentError> {
        let (sets, profile, variables) = (options.sets.clone(), options.profile.clone(), options.variables.clone());
        let layers = Layers { spec: spec.as_ref().into(), sets, profile, variables };
        let spec = layers.load()?;
        Ok(Self { options, layers, spec, planner: None, stored: None })
    }

    /// The merged spec.
    pub fn spec(&self) -> &LoadedSpec {
        &self.spec
    }

    /// The file and what overrides it.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Finds models and data, pinned by the lock beside the spec.
    ///
    /// # Errors
    /// The lock or the settings are invalid.
    pub fn library(&self) -> Result<Library, ExperimentError> {
        let lock = Lock::beside(&self.layers.spec)?;
        let suits = |config: &Path| ModelConfig::check_kind(config).map_err(|e| e.to_string());
        let library = Library::new(Settings::from_env(self.options.offline)?).with_lock(lock);
        Ok(library.with_listener(self.options.downloads.clone()).with_check(suits))
    }

    /// A workbench that prepares its runs.
    ///
    /// # Errors
    /// As [`Self::library`].
    pub fn workbench(&self) -> Result<Workbench, ExperimentError> {
        Ok(Workbench::new(self.library()?).with_listener(self.options.reading.clone()))
    }

    /// The runs of the experiment, trial by trial, as far as they are known: a search that learns proposes more when these have results.
    /// Downloads and reads data and models, and checks everything that can be checked before training.
    ///
    /// # Errors
    /// All problems of all runs.
    pub fn plan(&mut self) -> Result<&[Prepared], ExperimentError> {
        let runs = &self.options.runs;
        let mut store = match Store::is_there(runs) {
            true => Some(Store::open_existing(runs).map_err(ExperimentError::NoStore)?),
            false => None,
        };
        if let Some(store) = &mut store {
            store.interrupt_abandoned()?;
        }
        let bench = self.workbench()?;
        Ok(&self.plan_with(store.as_ref(), bench)?.runs)
    }

    /// Like [`Self::plan`], with the records of a store and a given workbench.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn plan_with(&mut self, store: Option<&Store>, bench: Workbench) -> Result<&Planner, ExperimentError> {
        let (layers, spec) = (self.layers.clone(), self.spec.clone());
        let planner = Planner::new(layers, spec, &self.options.devices, store, bench)?;
        Ok(self.planner.insert(planner))
    }
}
