//! What each kernel is given, as the structures of the same names in `source` have it: C's layout, without padding.

use bytemuck::{Pod, Zeroable};

use super::super::{self as kernels, Clip};

/// An address on the device; 0: none.
pub type Address = u64;

/// Dropout of one site in one step; all zero where nothing is dropped.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Dropout {
    pub first_row: u64,
    pub key: [u32; 2],
    pub high: [u32; 2],
    pub threshold: u32,
    pub scale: f32,
}

impl From<Option<kernels::Dropout>> for Dropout {
    fn from(dropout: Option<kernels::Dropout>) -> Self {
        dropout.map_or(Self::zeroed(), |d| d.for_device())
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct NormForward {
    pub out: Address,
    pub out_half: Address,
    pub stats: Address,
    pub weight: Address,
    pub bias: Address,
    pub dropout: Dropout,
    pub width: u32,
    pub eps: f32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Embed {
    pub norm: NormForward,
    pub sum: Address,
    pub words: Address,
    pub positions: Address,
    pub token_types: Address,
    pub ids: Address,
    pub position_rows: Address,
    pub token_type_rows: Address,
    pub scales: Address,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AddNorm {
    pub norm: NormForward,
    pub x: Address,
    pub bias: Address,
    pub residual: Address,
    pub dropout: Dropout,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct NormBackward {
    pub d_sum: Address,
    pub dx: Address,
    pub dx_half: Address,
    pub partial: Address,
    pub dy: Address,
    pub sum: Address,
    pub stats: Address,
    pub weight: Address,
    pub before: Dropout,
    pub after: Dropout,
    pub rows: u32,
    pub rows_of_block: u32,
    pub width: u32,
    pub unused: u32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AddBias {
    pub y: Address,
    pub bias: Address,
    pub len: u64,
    pub width: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct BiasGelu {
    pub y: Address,
    pub y_half: Address,
    pub x: Address,
    pub bias: Address,
    pub len: u64,
    pub width: u32,
    pub derivative: u32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Multiply {
    pub y: Address,
    pub y_half: Address,
    pub x: Address,
    pub len: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Tanh {
    pub y: Address,
    pub x: Address,
    pub dropout: Dropout,
    pub len: u64,
    pub width: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct FirstRows {
    pub x: Address,
    pub y: Address,
    pub y_half: Address,
    pub offsets: Address,
    pub width: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Convert {
    pub half: Address,
    pub x: Address,
    pub len: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ScaleRows {
    pub table: Address,
    pub rows: Address,
    pub width: u64,
    pub by: f32,
    pub unused: u32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ColumnSums {
    pub first: Address,
    pub second: Address,
    pub x: Address,
    pub kinds: Address,
    pub rows: u32,
    pub width: u32,
    pub split: u32,
    pub fresh: u32,
    pub kind: u32,
    pub unused: u32,
}

impl ColumnSums {
    /// The sums of all columns of `x`, `[rows, width]`, into `first`.
    pub fn of(first: Address, x: Address, rows: usize, width: usize, fresh: bool) -> Self {
        let (rows, width, fresh) = (rows as u32, width as u32, u32::from(fresh));
        Self { first, second: 0, x, kinds: 0, rows, width, split: width, fresh, kind: 0, unused: 0 }
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AddRows {
    pub to: Address,
    pub d_sum: Address,
    pub rows: Address,
    pub ends: Address,
    pub tokens: Address,
    pub width: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Attention {
    pub context: Address,
    pub context_half: Address,
    pub dq: Address,
    pub dq_half: Address,
    pub dk: Address,
    pub dk_half: Address,
    pub dv: Address,
    pub dv_half: Address,
    pub stats: Address,
    pub d_context: Address,
    pub q: Address,
    pub k: Address,
    pub v: Address,
    pub offsets: Address,
    pub tiles: Address,
    pub dropout: Dropout,
    pub q_stride: u32,
    pub kv_stride: u32,
    pub width: u32,
    pub heads: u32,
    pub head_width: u32,
    pub first_only: u32,
    pub scale: f32,
    pub unused: u32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct CrossEntropy {
    pub d_logits: Address,
    pub logits: Address,
    pub targets: Address,
    pub sums: Address,
    pub rows: u32,
    pub labels: u32,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Squares {
    pub partial: Address,
    pub x: Address,
    pub len: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AddSquares {
    pub sums: Address,
    pub partial: Address,
    pub blocks: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Update {
    pub sums: Address,
    pub one_minus_betas: [f64; 2],
    pub clip: f64,
    pub betas: [f32; 2],
    pub decay_factor: f32,
    pub step_size: f32,
    pub rsqrt_correction2: f32,
    pub eps: f32,
    pub to_norm: u32,
    pub unused: u32,
}

impl Update {
    /// Of a step with its sums at `sums`.
    pub fn new(u: kernels::AdamW, sums: Address) -> Self {
        let (to_norm, clip) = match u.clip {
            Clip::By(factor) => (0, factor),
            Clip::ToNorm(most) => (1, most),
        };
        Self {
            sums,
            one_minus_betas: [u.one_minus_betas.0, u.one_minus_betas.1],
            clip,
            betas: [u.betas.0, u.betas.1],
            decay_factor: u.decay_factor,
            step_size: u.step_size,
            rsqrt_correction2: u.rsqrt_correction2,
            eps: u.eps,
            to_norm,
            unused: 0,
        }
    }
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AdamW {
    pub update: Update,
    pub values: Address,
    pub first: Address,
    pub second: Address,
    pub half: Address,
    pub gradients: Address,
    pub len: u64,
}

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AdamWRows {
    pub update: Update,
    pub values: Address,
    pub first: Address,
    pub second: Address,
    pub gradients: Address,
    pub rows: Address,
    pub width: u64,
}
