//! The backends of this binary.

use taper::kernels::cuda::{Cuda, Factors};

use crate::{
    emulated::{Emulated, Order},
    tested::Tested,
};

/// The emulated device, or a word that there is none.
pub fn emulated() -> Option<Emulated> {
    let device = Emulated::new();
    if device.is_none() {
        eprintln!("skipped: no C++ compiler");
    }
    device
}

/// The engine's operations on a device.
pub fn cuda(device: Emulated, factors: Factors) -> Cuda<Emulated> {
    Cuda::new(device, factors).expect("a backend")
}

/// The kernels on the processor, in an order of their own in each launch.
pub struct Fp32;

impl Tested for Fp32 {
    type Backend = Cuda<Emulated>;
    const CASES: u32 = 8;

    fn backend() -> Option<Self::Backend> {
        Some(cuda(emulated()?.in_order(Order::Shuffled(7)), Factors::F32))
    }
}

/// The same with products of bfloat16.
pub struct Bf16;

impl Tested for Bf16 {
    type Backend = Cuda<Emulated>;
    const CASES: u32 = 8;
    const PRODUCTS: Option<f64> = Some(1e-2);

    fn backend() -> Option<Self::Backend> {
        Some(cuda(emulated()?.in_order(Order::Backward), Factors::Bf16))
    }
}
