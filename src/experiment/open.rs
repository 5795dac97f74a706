//! Opening and planning.

use std::path::{Path, PathBuf};

use super::{ExperimentError, Layers, Planner};
use crate::{
    assets::{Library, Listener, Lock, Settings},
    execute::{DeviceChoice, Prepared, Workbench},
    model::ModelConfig,
    spec::LoadedSpec,
    store::{Store, is_locked},
};

/// How an experiment is opened.
#[derive(Clone)]
pub struct Options {
    /// Folder of the database, the models and the reports.
    pub runs: PathBuf,
    /// Where runs are trained.
    pub devices: Vec<DeviceChoice>,
    /// Keys that are set above the file, each `KEY=VALUE`.
    pub sets: Vec<String>,
    /// The profile of the file that applies.
    pub profile: Option<String>,
    /// Variables that set keys too, such as [`environment`](super::environment)'s.
    pub variables: Vec<(String, String)>,
    /// Whether models and data come from the cache alone.
    pub offline: bool,
    /// Who hears of downloads.
    pub downloads: Listener,
}

impl Default for Options {
    /// As `taper` without options, but that no variable of the environment sets a key, and nobody hears of downloads.
    fn default() -> Self {
        Self {
            runs: "runs".into(),
            devices: vec![DeviceChoice::Auto],
            sets: Vec::new(),
            profile: None,
            variables: Vec::new(),
            offline: false,
            downloads: std::sync::Arc::new(|_| {}),
        }
    }
}

/// A spec file, opened.
pub struct Experiment {
    pub(super) options: Options,
    layers: Layers,
    spec: LoadedSpec,
    /// What it means, once that was asked for.
    pub(super) planner: Option<Planner>,
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
        Ok(Self { options, layers, spec, planner: None })
    }

    /// The spec, all layers together.
    pub fn spec(&self) -> &LoadedSpec {
        &self.spec
    }

    /// The file and what lies over it.
    pub fn layers(&self) -> &Layers {
        &self.layers
    }

    /// Where models and data come from, pinned by the lock beside the spec.
    ///
    /// # Errors
    /// A lock or settings that cannot be used.
    pub fn library(&self) -> Result<Library, ExperimentError> {
        let lock = Lock::beside(&self.layers.spec)?;
        let suits = |config: &Path| ModelConfig::check_kind(config).map_err(|e| e.to_string());
        let library = Library::new(Settings::from_env(self.options.offline)?).with_lock(lock);
        Ok(library.with_listener(self.options.downloads.clone()).with_look(suits))
    }

    /// The runs of the experiment, trial by trial, as far as they are known: a search that learns proposes more when these have
    /// results. Downloads and reads data and models, and checks everything that can be checked before training.
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
            // Runs whose process is gone, as far as that can be written.
            match store.interrupt_dead(|key| is_locked(runs, key)) {
                Err(e) if !e.is_about_writing() => return Err(e.into()),
                _ => {}
            }
        }
        let bench = Workbench::new(self.library()?);
        Ok(&self.plan_with(store.as_ref(), bench)?.runs)
    }

    /// The same from what a store holds, with a workbench.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub fn plan_with(&mut self, store: Option<&Store>, bench: Workbench) -> Result<&Planner, ExperimentError> {
        let (layers, spec) = (self.layers.clone(), self.spec.clone());
        let planner = Planner::new(layers, spec, &self.options.devices, store, bench)?;
        Ok(self.planner.insert(planner))
    }
}
