//! Scaled dot-product attention (Vaswani et al. 2017) over consecutive sequences of different lengths.
//!
//! A task is one head of one sequence, the longest first; rows of scores are padded to whole vectors.

use std::{cell::RefCell, ops::Range};

use rayon::prelude::*;

use super::{
    super::{Attention, AttentionBackward, AttentionOps, MASK_WIDTH, Queries, math::exp},
    Buffer, Cpu, CpuBatch,
    buffer::Shared,
    small::{LANES, Left, Output, Right, product},
    sum,
    vector::vectorised,
};

/// One head of one sequence.
struct Head {
    head: usize,
    queries: Range<usize>,
    keys: Range<usize>,
}

/// The layout of q, k and v in their buffers: values of a head, width of a row's queries, distance of rows, and offsets of the first row's
/// keys and values.
struct Layout {
    d: usize,
    width: usize,
    q_stride: usize,
    kv_stride: usize,
    k: usize,
    v: usize,
}

impl Layout {
    fn new(a: &Attention) -> Self {
        let (width, d) = (a.width, a.width / a.heads);
        match a.queries {
            Queries::All => Self { d, width, q_stride: 3 * width, kv_stride: 3 * width, k: width, v: 2 * width },
            Queries::First => Self { d, width, q_stride: width, kv_stride: 2 * width, k: 0, v: width },
        }
    }

    /// Offsets of a head's first query, key and value.
    fn offsets(&self, h: &Head) -> [usize; 3] {
        let (q, kv) = (h.queries.start * self.q_stride, h.keys.start * self.kv_stride);
        [q, kv + self.k, kv + self.v].map(|at| at + h.head * self.d)
    }
}

/// The work, longest sequences first.
fn heads(a: &Attention, offsets: &[u32]) -> Vec<Head> {
    let mut all: Vec<Head> = Vec::with_capacity(a.heads * offsets.len());
    for (s, o) in offsets.windows(2).enumerate() {
        let keys = o[0] as usize..o[1] as usize;
        assert!(!keys.is_empty() && keys.len() <= MASK_WIDTH, "a sequence is empty or longer than {MASK_WIDTH}");
        let queries = if a.queries == Queries::All { keys.clone() } else { s..s + 1 };
        all.extend((0..a.heads).map(|head| Head { head, queries: queries.clone(), keys: keys.clone() }));
    }
    all.sort_by_key(|h| std::cmp::Reverse(h.keys.len()));
    all
}

