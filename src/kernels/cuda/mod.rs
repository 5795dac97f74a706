//! NVIDIA GPUs.

mod driver;

pub use driver::{DeviceError, Driver, Factors, Product};
