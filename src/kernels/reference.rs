//! The model's operations in candle's differentiable tensors. They run on every device; the kernels are tested against
//! them.
//!
//! candle's fast LayerNorm and softmax have no backward and cut the graph silently; nothing here uses them.

use std::{ops::Range, sync::Arc};

use candle_core::{D, Device, Result, Tensor, bail};

use super::{Activation, Dropout, MASK_WIDTH};

/// Offsets of sequences: sequence `s` has the rows `queries[s]..queries[s + 1]` of the queries and
/// `keys[s]..keys[s + 1]` of the keys and values.
///
/// The two differ in the last layer, which only computes the query of each sequence's `[CLS]` row.
#[derive(Debug, Clone)]
pub struct Ragged {
    /// Offsets into the queries, `[sequences + 1]`.
    pub queries: Arc<[u32]>,
    /// Offsets into the keys and values, `[sequences + 1]`.
    pub keys: Arc<[u32]>,
}

impl Ragged {
    fn sequences(&self) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + '_ {
        let range = |o: &[u32]| o[0] as usize..o[1] as usize;
        self.queries.windows(2).zip(self.keys.windows(2)).map(move |(q, k)| (range(q), range(k)))
    }

    fn check(&self, queries: usize, keys: usize) -> Result<()> {
        let sound = |o: &[u32], n| o.first() == Some(&0) && o.last() == Some(&(n as u32)) && o.is_sorted();
        if self.queries.len() != self.keys.len() || !sound(&self.queries, queries) || !sound(&self.keys, keys) {
            bail!("attention: sequence offsets do not fit {queries} queries and {keys} keys");
        }
        if self.sequences().any(|(_, k)| k.is_empty() || k.len() > MASK_WIDTH) {
            bail!("attention: a sequence is empty or longer than {MASK_WIDTH}");
        }
        Ok(())
    }
}

/// Affine map of each row: x `[rows, in]`, weight `[out, in]`, bias `[out]` → `[rows, out]`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    biased(x.matmul(&weight.t()?)?, bias)
}

fn biased(x: Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    bias.map_or(Ok(x.clone()), |bias| x.broadcast_add(bias))
}

/// Layer normalisation: x `[rows, features]`, weight and bias `[features]` → `[rows, features]`.
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let variance = centred.sqr()?.mean_keepdim(1)?;
    biased(centred.broadcast_div(&(variance + eps)?.sqrt()?)?.broadcast_mul(weight)?, bias)
}

/// Zeroes values of x `[rows, features]` at random and scales the others by 1/(1−p); returns x unchanged without `dropout`.
pub fn dropout(x: &Tensor, dropout: Option<Dropout>) -> Result<Tensor> {
    let Some(dropout) = dropout else { return Ok(x.clone()) };
    let (rows, width) = x.dims2()?;
    let mut factors = vec![0.0; rows * width];
    dropout.fill(dropout.index(0, width), &mut factors);
    x * Tensor::from_vec(factors, (rows, width), x.device())?
}

/// Applies an activation to each value.
pub fn activation(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::Gelu => x.gelu_erf(),
        Activation::GeluTanh => x.gelu(),
        Activation::Relu => x.relu(),
        Activation::Silu => x.silu(),
        Activation::Tanh => x.tanh(),
    }
}

/// A gated linear unit: x `[rows, 2 · width]`, inputs of the function, then gates → `[rows, width]`.
pub fn gated(x: &Tensor, function: Activation) -> Result<Tensor> {
    let width = x.dim(1)? / 2;
    activation(&x.narrow(1, 0, width)?, function)? * x.narrow(1, width, width)?
}

/// Rotary positions: x `[tokens, heads · d]`, angles `[tokens, d]`, cosines, then sines → `[tokens, heads · d]`.
pub fn rotate(x: &Tensor, angles: &Tensor, heads: usize) -> Result<Tensor> {
    let (tokens, width) = x.dims2()?;
    let half = width / heads / 2;
    let x = x.reshape((tokens, heads, 2, half))?;
    let (a, b) = (x.narrow(2, 0, 1)?, x.narrow(2, 1, 1)?);
    let of = |from: usize| angles.narrow(1, from, half)?.reshape((tokens, 1, 1, half));
    let (cos, sin) = (of(0)?, of(half)?);
    let turned_a = (a.broadcast_mul(&cos)? - b.broadcast_mul(&sin)?)?;
    let turned_b = (b.broadcast_mul(&cos)? + a.broadcast_mul(&sin)?)?;
    Tensor::cat(&[turned_a, turned_b], 2)?.reshape((tokens, width))
}

