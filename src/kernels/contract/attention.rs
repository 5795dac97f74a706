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
    /// Applied to the probabilities.
    pub dropout: Option<Dropout>,
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
}

/// Attention and its gradients.
pub trait AttentionOps: Memory {
    /// context = dropout(softmax(q·kᵀ / √d))·v within each sequence, window and head, `[queries, width]`. With [`Queries::All`], `q` and
    /// `kv` are the same buffer.
    fn attention(
        &mut self,
        context: &mut Self::Buffer,
        q: &Self::Buffer,
        kv: &Self::Buffer,
        batch: &Self::Batch,
        attention: Attention,
    );
    /// The backward pass of [`Self::attention`].
    fn attention_backward(&mut self, args: AttentionBackward<Self::Buffer, Self::Batch>);
}
