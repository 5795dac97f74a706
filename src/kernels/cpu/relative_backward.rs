//! The backward pass of attention with relative positions, whose gradients are sums over all sequences.
//!
//! A task is one head of a group of sequences, whose sums it keeps to itself; groups depend on the sequences alone, and their sums are
//! added up in order.

use std::ops::Range;

use rayon::prelude::*;

use super::{
    super::{Attention, MASK_WIDTH, Queries},
    attention::{Backward, Operands},
    attention_tasks::{Head, with_scratch},
    buffer::Shared,
    relative::{Gradients, Positions},
    vector::vectorised,
};

/// The most groups: enough tasks for many threads, few enough that their sums are small beside the activations.
const GROUPS: usize = 8;

/// The most values of the memory that such a pass needs beside the engine's, with so many sequences and positions.
pub fn partial_values(sequences: usize, positions: usize, width: usize) -> usize {
    sequences.min(GROUPS) * positions * 2 * width
}

/// A backward pass with relative positions.
pub struct Grouped<'a> {
    pub attention: &'a Attention,
    pub of: Operands<'a>,
    pub relative: &'a Positions<'a>,
    pub d_context: &'a [f32],
}

impl Grouped<'_> {
    /// Writes the gradients of queries, keys and values to `dq` and `dkv`, and those of the positions, `[positions, 2 · width]`. `partial` is
    /// memory for the groups' sums.
    pub fn backward(
        &self,
        (dq, dkv): (&mut [f32], &mut [f32]),
        offsets: &[u32],
        d_positions: &mut [f32],
        partial: &mut Vec<f32>,
    ) {
        let (a, width) = (self.attention, self.attention.width);
        let groups = groups(offsets);
        let longest = offsets.windows(2).map(|o| (o[1] - o[0]) as usize).max().unwrap_or(1);
        let queries = if a.queries == Queries::All { longest } else { 1 };
        let rows = self.relative.rows_within(queries, longest);
        let size = rows.len() * 2 * width;
        partial.resize(partial.len().max(partial_values(groups.len(), rows.len(), width)), 0.0);
        let (dq, dkv, sums) = (Shared::new(dq), Shared::new(dkv), Shared::new(partial));
        let dq = if a.queries == Queries::All { &dkv } else { &dq };
        (0..groups.len() * a.heads).into_par_iter().with_max_len(1).for_each(|task| {
            let (group, head) = (task / a.heads, task % a.heads);
            self.group(head, offsets, &groups[group], (dq, &dkv), rows.clone(), (&sums, group * size));
        });
        let len = self.relative.len() * 2 * width;
        let (used, partial) = (rows.start * 2 * width..rows.end * 2 * width, &partial[..groups.len() * size]);
        d_positions[..len].par_chunks_mut(2 * width).enumerate().with_max_len(16).for_each(|(row, to)| {
            let Some(at) = (row * 2 * width).checked_sub(used.start).filter(|at| *at < size) else {
                return to.fill(0.0);
            };
            vectorised!({
                to.copy_from_slice(&partial[at..][..2 * width]);
                for part in partial.chunks_exact(size).skip(1) {
                    to.iter_mut().zip(&part[at..]).for_each(|(sum, v)| *sum += v);
                }
            });
        });
    }

    /// One head of a group's sequences: its sums, `[rows, 2 · width]`, begin at an offset of a buffer.
    fn group(
        &self,
        head: usize,
        offsets: &[u32],
        group: &[usize],
        (dq, dkv): (&Shared, &Shared),
        rows: Range<usize>,
        (out, at): (&Shared, usize),
    ) {
        let (a, l, of) = (self.attention, self.of.l, self.of);
        with_scratch(|scratch| {
            let mut sums = std::mem::take(&mut scratch.sums);
            for sum in &mut sums {
                sum.clear();
                sum.resize(rows.len() * l.d, 0.0);
            }
            for &sequence in group {
                let keys = offsets[sequence] as usize..offsets[sequence + 1] as usize;
                let queries = if a.queries == Queries::All { keys.clone() } else { sequence..sequence + 1 };
                let h = Head { head, queries, keys };
                let task = Backward { attention: a, h: &h, of, d_context: self.d_context, dq, dkv };
                for tile in h.tiles(a) {
                    task.whole(&tile, scratch);
                    let [at_q, at_k, ..] = l.offsets(head, &tile);
                    let (q, k) = (&of.q[at_q..], &of.kv[at_k..]);
                    let of_head = Gradients { h: &h, l, scale: a.scale, q, k, dq, at_q, dkv, at_k };
                    // SAFETY: a head's columns of its own rows: no other task writes there.
                    vectorised!({
                        #[expect(unsafe_code, reason = "the heads' columns interleave")]
                        unsafe {
                            self.relative.backward(&of_head, scratch, &mut sums, rows.start);
                        }
                    });
                }
            }
            let width = a.width;
            // Queries of the positions come before their keys.
            for (sum, first) in sums.iter().zip([width, 0]) {
                for (row, values) in sum.chunks_exact(l.d).enumerate() {
                    // SAFETY: a head's columns of its group's rows: no other task writes there.
                    #[expect(unsafe_code, reason = "the heads' columns interleave")]
                    let to = unsafe { out.part(at + row * 2 * width + first + head * l.d, l.d) };
                    to.copy_from_slice(values);
                }
            }
            scratch.sums = sums;
        });
    }
}

/// Sequences of each group, the longest first: each goes to the group with the least work so far.
fn groups(offsets: &[u32]) -> Vec<Vec<usize>> {
    let length = |s: usize| u64::from(offsets[s + 1] - offsets[s]);
    let is_sound = |s: usize| (1..=MASK_WIDTH as u64).contains(&length(s));
    assert!((0..offsets.len() - 1).all(is_sound), "a sequence is empty or longer than {MASK_WIDTH}");
    let sequences = offsets.len() - 1;
    let mut order: Vec<usize> = (0..sequences).collect();
    order.sort_by_key(|&s| std::cmp::Reverse(length(s)));
    let mut groups = vec![(0, Vec::new()); sequences.min(GROUPS)];
    for s in order {
        let (work, group) = groups.iter_mut().min_by_key(|(work, _)| *work).expect("a group for each sequence");
        *work += length(s).pow(2);
        group.push(s);
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sequence_is_in_one_group() {
        let offsets: Vec<u32> = (0..21).map(|i| i * i).collect();
        let all = groups(&offsets);
        let mut members: Vec<usize> = all.concat();
        members.sort_unstable();
        assert_eq!((all.len(), members), (GROUPS, (0..20).collect()));
        assert_eq!(groups(&[0, 3, 10]), [vec![1], vec![0]]);
    }
}
