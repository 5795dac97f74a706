//! Scaled dot-product attention (Vaswani et al. 2017) over consecutive sequences of different lengths.
//!
//! A task is one head of one sequence, the longest first; rows of scores are padded to whole vectors. Within a window a task goes through
//! its queries in tiles, each with only the keys that they attend to.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    super::{Attention, MASK_WIDTH, Queries, math::exp},
    attention_tasks::{Head, Layout, Scratch, Tile, heads, with_scratch},
    buffer::Shared,
    head_products::{LANES, Left, Output, Right, product},
    relative::Positions,
    sum,
    vector::vectorised,
};

/// out = left · right, where `out` is the task's own.
#[inline(always)]
fn own_product(out: &mut [f32], stride: usize, alpha: f32, left: Left, right: &Right) {
    let shared = Shared::new(out);
    // SAFETY: `out` is borrowed for this product alone.
    #[expect(unsafe_code, reason = "the product's interface, for results that interleave")]
    unsafe {
        product(Output::new(&shared, 0, stride), alpha, left, right);
    }
}

/// What the scores of a call are computed from.
#[derive(Clone, Copy)]
pub struct Operands<'a> {
    pub l: &'a Layout,
    pub q: &'a [f32],
    pub kv: &'a [f32],
    pub relative: Option<&'a Positions<'a>>,
}

impl Attention {
    /// Computes a tile's probabilities before dropout, in `p`, and the dropout factors; both `[queries, stride]`.
    #[inline(always)]
    fn probabilities(&self, h: &Head, tile: &Tile, of: &Operands, scratch: &mut Scratch) {
        let (l, keys) = (of.l, tile.keys.len());
        let stride = scratch.resize(tile.queries.len(), keys);
        let [at_q, at_k, ..] = l.offsets(h.head, tile);
        let (q, k) = (&of.q[at_q..], &of.kv[at_k..]);
        scratch.right.columns(k, l.d, keys, l.kv_stride);
        let left = Left { data: q, rows: tile.queries.len(), stride: (l.q_stride, 1) };
        own_product(&mut scratch.p, stride, self.scale, left, &scratch.right);
        if let Some(relative) = of.relative {
            relative.add_to_scores(h, l, q, k, self.scale, scratch);
        }
        let Scratch { p, factors, .. } = scratch;
        for (i, row) in p.chunks_exact_mut(stride).enumerate() {
            let Range { start, end } = tile.visible(i);
            row[..start].fill(f32::NEG_INFINITY);
            row[end..].fill(f32::NEG_INFINITY);
            let mut lanes = [f32::NEG_INFINITY; LANES];
            for part in row.chunks_exact(LANES) {
                lanes.iter_mut().zip(part).for_each(|(max, v)| *max = if *v > *max { *v } else { *max });
            }
            let max = lanes.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter_mut().for_each(|v| *v = exp(*v - max));
            row[..start].fill(0.0);
            row[end..].fill(0.0);
            let scale = 1.0 / sum([row], |[p]| p);
            row.iter_mut().for_each(|v| *v *= scale);
        }
        if let Some(dropout) = self.dropout {
            let first = (h.head * MASK_WIDTH + tile.keys.start - h.keys.start) as u64;
            for (i, row) in factors.chunks_exact_mut(stride).enumerate() {
                dropout.fill(dropout.index(tile.queries.start + i, self.heads * MASK_WIDTH) + first, row);
            }
        }
    }

    /// The result of [`AttentionOps::attention`].
    pub fn forward(&self, context: &mut [f32], of: &Operands, offsets: &[u32]) {
        let l = of.l;
        let out = Shared::new(context);
        heads(self, offsets).into_par_iter().with_max_len(2).for_each(|h| {
            with_scratch(|scratch| {
                for tile in h.tiles(self) {
                    let (nq, nk) = (tile.queries.len(), tile.keys.len());
                    let [_, _, at_v, offset] = l.offsets(h.head, &tile);
                    let stride = nk.next_multiple_of(LANES);
                    vectorised!({
                        self.probabilities(&h, &tile, of, scratch);
                        let Scratch { p, factors, right, .. } = &mut *scratch;
                        if self.dropout.is_some() {
                            p.iter_mut().zip(&*factors).for_each(|(p, factor)| *p *= factor);
                        }
                        right.rows(&of.kv[at_v..], nk, l.d, l.kv_stride);
                        let output = Output::new(&out, offset, l.width);
                        // SAFETY: a head's columns of its own rows: no other task writes there.
                        #[expect(unsafe_code, reason = "the heads' columns interleave")]
                        unsafe {
                            product(output, 1.0, Left { data: p, rows: nq, stride: (stride, 1) }, right);
                        }
                    });
                }
            });
        });
    }

