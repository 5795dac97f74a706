//! The speed of the model's own matrix products: the ceiling that a training step is held against.

use std::{hint::black_box, time::Instant};

use gemm::Parallelism;
use rayon::prelude::*;
use taper::{
    kernels::{Cpu, Linear, LinearOps, Memory},
    model::ModelConfig,
};

/// A product out = a · b; `a` is `[m, k]` and `b` is `[k, n]`, each by rows or, where `…_transposed`, by columns.
#[derive(Clone, Copy)]
pub struct Product {
    m: usize,
    n: usize,
    k: usize,
    a_transposed: bool,
    b_transposed: bool,
}

/// One way to compute products: makes the operands of a product and gives the call that is timed.
type Way = fn(Product) -> Box<dyn FnMut()>;

/// What computes products in f32, the best of which is the ceiling.
const FP32: [Way; 3] = [gemm_crate, gemm_crate_by_rows, taper_fp32];
/// What multiplies in bf16 and sums in f32.
const BF16: [Way; 1] = [taper_bf16];

/// GFLOP/s of the products of a layer over `tokens` rows, forward and for both gradients: each by the fastest way, the
/// median of some calls, weighted by FLOP. None where there is no way.
pub fn ceiling(shape: &ModelConfig, tokens: usize, bf16: bool) -> Option<f64> {
    let ways: &[Way] = if bf16 { &BF16 } else { &FP32 };
    let (mut flop, mut seconds) = (0.0, 0.0);
    for product in products(shape, tokens) {
        flop += 2.0 * (product.m * product.n * product.k) as f64;
        seconds += ways.iter().map(|way| median_seconds(way(product))).min_by(f64::total_cmp)?;
    }
    Some(flop / seconds / 1e9)
}

/// Queries, keys and values in one; attention's output; both maps of the feed-forward network.
fn products(shape: &ModelConfig, tokens: usize) -> Vec<Product> {
    let (h, f) = (shape.hidden_size, shape.intermediate_size);
    let of = |(width, out): (usize, usize)| {
        // y = x·Wᵀ, dx = dy·W, dW = dyᵀ·x with W [out, width].
        let forward = Product { m: tokens, n: out, k: width, a_transposed: false, b_transposed: true };
        let input = Product { m: tokens, n: width, k: out, a_transposed: false, b_transposed: false };
        let weight = Product { m: out, n: width, k: tokens, a_transposed: true, b_transposed: false };
        [forward, input, weight]
    };
    let up = shape.cost_shape(0).up;
    [(h, 3 * h), (h, h), (h, up), (f, h)].into_iter().flat_map(of).collect()
}

fn median_seconds(mut call: Box<dyn FnMut()>) -> f64 {
    const CALLS: usize = 5;
    call(); // pages and caches
    let mut seconds = [0.0; CALLS];
    for seconds in &mut seconds {
        let begin = Instant::now();
        call();
        *seconds = begin.elapsed().as_secs_f64();
    }
    seconds.sort_by(f64::total_cmp);
    seconds[CALLS / 2]
}

/// The `gemm` crate with its own division of work.
fn gemm_crate(product: Product) -> Box<dyn FnMut()> {
    let Product { m, n, k, .. } = product;
    let (a, b, mut out) = (operand(m * k), operand(k * n), vec![0.0f32; m * n]);
    Box::new(move || {
        multiply(product, &a, &b, &mut out, 0, Parallelism::Rayon(rayon::current_num_threads()));
        black_box(&mut out);
    })
}

/// The `gemm` crate on one thread for each part of the output's rows.
fn gemm_crate_by_rows(product: Product) -> Box<dyn FnMut()> {
    let Product { m, n, k, .. } = product;
    let (a, b, mut out) = (operand(m * k), operand(k * n), vec![0.0f32; m * n]);
    Box::new(move || {
        let rows = m.div_ceil(rayon::current_num_threads());
        out.par_chunks_mut(rows * n)
            .enumerate()
            .for_each(|(part, out)| multiply(product, &a, &b, out, part * rows, Parallelism::None));
        black_box(&mut out);
    })
}

/// taper's own.
fn taper_fp32(product: Product) -> Box<dyn FnMut()> {
    taper(product, Cpu::default())
}

fn taper_bf16(product: Product) -> Box<dyn FnMut()> {
    taper(product, Cpu::bf16().expect("a processor with bf16 products"))
}

fn taper(product: Product, mut cpu: Cpu) -> Box<dyn FnMut()> {
    let Product { m, n, k, a_transposed, b_transposed } = product;
    let [mut a, mut b, mut out] = [m * k, k * n, m * n + n.max(m)].map(|len| cpu.zeros(len));
    cpu.write(&mut a, 0, &operand(m * k));
    cpu.write(&mut b, 0, &operand(k * n));
    let linear = |out, width| Linear { weight: 0, bias: Some(out * width), out, width, exact: false };
    Box::new(move || {
        match (a_transposed, b_transposed) {
            (false, true) => cpu.linear(&mut out, &a, m, &b, linear(n, k), false),
            (false, false) => cpu.linear_input(&mut out, false, &a, m, &b, linear(k, n)),
            _ => cpu.linear_parameters(&mut out, true, &a, &b, k, linear(m, n)),
        }
        black_box(&mut out);
    })
}

fn operand(values: usize) -> Vec<f32> {
    (0..values).map(|i| (i % 31) as f32 / 31.0 - 0.5).collect()
}

/// Computes the rows of a product from `first` on that fit into `out`.
fn multiply(product: Product, a: &[f32], b: &[f32], out: &mut [f32], first: usize, parallelism: Parallelism) {
    let Product { m, n, k, a_transposed, b_transposed } = product;
    let rows = out.len() / n;
    assert!(first + rows <= m && a.len() == m * k && b.len() == k * n);
    // Distances between rows and between columns.
    let (a_row, a_col) = if a_transposed { (1, m) } else { (k, 1) };
    let (b_row, b_col) = if b_transposed { (1, k) } else { (n, 1) };
    // SAFETY: `a` holds m × k, `b` k × n and `out` rows × n values, of which rows first..first + rows are within m; the
    // strides are those of such matrices, and `out` is borrowed mutably, so it overlaps neither input.
    #[expect(unsafe_code, reason = "gemm's only interface takes pointers")]
    unsafe {
        gemm::gemm(
            rows,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            a.as_ptr().add(first * a_row),
            a_col as isize,
            a_row as isize,
            b.as_ptr(),
            b_col as isize,
            b_row as isize,
            0.0,
            1.0,
            false,
            false,
            false,
            parallelism,
        );
    }
}
