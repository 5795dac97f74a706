//! Attention within sequences.

use super::{super::Dropout, Memory};

/// Width of a row of attention's dropout mask, which is the same on every device: the longest sequence that it can tell apart.
pub const MASK_WIDTH: usize = 8192;

/// Which query positions are computed. Keys and values are always those of the whole sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queries {
    /// Every token. Queries, keys and values are side by side: `[tokens, 3 · width]`.
    All,
    /// The first of each sequence. Queries: `[sequences, width]`; keys and values side by side: `[tokens, 2 · width]`.
    First,
}

/// Scaled dot-product attention (Vaswani et al. 2017), of whole sequences or within a window (Beltagy et al. 2020).
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads; each works on `width / heads` values.
    pub heads: usize,
    /// Values of a query, key or value.
    pub width: usize,
    /// Which queries are computed.
    pub queries: Queries,
    /// The greatest distance between a query and the keys that it attends to; `None`: all keys of the sequence.
    pub window: Option<usize>,
    /// The factor of the scores: 1/√d with d values of a head, smaller where a score is a sum of several products.
    pub scale: f32,
    /// Applied to the probabilities.
    pub dropout: Option<Dropout>,
}

impl Attention {
    /// The factor of scores that are sums of so many products of two values.
    pub fn usual_scale(products: usize) -> f32 {
        1.0 / (products as f32).sqrt()
    }
}

/// Relative positions of disentangled attention (He et al. 2021): what a score has beside q·k, by the distance of query and key.
#[derive(Debug)]
pub struct Relative<'a, B> {
    /// Queries, then keys of the relative positions, `[positions, 2 · width]`.
    pub positions: &'a B,
    /// The position of query − key = `distance`, at index `center + distance`: whole numbers that never fall.
    pub rows: &'a B,
    /// The index of distance 0.
    pub center: usize,
    /// The greatest distance of the batch, in both directions.
    pub reach: usize,
    /// The position that the first row of `positions` is for.
    pub first: usize,
    /// Rows of `positions`: from the position of distance `-reach` to that of `reach`.
    pub len: usize,
    /// Whether the score has q·(key of the position): content to position.
    pub c2p: bool,
    /// Whether it has k·(query of the position): position to content.
    pub p2c: bool,
}

impl<B> Clone for Relative<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Relative<'_, B> {}

/// Arguments of [`AttentionOps::attention`].
#[derive(Debug)]
pub struct Attend<'a, B, T> {
    /// Receives the result, `[queries, width]`.
    pub context: &'a mut B,
    /// The queries: see [`Queries`].
    pub q: &'a B,
    /// The keys and values; with [`Queries::All`] the same buffer as `q`.
    pub kv: &'a B,
    /// The tokens.
    pub batch: &'a T,
    /// The parameters.
    pub attention: Attention,
    /// Relative positions, where the model has them. Not together with a window.
    pub relative: Option<Relative<'a, B>>,
}

/// Arguments of [`AttentionOps::attention_backward`].
#[derive(Debug)]
pub struct AttentionBackward<'a, B, T> {
    /// Receives the gradient of the queries with [`Queries::First`]; untouched otherwise.
    pub dq: &'a mut B,
    /// Receives the gradients of keys and values; with [`Queries::All`] also that of the queries, laid out as `kv` is.
    pub dkv: &'a mut B,
    /// The gradient of the context.
    pub d_context: &'a B,
    /// The queries of the forward pass.
    pub q: &'a B,
    /// The keys and values of the forward pass.
    pub kv: &'a B,
    /// The tokens.
    pub batch: &'a T,
    /// The parameters of the forward pass.
    pub attention: Attention,
    /// The relative positions of the forward pass, and the buffer that receives their gradient, `[positions, 2 · width]`: zeros for terms that
    /// the score does not have.
    pub relative: Option<(Relative<'a, B>, &'a mut B)>,
}

/// Attention and its gradients.
pub trait AttentionOps: Memory {
    /// context = dropout(softmax(scale·(q·kᵀ + relative positions)))·v within each sequence, window and head.
    fn attention(&mut self, args: Attend<Self::Buffer, Self::Batch>);
    /// The backward pass of [`Self::attention`].
    fn attention_backward(&mut self, args: AttentionBackward<Self::Buffer, Self::Batch>);
}
