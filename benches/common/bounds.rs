//! What the machine can do at best: memory traffic, fused multiply-adds in registers.

use std::{hint::black_box, time::Instant};

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Bytes of one task of a parallel copy.
const CHUNK: usize = 1 << 20;

/// Bytes a second of a copy on all threads that touches `bytes` in all, half of them read and half written: the best of
/// several. What fits into the caches is as fast as they are.
pub fn copy_rate(bytes: u64) -> f64 {
    let words = (bytes as usize / 8).max(1);
    let (from, mut to) = (vec![1.0f32; words], vec![0.0f32; words]);
    let mut copy = || {
        let begin = Instant::now();
        to.par_chunks_mut(CHUNK / 4).zip(from.par_chunks(CHUNK / 4)).for_each(|(to, from)| to.copy_from_slice(from));
        black_box(&mut to);
        begin.elapsed().as_secs_f64()
    };
    let best = (0..10).map(|_| copy()).fold(f64::INFINITY, f64::min);
    8.0 * words as f64 / best
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
