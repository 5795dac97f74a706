//! What the machine can do at best: memory traffic, fused multiply-adds in registers.

use std::{hint::black_box, time::Instant};

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Values of one task.
const CHUNK: usize = 1 << 16;

/// Bytes a second, read and written, on all threads: the best of several passes over `bytes` in all. What fits into the
/// caches is as fast as they are.
///
/// A copy, and a sum in place: a copy fetches what it overwrites, which is not counted, so that the sum is faster where
/// memory is the limit.
pub fn memory_rate(bytes: u64) -> f64 {
    let words = (bytes as usize / 8).max(1);
    let (from, mut to) = (vec![1.0f32; words], vec![0.0f32; words]);
    let mut pass = |bytes_of_word: f64, f: fn(&mut [f32], &[f32])| {
        let begin = Instant::now();
        to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK)).for_each(|(to, from)| f(to, from));
        black_box(&mut to);
        bytes_of_word * words as f64 / begin.elapsed().as_secs_f64()
    };
    let mut best = 0.0f64;
    for _ in 0..10 {
        best = best.max(pass(8.0, |to, from| to.copy_from_slice(from)));
        best = best.max(pass(12.0, |to, from| to.iter_mut().zip(from).for_each(|(to, from)| *to += from)));
    }
    best
}

/// FLOP/s of f32 multiply-adds that stay in registers, on all threads: the best of several.
pub fn fma_rate() -> f64 {
    const ROUNDS: u64 = 2_000_000;
    let measure = || {
        let begin = Instant::now();
        let flop: u64 = rayon::broadcast(|_| Arch::new().dispatch(Fma { rounds: ROUNDS })).into_iter().sum();
        flop as f64 / begin.elapsed().as_secs_f64()
    };
    (0..5).map(|_| measure()).fold(0.0, f64::max)
}

/// Chains of dependent multiply-adds, enough of them to hide the latency of each.
struct Fma {
    rounds: u64,
}

impl WithSimd for Fma {
    /// FLOP done.
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> u64 {
        const CHAINS: usize = 12; // with two factors they fill 14 of the 16 registers of AVX2
        let (a, b) = (simd.splat_f32s(black_box(0.999)), simd.splat_f32s(black_box(0.001)));
        let mut sums = [simd.splat_f32s(1.0); CHAINS];
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, a, b);
            }
        }
        black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        self.rounds * (2 * CHAINS * size_of::<S::f32s>() / size_of::<f32>()) as u64
    }
}
