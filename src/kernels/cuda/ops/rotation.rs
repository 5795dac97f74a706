//! Rotary positions.

use super::super::{
    super::{Rotation, RotationOps},
    Buffer, Cuda, CudaBatch, Driver, Kernel, params,
};

impl<D: Driver> RotationOps for Cuda<D> {
    fn rotate(&mut self, args: Rotation<Buffer<D>, CudaBatch>) {
        let Rotation { x, angles, batch, stride, heads, head_width, back } = args;
        let (half, (x, x_half)) = (head_width / 2, x.both_in_part(0));
        let len = batch.tokens() * heads * half;
        let p = params::Rotate {
            x,
            x_half,
            angles: angles.at(0),
            positions: batch.on_device[1],
            len: len as u64,
            stride: stride as u32,
            heads: heads as u32,
            half: half as u32,
            sign: if back { -1.0 } else { 1.0 },
        };
        self.each(Kernel::Rotate, len, &p);
    }
}
