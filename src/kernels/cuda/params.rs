//! The parameters of each kernel, in the layout of the structures of the same names in `source`: C's, without implicit padding.
//!
//! An address named `…_half` is that of the same values in bfloat16; 0: they are not wanted.

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
        let Some(kernels::Dropout { stream, threshold, scale, first_row }) = dropout else { return Self::zeroed() };
        let (key, high) = stream.words();
        Self { first_row, key, high, threshold, scale }
    }
}

/// The end of a norm: `out` `[rows, width]` in f32 and, where `out_half` is not 0, in bfloat16; `stats` `[rows, 2]`; `weight`, `bias`
/// `[width]`. `dropout` is of the result.
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

/// `embed`: `sum` `[tokens, width]`; `words`, `positions` and `token_types` are tables, their rows' numbers `ids`, `position_rows` and
/// `token_type_rows` `[tokens]`; `scales` `[tokens]` multiply the words' rows.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Embed {
    pub norm: NormForward,
    pub sum: Address,
    pub words: Address,
    pub positions: Address,
    pub token_types: Address,
    pub task: Address,
    pub ids: Address,
    pub position_rows: Address,
    pub token_type_rows: Address,
    pub scales: Address,
}

/// `add_norm`: `x` and `residual` `[rows, width]`, `bias` `[width]`; `dropout` is of x + bias.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AddNorm {
    pub norm: NormForward,
    pub x: Address,
    pub bias: Address,
    pub residual: Address,
    pub dropout: Dropout,
}

/// `norm_backward`: `d_sum`, `dx`, `dy` and `sum` `[rows, width]`, `stats` `[rows, 2]`, `weight` `[width]`; `partial`
/// `[blocks, 2, width]` gets each block's sums for weight and bias. `before` is the dropout of the norm's result, `after` that of the
/// dense layer's output.
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
    /// Whether `d_sum` holds a gradient to which this one is added.
    pub add: u32,
}

/// `add_bias`: `y` `[rows, width]` of `len` values, `bias` `[width]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AddBias {
    pub y: Address,
    pub bias: Address,
    pub len: u64,
    pub width: u64,
}

/// `bias_activation`: `y` and `x` `[rows, width]` of `len` values, `bias` `[width]`; with `derivative` x becomes the derivative.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct BiasActivation {
    pub y: Address,
    pub y_half: Address,
    pub x: Address,
    pub bias: Address,
    pub len: u64,
    pub width: u32,
    /// The number of the function: [`super::super::Activation`] as an integer.
    pub function: u32,
    pub derivative: u32,
    /// Padding.
    pub unused: u32,
}

/// `gated_activation` and its backward pass: `y` `[rows, width]` of `len` values, `x` `[rows, 2 · width]`, `bias` `[2 · width]`; with
/// `derivative` x becomes the derivatives.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Gated {
    pub y: Address,
    pub y_half: Address,
    pub x: Address,
    pub x_half: Address,
    pub bias: Address,
    pub dropout: Dropout,
    pub len: u64,
    pub width: u32,
    /// The number of the function.
    pub function: u32,
    pub derivative: u32,
    /// Padding.
    pub unused: u32,
}

/// `rotate`: the first `heads` heads of each row of `x`, `[tokens, stride]`, of 2 · `half` values, `len` pairs in all; `angles`
/// `[positions, 2 · half]`, `positions` `[tokens]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Rotate {
    pub x: Address,
    pub x_half: Address,
    pub angles: Address,
    pub positions: Address,
    pub len: u64,
    pub stride: u32,
    pub heads: u32,
    pub half: u32,
    pub sign: f32,
}

/// `multiply`: `y` and `x` `[len]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Multiply {
    pub y: Address,
    pub y_half: Address,
    pub x: Address,
    pub len: u64,
}

/// `activate`, `activate_backward` and `dropout`: `y` and `x` `[rows, width]` of `len` values.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Activate {
    pub y: Address,
    pub x: Address,
    pub dropout: Dropout,
    pub len: u64,
    pub width: u32,
    /// The number of the function.
    pub function: u32,
}

/// `first_rows`, `add_to_first_rows`, `mean_rows` and `mean_rows_backward`: `x` `[tokens, width]`, `y` `[sequences, width]`, `offsets` `[sequences + 1]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct FirstRows {
    pub x: Address,
    pub y: Address,
    pub y_half: Address,
    pub offsets: Address,
    pub width: u64,
}

/// `copy_rows`: `to` and `from` `[rows, width]` of `len` values; with `add` to what is there.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct CopyRows {
    pub to: Address,
    pub to_half: Address,
    pub from: Address,
    pub dropout: Dropout,
    pub len: u64,
    pub width: u32,
    pub add: u32,
}

/// `convert`: `half` gets `x` in bfloat16; both `[len]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Convert {
    pub half: Address,
    pub x: Address,
    pub len: u64,
}

