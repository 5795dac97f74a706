//! The activations of a batch, in buffers that are allocated once and grow with the largest batch.

use std::cell::Cell;

use crate::{
    kernels::Memory,
    model::{ModelConfig, Pooling, Relative},
};

/// The activations of an encoder layer that its backward pass needs. `queries` is the number of query rows: one for each token, in the last
/// layer one for each sequence.
pub struct Layer<T> {
    /// Last layer only: the rows of its input whose queries are computed, `[queries, hidden]`.
    pub query_rows: T,
    /// Last layer only, with pre-norm: the residuals of these rows, `[queries, hidden]`.
    pub residual_rows: T,
    /// Last layer only: their queries, `[queries, hidden]`.
    pub q: T,
    /// Queries (except in the last layer), keys and values side by side: `[tokens, 3 or 2 · hidden]`.
    pub qkv: T,
    /// Queries and keys of the relative positions, `[positions, 2 · hidden]`.
    pub positions: T,
    /// The output of attention before its dense layer, `[queries, hidden]`.
    pub context: T,
    /// The sum before the norm that follows attention, `[queries, hidden]`.
    pub attention_sum: T,
    /// Mean and reciprocal standard deviation of its rows, `[queries, 2]`.
    pub attention_stats: T,
    /// That sum normalised: the input of the feed-forward network, `[queries, hidden]`.
    pub ffn_input: T,
    /// The derivative of the activation at its input, `[queries, intermediate]`; of a gated network those of the product by the
    /// activation's input and by the gate, `[queries, 2 · intermediate]`.
    pub activation_grad: T,
    /// The hidden values of the feed-forward network, after the activation, `[queries, intermediate]`.
    pub ffn_hidden: T,
    /// Mean and reciprocal standard deviation of the rows of the sum after it, `[queries, 2]`: see [`Workspace::sums`].
    pub ffn_stats: T,
}

/// All activations, and the gradients of the backward pass.
pub struct Workspace<T> {
    tokens: usize,
    sequences: usize,
    /// The sum of the embeddings, `[tokens, embedding]`.
    pub embedded: T,
    /// Mean and reciprocal standard deviation of its rows, `[tokens, 2]`.
    pub embedded_stats: T,
    /// Their norm, where it is projected to the hidden size, `[tokens, embedding]`.
    pub unprojected: T,
    /// Its gradient, `[tokens, embedding]`.
    pub d_unprojected: T,
    /// The table of relative positions, `[positions, hidden]`: before its norm, where it has one.
    pub relative_sum: T,
    /// Mean and reciprocal standard deviation of its rows, `[positions, 2]`.
    pub relative_stats: T,
    /// The table after its norm, `[positions, hidden]`.
    pub relative: T,
    /// That after a layer's dropout, `[positions, hidden]`.
    pub relative_dropped: T,
    /// The gradient of `relative`, `[positions, hidden]`.
    pub d_relative: T,
    /// That of `relative_dropped`, then of the table, `[positions, hidden]`.
    pub d_relative_dropped: T,
    /// That of a layer's queries and keys of the positions, `[positions, 2 · hidden]`.
    pub d_positions: T,
    /// The input of each layer, `[tokens, hidden]`.
    pub inputs: Vec<T>,
    /// One for each layer; in inference all that compute every query share the first.
    pub layers: Vec<Layer<T>>,
    /// The sum after each layer's feed-forward network, before the norm that follows, `[queries, hidden]`; shared as `layers` are. With pre-norm the
    /// next residual.
    pub sums: Vec<T>,
    /// The last layer's output, `[queries, hidden]`.
    pub output: T,
    /// The mean of its rows of each sequence, where the head reads that, `[sequences, hidden]`.
    pub pooled: T,
    /// The derivative of the head's activation, `[sequences, hidden]`.
    pub head_grad: T,
    /// The output of the head's dense layer after activation and dropout: the classifier's input, unless a norm is between them,
    /// `[sequences, hidden]`.
    pub head_hidden: T,
    /// That after the head's norm, where it has one, `[sequences, hidden]`.
    pub head_normed: T,
    /// Mean and reciprocal standard deviation of the rows that are normalised, `[sequences, 2]`.
    pub head_stats: T,
    /// `[sequences, labels]`.
    pub logits: T,
    /// Their gradient, `[sequences, labels]`.
    pub d_logits: T,
    /// The gradient of `pooled`, `[sequences, hidden]`.
    pub d_pooled: T,
    /// The gradient of a layer's output, then of its input, `[tokens, hidden]`.
    pub dx: T,
    /// With pre-norm: the gradient of the residual, `[tokens, hidden]`.
    pub d_residual: T,
    /// That of the feed-forward network's input, then of attention's context, `[tokens, hidden]`.
    pub d_ffn_input: T,
    /// That of the output of the dense layer before a norm, `[tokens, hidden]`.
    pub d_dense: T,
    /// That of the first token of each sequence, `[sequences, hidden]`.
    pub d_row: T,
    /// That of its residual, with pre-norm, `[sequences, hidden]`.
    pub d_residual_row: T,
    /// That of the last layer's queries, `[sequences, hidden]`.
    pub d_query: T,
    /// That of the feed-forward network's hidden values, then of queries, keys and values,
    /// `[tokens, max(intermediate, 3 · hidden)]`.
    pub d_ffn_hidden: T,
    /// Gradients of the word embeddings that occur in the step, `[words, embedding]`.
    pub words: T,
    word_rows: usize,
}

