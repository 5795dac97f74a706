//! Memory of the CPU's kernels.

use std::{
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

/// Values of a cache line.
const LINE: usize = 16;

/// f32 values aligned to cache lines, so that aligned vector loads never cross one.
///
/// A new buffer is zeros in pages that the system allocates on first access: unused pages take no memory.
#[derive(Debug)]
pub struct Buffer {
    data: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// Zeros.
    pub fn new(len: usize) -> Self {
        let data = vec![0.0f32; len + LINE];
        let start = data.as_ptr().align_offset(4 * LINE).min(LINE);
        Self { data, start, len }
    }

    /// Zeros, the first `dense` of them in pages of 2 MiB if the system supports them: sequentially read memory then needs few address
    /// translations. Sparsely accessed values stay on small pages.
    pub fn on_large_pages(len: usize, dense: usize) -> Self {
        let buffer = Self::new(len);
        large_pages(&buffer[..dense]);
        buffer
    }
}

/// Requests large pages for the whole 2 MiB blocks of `data`.
fn large_pages(data: &[f32]) {
    #[cfg(target_os = "linux")]
    {
        const PAGE: usize = 2 << 20;
        let start = data.as_ptr().addr();
        let (first, end) = (start.next_multiple_of(PAGE), (start + size_of_val(data)) / PAGE * PAGE);
        if first < end {
            let first = data.as_ptr().wrapping_byte_add(first - start);
            #[expect(unsafe_code, reason = "a system call")]
            // SAFETY: the range is ours, and the advice does not change its contents. A system that refuses it keeps small pages.
            unsafe {
                libc::madvise(first.cast_mut().cast(), end - first.addr(), libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = data;
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.data[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.data[self.start..self.start + self.len]
    }
}

/// A slice that several threads write to, each to separate parts.
pub struct Shared<'a> {
    pointer: *mut f32,
    len: usize,
    slice: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a `&mut [f32]`, whose parts may be sent; the contract of `part` is that no two threads take the same part.
#[expect(unsafe_code, reason = "parts that interleave cannot be split off safely")]
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "parts that interleave cannot be split off safely")]
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Shares a slice for as long as it is borrowed.
    pub fn new(slice: &'a mut [f32]) -> Self {
        Self { pointer: slice.as_mut_ptr(), len: slice.len(), slice: PhantomData }
    }

    /// `len` values from `start` on.
    ///
    /// # Safety
    /// No value that is read or written through it may be accessed elsewhere at the same time.
    #[expect(unsafe_code, clippy::mut_from_ref, reason = "the caller guarantees that parts do not overlap")]
    pub unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start <= self.len && len <= self.len - start, "a part past its slice");
        // SAFETY: within the slice (checked), and by the caller's promise nothing else accesses it.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), len) }
    }

    /// The address of value `start`, of `len` values within the slice.
    pub fn pointer(&self, start: usize, len: usize) -> *mut f32 {
        assert!(start <= self.len && len <= self.len - start, "a part past its slice");
        self.pointer.wrapping_add(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_zero_and_aligned() {
        let large = [(0, 0), (2_000_000, 1_999_999), (2_000_000, 7)]
            .map(|(len, dense)| (len, Buffer::on_large_pages(len, dense)));
        for (len, buffer) in [0, 1, 15, 16, 17, 100_000].map(|len| (len, Buffer::new(len))).into_iter().chain(large) {
            assert_eq!((buffer.len(), buffer.as_ptr().align_offset(64)), (len, 0));
            assert!(buffer.iter().all(|v| *v == 0.0));
        }
    }

    #[test]
    #[should_panic(expected = "past its slice")]
    fn a_part_lies_within_its_slice() {
        let mut values = [0.0; 4];
        Shared::new(&mut values).pointer(3, 2);
    }
}
