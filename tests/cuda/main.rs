//! The CUDA kernels, and the engine on them: on the processor, where `emulator.h` runs the very same source.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod compiled;
mod emulated;
mod product;
mod selftest;
