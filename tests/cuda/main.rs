//! The CUDA kernels and the engine on them: on the processor, where `emulator.h` runs the very same source, and on the first
//! GPU, where there is one.

#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

#[macro_use]
#[path = "../tested/mod.rs"]
mod tested;

mod backends;
mod compiled;
mod emulated;
mod memory;
#[macro_use]
#[path = "../engine/mod.rs"]
mod engine;
#[macro_use]
#[path = "../kernels/mod.rs"]
mod kernels;
mod product;
#[path = "../parity/pytorch.rs"]
mod pytorch;
mod refusals;
mod selftest;
mod steps;
mod training;
/// The room of this binary's own checks.
mod whole {
    pub(crate) use crate::training;
}

kernels_of!(emulated_kernels, crate::backends::Fp32);
engine_of!(emulated_engine, crate::backends::Fp32);
tests_of!(emulated_training, crate::backends::Fp32, whole: training { is_pytorchs losses_are_the_cpus });

kernels_of!(gpu_kernels, crate::backends::GpuFp32);
engine_of!(gpu_engine, crate::backends::GpuFp32);
tests_of!(gpu_loss, crate::backends::GpuFp32, engine: slopes { gradients_are_slopes_of_the_loss });
tests_of!(gpu_training, crate::backends::GpuFp32, whole: training { is_pytorchs losses_are_the_cpus });

/// Other factors: nothing but products and what uses them is another.
macro_rules! rounded_of {
    ($kernels:ident, $whole:ident, $tested:ty) => {
        tests_of!($kernels, $tested, kernels: dense { linear_and_its_gradients a_part_of_a_map_gives_its_columns }
            relative { products_read_what_was_written });
        tests_of!($whole, $tested, whole: training { losses_are_the_cpus rounded_products_stay_near_float32 });
    };
}

rounded_of!(emulated_bf16_kernels, emulated_bf16_training, crate::backends::Bf16);
rounded_of!(emulated_tf32_kernels, emulated_tf32_training, crate::backends::Tf32);
rounded_of!(gpu_bf16_kernels, gpu_bf16_training, crate::backends::GpuBf16);
rounded_of!(gpu_tf32_kernels, gpu_tf32_training, crate::backends::GpuTf32);
