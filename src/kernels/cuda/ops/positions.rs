//! Relative positions in attention, and their gradients: sums over all pairs of tiles, by the distance of query and key.

use bytemuck::{Zeroable, cast_slice};

use super::super::{
    super::{Attention, Relative},
    Buffer, Cuda, CudaBatch, Driver, Kernel, Memory,
    launch::{BLOCK, threads_of},
    params::{self, Address},
};

/// Blocks of a pass over all pairs: several for each multiprocessor of a large device.
const BLOCKS: usize = 1024;

/// Chunks of a pass, each of which is a block for each head.
fn chunks_of_a_pass(heads: usize) -> usize {
    (BLOCKS / heads).max(1)
}

/// Bytes of the sums of a pass: of each chunk for each distance of a pair of tiles.
pub(in crate::kernels::cuda) fn partial_bytes(tile: u32, width: usize, heads: usize) -> usize {
    4 * chunks_of_a_pass(heads) * 2 * tile as usize * 2 * width
}

/// The pairs of tiles of queries and keys of one sequence, sorted by their distance in tiles and cut into chunks of one distance.
#[derive(Debug, PartialEq, Eq)]
struct Pairs {
    /// (sequence, first query, first key).
    pairs: Vec<[u32; 3]>,
    /// Ends of the chunks, after a zero.
    chunks: Vec<u32>,
    /// The first chunk of each distance, and the number of chunks.
    diagonals: Vec<u32>,
    /// The first distance, query less key.
    lowest: i32,
}

impl Pairs {
    /// Of sequences that lie between `offsets`, with queries of all tokens or of the first alone: `most` chunks, or one of each distance if these are more.
    fn new(offsets: &[u32], tile: u32, first_only: bool, most: usize) -> Self {
        let tiles = |o: &[u32]| (o[1] - o[0]).div_ceil(tile);
        let longest = offsets.windows(2).map(tiles).max().unwrap_or(0);
        let asking = if first_only { 1 } else { longest };
        let mut by_distance = vec![Vec::new(); (longest + asking).saturating_sub(1) as usize];
        for (sequence, o) in (0..).zip(offsets.windows(2)) {
            for query in 0..tiles(o).min(asking) {
                for key in 0..tiles(o) {
                    by_distance[(query + longest - 1 - key) as usize].push([sequence, query * tile, key * tile]);
                }
            }
        }
        let chunks_of = |size: usize| by_distance.iter().map(|pairs| pairs.len().div_ceil(size)).sum::<usize>();
        let largest = by_distance.iter().map(Vec::len).max().unwrap_or(0);
        let all: usize = by_distance.iter().map(Vec::len).sum();
        let size = (all.div_ceil(most)..largest).find(|size| chunks_of(*size) <= most).unwrap_or(largest).max(1);
        let (mut chunks, mut diagonals) = (vec![0], vec![0]);
        for pairs in &by_distance {
            let before = *chunks.last().expect("a zero");
            let sizes = pairs.chunks(size).scan(before, |end, chunk| {
                *end += chunk.len() as u32;
                Some(*end)
            });
            chunks.extend(sizes);
            diagonals.push(chunks.len() as u32 - 1);
        }
        Self { pairs: by_distance.concat(), chunks, diagonals, lowest: 1 - longest as i32 }
    }
}

/// [`Pairs`] on the device.
#[derive(Clone, Copy)]
pub(in crate::kernels::cuda) struct PairsAt {
    pairs: Address,
    chunks: Address,
    diagonals: Address,
    lowest: i32,
    distances: u32,
    /// The number of chunks.
    len: usize,
}

impl<D: Driver> Cuda<D> {
    /// The parameters of attention with relative positions, beside those of attention; refuses those that do not fit the batch.
    pub(super) fn relative_params(
        &self,
        relative: &Relative<Buffer<D>>,
        batch: &CudaBatch,
        a: Attention,
    ) -> params::Relative {
        let Relative { positions, rows, center, reach, first, len, c2p, p2c } = *relative;
        let longest = batch.offsets.windows(2).map(|o| (o[1] - o[0]) as usize).max().unwrap_or(0);
        if a.window.is_some() {
            self.refuse("relative positions together with a window".into());
        }
        if longest > reach + 1 {
            self.refuse(format!("a sequence of {longest} tokens with relative positions for distances up to {reach}"));
        }
        if reach > center || center + reach >= rows.room() || len * 2 * a.width > positions.room() {
            let (rows, room) = (rows.room(), positions.room());
            self.refuse(format!(
                "{len} relative positions for distances up to {reach} around {center} of {rows}, in {room} numbers"
            ));
        }
        params::Relative {
            positions: positions.at(0),
            rows: rows.at(center),
            first: first as u32,
            c2p: c2p.into(),
            p2c: p2c.into(),
            ..params::Relative::zeroed()
        }
    }

