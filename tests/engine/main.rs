//! The explicit engine on the CPU; the tests are in `mod.rs`.

#[macro_use]
#[path = "mod.rs"]
mod engine;
#[macro_use]
#[path = "../tested/mod.rs"]
mod tested;
mod threads;

engine_of!(fp32, taper::kernels::Cpu);
tests_of!(fp32_loss, taper::kernels::Cpu, engine: slopes { gradients_are_slopes_of_the_loss });
