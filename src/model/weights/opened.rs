//! Open weights files.

use std::{
    collections::BTreeMap,
    fs::File,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use candle_core::{Device, Tensor};

use super::{
    ModelError,
    found::{expected, unreadable},
    numbers::Stored,
    safetensors, torch,
};
use crate::{plan::shards, regular, sniff::FileKind};

/// Largest index of weights files, in bytes.
const LONGEST_INDEX: u64 = 64 << 20;

/// An opened weights file, or several that an index lists.
pub struct Weights {
    path: PathBuf,
    /// Held open, so that what is read later is what was checked, even if the file is replaced.
    files: Vec<(PathBuf, Mutex<File>)>,
    tensors: BTreeMap<String, (usize, Stored)>,
    others: BTreeMap<String, String>,
}

impl Weights {
    /// Opens a `.safetensors` file, all files that a `.safetensors.index.json` lists, or a PyTorch `.bin` file.
    ///
    /// # Errors
    /// [`ModelError::Io`] if a file does not exist; [`ModelError::Weights`] if it is not what its name implies, is truncated, or has a tensor
    /// that exceeds it.
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        let mut weights =
            Self { path: path.into(), files: Vec::new(), tensors: BTreeMap::new(), others: BTreeMap::new() };
        let io = |error| ModelError::Io { path: path.into(), error };
        if expected(path) != Some(FileKind::Json) {
            weights.add(path)?;
            return Ok(weights);
        }
        let text = regular::read(path, LONGEST_INDEX).map_err(io)?;
        let text = String::from_utf8(text).map_err(|_| unreadable(path, "it is not UTF-8"))?;
        for name in shards(&text).map_err(|e| unreadable(path, e))? {
            let shard = path.with_file_name(&name);
            if !shard.exists() {
                return Err(unreadable(path, format!("it lists {name}, which is missing: copy or download it too")));
            }
            weights.add(&shard)?;
        }
        Ok(weights)
    }

    /// Adds the content of a file.
    fn add(&mut self, path: &Path) -> Result<(), ModelError> {
        let io = |error| ModelError::Io { path: path.into(), error };
        let mut file = regular::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let found = match expected(path) {
            Some(FileKind::Safetensors) => safetensors::read(&mut file, size),
            _ => torch::read(&mut file, size),
        };
        let found = found.map_err(|e| unreadable(path, e))?;
        let is_here = |name: &&String| self.tensors.contains_key(*name) || self.others.contains_key(*name);
        if let Some(name) = found.weights.keys().chain(found.others.keys()).find(is_here) {
            let path = self.path.clone();
            let message = format!("tensor {name} is in more than one of its files");
            return Err(ModelError::Weights { path, message });
        }
        let index = self.files.len();
        self.tensors.extend(found.weights.into_iter().map(|(name, stored)| (name, (index, stored))));
        self.others.extend(found.others);
        self.files.push((path.into(), Mutex::new(file)));
        Ok(())
    }

    /// The file, or the index.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names and shapes of its weights.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, (_, stored))| (name.as_str(), stored.shape.as_slice()))
    }

    /// The shape of the weight `name`.
    ///
    /// # Panics
    /// If there is none of that name, which is a bug.
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.tensors[name].1.shape
    }

    /// Names of its other tensors, whose numbers cannot be weights, with their type (usually integers).
    pub fn others(&self) -> impl Iterator<Item = (&str, &str)> {
        self.others.iter().map(|(name, dtype)| (name.as_str(), dtype.as_str()))
    }

    /// The numbers of the weight `name` as f32, in the shape's order.
    ///
    /// # Errors
    /// If the file can no longer be read.
    ///
    /// # Panics
    /// If there is none of that name, which is a bug.
    pub fn numbers(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let (file, stored) = &self.tensors[name];
        let (path, file) = &self.files[*file];
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        stored.read(&mut *file).map_err(|error| ModelError::Io { path: path.clone(), error })
    }
}

/// Every weight of a file (see [`Weights::open`]), as f32 on the CPU, under its own name.
///
/// # Errors
/// As [`Weights::open`].
pub fn read_weights(path: &Path) -> Result<BTreeMap<String, Tensor>, ModelError> {
    let weights = Weights::open(path)?;
    let read = |name: &String| {
        let tensor = Tensor::from_vec(weights.numbers(name)?, weights.shape(name), &Device::Cpu)?;
        Ok((name.clone(), tensor))
    };
    weights.tensors.keys().map(read).collect()
}
