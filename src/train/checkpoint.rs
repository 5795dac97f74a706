//! The state of training on disk: everything that the next step depends on.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{AdamW, TrainError, policy::Best};
use crate::model::{read_weights, write_tensors};

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

/// A state of training with its parameters and moments.
pub type Saved = (State, BTreeMap<String, Tensor>);

/// Writes state, parameters and moments as one file: whole or not at all.
pub fn write_state(path: &Path, state: &State, optimizer: &AdamW) -> Result<(), TrainError> {
    let json = serde_json::to_string(state).expect("plain data");
    Ok(write_tensors(path, optimizer.state(), HashMap::from([("taper_state".to_string(), json)]))?)
}

/// Reads what [`write_state`] wrote; none where there is no file.
pub fn read_state(path: &Path) -> Result<Option<Saved>, TrainError> {
    let damaged = |message: String| TrainError::State { path: path.into(), message };
    let mut file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(damaged(e.to_string())),
    };
    let json = header(&mut file).map_err(|e| damaged(format!("not a whole checkpoint: {e}")))?;
    let state = serde_json::from_str(&json).map_err(|e| damaged(format!("not a state of training: {e}")))?;
    Ok(Some((state, read_weights(path)?)))
}

/// The state's JSON out of a safetensors header.
fn header(file: &mut std::fs::File) -> std::io::Result<String> {
    use std::io::Read;
    let mut length = [0u8; 8];
    file.read_exact(&mut length)?;
    let length = u64::from_le_bytes(length);
    if length > 100 << 20 {
        return Err(std::io::Error::other("its header has an impossible length"));
    }
    let mut json = vec![0u8; length as usize];
    file.read_exact(&mut json)?;
    let header: serde_json::Value = serde_json::from_slice(&json)?;
    let state = header["__metadata__"]["taper_state"].as_str();
    state.map(str::to_string).ok_or_else(|| std::io::Error::other("its header holds no state"))
}
