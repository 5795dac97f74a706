//! Weights and models on disk.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, TensorInfo};
use serde_json::{Map, Value};

use super::{BertConfig, ModelError, Named, write_tensors};
use crate::plan::shards;

fn unreadable(path: &Path, e: impl std::fmt::Display) -> ModelError {
    ModelError::Weights { path: path.into(), message: e.to_string() }
}

/// How weights are kept.
enum Layout {
    Safetensors,
    /// Several of those, and a list of them.
    Index(Vec<PathBuf>),
    Pickle,
}

/// How a weights file keeps them; a missing file is told as one.
fn layout(path: &Path) -> Result<Layout, ModelError> {
    let io = |error| ModelError::Io { path: path.into(), error };
    File::open(path).map_err(io)?;
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("safetensors") => Ok(Layout::Safetensors),
        Some("json") => {
            let names = shards(&std::fs::read_to_string(path).map_err(io)?).map_err(|e| unreadable(path, e))?;
            Ok(Layout::Index(names.into_iter().map(|name| path.with_file_name(name)).collect()))
        }
        _ => Ok(Layout::Pickle),
    }
}

/// Merges what several files hold; a tensor that stands in two of them is refused.
fn merge<T>(
    index: &Path,
    files: &[PathBuf],
    read: impl Fn(&Path) -> Result<BTreeMap<String, T>, ModelError>,
) -> Result<BTreeMap<String, T>, ModelError> {
    let mut all = BTreeMap::new();
    for file in files {
        for (name, value) in read(file)? {
            if all.insert(name.clone(), value).is_some() {
                return Err(unreadable(index, format!("tensor {name} stands in more than one of its files")));
            }
        }
    }
    Ok(all)
}

/// Reads every float tensor of a `.safetensors` file, of several that a `.safetensors.index.json` lists, or of a PyTorch
/// `.bin` file, as f32 on the CPU, under its own name.
///
/// PyTorch's pickles are read by candle's reader, which knows tensors only and runs nothing.
pub fn read_weights(path: &Path) -> Result<BTreeMap<String, Tensor>, ModelError> {
    let tensors: Vec<(String, Tensor)> = match layout(path)? {
        Layout::Index(files) => return merge(path, &files, read_weights),
        Layout::Safetensors => {
            candle_core::safetensors::load(path, &Device::Cpu).map_err(|e| unreadable(path, e))?.into_iter().collect()
        }
        Layout::Pickle => candle_core::pickle::read_all(path).map_err(|e| unreadable(path, e))?,
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

/// Names and shapes of the float tensors that [`read_weights`] would read, without reading them.
pub(super) fn read_shapes(path: &Path) -> Result<BTreeMap<String, Vec<usize>>, ModelError> {
    match layout(path)? {
        Layout::Index(files) => return merge(path, &files, read_shapes),
        Layout::Safetensors => {}
        Layout::Pickle => {
            let infos =
                candle_core::pickle::read_pth_tensor_info(path, false, None).map_err(|e| unreadable(path, e))?;
            return Ok(infos
                .into_iter()
                .filter(|info| info.dtype.is_float())
                .map(|info| (info.name, info.layout.shape().dims().to_vec()))
                .collect());
        }
    }
    let (header, end) = read_header(path)?;
    let mut shapes = BTreeMap::new();
    let mut data_end = 0;
    for (name, tensor) in header.iter().filter(|(name, _)| *name != "__metadata__") {
        let info: TensorInfo = serde_json::from_value(tensor.clone()).map_err(|e| unreadable(path, e))?;
        data_end = data_end.max(info.data_offsets.1 as u64);
        if matches!(info.dtype, Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            shapes.insert(name.clone(), info.shape);
        }
    }
    // Without this a file cut short would be found out only when it is read whole.
    let size =
        File::open(path).and_then(|f| f.metadata()).map_err(|error| ModelError::Io { path: path.into(), error })?.len();
    match end + data_end > size {
        true => Err(unreadable(path, "the file is cut short")),
        false => Ok(shapes),
    }
}

/// The JSON header of a safetensors file, and where it ends.
pub fn read_header(path: &Path) -> Result<(Map<String, Value>, u64), ModelError> {
    // The format's own bound: a longer one is no header but something else read as a length.
    const LONGEST: u64 = 100_000_000;
    let mut file = File::open(path).map_err(|error| ModelError::Io { path: path.into(), error })?;
    let mut length = [0u8; 8];
    file.read_exact(&mut length).map_err(|e| unreadable(path, e))?;
    let length = u64::from_le_bytes(length);
    if length > LONGEST {
        return Err(unreadable(path, "its header has an impossible length"));
    }
    let mut json = vec![0u8; length as usize];
    file.read_exact(&mut json).map_err(|e| unreadable(path, e))?;
    Ok((serde_json::from_slice(&json).map_err(|e| unreadable(path, e))?, 8 + length))
}

/// Writes a classifier as a Hugging Face folder: config.json and model.safetensors. Tokenizer files are not its concern.
pub fn write_folder(
    config: &BertConfig,
    parameters: &[Named],
    labels: &[String],
    dir: &Path,
) -> Result<(), ModelError> {
    let io = |error| ModelError::Io { path: dir.into(), error };
    std::fs::create_dir_all(dir).map_err(io)?;
    let config = serde_json::to_string_pretty(&config.to_json(labels)).expect("JSON of JSON") + "\n";
    let path = dir.join("config.json");
    let mut file = File::create(&path).map_err(|error| ModelError::Io { path: path.clone(), error })?;
    file.write_all(config.as_bytes()).and_then(|()| file.sync_all()).map_err(io)?;
    // transformers refuses files that do not say which framework's layout they have.
    let metadata = BTreeMap::from([("format".to_string(), "pt".to_string())]);
    write_tensors(&dir.join("model.safetensors"), parameters, &metadata)
}
