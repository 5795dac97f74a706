//! Tensors of a checkpoint.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::model::ModelError;

/// A tensor of a state, which must have this shape.
pub(super) fn found(tensors: &mut BTreeMap<String, Tensor>, name: &str, shape: &[usize]) -> Result<Tensor, ModelError> {
    match tensors.remove(name) {
        Some(tensor) if tensor.dims() == shape => Ok(tensor),
        _ => {
            let problems = format!("  {name}: missing, or of another shape than {shape:?}");
            Err(ModelError::Tensors { path: "checkpoint".into(), problems })
        }
    }
}
