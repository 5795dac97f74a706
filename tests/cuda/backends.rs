//! The backends of this binary: the kernels on the processor, and on the first GPU where there is one.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use taper::kernels::cuda::{Cuda, Device, DeviceError, Driver, Factors, Product};

use crate::{
    emulated::{Emulated, Order},
    tested::Tested,
};

/// What rounding errors of products of bfloat16 may amount to, of the largest number.
const BF16: f64 = 1e-2;
/// The same of TF32, which has three bits more where it is rounded; devices may also cut off.
const TF32: f64 = 2e-3;
const TF32_CUT_OFF: f64 = 8e-3;

/// The emulated device, or a word that there is none.
pub fn emulated() -> Option<Emulated> {
    let device = Emulated::new();
    if device.is_none() {
        eprintln!("skipped: no C++ compiler");
    }
    device
}

/// The kernels on the processor, in another order in each launch.
pub struct Fp32;

impl Tested for Fp32 {
    type Backend = Cuda<Emulated>;
    const CASES: u32 = 6;

    fn backend() -> Option<Self::Backend> {
        let device = emulated()?.in_order(Order::Shuffled(7));
        Some(Cuda::new(device, Factors::F32).expect("a backend"))
    }
}

/// The same with products of bfloat16.
pub struct Bf16;

impl Tested for Bf16 {
    type Backend = Cuda<Emulated>;
    const CASES: u32 = 6;
    const PRODUCTS: Option<f64> = Some(BF16);

    fn backend() -> Option<Self::Backend> {
        Some(Cuda::new(emulated()?.in_order(Order::Backward), Factors::Bf16).expect("a backend"))
    }
}

/// The same with products of TF32.
pub struct Tf32;

impl Tested for Tf32 {
    type Backend = Cuda<Emulated>;
    const CASES: u32 = 6;
    const PRODUCTS: Option<f64> = Some(TF32);

    fn backend() -> Option<Self::Backend> {
        Some(Cuda::new(emulated()?.in_order(Order::Forward), Factors::Tf32).expect("a backend"))
    }
}

/// The first GPU, opened once for all tests.
#[derive(Clone)]
pub struct Gpu(Arc<Mutex<Device>>);

impl Gpu {
    fn open(factors: Factors) -> Option<Self> {
        static DEVICES: [OnceLock<Option<Gpu>>; 3] = [const { OnceLock::new() }; 3];
        let device = DEVICES[factors as usize].get_or_init(|| match Device::open(0, factors) {
            Ok(device) => Some(Self(Arc::new(Mutex::new(device)))),
            Err(
                error @ (DeviceError::NotBuilt
                | DeviceError::NoDriver(_)
                | DeviceError::NoDevice { .. }
                | DeviceError::Capability { .. }),
            ) => {
                eprintln!("no CUDA device for {factors:?}: {error}");
                None
            }
            Err(error) => panic!("{error}"),
        });
        if device.is_none() {
            eprintln!("skipped: no CUDA device");
        }
        device.clone()
    }

    fn backend(factors: Factors) -> Option<Cuda<Self>> {
        Some(Cuda::new(Self::open(factors)?, factors).expect("a backend"))
    }

    fn with<R>(&self, call: impl FnOnce(&Device) -> R) -> R {
        call(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Driver for Gpu {
    type Copy = <Device as Driver>::Copy;

    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        self.with(|d| d.allocate(bytes))
    }

    fn free(&self, address: u64) {
        self.with(|d| d.free(address));
    }

    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError> {
        self.with(|d| d.clear(address, bytes))
    }

    fn upload(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.with(|d| d.upload(address, bytes))
    }

    fn download(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.with(|d| d.download(address, bytes))
    }

    fn begin_download(&self, address: u64, bytes: usize) -> Result<Self::Copy, DeviceError> {
        self.with(|d| d.begin_download(address, bytes))
    }

    fn arrived(&self, copy: &Self::Copy, wait: bool) -> Result<Option<Vec<u8>>, DeviceError> {
        self.with(|d| d.arrived(copy, wait))
    }

    fn launch(&self, kernel: &'static str, grid: [u32; 2], block: u32, params: &[u8]) -> Result<(), DeviceError> {
        self.with(|d| d.launch(kernel, grid, block, params))
    }

    fn product(&self, product: &Product) -> Result<(), DeviceError> {
        self.with(|d| d.product(product))
    }
}

/// The GPU; its exponential and GELU's error function are rounded otherwise than the processor's.
pub struct GpuFp32;

impl Tested for GpuFp32 {
    type Backend = Cuda<Gpu>;
    const ROUNDING: f64 = 4.0;

    fn backend() -> Option<Self::Backend> {
        Gpu::backend(Factors::F32)
    }
}

/// The same with products of bfloat16.
pub struct GpuBf16;

impl Tested for GpuBf16 {
    type Backend = Cuda<Gpu>;
    const ROUNDING: f64 = 4.0;
    const PRODUCTS: Option<f64> = Some(BF16);

    fn backend() -> Option<Self::Backend> {
        Gpu::backend(Factors::Bf16)
    }
}

/// The same with products of TF32.
pub struct GpuTf32;

impl Tested for GpuTf32 {
    type Backend = Cuda<Gpu>;
    const ROUNDING: f64 = 4.0;
    const PRODUCTS: Option<f64> = Some(TF32_CUT_OFF);

    fn backend() -> Option<Self::Backend> {
        Gpu::backend(Factors::Tf32)
    }
}
