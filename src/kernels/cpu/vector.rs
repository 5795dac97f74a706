//! Loops compiled for the vector instructions of the processor at hand.

#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

/// Runs an expression compiled for the processor's vector instructions.
///
/// The closure is inlined into a function that may use them: one that is called knows only what every processor has.
macro_rules! vectorised {
    ($loop:expr) => {
        crate::kernels::cpu::vector::dispatch(
            #[inline(always)]
            || $loop,
        )
    };
}
pub(super) use vectorised;

/// Generations of vector instructions.
#[derive(Clone, Copy)]
pub enum Vectors {
    /// Of 512 bits, with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Of 256 bits, with fused multiply-add.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// What every processor of this architecture has.
    Any,
}

/// The best of this processor.
#[inline(always)]
pub fn vectors() -> Vectors {
    #[cfg(target_arch = "x86_64")]
    return *VECTORS;
    #[cfg(not(target_arch = "x86_64"))]
    Vectors::Any
}

#[cfg(target_arch = "x86_64")]
static VECTORS: LazyLock<Vectors> = LazyLock::new(|| {
    let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Vectors::Avx512,
        (true, false) => Vectors::Avx2,
        _ => Vectors::Any,
    }
});

/// Calls `f` from a function that may use the processor's vector instructions; see [`vectorised`].
///
/// `FnMut`, not `FnOnce`: calling a closure once goes through a function that is not inlined.
#[inline(always)]
pub fn dispatch<R>(mut f: impl FnMut() -> R) -> R {
    #[cfg(target_arch = "x86_64")]
    match *VECTORS {
        // SAFETY: the processor has these instructions.
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        Vectors::Avx512 => return unsafe { avx512(f) },
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        Vectors::Avx2 => return unsafe { avx2(f) },
        Vectors::Any => {}
    }
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512<R>(mut f: impl FnMut() -> R) -> R {
    f()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<R>(mut f: impl FnMut() -> R) -> R {
    f()
}