    /// With P the probabilities, M the dropout factors and O = (P∘M)·V:
    /// dV = (P∘M)ᵀ·dO, dP = (dO·Vᵀ)∘M, dS = P∘(dP − rowsum(dP∘P)), dQ = dS·K·scale, dK = dSᵀ·Q·scale.
    /// P is recomputed: it would be the largest activation to keep.
    pub fn backward(&self, dq: &mut [f32], dkv: &mut [f32], d_context: &[f32], of: Operands, offsets: &[u32]) {
        let (dq, dkv) = (Shared::new(dq), Shared::new(dkv));
        // With all queries the three gradients are side by side, like q, k and v.
        let dq = if self.queries == Queries::All { &dkv } else { &dq };
        heads(self, offsets).into_par_iter().with_max_len(2).for_each(|h| {
            let task = Backward { attention: self, h: &h, of, d_context, dq, dkv: &dkv };
            with_scratch(|scratch| match h.is_one_tile(self) {
                true => h.tiles(self).for_each(|tile| task.whole(&tile, scratch)),
                false => task.in_tiles(scratch),
            });
        });
    }
}

/// The backward pass of one head of one sequence.
pub struct Backward<'a> {
    pub attention: &'a Attention,
    pub h: &'a Head,
    pub of: Operands<'a>,
    pub d_context: &'a [f32],
    pub dq: &'a Shared<'a>,
    pub dkv: &'a Shared<'a>,
}

