//! TensorBoard's event files: a folder for each run with its curves and settings, and one file above them for the HPARAMS tab.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::ExperimentFormat;
use crate::{
    event::{Split, When},
    execute::ExecuteError,
    metrics::Metric,
    store::{RunRecord, Store},
    tracker::{Domain, EventFile, Hyperparameters, Session, Setting, flat, folder_of, history, tag},
};

/// Settings that have a column even if all runs have the same.
const SHOWN: [&str; 7] =
    ["model.source", "data.source", "data.max_length", "train.epochs", "train.batch_size", "train.lr", "train.seed"];

/// The most values of a setting that are listed.
const LISTED: usize = 50;

/// Event files of TensorBoard.
pub struct TensorBoard;

impl ExperimentFormat for TensorBoard {
    fn name(&self) -> &'static str {
        "tensorboard"
    }

    fn about(&self) -> &'static str {
        "for an experiment: event files with curves and settings for TensorBoard"
    }

    fn write(&self, store: &Store, experiment: &str, to: &Path, _: &Path) -> Result<Vec<PathBuf>, ExecuteError> {
        let experiment = store.experiment(experiment)?;
        let runs = store.runs_of(&experiment.name)?;
        let settings: Vec<Vec<(String, Value)>> = runs.iter().map(|run| flat(&run.config)).collect();
        let mut files = Vec::new();
        let mut written = |folder: &Path, write: &dyn Fn() -> io::Result<PathBuf>| {
            let path = write().map_err(|error| ExecuteError::Io { path: folder.into(), error })?;
            files.push(path.strip_prefix(to).unwrap_or(&path).to_path_buf());
            Ok::<(), ExecuteError>(())
        };
        let created = runs.iter().map(|run| run.created_at).fold(f64::INFINITY, f64::min);
        let created = if created.is_finite() { created } else { 0.0 };
        let all = Hyperparameters {
            experiment: &experiment.name,
            description: &experiment.description,
            settings: &columns(&settings),
            metrics: &results(&runs),
            created,
        };
        written(to, &|| {
            let mut file = EventFile::create(to, created)?;
            file.hyperparameters(&all, created)?;
            closed(file)
        })?;
        for (run, settings) in runs.iter().zip(&settings) {
            let (steps, evals) = (store.steps(&run.key)?, store.evals(&run.key)?);
            let name = folder_of(&run.name, &run.key);
            let folder = to.join(&name);
            written(&folder, &|| {
                let began = run.started_at.unwrap_or(run.created_at);
                let mut file = EventFile::create(&folder, began)?;
                file.session(&Session::Start { name: &name, settings, began }, began)?;
                history(run, &steps, &evals).try_for_each(|point| file.add(&point))?;
                if let Some(ended) = run.finished_at {
                    file.session(&Session::End { state: run.state, ended }, ended)?;
                }
                closed(file)
            })?;
        }
        Ok(files)
    }
}

/// Writes the rest of a file, and returns its path.
fn closed(file: EventFile) -> io::Result<PathBuf> {
    let path = file.path().to_path_buf();
    file.finish().map(|()| path)
}

/// The columns of the settings: those in which runs differ come first.
fn columns(runs: &[Vec<(String, Value)>]) -> Vec<Setting> {
    let mut names: Vec<&String> = Vec::new();
    for (name, _) in runs.iter().flatten() {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let setting = |name: &String| {
        let of_run =
            |run: &Vec<(String, Value)>| run.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone());
        let found: Vec<Option<Value>> = runs.iter().map(of_run).collect();
        let differs = found.iter().any(|value| *value != found[0]);
        let mut values: Vec<Value> = Vec::new();
        for value in found.into_iter().flatten() {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let numbers = values.iter().all(Value::is_number);
        let domain = if numbers && values.len() > LISTED { Domain::Numbers } else { Domain::Values(values) };
        Setting { name: name.clone(), domain, differs }
    };
    let mut columns: Vec<Setting> = names.into_iter().map(setting).collect();
    columns.retain(|column| column.differs || SHOWN.contains(&column.name.as_str()));
    columns.sort_by_key(|column| !column.differs);
    columns
}

/// The columns of the results of the kept weights: of each split the metric that chooses, those that results are shown by, and the loss.
fn results(runs: &[RunRecord]) -> Vec<(String, String)> {
    let splits: BTreeSet<Split> = runs
        .iter()
        .flat_map(|run| {
            let data = &run.config.data;
            [(data.has_test(), Split::Test), (data.has_dev(), Split::Dev)]
        })
        .filter_map(|(has, split)| has.then_some(split))
        .collect();
    let mut metrics: Vec<Metric> = Vec::new();
    for run in runs {
        let shown = run.final_metrics.iter().flat_map(|metrics| metrics.headline());
        for metric in [run.config.checkpoint.metric].into_iter().chain(shown).chain([Metric::Loss]) {
            if !metrics.contains(&metric) {
                metrics.push(metric);
            }
        }
    }
    let of = |split: Split| {
        let word = if split == Split::Test { "test" } else { "dev" };
        metrics.iter().map(move |metric| (tag(When::After, split, *metric), format!("{word} {}", metric.info().name)))
    };
    // Test before dev.
    splits.into_iter().rev().flat_map(of).collect()
}
