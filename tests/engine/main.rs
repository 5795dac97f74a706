//! The whole explicit engine, for models and batches of random small shapes: against candle's tape, against differences of its
//! own loss, and against itself with other numbers of threads, other batches before, and other cuts of a step.
//!
//! # Tolerances
//! Two float32 computations of the same gradient differ by the roundings of all layers together. [`support::TOLERANCE`] is relative to
//! the largest number of a tensor (or, where that is almost zero, to a hundredth of the largest of all tensors); models have
//! weights of order 1/√width, so that activations stay of order 1. Differences of the loss: logits are f32, so that a loss is
//! known to about 3e-7; with four points 0.05 and 0.1 apart along a direction of length 1 a slope is known to 1e-5, and the
//! curve's fifth derivative adds about 1e-5. A random direction's slope is about ‖g‖/√n of a gradient of n numbers.

mod alike;
mod oracle;
mod support;
mod update;
