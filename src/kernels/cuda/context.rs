//! Devices as the driver shows them, and the context in which everything on one of them happens.

use cudarc::{
    cublas::{result::CublasError, sys::cublasStatus_t},
    driver::{DriverError, result as cuda, sys},
};

use super::{DeviceError, DeviceInfo, Factors, library::find_driver};

/// Compute capability that the kernels are for.
const NEEDS: (u32, u32) = (7, 5);
/// The same where factors are bfloat16 or TF32.
const TENSOR_NEEDS: (u32, u32) = (8, 0);
/// Bytes without which cuBLAS fails with words that say nothing of memory.
const BLAS_NEEDS: usize = 256 << 20;

/// Whether a call failed with this code.
fn says(error: DriverError, code: sys::CUresult) -> bool {
    error.0 == code
}

/// The driver's message.
fn words(error: DriverError) -> String {
    let text = error.error_string().ok().and_then(|text| text.to_str().ok());
    text.map_or_else(|| format!("{:?}", error.0), |text| format!("{text} ({:?})", error.0))
}

fn wants_memory(error: DriverError) -> bool {
    says(error, sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)
}

fn failed(device: String, what: &str, error: DriverError) -> DeviceError {
    DeviceError::Failed { device, what: what.into(), cause: words(error), for_want_of_memory: wants_memory(error) }
}

/// Starts the driver.
fn start() -> Result<(), DeviceError> {
    find_driver()?;
    cuda::init().map_err(|e| match says(e, sys::CUresult::CUDA_ERROR_NO_DEVICE) {
        true => DeviceError::NoDevice { ordinal: 0, count: 0 },
        false => DeviceError::Failed {
            device: "cuda".into(),
            what: "starting NVIDIA's driver".into(),
            cause: format!("{}; `nvidia-smi` may say more, and --device cpu works everywhere", words(e)),
            for_want_of_memory: wants_memory(e),
        },
    })
}

fn device_info(ordinal: usize) -> Result<DeviceInfo, DriverError> {
    use sys::CUdevice_attribute_enum as Attribute;
    let device = cuda::device::get(ordinal as i32)?;
    // SAFETY: the device comes from the driver.
    #[expect(unsafe_code, reason = "the driver's interface")]
    let (memory, attribute) = unsafe {
        let attribute = |attribute| cuda::device::get_attribute(device, attribute).map(|v| v as u32);
        (cuda::device::total_mem(device)?, attribute)
    };
    let mut version = 0;
    // SAFETY: writes an integer.
    #[expect(unsafe_code, reason = "the driver's interface")]
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result()?;
    Ok(DeviceInfo {
        name: cuda::device::get_name(device)?,
        memory: memory as u64,
        capability: (
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        ),
        driver: (version as u32 / 1000, version as u32 % 1000 / 10),
    })
}

/// The devices that the driver shows, without allocating anything on them.
///
/// # Errors
/// No driver, or it does not start.
pub fn devices() -> Result<Vec<DeviceInfo>, DeviceError> {
    match start() {
        Err(DeviceError::NoDevice { .. }) => return Ok(Vec::new()),
        started => started?,
    }
    let failed = |what: &str, e| failed("cuda".into(), what, e);
    let count = cuda::device::get_count().map_err(|e| failed("counting the devices", e))?;
    (0..count as usize).map(|n| device_info(n).map_err(|e| failed("asking a device for its name", e))).collect()
}

/// The driver's description of a device that can compute products of such factors. Allocates nothing on it.
///
/// # Errors
/// No driver, no such device, or one that is too old.
pub fn usable(ordinal: usize, factors: Factors) -> Result<DeviceInfo, DeviceError> {
    let mut all = devices()?;
    if ordinal >= all.len() {
        return Err(DeviceError::NoDevice { ordinal, count: all.len() });
    }
    let info = all.swap_remove(ordinal);
    if info.capability < NEEDS {
        return Err(too_old(ordinal, &info, "taper", NEEDS, "or --device cpu"));
    }
    if factors != Factors::F32 && info.capability < TENSOR_NEEDS {
        let what = if factors == Factors::Bf16 { "train.precision = \"bf16\"" } else { "train.precision = \"tf32\"" };
        return Err(too_old(ordinal, &info, what, TENSOR_NEEDS, "or train.precision = \"fp32\""));
    }
    Ok(info)
}

