//! A store with one experiment.

use std::{
    fmt::Write,
    fs, io,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    limits::{EXPERIMENT_NAME, Whole},
    run_folder::RunFolder,
    yaml::{text, yaml},
};
use crate::{
    execute::ExecuteError,
    export::ExperimentFormat,
    store::{ExperimentRecord, Store},
};

/// A file store of MLflow 3.
pub struct MlFlow;

impl ExperimentFormat for MlFlow {
    fn name(&self) -> &'static str {
        "mlflow"
    }

    fn about(&self) -> &'static str {
        "for an experiment: an MLflow 3 file store"
    }

    fn write(&self, store: &Store, experiment: &str, to: &Path, at: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
        let experiment = store.experiment(experiment)?;
        let runs = store.runs_of(&experiment.name)?;
        let id = id(&experiment.name);
        let (folder, uri) = (to.join(&id), format!("{}/{id}", uri(at)));
        let created = runs.iter().map(|run| run.created_at).fold(f64::INFINITY, f64::min);
        let created = if created.is_finite() { created } else { 0.0 };
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |error| ExecuteError::Io { path, error }
        };
        let mut files = write_experiment(&experiment, &folder, (&id, &uri), created).map_err(failed(&folder))?;
        for run in &runs {
            let (steps, evals) = (store.steps(&run.key)?, store.evals(&run.key)?);
            let key = RunFolder::id(run);
            let trial = experiment.runs.iter().position(|(key, _)| *key == run.key);
            let trial = trial.and_then(|position| experiment.trials.get(position));
            let mut tags = vec![("taper.experiment", experiment.name.clone())];
            tags.push(("mlflow.source.name", experiment.spec_path.clone()));
            tags.extend(trial.map(|trial| ("taper.trial", trial.to_string())));
            let uri = format!("{uri}/{key}");
            let run = RunFolder { run, steps: &steps, evals: &evals, tags, experiment: &id, uri: &uri };
            let folder = folder.join(key);
            files.extend(run.write(&folder).map_err(failed(&folder))?);
        }
        let relative = |path: PathBuf| path.strip_prefix(to).map(Path::to_path_buf).unwrap_or(path);
        Ok(files.into_iter().map(relative).collect())
    }
}

/// An id of 18 digits, as MLflow's own, that follows from the name.
fn id(name: &str) -> String {
    let digest = Sha256::digest(name);
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{}", 100_000_000_000_000_000 + number % 900_000_000_000_000_000)
}

/// The address of a folder.
fn uri(path: &Path) -> String {
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_encoded_bytes() {
        let _ = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                write!(uri, "{}", char::from(*byte))
            }
            byte => write!(uri, "%{byte:02X}"),
        };
    }
    uri
}

/// Writes what belongs to no run. Returns the files.
fn write_experiment(
    experiment: &ExperimentRecord,
    folder: &Path,
    (id, uri): (&str, &str),
    created: f64,
) -> io::Result<Vec<PathBuf>> {
    let mut whole = Whole::default();
    let name = whole.value("experiment", "name", &experiment.name, EXPERIMENT_NAME);
    let at = ((created * 1e3).round() as i64).to_string();
    let meta = yaml(&[
        ("artifact_location", text(uri)),
        ("creation_time", at.clone()),
        ("experiment_id", text(id)),
        ("last_update_time", at),
        ("lifecycle_stage", text("active")),
        ("name", text(&name)),
    ]);
    fs::create_dir_all(folder.join("tags"))?;
    let mut files = Vec::new();
    let mut file = |name: &str, text: &str| {
        fs::write(folder.join(name), text)?;
        files.push(folder.join(name));
        io::Result::Ok(())
    };
    file("meta.yaml", &meta)?;
    if !experiment.description.is_empty() {
        file("tags/mlflow.note.content", &experiment.description)?;
    }
    if name != experiment.name {
        file("tags/taper.name", &experiment.name)?;
    }
    Ok(files)
}
