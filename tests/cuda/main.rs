//! The CUDA kernels, and the engine on them: on the processor, where `emulator.h` runs the very same source.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod backends;
mod compiled;
mod emulated;
#[macro_use]
#[path = "../kernels/mod.rs"]
mod kernels;
mod product;
mod selftest;
#[macro_use]
#[path = "../tested/mod.rs"]
mod tested;

kernels_of!(emulated_fp32, crate::backends::Fp32);
kernels_of!(emulated_bf16, crate::backends::Bf16);
