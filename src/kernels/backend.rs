//! What a device has to be able to do: the one contract between the engine and its kernels.
//!
//! The engine (forward, backward, optimiser) is written once against [`Backend`]. All numbers are f32, all matrices row-major;
//! `rows` tells how many rows of a buffer are in use. Sums are taken in an order that depends on shapes alone.

use std::{borrow::Cow, ops::Range};

use super::{Dropout, cuda::DeviceError};

/// An affine map whose weight `[out, width]` (PyTorch's layout) and bias `[out]` stand at these places of the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Where the weight begins.
    pub weight: usize,
    /// Where the bias begins.
    pub bias: usize,
    /// Numbers of a row of the result.
    pub out: usize,
    /// Numbers of a row of the input.
    pub width: usize,
    /// Whether the product keeps to float32 where the engine's precision is a lower one.
    pub exact: bool,
}

impl Linear {
    /// The map that gives the numbers `range` of each row of the result only.
    #[must_use]
    pub fn part(self, range: Range<usize>) -> Self {
        let (weight, bias) = (self.weight + range.start * self.width, self.bias + range.start);
        Self { weight, bias, out: range.len(), ..self }
    }
}

/// A layer normalisation (Ba et al. 2016; biased variance, epsilon inside the root) whose weight and bias, `[width]` each,
/// stand at these places of the parameters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerNorm {
    /// Where the weight begins.
    pub weight: usize,
    /// Where the bias begins.
    pub bias: usize,
    /// Numbers of a row.
    pub width: usize,
    /// Epsilon.
    pub eps: f32,
}

/// The three embedding tables, rows of `width` numbers, at these places of the parameters; only the first row of the token
/// types is used. The positions end where the token types begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedding {
    /// Where the words begin.
    pub word: usize,
    /// Where the positions begin.
    pub position: usize,
    /// Where the token types begin.
    pub token_type: usize,
    /// Numbers of a row.
    pub width: usize,
}

/// Which tokens ask in attention; all of their sequence are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queries {
    /// Every token. Queries, keys and values stand side by side: `[tokens, 3 · width]`.
    All,
    /// The first of each sequence. Queries `[sequences, width]`, keys and values side by side: `[tokens, 2 · width]`.
    First,
}

/// Scaled dot-product attention (Vaswani et al. 2017).
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads; each works on `width / heads` numbers.
    pub heads: usize,
    /// Numbers of a query, key or value.
    pub width: usize,
    /// Who asks.
    pub queries: Queries,
    /// Falls on the probabilities.
    pub dropout: Option<Dropout>,
}

/// Words whose rows training has never touched: weight decay alone has changed them, and is applied when they are read.
#[derive(Debug, Clone, Copy)]
pub struct Untouched<'a> {
    /// Whether a word's row has had a gradient; all where empty.
    pub touched: &'a [bool],
    /// What the rows of the others are to be multiplied by.
    pub decay: f32,
}

/// Tokens of one word: `tokens` are the places in the stream, ascending, of the word whose gradient is row `row`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occurrence {
    /// Row of the gradient.
    pub row: u32,
    /// Places in the stream.
    pub tokens: Vec<u32>,
}

/// What the gradient is multiplied by before it is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Clip {
    /// This.
    By(f64),
    /// What cuts its norm, the root of the step's squares, to a largest one, as `torch.nn.utils.clip_grad_norm_`; 0: nothing is
    /// cut. A step whose loss or norm is not finite changes nothing.
    ToNorm(f64),
}

impl Clip {
    /// The factor in a step with these sums; none: nothing may change.
    pub fn factor(self, sums: Sums) -> Option<f64> {
        match self {
            Self::By(factor) => Some(factor),
            Self::ToNorm(_) if !sums.are_finite() => None,
            Self::ToNorm(most) if most > 0.0 => Some((most / (sums.norm() + 1e-6)).min(1.0)),
            Self::ToNorm(_) => Some(1.0),
        }
    }
}

/// What a step adds up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sums {
    /// The loss.
    pub loss: f64,
    /// The squares of the gradient's numbers.
    pub squares: f64,
}

impl Sums {
    /// Euclidean norm of the gradient.
    pub fn norm(self) -> f64 {
        self.squares.sqrt()
    }

    /// Whether the step can be used.
    pub fn are_finite(self) -> bool {
        self.loss.is_finite() && self.squares.is_finite()
    }
}

