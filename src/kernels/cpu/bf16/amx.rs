//! Products of tiles in Intel's tile registers (AMX-BF16); their instructions have no stable intrinsics.

use std::{arch::asm, marker::PhantomData};

use super::product::Block;

/// Whether the processor has the registers and Linux lets this process use them.
pub fn available() -> bool {
    present() && permitted()
}

/// CPUID leaf 7: AMX-BF16 and AMX-TILE.
fn present() -> bool {
    const NEEDED: u32 = 1 << 22 | 1 << 24;
    #[allow(unused_unsafe, reason = "a safe function since Rust 1.94")]
    #[expect(unsafe_code, reason = "reading CPUID")]
    // SAFETY: every processor of this architecture has the instruction.
    let (highest, leaf) = unsafe {
        use std::arch::x86_64::{__cpuid, __cpuid_count};
        (__cpuid(0).eax, __cpuid_count(7, 0))
    };
    highest >= 7 && leaf.edx & NEEDED == NEEDED
}

/// Asks Linux to save the registers (8 KiB a thread) whenever it switches threads.
///
/// The permission is the process's, threads that already run included. Kernels before 5.16 do not know the request and
/// refuse.
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let result: i64;
    #[expect(unsafe_code, reason = "a system call that the standard library lacks")]
    // SAFETY: the call touches no memory of ours and changes nothing but the permission; the registers that system
    // calls overwrite are named.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

/// Shapes of the eight tile registers, as `ldtilecfg` reads them.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// Eight registers of 16 rows of 64 bytes.
static FULL: Shapes = Shapes {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// This thread's tile registers, in use until the value is dropped. It cannot leave the thread.
pub struct Registers(PhantomData<*const ()>);

impl Registers {
    /// # Safety
    /// They are [`available`].
    #[expect(unsafe_code, reason = "tile registers have no stable intrinsics")]
    pub unsafe fn configure() -> Self {
        // SAFETY: the caller's promise; the shapes are valid and 64 bytes long.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const FULL, options(nostack, preserves_flags, readonly)) };
        Self(PhantomData)
    }

    /// Computes one block, all 32 rows of it.
    ///
    /// # Safety
    /// See [`Block::c`].
    #[expect(unsafe_code, reason = "tile registers have no stable intrinsics")]
    #[inline]
    pub unsafe fn multiply(&self, Block { left, right, c, stride, add, .. }: Block) {
        assert!(left.len() == right.len() && !left.is_empty(), "panels of different depth");
        // SAFETY: `self` is proof that the registers are configured. All tiles of both panels, 2 KiB a step, are read;
        // `c` is the caller's promise.
        //
        // tmm0–3 sum the four tiles of `c`; tmm4–5 hold two of `left`, which stays in the first-level cache; tmm6–7 two
        // of `right`, which only passes through it (t1). On the way the rows of `c`, two a step, are sent for.
        unsafe {
            asm!(
                "test {add:e}, {add:e}",
                "jnz 2f",
                "tilezero tmm0",
                "tilezero tmm1",
                "tilezero tmm2",
                "tilezero tmm3",
                "jmp 3f",
                "2:",
                "tileloadd tmm0, [{c} + {stride}]",
                "tileloadd tmm1, [{c} + {stride} + 64]",
                "tileloadd tmm2, [{lower} + {stride}]",
                "tileloadd tmm3, [{lower} + {stride} + 64]",
                ".p2align 4",
                "3:",
                "tileloadd tmm4, [{left} + {row}]",
                "tileloaddt1 tmm6, [{right} + {row}]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tileloaddt1 tmm7, [{right} + {row} + 1024]",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tileloadd tmm5, [{left} + {row} + 1024]",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "prefetcht1 [{soon}]",
                "prefetcht1 [{soon} + 64]",
                "prefetcht1 [{soon} + {stride}]",
                "prefetcht1 [{soon} + {stride} + 64]",
                "lea {soon}, [{soon} + 2 * {stride}]",
                "add {left}, 2048",
                "add {right}, 2048",
                "dec {steps}",
                "jnz 3b",
                "tilestored [{c} + {stride}], tmm0",
                "tilestored [{c} + {stride} + 64], tmm1",
                "tilestored [{lower} + {stride}], tmm2",
                "tilestored [{lower} + {stride} + 64], tmm3",
                left = inout(reg) left.as_ptr() => _,
                right = inout(reg) right.as_ptr() => _,
                steps = inout(reg) left.len() => _,
                soon = inout(reg) c => _,
                c = in(reg) c,
                lower = in(reg) c.wrapping_add(16 * stride),
                stride = in(reg) 4 * stride,
                row = in(reg) 64usize,
                add = in(reg) u32::from(add),
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

impl Drop for Registers {
    fn drop(&mut self) {
        #[expect(unsafe_code, reason = "tile registers have no stable intrinsics")]
        // SAFETY: a value exists only where the instruction does.
        unsafe {
            asm!("tilerelease", options(nostack, nomem, preserves_flags));
        }
    }
}
