//! Products in f32 by a weight that does not change, packed once in the order in which the products read it.
//!
//! The `gemm` crate packs both factors for each product, which takes longer than the product itself if the other factor has few rows: one text, or
//! one row of each text. Here every sum is taken in an order that depends on its length alone: the results of a row depend neither on the
//! number of threads nor on the rows beside it.

use std::{cell::RefCell, ops::Range};

use rayon::prelude::*;

use super::{
    View,
    buffer::{Buffer, Shared},
    tasks::{TASKS_PER_THREAD, share},
    tile::{COLS, has_many_registers, tile},
    vector::vectorised,
};

/// Values of a sum that are multiplied before moving on: so much of a panel stays in the first-level cache for all rows of a task.
const DEPTH: usize = 256;
/// Values of a cache line.
const LINE: usize = 16;
/// Distance of the rows of a left factor: an odd number of cache lines, so that its rows do not displace each other.
const STRIDE: usize = DEPTH + LINE;
/// Rows of a tile at most: with two vectors of 512 bits a row, 28 sums, two factors and one more stay within the registers.
const ROWS: usize = 14;
/// The same with shorter vectors, of which there are half as many.
const SHORT: usize = 6;
/// Rows of a task at most: as much of the left factor stays in the second-level cache.
const TASK: usize = 8 * ROWS;

thread_local! {
    /// The left factor of a task, the same memory for all tasks of a thread: a new one would be filled with zeros for each.
    static LEFT: RefCell<Vec<f32>> = RefCell::new(vec![0.0; TASK * STRIDE]);
}

/// A weight: `[depth, cols]` in parts of [`DEPTH`] rows, each in panels of [`COLS`] columns, padded with zeros.
pub struct Packed {
    values: Buffer,
    depth: usize,
    cols: usize,
}

