//! The models by name. Each has a current version, which has a queue and a worker of its own: when a version is replaced, it still answers what
//! waits in its queue.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicBool, Ordering},
};

use super::{
    Limits, Listener, ServeError,
    fault::{Fault, Kind},
    files::{Digests, Files},
    meters::{ModelMeters, ModelNow},
    origin::Origin,
    queue::{Bounds, Queue},
    worker::{self, Facts, Shared, Texts},
};
use crate::{execute::ExecuteError, task::Task};

/// A model as it was loaded at one time.
pub struct Version {
    /// SHA-256 of its weights file, in hex.
    pub sha256: String,
    /// What is known of it.
    pub facts: Facts,
    /// The texts that wait for it.
    pub queue: Arc<Texts>,
    failed: Arc<AtomicBool>,
}

impl Drop for Version {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A model with its current version.
pub struct Model {
    /// Where it comes from.
    pub origin: Arc<Origin>,
    /// What it has done.
    pub meters: Arc<ModelMeters>,
    /// The files that it was first loaded from.
    pub first: (Files, Digests),
    current: RwLock<Arc<Version>>,
}

/// What is said of a model when the server starts.
pub struct Summary {
    /// Its name.
    pub name: String,
    /// SHA-256 of its weights file, in hex.
    pub sha256: String,
    /// How many labels it has.
    pub labels: usize,
    /// Whether these are names of numbers.
    pub numbers: bool,
    /// Tokens that it reads at once at most.
    pub max_length: usize,
}

/// All models; the first is the one of requests that name none.
pub struct Models(Vec<Arc<Model>>);

fn start(
    origin: &Arc<Origin>,
    meters: &Arc<ModelMeters>,
    sha256: String,
    (limits, listener): (&Limits, &Listener),
) -> Result<Arc<Version>, ExecuteError> {
    let bounds = Bounds { requests: limits.queue_requests, tokens: limits.queue_tokens };
    let (queue, failed) = (Arc::new(Queue::new(bounds)), Arc::new(AtomicBool::new(false)));
    let shared =
        Shared { queue: queue.clone(), failed: failed.clone(), meters: meters.clone(), listener: listener.clone() };
    let facts = worker::start(origin, shared, limits)?;
    Ok(Arc::new(Version { sha256, facts, queue, failed }))
}

impl Model {
    fn load(origin: Origin, to: (&Limits, &Listener)) -> Result<Self, ExecuteError> {
        let (origin, meters) = (Arc::new(origin), Arc::new(ModelMeters::default()));
        // Looked at before they are read: what changes meanwhile is found later.
        let files = Files::now(&origin.folder);
        let digests = files.digests()?;
        let current = RwLock::new(start(&origin, &meters, digests.weights.clone(), to)?);
        Ok(Self { origin, meters, first: (files, digests), current })
    }

    /// The current version.
    pub fn current(&self) -> Arc<Version> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Loads the model again beside the current version, and puts it in its place. The version before it answers what waits for it.
    ///
    /// # Errors
    /// If it cannot be loaded, or its files change meanwhile: the current version stays.
    pub fn replace(&self, sha256: String, files: &Files, to: (&Limits, &Listener)) -> Result<(), ExecuteError> {
        let version = start(&self.origin, &self.meters, sha256, to)?;
        if Files::now(&self.origin.folder) != *files {
            return Err(ExecuteError::Setting("its files changed while they were read".into()));
        }
        let before = std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), version);
        // From now on nobody adds to it; who has it still sees that it is closed.
        before.queue.close();
        Ok(())
    }

    /// Whether it answers.
    pub fn is_alive(&self) -> bool {
        !self.current().failed.load(Ordering::Relaxed)
    }

    /// What is said of it when the server starts.
    pub fn summary(&self) -> Summary {
        let version = self.current();
        let Facts { reader, task, labels } = &version.facts;
        Summary {
            name: self.origin.name.clone(),
            sha256: version.sha256.clone(),
            labels: labels.len(),
            numbers: *task == Task::Regression,
            max_length: reader.long().max_length,
        }
    }

    /// Its present state, for who counts.
    pub fn now(&self) -> ModelNow<'_> {
        let version = self.current();
        ModelNow {
            name: &self.origin.name,
            sha256: version.sha256.clone(),
            alive: self.is_alive(),
            load: version.queue.load(),
            meters: &self.meters,
        }
    }
}

impl Models {
    /// Loads all of them.
    ///
    /// # Errors
    /// If one cannot be loaded, has a name that cannot be part of a path, or the name of another.
    pub fn load(origins: Vec<Origin>, limits: &Limits, listener: &Listener) -> Result<Self, ServeError> {
        for (at, Origin { name, .. }) in origins.iter().enumerate() {
            if name.is_empty() || name.starts_with('.') || !name.chars().all(is_of_name) {
                return Err(ServeError::Name(name.clone()));
            }
            if origins[..at].iter().any(|other| other.name == *name) {
                return Err(ServeError::SameName(name.clone()));
            }
        }
        let load = |origin: Origin| {
            let name = origin.name.clone();
            let model = Model::load(origin, (limits, listener));
            model.map(Arc::new).map_err(|error| ServeError::Model { name, error: Box::new(error) })
        };
        Ok(Self(origins.into_iter().map(load).collect::<Result<_, _>>()?))
    }

    /// All of them.
    pub fn all(&self) -> &[Arc<Model>] {
        &self.0
    }

    /// The model that a request names, or the first.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn named(&self, name: Option<&str>) -> Result<&Arc<Model>, Fault> {
        let Some(name) = name else { return Ok(&self.0[0]) };
        self.0.iter().find(|model| model.origin.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.0.iter().map(|model| model.origin.name.as_str()).collect();
            let name = crate::format::bounded(name, 100);
            Fault::new(Kind::NotFound, format!("there is no model `{name}`: expected {}", names.join(", ")))
        })
    }
}

/// Whether the name of a model may have this character.
pub fn is_of_name(c: char) -> bool {
    c.is_alphanumeric() || "-_.=".contains(c)
}
