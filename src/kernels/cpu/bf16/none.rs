//! Processors without bf16 products that this module knows: no [`Kind`] exists, so nothing here ever runs.

use super::{panels::Step, product::Block};

/// Nothing to choose from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {}

/// Nothing.
pub fn detect() -> Vec<Kind> {
    Vec::new()
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {}
    }

    pub fn round(self, _from: &[f32], _stride: usize, _stacked: bool, _turn: bool, _to: &mut Step) {
        match self {}
    }

    pub fn kernel(self) -> Kernel {
        match self {}
    }
}

/// Multiplies nothing.
pub enum Kernel {}

impl Kernel {
    /// # Safety
    /// None is needed: no [`Kernel`] exists.
    #[expect(unsafe_code, reason = "the contract of the processors that can")]
    pub unsafe fn multiply(&self, _block: Block) {
        match *self {}
    }
}