/// Bytes free on a device.
///
/// # Errors
/// As for [`super::Device::open`].
pub fn free_memory(ordinal: usize) -> Result<u64, DeviceError> {
    let context = Context::new(ordinal)?;
    let (free, _) = cuda::mem_get_info().map_err(|e| context.failed("asking for its free memory", e))?;
    Ok(free as u64)
}

/// The device's primary context, current on the thread that opened it.
pub struct Context {
    pub ordinal: usize,
    pub info: DeviceInfo,
    device: sys::CUdevice,
    context: sys::CUcontext,
}

impl Context {
    pub fn new(ordinal: usize) -> Result<Self, DeviceError> {
        let info = usable(ordinal, Factors::F32)?;
        let failed = |e| failed(format!("cuda:{ordinal}"), "opening it", e);
        let device = cuda::device::get(ordinal as i32).map_err(failed)?;
        // SAFETY: the device comes from the driver, and what is retained is released when this is dropped.
        #[expect(unsafe_code, reason = "the driver's interface")]
        let context = unsafe { cuda::primary_ctx::retain(device) }.map_err(failed)?;
        let context = Self { ordinal, info, device, context };
        context.enter()?;
        Ok(context)
    }

    /// Makes it current on this thread.
    pub fn enter(&self) -> Result<(), DeviceError> {
        // SAFETY: the context is retained as long as this is there.
        #[expect(unsafe_code, reason = "the driver's interface")]
        unsafe { cuda::ctx::set_current(self.context) }.map_err(|e| self.failed("entering its context", e))
    }

    fn name(&self) -> String {
        format!("cuda:{}", self.ordinal)
    }

    pub fn failed(&self, what: &str, e: DriverError) -> DeviceError {
        failed(self.name(), what, e)
    }

    /// A failure to take memory.
    pub fn no_memory(&self, bytes: usize, e: DriverError) -> DeviceError {
        match wants_memory(e) {
            true => self.out_of_memory(bytes),
            false => self.failed(&format!("taking {bytes} bytes"), e),
        }
    }

    fn out_of_memory(&self, bytes: usize) -> DeviceError {
        let (free, total) = cuda::mem_get_info().unwrap_or_default();
        DeviceError::OutOfMemory { device: self.name(), needed: bytes as u64, free: free as u64, total: total as u64 }
    }

    /// The error for a failure of cuBLAS, whose own messages do not tell lack of memory from a driver that is too old for this CUDA.
    pub fn blas_failed(&self, what: String, e: &CublasError) -> DeviceError {
        match cuda::mem_get_info() {
            Ok((free, _)) if free < BLAS_NEEDS => self.out_of_memory(BLAS_NEEDS),
            _ => {
                let (major, minor) = self.info.driver;
                let cause = format!(
                    "{:?} (the driver is one for CUDA {major}.{minor}; a cuBLAS of a newer CUDA does not work with it, nor does \
                     one that is older than the GPU)",
                    e.0
                );
                let for_want_of_memory = e.0 == cublasStatus_t::CUBLAS_STATUS_ALLOC_FAILED;
                DeviceError::Failed { device: self.name(), what, cause, for_want_of_memory }
            }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: retained by `new`. A failure on release has no consequence.
        #[expect(unsafe_code, reason = "the driver's interface")]
        unsafe {
            _ = cuda::primary_ctx::release(self.device);
        }
    }
}

fn too_old(
    ordinal: usize,
    info: &DeviceInfo,
    what: &'static str,
    needs: (u32, u32),
    else_: &'static str,
) -> DeviceError {
    DeviceError::Capability { ordinal, name: info.name.clone(), has: info.capability, what, needs, else_ }
}
