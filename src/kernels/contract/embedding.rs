//! Embedding lookup.

use std::ops::Range;

use super::{super::Dropout, LayerNorm, Memory};

/// A table of `rows` rows of `width` values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Table {
    /// Offset of its first row.
    pub offset: usize,
    /// Number of rows.
    pub rows: usize,
    /// Values of a row.
    pub width: usize,
}

impl Table {
    /// Offsets of its values.
    pub fn range(self) -> Range<usize> {
        self.offset..self.offset + self.rows * self.width
    }

    /// Whether it has all these rows.
    pub fn has(self, rows: &[u32]) -> bool {
        rows.iter().all(|row| (*row as usize) < self.rows)
    }
}

/// The tables whose rows are added up for a token. All have rows of the same width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding {
    /// Words; its gradient is sparse.
    pub word: Table,
    /// Learned positions, where the model has them.
    pub position: Option<Table>,
    /// Token types, where the model has them.
    pub token_type: Option<Table>,
    /// Task types, where the model has them (ERNIE 3): every token has the first row.
    pub task: Option<Table>,
}

impl Embedding {
    /// Whether the tables have the rows of all these tokens.
    pub fn has(self, ids: &[u32], positions: &[u32], token_types: &[u32]) -> bool {
        let has = |table: Option<Table>, rows: &[u32]| table.is_none_or(|table| table.has(rows));
        self.word.has(ids) && has(self.position, positions) && has(self.token_type, token_types)
    }
}

/// Words whose rows have never had a gradient: only weight decay has changed them, and it is applied when they are read.
#[derive(Debug, Clone, Copy)]
pub struct Untouched<'a> {
    /// Whether a word's row has had a gradient; all have if empty.
    pub touched: &'a [bool],
    /// The factor by which the rows of the others are multiplied.
    pub decay: f32,
}

/// Tokens of one word: `tokens` are the indices in the stream, ascending, of the word whose gradient is row `row`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Row of the gradient.
    pub row: u32,
    /// Indices in the stream.
    pub tokens: Vec<u32>,
}

/// Arguments of [`EmbeddingOps::embed`].
#[derive(Debug)]
pub struct Embed<'a, B, T> {
    /// Receives the embedded tokens, `[tokens, width]`.
    pub out: &'a mut B,
    /// Receives the sums of the tables' rows, `[tokens, width]`.
    pub sum: &'a mut B,
    /// Receives mean and reciprocal standard deviation of each row, `[tokens, 2]`.
    pub stats: &'a mut B,
    /// All parameters.
    pub parameters: &'a B,
    /// The tables.
    pub embedding: Embedding,
    /// Their norm.
    pub norm: LayerNorm,
    /// Words that only weight decay has changed.
    pub untouched: Untouched<'a>,
    /// The tokens.
    pub batch: &'a T,
    /// Applied to the result.
    pub dropout: Option<Dropout>,
}

/// Arguments of [`EmbeddingOps::embed_backward`].
#[derive(Debug)]
pub struct EmbedBackward<'a, B, T> {
    /// The gradient of the embedded tokens, `[tokens, width]`; becomes that of the sums.
    pub d_out: &'a mut B,
    /// The gradients of the step's words, `[words of the step, width]`; always accumulated.
    pub words: &'a mut B,
    /// Receives the gradients of the norm and of all tables except the words'.
    pub gradients: &'a mut B,
    /// Whether those are overwritten or accumulated.
    pub fresh: bool,
    /// What [`EmbeddingOps::embed`] left in its `sum`.
    pub sum: &'a B,
    /// The statistics that it left.
    pub stats: &'a B,
    /// All parameters.
    pub parameters: &'a B,
    /// The tables.
    pub embedding: Embedding,
    /// Their norm.
    pub norm: LayerNorm,
    /// The tokens.
    pub batch: &'a T,
    /// Where the words of the step occur; empty if their gradients are not needed.
    pub occurrences: &'a [Occurrence],
    /// The dropout of the forward pass.
    pub dropout: Option<Dropout>,
}

/// Lookup of a token's rows, and the gradients of the tables. The tables must have the rows of all tokens: a batch with others is a
/// mistake of the caller, and panics.
pub trait EmbeddingOps: Memory {
    /// sum = word + position + token type of each token + task; out = dropout(norm(sum)).
    fn embed(&mut self, args: Embed<Self::Buffer, Self::Batch>);
    /// The backward pass of [`Self::embed`]. Gradients of all rows of the tables but the words' are written.
    fn embed_backward(&mut self, args: EmbedBackward<Self::Buffer, Self::Batch>);
}
