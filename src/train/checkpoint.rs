//! Checkpoints: the state of training on disk, with everything that the next step depends on.
//!
//! Two generations are kept: the newest state and the previous one. A state is written under a temporary name and synced to disk; only
//! then is the newest file renamed to the previous one and the new file to the newest. However a process ends, one of the two is
//! complete, and checksums detect a newest file that the disk has damaged.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{TrainError, policy::Best};
use crate::{
    engine::{Engine, OptimizerState},
    format::short,
    model::{Metadata, Named, read_metadata, read_sealed, write_sealed},
};

/// The progress of training, without its tensors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct TrainState {
    /// Optimizer steps done.
    pub step: u64,
    /// Training time so far, in seconds.
    pub elapsed_s: f64,
    /// The best evaluation so far.
    pub best: Best,
    /// Step of the last evaluation. A later one that was interrupted runs again after resuming.
    pub evaluated_at: u64,
    /// Steps after which a split was evaluated. Empty in states of version 0.1.0, which did not store them.
    #[serde(default)]
    pub evaluations: Vec<u64>,
    /// Whether early stopping ended training.
    pub stopped: bool,
}

/// The contents of the file's header.
#[derive(Serialize, Deserialize)]
struct Header {
    train: TrainState,
    optimizer: OptimizerState,
    /// Key of the run; missing in states of version 0.1.0.
    #[serde(default)]
    run: Option<String>,
}

/// A state of training with its parameters and optimizer moments.
pub struct Checkpoint {
    /// Key of its run; `None` if it was written by a version that did not store the key.
    pub run: Option<String>,
    /// The progress of training.
    pub state: TrainState,
    /// State of the optimizer apart from tensors.
    pub optimizer: OptimizerState,
    /// Parameters and moments by name, in the dtypes in which they were written.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Keys in the headers of states and of best weights.
const STATE: &str = "taper_state";
const STEP: &str = "taper_step";
const RUN: &str = "taper_run";

/// The path of the previous state beside the newest: `state.previous.safetensors` for `state.safetensors`.
pub fn previous(state: &Path) -> PathBuf {
    state.with_extension("previous.safetensors")
}

/// Writes state, parameters and moments of the run with the key `run` to one file. The file that was at `path` becomes the previous
/// state.
///
/// # Errors
/// If it cannot be written; the existing states are then untouched.
pub fn write_state(path: &Path, run: &str, state: &TrainState, engine: &dyn Engine) -> Result<(), TrainError> {
    let (optimizer, tensors) = engine.state();
    let json =
        serde_json::to_string(&Header { train: state.clone(), optimizer, run: Some(run.into()) }).expect("plain data");
    let metadata = Metadata::from([(STATE.to_string(), json)]);
    Ok(write_sealed(path, Some(&previous(path)), &tensors, metadata)?)
}

/// Reads a state that [`write_state`] wrote.
///
/// # Errors
/// If the file is missing or its checksums do not match.
pub fn read_state(path: &Path) -> Result<Checkpoint, TrainError> {
    let (metadata, tensors) = read_sealed(path)?;
    let Header { train, optimizer, run } = header(path, &metadata)?;
    Ok(Checkpoint { run, state: train, optimizer, tensors })
}

/// Reads only the header that [`write_state`] wrote: the run's key, if it names one, and the progress of training.
///
/// # Errors
/// If the file is missing or its header is damaged.
pub fn peek_state(path: &Path) -> Result<(Option<String>, TrainState), TrainError> {
    let Header { run, train, .. } = header(path, &read_metadata(path)?)?;
    Ok((run, train))
}

fn header(path: &Path, metadata: &Metadata) -> Result<Header, TrainError> {
    let damaged = |message: String| TrainError::State { path: path.into(), message };
    let json = metadata.get(STATE).ok_or_else(|| damaged("its header contains no training state".into()))?;
    serde_json::from_str(json).map_err(|e| damaged(format!("not a training state: {e}")))
}

/// Writes the parameters that were evaluated after `step` steps of the run with the key `run`.
///
/// # Errors
/// If the file cannot be written; an existing file is then untouched.
pub fn write_best(path: &Path, run: &str, step: u64, parameters: &[Named]) -> Result<(), TrainError> {
    let metadata = Metadata::from([(STEP.to_string(), step.to_string()), (RUN.to_string(), run.to_string())]);
    Ok(write_sealed(path, None, parameters, metadata)?)
}

/// Reads what [`write_best`] wrote for the run with the key `run`: step and parameters.
///
/// # Errors
/// If the file is missing, damaged or of another run.
pub fn read_best(path: &Path, run: &str) -> Result<(u64, BTreeMap<String, Tensor>), TrainError> {
    let (metadata, tensors) = read_sealed(path)?;
    let unfit = |message: String| TrainError::State { path: path.into(), message };
    // Version 0.1.0 did not write the key.
    if let Some(other) = metadata.get(RUN).filter(|other| *other != run) {
        return Err(unfit(of_another_run(other)));
    }
    let step = metadata.get(STEP).and_then(|step| step.parse().ok());
    Ok((step.ok_or_else(|| unfit("its header names no step".into()))?, tensors))
}

/// The message for a file that belongs to the run with this key instead.
pub fn of_another_run(key: &str) -> String {
    format!("it belongs to another run, {}", short(key))
}
