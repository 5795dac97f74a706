//! Every level against plain loops over the rounded numbers.

use super::{super::View, *};

/// Reports a skipped test.
pub fn skipped(why: &str) {
    use std::io::Write;
    writeln!(std::io::stderr(), "{why}").expect("standard error");
}

/// Rounds to nearest, ties to even, in integers; subnormal numbers to zero.
fn rounded(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    if x.abs() < f32::MIN_POSITIVE {
        return 0.0f32.copysign(x);
    }
    let bits = x.to_bits();
    f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
}

/// Numbers in [-1, 1), other ones for another `seed`.
fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A matrix `[rows, cols]` in memory, possibly transposed, with gaps of NaN between rows.
struct Stored {
    data: Vec<f32>,
    shape: (usize, usize),
    stride: usize,
    transposed: bool,
}

impl Stored {
    fn random((rows, cols): (usize, usize), transposed: bool, seed: u64) -> Self {
        let shape = if transposed { (cols, rows) } else { (rows, cols) };
        let stride = shape.1 + 3;
        let mut data = random(shape.0 * stride, seed);
        data.chunks_exact_mut(stride).for_each(|row| row[shape.1..].fill(f32::NAN));
        Self { data, shape, stride, transposed }
    }

    fn view(&self) -> View<'_> {
        let view = View::new(&self.data, self.shape.0, self.shape.1, self.stride);
        if self.transposed { view.t() } else { view }
    }

    fn get(&self, row: usize, col: usize) -> f32 {
        let (r, c) = if self.transposed { (col, row) } else { (row, col) };
        self.data[r * self.stride + c]
    }
}

fn every_level(test: impl Fn(Level)) {
    if level().is_none() {
        skipped("skipped: no AVX512_BF16 here");
    }
    levels().iter().copied().for_each(test);
}

/// left · right into a fresh output without gaps.
fn multiplied(left: View, right: View, (m, n): (usize, usize), level: Level) -> Vec<f32> {
    let (mut a, mut b) = (Left::default(), Right::default());
    a.pack(left, level);
    b.pack(right, level);
    let mut out = vec![f32::NAN; m * n];
    product(&mut out, n, false, &a, &b, level);
    out
}

/// Compares with sums in f64; the f32 sums may differ by a unit in the last place of Σ|ab| for each addition.
fn check(m: usize, n: usize, k: usize, (left, right, add): (bool, bool, bool), level: Level) {
    let a = Stored::random((m, k), left, 1);
    let b = Stored::random((k, n), right, 2);
    let (mut packed_a, mut packed_b) = (Left::default(), Right::default());
    packed_a.pack(a.view(), level);
    packed_b.pack(b.view(), level);
    let stride = n + 5;
    let before = random(m * stride, 3);
    let mut out = before.clone();
    product(&mut out, stride, add, &packed_a, &packed_b, level);
    for (i, (got, old)) in out.iter().zip(&before).enumerate() {
        let (r, c) = (i / stride, i % stride);
        if c >= n {
            assert_eq!(got, old, "{level:?} {m}×{n}×{k}: wrote past row {r}");
            continue;
        }
        let start = if add { f64::from(*old) } else { 0.0 };
        let (mut sum, mut size) = (start, start.abs());
        for p in 0..k {
            let term = f64::from(rounded(a.get(r, p))) * f64::from(rounded(b.get(p, c)));
            (sum, size) = (sum + term, size + term.abs());
        }
        let allowed = (k + 1) as f64 * f64::from(f32::EPSILON) / 2.0 * size;
        let error = (f64::from(*got) - sum).abs();
        assert!(
            error <= allowed,
            "{level:?} {m}×{n}×{k}, transposed {left} {right}, add {add}, at ({r}, {c}): {got} for {sum}"
        );
    }
}

#[test]
fn products_are_those_of_the_rounded_numbers() {
    let sizes =
        [(1, 1, 1), (15, 17, 33), (16, 16, 32), (32, 32, 64), (33, 31, 65), (17, 70, 767), (5, 33, 0), (65, 100, 40)];
    every_level(|level| {
        for (m, n, k) in sizes {
            for form in 0..8 {
                check(m, n, k, (form & 1 > 0, form & 2 > 0, form & 4 > 0), level);
            }
        }
    });
}

