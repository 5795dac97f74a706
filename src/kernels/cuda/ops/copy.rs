//! Copies of rows.

use super::super::{
    super::{CopyOps, CopyRows},
    Buffer, Cuda, Driver, Kernel, params,
};

impl<D: Driver> CopyOps for Cuda<D> {
    fn copy_rows(&mut self, args: CopyRows<Buffer<D>>) {
        let CopyRows { to, to_at, add, from, from_at, shape: (rows, width), dropout } = args;
        let (len, (to, to_half)) = (rows * width, to.both_in_part(to_at));
        let p = params::CopyRows {
            to,
            to_half,
            from: from.at(from_at),
            dropout: dropout.into(),
            len: len as u64,
            width: width as u32,
            add: add.into(),
        };
        self.each(Kernel::CopyRows, len, &p);
    }
}
