//! The folder of a run.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    limits::{PARAMETER, RUN_NAME, TAG, Whole},
    yaml::{text, yaml},
};
use crate::{
    store::{EvalRecord, RunRecord, RunState, StepRecord},
    tracker::{flat, history, split},
};

/// The artifact with what was cut or renamed.
const WHOLE: &str = "artifacts/mlflow-limits.json";

/// What MLflow calls how a run is: `RunStatus`.
fn status(state: RunState) -> u8 {
    match state {
        RunState::Running => 1,
        RunState::Pending => 2,
        RunState::Completed => 3,
        RunState::Failed => 4,
        // Stopped before its end.
        RunState::Pruned | RunState::Interrupted | RunState::Waiting => 5,
    }
}

fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

/// A run with what is written of it.
pub(super) struct RunFolder<'a> {
    pub run: &'a RunRecord,
    pub steps: &'a [StepRecord],
    pub evals: &'a [EvalRecord],
    /// More tags.
    pub tags: Vec<(&'static str, String)>,
    /// The id of the experiment.
    pub experiment: &'a str,
    /// Address of the folder in the end.
    pub uri: &'a str,
}

impl RunFolder<'_> {
    /// Its id.
    pub fn id(run: &RunRecord) -> &str {
        &run.key[..run.key.len().min(32)]
    }

    /// Writes it. Returns its files.
    pub fn write(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        let mut whole = Whole::default();
        let mut files = vec![folder.join("meta.yaml")];
        for part in ["metrics", "params", "tags", "artifacts"] {
            fs::create_dir_all(folder.join(part))?;
        }
        let name = whole.value("tag", "mlflow.runName", &self.run.name, RUN_NAME);
        fs::write(&files[0], self.meta(&name))?;
        self.write_metrics(folder, &mut whole, &mut files)?;
        let mut small = |path: String, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(&path, text)?;
            files.push(path);
            io::Result::Ok(())
        };
        for (name, value) in flat(&self.run.config) {
            let value = if let Value::String(text) = value { text } else { value.to_string() };
            let name = whole.name("param", "", &name);
            let value = whole.value("param", &name, &value, PARAMETER);
            small(format!("params/{name}"), &value)?;
        }
        let run = self.run;
        let environment = run.environment.as_ref();
        let own = [
            ("mlflow.runName", Some(name)),
            ("mlflow.source.type", Some("LOCAL".to_string())),
            ("mlflow.source.git.commit", environment.and_then(|e| e.git_commit.clone())),
            ("mlflow.note.content", run.message.clone()),
            ("taper.key", Some(run.key.clone())),
            ("taper.state", Some(run.state_text())),
            ("taper.version", environment.map(|e| e.taper.clone())),
            ("taper.device", environment.map(|e| e.device_in_full())),
        ];
        let own = own.into_iter().filter_map(|(name, value)| Some((name, value?)));
        for (name, value) in own.chain(self.tags.iter().map(|(name, value)| (*name, value.clone()))) {
            let value = whole.value("tag", name, &value, TAG);
            small(format!("tags/{name}"), &value)?;
        }
        small("artifacts/run.toml".into(), &run.config.to_toml().map_err(io::Error::other)?)?;
        small("artifacts/labels.json".into(), &serde_json::to_string(&run.labels)?)?;
        if let Some(metrics) = &run.final_metrics {
            small("artifacts/final_metrics.json".into(), &serde_json::to_string_pretty(metrics)?)?;
        }
        if !whole.0.is_empty() {
            small(WHOLE.into(), &serde_json::to_string_pretty(&whole.0)?)?;
        }
        Ok(files)
    }

    fn meta(&self, name: &str) -> String {
        let run = self.run;
        let time = |at: Option<f64>| at.map_or("null".into(), |at| milliseconds(at).to_string());
        yaml(&[
            ("artifact_uri", text(&format!("{}/artifacts", self.uri))),
            ("end_time", time(run.finished_at)),
            ("entry_point_name", text("")),
            ("experiment_id", text(self.experiment)),
            ("lifecycle_stage", text("active")),
            ("run_id", text(Self::id(run))),
            ("run_name", text(name)),
            ("run_uuid", text(Self::id(run))),
            ("source_name", text("")),
            // SourceType.LOCAL
            ("source_type", "4".into()),
            ("source_version", text("")),
            ("start_time", time(run.started_at.or(Some(run.created_at)))),
            ("status", status(run.state).to_string()),
            ("tags", "[]".into()),
            ("user_id", text("")),
        ])
    }

    /// A file for each curve, with a line for each value: the time in milliseconds, the value, the step.
    fn write_metrics(&self, folder: &Path, whole: &mut Whole, files: &mut Vec<PathBuf>) -> io::Result<()> {
        let mut curves: BTreeMap<String, BufWriter<File>> = BTreeMap::new();
        for point in history(self.run, self.steps, self.evals) {
            for (tag, value) in point.scalars {
                if !curves.contains_key(&tag) {
                    let (prefix, id) = split(&tag);
                    let path = folder.join("metrics").join(whole.name("metric", prefix, id));
                    fs::create_dir_all(path.parent().unwrap_or(folder))?;
                    curves.insert(tag.clone(), BufWriter::new(File::create_new(&path)?));
                    files.push(path);
                }
                if let Some(curve) = curves.get_mut(&tag) {
                    writeln!(curve, "{} {value:?} {}", milliseconds(point.at), point.step)?;
                }
            }
        }
        curves.into_values().try_for_each(|mut curve| curve.flush())
    }
}
