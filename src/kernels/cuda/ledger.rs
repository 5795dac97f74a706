//! Loss and squares of steps, which stay on the device until they are requested and are copied to the host in batches.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use bytemuck::{Pod, Zeroable};

use super::{
    super::Sums,
    Driver,
    memory::{Memory, Shared},
    params::Address,
};

/// Steps that the device remembers.
const STEPS: usize = 64;
/// Steps whose sums are fetched together …
const BATCH: usize = 16;
/// … unless this has passed since the last were.
const PATIENCE: Duration = Duration::from_millis(100);

/// A step's sums as kernels write them.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Entry {
    loss: f64,
    squares: f64,
}

const BYTES: usize = size_of::<Entry>();

fn sums(bytes: &[u8]) -> impl Iterator<Item = Sums> {
    bytes.chunks_exact(BYTES).map(|bytes| {
        let Entry { loss, squares } = bytemuck::pod_read_unaligned(bytes);
        Sums { loss, squares }
    })
}

/// A ring of steps.
pub struct Ledger<D: Driver> {
    device: Arc<Shared<D>>,
    memory: Memory<D>,
    /// The current step.
    present: usize,
    /// Ended steps whose sums were not requested yet.
    over: usize,
    asked: VecDeque<D::Copy>,
    last: Instant,
}

impl<D: Driver> Ledger<D> {
    /// Bytes of the ring.
    pub const BYTES: usize = STEPS * BYTES;

    pub fn new(device: &Arc<Shared<D>>) -> Self {
        let memory = Memory::zeros(device, Self::BYTES);
        Self { device: device.clone(), memory, present: 0, over: 0, asked: VecDeque::new(), last: Instant::now() }
    }

    /// Where the current step's sums are.
    pub fn address(&self) -> Address {
        self.memory.address() + (self.present * BYTES) as Address
    }

    pub fn begin(&mut self) {
        self.device.with(|d| d.clear(self.address(), BYTES));
    }

    /// The current step's sums, now.
    pub fn now(&self) -> Sums {
        let mut bytes = [0; BYTES];
        self.device.with(|d| d.download(self.address(), &mut bytes));
        sums(&bytes).next().expect("one step")
    }

    pub fn end(&mut self) {
        self.over += 1;
        self.present = (self.present + 1) % STEPS;
        if self.present == 0 {
            self.fetch();
        }
    }

    /// Starts fetching the sums of ended steps.
    fn fetch(&mut self) {
        let first = (self.present + STEPS - self.over) % STEPS;
        let address = self.memory.address() + (first * BYTES) as Address;
        let copy = self.device.with(|d| d.begin_download(address, self.over * BYTES));
        self.asked.extend(copy);
        (self.over, self.last) = (0, Instant::now());
    }

    /// See [`super::super::Backend::finished`].
    pub fn finished(&mut self, wait: bool) -> Vec<Sums> {
        if self.over > 0 && (wait || self.over >= BATCH || self.last.elapsed() >= PATIENCE) {
            self.fetch();
        }
        let mut finished = Vec::new();
        while let Some(copy) = self.asked.front() {
            let Some(Some(bytes)) = self.device.with(|d| d.arrived(copy, wait)) else { break };
            finished.extend(sums(&bytes));
            self.asked.pop_front();
        }
        finished
    }
}
