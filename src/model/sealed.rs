//! Safetensors files with checksums over their numbers and their header, which reveal damage.
//!
//! The header has its own checksum, so that it can be trusted without reading the numbers.

use std::{collections::BTreeMap, path::Path};

use candle_core::Tensor;
use crc32fast::Hasher;

use super::{
    ModelError, Named, read_weights,
    tensors::{bytes, sorted, write},
    weights::Header,
};

/// Names and texts in a file's header.
pub type Metadata = BTreeMap<String, String>;

/// Keys of the checksums in a file's metadata: over names, shapes and numbers of the tensors, and over the rest of the metadata.
const TENSORS: &str = "crc32_of_tensors";
const METADATA: &str = "crc32_of_metadata";

/// Writes tensors like [`super::write_tensors`], with checksums. An existing file moves to `previous`, if given: at any time one of the two
/// is complete.
///
/// # Errors
/// The file cannot be written; an existing one is then unchanged.
pub fn write_sealed(
    path: &Path,
    previous: Option<&Path>,
    tensors: &[Named],
    mut metadata: Metadata,
) -> Result<(), ModelError> {
    let tensors = sorted(tensors);
    let mut sum = Hasher::new();
    for tensor in &tensors {
        begin(&mut sum, &tensor.name, tensor.shape());
        for part in tensor.parts() {
            sum.update(&bytes(&part?));
        }
    }
    metadata.insert(TENSORS.into(), hex(sum));
    metadata.insert(METADATA.into(), of_metadata(&metadata));
    write(path, previous, &tensors, &metadata)
}

/// The metadata of a file that [`write_sealed`] wrote, without reading its tensors.
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be opened; [`ModelError::Weights`] if its header is damaged.
pub fn read_metadata(path: &Path) -> Result<Metadata, ModelError> {
    let mut metadata = Header::read(path)?.metadata;
    match metadata.remove(METADATA) {
        None => Err(damaged(path, "it has no checksum")),
        Some(sum) if sum != of_metadata(&metadata) => Err(damaged(path, "its header does not match its checksum")),
        Some(_) => Ok(metadata),
    }
}

/// Metadata and tensors of a file that [`write_sealed`] wrote.
///
/// # Errors
/// [`ModelError::Io`] if the file cannot be opened; [`ModelError::Weights`] if anything in it has changed.
pub fn read_sealed(path: &Path) -> Result<(Metadata, BTreeMap<String, Tensor>), ModelError> {
    let metadata = read_metadata(path)?;
    let tensors = read_weights(path)?;
    let mut sum = Hasher::new();
    for (name, tensor) in &tensors {
        crate::kernels::with_f32(tensor, |values| {
            begin(&mut sum, name, tensor.dims());
            sum.update(&bytes(values));
            Ok(())
        })?;
    }
    match metadata.get(TENSORS) {
        Some(written) if *written == hex(sum) => Ok((metadata, tensors)),
        _ => Err(damaged(path, "its numbers do not match their checksum")),
    }
}

fn damaged(path: &Path, message: &str) -> ModelError {
    ModelError::Weights { path: path.into(), message: message.into() }
}

fn begin(sum: &mut Hasher, name: &str, shape: &[usize]) {
    sum.update(format!("{name} {shape:?}\n").as_bytes());
}

fn of_metadata(metadata: &Metadata) -> String {
    let mut sum = Hasher::new();
    for (key, value) in metadata {
        sum.update(format!("{key} {}\n{value}\n", value.len()).as_bytes());
    }
    hex(sum)
}

fn hex(sum: Hasher) -> String {
    format!("{:08x}", sum.finalize())
}
