//! Buffers, batches and steps.

use std::{borrow::Cow, cell::OnceCell, ops::Range};

use super::super::{
    super::{Backend, DeviceError, Memory, Sums, TokenStream},
    Buffer, Cuda, CudaBatch, Driver,
};

impl<D: Driver> Backend for Cuda<D> {}

impl<D: Driver> Memory for Cuda<D> {
    type Buffer = Buffer<D>;
    type Batch = CudaBatch;

    fn zeros(&self, len: usize) -> Buffer<D> {
        Buffer::new(&self.device, len)
    }

    fn zeros_of_parameters(&self, len: usize, _: usize) -> Buffer<D> {
        Buffer::new(&self.device, len)
    }

    fn write(&self, buffer: &mut Buffer<D>, at: usize, values: &[f32]) {
        assert!(at + values.len() <= buffer.room(), "{} numbers at {at} of {}", values.len(), buffer.room());
        if !values.is_empty() {
            let address = buffer.out(at);
            self.device.with(|d| d.upload(address, bytemuck::cast_slice(values)));
        }
    }

    fn read<'a>(&self, buffer: &'a Buffer<D>, range: Range<usize>) -> Cow<'a, [f32]> {
        assert!(range.end <= buffer.room(), "{range:?} of {}", buffer.room());
        let mut values = vec![0.0f32; range.len()];
        if !values.is_empty() {
            self.device.with(|d| d.download(buffer.at(range.start), bytemuck::cast_slice_mut(&mut values)));
        }
        Cow::Owned(values)
    }

    fn clear(&self, buffer: &mut Buffer<D>, len: usize) {
        if len > 0 {
            let address = buffer.out(0);
            self.device.with(|d| d.clear(address, 4 * len));
        }
    }

    fn batch(&mut self, tokens: TokenStream) -> CudaBatch {
        self.arena.reset();
        let TokenStream { ids, positions, token_types, offsets } = tokens;
        let on_device = self.arena.put([ids, positions, token_types, offsets].map(bytemuck::cast_slice));
        CudaBatch {
            ids: ids.into(),
            positions: positions.into(),
            token_types: token_types.into(),
            offsets: offsets.into(),
            on_device,
            tiles: OnceCell::new(),
            pairs: Default::default(),
        }
    }

    /// Writing marks the buffer itself: see [`Buffer::out`].
    fn parameters_written(&mut self) {}

    fn health(&self) -> Result<(), DeviceError> {
        self.device.health()
    }

    fn begin_step(&mut self) {
        self.ledger.begin();
    }

    fn sums(&mut self) -> Sums {
        self.ledger.now()
    }

    fn end_step(&mut self) {
        self.ledger.end();
    }

    fn finished(&mut self, wait: bool) -> Vec<Sums> {
        self.ledger.finished(wait)
    }
}
