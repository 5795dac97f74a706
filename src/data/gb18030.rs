//! The form of GB18030 (with GBK and GB2312, which are parts of it), as Chinese Windows writes.

/// Checks bytes against the form: sequences of one, two or four bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Gb18030 {
    /// Bytes of the sequence begun.
    begun: u8,
    wrong: bool,
    /// Two-byte sequences whose second byte is no ASCII: nearly all of Chinese, and few of what Latin letters come to.
    high: u64,
    /// The others.
    low: u64,
}

impl Gb18030 {
    pub(super) fn take(&mut self, byte: u8) {
        self.begun = match (self.begun, byte) {
            (0, 0..=0x7F) => 0,
            (0, 0x81..=0xFE) => 1,
            (1, 0x80..=0xFE) => {
                self.high += 1;
                0
            }
            (1, 0x40..=0x7E) => {
                self.low += 1;
                0
            }
            (1, 0x30..=0x39) => 2,
            (2, 0x81..=0xFE) => 3,
            (3, 0x30..=0x39) => 0,
            _ => {
                self.wrong = true;
                0
            }
        };
    }

    /// Whether the bytes read as Chinese, but for an end inside a character.
    pub(super) fn is_likely(self) -> bool {
        !self.wrong && self.high > self.low
    }

    /// Whether the bytes end inside a character.
    pub(super) fn is_cut(self) -> bool {
        self.begun != 0
    }
}

impl<'a> FromIterator<&'a u8> for Gb18030 {
    fn from_iter<I: IntoIterator<Item = &'a u8>>(bytes: I) -> Self {
        let mut form = Self::default();
        bytes.into_iter().for_each(|byte| form.take(*byte));
        form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_bytes_that_read_as_chinese_are_taken_for_it() {
        let likely = |bytes: &[u8]| {
            let form: Gb18030 = bytes.iter().collect();
            form.is_likely() && !form.is_cut()
        };
        // 很好 and 㐂 (four bytes) as Python's gb18030 codec writes them.
        assert!(likely(b"0,\xBA\xDC\xBA\xC3\n") && likely(b"\xBA\xDC\x81\x39\xEF\x34"));
        // Latin-1: café, naïve, “für” before a comma; half a character; UTF-8 with one byte lost; no Chinese at all.
        for other in
            [b"caf\xE9,1".as_slice(), b"na\xEFve caf\xE9s", b"f\xFCr", b"\xBA", b"\xE5\xBE,\xE5\xA5\xBD\n", b"abc"]
        {
            assert!(!likely(other), "{other:?}");
        }
    }
}
