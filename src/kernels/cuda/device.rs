//! A real device, through the libraries that come with its driver. They are loaded when a device is opened, so that one binary works on
//! machines with and without a GPU.

use std::{cell::RefCell, collections::HashMap, ffi::CString, os::raw::c_void, ptr};

use cudarc::{
    cublas::{result as blas, sys as blas_sys},
    driver::{
        DriverError,
        result::{self as cuda, module, stream},
        sys,
    },
};

use super::{
    DeviceError, DeviceInfo, Driver, Factors, Product,
    context::{Context, usable},
    library::find_cublas,
    products::Products,
    staging::{Copies, Staging},
};

/// The kernels, for any device.
const KERNELS: &str = include_str!("kernels.ptx");
/// Bytes that cuBLAS may work with: what NVIDIA recommends for its largest devices.
const WORKSPACE: usize = 32 << 20;

/// A CUDA device with a stream of its own.
pub struct Device {
    handle: blas_sys::cublasHandle_t,
    workspace: u64,
    products: RefCell<Option<Products>>,
    module: sys::CUmodule,
    kernels: RefCell<HashMap<&'static str, sys::CUfunction>>,
    staging: RefCell<Staging>,
    copies: RefCell<Copies>,
    stream: sys::CUstream,
    context: Context,
}

// SAFETY: the driver's and cuBLAS's handles may be used from any thread, by one at a time, where the context is current: every
// call begins with making it so.
#[expect(unsafe_code, reason = "handles are pointers")]
unsafe impl Send for Device {}

impl Device {
    /// Opens a device for products of such factors.
    ///
    /// # Errors
    /// No driver, no such device, one that is too old, no cuBLAS, no memory.
    #[expect(unsafe_code, reason = "the interfaces of the driver and of cuBLAS")]
    pub fn open(ordinal: usize, factors: Factors) -> Result<Self, DeviceError> {
        usable(ordinal, factors)?;
        find_cublas()?;
        let context = Context::new(ordinal)?;
        let failed = |what: &str, e| context.failed(what, e);
        let stream = stream::create(stream::StreamKind::NonBlocking).map_err(|e| failed("creating a stream", e))?;
        let source = CString::new(KERNELS).expect("no zero in a text");
        // SAFETY: the text ends with a zero.
        let module =
            unsafe { module::load_data(source.as_ptr().cast()) }.map_err(|e| failed("compiling the kernels", e))?;
        let blas_failed = |what: &str, e: blas::CublasError| context.blas_failed(what.into(), &e);
        let handle = blas::create_handle().map_err(|e| blas_failed("starting cuBLAS", e))?;
        // SAFETY: handle and stream were just created; the workspace lives as long as the handle.
        let workspace = unsafe {
            blas::set_stream(handle, stream.cast()).map_err(|e| blas_failed("giving cuBLAS a stream", e))?;
            let workspace = cuda::malloc_sync(WORKSPACE).map_err(|e| context.no_memory(WORKSPACE, e))?;
            let given = blas_sys::cublasSetWorkspace_v2(handle, workspace as *mut c_void, WORKSPACE);
            given.result().map_err(|e| blas_failed("giving cuBLAS a workspace", e))?;
            workspace
        };
        let staging = Staging::new().map_err(|e| failed("allocating page-locked memory", e))?;
        Ok(Self {
            handle,
            workspace,
            products: RefCell::new(Products::new((workspace, WORKSPACE), stream.cast())),
            module,
            kernels: RefCell::default(),
            staging: RefCell::new(staging),
            copies: RefCell::default(),
            stream,
            context,
        })
    }

    /// The driver's description of it.
    pub fn info(&self) -> &DeviceInfo {
        &self.context.info
    }

    fn failed(&self, what: &'static str) -> impl FnOnce(DriverError) -> DeviceError + '_ {
        move |e| self.context.failed(what, e)
    }

    #[expect(unsafe_code, reason = "the driver's interface")]
    fn kernel(&self, name: &'static str) -> Result<sys::CUfunction, DeviceError> {
        let mut kernels = self.kernels.borrow_mut();
        if let Some(kernel) = kernels.get(name) {
            return Ok(*kernel);
        }
        let symbol = CString::new(name).expect("no zero in a name");
        // SAFETY: the module is loaded.
        let found = unsafe { module::get_function(self.module, symbol) };
        let kernel = found.map_err(|e| self.context.failed(&format!("finding the kernel {name}"), e))?;
        kernels.insert(name, kernel);
        Ok(kernel)
    }

    /// Waits for everything.
    #[expect(unsafe_code, reason = "the driver's interface")]
    fn wait(&self) -> Result<(), DeviceError> {
        // SAFETY: the stream lives as long as this.
        unsafe { stream::synchronize(self.stream) }.map_err(self.failed("waiting for it"))
    }
}

#[expect(unsafe_code, reason = "the interfaces of the driver and of cuBLAS")]
impl Driver for Device {
    type Copy = usize;

    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        self.context.enter()?;
        // SAFETY: what is taken is given back by `free`.
        unsafe { cuda::malloc_sync(bytes) }.map_err(|e| self.context.no_memory(bytes, e))
    }