/// `scale_rows`, a block for each of `rows`: those rows of the table, of `width` values, are multiplied by `by`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct ScaleRows {
    pub table: Address,
    pub rows: Address,
    pub width: u64,
    pub by: f32,
    /// Padding.
    pub unused: u32,
}

/// `column_sums`: the sums of the columns of `x`, `[rows, width]`: those before `split` into `first`, the others into `second`. Where
/// `kinds`, `[rows]`, is not 0, only the rows of kind `kind` count.
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
    /// Padding.
    pub unused: u32,
}

impl ColumnSums {
    /// The sums of all columns of `x`, `[rows, width]`, into `first`.
    pub fn of(first: Address, x: Address, rows: usize, width: usize, fresh: bool) -> Self {
        let (rows, width, fresh) = (rows as u32, width as u32, u32::from(fresh));
        Self { first, second: 0, x, kinds: 0, rows, width, split: width, fresh, kind: 0, unused: 0 }
    }
}

/// `add_rows`, a block for each of `rows` and some of its columns: adds to that row of `to` the rows `tokens[ends[i − 1]..ends[i]]` of `d_sum`,
/// `[tokens, width]`.
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

/// The kernels of attention: `context` and `d_context` `[queries, width]`; q, k, v and their gradients lie `q_stride` and `kv_stride`
/// values from row to row; `stats` `[queries, heads, 2]`; `offsets` `[sequences + 1]`; `tiles` `[tiles, 2]` (sequence, first row).
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
    /// The greatest distance between a query and its keys.
    pub window: u32,
}

/// The kernels of attention with relative positions: `positions` `[positions, 2 · width]`, of which row 0 is for position `first`; `rows` has
/// the position of distance 0, with others before and after it. Of the gradient of `positions`: `partial` `[chunks, 2 · tile, 2 · width]`
/// gets the sums of the chunks from `chunk` on; `pairs` `[pairs, 3]` (sequence, first query, first key) of two tiles; `chunks` `[chunks + 1]`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Relative {
    pub attention: Attention,
    pub positions: Address,
    pub rows: Address,
    pub partial: Address,
    pub pairs: Address,
    pub chunks: Address,
    pub chunk: u32,
    pub first: u32,
    pub c2p: u32,
    pub p2c: u32,
}

/// `sum_positions`, a block for each position and some of its columns: `out` `[positions, 2 · width]` from the chunks `chunk..end`, whose sums
/// are in `partial`; with `add` to what is there. `diagonals` `[distances + 1]`: the first chunk of each distance in tiles from `lowest` on.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct SumPositions {
    pub out: Address,
    pub out_half: Address,
    pub partial: Address,
    pub rows: Address,
    pub diagonals: Address,
    /// The greatest distance of the batch.
    pub reach: u32,
    pub first: u32,
    pub width: u32,
    pub tile: u32,
    pub lowest: i32,
    pub distances: u32,
    pub chunk: u32,
    pub end: u32,
    pub c2p: u32,
    pub p2c: u32,
    pub add: u32,
    pub scale: f32,
}

/// `cross_entropy`: `d_logits`, `logits` and `targets` `[rows, labels]`; the loss is added to `sums`.
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

/// `focal_loss`: as `cross_entropy`; `gamma` is above 0.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct FocalLoss {
    pub d_logits: Address,
    pub logits: Address,
    pub targets: Address,
    pub sums: Address,
    pub gamma: f64,
    pub rows: u32,
    pub labels: u32,
}

/// `binary_cross_entropy`: `d_logits` and `logits` `[len]`, `targets` `[len, 2]`; the loss is added to `sums`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct BinaryCrossEntropy {
    pub d_logits: Address,
    pub logits: Address,
    pub targets: Address,
    pub sums: Address,
    pub gamma: f64,
    pub len: u64,
}

/// `squared_error`: `d_outputs` and `outputs` `[len]`, `targets` `[len, 2]`; the loss is added to `sums`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct SquaredError {
    pub d_outputs: Address,
    pub outputs: Address,
    pub targets: Address,
    pub sums: Address,
    pub len: u64,
}

/// `squares`: each block's sum over `x`, `[len]`, into `partial`, `[blocks]` of f64.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct Squares {
    pub partial: Address,
    pub x: Address,
    pub len: u64,
}

/// `add_squares`: adds `partial`, `[blocks]` of f64, to the squares of `sums`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
pub struct AddSquares {
    pub sums: Address,
    pub partial: Address,
    pub blocks: u64,
}

/// An update of AdamW: see [`kernels::AdamW`]. `clip` is a factor, or with `to_norm` the largest norm; `sums` are the step's.
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
    /// Padding.
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

/// `adamw`: all `[len]`; `half` gets the values in bfloat16 where it is not 0.
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

/// `adamw_rows`, a block for each pair of `rows`, `[rows, 2]`: row of the table, row of `gradients` (`u32::MAX`: zero).
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