#[test]
fn products_of_many_tasks_and_parts_are_right() {
    // More panels than a task takes, and more steps than are multiplied at once, both ways.
    every_level(|level| {
        check(15 * 32 + 1, 40, 15 * 32 + 1, (true, false, true), level);
        check(33, 25 * 32 + 1, 3 * 14 * 32, (false, true, false), level);
    });
}

#[test]
fn results_do_not_depend_on_threads() {
    let (m, n, k) = (165, 200, 1000);
    let (a, b) = (random(m * k, 4), random(k * n, 5));
    every_level(|level| {
        let bits = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            let out = pool.install(|| multiplied(View::new(&a, m, k, k), View::new(&b, k, n, n), (m, n), level));
            out.into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        let one = bits(1);
        assert!(one == bits(2) && one == bits(3), "{level:?}");
    });
}

#[test]
fn numbers_are_rounded_to_nearest_even() {
    let tie = 2.0f32.powi(-8);
    let mut numbers = vec![
        1.0 + tie,
        1.0 + 3.0 * tie,
        -1.0 - tie,
        (1.0 + tie).next_up(),
        (1.0 + tie).next_down(),
        f32::MAX,
        f32::MIN,
        f32::MIN_POSITIVE,
        f32::MIN_POSITIVE / 2.0,
        f32::INFINITY,
        0.0,
    ];
    numbers.extend(random(1000, 6).iter().map(|x| x * 1e10));
    let one = [1.0f32];
    every_level(|level| {
        let count = numbers.len();
        let (column, row) = (View::new(&numbers, count, 1, 1), View::new(&numbers, 1, count, count));
        let one = View::new(&one, 1, 1, 1);
        let want: Vec<f32> = numbers.iter().map(|&x| rounded(x)).collect();
        assert_eq!(want[0], 1.0);
        assert_eq!(want[1], 1.0 + 4.0 * tie);
        for (left, right, shape) in [
            (column, one, (count, 1)),
            (row.t(), one, (count, 1)),
            (one, row, (1, count)),
            (one, column.t(), (1, count)),
        ] {
            assert_eq!(multiplied(left, right, shape, level), want, "{level:?}");
        }
    });
}

#[test]
fn values_that_are_not_finite_stay_so() {
    let (m, n, k) = (33, 33, 40);
    let mut a = vec![1.0f32; m * k];
    a[2 * k + 3] = f32::NAN;
    a[4 * k + 5] = f32::INFINITY;
    (a[32 * k], a[32 * k + 39]) = (f32::INFINITY, f32::NEG_INFINITY);
    // A NaN whose payload is in the truncated bits must not become infinite.
    a[6 * k] = f32::from_bits(0x7f80_0001);
    let b = vec![1.0f32; k * n];
    every_level(|level| {
        let out = multiplied(View::new(&a, m, k, k), View::new(&b, k, n, n), (m, n), level);
        for (r, row) in out.chunks_exact(n).enumerate() {
            let right = |x: f32| match r {
                2 | 6 | 32 => x.is_nan(),
                4 => x == f32::INFINITY,
                _ => x == 40.0,
            };
            assert!(row.iter().all(|&x| right(x)), "{level:?} row {r}: {row:?}");
        }
    });
}

#[test]
fn packing_again_forgets_the_former_matrix() {
    let (big, small) = (random(100 * 100, 7), random(17 * 9, 8));
    every_level(|level| {
        let (mut a, mut b) = (Left::default(), Right::default());
        a.pack(View::new(&big, 100, 100, 100), level);
        b.pack(View::new(&big, 100, 100, 100), level);
        a.pack(View::new(&small, 17, 9, 9), level);
        b.pack(View::new(&small, 17, 9, 9).t(), level);
        let mut out = vec![0.0; 17 * 17];
        product(&mut out, 17, false, &a, &b, level);
        let fresh = multiplied(View::new(&small, 17, 9, 9), View::new(&small, 17, 9, 9).t(), (17, 17), level);
        assert_eq!(out, fresh, "{level:?}");
    });
}

#[test]
fn inner_sizes_must_agree() {
    let numbers = [1.0; 12];
    every_level(|level| {
        let view = View::new(&numbers, 3, 4, 4);
        let outcome = std::panic::catch_unwind(|| multiplied(view, view, (3, 4), level));
        assert!(outcome.is_err(), "{level:?}");
    });
}
