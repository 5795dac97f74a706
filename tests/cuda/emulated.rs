//! A [`Driver`] that runs kernels on the processor, and watches them: memory begins as NaNs and lies between guards, every
//! range has to lie within one allocation, and whatever is done is counted. What a kernel does wrong is a panic that names it.

use std::{
    collections::BTreeMap,
    ffi::{CStr, c_char, c_int, c_void},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use libloading::{Library, Symbol};
use taper::kernels::cuda::{DeviceError, Driver, Product};

use crate::{compiled, product};

/// Addresses are multiples of it, as CUDA's are; and so many bytes at least are guarded on either side.
const ALIGNMENT: usize = 256;
/// What guards hold, four at a time: a NaN as f32, as f64 and as bfloat16.
const GUARD: [u8; 4] = [0xfe, 0xff, 0xff, 0xff];
/// What memory holds at first: a NaN too.
const NOTHING: u8 = 0xff;
/// What the kernels' `__launch_bounds__` allow.
const MOST_THREADS: u32 = 256;
/// Bytes of parameters that every device takes.
const MOST_PARAMETERS: usize = 4096;

/// The order in which the threads of an interval between two barriers run, and the blocks of a launch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Forward,
    Backward,
    /// Another one in each launch and interval, from this seed on.
    Shuffled(u64),
}

/// What has been done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub launches: u64,
    pub products: u64,
    pub uploads: u64,
    pub clears: u64,
    pub allocations: u64,
    /// Downloads that were waited for.
    pub downloads: u64,
    /// Downloads that were begun.
    pub begun: u64,
}

/// The device; clones are the same one.
#[derive(Clone)]
pub struct Emulated {
    library: &'static Library,
    state: Arc<Mutex<State>>,
}

struct State {
    memory: BTreeMap<u64, Allocation>,
    order: Order,
    counts: Counts,
    /// Bytes in use, and how many there are.
    used: usize,
    total: usize,
}

/// Guards, the bytes, and guards to the end.
struct Allocation {
    memory: Vec<u8>,
    bytes: Range<usize>,
}

impl Allocation {
    fn new(bytes: usize) -> Self {
        let mut memory = vec![NOTHING; bytes + 3 * ALIGNMENT];
        let from = 2 * ALIGNMENT - memory.as_ptr() as usize % ALIGNMENT;
        let bytes = from..from + bytes;
        for at in (0..bytes.start).chain(bytes.end..memory.len()) {
            memory[at] = GUARD[at % GUARD.len()];
        }
        Self { memory, bytes }
    }

    fn address(&mut self) -> u64 {
        self.memory[self.bytes.start..].as_mut_ptr() as u64
    }

    /// Panics where someone has written outside of the bytes.
    fn check(&self, kernel: &str) {
        let outside = [0..self.bytes.start, self.bytes.end..self.memory.len()];
        let written = outside.into_iter().find(|range| !is_guard(&self.memory[range.clone()], range.start));
        if let Some(mut range) = written {
            let at = range.find(|at| self.memory[*at] != GUARD[at % GUARD.len()]).expect("a byte");
            let (at, len) = (at as i64 - self.bytes.start as i64, self.bytes.len());
            panic!("{kernel} wrote outside of an allocation of {len} bytes, at byte {at}");
        }
    }
}

/// Whether the bytes, starting at this offset, are an intact guard.
fn is_guard(bytes: &[u8], from: usize) -> bool {
    const PATTERN: [u8; 3 * ALIGNMENT] = {
        let mut pattern = [0; 3 * ALIGNMENT];
        let mut at = 0;
        while at < pattern.len() {
            pattern[at] = GUARD[at % GUARD.len()];
            at += 1;
        }
        pattern
    };
    *bytes == PATTERN[from % GUARD.len()..][..bytes.len()]
}

impl State {
    /// The bytes of a range, which has to lie within one allocation.
    #[track_caller]
    fn bytes(&mut self, what: &str, address: u64, len: usize) -> &mut [u8] {
        let before = self.memory.range_mut(..=address).next_back();
        let found = before.filter(|(begin, of)| (address - **begin) as usize + len <= of.bytes.len());
        let Some((begin, of)) = found else {
            panic!("{what}: {len} bytes at {address:#x} are not within an allocation")
        };
        let from = of.bytes.start + (address - begin) as usize;
        &mut of.memory[from..from + len]
    }

    fn check(&self, kernel: &str) {
        self.memory.values().for_each(|allocation| allocation.check(kernel));
    }
}

impl Emulated {
    /// A device with the backend's kernels; none where there is no C++ compiler.
    pub fn new() -> Option<Self> {
        compiled::kernels().map(Self::of)
    }

    /// A device with these kernels.
    pub fn of(library: &'static Library) -> Self {
        let (order, counts) = (Order::Shuffled(1), Counts::default());
        let state = State { memory: BTreeMap::new(), order, counts, used: 0, total: usize::MAX };
        Self { library, state: Arc::new(Mutex::new(state)) }
    }

    /// The same in another order.
    pub fn in_order(self, order: Order) -> Self {
        self.state().order = order;
        self
    }

