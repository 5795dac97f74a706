//! Copies of rows.

use super::super::{
    super::{CopyOps, CopyRows},
    Buffer, Cuda, Driver,
};

impl<D: Driver> CopyOps for Cuda<D> {
    fn copy_rows(&mut self, _args: CopyRows<Buffer<D>>) {
        self.refuse("relative positions".into());
    }
}
