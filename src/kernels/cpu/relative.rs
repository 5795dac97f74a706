//! Relative positions in attention (disentangled attention, He et al. 2021): q·(key of the distance) and k·(query of the distance).
//!
//! Both terms are products of a block of queries or keys with the rows of all distances that the block meets, from which each score takes
//! the value of its distance. Close distances have rows of their own, one after the other: there, whole slices are added.

use std::ops::{Range, RangeInclusive};

use super::{
    super::{Attention, Relative},
    Buffer,
    attention_tasks::{Head, Layout, Scratch},
    buffer::Shared,
    head_products::{LANES, Left, Output, product, product_of_columns},
    product_tile::COLS,
};

/// Queries or keys of a block: one more distance each, beside those of the sequence's length.
const BLOCK: usize = 48;
/// Side of the squares in which scores are transposed.
const SIDE: usize = 16;

/// The relative positions of a call.
pub struct Positions<'a> {
    /// Queries, then keys of the positions, `[len, 2 · width]`.
    values: &'a [f32],
    width: usize,
    /// Row of each distance, from `-reach` on.
    rows: Vec<u32>,
    reach: isize,
    /// Distances up to this one, in both directions, have consecutive rows.
    near: isize,
    /// The terms of a score.
    terms: &'static [Term],
}

/// What is added to a score beside q·k.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Term {
    /// Query times the key of the distance. Its blocks have queries as rows.
    ContentToPosition,
    /// Key times the query of the distance. Its blocks have keys as rows.
    PositionToContent,
}

impl Term {
    const BOTH: [Self; 2] = [Self::ContentToPosition, Self::PositionToContent];

    /// Its values' first column in a row of the positions.
    fn column(self, width: usize) -> usize {
        match self {
            Self::ContentToPosition => width,
            Self::PositionToContent => 0,
        }
    }

    /// Whether a distance falls as the other index rises: it is query less key.
    fn falls(self) -> bool {
        self == Self::ContentToPosition
    }
}

/// A head of a sequence: how many queries and keys it has, and where they begin.
struct Sizes {
    queries: usize,
    keys: usize,
    /// Distance of rows of scores.
    stride: usize,
}

impl Sizes {
    fn new(h: &Head) -> Self {
        let keys = h.keys.len();
        Self { queries: h.queries.len(), keys, stride: keys.next_multiple_of(LANES) }
    }

    /// Rows of a term's blocks, and how many of the other kind each meets.
    fn of(&self, term: Term) -> (usize, usize) {
        match term {
            Term::ContentToPosition => (self.queries, self.keys),
            Term::PositionToContent => (self.keys, self.queries),
        }
    }
}

impl<'a> Positions<'a> {
    /// # Panics
    /// If attention is within a window, or rows are not as the contract says.
    pub fn new(relative: &Relative<'a, Buffer>, attention: &Attention) -> Self {
        assert!(attention.window.is_none(), "relative positions together with a window");
        let width = attention.width;
        let Relative { positions, rows, center, reach, first, len, c2p, p2c } = *relative;
        let rows: Vec<u32> =
            rows[center - reach..=center + reach].iter().map(|row| *row as u32 - first as u32).collect();
        assert!(rows.is_sorted() && rows.last().is_some_and(|row| (*row as usize) < len), "rows of positions");
        let is_near =
            |k: &usize| rows[reach + k] == rows[reach] + *k as u32 && rows[reach - k] + *k as u32 == rows[reach];
        let near = (1..=reach).take_while(is_near).count();
        let terms = match (c2p, p2c) {
            (true, true) => &Term::BOTH[..],
            (true, false) => &Term::BOTH[..1],
            (false, true) => &Term::BOTH[1..],
            (false, false) => &[],
        };
        Self { values: &positions[..len * 2 * width], width, rows, reach: reach as isize, near: near as isize, terms }
    }

    #[inline(always)]
    fn row(&self, distance: isize) -> usize {
        self.rows[(distance + self.reach) as usize] as usize
    }

    /// The number of positions.
    pub fn len(&self) -> usize {
        self.values.len() / (2 * self.width)
    }

    /// Rows of these distances.
    fn rows_of(&self, distances: RangeInclusive<isize>) -> Range<usize> {
        self.row(*distances.start())..self.row(*distances.end()) + 1
    }

    /// Rows of all distances in sequences of up to `n` tokens with `queries` queries.
    pub fn rows_within(&self, queries: usize, n: usize) -> Range<usize> {
        self.rows_of(1 - n as isize..=queries as isize - 1)
    }

    /// The distances that rows `block` of a term's blocks meet.
    fn rows_of_block(&self, term: Term, block: &Range<usize>, sizes: &Sizes) -> Range<usize> {
        let (from, last) = (block.start as isize, block.end as isize - 1);
        match term {
            Term::ContentToPosition => self.rows_of(from - (sizes.keys as isize - 1)..=last),
            Term::PositionToContent => self.rows_of(-last..=sizes.queries as isize - 1 - from),
        }
    }

