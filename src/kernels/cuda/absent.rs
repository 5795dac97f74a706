//! The device of a build without the feature `cuda`: it cannot be opened.

use super::{DeviceError, DeviceInfo, Driver, Factors, Product};

/// There are none.
///
/// # Errors
/// Always.
pub fn devices() -> Result<Vec<DeviceInfo>, DeviceError> {
    Err(DeviceError::NotBuilt)
}

/// There is none.
///
/// # Errors
/// Always.
pub fn usable(_: usize, _: Factors) -> Result<DeviceInfo, DeviceError> {
    Err(DeviceError::NotBuilt)
}

/// There is none.
///
/// # Errors
/// Always.
pub fn find_cublas() -> Result<(), DeviceError> {
    Err(DeviceError::NotBuilt)
}

/// None.
pub fn versions() -> String {
    String::new()
}

/// There is none.
///
/// # Errors
/// Always.
pub fn free_memory(_: usize) -> Result<u64, DeviceError> {
    Err(DeviceError::NotBuilt)
}

/// Nothing.
#[derive(Debug)]
pub enum Device {}

impl Device {
    /// Cannot be opened.
    ///
    /// # Errors
    /// Always.
    pub fn open(_: usize, _: Factors) -> Result<Self, DeviceError> {
        Err(DeviceError::NotBuilt)
    }

    /// The driver's description of it.
    pub fn info(&self) -> &DeviceInfo {
        match *self {}
    }
}

impl Driver for Device {
    type Copy = ();

    fn allocate(&self, _: usize) -> Result<u64, DeviceError> {
        match *self {}
    }

    fn free(&self, _: u64) {
        match *self {}
    }

    fn clear(&self, _: u64, _: usize) -> Result<(), DeviceError> {
        match *self {}
    }

    fn upload(&self, _: u64, _: &[u8]) -> Result<(), DeviceError> {
        match *self {}
    }

    fn download(&self, _: u64, _: &mut [u8]) -> Result<(), DeviceError> {
        match *self {}
    }

    fn begin_download(&self, _: u64, _: usize) -> Result<(), DeviceError> {
        match *self {}
    }

    fn arrived(&self, (): &(), _: bool) -> Result<Option<Vec<u8>>, DeviceError> {
        match *self {}
    }

    fn launch(&self, _: &'static str, _: [u32; 2], _: u32, _: &[u8]) -> Result<(), DeviceError> {
        match *self {}
    }

    fn product(&self, _: &Product) -> Result<(), DeviceError> {
        match *self {}
    }
}
