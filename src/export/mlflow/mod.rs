//! MLflow's file store: folders and small files (`mlflow/store/tracking/file_store.py`, MLflow 3.17). What its limits do not allow is cut, and then
//! whole in an artifact of the run.

mod exporter;
mod limits;
mod run_folder;
mod yaml;

pub use exporter::MlFlow;
