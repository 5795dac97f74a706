//! From planned runs to trained ones.
//!
//! [`Workbench`] reads and splits data and finds models, once for all runs that share them, and checks everything that can be checked
//! before training. [`run_all`] submits the runs that are not done to an executor (`executor`): worker processes on this machine
//! (`local`), each of which serves one slot (a device, or a share of a device and of the CPU's cores) and trains one run at a time
//! ([`serve`]). A worker that dies loses no more than the steps since its last checkpoint. Only the command writes to the database.
//!
//! `schedule` decides which run is next and what follows from how it ended; `run` connects it with the workers of this machine;
//! `protocol` is what the command and its workers say to each other; `make` trains one run.

mod device;
mod environment;
mod executor;
mod folder;
mod judge;
mod kept;
mod line;
mod local;
mod logged;
mod make;
mod own;
mod precision;
mod prepare;
mod probes;
mod protocol;
mod rate;
mod remove;
mod run;
mod schedule;
mod scores;
mod side_by_side;
mod trained;
mod trained_on;
mod verify;
mod waste;
mod worker;

pub use device::{DeviceChoice, set_threads, threads};
pub use environment::{environment, processor};
pub use executor::Slot;
pub use folder::RunFolder;
pub use kept::{Damaged, Kept, lost};
pub use precision::check_engine;
pub use prepare::{Prepared, Workbench};
pub use rate::training_rate;
pub use remove::{Planning, remove_runs, run_bytes};
pub use run::{Workers, run_all};
pub use schedule::{Outcome, SchedulerOptions, Skipped, Tally};
pub use scores::trial_scores;
pub use side_by_side::RunsPerDevice;
pub use trained::Trained;
pub use trained_on::training_texts;
pub use verify::{Difference, TOLERANCE, Verification, Verifier, verify_folder};
pub use waste::{Waste, find_unknown, find_waste, remove_waste};
pub use worker::serve;

/// What can go wrong around a run.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Something in a run's settings that only its data or model could show.
    #[error("{0}")]
    Setting(String),
    /// The data.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// Where model or data come from.
    #[error(transparent)]
    Asset(#[from] crate::assets::AssetError),
    /// Where the source that a key of the spec names cannot be had.
    #[error("{error}")]
    Source {
        /// `data.source` or `model.source`.
        key: &'static str,
        /// Why. No source of the error: the message says it already.
        error: crate::assets::AssetError,
    },
    /// Files that a run is made from, and that are not what its key says.
    #[error("{0}: the run would be stored as one of other files; run the same command again")]
    Unlike(crate::assets::Unlike),
    /// A model that a run kept.
    #[error(transparent)]
    Kept(#[from] Damaged),
    /// The model.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// Training.
    #[error(transparent)]
    Train(#[from] crate::train::TrainError),
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
    /// A listener.
    #[error(transparent)]
    Observe(#[from] crate::observe::ObserveError),
    /// A file or folder of a run.
    #[error("{}: {}", path.display(), crate::format::io(error))]
    Io {
        /// Which.
        path: std::path::PathBuf,
        /// Why. No source of the error: the message says it already.
        error: std::io::Error,
    },
    /// A worker process.
    #[error("{0}")]
    Worker(String),
    /// A device that is not here.
    #[error("{0}")]
    Device(String),
    /// Arithmetic failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl From<crate::assets::Unlike> for ExecuteError {
    fn from(error: crate::assets::Unlike) -> Self {
        match error {
            crate::assets::Unlike::Unreadable(e) => Self::Asset(e),
            error => Self::Unlike(error),
        }
    }
}
