//! Matrices rounded to bf16, in the tiles that the products read.

use rayon::prelude::*;

use super::{super::View, Level, machine::Kind, shared::Shared};

/// Rows of a left, columns of a right panel; also the depth of a step.
pub(super) const SIDE: usize = 32;

/// 16 rows of 16 pairs of bf16; the numbers of a pair are neighbours along the contraction.
///
/// Left: row i is row i of the matrix, its pairs run along the contraction. Right: row i is pair i of the contraction,
/// its pairs run along the columns.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Tile([u16; 512]);

/// 32 of the contraction for a panel: rows, or columns, 0–15 and 16–31.
pub(super) type Step = [Tile; 2];

/// The left operand of a product, rounded to bf16: to nearest, ties to even; subnormal numbers become zero.
///
/// The memory is kept for the next matrix.
#[derive(Default)]
pub struct Left(pub(super) Panels);

/// The right operand of a product, rounded to bf16: to nearest, ties to even; subnormal numbers become zero.
///
/// The memory is kept for the next matrix.
#[derive(Default)]
pub struct Right(pub(super) Panels);

impl Left {
    /// Takes the matrix `[m, k]`.
    pub fn pack(&mut self, matrix: View, level: Level) {
        self.0.pack(matrix, matrix.is_transposed(), level.0);
    }
}

impl Right {
    /// Takes the matrix `[k, n]`.
    pub fn pack(&mut self, matrix: View, level: Level) {
        self.0.pack(matrix, !matrix.is_transposed(), level.0);
    }
}

/// Panels one after the other, each step by step; zeros fill the edges.
#[derive(Default)]
pub(super) struct Panels {
    /// At least as many as in use.
    tiles: Vec<Step>,
    /// Rows of a left, columns of a right matrix.
    pub outer: usize,
    /// Length of the contraction.
    pub depth: usize,
}

impl Panels {
    pub fn panels(&self) -> usize {
        self.outer.div_ceil(SIDE)
    }

    /// At least one, of zeros, so that an empty contraction gives zeros.
    pub fn steps(&self) -> usize {
        self.depth.div_ceil(SIDE).max(1)
    }

    /// The steps of one panel.
    pub fn panel(&self, index: usize) -> &[Step] {
        &self.tiles[index * self.steps()..][..self.steps()]
    }

    /// `stacked`: the contraction runs down the stored rows, else along them. The rows of the tiles of a transposed matrix are
    /// stored columns.
    ///
    /// Strips of 32 stored rows are read along the rows, in parallel. Such a strip is a panel or, stacked, a step.
    fn pack(&mut self, matrix: View, stacked: bool, kind: Kind) {
        let (turn, data, stride) = (matrix.is_transposed(), matrix.data(), matrix.stride());
        let (rows, cols) = if turn { matrix.t().size() } else { matrix.size() };
        (self.outer, self.depth) = if stacked { (cols, rows) } else { (rows, cols) };
        let (panels, steps) = (self.panels(), self.steps());
        if self.tiles.len() < panels * steps {
            self.tiles.resize(panels * steps, [Tile([0; 512]); 2]);
        }
        let (strips, squares) = if stacked { (steps, panels) } else { (panels, steps) };
        let tiles = Shared(self.tiles.as_mut_ptr());
        (0..strips).into_par_iter().for_each(|strip| {
            let top = SIDE * strip;
            let height = rows.saturating_sub(top).min(SIDE);
            for square in 0..squares {
                let left = SIDE * square;
                let width = cols.saturating_sub(left).min(SIDE);
                let index = if stacked { square * steps + strip } else { strip * steps + square };
                #[expect(unsafe_code, reason = "strips write to interleaved tiles")]
                // SAFETY: there are panels · steps tiles, and each belongs to one square of one strip.
                let to = unsafe { &mut *tiles.get().add(index) };
                if (height, width) == (SIDE, SIDE) {
                    kind.round(&data[top * stride + left..], stride, stacked, turn, to);
                } else {
                    let mut padded = [0.0; SIDE * SIDE];
                    for (r, row) in padded.chunks_exact_mut(SIDE).take(height).enumerate() {
                        let from = (top + r) * stride + left;
                        row[..width].copy_from_slice(&data[from..from + width]);
                    }
                    kind.round(&padded, SIDE, stacked, turn, to);
                }
            }
        });
    }
}
