//! Products of matrices as small as a head's in attention, on one thread, inlined into the caller's loop.
//!
//! The `gemm` crate spends more time on getting ready for such sizes than on multiplying.

use std::ops::Range;

use super::{
    buffer::Shared,
    vector::{Vectors, vectors},
};

/// Numbers that rows of scores are padded to.
pub const LANES: usize = 16;
/// Columns and rows of a tile of results.
pub const COLS: usize = 2 * LANES;
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
        match vectors() {
            // SAFETY: the processor has the instructions; what is read was checked above.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx512 => unsafe { avx512(&mut sums, a, left.stride, b, stride, right.depth) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Vectors::Avx2 => unsafe { avx2(&mut sums, a, left.stride, b, stride, right.depth) },
            // SAFETY: what is read was checked above.
            Vectors::Any => unsafe { any(&mut sums, a, left.stride, b, stride, right.depth) },
        }
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

/// A tile in the registers of one generation of vectors: sums[r][c] = Σ_k a(r, k)·b(k, c). Left to itself the compiler keeps
/// the sums in memory.
#[cfg(target_arch = "x86_64")]
macro_rules! tile {
    ($name:ident, $features:literal, $vectors:literal, $zero:ident, $load:ident, $fill:ident, $fma:ident, $store:ident) => {
        #[expect(unsafe_code, reason = "vector instructions on memory")]
        #[target_feature(enable = $features)]
        unsafe fn $name<const R: usize>(
            sums: &mut [[f32; COLS]; R],
            a: *const f32,
            (a_row, a_k): (usize, usize),
            b: *const f32,
            b_k: usize,
            depth: usize,
        ) {
            use std::arch::x86_64::*;
            const LANES: usize = COLS / $vectors;
            // Two vectors of columns at once, so that twelve sums, two factors and one more stay within sixteen registers.
            for pair in 0..$vectors / 2 {
                let from = 2 * LANES * pair;
                let mut tile = [[$zero(); 2]; R];
                for k in 0..depth {
                    // SAFETY: the caller has checked that depth rows of b and R rows of a are there.
                    unsafe {
                        let b = b.add(k * b_k + from);
                        let (b0, b1) = ($load(b), $load(b.add(LANES)));
                        for (r, tile) in tile.iter_mut().enumerate() {
                            let a = $fill(*a.add(r * a_row + k * a_k));
                            tile[0] = $fma(a, b0, tile[0]);
                            tile[1] = $fma(a, b1, tile[1]);
                        }
                    }
                }
                for (sums, tile) in sums.iter_mut().zip(&tile) {
                    for (half, tile) in tile.iter().enumerate() {
                        let to = &mut sums[from + half * LANES..][..LANES];
                        // SAFETY: as many numbers as a vector has.
                        unsafe { $store(to.as_mut_ptr(), *tile) };
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
tile!(avx512, "avx512f", 2, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_fmadd_ps, _mm512_storeu_ps);
#[cfg(target_arch = "x86_64")]
tile!(avx2, "avx2,fma", 4, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_set1_ps, _mm256_fmadd_ps, _mm256_storeu_ps);

/// The same in whatever vectors the compiler finds.
///
/// # Safety
/// `depth` rows of `COLS` values of b and of `R` values of a can be read.
#[expect(unsafe_code, reason = "the same interface as with vector instructions")]
unsafe fn any<const R: usize>(
    sums: &mut [[f32; COLS]; R],
    a: *const f32,
    (a_row, a_k): (usize, usize),
    b: *const f32,
    b_k: usize,
    depth: usize,
) {
    for k in 0..depth {
        // SAFETY: the caller's promise.
        let b = unsafe { std::slice::from_raw_parts(b.add(k * b_k), COLS) };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let a = unsafe { *a.add(r * a_row + k * a_k) };
            sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::vector::vectorised, *};

    #[cfg(target_arch = "x86_64")]
    type Tile = unsafe fn(&mut [[f32; COLS]; 3], *const f32, (usize, usize), *const f32, usize, usize);

    /// Tiles of every generation that this processor has.
    #[test]
    #[expect(unsafe_code, reason = "the functions'")]
    fn generations_agree() {
        let (a, b): (Vec<f32>, Vec<f32>) =
            ((0..90).map(|i| i as f32 - 40.0).collect(), (0..600).map(|i| (i % 37) as f32).collect());
        let mut want = [[0.0; COLS]; 3];
        // SAFETY: 15 · 40 numbers of b, and of a fewer than 2 · 25 + 14 · 2 + 1, can be read.
        unsafe { any(&mut want, a.as_ptr(), (25, 2), b.as_ptr(), 40, 15) };
        assert_eq!(want[1][2], (0..15).map(|k| a[25 + 2 * k] * b[40 * k + 2]).sum::<f32>());
        #[cfg(target_arch = "x86_64")]
        for (has, tile) in [
            (is_x86_feature_detected!("avx512f"), avx512::<3> as Tile),
            (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"), avx2::<3>),
        ] {
            let mut got = [[9.0; COLS]; 3];
            if has {
                // SAFETY: as above, and the instructions are there.
                unsafe { tile(&mut got, a.as_ptr(), (25, 2), b.as_ptr(), 40, 15) };
                assert_eq!(got, want); // whole numbers: exact
            }
        }
    }

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
