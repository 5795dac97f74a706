//! Memory that parallel tasks write.

/// The start of memory that parallel tasks write, each to parts of its own.
pub(super) struct Shared<T>(pub *mut T);

impl<T> Shared<T> {
    /// A method, so that closures take the whole of `self`.
    pub fn get(&self) -> *mut T {
        self.0
    }
}

#[expect(unsafe_code, reason = "parallel writes to parts that are not slices")]
// SAFETY: a pointer by itself does nothing; the code that writes through it is responsible for the parts.
unsafe impl<T: Send> Sync for Shared<T> {}
