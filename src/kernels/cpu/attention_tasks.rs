//! How attention is divided into tasks, and where what they need is in the buffers.

use std::{cell::RefCell, ops::Range};

use super::{
    super::{Attention, MASK_WIDTH, Queries},
    head_products::{LANES, Left, Right},
};

/// One head of one sequence.
pub struct Head {
    pub head: usize,
    pub queries: Range<usize>,
    pub keys: Range<usize>,
}

/// Consecutive queries of a head, and the keys that any of them attends to: all of both without a window.
pub struct Tile {
    /// Rows of q.
    pub queries: Range<usize>,
    /// Rows of k and v.
    pub keys: Range<usize>,
    /// The first query's position less the first key's.
    lead: usize,
    /// The greatest distance between a query and a key.
    window: usize,
}

/// Queries of a tile: with a window of 64, two thirds of its scores are used.
const TILE: usize = 64;

impl Head {
    /// Whether every query attends to all keys.
    pub fn is_one_tile(&self, a: &Attention) -> bool {
        a.window.is_none_or(|window| window + 1 >= self.keys.len())
    }

    /// The tiles, in order.
    pub fn tiles(&self, a: &Attention) -> impl Iterator<Item = Tile> + use<> {
        let (queries, keys, n) = (self.queries.clone(), self.keys.clone(), self.keys.len());
        let window = a.window.unwrap_or(n);
        let step = if self.is_one_tile(a) { n } else { TILE };
        (0..queries.len()).step_by(step).map(move |from| {
            let to = (from + step).min(queries.len());
            let (first, end) = (from.saturating_sub(window), (to + window).min(n));
            Tile {
                queries: queries.start + from..queries.start + to,
                keys: keys.start + first..keys.start + end,
                lead: from - first,
                window,
            }
        })
    }
}

impl Tile {
    /// The keys that its query `i` attends to, counted from the tile's first.
    #[inline(always)]
    pub fn visible(&self, i: usize) -> Range<usize> {
        let at = self.lead + i;
        at.saturating_sub(self.window)..(at + self.window + 1).min(self.keys.len())
    }

    /// The transpose of its rows of scores.
    #[inline(always)]
    pub fn turned<'a>(&self, scores: &'a [f32]) -> Left<'a> {
        Left { data: scores, rows: self.keys.len(), stride: (1, self.keys.len().next_multiple_of(LANES)) }
    }
}

/// The layout of q, k and v in their buffers: values of a head, width of a row's queries, distance of rows, and offsets of the first row's
/// keys and values.
pub struct Layout {
    pub d: usize,
    pub width: usize,
    pub q_stride: usize,
    pub kv_stride: usize,
    pub k: usize,
    pub v: usize,
}

impl Layout {
    pub fn new(a: &Attention) -> Self {
        let (width, d) = (a.width, a.width / a.heads);
        match a.queries {
            Queries::All => Self { d, width, q_stride: 3 * width, kv_stride: 3 * width, k: width, v: 2 * width },
            Queries::First => Self { d, width, q_stride: width, kv_stride: 2 * width, k: 0, v: width },
        }
    }

    /// Offsets of a head's first query, key, value and output of a tile.
    pub fn offsets(&self, head: usize, tile: &Tile) -> [usize; 4] {
        let (q, kv) = (tile.queries.start * self.q_stride, tile.keys.start * self.kv_stride);
        [q, kv + self.k, kv + self.v, tile.queries.start * self.width].map(|at| at + head * self.d)
    }
}

/// The work, longest sequences first.
pub fn heads(a: &Attention, offsets: &[u32]) -> Vec<Head> {
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

/// Runs a task with its thread's buffers.
pub fn with_scratch(task: impl FnOnce(&mut Scratch)) {
    SCRATCH.with_borrow_mut(task);
}

/// Buffers of a task.
#[derive(Default)]
pub struct Scratch {
    pub p: Vec<f32>,
    pub factors: Vec<f32>,
    pub ds: Vec<f32>,
    pub right: Right,
    /// Queries or keys times the relative positions, row by row.
    pub block: Vec<f32>,
    /// Gradients of a head's keys and values, summed over tiles, and those of one tile.
    pub sums: [Vec<f32>; 2],
    pub part: Vec<f32>,
}

impl Scratch {
    /// Grows the buffers to a head's size; returns the padded length of a row.
    pub fn resize(&mut self, queries: usize, keys: usize) -> usize {
        let stride = keys.next_multiple_of(LANES);
        for buffer in [&mut self.p, &mut self.factors, &mut self.ds] {
            buffer.resize(queries * stride, 0.0);
        }
        stride
    }
}