    /// The same with so many bytes of memory.
    pub fn with_memory(self, bytes: usize) -> Self {
        self.state().total = bytes;
        self
    }

    /// What has been done since the beginning, or since the last call of this.
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.state().counts)
    }

    /// Bytes that are allocated.
    pub fn used(&self) -> usize {
        self.state().used
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A launch; what went wrong is told as an error.
    pub fn try_launch(&self, kernel: &str, grid: [u32; 2], block: u32, params: &[u8]) -> Result<(), String> {
        type Kernel = extern "C" fn(*const c_void, u64, u32, u32, u32) -> c_int;
        let mut state = self.state();
        state.counts.launches += 1;
        let (order, seed) = match state.order {
            Order::Forward => (0, 0),
            Order::Backward => (1, 0),
            Order::Shuffled(seed) => (2, seed.wrapping_mul(1_000_003).wrapping_add(state.counts.launches)),
        };
        if block > MOST_THREADS || params.len() > MOST_PARAMETERS {
            let bytes = params.len();
            return Err(format!("kernel {kernel}: {block} threads with {bytes} bytes of parameters are too many"));
        }
        // SAFETY: the emulator's own functions, and a kernel, all of the types that emulator.h gives them. What kernels do
        // with the addresses that they are given is what the tests are to find out.
        #[expect(unsafe_code, reason = "kernels are foreign functions")]
        let error = unsafe {
            let library = self.library;
            let set_order: Symbol<extern "C" fn(u32, u64)> = library.get("emulator_order").expect("emulator.h");
            let error: Symbol<extern "C" fn() -> *const c_char> = library.get("emulator_error").expect("emulator.h");
            let run: Symbol<Kernel> = library.get(kernel).map_err(|_| format!("there is no kernel {kernel}"))?;
            set_order(order, seed);
            let failed = run(params.as_ptr().cast(), params.len() as u64, grid[0], grid[1], block) != 0;
            failed.then(|| CStr::from_ptr(error()).to_string_lossy().into_owned())
        };
        state.check(&format!("kernel {kernel}"));
        error.map_or(Ok(()), Err)
    }
}

/// A download that has begun.
pub struct Begun {
    bytes: Vec<u8>,
    /// What had been launched by then.
    launches: u64,
}

impl Driver for Emulated {
    type Copy = Begun;

    fn allocate(&self, bytes: usize) -> Result<u64, DeviceError> {
        let mut state = self.state();
        state.counts.allocations += 1;
        if bytes > state.total - state.used {
            let (needed, total) = (bytes as u64, state.total as u64);
            return Err(DeviceError::OutOfMemory {
                device: "cuda:0".into(),
                needed,
                free: total - state.used as u64,
                total,
            });
        }
        state.used += bytes;
        let mut new = Allocation::new(bytes);
        let address = new.address();
        state.memory.insert(address, new);
        Ok(address)
    }

    fn free(&self, address: u64) {
        let mut state = self.state();
        let freed = state.memory.remove(&address).unwrap_or_else(|| panic!("{address:#x} was not allocated"));
        state.used -= freed.bytes.len();
        freed.check("another device");
    }

    fn clear(&self, address: u64, bytes: usize) -> Result<(), DeviceError> {
        let mut state = self.state();
        state.counts.clears += 1;
        state.bytes("clear", address, bytes).fill(0);
        Ok(())
    }

    fn upload(&self, address: u64, bytes: &[u8]) -> Result<(), DeviceError> {
        let mut state = self.state();
        state.counts.uploads += 1;
        state.bytes("upload", address, bytes.len()).copy_from_slice(bytes);
        Ok(())
    }

    fn download(&self, address: u64, bytes: &mut [u8]) -> Result<(), DeviceError> {
        let mut state = self.state();
        state.counts.downloads += 1;
        bytes.copy_from_slice(state.bytes("download", address, bytes.len()));
        Ok(())
    }

    fn begin_download(&self, address: u64, bytes: usize) -> Result<Begun, DeviceError> {
        let mut state = self.state();
        state.counts.begun += 1;
        let launches = state.counts.launches;
        Ok(Begun { bytes: state.bytes("begin_download", address, bytes).to_vec(), launches })
    }

    /// Not at once, as on a device: when something has been launched since, or when it is waited for.
    fn arrived(&self, copy: &Begun, wait: bool) -> Result<Option<Vec<u8>>, DeviceError> {
        let later = self.state().counts.launches != copy.launches;
        Ok((wait || later).then(|| copy.bytes.clone()))
    }

    fn launch(&self, kernel: &'static str, grid: [u32; 2], block: u32, params: &[u8]) -> Result<(), DeviceError> {
        self.try_launch(kernel, grid, block, params).unwrap_or_else(|error| panic!("{error}"));
        Ok(())
    }

    fn product(&self, product: &Product) -> Result<(), DeviceError> {
        let mut state = self.state();
        state.counts.products += 1;
        let of = product::stored(product);
        let [a, b] = [of[0], of[1]].map(|m| state.bytes("a factor", m.address, m.bytes()).to_vec());
        let c = state.bytes("a product", of[2].address, of[2].bytes());
        product::multiply(product, of, &a, &b, c);
        Ok(())
    }
}
