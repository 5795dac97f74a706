//! Products of packed matrices, block by block.

use std::{ops::Range, slice};

use rayon::prelude::*;

use super::{
    super::tasks::{TASKS_PER_THREAD, share},
    Left, Level, Right,
    machine::Kernel,
    panels::{Panels, SIDE, Step},
    shared::Shared,
};

/// Steps multiplied before moving on, at most: so much of a left panel (2 KiB a step) stays in the first-level cache.
const DEPTH: usize = 14;

/// Panels that one task takes, at most, left and right: so many right ones of [`DEPTH`] steps, and the results that
/// the next steps add to, stay in the second-level cache.
const TASK: (usize, usize) = (14, 24);

/// `out[m, n] = left[m, k] · right[k, n]`, or `+=` with `add`; rows of `out` begin `stride` values apart.
///
/// Runs on rayon's threads; the result does not depend on their number.
///
/// # Panics
/// If the contractions differ in length or `out` is too short.
pub fn product(out: &mut [f32], stride: usize, add: bool, left: &Left, right: &Right, level: Level) {
    let (left, right) = (&left.0, &right.0);
    let (m, n) = (left.outer, right.outer);
    assert_eq!(left.depth, right.depth, "inner sizes of a product");
    if m == 0 || n == 0 {
        return;
    }
    assert!(stride >= n && (m - 1) * stride + n <= out.len(), "a product past its output");
    let (down, across) = tasks(left.panels(), right.panels(), rayon::current_num_threads());
    let output = Output { start: Shared(out.as_mut_ptr()), rows: m, cols: n, stride };
    // Neighbours share their right panels, which a thread then finds in its cache.
    (0..down * across).into_par_iter().with_max_len(1).for_each(|task| {
        let rows = share(left.panels(), down, task % down);
        let cols = share(right.panels(), across, task / down);
        #[expect(unsafe_code, reason = "tasks write to rectangles of the output")]
        // SAFETY: the output was checked above and is borrowed; tasks share no panel of the result.
        unsafe {
            output.compute(rows, cols, add, left, right, &level.0.kernel());
        }
    });
}

/// How often to cut the left and the right panels.
fn tasks(left: usize, right: usize, threads: usize) -> (usize, usize) {
    let (mut down, mut across) = (left.div_ceil(TASK.0), right.div_ceil(TASK.1));
    let wanted = if threads > 1 { TASKS_PER_THREAD * threads } else { 1 };
    while down * across < wanted && (down < left || across < right) {
        // Cut the longer side: square tasks read least.
        if left * across > right * down && down < left || across == right {
            down = (2 * down).min(left);
        } else {
            across = (2 * across).min(right);
        }
    }
    (down, across)
}

/// What is computed at once: `c[32, 32] (+)= left · right`.
#[derive(Clone, Copy)]
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "nothing computes there"))]
pub(super) struct Block<'a> {
    /// Steps of one panel.
    pub left: &'a [Step],
    /// The same steps of one panel, at least one.
    pub right: &'a [Step],
    /// The first result. 32 rows of 32 values must be valid for reading and writing, and used by no other thread.
    pub c: *mut f32,
    /// Distance of the rows of `c`.
    pub stride: usize,
    /// Whether to add to `c`, or overwrite it.
    pub add: bool,
    /// How many rows of `c` are wanted; the others may have any value.
    pub rows: usize,
    /// Tiles that will be needed soon.
    pub ahead: &'a [Step],
}

/// The memory for a result.
struct Output {
    start: Shared<f32>,
    rows: usize,
    cols: usize,
    stride: usize,
}

impl Output {
    /// Computes the results in the given panels.
    ///
    /// # Safety
    /// There is memory for them, and no other thread uses it.
    #[expect(unsafe_code, reason = "tasks write to rectangles of the output")]
    unsafe fn compute(
        &self,
        rows: Range<usize>,
        cols: Range<usize>,
        add: bool,
        left: &Panels,
        right: &Panels,
        kernel: &Kernel,
    ) {
        let parts = left.steps().div_ceil(DEPTH);
        for part in 0..parts {
            let steps = share(left.steps(), parts, part);
            let add = add || part > 0;
            for row in rows.clone() {
                let next = if row + 1 < rows.end { &left.panel(row + 1)[steps.clone()] } else { &[] };
                for col in cols.clone() {
                    let (top, side) = (SIDE * row, SIDE * col);
                    let block = Block {
                        left: &left.panel(row)[steps.clone()],
                        right: &right.panel(col)[steps.clone()],
                        // SAFETY: the first result of the two panels is within the output.
                        c: unsafe { self.start.get().add(top * self.stride + side) },
                        stride: self.stride,
                        add,
                        rows: (self.rows - top).min(SIDE),
                        ahead: &next[share(next.len(), cols.len(), col - cols.start)],
                    };
                    match (self.cols - side).min(SIDE) {
                        // SAFETY: a whole block, the caller's promise.
                        SIDE if block.rows == SIDE => unsafe { kernel.multiply(block) },
                        // SAFETY: so many rows and columns are left, the caller's promise.
                        width => unsafe { edge(block, width, kernel) },
                    }
                }
            }
        }
    }
}

/// Computes a block of which only `block.rows` rows and `width` columns exist.
///
/// # Safety
/// They are valid for reading and writing, and used by no other thread.
#[expect(unsafe_code, reason = "tasks write to rectangles of the output")]
unsafe fn edge(block: Block, width: usize, kernel: &Kernel) {
    let mut whole = [0.0f32; SIDE * SIDE];
    // SAFETY: the caller's promise.
    let row = |r: usize| unsafe { slice::from_raw_parts_mut(block.c.add(r * block.stride), width) };
    if block.add {
        for (r, to) in whole.chunks_exact_mut(SIDE).take(block.rows).enumerate() {
            to[..width].copy_from_slice(row(r));
        }
    }
    // SAFETY: `whole` has 32 rows of 32 values.
    unsafe { kernel.multiply(Block { c: whole.as_mut_ptr(), stride: SIDE, ..block }) };
    for (r, from) in whole.chunks_exact(SIDE).take(block.rows).enumerate() {
        row(r).copy_from_slice(&from[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_are_enough_and_cover_everything() {
        for (left, right) in [(1, 1), (28, 24), (1, 72), (96, 24), (28, 1), (3, 5)] {
            for threads in [1, 2, 3, 64] {
                let (down, across) = tasks(left, right, threads);
                assert!((1..=left).contains(&down) && (1..=right).contains(&across));
                assert!(left.div_ceil(down) <= TASK.0 && right.div_ceil(across) <= TASK.1);
                let enough = threads == 1 || down * across >= TASKS_PER_THREAD * threads;
                assert!(enough || (down, across) == (left, right), "{left} × {right} for {threads}: {down} × {across}");
                for (length, count) in [(left, down), (right, across)] {
                    let all: Vec<usize> = (0..count).flat_map(|index| share(length, count, index)).collect();
                    assert_eq!(all, (0..length).collect::<Vec<_>>());
                }
            }
        }
    }
}