impl Backward<'_> {
    /// A tile with all queries and keys.
    pub fn whole(&self, tile: &Tile, scratch: &mut Scratch) {
        let [_, at_k, at_v, _] = self.of.l.offsets(self.h.head, tile);
        let to = |offset| Output::new(self.dkv, offset, self.of.l.kv_stride);
        vectorised!({
            self.scores(tile, scratch);
            // SAFETY: a head's columns of its own rows, which do not overlap: no other task writes there.
            #[expect(unsafe_code, reason = "the heads' columns interleave")]
            unsafe {
                self.d_values(tile, scratch, to(at_v));
                self.d_queries(tile, scratch);
                self.d_keys(tile, scratch, to(at_k));
            }
        });
    }

    /// Tile by tile: keys belong to several, whose gradients are added up in order.
    fn in_tiles(&self, scratch: &mut Scratch) {
        let (d, n) = (self.of.l.d, self.h.keys.len());
        let mut sums = std::mem::take(&mut scratch.sums);
        let mut part = std::mem::take(&mut scratch.part);
        for sum in &mut sums {
            sum.clear();
            sum.resize(n * d, 0.0);
        }
        for tile in self.h.tiles(self.attention) {
            let (from, len) = ((tile.keys.start - self.h.keys.start) * d, tile.keys.len() * d);
            part.resize(2 * len, 0.0);
            let shared = Shared::new(&mut part);
            let to = |offset| Output::new(&shared, offset, d);
            vectorised!({
                self.scores(&tile, scratch);
                // SAFETY: the queries are this tile's own, and `part` is borrowed for these products alone.
                #[expect(unsafe_code, reason = "the heads' columns interleave")]
                unsafe {
                    self.d_values(&tile, scratch, to(len));
                    self.d_queries(&tile, scratch);
                    self.d_keys(&tile, scratch, to(0));
                }
            });
            for (sum, part) in sums.iter_mut().zip(part.chunks_exact(len)) {
                vectorised!(sum[from..][..len].iter_mut().zip(part).for_each(|(sum, part)| *sum += part));
            }
        }
        for (sum, at) in sums.iter().zip([self.of.l.k, self.of.l.v]) {
            for (row, values) in self.h.keys.clone().zip(sum.chunks_exact(d)) {
                // SAFETY: a head's columns of its own rows: no other task writes there.
                #[expect(unsafe_code, reason = "the heads' columns interleave")]
                let to = unsafe { self.dkv.part(row * self.of.l.kv_stride + at + self.h.head * d, d) };
                to.copy_from_slice(values);
            }
        }
        (scratch.sums, scratch.part) = (sums, part);
    }

    /// Computes P, in `p`, dS, in `ds`, and with dropout P∘M, in `factors`.
    #[inline(always)]
    fn scores(&self, tile: &Tile, scratch: &mut Scratch) {
        let (l, (nq, nk)) = (self.of.l, (tile.queries.len(), tile.keys.len()));
        let [_, _, at_v, at_out] = l.offsets(self.h.head, tile);
        self.attention.probabilities(self.h, tile, &self.of, scratch);
        let stride = nk.next_multiple_of(LANES);
        let Scratch { p, factors, ds, right, .. } = scratch;
        right.columns(&self.of.kv[at_v..], l.d, nk, l.kv_stride);
        let d_context = Left { data: &self.d_context[at_out..], rows: nq, stride: (l.width, 1) };
        own_product(ds, stride, 1.0, d_context, right);
        let rows = ds.chunks_exact_mut(stride).zip(p.chunks_exact(stride)).zip(factors.chunks_exact_mut(stride));
        for ((ds, p), factors) in rows {
            ds[nk..].fill(0.0);
            if self.attention.dropout.is_some() {
                ds.iter_mut().zip(&*factors).for_each(|(ds, factor)| *ds *= factor);
                // The factors become the dropped probabilities.
                factors.iter_mut().zip(p).for_each(|(factor, p)| *factor *= p);
            }
            let dot = sum([ds, p], |[ds, p]| ds * p);
            ds.iter_mut().zip(p).for_each(|(ds, p)| *ds = p * (*ds - dot));
        }
    }

    /// dV of a tile, after [`Self::scores`].
    ///
    /// # Safety
    /// As for [`product`].
    #[inline(always)]
    #[expect(unsafe_code, reason = "the heads' columns interleave")]
    unsafe fn d_values(&self, tile: &Tile, scratch: &mut Scratch, to: Output) {
        let [_, _, _, at_out] = self.of.l.offsets(self.h.head, tile);
        let Scratch { p, factors, right, .. } = scratch;
        let dropped = if self.attention.dropout.is_some() { factors } else { p };
        right.rows(&self.d_context[at_out..], tile.queries.len(), self.of.l.d, self.of.l.width);
        // SAFETY: the caller's promise.
        unsafe { product(to, 1.0, tile.turned(dropped), right) };
    }

    /// dQ of a tile, after [`Self::scores`].
    ///
    /// # Safety
    /// As for [`product`].
    #[inline(always)]
    #[expect(unsafe_code, reason = "the heads' columns interleave")]
    unsafe fn d_queries(&self, tile: &Tile, scratch: &mut Scratch) {
        let (l, nk) = (self.of.l, tile.keys.len());
        let [at_q, at_k, ..] = l.offsets(self.h.head, tile);
        let Scratch { ds, right, .. } = scratch;
        right.rows(&self.of.kv[at_k..], nk, l.d, l.kv_stride);
        let left = Left { data: ds, rows: tile.queries.len(), stride: (nk.next_multiple_of(LANES), 1) };
        // SAFETY: the caller's promise.
        unsafe { product(Output::new(self.dq, at_q, l.q_stride), self.attention.scale, left, right) };
    }

    /// dK of a tile, after [`Self::scores`].
    ///
    /// # Safety
    /// As for [`product`].
    #[inline(always)]
    #[expect(unsafe_code, reason = "the heads' columns interleave")]
    unsafe fn d_keys(&self, tile: &Tile, scratch: &mut Scratch, to: Output) {
        let [at_q, ..] = self.of.l.offsets(self.h.head, tile);
        let Scratch { ds, right, .. } = scratch;
        right.rows(&self.of.q[at_q..], tile.queries.len(), self.of.l.d, self.of.l.q_stride);
        // SAFETY: the caller's promise.
        unsafe { product(to, self.attention.scale, tile.turned(ds), right) };
    }
}
