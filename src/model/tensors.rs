//! Writes tensors as safetensors files, atomically.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, ErrorKind, Write},
    ops::Range,
    path::Path,
};

use candle_core::Tensor;
use serde_json::{Map, Value, json};

use super::ModelError;

/// A tensor with its name, whose values are produced when they are written, so that there is no second copy of all weights.
pub struct Named<'a> {
    /// Its name.
    pub name: String,
    shape: Vec<usize>,
    values: Box<Produce<'a>>,
}

/// Produces the values with these indices.
type Produce<'a> = dyn Fn(Range<usize>) -> Result<Cow<'a, [f32]>, ModelError> + 'a;

/// Values that are produced at once where all of them are passed on: a copy of a large vocabulary's table would be the most that a run needs.
const PART: usize = 1 << 20;

impl<'a> Named<'a> {
    /// With values that are produced on request: those in a range of the flattened tensor.
    pub fn lazy(
        name: String,
        shape: &[usize],
        values: impl Fn(Range<usize>) -> Result<Cow<'a, [f32]>, ModelError> + 'a,
    ) -> Self {
        Self { name, shape: shape.to_vec(), values: Box::new(values) }
    }

    /// The entry for this tensor.
    pub fn of(name: String, tensor: &'a Tensor) -> Self {
        Self::lazy(name, tensor.dims(), move |range| {
            let values = tensor.flatten_all()?.narrow(0, range.start, range.len())?.to_vec1()?;
            Ok(Cow::Owned(values))
        })
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its numbers.
    ///
    /// # Errors
    /// The device that holds them fails.
    pub fn values(&self) -> Result<Cow<'a, [f32]>, ModelError> {
        (self.values)(0..self.len())
    }

    /// Its numbers in parts, one after another, so that there is no copy of all of them.
    pub fn parts(&self) -> impl Iterator<Item = Result<Cow<'a, [f32]>, ModelError>> {
        (0..self.len()).step_by(PART).map(|from| (self.values)(from..self.len().min(from + PART)))
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Bytes of its numbers in a file.
    pub fn bytes(&self) -> u64 {
        4 * self.len() as u64
    }
}

/// Values as stored in a file: little-endian.
pub(super) fn bytes(values: &[f32]) -> Cow<'_, [u8]> {
    if cfg!(target_endian = "little") {
        return Cow::Borrowed(bytemuck::cast_slice(values));
    }
    Cow::Owned(values.iter().flat_map(|v| v.to_le_bytes()).collect())
}

/// Writes f32 tensors as a safetensors file, atomically; the file is durable when this returns.
///
/// # Errors
/// The file cannot be written; what was at `path` before is then unchanged.
pub fn write_tensors(path: &Path, tensors: &[Named], metadata: &BTreeMap<String, String>) -> Result<(), ModelError> {
    write(path, None, &sorted(tensors), metadata)
}

/// By name, the order in a file.
pub(super) fn sorted<'a, 'b>(tensors: &'b [Named<'a>]) -> Vec<&'b Named<'a>> {
    let mut sorted: Vec<_> = tensors.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}

/// Writes a file under a temporary name, and renames it when it is complete and durable. An existing file at `path` is first renamed to
/// `previous`, if given: at any time one of the two names has a complete file.
pub(super) fn write(
    path: &Path,
    previous: Option<&Path>,
    tensors: &[&Named],
    metadata: &BTreeMap<String, String>,
) -> Result<(), ModelError> {
    let temporary = path.with_extension("tmp");
    let written = File::create(&temporary)
        .and_then(|file| stream(file, tensors, metadata)?.sync_all())
        .and_then(|()| previous.map_or(Ok(()), |previous| step_back(path, previous)))
        .and_then(|()| fs::rename(&temporary, path))
        // The new name is durable only after its folder is synced.
        .and_then(|()| File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all());
    written.map_err(|error| {
        // The incomplete file is useless.
        let _ = fs::remove_file(&temporary);
        // An error of the device that holds the numbers, not of the disk.
        error.downcast::<ModelError>().unwrap_or_else(|error| ModelError::Io { path: path.into(), error })
    })
}

/// Renames a file, if it exists.
fn step_back(path: &Path, previous: &Path) -> io::Result<()> {
    match fs::rename(path, previous) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The format: the header's length in eight bytes, the header as JSON, the numbers.
fn stream(file: File, tensors: &[&Named], metadata: &BTreeMap<String, String>) -> io::Result<File> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".into(), json!(metadata));
    }
    let mut end = 0;
    for tensor in tensors {
        let begin = end;
        end += tensor.bytes();
        let info = json!({ "dtype": "F32", "shape": tensor.shape(), "data_offsets": [begin, end] });
        header.insert(tensor.name.clone(), info);
    }
    let mut header = Value::Object(header).to_string();
    // Numbers begin at a multiple of eight bytes.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    let mut out = BufWriter::with_capacity(1 << 20, file);
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    for tensor in tensors {
        for part in tensor.parts() {
            out.write_all(&bytes(&part.map_err(io::Error::other)?))?;
        }
    }
    out.into_inner().map_err(|e| e.into_error())
}
