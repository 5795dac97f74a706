//! Products of tiles in vector registers (AVX512_BF16).

use std::{arch::x86_64::*, mem::transmute};

use super::product::Block;

/// Rows of the result computed together: 8 rows × 2 vectors of sums, and registers left for the operands.
const ROWS: usize = 8;

/// Computes one block, eight rows at a time as long as they are wanted.
///
/// # Safety
/// The processor has AVX512_BF16; for memory see [`Block::c`].
#[expect(unsafe_code, reason = "intrinsics over raw memory")]
#[target_feature(enable = "avx512f,avx512bf16")]
pub unsafe fn multiply(Block { left, right, c, stride, add, rows, .. }: Block) {
    assert_eq!(left.len(), right.len(), "panels of different depth");
    for first in (0..rows).step_by(ROWS) {
        // SAFETY: pointers stay within the tiles of `steps` steps (512 pairs each) and the 32 rows of `c`; the two
        // vector types have one size and no invalid values.
        unsafe {
            let c = c.add(first * stride);
            let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
            if add {
                for (r, sums) in sums.iter_mut().enumerate() {
                    *sums = [_mm512_loadu_ps(c.add(r * stride)), _mm512_loadu_ps(c.add(r * stride + 16))];
                }
            }
            for (left, right) in left.iter().zip(right) {
                let left = left.as_ptr().cast::<i32>().add(16 * first);
                let right = right.as_ptr().cast::<__m512i>();
                for pair in 0..16 {
                    let columns = [
                        transmute::<__m512i, __m512bh>(_mm512_load_si512(right.add(pair))),
                        transmute::<__m512i, __m512bh>(_mm512_load_si512(right.add(16 + pair))),
                    ];
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let row = transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*left.add(16 * r + pair)));
                        sums[0] = _mm512_dpbf16_ps(sums[0], row, columns[0]);
                        sums[1] = _mm512_dpbf16_ps(sums[1], row, columns[1]);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                _mm512_storeu_ps(c.add(r * stride), sums[0]);
                _mm512_storeu_ps(c.add(r * stride + 16), sums[1]);
            }
        }
    }
}
