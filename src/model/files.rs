//! Tensors and models on disk.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    fs::File,
    io::Write,
    path::Path,
};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, View};

use super::{Classifier, ModelError, Parameters};

/// Reads every float tensor of a `.safetensors` or PyTorch `.bin` file, as f32 on the CPU, under its own name.
///
/// PyTorch's pickles are read by candle's reader, which knows tensors only and runs nothing.
pub fn read_weights(path: &Path) -> Result<BTreeMap<String, Tensor>, ModelError> {
    let unreadable = |e: &dyn std::fmt::Display| ModelError::Weights { path: path.into(), message: e.to_string() };
    let is_safetensors = path.extension().is_some_and(|e| e == "safetensors");
    // Opened first, so that a missing file is told as one.
    File::open(path).map_err(|source| ModelError::Io { path: path.into(), source })?;
    let tensors: Vec<(String, Tensor)> = if is_safetensors {
        candle_core::safetensors::load(path, &Device::Cpu).map_err(|e| unreadable(&e))?.into_iter().collect()
    } else {
        candle_core::pickle::read_all(path).map_err(|e| unreadable(&e))?
    };
    let mut floats = BTreeMap::new();
    for (name, tensor) in tensors {
        // Integer buffers (`position_ids`) are no weights.
        if tensor.dtype().is_float() {
            floats.insert(name, tensor.to_dtype(DType::F32)?);
        }
    }
    Ok(floats)
}

/// A tensor whose bytes are made when they are written: no second copy of all weights.
struct Lazy<'a>(&'a Tensor);

impl View for Lazy<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.dims()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let values = self.0.flatten_all().and_then(|t| t.to_vec1::<f32>()).expect("an f32 tensor can be read");
        Cow::Owned(values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    fn data_len(&self) -> usize {
        4 * self.0.elem_count()
    }
}

/// Writes f32 tensors as one safetensors file: whole or not at all, and on the disk when this returns.
pub fn write_tensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, &'a Tensor)>,
    metadata: HashMap<String, String>,
) -> Result<(), ModelError> {
    let io = |source| ModelError::Io { path: path.into(), source };
    let temporary = path.with_extension("tmp");
    let tensors: Vec<(String, Lazy)> = tensors.into_iter().map(|(name, t)| (name, Lazy(t))).collect();
    let written = safetensors::serialize_to_file(tensors, Some(metadata), &temporary)
        .map_err(|e| match e {
            safetensors::SafeTensorError::IoError(e) => e,
            other => std::io::Error::other(other),
        })
        .and_then(|()| File::open(&temporary)?.sync_all())
        .and_then(|()| std::fs::rename(&temporary, path))
        // The new name is on the disk only when its folder is.
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    if let Err(e) = written {
        // The file that was there before is untouched; the half-written one only takes room.
        let _ = std::fs::remove_file(&temporary);
        return Err(io(e));
    }
    Ok(())
}

/// Writes a classifier as a Hugging Face folder: config.json and model.safetensors. Tokenizer files are not its concern.
pub fn write_folder(
    model: &Classifier,
    parameters: &Parameters,
    labels: &[String],
    dir: &Path,
) -> Result<(), ModelError> {
    let io = |source| ModelError::Io { path: dir.into(), source };
    std::fs::create_dir_all(dir).map_err(io)?;
    let config = serde_json::to_string_pretty(&model.config().to_json(labels)).expect("JSON of JSON") + "\n";
    let path = dir.join("config.json");
    let mut file = File::create(&path).map_err(|source| ModelError::Io { path: path.clone(), source })?;
    file.write_all(config.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    // transformers refuses files that do not say which framework's layout they have.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    write_tensors(&dir.join("model.safetensors"), parameters.iter().map(|(n, t)| (n.to_string(), t)), metadata)
}