/// One AdamW update (Loshchilov & Hutter 2019), as `torch.optim.AdamW`, in numbers that are the same for many parameters:
/// m ← β₁·m + g₁·c·g, v ← β₂·v + g₂·c²·g², p ← keep·p − size·m / (√v·root + eps), with c the factor of `clip`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Decay rates of the moments.
    pub betas: (f32, f32),
    /// 1 − β₁ and 1 − β₂.
    pub gradient: (f64, f64),
    /// Falls on the gradient.
    pub clip: Clip,
    /// 1 − lr·weight_decay.
    pub keep: f32,
    /// lr / (1 − β₁ᵗ).
    pub size: f32,
    /// 1 / √(1 − β₂ᵗ).
    pub root: f32,
    /// Epsilon.
    pub eps: f32,
}

impl AdamW {
    /// (1 − β₁)·clip and (1 − β₂)·clip².
    pub fn factors(&self, clip: f64) -> (f32, f32) {
        ((self.gradient.0 * clip) as f32, (self.gradient.1 * clip * clip) as f32)
    }
}

/// Parameters with their moments.
#[derive(Debug)]
pub struct Moments<'a, B> {
    /// The parameters.
    pub values: &'a mut B,
    /// The first moments.
    pub first: &'a mut B,
    /// The second moments.
    pub second: &'a mut B,
}

/// The kernels of a device.
///
/// An argument that is written comes first; `fresh` says whether gradients are written or added to what is there.
#[expect(
    clippy::too_many_arguments,
    reason = "a kernel takes what it reads and writes, and nothing is gained by packing it"
)]
pub trait Backend: Send {
    /// f32 numbers on the device.
    type Buffer: Send;
    /// Token ids, positions and sequences of a batch on the device.
    type Batch;