/// The capacity reserved for `wanted` elements: a quarter more, so that slowly growing batches do not reallocate each time. On the CPU, pages
/// take memory only once they are written.
fn reserved(wanted: usize) -> usize {
    wanted + wanted / 4
}

/// The sizes of the largest batches that a workspace fits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extent {
    /// Tokens of a batch.
    pub tokens: usize,
    /// Sequences of a batch.
    pub sequences: usize,
    /// Distinct words of a step.
    pub words: usize,
}

impl Extent {
    /// The capacity reserved if this size is reached at once.
    pub fn reserved(self) -> Self {
        let Self { tokens, sequences, words } = self;
        Self { tokens: reserved(tokens), sequences: reserved(sequences), words: reserved(words) }
    }

    /// The larger of two, in each size.
    pub fn max(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.max(other.tokens),
            sequences: self.sequences.max(other.sequences),
            words: self.words.max(other.words),
        }
    }
}

impl Workspace<()> {
    /// The number of values in the buffers of such a workspace.
    pub fn values(config: &ModelConfig, labels: usize, extent: Extent) -> usize {
        let sum = Cell::new(0);
        Self::sized(&|len| sum.set(sum.get() + len), config, labels, extent.tokens, extent.sequences);
        sum.get() + extent.words * config.embedding_size
    }
}

impl<T> Workspace<T> {
    /// A workspace without any memory yet.
    pub fn new(memory: &impl Memory<Buffer = T>, config: &ModelConfig, labels: usize) -> Self {
        Self::sized(&|len| memory.zeros(len), config, labels, 0, 0)
    }

