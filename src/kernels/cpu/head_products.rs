//! Products of matrices as small as a head's in attention, on one thread, inlined into the caller's loop.
//!
//! The `gemm` crate spends more time on getting ready for such sizes than on multiplying.

use std::ops::Range;

use super::{
    buffer::Shared,
    product_tile::{COLS, tile},
};

/// Numbers that rows of scores are padded to.
pub const LANES: usize = 16;
/// Rows of a tile of results.
const ROWS: usize = 6;

/// A right operand `[depth, cols]`, its rows padded with zeros to whole tiles.
#[derive(Default)]
pub struct Right {
    data: Vec<f32>,
    depth: usize,
    cols: usize,
}

impl Right {
    fn resize(&mut self, depth: usize, cols: usize) -> usize {
        (self.depth, self.cols) = (depth, cols);
        let stride = cols.next_multiple_of(COLS);
        self.data.resize(depth * stride, 0.0);
        stride
    }

    /// Packs `depth` rows of `cols` values, `stride` apart.
    #[inline(always)]
    pub fn rows(&mut self, data: &[f32], depth: usize, cols: usize, stride: usize) {
        let padded = self.resize(depth, cols);
        for (to, from) in self.data.chunks_exact_mut(padded).zip(data.chunks(stride)) {
            to[..cols].copy_from_slice(&from[..cols]);
            to[cols..].fill(0.0);
        }
    }

    /// Packs the transpose of `cols` rows of `depth` values, `stride` apart.
    #[inline(always)]
    pub fn columns(&mut self, data: &[f32], depth: usize, cols: usize, stride: usize) {
        let padded = self.resize(depth, cols);
        assert!(cols == 0 || depth == 0 || (cols - 1) * stride + depth <= data.len());
        // Transposed in squares that fit the first-level cache: value by value, each write would touch another cache line.
        const SIDE: usize = 16;
        for first in (0..padded).step_by(SIDE) {
            for k in (0..depth).step_by(SIDE) {
                let (width, height) = (SIDE.min(cols.saturating_sub(first)), SIDE.min(depth - k));
                let mut square = [[0.0f32; SIDE]; SIDE];
                for (col, square) in square.iter_mut().take(width).enumerate() {
                    square[..height].copy_from_slice(&data[(first + col) * stride + k..][..height]);
                }
                for (row, to) in self.data[k * padded..].chunks_mut(padded).take(height).enumerate() {
                    for (to, square) in to[first..first + SIDE].iter_mut().zip(&square) {
                        *to = square[row];
                    }
                }
            }
        }
    }
}

/// A left operand: value (row, k) is `data[row · stride.0 + k · stride.1]`.
#[derive(Clone, Copy)]
pub struct Left<'a> {
    pub data: &'a [f32],
    pub rows: usize,
    pub stride: (usize, usize),
}

/// Where results are written: `out[offset + row · stride + column]`.
#[derive(Clone, Copy)]
pub struct Output<'a> {
    pub out: &'a Shared<'a>,
    pub offset: usize,
    pub stride: usize,
    /// Whether they are added to what is there.
    pub add: bool,
}

impl<'a> Output<'a> {
    /// Results that replace what is there.
    pub fn new(out: &'a Shared<'a>, offset: usize, stride: usize) -> Self {
        Self { out, offset, stride, add: false }
    }
}

/// out = alpha · left · right. Each sum is taken in the order of the depth.
///
/// # Safety
/// No other thread may access the values of `out` that are written.
#[inline(always)]
#[expect(unsafe_code, reason = "the heads' columns interleave")]
pub unsafe fn product(out: Output, alpha: f32, left: Left, right: &Right) {
    // SAFETY: the caller's promise.
    unsafe { product_of_columns(out, alpha, left, right, 0..right.cols) };
}

/// The same with only these columns of `right`, of which the first is a multiple of [`COLS`] and becomes the first of the results.
///
/// # Safety
/// As for [`product`].
#[inline(always)]
#[expect(unsafe_code, reason = "as above")]
pub unsafe fn product_of_columns(out: Output, alpha: f32, left: Left, right: &Right, columns: Range<usize>) {
    assert!(columns.start.is_multiple_of(COLS) && columns.end <= right.cols, "columns of a product");
    let mut row = 0;
    while row < left.rows {
        // SAFETY: the caller's promise.
        unsafe {
            row += match left.rows - row {
                ROWS.. => rows::<ROWS>(out, alpha, left, row, right, columns.clone()),
                2.. => rows::<2>(out, alpha, left, row, right, columns.clone()),
                _ => rows::<1>(out, alpha, left, row, right, columns.clone()),
            };
        }
    }
}

