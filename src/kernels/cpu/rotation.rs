//! Rotary positions.

use rayon::prelude::*;

use super::{
    super::{Rotation, RotationOps},
    Buffer, Cpu, CpuBatch,
    vector::vectorised,
};

/// Rows of a task.
const ROWS: usize = 16;

impl RotationOps for Cpu {
    fn rotate(&mut self, args: Rotation<Buffer, CpuBatch>) {
        let Rotation { x, angles, batch, stride, heads, head_width, back } = args;
        let half = head_width / 2;
        let (x, sign) = (&mut x[..batch.tokens() * stride], if back { -1.0 } else { 1.0 });
        let tasks = x.par_chunks_mut(ROWS * stride).zip(batch.positions.par_chunks(ROWS));
        tasks.with_max_len(1).for_each(|(x, positions)| {
            vectorised!({
                for (row, position) in x.chunks_exact_mut(stride).zip(positions) {
                    let angles = &angles[*position as usize * head_width..][..head_width];
                    let (cosines, sines) = angles.split_at(half);
                    for head in row[..heads * head_width].chunks_exact_mut(head_width) {
                        let (a, b) = head.split_at_mut(half);
                        for (((a, b), cos), sin) in a.iter_mut().zip(b).zip(cosines).zip(sines) {
                            let sin = sign * sin;
                            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                        }
                    }
                }
            });
        });
    }
}