    /// The values of a head for a term, from row `first` on.
    fn of_head(&self, term: Term, first: usize, column: usize) -> &[f32] {
        &self.values[first * 2 * self.width + term.column(self.width) + column..]
    }

    /// Calls `each` with the ranges of the other index in `others` whose distances from `own` have consecutive rows or not, and the first
    /// row of each consecutive range, in the order of ascending distance.
    #[inline(always)]
    fn runs(&self, term: Term, own: usize, others: Range<usize>, mut each: impl FnMut(Range<usize>, Option<usize>)) {
        let bound = |at: isize| at.clamp(others.start as isize, others.end as isize) as usize;
        let own = own as isize;
        let near = bound(own - self.near)..bound(own + self.near + 1);
        if others.start < near.start {
            each(others.start..near.start, None);
        }
        if !near.is_empty() {
            let first = if term.falls() { own - (near.end as isize - 1) } else { near.start as isize - own };
            each(near.clone(), Some(self.row(first)));
        }
        if near.end < others.end {
            each(near.end..others.end, None);
        }
    }

    #[inline(always)]
    fn distance(term: Term, own: usize, other: usize) -> isize {
        let (own, other) = (own as isize, other as isize);
        if term.falls() { own - other } else { other - own }
    }

    /// out[other] += block[row of the distance], for a row `block` of a term's blocks that begins with row `base`.
    #[inline(always)]
    fn take(&self, term: Term, own: usize, others: Range<usize>, block: &[f32], base: usize, out: &mut [f32]) {
        let begin = others.start;
        self.runs(term, own, others, |range, first| {
            let out = &mut out[range.start - begin..range.end - begin];
            match first {
                Some(first) => {
                    let from = &block[first - base..][..out.len()];
                    match term.falls() {
                        true => out.iter_mut().zip(from.iter().rev()).for_each(|(out, v)| *out += v),
                        false => out.iter_mut().zip(from).for_each(|(out, v)| *out += v),
                    }
                }
                None => {
                    for (out, other) in out.iter_mut().zip(range) {
                        *out += block[self.row(Self::distance(term, own, other)) - base];
                    }
                }
            }
        });
    }

    /// block[row of the distance] += values[other]: the reverse of [`Self::take`].
    #[inline(always)]
    fn give(&self, term: Term, own: usize, others: Range<usize>, values: &[f32], block: &mut [f32], base: usize) {
        let begin = others.start;
        self.runs(term, own, others, |range, first| {
            let values = &values[range.start - begin..range.end - begin];
            match first {
                Some(first) => {
                    let to = &mut block[first - base..][..values.len()];
                    match term.falls() {
                        true => to.iter_mut().zip(values.iter().rev()).for_each(|(to, v)| *to += v),
                        false => to.iter_mut().zip(values).for_each(|(to, v)| *to += v),
                    }
                }
                None => {
                    for (v, other) in values.iter().zip(range) {
                        block[self.row(Self::distance(term, own, other)) - base] += v;
                    }
                }
            }
        });
    }

    /// Adds the terms to the scores in `scratch.p`. `q` and `k` begin with the head's first query and key.
    #[inline(always)]
    pub fn add_to_scores(&self, h: &Head, l: &Layout, q: &[f32], k: &[f32], scale: f32, scratch: &mut Scratch) {
        let (sizes, Scratch { p, right, block, .. }) = (Sizes::new(h), scratch);
        let all = self.rows_within(sizes.queries, sizes.keys);
        for &term in self.terms {
            right.columns(self.of_head(term, all.start, h.head * l.d), l.d, all.len(), 2 * self.width);
            let (rows, others) = sizes.of(term);
            for from in (0..rows).step_by(BLOCK) {
                let own = from..(from + BLOCK).min(rows);
                let met = self.rows_of_block(term, &own, &sizes);
                let lead = (met.start - all.start) % COLS;
                let (base, columns) = (met.start - lead, met.start - lead - all.start..met.end - all.start);
                let stride = columns.len().next_multiple_of(LANES);
                block.resize(BLOCK * stride, 0.0);
                let shared = Shared::new(&mut block[..]);
                let (data, row_stride) = match term {
                    Term::ContentToPosition => (&q[from * l.q_stride..], l.q_stride),
                    Term::PositionToContent => (&k[from * l.kv_stride..], l.kv_stride),
                };
                let left = Left { data, rows: own.len(), stride: (row_stride, 1) };
                // SAFETY: `block` is borrowed for this product alone.
                #[expect(unsafe_code, reason = "the product's interface, for results that interleave")]
                unsafe {
                    product_of_columns(Output::new(&shared, 0, stride), scale, left, right, columns);
                }
                let row_of = |own: usize| (own - from) * stride;
                if term == Term::ContentToPosition {
                    for query in own {
                        let scores = &mut p[query * sizes.stride..][..sizes.keys];
                        self.take(term, query, 0..others, &block[row_of(query)..][..stride], base, scores);
                    }
                    continue;
                }
                squares(own, others, |keys, queries| {
                    let mut square = [[0.0f32; SIDE]; SIDE];
                    for (key, square) in keys.clone().zip(&mut square) {
                        let block = &block[row_of(key)..][..stride];
                        self.take(term, key, queries.clone(), block, base, &mut square[..queries.len()]);
                    }
                    for (i, query) in queries.enumerate() {
                        let scores = &mut p[query * sizes.stride..][keys.clone()];
                        scores.iter_mut().zip(&square).for_each(|(score, square)| *score += square[i]);
                    }
                });
            }
        }
    }