    /// Runs work that calls many kernels, from where that costs least.
    fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
        work()
    }

    /// A buffer of zeros.
    fn zeros(&self, len: usize) -> Self::Buffer;
    /// The same for what belongs to parameters: the first `dense` numbers are used in every step, the others one day or never.
    fn zeros_of_parameters(&self, len: usize, dense: usize) -> Self::Buffer;
    /// Copies `values` into a buffer, from `at` on.
    fn write(&self, buffer: &mut Self::Buffer, at: usize, values: &[f32]);
    /// The numbers of a range of a buffer.
    fn read<'a>(&self, buffer: &'a Self::Buffer, range: Range<usize>) -> Cow<'a, [f32]>;
    /// Makes the first `len` numbers zero.
    fn clear(&self, buffer: &mut Self::Buffer, len: usize);
    /// Puts a batch on the device: ids and positions of its tokens, and `[sequences + 1]` offsets of its sequences.
    fn batch(&mut self, ids: &[u32], positions: &[u32], offsets: &[u32]) -> Self::Batch;
    /// Says that parameters were written ([`Self::write`]): whatever was derived from them is out of date. Updates need no word.
    fn parameters_written(&mut self);
    /// The first failure of the device, after which nothing that it gives is worth anything.
    fn health(&self) -> Result<(), DeviceError> {
        Ok(())
    }

    /// A step begins: its sums are 0.
    fn begin_step(&mut self);
    /// The sums of the present step so far.
    fn sums(&mut self) -> Sums;
    /// The step is over: [`Self::finished`] will give its sums.
    fn end_step(&mut self);
    /// Sums of steps that are over and were not given yet, oldest first: of all where `wait`, else of those that are known.
    fn finished(&mut self, wait: bool) -> Vec<Sums>;

    /// sum = word + position + token type of each token; out = dropout(norm(sum)). `stats` gets mean and reciprocal standard
    /// deviation of each row.
    fn embed(
        &mut self,
        out: &mut Self::Buffer,
        sum: &mut Self::Buffer,
        stats: &mut Self::Buffer,
        parameters: &Self::Buffer,
        embedding: Embedding,
        norm: LayerNorm,
        untouched: Untouched,
        batch: &Self::Batch,
        dropout: Option<Dropout>,
    );
    /// The backward pass of [`Self::embed`]: `d_out` becomes the gradient of `sum`; then those of norm, positions and token
    /// type are written, and to `words` `[words of the step, width]` is added what its occurrences get.
    fn embed_backward(
        &mut self,
        d_out: &mut Self::Buffer,
        words: &mut Self::Buffer,
        gradients: &mut Self::Buffer,
        fresh: bool,
        sum: &Self::Buffer,
        stats: &Self::Buffer,
        parameters: &Self::Buffer,
        embedding: Embedding,
        norm: LayerNorm,
        batch: &Self::Batch,
        occurrences: &[Occurrence],
        dropout: Option<Dropout>,
    );

    /// y = x·Wᵀ, with the bias added where `biased`.
    fn linear(
        &mut self,
        y: &mut Self::Buffer,
        x: &Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        linear: Linear,
        biased: bool,
    );
    /// dx = dy·W, or dx += dy·W.
    fn linear_input(
        &mut self,
        dx: &mut Self::Buffer,
        add: bool,
        dy: &Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        linear: Linear,
    );
    /// dW = dyᵀ·x and db = Σ rows of dy, or added.
    fn linear_parameters(
        &mut self,
        gradients: &mut Self::Buffer,
        fresh: bool,
        dy: &Self::Buffer,
        x: &Self::Buffer,
        rows: usize,
        linear: Linear,
    );

    /// context = dropout(softmax(q·kᵀ / √d))·v within each sequence and head. With [`Queries::All`], `q` and `kv` are the same.
    fn attention(
        &mut self,
        context: &mut Self::Buffer,
        q: &Self::Buffer,
        kv: &Self::Buffer,
        batch: &Self::Batch,
        attention: Attention,
    );
    /// The backward pass of [`Self::attention`], into `dq` and `dkv` of the layouts of `q` and `kv`; with [`Queries::All`] all
    /// three go into `dkv`, and `dq` is not touched.
    fn attention_backward(
        &mut self,
        dq: &mut Self::Buffer,
        dkv: &mut Self::Buffer,
        d_context: &Self::Buffer,
        q: &Self::Buffer,
        kv: &Self::Buffer,
        batch: &Self::Batch,
        attention: Attention,
    );

    /// y = gelu(x + bias), the exact GELU (Hendrycks & Gimpel 2016). Where `derivative`, x becomes the derivative there.
    fn bias_gelu(
        &mut self,
        y: &mut Self::Buffer,
        x: &mut Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        linear: Linear,
        derivative: bool,
    );
    /// y ← y·x, number by number.
    fn multiply(&mut self, y: &mut Self::Buffer, x: &Self::Buffer, len: usize);

    /// x ← dropout(x + the bias of `linear`) + residual; y = norm(x). `stats` as in [`Self::embed`].
    fn add_norm(
        &mut self,
        y: &mut Self::Buffer,
        x: &mut Self::Buffer,
        stats: &mut Self::Buffer,
        residual: &Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        linear: Linear,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    );
    /// The backward pass of [`Self::add_norm`], `x` being what it left: the gradients of residual, of x before dropout, and of
    /// the norm's parameters.
    fn add_norm_backward(
        &mut self,
        d_residual: &mut Self::Buffer,
        dx: &mut Self::Buffer,
        gradients: &mut Self::Buffer,
        fresh: bool,
        dy: &Self::Buffer,
        x: &Self::Buffer,
        stats: &Self::Buffer,
        rows: usize,
        parameters: &Self::Buffer,
        norm: LayerNorm,
        dropout: Option<Dropout>,
    );

    /// y = the rows of x that are first in their sequence.
    fn first_rows(&mut self, y: &mut Self::Buffer, x: &Self::Buffer, batch: &Self::Batch, width: usize);
    /// Adds y to the rows of x that are first in their sequence.
    fn add_to_first_rows(&mut self, x: &mut Self::Buffer, y: &Self::Buffer, batch: &Self::Batch, width: usize);

    /// x ← tanh(x); y = dropout(x).
    fn tanh(&mut self, y: &mut Self::Buffer, x: &mut Self::Buffer, rows: usize, width: usize, dropout: Option<Dropout>);
    /// The backward pass of [`Self::tanh`], `x` being what it left: dy becomes the gradient of what x was before.
    fn tanh_backward(
        &mut self,
        dy: &mut Self::Buffer,
        x: &Self::Buffer,
        rows: usize,
        width: usize,
        dropout: Option<Dropout>,
    );
    /// Adds −Σ targets·log softmax(logits), in float64, to the step's loss, and gives its gradient; all `[rows, labels]`.
    fn cross_entropy(
        &mut self,
        d_logits: &mut Self::Buffer,
        logits: &Self::Buffer,
        targets: &[f32],
        rows: usize,
        labels: usize,
    );

    /// Adds Σ of the squares of a range to the step's squares.
    fn add_squares(&mut self, x: &Self::Buffer, range: Range<usize>);
    /// Updates a range of parameters; `gradients` has the same places.
    fn adamw(&mut self, moments: Moments<Self::Buffer>, gradients: &Self::Buffer, range: Range<usize>, update: AdamW);
    /// Updates rows of a table that begins at `table` and has rows of `width`: for each (row of the table, row of the gradient;
    /// none: zero).
    fn adamw_rows(
        &mut self,
        moments: Moments<Self::Buffer>,
        gradients: &Self::Buffer,
        table: usize,
        width: usize,
        rows: &[(u32, Option<u32>)],
        update: AdamW,
    );
    /// Multiplies rows of a table.
    fn scale_rows(&mut self, values: &mut Self::Buffer, table: usize, width: usize, rows: &[u32], by: f32);
}