/// The mean of the rows of each sequence: x `[tokens, width]`, `offsets` `[sequences + 1]` → `[sequences, width]`.
pub fn mean_rows(x: &Tensor, offsets: &[u32]) -> Result<Tensor> {
    let means: Result<Vec<Tensor>> =
        offsets.windows(2).map(|o| x.narrow(0, o[0] as usize, (o[1] - o[0]) as usize)?.mean_keepdim(0)).collect();
    Tensor::cat(&means?, 0)
}

/// 0 where a query may see a key, else −∞, `[queries, keys]`: at most `window` apart.
fn mask(queries: usize, keys: usize, window: usize, device: &Device) -> Result<Tensor> {
    let of = |(query, key): (usize, usize)| if query.abs_diff(key) <= window { 0.0 } else { f32::NEG_INFINITY };
    let values: Vec<f32> = (0..queries).flat_map(|query| (0..keys).map(move |key| of((query, key)))).collect();
    Tensor::from_vec(values, (queries, keys), device)
}

/// How attention computes its scores.
pub struct Scores<'a> {
    /// Heads.
    pub heads: usize,
    /// The greatest distance between a query and the keys that it attends to.
    pub window: Option<usize>,
    /// The factor of the scores.
    pub scale: f64,
    /// Relative positions.
    pub relative: Option<Relative<'a>>,
}

/// Relative positions of disentangled attention.
pub struct Relative<'a> {
    /// Queries, then keys of the positions, `[positions, 2 · heads · d]`.
    pub positions: &'a Tensor,
    /// The row of `positions` for query − key.
    pub row: &'a dyn Fn(isize) -> u32,
    /// Whether scores have q·(key of the position).
    pub c2p: bool,
    /// Whether scores have k·(query of the position).
    pub p2c: bool,
}

impl Relative<'_> {
    /// The terms, `[heads, queries, keys]`, for q and k of `[heads, rows, d]`.
    fn terms(&self, q: &Tensor, k: &Tensor) -> Result<Vec<Tensor>> {
        let (heads, queries, d) = q.dims3()?;
        let (keys, positions) = (k.dim(1)?, self.positions.dim(0)?);
        let of = |half: usize| -> Result<Tensor> {
            let width = heads * d;
            self.positions.narrow(1, half * width, width)?.reshape((positions, heads, d))?.transpose(0, 1)?.contiguous()
        };
        let index = |rows: usize, columns: usize, distance: &dyn Fn(usize, usize) -> isize| -> Result<Tensor> {
            let one: Vec<u32> = (0..rows * columns).map(|i| (self.row)(distance(i / columns, i % columns))).collect();
            Tensor::from_vec(one, (1, rows, columns), q.device())?.broadcast_as((heads, rows, columns))?.contiguous()
        };
        let mut terms = Vec::new();
        if self.c2p {
            let index = index(queries, keys, &|query, key| query as isize - key as isize)?;
            terms.push(q.matmul(&of(1)?.t()?)?.gather(&index, 2)?);
        }
        if self.p2c {
            let index = index(keys, queries, &|key, query| query as isize - key as isize)?;
            terms.push(k.matmul(&of(0)?.t()?)?.gather(&index, 2)?.transpose(1, 2)?);
        }
        Ok(terms)
    }
}

