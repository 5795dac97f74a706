//! The state of training on disk: everything that the next step depends on.
//!
//! There are two generations of it: the state, and the one before it. A state is written under a temporary name, put on the
//! disk, and only then takes the place of the newer one, which takes the place of the older. So however a process ends, one
//! of the two is whole; and if the disk spoils the newer one, its checksums tell.

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

/// Where training stands, apart from tensors.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct State {
    /// Steps made.
    pub step: u64,
    /// Training seconds so far.
    pub elapsed_s: f64,
    /// The best evaluation so far.
    pub best: Best,
    /// Step of the last evaluation: one that is due but was cut short is made on resuming.
    pub evaluated_at: u64,
    /// Steps after which a split was evaluated. Empty in states of version 0.1.0, which did not keep it.
    #[serde(default)]
    pub evaluations: Vec<u64>,
    /// Whether early stopping has ended training.
    pub stopped: bool,
}

/// What the file's header holds.
#[derive(Serialize, Deserialize)]
struct Header {
    train: State,
    optimizer: OptimizerState,
    /// Key of the run. States of version 0.1.0 name none.
    #[serde(default)]
    run: Option<String>,
}

/// A state of training with its parameters and moments.
pub struct Saved {
    /// Key of the run that it is of; none: a version that did not write it.
    pub run: Option<String>,
    /// Where training stands.
    pub state: State,
    /// What the optimiser knows.
    pub optimizer: OptimizerState,
    /// Parameters and moments.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Keys of what the headers of states and of best weights say.
const STATE: &str = "taper_state";
const STEP: &str = "taper_step";
const RUN: &str = "taper_run";

/// The older of the two generations, beside the newer: `state.previous.safetensors` for `state.safetensors`.
pub fn previous(state: &Path) -> PathBuf {
    state.with_extension("previous.safetensors")
}

/// Writes state, parameters and moments of the run `run` as one file. The state that was there becomes the one before it.
///
/// # Errors
/// Where it cannot be written; the states that were there are untouched then.
pub fn write_state(path: &Path, run: &str, state: &State, engine: &dyn Engine) -> Result<(), TrainError> {
    let (optimizer, tensors) = engine.state();
    let json =
        serde_json::to_string(&Header { train: state.clone(), optimizer, run: Some(run.into()) }).expect("plain data");
    let metadata = Metadata::from([(STATE.to_string(), json)]);
    Ok(write_sealed(path, Some(&previous(path)), &tensors, metadata)?)
}

/// Reads a state that [`write_state`] wrote.
///
/// # Errors
/// Where the file is not there, or not as it was written.
pub fn read_state(path: &Path) -> Result<Saved, TrainError> {
    let (metadata, tensors) = read_sealed(path)?;
    let Header { train, optimizer, run } = header(path, &metadata)?;
    Ok(Saved { run, state: train, optimizer, tensors })
}

/// What [`write_state`] wrote, without its tensors: the run's key, where it names one, and where its training is.
///
/// # Errors
/// Where the file is not there, or its header is not as it was written.
pub fn peek_state(path: &Path) -> Result<(Option<String>, State), TrainError> {
    let Header { run, train, .. } = header(path, &read_metadata(path)?)?;
    Ok((run, train))
}

fn header(path: &Path, metadata: &Metadata) -> Result<Header, TrainError> {
    let damaged = |message: String| TrainError::State { path: path.into(), message };
    let json = metadata.get(STATE).ok_or_else(|| damaged("its header holds no state of training".into()))?;
    serde_json::from_str(json).map_err(|e| damaged(format!("not a state of training: {e}")))
}

/// Writes the parameters of an evaluation of the run `run` after `step` steps.
pub fn write_best(path: &Path, run: &str, step: u64, parameters: &[Named]) -> Result<(), TrainError> {
    let metadata = Metadata::from([(STEP.to_string(), step.to_string()), (RUN.to_string(), run.to_string())]);
    Ok(write_sealed(path, None, parameters, metadata)?)
}

/// Reads what [`write_best`] wrote for the run `run`: step and parameters.
///
/// # Errors
/// Where the file is not there, not as it was written, or of another run.
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

/// Says that a file belongs to the run of that key.
pub fn of_another_run(key: &str) -> String {
    format!("it is of another run, {}", short(key))
}
