//! From planned runs to trained ones.
//!
//! [`Workbench`] reads and splits data and finds models, once for all runs that share them, and checks everything that can be checked
//! before training. [`run_all`] submits the runs that are not done to an executor (`executor`): worker processes on this machine
//! (`local`), each of which has one slot (a device, or a share of a device and of the CPU's cores) and trains one run at a time
//! ([`work_for_command`]); or jobs of a cluster (`slurm`). A worker that dies loses no more than the steps since its last checkpoint. Only the command writes to the database.
//!
//! `schedule` decides which run is next and what follows from its end; `run` connects it with an executor; `protocol` has the
//! messages between the command and its workers; `train_run` trains one run in a worker.

mod audit;
mod checks;
mod classifier;
mod connection;
mod data_files;
mod decision_file;
mod device;
mod element;
mod ensemble;
mod environment;
mod executor;
mod folder;
mod kept;
mod local;
mod owned_files;
mod precision;
mod prepare;
mod probes;
mod protocol;
mod rates;
mod reading;
mod remove;
mod result_warning;
mod run;
mod runs_per_device;
mod schedule;
mod scores;
mod slurm;
mod speed;
mod stored_progress;
mod text_reader;
mod train_run;
mod undefined;
mod used_rows;
mod verify;
mod waste;
mod worker;

pub use classifier::Classifier;
pub use device::{DeviceChoice, set_threads, threads};
pub use element::{
    Asked, Collected, ElementEnd, ElementOptions, ShardError, SubmissionFolder, SubmitOptions, Submitted, attend,
    collect, write_jobs, write_shard,
};
pub use ensemble::Ensemble;
pub use environment::{environment, processor};
pub use executor::Slot;
pub use folder::{RunFolder, TrainedModel};
pub use kept::{Damaged, Kept, lost};
pub use precision::{check_engine, check_precision};
pub use prepare::{Prepared, Workbench};
pub use rates::GroupRates;
pub use remove::{Planning, remove_runs, run_bytes};
pub use run::{Workers, run_all};
pub use runs_per_device::RunsPerDevice;
pub use schedule::{Outcome, SchedulerOptions, Skipped, Tally, is_left};
pub use scores::trial_scores;
pub use slurm::{JobScript, SlurmJobs};
pub use speed::training_rate;
pub use text_reader::TextReader;
pub use used_rows::{ChosenOnDev, UsedRows, chosen_on_dev};
pub use verify::{Difference, TOLERANCE, Verification, Verifier};
pub use waste::{Waste, find_unknown, find_waste, remove_waste};
pub use worker::work_for_command;

/// A problem of a run's settings that only its data or model could show.
#[derive(Debug)]
pub struct SettingProblem {
    /// The key that it is about: `probes.0.expect`.
    pub key: String,
    /// What is wrong, and what to do.
    pub message: String,
}

fn one_a_line(problems: &[SettingProblem]) -> String {
    problems.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("\n")
}

fn each(sources: &[(&'static str, crate::assets::AssetError)]) -> String {
    sources.iter().map(|(key, error)| format!("{key}: {error}")).collect::<Vec<_>>().join("\n")
}

/// An error around a run.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// A problem with a run's settings that only its data or model show.
    #[error("{0}")]
    Setting(String),
    /// All such problems at once, each with its key.
    #[error("{}", one_a_line(_0))]
    Settings(Vec<SettingProblem>),
    /// The data.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// Where model or data come from.
    #[error(transparent)]
    Asset(#[from] crate::assets::AssetError),
    /// The source that a key of the spec names is not available.
    #[error("{error}")]
    Source {
        /// `model.source`.
        key: &'static str,
        /// Why. No source of the error: the message says it already.
        error: crate::assets::AssetError,
    },
    /// The same of the files of a dataset, each with its key.
    #[error("{}", each(_0))]
    Sources(Vec<(&'static str, crate::assets::AssetError)>),
    /// Files of a run that changed since they were digested for its key.
    #[error("{0}: the run would be stored as trained on the wrong files; run the same command again")]
    Unlike(crate::assets::Unlike),
    /// A model that a run kept.
    #[error(transparent)]
    Kept(#[from] Damaged),
    /// A file of such a model that cannot be read now, which does not mean that it is damaged.
    #[error("{0}; the model may be sound, so it is not trained again")]
    Unreadable(crate::assets::AssetError),
    /// The model.
    #[error(transparent)]
    Model(#[from] crate::model::ModelError),
    /// Training.
    #[error(transparent)]
    Train(#[from] crate::train::TrainError),
    /// The file of a run's reports.
    #[error(transparent)]
    Shard(#[from] ShardError),
    /// The cluster.
    #[error(transparent)]
    Cluster(#[from] crate::cluster::ClusterError),
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
    /// A device that is not available.
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
