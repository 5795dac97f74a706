//! How work is divided among tasks.

use std::ops::Range;

/// Tasks for each thread, where there is more than one, so that a thread that is held up does not hold up the others.
pub const TASKS_PER_THREAD: usize = 4;

/// Share `index` of `count` as equal ones as possible.
pub fn share(length: usize, count: usize, index: usize) -> Range<usize> {
    index * length / count..(index + 1) * length / count
}
