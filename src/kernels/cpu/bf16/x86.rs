//! x86-64: which instructions there are, and the ways to them.

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use super::{avx512, panels::Step, product::Block, round::round};

/// The instructions that multiply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Intel's tile registers, AMX-BF16.
    #[cfg(target_os = "linux")]
    Amx,
    /// Products of pairs in vector registers, AVX512_BF16.
    Avx512,
}

/// What this processor has, the fastest first.
pub fn detect() -> Vec<Kind> {
    let vectors = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512bf16");
    if !vectors {
        return Vec::new(); // tiles are rounded in vectors, so tile registers alone do not help
    }
    #[cfg(target_os = "linux")]
    if super::amx::available() {
        return vec![Kind::Amx, Kind::Avx512];
    }
    vec![Kind::Avx512]
}

impl Kind {
    /// What its instructions are called.
    pub fn name(self) -> &'static str {
        match self {
            #[cfg(target_os = "linux")]
            Self::Amx => "amx-bf16",
            Self::Avx512 => "avx512-bf16",
        }
    }

    /// Rounds 32 × 32 numbers, whose rows begin `stride` apart, to two tiles; see [`round`] for the two forms.
    ///
    /// The second tile takes the lower 16 rows, or with `stacked` the right 16 columns.
    pub fn round(self, from: &[f32], stride: usize, stacked: bool, turn: bool, to: &mut Step) {
        assert!(from.len() >= 31 * stride + 32, "too few numbers for two tiles");
        let second = if stacked { 16 } else { 16 * stride };
        for (tile, from) in to.iter_mut().zip([from, &from[second..]]) {
            let from = from.as_ptr();
            #[expect(unsafe_code, reason = "instructions that not every processor has")]
            // SAFETY: every kind has them; 32 rows of 32 numbers can be read.
            unsafe {
                match (stacked, turn) {
                    (false, false) => round::<false, false>(from, stride, tile),
                    (false, true) => round::<false, true>(from, stride, tile),
                    (true, false) => round::<true, false>(from, stride, tile),
                    (true, true) => round::<true, true>(from, stride, tile),
                }
            }
        }
    }

    /// What multiplies on this thread.
    pub fn kernel(self) -> Kernel {
        match self {
            #[cfg(target_os = "linux")]
            #[expect(unsafe_code, reason = "registers that not every processor has")]
            // SAFETY: the kind says that they are there and permitted.
            Self::Amx => Kernel::Amx(unsafe { super::amx::Registers::configure() }),
            Self::Avx512 => Kernel::Avx512,
        }
    }
}

/// Multiplies panels on one thread.
pub enum Kernel {
    #[cfg(target_os = "linux")]
    Amx(super::amx::Registers),
    Avx512,
}

impl Kernel {
    /// Computes one block.
    ///
    /// # Safety
    /// See [`Block::c`].
    #[expect(unsafe_code, reason = "instructions that not every processor has")]
    #[inline]
    pub unsafe fn multiply(&self, block: Block) {
        let ahead = block.ahead.as_ptr_range();
        for line in (ahead.start.addr()..ahead.end.addr()).step_by(64) {
            // SAFETY: a hint to the second-level cache, which no address can make fail.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line as *const i8) };
        }
        match self {
            #[cfg(target_os = "linux")]
            // SAFETY: the caller's promise.
            Self::Amx(registers) => unsafe { registers.multiply(block) },
            // SAFETY: the caller's promise; the kind says that the instructions are there.
            Self::Avx512 => unsafe { avx512::multiply(block) },
        }
    }
}
