//! The activations of a batch, in buffers that are allocated once and grow with the largest batch.

use crate::{kernels::Backend, model::BertConfig};

/// What an encoder layer keeps from its forward to its backward pass. `queries` is the number of query rows: one for each token, in
/// the last layer one for each sequence.
pub struct Layer<B: Backend> {
    /// Last layer only: the rows of its input whose queries are computed, `[queries, hidden]`.
    pub query_rows: B::Buffer,
    /// Last layer only: their queries, `[queries, hidden]`.
    pub q: B::Buffer,
    /// Queries (but in the last layer), keys and values side by side: `[tokens, 3 or 2 · hidden]`.
    pub qkv: B::Buffer,
    /// The output of attention before its dense layer, `[queries, hidden]`.
    pub context: B::Buffer,
    /// The sum before the norm that follows attention, `[queries, hidden]`.
    pub attention_sum: B::Buffer,
    /// Mean and reciprocal standard deviation of its rows, `[queries, 2]`.
    pub attention_stats: B::Buffer,
    /// That sum normalised: the input of the feed-forward network, `[queries, hidden]`.
    pub ffn_input: B::Buffer,
    /// The derivative of GELU at its input, `[queries, intermediate]`.
    pub gelu_grad: B::Buffer,
    /// The hidden values of the feed-forward network, after GELU, `[queries, intermediate]`.
    pub ffn_hidden: B::Buffer,
    /// The sum before the norm that follows the feed-forward network, `[queries, hidden]`.
    pub ffn_sum: B::Buffer,
    /// Mean and reciprocal standard deviation of its rows, `[queries, 2]`.
    pub ffn_stats: B::Buffer,
}

/// All activations, and the gradients of the backward pass.
pub struct Workspace<B: Backend> {
    tokens: usize,
    sequences: usize,
    /// The sum of the embeddings, `[tokens, hidden]`.
    pub embedded: B::Buffer,
    /// Mean and reciprocal standard deviation of its rows, `[tokens, 2]`.
    pub embedded_stats: B::Buffer,
    /// The input of each layer, `[tokens, hidden]`.
    pub inputs: Vec<B::Buffer>,
    /// One for each layer; in inference all but the last share the first.
    pub layers: Vec<Layer<B>>,
    /// The last layer's output for the first token of each sequence, `[sequences, hidden]`.
    pub output: B::Buffer,
    /// The pooler's output, after tanh, `[sequences, hidden]`.
    pub pooled: B::Buffer,
    /// The same after dropout: the classifier's input, `[sequences, hidden]`.
    pub dropped: B::Buffer,
    /// `[sequences, labels]`.
    pub logits: B::Buffer,
    /// Their gradient, `[sequences, labels]`.
    pub d_logits: B::Buffer,
    /// The gradient of a layer's output, then of its input, `[tokens, hidden]`.
    pub dx: B::Buffer,
    /// That of the feed-forward network's input, then of attention's context, `[tokens, hidden]`.
    pub d_ffn_input: B::Buffer,
    /// That of the output of the dense layer before a norm, `[tokens, hidden]`.
    pub d_dense: B::Buffer,
    /// That of the first token of each sequence, `[sequences, hidden]`.
    pub d_row: B::Buffer,
    /// That of the last layer's queries, `[sequences, hidden]`.
    pub d_query: B::Buffer,
    /// That of the feed-forward network's hidden values, then of queries, keys and values,
    /// `[tokens, max(intermediate, 3 · hidden)]`.
    pub d_ffn_hidden: B::Buffer,
    /// Gradients of the word embeddings that occur in the step, `[words, hidden]`.
    pub words: B::Buffer,
    word_rows: usize,
}

impl<B: Backend> Workspace<B> {
    /// Without any memory yet.
    pub fn new(backend: &B, config: &BertConfig, labels: usize) -> Self {
        Self::sized(backend, config, labels, 0, 0)
    }

    fn sized(backend: &B, c: &BertConfig, labels: usize, tokens: usize, sequences: usize) -> Self {
        let (h, f) = (c.hidden_size, c.intermediate_size);
        let rows = |n: usize, width: usize| backend.zeros(n * width);
        let layer = |i: usize| {
            let last = i + 1 == c.num_hidden_layers;
            let queries = if last { sequences } else { tokens };
            let query_rows = if last { sequences } else { 0 };
            Layer {
                query_rows: rows(query_rows, h),
                q: rows(query_rows, h),
                qkv: rows(tokens, if last { 2 * h } else { 3 * h }),
                context: rows(queries, h),
                attention_sum: rows(queries, h),
                attention_stats: rows(queries, 2),
                ffn_input: rows(queries, h),
                gelu_grad: rows(queries, f),
                ffn_hidden: rows(queries, f),
                ffn_sum: rows(queries, h),
                ffn_stats: rows(queries, 2),
            }
        };
        Self {
            tokens,
            sequences,
            embedded: rows(tokens, h),
            embedded_stats: rows(tokens, 2),
            inputs: (0..c.num_hidden_layers.max(2)).map(|_| rows(tokens, h)).collect(),
            layers: (0..c.num_hidden_layers).map(layer).collect(),
            output: rows(sequences, h),
            pooled: rows(sequences, h),
            dropped: rows(sequences, h),
            logits: rows(sequences, labels),
            d_logits: rows(sequences, labels),
            dx: rows(tokens, h),
            d_ffn_input: rows(tokens, h),
            d_dense: rows(tokens, h),
            d_row: rows(sequences, h),
            d_query: rows(sequences, h),
            d_ffn_hidden: rows(tokens, f.max(3 * h)),
            words: backend.zeros(0),
            word_rows: 0,
        }
    }

    /// Grows the buffers to the size of a batch; what they held is lost.
    pub fn reserve(&mut self, backend: &B, config: &BertConfig, labels: usize, tokens: usize, sequences: usize) {
        if tokens > self.tokens || sequences > self.sequences {
            // A quarter more, so that slowly growing batches do not allocate each time: pages are only taken where they are
            // written.
            let tokens = self.tokens.max(tokens + tokens / 4);
            let sequences = self.sequences.max(sequences + sequences / 4);
            let (words, word_rows) = (std::mem::replace(&mut self.words, backend.zeros(0)), self.word_rows);
            *self = Self::sized(backend, config, labels, 0, 0); // frees the old buffers before the new ones are allocated
            *self = Self { words, word_rows, ..Self::sized(backend, config, labels, tokens, sequences) };
        }
    }

    /// Grows `words` to the gradients of `rows` words; what it held is lost.
    pub fn reserve_words(&mut self, backend: &B, rows: usize, width: usize) {
        if rows > self.word_rows {
            self.word_rows = rows + rows / 4;
            self.words = backend.zeros(self.word_rows * width);
        }
    }
}
