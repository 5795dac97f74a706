//! The CPU's kernels; the tests are in `mod.rs`.

mod cpu;
#[macro_use]
#[path = "mod.rs"]
mod kernels;
#[macro_use]
#[path = "../tested/mod.rs"]
mod tested;

kernels_of!(fp32, taper::kernels::Cpu);
