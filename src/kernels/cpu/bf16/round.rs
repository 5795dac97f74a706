//! Rounding to bf16, tile by tile (AVX512_BF16).

use std::{arch::x86_64::*, mem::transmute};

use super::panels::Tile;

/// Rounds one tile's 512 numbers, whose rows begin `stride` floats apart at `from`.
///
/// The two numbers of a pair are neighbours in a row (16 rows of 32 numbers), or with `STACKED` in a column (32 rows of
/// 16). Row `i` of the tile takes the pairs from row, or pair of rows, `i`; with `TURN` column `i` of that.
///
/// # Safety
/// The processor has AVX512_BF16, and the rows named above can be read.
#[expect(unsafe_code, reason = "intrinsics over raw memory")]
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
pub unsafe fn round<const STACKED: bool, const TURN: bool>(from: *const f32, stride: usize, tile: &mut Tile) {
    // Of two vectors one after the other: first of each, second of each, …
    let alternate = _mm512_set_epi16(
        31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1,
        16, 0,
    );
    let mut rows = [_mm512_setzero_si512(); 16];
    for (i, row) in rows.iter_mut().enumerate() {
        // SAFETY: the caller's promise; the two vector types have one size and no invalid values.
        *row = unsafe {
            let (first, second) = if STACKED {
                (from.add(2 * i * stride), from.add((2 * i + 1) * stride))
            } else {
                (from.add(i * stride), from.add(i * stride + 16))
            };
            let both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(second), _mm512_loadu_ps(first));
            let both = transmute::<__m512bh, __m512i>(both);
            if STACKED { _mm512_permutexvar_epi16(alternate, both) } else { both }
        };
    }
    if TURN {
        transpose(&mut rows);
    }
    let tile = (&raw mut *tile).cast::<__m512i>();
    for (i, row) in rows.into_iter().enumerate() {
        // SAFETY: a tile is 16 rows of 64 bytes, aligned to 64.
        unsafe { _mm512_store_si512(tile.add(i), row) };
    }
}

/// Transposes 16 × 16 numbers of 32 bits.
#[target_feature(enable = "avx512f")]
#[inline]
fn transpose(rows: &mut [__m512i; 16]) {
    // In each group of four rows: vector j has column 4 · lane + j of the four, lane by lane.
    for group in rows.as_chunks_mut::<4>().0 {
        let [a, b, c, d] = *group;
        let (ab, cd) = (_mm512_unpacklo_epi32(a, b), _mm512_unpacklo_epi32(c, d));
        let (ab_high, cd_high) = (_mm512_unpackhi_epi32(a, b), _mm512_unpackhi_epi32(c, d));
        *group = [
            _mm512_unpacklo_epi64(ab, cd),
            _mm512_unpackhi_epi64(ab, cd),
            _mm512_unpacklo_epi64(ab_high, cd_high),
            _mm512_unpackhi_epi64(ab_high, cd_high),
        ];
    }
    // Vector j of every group: lane l of the four makes up column 4 · l + j.
    for j in 0..4 {
        let [a, b, c, d] = [rows[j], rows[4 + j], rows[8 + j], rows[12 + j]];
        let (ab, cd) = (_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0x88>(c, d));
        let (ab_odd, cd_odd) = (_mm512_shuffle_i32x4::<0xdd>(a, b), _mm512_shuffle_i32x4::<0xdd>(c, d));
        rows[j] = _mm512_shuffle_i32x4::<0x88>(ab, cd);
        rows[4 + j] = _mm512_shuffle_i32x4::<0x88>(ab_odd, cd_odd);
        rows[8 + j] = _mm512_shuffle_i32x4::<0xdd>(ab, cd);
        rows[12 + j] = _mm512_shuffle_i32x4::<0xdd>(ab_odd, cd_odd);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transposing_moves_every_number() {
        if super::super::level().is_none() {
            super::super::tests::skipped("skipped: no AVX512_BF16 here");
            return;
        }
        let numbers: [[i32; 16]; 16] = std::array::from_fn(|r| std::array::from_fn(|c| (100 * r + c) as i32));
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: checked above; both types are 16 × 16 numbers of 32 bits without invalid values.
        let turned: [[i32; 16]; 16] = unsafe {
            let mut rows = transmute::<[[i32; 16]; 16], [__m512i; 16]>(numbers);
            transpose(&mut rows);
            transmute(rows)
        };
        for (r, row) in turned.iter().enumerate() {
            assert_eq!(*row, std::array::from_fn(|c| (100 * c + r) as i32), "row {r}");
        }
    }
}
