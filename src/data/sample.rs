//! A part of the rows, drawn at random.

use std::mem;

use super::{Dataset, Row};
use crate::random::{Purpose, Stream};

/// Keeps `limit` of the rows that are not assigned to a split, drawn at random, in their order.
pub(super) fn sample(data: &mut Dataset, limit: usize, seed: u64) {
    let free = data.free_rows();
    if limit >= free.len() {
        return;
    }
    let mut keep = vec![true; data.rows.len()];
    free.iter().for_each(|&row| keep[row as usize] = false);
    // A stream beside that of the split, which would otherwise draw the same rows again.
    for row in Stream::new(seed, Purpose::Split, 1, 0).permutation(free.len()).into_iter().take(limit) {
        keep[free[row as usize] as usize] = true;
    }
    // The new id of each row that remains.
    let new_id = |next: &mut u32, kept: &bool| Some(mem::replace(next, *next + u32::from(*kept)));
    let ids: Vec<u32> = keep.iter().scan(0, new_id).collect();
    for row in data.dev.iter_mut().chain(&mut data.test) {
        *row = ids[*row as usize];
    }
    let (mut of_rows, mut of_groups) = (keep.iter(), keep.iter());
    data.rows.retain(|_| of_rows.next() == Some(&true));
    data.groups.retain(|_| of_groups.next() == Some(&true));
    if data.rows.len() < keep.len() / 2 {
        // So that the memory of the other texts is free.
        data.rows.iter_mut().for_each(Row::leave);
    }
}