    fn free(&self, address: u64) {
        // SAFETY: it comes from `allocate`. Where the device has failed, this fails too, and nothing can be done about it.
        unsafe {
            _ = self.context.enter();
            _ = cuda::free_sync(address);
        }
    }

    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError> {
        self.context.enter()?;
        // SAFETY: the caller's memory.
        unsafe { cuda::memset_d8_async(address, 0, bytes, self.stream) }.map_err(self.failed("clearing memory"))
    }

    fn upload(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        self.context.enter()?;
        let copied = self.staging.borrow_mut().upload(address, bytes, self.stream);
        copied.map_err(self.failed("copying to it"))
    }

    fn download(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        self.context.enter()?;
        self.wait()?;
        // SAFETY: the caller's memory, of the length of `bytes`.
        unsafe { cuda::memcpy_dtoh_sync(bytes, address) }.map_err(self.failed("copying from it"))
    }

    fn begin_download(&self, address: u64, bytes: usize) -> Result<usize, DeviceError> {
        self.context.enter()?;
        self.copies.borrow_mut().begin(address, bytes, self.stream).map_err(self.failed("copying from it"))
    }

    fn arrived(&self, copy: &usize, wait: bool) -> Result<Option<Vec<u8>>, DeviceError> {
        self.context.enter()?;
        self.copies.borrow_mut().arrived(*copy, wait).map_err(self.failed("a kernel or a copy"))
    }

    fn launch(&self, kernel: &'static str, grid: [u32; 2], block: u32, params: &[u8]) -> Result<(), DeviceError> {
        self.context.enter()?;
        let function = self.kernel(kernel)?;
        let mut arguments = [params.as_ptr().cast_mut().cast::<c_void>()];
        // SAFETY: the kernel takes one structure, which the driver copies before the call returns; what it points to is the
        // caller's.
        let launched = unsafe {
            cuda::launch_kernel(function, (grid[0], grid[1], 1), (block, 1, 1), 0, self.stream, &mut arguments)
        };
        launched.map_err(|e| self.context.failed(&format!("starting the kernel {kernel}"), e))
    }

    fn product(&self, p: &Product) -> Result<(), DeviceError> {
        use blas_sys::{cublasComputeType_t as Compute, cublasOperation_t as Op, cudaDataType_t as Type};
        if p.m == 0 || p.n == 0 {
            return Ok(());
        }
        self.context.enter()?;
        if self.products.borrow_mut().as_mut().is_some_and(|products| products.begin(p)) {
            return Ok(());
        }
        let op = |transposed| if transposed { Op::CUBLAS_OP_T } else { Op::CUBLAS_OP_N };
        let (kind, compute) = match p.factors {
            Factors::F32 => (Type::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F),
            Factors::Tf32 => (Type::CUDA_R_32F, Compute::CUBLAS_COMPUTE_32F_FAST_TF32),
            Factors::Bf16 => (Type::CUDA_R_16BF, Compute::CUBLAS_COMPUTE_32F),
        };
        let (alpha, beta) = (1.0f32, p.beta);
        let int = |n: usize| i32::try_from(n).expect("a matrix' size");
        // SAFETY: the matrices are the caller's; the factors of the product are on the host during the call.
        let result = unsafe {
            blas::gemm_ex(
                self.handle,
                op(p.transposed.0),
                op(p.transposed.1),
                int(p.m),
                int(p.n),
                int(p.k),
                ptr::from_ref(&alpha).cast(),
                p.a.0 as *const c_void,
                kind,
                int(p.a.1),
                p.b.0 as *const c_void,
                kind,
                int(p.b.1),
                ptr::from_ref(&beta).cast(),
                p.c.0 as *mut c_void,
                Type::CUDA_R_32F,
                int(p.c.1),
                compute,
                blas_sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
            )
        };
        result.map_err(|e| self.context.blas_failed(format!("a product of {}·{}·{}", p.m, p.n, p.k), &e))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // SAFETY: `open` created all of them, and none is used after this. Failures on release have no consequence.
        #[expect(unsafe_code, reason = "the interfaces of the driver and of cuBLAS")]
        unsafe {
            _ = self.context.enter();
            _ = stream::synchronize(self.stream);
            self.products.get_mut().iter_mut().for_each(Products::free);
            _ = blas::destroy_handle(self.handle);
            _ = cuda::free_sync(self.workspace);
            self.staging.get_mut().free();
            self.copies.get_mut().free();
            _ = module::unload(self.module);
            _ = stream::destroy(self.stream);
        }
    }
}