/// `R` rows of the results, from `row` on; returns `R`.
///
/// # Safety
/// As for [`product`].
#[inline(always)]
#[expect(unsafe_code, reason = "as above")]
unsafe fn rows<const R: usize>(
    out: Output,
    alpha: f32,
    left: Left,
    row: usize,
    right: &Right,
    columns: Range<usize>,
) -> usize {
    let stride = right.cols.next_multiple_of(COLS);
    let data = &left.data[row * left.stride.0..];
    assert!(right.depth == 0 || (R - 1) * left.stride.0 + (right.depth - 1) * left.stride.1 < data.len());
    for col in columns.clone().step_by(COLS) {
        let b = &right.data[col..];
        assert!(right.depth == 0 || (right.depth - 1) * stride + COLS <= b.len());
        let mut sums = [[0.0f32; COLS]; R];
        let (a, b) = (data.as_ptr(), b.as_ptr());
        let at = |r: usize, k: usize| r * left.stride.0 + k * left.stride.1;
        // SAFETY: what is read was checked above.
        unsafe { tile(&mut sums, a, at, b, stride, right.depth) };
        let cols = (columns.end - col).min(COLS);
        for (r, sums) in sums.iter().enumerate() {
            // SAFETY: the caller's promise.
            let to = unsafe { out.out.part(out.offset + (row + r) * out.stride + col - columns.start, cols) };
            match out.add {
                false => to.iter_mut().zip(sums).for_each(|(to, sum)| *to = alpha * sum),
                true => to.iter_mut().zip(sums).for_each(|(to, sum)| *to += alpha * sum),
            }
        }
    }
    R
}

#[cfg(test)]
mod tests {
    use super::{super::vector::vectorised, *};

    #[test]
    #[expect(unsafe_code, reason = "the function's")]
    fn products_are_those_of_plain_loops() {
        let stream = crate::random::Stream::new(5, crate::random::Purpose::Init, 0, 0);
        let normal =
            |from: usize, n: usize| -> Vec<f32> { (from..from + n).map(|i| stream.normal(i as u64) as f32).collect() };
        for (m, n, k) in [(1, 1, 1), (6, 32, 4), (7, 33, 5), (27, 64, 27), (13, 5, 40), (5, 100, 3)] {
            let (a, b) = (normal(0, m * k), normal(10_000, k * n));
            let by_columns: Vec<f32> = (0..n * k).map(|i| b[i % k * n + i / k]).collect();
            let transposed: Vec<f32> = (0..k * m).map(|i| a[i % m * k + i / m]).collect();
            let lefts = [(&a, (k, 1)), (&transposed, (1, m))];
            for ((data, stride), turned) in lefts.into_iter().flat_map(|left| [(left, false), (left, true)]) {
                let mut out = vec![7.0f32; m * (n + 3) + 2];
                let mut right = Right::default();
                right.rows(&[1.0; 200], 10, 20, 20); // what was there before
                if turned {
                    right.columns(&by_columns, k, n, k)
                } else {
                    right.rows(&b, k, n, n)
                }
                let shared = Shared::new(&mut out);
                let output = Output::new(&shared, 2, n + 3);
                // SAFETY: `out` is borrowed for this product alone.
                vectorised!(unsafe { product(output, 0.5, Left { data, rows: m, stride }, &right) });
                for (i, got) in out.iter().enumerate() {
                    let want = match i.checked_sub(2).map(|i| (i / (n + 3), i % (n + 3))) {
                        Some((row, col)) if col < n => {
                            0.5 * (0..k).map(|j| f64::from(a[row * k + j]) * f64::from(b[j * n + col])).sum::<f64>()
                        }
                        _ => 7.0,
                    };
                    assert!((f64::from(*got) - want).abs() < 1e-5, "{m}×{n}×{k}: {got} at {i}, wanted {want}");
                }
            }
        }
    }
}
