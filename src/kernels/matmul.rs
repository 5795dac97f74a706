//! A safe door to the `gemm` crate.

/// A matrix somewhere in a slice.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> View<'a> {
    /// `[rows, cols]` whose rows begin `stride` values apart.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, stride: usize) -> Self {
        assert!(rows == 0 || cols == 0 || (rows - 1) * stride + cols <= data.len(), "a view past its slice");
        Self { data, rows, cols, row_stride: stride, col_stride: 1 }
    }

    /// The transposed matrix.
    pub fn t(self) -> Self {
        let Self { data, rows, cols, row_stride, col_stride } = self;
        Self { data, rows: cols, cols: rows, row_stride: col_stride, col_stride: row_stride }
    }
}

/// Whether a product uses all threads or only the caller's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Threads {
    All,
    One,
}

/// out = alpha · a · b, or out += alpha · a · b; the rows of `out` begin `stride` values apart.
pub(super) fn matmul(out: &mut [f32], stride: usize, add: bool, alpha: f32, a: View, b: View, threads: Threads) {
    let (m, n, k) = (a.rows, b.cols, a.cols);
    assert_eq!(a.cols, b.rows, "inner sizes of a product");
    if m == 0 || n == 0 {
        return;
    }
    assert!(stride >= n && (m - 1) * stride + n <= out.len(), "a product past its output");
    let parallelism = match threads {
        Threads::All => gemm::Parallelism::Rayon(rayon::current_num_threads()),
        Threads::One => gemm::Parallelism::None,
    };
    // SAFETY: views lie inside their slices (checked by `View::new`), the output was checked above, its rows do not
    // overlap (stride >= n), and `out` is borrowed mutably, so it overlaps neither input.
    #[expect(unsafe_code, reason = "gemm's only interface takes pointers")]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride as isize,
            add,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            1.0,
            alpha,
            false,
            false,
            false,
            parallelism,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_with_strides_transposes_and_addition() {
        // a = [[1, 2], [3, 4], [5, 6]] with stride 3; b = a.
        let a = [1.0, 2.0, 9.0, 3.0, 4.0, 9.0, 5.0, 6.0];
        let view = View::new(&a, 3, 2, 3);
        let mut out = [7.0f32; 4];
        matmul(&mut out, 2, false, 1.0, view.t(), view, Threads::One);
        assert_eq!(out, [35.0, 44.0, 44.0, 56.0]);
        matmul(&mut out, 2, true, 2.0, view.t(), view, Threads::All);
        assert_eq!(out, [105.0, 132.0, 132.0, 168.0]);
        let mut wide = [0.0f32; 12];
        matmul(&mut wide, 4, false, 1.0, view, view.t(), Threads::One);
        assert_eq!(wide, [5.0, 11.0, 17.0, 0.0, 11.0, 25.0, 39.0, 0.0, 17.0, 39.0, 61.0, 0.0]);
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let stream = crate::random::Stream::new(3, crate::random::Purpose::Init, 0, 0);
        let (m, n, k) = (317, 200, 515);
        let a: Vec<f32> = (0..m * k).map(|i| stream.normal(i as u64) as f32).collect();
        let b: Vec<f32> = (0..k * n).map(|i| stream.normal((m * k + i) as u64) as f32).collect();
        let product = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let mut out = vec![0.0f32; m * n];
            pool.install(|| {
                matmul(&mut out, n, false, 1.0, View::new(&a, m, k, k), View::new(&b, k, n, n), Threads::All)
            });
            out
        };
        let one = product(1);
        assert!(one == product(2) && one == product(3) && one == product(4));
    }
}
