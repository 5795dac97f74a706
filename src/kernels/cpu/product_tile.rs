//! A tile of a product in registers: the innermost loop of products in f32.

#[cfg(target_arch = "x86_64")]
use super::vector::{Vectors, vectors};

/// Columns of a tile.
pub const COLS: usize = 32;

/// Whether a tile of more than six rows stays in registers.
pub fn has_many_registers() -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(vectors(), Vectors::Avx512);
    // Elsewhere a row of a tile is longer than two vectors, so that six rows need more registers already.
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// sums[r][c] = Σ_k a[at(r, k)]·b[k · b_k + c] over `depth` of k, in this order.
///
/// # Safety
/// For each r < R and k < depth, the values a[at(r, k)] and b[k · b_k] to b[k · b_k + COLS - 1] can be read.
#[inline(always)]
#[expect(unsafe_code, reason = "vector instructions on memory")]
pub unsafe fn tile<const R: usize>(
    sums: &mut [[f32; COLS]; R],
    a: *const f32,
    at: impl Fn(usize, usize) -> usize,
    b: *const f32,
    b_k: usize,
    depth: usize,
) {
    // SAFETY: the caller's promise, and the processor has the instructions.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        match vectors() {
            Vectors::Avx512 => return avx512(sums, a, at, b, b_k, depth),
            Vectors::Avx2 => return avx2(sums, a, at, b, b_k, depth),
            Vectors::Any => {}
        }
        any(sums, a, at, b, b_k, depth);
    }
}

/// A tile in the registers of one generation of vectors. Left to itself the compiler keeps the sums in memory.
#[cfg(target_arch = "x86_64")]
macro_rules! tile {
    ($name:ident, $features:literal, $vectors:literal, $zero:ident, $load:ident, $fill:ident, $fma:ident, $store:ident) => {
        #[expect(unsafe_code, reason = "vector instructions on memory")]
        #[target_feature(enable = $features)]
        unsafe fn $name<const R: usize>(
            sums: &mut [[f32; COLS]; R],
            a: *const f32,
            at: impl Fn(usize, usize) -> usize,
            b: *const f32,
            b_k: usize,
            depth: usize,
        ) {
            use std::arch::x86_64::*;
            const LANES: usize = COLS / $vectors;
            // Two vectors of columns at once: with six rows twelve sums, two factors and one more stay within sixteen registers.
            for pair in 0..$vectors / 2 {
                let from = 2 * LANES * pair;
                let mut tile = [[$zero(); 2]; R];
                for k in 0..depth {
                    // SAFETY: the caller's promise.
                    unsafe {
                        let b = b.add(k * b_k + from);
                        let (b0, b1) = ($load(b), $load(b.add(LANES)));
                        for (r, tile) in tile.iter_mut().enumerate() {
                            let a = $fill(*a.add(at(r, k)));
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
/// As for [`tile`].
#[expect(unsafe_code, reason = "the same interface as with vector instructions")]
#[inline(always)]
unsafe fn any<const R: usize>(
    sums: &mut [[f32; COLS]; R],
    a: *const f32,
    at: impl Fn(usize, usize) -> usize,
    b: *const f32,
    b_k: usize,
    depth: usize,
) {
    *sums = [[0.0; COLS]; R];
    for k in 0..depth {
        // SAFETY: the caller's promise.
        let b = unsafe { std::slice::from_raw_parts(b.add(k * b_k), COLS) };
        for (r, sums) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let a = unsafe { *a.add(at(r, k)) };
            sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += a * b);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tiles of every generation that this processor has.
    #[test]
    #[expect(unsafe_code, reason = "the functions'")]
    fn generations_agree() {
        let (a, b): (Vec<f32>, Vec<f32>) =
            ((0..90).map(|i| i as f32 - 40.0).collect(), (0..600).map(|i| (i % 37) as f32).collect());
        let at = |r, k| 25 * r + 2 * k;
        let mut want = [[9.0; COLS]; 3];
        // SAFETY: 15 · 40 numbers of b, and of a fewer than 2 · 25 + 14 · 2 + 1, can be read.
        unsafe { any(&mut want, a.as_ptr(), at, b.as_ptr(), 40, 15) };
        assert_eq!(want[1][2], (0..15).map(|k| a[25 + 2 * k] * b[40 * k + 2]).sum::<f32>());
        #[cfg(target_arch = "x86_64")]
        for generation in ["avx512", "avx2"] {
            let mut got = [[9.0; COLS]; 3];
            let fma = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            // SAFETY: as above, and the instructions are there.
            unsafe {
                match generation {
                    "avx512" if is_x86_feature_detected!("avx512f") => {
                        avx512(&mut got, a.as_ptr(), at, b.as_ptr(), 40, 15)
                    }
                    "avx2" if fma => avx2(&mut got, a.as_ptr(), at, b.as_ptr(), 40, 15),
                    _ => continue,
                }
            }
            assert_eq!(got, want, "{generation}"); // whole numbers: exact
        }
    }
}
