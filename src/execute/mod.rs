//! The execute room: from planned runs to trained ones.
//!
//! [`Workbench`] reads and splits data and finds models, each once for all runs that share it, and checks everything that
//! can be checked before training. [`run_all`] trains what is not done, one run after the other.

mod device;
mod environment;
mod folder;
mod precision;
mod prepare;
mod probes;
mod rate;
mod remove;
mod run;
mod trained;
mod verify;
mod waste;

pub use device::{DeviceChoice, set_threads, threads};
pub use environment::environment;
pub use folder::RunFolder;
pub use precision::check_precision;
pub use prepare::{Prepared, Workbench};
pub use rate::training_rate;
pub use remove::{remove_runs, run_bytes};
pub use run::{Runner, Tally, run_all};
pub use trained::Trained;
pub use verify::{Difference, TOLERANCE, Verification, Verifier, verify_folder};
pub use waste::{Waste, find_waste, remove_waste};

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
    /// A device that is not here.
    #[error("{0}")]
    Device(String),
    /// Arithmetic failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}
