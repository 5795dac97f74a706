//! The activations of a batch: buffers that are made once and grow when a larger batch comes.

use crate::{kernels::Backend, model::BertConfig};

/// What an encoder layer keeps from its forward to its backward pass. `queries` is the number of rows that ask: all tokens, in
/// the last layer one for each sequence.
pub struct Layer<B: Backend> {
    /// Last layer only: the rows that ask, `[queries, hidden]`.
    pub asking: B::Buffer,
    /// Last layer only: their queries, `[queries, hidden]`.
    pub q: B::Buffer,
    /// Queries (but in the last layer), keys and values side by side: `[tokens, 3 or 2 · hidden]`.
    pub qkv: B::Buffer,
    /// What attention gives, `[queries, hidden]`.
    pub context: B::Buffer,
    /// The sum before the first norm, `[queries, hidden]`.
    pub attended: B::Buffer,
    /// Mean and reciprocal deviation of its rows, `[queries, 2]`.
    pub attended_stats: B::Buffer,
    /// After the first norm, `[queries, hidden]`.
    pub middle: B::Buffer,
    /// The derivative of GELU, `[queries, intermediate]`.
    pub slope: B::Buffer,
    /// After GELU, `[queries, intermediate]`.
    pub wide: B::Buffer,
    /// The sum before the second norm, `[queries, hidden]`.
    pub narrow: B::Buffer,
    /// As for the first.
    pub narrow_stats: B::Buffer,
}

/// All activations, and the gradients on their way back.
pub struct Workspace<B: Backend> {
    tokens: usize,
    sequences: usize,
    /// The sum of the embeddings, `[tokens, hidden]`, and its norm's statistics.
    pub embedded: B::Buffer,
    pub embedded_stats: B::Buffer,
    /// The input of each layer, `[tokens, hidden]`.
    pub inputs: Vec<B::Buffer>,
    /// One for each layer; in inference all but the last share the first.
    pub layers: Vec<Layer<B>>,
    /// What the encoder gives for each sequence, `[sequences, hidden]`.
    pub output: B::Buffer,
    /// The pooler's tanh, and that after dropout, `[sequences, hidden]`.
    pub pooled: B::Buffer,
    pub dropped: B::Buffer,
    /// `[sequences, labels]`.
    pub logits: B::Buffer,
    pub d_logits: B::Buffer,
    /// Gradients of the stream, `[tokens, hidden]`: of a layer's output or input, of its middle, of what dropout fell on.
    pub dx: B::Buffer,
    pub d_middle: B::Buffer,
    pub d_dense: B::Buffer,
    /// The same for the rows of the sequences, `[sequences, hidden]`.
    pub d_row: B::Buffer,
    pub d_query: B::Buffer,
    /// `[tokens, max(intermediate, 3 · hidden)]`.
    pub d_wide: B::Buffer,
    /// Gradients of the words of a step, `[words, hidden]`.
    pub words: B::Buffer,
    word_rows: usize,
}

impl<B: Backend> Workspace<B> {
    /// Of no size yet.
    pub fn new(backend: &B, config: &BertConfig, labels: usize) -> Self {
        Self::sized(backend, config, labels, 0, 0)
    }

    fn sized(backend: &B, c: &BertConfig, labels: usize, tokens: usize, sequences: usize) -> Self {
        let (h, f) = (c.hidden_size, c.intermediate_size);
        let rows = |n: usize, width: usize| backend.zeros(n * width);
        let layer = |i: usize| {
            let last = i + 1 == c.num_hidden_layers;
            let queries = if last { sequences } else { tokens };
            let asking = if last { sequences } else { 0 };
            Layer {
                asking: rows(asking, h),
                q: rows(asking, h),
                qkv: rows(tokens, if last { 2 * h } else { 3 * h }),
                context: rows(queries, h),
                attended: rows(queries, h),
                attended_stats: rows(queries, 2),
                middle: rows(queries, h),
                slope: rows(queries, f),
                wide: rows(queries, f),
                narrow: rows(queries, h),
                narrow_stats: rows(queries, 2),
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
            d_middle: rows(tokens, h),
            d_dense: rows(tokens, h),
            d_row: rows(sequences, h),
            d_query: rows(sequences, h),
            d_wide: rows(tokens, f.max(3 * h)),
            words: backend.zeros(0),
            word_rows: 0,
        }
    }

    /// Makes room for a batch.
    pub fn reserve(&mut self, backend: &B, config: &BertConfig, labels: usize, tokens: usize, sequences: usize) {
        if tokens > self.tokens || sequences > self.sequences {
            // A quarter more, so that a slowly growing batch does not make new buffers each time: memory is only taken where
            // it is written.
            let tokens = self.tokens.max(tokens + tokens / 4);
            let sequences = self.sequences.max(sequences + sequences / 4);
            let (words, word_rows) = (std::mem::replace(&mut self.words, backend.zeros(0)), self.word_rows);
            *self = Self::sized(backend, config, labels, 0, 0); // the old ones go before the new ones come
            *self = Self { words, word_rows, ..Self::sized(backend, config, labels, tokens, sequences) };
        }
    }

    /// Makes room for the gradients of so many words; what was there is lost.
    pub fn reserve_words(&mut self, backend: &B, rows: usize, width: usize) {
        if rows > self.word_rows {
            self.word_rows = rows + rows / 4;
            self.words = backend.zeros(self.word_rows * width);
        }
    }
}
