//! Weights files: what tensors they hold, and their numbers.
//!
//! [`Weights::open`] checks everything but the numbers themselves; `taper plan` and a run go through the same reader, so that
//! what one accepts the other reads. Nothing in a file is run, and no size in it is believed before it was held against the
//! file's own.

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