    /// Where the pairs of tiles of a batch are; they are uploaded once.
    fn pairs(&mut self, batch: &CudaBatch, tile: u32, first_only: bool, most: usize) -> PairsAt {
        *batch.pairs[usize::from(first_only)].get_or_init(|| {
            let Pairs { pairs, chunks, diagonals, lowest } = Pairs::new(&batch.offsets, tile, first_only, most);
            let parts = [cast_slice(&pairs), cast_slice(&chunks), cast_slice(&diagonals)];
            let (distances, len) = (diagonals.len() as u32 - 1, chunks.len() - 1);
            let [pairs, chunks, diagonals] = self.arena.put(parts);
            PairsAt { pairs, chunks, diagonals, lowest, distances, len }
        })
    }

    /// The gradients of the positions, from the statistics that the gradients of queries have left.
    pub(super) fn positions_backward(
        &mut self,
        (kernel, tile): (Kernel, u32),
        batch: &CudaBatch,
        p: params::Relative,
        relative: &Relative<Buffer<D>>,
        d_positions: &mut Buffer<D>,
    ) {
        let (heads, width) = (p.attention.heads as usize, p.attention.width as usize);
        let most = chunks_of_a_pass(heads);
        let pairs = self.pairs(batch, tile, p.attention.first_only == 1, most);
        let bytes = partial_bytes(tile, width, heads);
        if bytes > self.partial.bytes() {
            self.partial = Memory::new(&self.device, bytes);
        }
        let partial = self.partial.address();
        let (out, out_half) = d_positions.both(0);
        let sum = params::SumPositions {
            out,
            out_half,
            partial,
            rows: p.rows,
            diagonals: pairs.diagonals,
            reach: relative.reach as u32,
            first: p.first,
            width: p.attention.width,
            tile,
            lowest: pairs.lowest,
            distances: pairs.distances,
            chunk: 0,
            end: 0,
            c2p: p.c2p,
            p2c: p.p2c,
            add: 0,
            scale: p.attention.scale,
        };
        let (threads, columns) = (threads_of(2 * width), 2 * width);
        for from in (0..pairs.len).step_by(most) {
            let to = (from + most).min(pairs.len);
            let p = params::Relative { partial, pairs: pairs.pairs, chunks: pairs.chunks, chunk: from as u32, ..p };
            self.launch(kernel, [to - from, heads], BLOCK, &p);
            let sum = params::SumPositions { chunk: from as u32, end: to as u32, add: u32::from(from > 0), ..sum };
            self.launch(Kernel::SumPositions, [relative.len, columns.div_ceil(threads)], threads, &sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_one_distance_are_together() {
        // Three tiles and one.
        let all = Pairs::new(&[0, 70, 75], 32, false, 100);
        let by_distance = [
            vec![[0, 0, 64]],
            vec![[0, 0, 32], [0, 32, 64]],
            vec![[0, 0, 0], [0, 32, 32], [0, 64, 64], [1, 0, 0]],
            vec![[0, 32, 0], [0, 64, 32]],
            vec![[0, 64, 0]],
        ];
        let chunks: Vec<u32> = (0..=10).collect();
        assert_eq!(all, Pairs { pairs: by_distance.concat(), chunks, diagonals: vec![0, 1, 3, 7, 9, 10], lowest: -2 });
        // No more chunks than there may be, where distances allow that.
        let few = Pairs::new(&[0, 70, 75], 32, false, 6);
        assert_eq!((few.chunks, few.diagonals), (vec![0, 1, 3, 5, 7, 9, 10], vec![0, 1, 2, 4, 5, 6]));
        assert_eq!(Pairs::new(&[0, 70, 75], 32, false, 2).chunks, [0, 1, 3, 7, 9, 10]);
        let first = Pairs::new(&[0, 70, 75], 32, true, 100);
        let pairs = vec![[0, 0, 64], [0, 0, 32], [0, 0, 0], [1, 0, 0]];
        assert_eq!(first, Pairs { pairs, chunks: (0..=4).collect(), diagonals: vec![0, 1, 2, 4], lowest: -2 });
    }
}
