//! Page-locked memory, from and to which a device copies while the host continues.

use std::{os::raw::c_void, ptr, slice};

use cudarc::driver::{
    DriverError,
    result::{self as cuda, event},
    sys,
};

/// Bytes of one of the two halves.
const HALF: usize = 4 << 20;
/// Bytes of a copy to the host that the host does not wait for.
const COPY: usize = 4096;

/// Page-locked memory with an event that is recorded after a copy.
struct Pinned {
    host: *mut u8,
    event: sys::CUevent,
}

#[expect(unsafe_code, reason = "the driver's interface")]
impl Pinned {
    fn new(bytes: usize) -> Result<Self, DriverError> {
        // SAFETY: `free` releases what is allocated.
        unsafe {
            let host = cuda::malloc_host(bytes, 0)?.cast::<u8>();
            let event = event::create(sys::CUevent_flags::CU_EVENT_DISABLE_TIMING)?;
            Ok(Self { host, event })
        }
    }

    fn record(&self, stream: sys::CUstream) -> Result<(), DriverError> {
        // SAFETY: both exist.
        unsafe { event::record(self.event, stream) }
    }

    /// Until what was recorded is done.
    fn wait(&self) -> Result<(), DriverError> {
        // SAFETY: it exists.
        unsafe { event::synchronize(self.event) }
    }

    fn free(&self) {
        // SAFETY: allocated by `new`, not used after this.
        unsafe {
            _ = event::destroy(self.event);
            _ = cuda::free_host(self.host.cast::<c_void>());
        }
    }
}

/// What goes to the device, in two halves that take turns: one is filled while the device copies from the other.
pub struct Staging {
    halves: [Pinned; 2],
    present: usize,
    used: usize,
}

impl Staging {
    pub fn new() -> Result<Self, DriverError> {
        Ok(Self { halves: [Pinned::new(HALF)?, Pinned::new(HALF)?], present: 0, used: 0 })
    }

    /// Begins to copy; the bytes are the caller's again.
    #[expect(unsafe_code, reason = "the driver's interface")]
    pub fn upload(&mut self, address: u64, bytes: &[u8], stream: sys::CUstream) -> Result<(), DriverError> {
        let mut to = address;
        for part in bytes.chunks(HALF) {
            if self.used + part.len() > HALF {
                self.halves[self.present].record(stream)?;
                (self.present, self.used) = (1 - self.present, 0);
                self.halves[self.present].wait()?;
            }
            // SAFETY: the part fits into what is free of the half, whose former copies are done.
            unsafe {
                let host = self.halves[self.present].host.add(self.used);
                ptr::copy_nonoverlapping(part.as_ptr(), host, part.len());
                cuda::memcpy_htod_async(to, slice::from_raw_parts(host, part.len()), stream)?;
            }
            self.used += part.len();
            to += part.len() as u64;
        }
        Ok(())
    }

    pub fn free(&mut self) {
        self.halves.iter().for_each(Pinned::free);
    }
}

/// Small copies to the host on their way.
#[derive(Default)]
pub struct Copies {
    all: Vec<(Pinned, usize)>,
    free: Vec<usize>,
}

#[expect(unsafe_code, reason = "the driver's interface")]
impl Copies {
    /// Begins one; tells its number.
    pub fn begin(&mut self, address: u64, bytes: usize, stream: sys::CUstream) -> Result<usize, DriverError> {
        assert!(bytes <= COPY, "{bytes} bytes are to be waited for");
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                self.all.push((Pinned::new(COPY)?, 0));
                self.all.len() - 1
            }
        };
        let (pinned, len) = &mut self.all[at];
        *len = bytes;
        // SAFETY: the memory is this copy's until it is done.
        unsafe { cuda::memcpy_dtoh_async(slice::from_raw_parts_mut(pinned.host, bytes), address, stream)? };
        pinned.record(stream)?;
        Ok(at)
    }

    /// Its bytes, where it is done.
    pub fn arrived(&mut self, at: usize, wait: bool) -> Result<Option<Vec<u8>>, DriverError> {
        let (pinned, len) = &self.all[at];
        if wait {
            pinned.wait()?;
        } else {
            // SAFETY: the event exists.
            match unsafe { event::query(pinned.event) } {
                Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_READY)) => return Ok(None),
                done => done?,
            }
        }
        // SAFETY: the copy is done.
        let bytes = unsafe { slice::from_raw_parts(pinned.host, *len) }.to_vec();
        self.free.push(at);
        Ok(Some(bytes))
    }

    pub fn free(&mut self) {
        self.all.iter().for_each(|(pinned, _)| pinned.free());
    }
}
