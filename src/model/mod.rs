//! Encoder classifiers, as transformers' `…ForSequenceClassification`, over unpadded streams of tokens.
//!
//! Weights are read from and written to Hugging Face folders. Every parameter that is not frozen gets a gradient.

mod config;
mod config_keys;
mod config_text;
mod cost;
mod family;
mod folder;
mod heads;
mod kept_head;
mod label_names;
mod matching;
mod module;
mod names;
mod parameters;
mod reference;
mod relative;
mod rotary;
mod sealed;
mod spec;
mod tensors;
mod weights;

pub use config::{Biases, Dropouts, ModelConfig};
pub use family::{ALL as FAMILIES, Family, Naming, Positions};
pub use folder::write_folder;
pub use heads::{Head, Pooling};
pub use kept_head::{Label, Labels};
pub use label_names::Names;
pub use matching::Said;
pub use module::{LayerModule, Module};
pub use parameters::{Loaded, Parameters};
pub use reference::{Classifier, DropoutPlan, Input};
pub use relative::Relative;
pub use rotary::{LayerAttention, Rotary};
pub use sealed::{Metadata, read_metadata, read_sealed, write_sealed};
pub use spec::{Init, ModelSpec, Parameter, Part};
pub use tensors::{Named, write_tensors};
pub use weights::{Weights, read_weights};

use std::path::PathBuf;

use crate::kernels::cuda::DeviceError;

/// Errors of models.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A file could not be read or written.
    #[error("{}: {}", path.display(), crate::format::io(error))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why. Not a `source`: the message already contains it.
        error: std::io::Error,
    },
    /// A config that is not JSON, lacks keys, or describes another kind of model.
    #[error("{path}: {message}")]
    Config {
        /// The config.json, or the name of a built-in one.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A weights file that cannot be read.
    #[error("{path}: not a readable weights file: {message}")]
    Weights {
        /// Which.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// All tensors that do not fit the config.
    #[error("{path}: the weights do not fit config.json:\n{problems}")]
    Tensors {
        /// The weights file.
        path: PathBuf,
        /// One line for each tensor.
        problems: String,
    },
    /// Weights that cannot be used, such as NaN.
    #[error(
        "{path}: the weights contain numbers that are NaN or infinite as float32 (because a training run diverged, \
         float16 overflowed, or the copy is damaged); use another file:\n{tensors}"
    )]
    NotFinite {
        /// The weights file.
        path: PathBuf,
        /// One line for each tensor.
        tensors: String,
    },
    /// An invalid `train.freeze`.
    #[error("train.freeze: {message}")]
    Freeze {
        /// What is wrong with it.
        message: String,
    },
    /// A word in `train.no_decay` that matches nothing.
    #[error("train.no_decay: no parameter's name contains `{word}`; usual strings are `bias` and `LayerNorm.weight`")]
    NoDecay {
        /// The word.
        word: String,
    },
    /// A `train.precision` that the device does not support.
    #[error("train.precision = \"bf16\": the device has no instructions for it; use \"fp32\"")]
    NoBf16,
    /// A GPU failed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A device that only candle supports.
    #[error("train.engine = \"fused\": taper has no kernels for this device; use \"candle\"")]
    NoKernels,
    /// A `train.precision` that only GPUs support.
    #[error("train.precision = \"tf32\": only NVIDIA GPUs support TF32; use \"fp32\"")]
    NoTf32,
    /// Arithmetic failed (usually for lack of device memory).
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

impl ModelError {
    /// Whether a GPU ran out of memory.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self, Self::Device(e) if e.is_out_of_memory())
    }

    /// Whether a GPU failed so that it cannot be used by this process any more.
    pub fn is_of_a_lost_device(&self) -> bool {
        matches!(self, Self::Device(DeviceError::Failed { .. }))
    }
}
