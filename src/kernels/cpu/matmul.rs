//! Matrix products in f32: the `gemm` crate's on one thread each, cut into blocks for all threads.
//!
//! The crate's own threading loses a tenth of the speed at these sizes; blocks of an own product each lose next to nothing. The
//! blocks depend on the sizes alone, so every number of threads gives the same bits.

use std::ops::Range;

use rayon::prelude::*;

use super::{View, buffer::Shared, vector::vectorised};

/// Rows and columns of a block at most.
const BLOCK: (usize, usize) = (1024, 384);
/// A block is not cut below this.
const SMALLEST: usize = 64;

/// `out` begins a matrix of that size, of which nothing else is in use: checked by the callers.
fn gemm(out: *mut f32, stride: usize, add: bool, a: View, b: View) {
    let ((m, k), (inner, n)) = (a.size(), b.size());
    assert_eq!(k, inner, "inner sizes of a product");
    let ((a_row, a_col), (b_row, b_col)) = (a.strides(), b.strides());
    // SAFETY: views lie inside their slices (checked by `View::new` and `narrow`), `out` by the callers; its rows do not
    // overlap (stride >= n), and it is borrowed mutably, so it overlaps neither input.
    #[expect(unsafe_code, reason = "gemm's only interface takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out,
            1,
            stride as isize,
            add,
            a.data().as_ptr(),
            a_col as isize,
            a_row as isize,
            b.data().as_ptr(),
            b_col as isize,
            b_row as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// out `[m, n]` = a · b, or out += a · b, on all threads; `bias` `[n]` is added to each row.
pub fn parallel_product(out: &mut [f32], add: bool, a: View, b: View, bias: Option<&[f32]>) {
    let (m, n) = (a.size().0, b.size().1);
    assert!(out.len() >= m * n && bias.is_none_or(|bias| bias.len() == n), "a product past its output");
    let (k, (down, across)) = (a.size().1, grid(m, n));
    let shared = Shared::new(out);
    (0..down * across).into_par_iter().with_max_len(1).for_each(|block| {
        let (rows, cols) = (piece(m, down, block % down), piece(n, across, block / down));
        if rows.is_empty() || cols.is_empty() {
            return;
        }
        let begin = rows.start * n + cols.start;
        let pointer = shared.pointer(begin, (rows.len() - 1) * n + cols.len());
        gemm(pointer, n, add, a.narrow(rows.clone(), 0..k), b.narrow(0..k, cols.clone()));
        let Some(bias) = bias else { return };
        for row in rows {
            // SAFETY: blocks do not overlap, and this one's product is done.
            #[expect(unsafe_code, reason = "the blocks' rows interleave")]
            let row = unsafe { shared.part(row * n + cols.start, cols.len()) };
            vectorised!(row.iter_mut().zip(&bias[cols.clone()]).for_each(|(y, b)| *y += b));
        }
    });
}

/// How many blocks a matrix is cut into, down and across: an even number where it is worth it, since machines with an odd
/// number of threads are rare.
fn grid(m: usize, n: usize) -> (usize, usize) {
    let (down, across) = (m.div_ceil(BLOCK.0), n.div_ceil(BLOCK.1));
    if (down * across).is_multiple_of(2) {
        return (down, across);
    }
    match (m / (2 * down), n / (2 * across)) {
        (rows, cols) if rows.max(cols) < SMALLEST => (down, across),
        (rows, cols) if rows > cols => (2 * down, across),
        _ => (down, 2 * across),
    }
}

/// Part `i` of `parts` of `0..n`, in whole groups of 32.
fn piece(n: usize, parts: usize, i: usize) -> Range<usize> {
    let size = n.div_ceil(parts).next_multiple_of(32);
    (i * size).min(n)..((i + 1) * size).min(n)
}

#[cfg(test)]
mod tests {
    use super::{super::normal, *};

    #[test]
    fn blocks_cover_the_matrix_once_and_threads_change_no_bit() {
        for (m, n, k) in [(1, 1, 1), (1, 300, 7), (70, 5, 33), (600, 1000, 20), (317, 200, 515)] {
            let (a, b, bias) = (normal(1, m * k), normal(2, k * n), normal(3, n));
            let before = normal(4, m * n);
            let turned = |x: &[f32], rows: usize, cols: usize| -> Vec<f32> {
                (0..rows * cols).map(|i| x[i % rows * cols + i / rows]).collect()
            };
            let (a_turned, b_turned) = (turned(&a, m, k), turned(&b, k, n));
            let run = |threads, add, transposed| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
                let mut out = before.clone();
                let (a, b) = match transposed {
                    false => (View::new(&a, m, k, k), View::new(&b, k, n, n)),
                    true => (View::new(&a_turned, k, m, m).t(), View::new(&b_turned, n, k, k).t()),
                };
                pool.install(|| parallel_product(&mut out, add, a, b, Some(&bias)));
                out
            };
            for (add, transposed) in [(false, false), (false, true), (true, false), (true, true)] {
                let got = run(1, add, transposed);
                assert!(got == run(2, add, transposed) && got == run(3, add, transposed), "{m}×{n}×{k}");
                for (i, got) in got.iter().enumerate() {
                    let (row, col) = (i / n, i % n);
                    let sum: f64 = (0..k).map(|j| f64::from(a[row * k + j]) * f64::from(b[j * n + col])).sum();
                    let want = sum + f64::from(bias[col]) + if add { f64::from(before[i]) } else { 0.0 };
                    assert!((f64::from(*got) - want).abs() < 1e-4, "{m}×{n}×{k} at {row}, {col}: {got}, wanted {want}");
                }
            }
        }
    }
}
