//! Copies of rows, with dropout.

use rayon::prelude::*;

use super::{
    super::{CopyOps, CopyRows},
    Buffer, Cpu,
    vector::vectorised,
};

/// Rows of a task.
const ROWS: usize = 16;

impl CopyOps for Cpu {
    fn copy_rows(&mut self, args: CopyRows<Buffer>) {
        let CopyRows { to, to_at, add, from, from_at, shape: (rows, width), dropout } = args;
        let (to, from) = (&mut to[to_at..][..rows * width], &from[from_at..][..rows * width]);
        let tasks = to.par_chunks_mut(ROWS * width).zip(from.par_chunks(ROWS * width)).enumerate();
        tasks.with_max_len(1).for_each(|(task, (to, from))| {
            let mut factors = vec![1.0; if dropout.is_some() { to.len() } else { 0 }];
            vectorised!({
                if let Some(dropout) = dropout {
                    dropout.fill(dropout.index(task * ROWS, width), &mut factors);
                }
                match (dropout.is_some(), add) {
                    (false, false) => to.copy_from_slice(from),
                    (false, true) => to.iter_mut().zip(from).for_each(|(to, v)| *to += v),
                    (true, false) => to.iter_mut().zip(from).zip(&factors).for_each(|((to, v), f)| *to = v * f),
                    (true, true) => to.iter_mut().zip(from).zip(&factors).for_each(|((to, v), f)| *to += v * f),
                }
            });
        });
    }
}