    /// From dS, in `scratch.ds`, of one head of one sequence: adds the terms' parts to the gradients of queries and keys, and those of
    /// the positions' keys and queries, in this order, to `sums`, `[rows, d]` each, which begin with row `first`.
    ///
    /// # Safety
    /// The head's columns of its queries in `dq` and of its keys in `dkv` may not be accessed elsewhere at the same time.
    #[inline(always)]
    #[expect(unsafe_code, reason = "the heads' columns interleave")]
    pub unsafe fn backward(&self, of: &Gradients, scratch: &mut Scratch, sums: &mut [Vec<f32>; 2], first: usize) {
        let Gradients { h, l, scale, .. } = *of;
        let (sizes, Scratch { ds, right, block, .. }) = (Sizes::new(h), scratch);
        for &term in self.terms {
            let (rows, others) = sizes.of(term);
            for from in (0..rows).step_by(BLOCK) {
                let own = from..(from + BLOCK).min(rows);
                let met = self.rows_of_block(term, &own, &sizes);
                let stride = met.len().next_multiple_of(LANES);
                block.clear();
                block.resize(own.len() * stride, 0.0);
                let row_of = |own: usize| (own - from) * stride;
                if term == Term::ContentToPosition {
                    for query in own.clone() {
                        let ds = &ds[query * sizes.stride..][..sizes.keys];
                        self.give(term, query, 0..others, ds, &mut block[row_of(query)..][..stride], met.start);
                    }
                } else {
                    squares(own.clone(), others, |keys, queries| {
                        let mut square = [[0.0f32; SIDE]; SIDE];
                        for (i, query) in queries.clone().enumerate() {
                            let ds = &ds[query * sizes.stride..][keys.clone()];
                            square.iter_mut().zip(ds).for_each(|(square, ds)| square[i] = *ds);
                        }
                        for (key, square) in keys.zip(&square) {
                            let block = &mut block[row_of(key)..][..stride];
                            self.give(term, key, queries.clone(), &square[..queries.len()], block, met.start);
                        }
                    });
                }
                let (content, content_stride, to, at, to_stride) = match term {
                    Term::ContentToPosition => (of.q, l.q_stride, of.dq, of.at_q, l.q_stride),
                    Term::PositionToContent => (of.k, l.kv_stride, of.dkv, of.at_k, l.kv_stride),
                };
                let column = h.head * l.d;
                right.rows(self.of_head(term, met.start, column), met.len(), l.d, 2 * self.width);
                let left = Left { data: &block[..], rows: own.len(), stride: (stride, 1) };
                let output = Output { add: true, ..Output::new(to, at + from * to_stride, to_stride) };
                // SAFETY: the caller's promise.
                unsafe { product(output, scale, left, right) };
                right.rows(&content[from * content_stride..], own.len(), l.d, content_stride);
                let turned = Left { data: &block[..], rows: met.len(), stride: (1, stride) };
                let shared = Shared::new(&mut sums[term as usize][..]);
                let output = Output { add: true, ..Output::new(&shared, (met.start - first) * l.d, l.d) };
                // SAFETY: `sums` is borrowed for this product alone.
                unsafe { product(output, scale, turned, right) };
            }
        }
    }
}

/// One head of one sequence in the backward pass.
#[derive(Clone, Copy)]
pub struct Gradients<'a> {
    pub h: &'a Head,
    pub l: &'a Layout,
    pub scale: f32,
    /// The head's first query and key, and what follows.
    pub q: &'a [f32],
    pub k: &'a [f32],
    /// The buffers of their gradients, and the offsets of the first ones.
    pub dq: &'a Shared<'a>,
    pub at_q: usize,
    pub dkv: &'a Shared<'a>,
    pub at_k: usize,
}

/// Calls `each` with squares of `keys` and of `queries` from 0 on.
#[inline(always)]
fn squares(keys: Range<usize>, queries: usize, mut each: impl FnMut(Range<usize>, Range<usize>)) {
    for key in keys.clone().step_by(SIDE) {
        for query in (0..queries).step_by(SIDE) {
            each(key..(key + SIDE).min(keys.end), query..(query + SIDE).min(queries));
        }
    }
}