impl Packed {
    /// The transpose of `[cols, depth]`.
    pub fn transposed(weight: View) -> Self {
        assert!(!weight.is_transposed(), "a stored weight");
        let (cols, depth) = weight.size();
        let len = depth * cols.next_multiple_of(COLS);
        let mut values = Buffer::on_large_pages(len, len);
        let (shared, panels) = (Shared::new(&mut values), cols.div_ceil(COLS));
        (0..panels).into_par_iter().with_max_len(1).for_each(|panel| {
            let first = panel * COLS;
            for part in parts(depth) {
                let begin = offset(cols, &part, panel);
                // SAFETY: each panel of a part is written by one task.
                #[expect(unsafe_code, reason = "panels of several parts")]
                let to = unsafe { shared.part(begin, part.len() * COLS) };
                // A few rows at a time: value by value down a column, each would touch another cache line.
                for (rows, to) in part.step_by(LINE).zip(to.chunks_mut(LINE * COLS)) {
                    for col in 0..COLS.min(cols - first) {
                        let from = &weight.data()[(first + col) * weight.stride() + rows..];
                        to[col..].iter_mut().step_by(COLS).zip(from).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        });
        Self { values, depth, cols }
    }

    /// The rows of a part in the columns of a panel.
    fn panel(&self, part: &Range<usize>, panel: usize) -> &[f32] {
        &self.values[offset(self.cols, part, panel)..][..part.len() * COLS]
    }

    /// `out` `[m, cols]` = `a` `[m, depth]` · this, and the bias `[cols]`, on all threads.
    pub fn product(&self, out: &mut [f32], a: View, bias: Option<&[f32]>) {
        let ((m, k), n) = (a.size(), self.cols);
        assert!(
            k == self.depth && !a.is_transposed() && bias.is_none_or(|bias| bias.len() == n),
            "factors of a product"
        );
        assert!(out.len() >= m * n, "a product past its output");
        if m == 0 || n == 0 {
            return;
        }
        let (panels, down) = (n.div_ceil(COLS), m.div_ceil(TASK));
        let across = (TASKS_PER_THREAD * rayon::current_num_threads()).div_ceil(down).min(panels);
        let out = Shared::new(out);
        (0..down * across).into_par_iter().with_max_len(1).for_each(|task| {
            let rows = share(m, down, task % down);
            LEFT.with_borrow_mut(|left| {
                let (panels, left) = (share(panels, across, task / down), &mut left[..rows.len() * STRIDE]);
                self.part_of_product(&out, a, rows, panels, bias, left);
            });
        });
    }

    /// The results of some rows in the columns of some panels. `left` is memory for those rows.
    fn part_of_product(
        &self,
        out: &Shared,
        a: View,
        rows: Range<usize>,
        panels: Range<usize>,
        bias: Option<&[f32]>,
        left: &mut [f32],
    ) {
        let most = if has_many_registers() { ROWS } else { SHORT };
        for part in parts(self.depth) {
            for (row, to) in rows.clone().zip(left.chunks_exact_mut(STRIDE)) {
                to[..part.len()].copy_from_slice(&a.data()[row * a.stride()..][part.clone()]);
            }
            for panel in panels.clone() {
                let (right, first) = (self.panel(&part, panel), panel * COLS);
                let to =
                    Columns { out, stride: self.cols, first, width: COLS.min(self.cols - first), add: part.start > 0 };
                let bias = bias.filter(|_| part.start == 0).map(|bias| &bias[first..][..to.width]);
                let tiles = rows.len().div_ceil(most);
                for tile in 0..tiles {
                    let own = share(rows.len(), tiles, tile);
                    vectorised!(to.rows(
                        rows.start + own.start,
                        &left[own.start * STRIDE..own.end * STRIDE],
                        right,
                        bias
                    ));
                }
            }
        }
    }
}

/// Where the panel of a part begins.
fn offset(cols: usize, part: &Range<usize>, panel: usize) -> usize {
    part.start * cols.next_multiple_of(COLS) + panel * COLS * part.len()
}

/// A sum in parts.
fn parts(depth: usize) -> impl Iterator<Item = Range<usize>> {
    // At least one, so that an empty sum gives zeros.
    (0..depth.max(1)).step_by(DEPTH).map(move |first| first..(first + DEPTH).min(depth))
}

/// Columns of results: those of one panel.
#[derive(Clone, Copy)]
struct Columns<'a> {
    out: &'a Shared<'a>,
    stride: usize,
    first: usize,
    width: usize,
    /// Whether to add to what is there.
    add: bool,
}

impl Columns<'_> {
    /// Computes the rows from `row` on, of which `left` has the factors.
    #[inline(always)]
    fn rows(self, row: usize, left: &[f32], right: &[f32], bias: Option<&[f32]>) {
        match left.len() / STRIDE {
            1 => self.tile::<1>(row, left, right, bias),
            2 => self.tile::<2>(row, left, right, bias),
            3 => self.tile::<3>(row, left, right, bias),
            4 => self.tile::<4>(row, left, right, bias),
            5 => self.tile::<5>(row, left, right, bias),
            6 => self.tile::<6>(row, left, right, bias),
            7 => self.tile::<7>(row, left, right, bias),
            8 => self.tile::<8>(row, left, right, bias),
            9 => self.tile::<9>(row, left, right, bias),
            10 => self.tile::<10>(row, left, right, bias),
            11 => self.tile::<11>(row, left, right, bias),
            12 => self.tile::<12>(row, left, right, bias),
            13 => self.tile::<13>(row, left, right, bias),
            _ => self.tile::<ROWS>(row, left, right, bias),
        }
    }

    #[inline(always)]
    fn tile<const R: usize>(self, row: usize, left: &[f32], right: &[f32], bias: Option<&[f32]>) {
        let depth = right.len() / COLS;
        assert!(depth <= DEPTH && left.len() == R * STRIDE && right.len() == depth * COLS, "a tile's factors");
        let mut sums = [[0.0f32; COLS]; R];
        #[expect(unsafe_code, reason = "the function's")]
        // SAFETY: the last value of `left` is at (R - 1) · STRIDE + depth - 1, of `right` at depth · COLS - 1.
        unsafe {
            tile(&mut sums, left.as_ptr(), |r, k| r * STRIDE + k, right.as_ptr(), COLS, depth);
        }
        for (r, sums) in sums.iter().enumerate() {
            #[expect(unsafe_code, reason = "the tasks' rectangles interleave")]
            // SAFETY: no other task computes these rows and columns.
            let to = unsafe { self.out.part((row + r) * self.stride + self.first, self.width) };
            match (self.add, bias) {
                (true, _) => to.iter_mut().zip(sums).for_each(|(to, sum)| *to += sum),
                (false, None) => to.copy_from_slice(&sums[..self.width]),
                (false, Some(bias)) => to.iter_mut().zip(sums).zip(bias).for_each(|((to, sum), bias)| *to = sum + bias),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::normal, *};

    /// Sizes about those of tiles, panels, parts and tasks, also of a right factor that is cut out of a larger one.
    #[test]
    fn products_are_those_of_plain_loops_whatever_the_threads_and_the_other_rows() {
        for (m, n, k) in [
            (1, 1, 1),
            (2, 3, 0),
            (2, 0, 3),
            (2, 33, 7),
            (14, 32, 256),
            (15, 31, 257),
            (27, 100, 515),
            (113, 65, 300),
            (230, 7, 16),
        ] {
            let (a, w, bias) = (normal(1, m * k), normal(2, n * (k + 3)), normal(3, n));
            let packed = Packed::transposed(View::new(&w, n, k, k + 3));
            let run = |threads, rows: Range<usize>, bias| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                let mut out = vec![7.0; rows.len() * n + 1];
                pool.install(|| packed.product(&mut out, View::new(&a[rows.start * k..], rows.len(), k, k), bias));
                assert_eq!(out.pop(), Some(7.0), "a value past the result");
                out
            };
            let all = run(1, 0..m, Some(&bias[..]));
            assert!(all == run(2, 0..m, Some(&bias[..])) && all == run(3, 0..m, Some(&bias[..])), "{m}×{n}×{k}");
            for rows in [0..1, m - 1..m, m / 2..m, m / 3..m.div_ceil(2)] {
                assert!(
                    all[rows.start * n..rows.end * n] == run(2, rows.clone(), Some(&bias[..])),
                    "{rows:?} of {m}×{n}×{k}"
                );
            }
            for (bias, got) in [(Some(&bias), all), (None, run(2, 0..m, None))] {
                for (i, got) in got.iter().enumerate() {
                    let (row, col) = (i / n, i % n);
                    let sum: f64 = (0..k).map(|j| f64::from(a[row * k + j]) * f64::from(w[col * (k + 3) + j])).sum();
                    let want = sum + bias.map_or(0.0, |bias| f64::from(bias[col]));
                    assert!((f64::from(*got) - want).abs() < 1e-4, "{m}×{n}×{k} at {row}, {col}: {got}, wanted {want}");
                }
            }
        }
        Packed::transposed(View::new(&[1.0; 6], 2, 3, 3)).product(&mut [], View::new(&[], 0, 3, 3), None);
    }
}
