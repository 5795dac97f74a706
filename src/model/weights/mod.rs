//! Weights files: their tensors, and the tensors' numbers.
//!
//! [`Weights::open`] checks everything but the numbers themselves; `taper plan` and runs use the same reader, so that they accept the same
//! files. Nothing in a file is executed, and every size in it is checked against the size of the
//! file.

mod found;
mod numbers;
mod opened;
mod pickle;
mod rebuild;
mod safetensors;
mod tables;
mod torch;
mod zip;

use super::ModelError;

pub(super) use numbers::not_finite;
pub use opened::{Weights, read_weights};
pub(super) use safetensors::Header;