/// softmax(scale·(Q·Kᵀ + relative positions))·V within each sequence, window and head.
///
/// q `[queries, heads · d]`, k and v `[keys, heads · d]` → `[queries, heads · d]`. `dropout` applies to the probabilities. The queries
/// of a sequence are its first tokens, in order.
pub fn attention(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    ragged: &Ragged,
    scores: &Scores,
    dropout: Option<Dropout>,
) -> Result<Tensor> {
    ragged.check(q.dim(0)?, k.dim(0)?)?;
    let Scores { heads, window, scale, ref relative } = *scores;
    let d = q.dim(1)? / heads;
    // [rows, heads · d] → [heads, rows, d]
    let split = |x: &Tensor, r: &Range<usize>| -> Result<Tensor> {
        x.narrow(0, r.start, r.len())?.reshape((r.len(), heads, d))?.transpose(0, 1)?.contiguous()
    };
    let mut outputs = Vec::new();
    for (queries, keys) in ragged.sequences() {
        let (own_q, own_k) = (split(q, &queries)?, split(k, &keys)?);
        let mut scores = own_q.matmul(&own_k.t()?)?;
        for term in relative.as_ref().map_or(Ok(Vec::new()), |relative| relative.terms(&own_q, &own_k))? {
            scores = (scores + term)?;
        }
        scores = (scores * scale)?;
        if let Some(window) = window {
            scores = scores.broadcast_add(&mask(queries.len(), keys.len(), window, q.device())?)?;
        }
        let mut p = candle_nn::ops::softmax(&scores, 2)?;
        if let Some(dropout) = dropout {
            let mut factors = vec![0.0f32; heads * queries.len() * keys.len()];
            for (i, row) in factors.chunks_exact_mut(keys.len()).enumerate() {
                let (head, query) = (i / queries.len(), queries.start + i % queries.len());
                dropout.fill(dropout.index(query, heads * MASK_WIDTH) + (head * MASK_WIDTH) as u64, row);
            }
            p = (p * Tensor::from_vec(factors, (heads, queries.len(), keys.len()), q.device())?)?;
        }
        outputs.push(p.matmul(&split(v, &keys)?)?.transpose(0, 1)?.reshape((queries.len(), heads * d))?);
    }
    Tensor::cat(&outputs, 0)
}

/// −Σ targets·(1 − p)^gamma·log p of p = softmax(logits), a scalar; both `[rows, labels]`.
pub fn cross_entropy(logits: &Tensor, targets: &Tensor, gamma: f64) -> Result<Tensor> {
    let mut log_p = candle_nn::ops::log_softmax(logits, D::Minus1)?;
    if gamma != 0.0 {
        // 1 − p is the sum of the other classes' p, which does not cancel. A power of exactly 0 may have an infinite slope.
        let (labels, device) = (logits.dim(1)?, logits.device());
        let others = Tensor::ones((labels, labels), logits.dtype(), device)?;
        let others = (others - Tensor::eye(labels, logits.dtype(), device)?)?;
        let rest = (log_p.exp()?.matmul(&others)? + f64::from(f32::MIN_POSITIVE))?;
        log_p = (log_p * rest.powf(gamma)?)?;
    }
    (log_p * targets)?.sum_all()?.neg()
}

/// −Σ (a·(1 − p)^gamma·log p + b·p^gamma·log(1 − p)) of p = σ(logits), a scalar: logits `[rows, labels]`, `targets` `[rows, labels, 2]`, a and b.
pub fn binary_cross_entropy(logits: &Tensor, targets: &Tensor, gamma: f64) -> Result<Tensor> {
    let [a, b] = both(targets)?;
    let size = logits.abs()?;
    let log = (size.neg()?.exp()? + 1.0)?.log()?;
    // −log p and −log(1 − p).
    let of_p = (((&size - logits)? * 0.5)? + &log)?;
    let of_rest = (((&size + logits)? * 0.5)? + &log)?;
    let a = ((&of_rest * -gamma)?.exp()? * a)?;
    let b = ((&of_p * -gamma)?.exp()? * b)?;
    ((of_p * a)? + (of_rest * b)?)?.sum_all()
}

/// Σ factor·(outputs − value)², a scalar: outputs `[rows, columns]`, `targets` `[rows, columns, 2]`, value and factor.
pub fn squared_error(outputs: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let [value, factor] = both(targets)?;
    ((outputs - value)?.sqr()? * factor)?.sum_all()
}

/// The two numbers of each value: `[rows, columns, 2]` → `[rows, columns]`, twice.
fn both(targets: &Tensor) -> Result<[Tensor; 2]> {
    Ok([targets.narrow(2, 0, 1)?.squeeze(2)?, targets.narrow(2, 1, 1)?.squeeze(2)?])
}
