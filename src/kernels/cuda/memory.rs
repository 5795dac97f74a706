//! Memory of a device, and the first failure of its driver.

use std::{
    cell::{Cell, OnceCell},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{DeviceError, Driver, params::Address};

/// A driver that remembers its first failure, after which nothing is done any more.
pub struct Shared<D>(Mutex<State<D>>);

struct State<D> {
    driver: D,
    failure: Option<DeviceError>,
}

impl<D: Driver> Shared<D> {
    pub fn new(driver: D) -> Self {
        Self(Mutex::new(State { driver, failure: None }))
    }

    fn state(&self) -> MutexGuard<'_, State<D>> {
        // A panic in between (of a test's driver) leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the driver, unless something failed before; `None` on failure.
    pub fn with<T>(&self, call: impl FnOnce(&D) -> Result<T, DeviceError>) -> Option<T> {
        let mut state = self.state();
        if state.failure.is_some() {
            return None;
        }
        call(&state.driver).map_err(|error| state.failure = Some(error)).ok()
    }

    /// Records a failure that is not the driver's.
    pub fn fail(&self, error: DeviceError) {
        self.with::<()>(|_| Err(error));
    }

    /// The first failure.
    pub fn health(&self) -> Result<(), DeviceError> {
        self.state().failure.clone().map_or(Ok(()), Err)
    }
}

/// Device memory that is freed on drop.
pub struct Memory<D: Driver> {
    device: Arc<Shared<D>>,
    address: Address,
    bytes: usize,
}

impl<D: Driver> Memory<D> {
    /// Uninitialised memory; empty if the allocation failed.
    pub fn new(device: &Arc<Shared<D>>, bytes: usize) -> Self {
        let address = if bytes == 0 { None } else { device.with(|d| d.allocate(bytes)) };
        Self { device: device.clone(), address: address.unwrap_or(0), bytes }
    }

    /// The same, zero.
    pub fn zeros(device: &Arc<Shared<D>>, bytes: usize) -> Self {
        let memory = Self::new(device, bytes);
        if bytes > 0 {
            device.with(|d| d.clear(memory.address, bytes));
        }
        memory
    }

    /// Its address; 0 if it is empty.
    pub fn address(&self) -> Address {
        self.address
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<D: Driver> Drop for Memory<D> {
    fn drop(&mut self) {
        if self.address != 0 {
            // Also after a failure: another run may use the device.
            self.device.state().driver.free(self.address);
        }
    }
}

/// f32 values on a device and, once a product has needed it, a bfloat16 copy, which kernels then write as well.
pub struct Buffer<D: Driver> {
    numbers: Memory<D>,
    half: OnceCell<Memory<D>>,
    /// The number of leading values of which `half` is up to date.
    half_holds: Cell<usize>,
}

impl<D: Driver> Buffer<D> {
    /// Zeros.
    pub fn new(device: &Arc<Shared<D>>, len: usize) -> Self {
        let numbers = Memory::zeros(device, 4 * len);
        Self { numbers, half: OnceCell::new(), half_holds: Cell::new(0) }
    }

    /// Its length in values.
    pub fn room(&self) -> usize {
        self.numbers.bytes() / 4
    }

    /// Address of value `at`, for reading.
    pub fn at(&self, at: usize) -> Address {
        self.numbers.address() + 4 * at as Address
    }

    /// The same for writing f32 alone: the bfloat16 copy is out of date then.
    pub fn out(&mut self, at: usize) -> Address {
        self.half_holds.set(0);
        self.at(at)
    }

    /// Addresses of value `at` in f32 and in bfloat16 (0: there is no copy), for a kernel that writes the whole buffer in both.
    pub fn both(&mut self, at: usize) -> (Address, Address) {
        self.half_holds.set(if self.half.get().is_some() { self.room() } else { 0 });
        (self.at(at), self.half_at(at))
    }

    /// The same for a kernel that writes a part of the buffer.
    pub fn both_in_part(&mut self, at: usize) -> (Address, Address) {
        (self.at(at), if self.half_holds.get() > 0 { self.half_at(at) } else { 0 })
    }

    fn half_at(&self, at: usize) -> Address {
        self.half.get().map_or(0, |half| half.address() + 2 * at as Address)
    }

    /// Address of value `at` in the bfloat16 copy of the first `n` values; `convert` (to, from) writes it if it is out of date.
    pub fn half(&self, at: usize, n: usize, convert: impl FnOnce(Address, Address)) -> Address {
        let half = self.half.get_or_init(|| Memory::new(&self.numbers.device, self.numbers.bytes() / 2));
        if self.half_holds.get() < n {
            convert(half.address(), self.at(0));
            self.half_holds.set(n);
        }
        self.half_at(at)
    }
}

/// The data of one batch that is copied to the device, rewritten for each batch. A batch's copies are ordered after the previous batch's
/// work, so its memory can be reused at once.
pub struct Arena<D: Driver> {
    device: Arc<Shared<D>>,
    block: Memory<D>,
    used: usize,
    /// Blocks that were too small for the current batch, which still uses them.
    outgrown: Vec<Memory<D>>,
}

impl<D: Driver> Arena<D> {
    /// Bytes at first: a batch of some 50,000 tokens.
    pub const BYTES: usize = 1 << 20;

    pub fn new(device: &Arc<Shared<D>>) -> Self {
        let block = Memory::new(device, Self::BYTES);
        Self { device: device.clone(), block, used: 0, outgrown: Vec::new() }
    }

    /// A new batch.
    pub fn reset(&mut self) {
        self.used = 0;
        self.outgrown.clear();
    }

    /// Copies values to the device, one after the other, with a single call; returns the address of each part.
    pub fn put<const N: usize>(&mut self, parts: [&[u8]; N]) -> [Address; N] {
        const ALIGN: usize = 16;
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len() + ALIGN).sum());
        let offsets = parts.map(|part| {
            bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
            let at = bytes.len();
            bytes.extend_from_slice(part);
            at
        });
        let mut at = self.used.next_multiple_of(ALIGN);
        if at + bytes.len() > self.block.bytes() {
            let larger = Memory::new(&self.device, 2 * (at + bytes.len()));
            self.outgrown.push(std::mem::replace(&mut self.block, larger));
            at = 0;
        }
        self.used = at + bytes.len();
        let begin = self.block.address() + at as Address;
        if !bytes.is_empty() {
            self.device.with(|d| d.upload(begin, &bytes));
        }
        offsets.map(|at| begin + at as Address)
    }
}
