//! The state of training on disk: everything that the next step depends on.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{TrainError, policy::Best};
use crate::{
    engine::{Engine, OptimizerState},
    model::{read_header, read_weights, write_tensors},
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
    /// Whether early stopping has ended training.
    pub stopped: bool,
}

/// What the file's header holds.
#[derive(Serialize, Deserialize)]
struct Header {
    train: State,
    optimizer: OptimizerState,
}

/// A state of training with its parameters and moments.
pub struct Saved {
    /// Where training stands.
    pub state: State,
    /// What the optimiser knows.
    pub optimizer: OptimizerState,
    /// Parameters and moments.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Writes state, parameters and moments as one file: whole or not at all.
pub fn write_state(path: &Path, state: &State, engine: &dyn Engine) -> Result<(), TrainError> {
    let (optimizer, tensors) = engine.state();
    let json = serde_json::to_string(&Header { train: state.clone(), optimizer }).expect("plain data");
    Ok(write_tensors(path, &tensors, HashMap::from([("taper_state".to_string(), json)]))?)
}

/// Reads what [`write_state`] wrote; none where there is no file.
pub fn read_state(path: &Path) -> Result<Option<Saved>, TrainError> {
    if !path.exists() {
        return Ok(None);
    }
    let damaged = |message: String| TrainError::State { path: path.into(), message };
    let (header, _) = read_header(path)?;
    let json = header.get("__metadata__").and_then(|m| m.get("taper_state")?.as_str());
    let json = json.ok_or_else(|| damaged("its header holds no state of training".into()))?;
    let header: Header = serde_json::from_str(json).map_err(|e| damaged(format!("not a state of training: {e}")))?;
    Ok(Some(Saved { state: header.train, optimizer: header.optimizer, tensors: read_weights(path)? }))
}
