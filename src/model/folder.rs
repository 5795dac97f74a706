//! A model as a Hugging Face folder.

use std::{collections::BTreeMap, fs::File, io::Write, path::Path};

use super::{ModelConfig, ModelError, Named, write_tensors};
use crate::task::Task;

/// Writes a model of a task as a Hugging Face folder: config.json, with the names of the labels, and model.safetensors. The
/// tokenizer's files are not written.
pub fn write_folder(
    task: Task,
    config: &ModelConfig,
    parameters: &[Named],
    labels: &[String],
    dir: &Path,
) -> Result<(), ModelError> {
    let io = |error| ModelError::Io { path: dir.into(), error };
    std::fs::create_dir_all(dir).map_err(io)?;
    let config = serde_json::to_string_pretty(&config.to_json(task, labels)).expect("JSON of JSON") + "\n";
    let path = dir.join("config.json");
    let mut file = File::create(&path).map_err(|error| ModelError::Io { path: path.clone(), error })?;
    file.write_all(config.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    // transformers refuses files that do not say which framework's layout they have.
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    write_tensors(&dir.join("model.safetensors"), parameters, &metadata)
}