    fn sized(zeros: &impl Fn(usize) -> T, c: &ModelConfig, labels: usize, tokens: usize, sequences: usize) -> Self {
        let (h, f, e) = (c.hidden_size, c.intermediate_size, c.embedding_size);
        let projected = if c.projects_embeddings() { tokens } else { 0 };
        let pre_norm = |n: usize| if c.family.is_pre_norm { n } else { 0 };
        let reads_first = c.pooling == Pooling::First;
        let outputs = if reads_first { sequences } else { tokens };
        let normed = if c.family.head.has_norm { sequences } else { 0 };
        let up = c.up_width();
        let positions = c.relative.as_ref().filter(|_| tokens > 0).map_or(0, Relative::size);
        let of_norm = if c.relative.as_ref().is_some_and(|relative| relative.has_norm) { positions } else { 0 };
        let rows = |n: usize, width: usize| zeros(n * width);
        let layer = |i: usize| {
            let last = reads_first && i + 1 == c.num_hidden_layers;
            let queries = if last { sequences } else { tokens };
            let query_rows = if last { sequences } else { 0 };
            Layer {
                query_rows: rows(query_rows, h),
                residual_rows: rows(pre_norm(query_rows), h),
                q: rows(query_rows, h),
                qkv: rows(tokens, if last { 2 * h } else { 3 * h }),
                positions: rows(positions, 2 * h),
                context: rows(queries, h),
                attention_sum: rows(queries, h),
                attention_stats: rows(queries, 2),
                ffn_input: rows(queries, h),
                activation_grad: rows(queries, up),
                ffn_hidden: rows(queries, f),
                ffn_stats: rows(queries, 2),
            }
        };
        Self {
            tokens,
            sequences,
            embedded: rows(tokens, e),
            embedded_stats: rows(tokens, 2),
            unprojected: rows(projected, e),
            d_unprojected: rows(projected, e),
            relative_sum: rows(of_norm, h),
            relative_stats: rows(of_norm, 2),
            relative: rows(positions, h),
            relative_dropped: rows(positions, h),
            d_relative: rows(positions, h),
            d_relative_dropped: rows(positions, h),
            d_positions: rows(positions, 2 * h),
            inputs: (0..c.num_hidden_layers.max(2)).map(|_| rows(tokens, h)).collect(),
            layers: (0..c.num_hidden_layers).map(layer).collect(),
            sums: (1..=c.num_hidden_layers)
                .map(|i| rows(if i == c.num_hidden_layers { outputs } else { tokens }, h))
                .collect(),
            output: rows(outputs, h),
            pooled: rows(if reads_first { 0 } else { sequences }, h),
            head_grad: rows(sequences, h),
            head_hidden: rows(sequences, h),
            head_normed: rows(normed, h),
            head_stats: rows(normed, 2),
            logits: rows(sequences, labels),
            d_logits: rows(sequences, labels),
            d_pooled: rows(if reads_first { 0 } else { sequences }, h),
            dx: rows(tokens, h),
            d_residual: rows(pre_norm(tokens), h),
            d_ffn_input: rows(tokens, h),
            d_dense: rows(tokens, h),
            d_row: rows(sequences, h),
            d_residual_row: rows(pre_norm(sequences), h),
            d_query: rows(sequences, h),
            d_ffn_hidden: rows(tokens, f.max(3 * h)),
            words: zeros(0),
            word_rows: 0,
        }
    }

    /// Grows the buffers to the size of a batch; their contents are lost.
    pub fn reserve(
        &mut self,
        memory: &impl Memory<Buffer = T>,
        config: &ModelConfig,
        labels: usize,
        tokens: usize,
        sequences: usize,
    ) {
        if tokens > self.tokens || sequences > self.sequences {
            let tokens = self.tokens.max(reserved(tokens));
            let sequences = self.sequences.max(reserved(sequences));
            let zeros = |len| memory.zeros(len);
            let (words, word_rows) = (std::mem::replace(&mut self.words, zeros(0)), self.word_rows);
            *self = Self::sized(&zeros, config, labels, 0, 0); // frees the old buffers before the new ones are allocated
            *self = Self { words, word_rows, ..Self::sized(&zeros, config, labels, tokens, sequences) };
        }
    }

    /// Grows `words` to the gradients of `rows` words; its contents are lost.
    pub fn reserve_words(&mut self, memory: &impl Memory<Buffer = T>, rows: usize, width: usize) {
        if rows > self.word_rows {
            self.word_rows = reserved(rows);
            self.words = memory.zeros(self.word_rows * width);
        }
    }
}