thread_local! {
    /// A thread's buffers, reused: allocating them in every call would map and unmap pages each time, which stops all threads.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Buffers of a task.
#[derive(Default)]
struct Scratch {
    p: Vec<f32>,
    factors: Vec<f32>,
    ds: Vec<f32>,
    right: Right,
}

impl Scratch {
    /// Grows the buffers to a head's size; returns the padded length of a row.
    fn resize(&mut self, queries: usize, keys: usize) -> usize {
        let stride = keys.next_multiple_of(LANES);
        for buffer in [&mut self.p, &mut self.factors, &mut self.ds] {
            buffer.resize(queries * stride, 0.0);
        }
        stride
    }
}

/// out = left · right, where `out` is the task's own.
#[inline(always)]
fn own_product(out: &mut [f32], stride: usize, alpha: f32, left: Left, right: &Right) {
    let shared = Shared::new(out);
    // SAFETY: `out` is borrowed for this product alone.
    #[expect(unsafe_code, reason = "the product's interface, for results that interleave")]
    unsafe {
        product(Output { out: &shared, offset: 0, stride }, alpha, left, right);
    }
}

impl Attention {
    /// Computes a head's probabilities before dropout, in `p`, and the dropout factors; both `[queries, stride]`. `k` begins with the
    /// head's first key.
    #[inline(always)]
    fn probabilities(&self, h: &Head, l: &Layout, q: Left, k: &[f32], scratch: &mut Scratch, stride: usize) {
        let keys = h.keys.len();
        let Scratch { p, factors, right, .. } = scratch;
        right.columns(k, l.d, keys, l.kv_stride);
        own_product(p, stride, 1.0 / (l.d as f32).sqrt(), q, right);
        for row in p.chunks_exact_mut(stride) {
            row[keys..].fill(f32::NEG_INFINITY);
            let mut lanes = [f32::NEG_INFINITY; LANES];
            for part in row.chunks_exact(LANES) {
                lanes.iter_mut().zip(part).for_each(|(max, v)| *max = if *v > *max { *v } else { *max });
            }
            let max = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter_mut().for_each(|v| *v = exp(*v - max));
            row[keys..].fill(0.0);
            let scale = 1.0 / sum([row], |[p]| p);
            row.iter_mut().for_each(|v| *v *= scale);
        }
        if let Some(dropout) = self.dropout {
            for (i, row) in factors.chunks_exact_mut(stride).enumerate() {
                let first = dropout.index(h.queries.start + i, self.heads * MASK_WIDTH);
                dropout.fill(first + (h.head * MASK_WIDTH) as u64, row);
            }
        }
    }

    /// context = dropout(softmax(q·kᵀ / √d))·v; shapes as in [`AttentionOps::attention`].
    pub fn forward(&self, context: &mut [f32], q: &[f32], kv: &[f32], offsets: &[u32]) {
        let l = Layout::new(self);
        let out = Shared::new(context);
        heads(self, offsets).into_par_iter().with_max_len(2).for_each(|h| {
            SCRATCH.with_borrow_mut(|scratch| {
                let (nq, nk) = (h.queries.len(), h.keys.len());
                let [at_q, at_k, at_v] = l.offsets(&h);
                let stride = scratch.resize(nq, nk);
                vectorised!({
                    let q = Left { data: &q[at_q..], rows: nq, stride: (l.q_stride, 1) };
                    self.probabilities(&h, &l, q, &kv[at_k..], scratch, stride);
                    let Scratch { p, factors, right, .. } = &mut *scratch;
                    if self.dropout.is_some() {
                        p.iter_mut().zip(&*factors).for_each(|(p, factor)| *p *= factor);
                    }
                    right.rows(&kv[at_v..], nk, l.d, l.kv_stride);
                    let offset = h.queries.start * l.width + h.head * l.d;
                    let output = Output { out: &out, offset, stride: l.width };
                    // SAFETY: a head's columns of its own rows: no other task writes there.
                    #[expect(unsafe_code, reason = "the heads' columns interleave")]
                    unsafe {
                        product(output, 1.0, Left { data: p, rows: nq, stride: (stride, 1) }, right);
                    }
                });
            });
        });
    }

    /// With P the probabilities, M the dropout factors and O = (P∘M)·V:
    /// dV = (P∘M)ᵀ·dO, dP = (dO·Vᵀ)∘M, dS = P∘(dP − rowsum(dP∘P)), dQ = dS·K/√d, dK = dSᵀ·Q/√d.
    /// P is recomputed: it would be the largest activation to keep.
    pub fn backward(&self, dq: &mut [f32], dkv: &mut [f32], d_context: &[f32], q: &[f32], kv: &[f32], offsets: &[u32]) {
        let l = Layout::new(self);
        let scale = 1.0 / (l.d as f32).sqrt();
        let (dq, dkv) = (Shared::new(dq), Shared::new(dkv));
        // With all queries the three gradients are side by side, like q, k and v.
        let dq = if self.queries == Queries::All { &dkv } else { &dq };
        heads(self, offsets).into_par_iter().with_max_len(2).for_each(|h| {
            SCRATCH.with_borrow_mut(|scratch| {
                let (nq, nk) = (h.queries.len(), h.keys.len());
                let [at_q, at_k, at_v] = l.offsets(&h);
                let at_out = h.queries.start * l.width + h.head * l.d;
                let stride = scratch.resize(nq, nk);
                vectorised!({
                    let (k, v, d_out) = (&kv[at_k..], &kv[at_v..], &d_context[at_out..]);
                    let left = |data, stride| Left { data, rows: nq, stride };
                    self.probabilities(&h, &l, left(&q[at_q..], (l.q_stride, 1)), k, scratch, stride);
                    let Scratch { p, factors, ds, right } = &mut *scratch;
                    right.columns(v, l.d, nk, l.kv_stride);
                    own_product(ds, stride, 1.0, left(d_out, (l.width, 1)), right);
                    let rows =
                        ds.chunks_exact_mut(stride).zip(p.chunks_exact(stride)).zip(factors.chunks_exact_mut(stride));
                    for ((ds, p), factors) in rows {
                        ds[nk..].fill(0.0);
                        if self.dropout.is_some() {
                            ds.iter_mut().zip(&*factors).for_each(|(ds, factor)| *ds *= factor);
                            // The factors become the dropped probabilities.
                            factors.iter_mut().zip(p).for_each(|(factor, p)| *factor *= p);
                        }
                        let dot = sum([ds, p], |[ds, p]| ds * p);
                        ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = p * (*ds - dot));
                    }
                    let dropped = if self.dropout.is_some() { &*factors } else { &*p };
                    let turned = |data| Left { data, rows: nk, stride: (1, stride) };
                    let output = |out, offset, stride| Output { out, offset, stride };
                    // SAFETY: a head's columns of its own rows, which do not overlap: no other task writes there.
                    #[expect(unsafe_code, reason = "the heads' columns interleave")]
                    unsafe {
                        right.rows(d_out, nq, l.d, l.width);
                        product(output(&dkv, at_v, l.kv_stride), 1.0, turned(dropped), right);
                        right.rows(k, nk, l.d, l.kv_stride);
                        product(output(dq, at_q, l.q_stride), scale, left(ds, (stride, 1)), right);
                        right.rows(&q[at_q..], nq, l.d, l.q_stride);
                        product(output(&dkv, at_k, l.kv_stride), scale, turned(ds), right);
                    }
                });
            });
        });
    }
}

impl AttentionOps for Cpu {
    fn attention(&mut self, context: &mut Buffer, q: &Buffer, kv: &Buffer, batch: &CpuBatch, attention: Attention) {
        attention.forward(context, q, kv, &batch.offsets);
    }

    fn attention_backward(&mut self, args: AttentionBackward<Buffer, CpuBatch>) {
        let AttentionBackward { dq, dkv, d_context, q, kv, batch, attention } = args;
        attention.backward(dq, dkv, d_context, q, kv, &batch.offsets);
    }
}
