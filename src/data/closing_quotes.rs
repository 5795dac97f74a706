//! Quoted fields that go on after their closing quote.
//!
//! Spark, MySQL and others write a quotation mark in a field as `\"`. Read as CSV, the mark closes the field, and what follows is appended to
//! it as it stands: the text is mangled without a word. The csv crate does not tell, so the marks are looked at beside it.

use std::collections::VecDeque;

/// What the last mark was.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Outside,
    /// In a quoted field.
    Inside,
    /// A mark in a quoted field, the last byte so far: it closes the field unless another mark follows.
    Closing,
    /// The mark at this offset closed a field, and all bytes since are blanks.
    Blanks(u64),
}

/// Looks for such fields in the bytes of a file.
pub(super) struct ClosingQuotes {
    delimiter: u8,
    state: State,
    /// The byte before the next.
    previous: u8,
    /// Bytes looked at.
    offset: u64,
    /// Offsets of the marks that close a field and are followed by something else than blanks, a delimiter or a line end, from the first
    /// not yet asked for.
    found: VecDeque<u64>,
}

impl ClosingQuotes {
    pub(super) fn new(delimiter: u8) -> Self {
        Self { delimiter, state: State::Outside, previous: b'\n', offset: 0, found: VecDeque::new() }
    }

    /// Looks at the next bytes of the file.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        let Some(last) = bytes.last() else { return };
        let mut doubled = None;
        match self.state {
            State::Closing => {
                self.close(self.offset.saturating_sub(1), bytes);
                doubled = (self.state == State::Inside).then_some(0);
            }
            State::Blanks(at) => self.after_mark(at, bytes),
            State::Outside | State::Inside => {}
        }
        for at in memchr::memchr_iter(b'"', bytes) {
            if doubled == Some(at) {
                continue;
            }
            match self.state {
                State::Inside => match &bytes[at + 1..] {
                    [] => self.state = State::Closing,
                    after => {
                        self.close(self.offset + at as u64, after);
                        doubled = (self.state == State::Inside).then_some(at + 1);
                    }
                },
                _ => {
                    let before = if at == 0 { self.previous } else { bytes[at - 1] };
                    // Anywhere else in a field a mark is an ordinary character.
                    if self.ends_field(before) {
                        self.state = State::Inside;
                    }
                }
            }
        }
        self.previous = *last;
        self.offset += bytes.len() as u64;
    }

    /// A mark in a quoted field, and the bytes after it, of which there is one.
    fn close(&mut self, at: u64, after: &[u8]) {
        match after {
            [b'"', ..] => self.state = State::Inside,
            _ => self.after_mark(at, after),
        }
    }

    /// A mark that closes a field, and bytes after it. Blanks before the end of the field mangle no text.
    fn after_mark(&mut self, at: u64, after: &[u8]) {
        let is_blank = |byte: u8| matches!(byte, b' ' | b'\t') && byte != self.delimiter;
        self.state = match after.iter().find(|byte| !is_blank(**byte)) {
            None => State::Blanks(at),
            Some(next) => {
                if !self.ends_field(*next) {
                    self.found.push_back(at);
                }
                State::Outside
            }
        };
    }

    fn ends_field(&self, byte: u8) -> bool {
        byte == self.delimiter || matches!(byte, b'\n' | b'\r')
    }

    /// Whether there is such a mark before `offset`. Offsets may only grow.
    pub(super) fn any_before(&mut self, offset: u64) -> bool {
        let mut any = false;
        while self.found.front().is_some_and(|at| *at < offset) {
            self.found.pop_front();
            any = true;
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offsets of marks, whatever pieces the bytes come in.
    fn found(text: &str) -> Vec<u64> {
        let pieces = |size: usize| {
            let mut quotes = ClosingQuotes::new(b',');
            text.as_bytes().chunks(size).for_each(|piece| quotes.look(piece));
            Vec::from(quotes.found)
        };
        let whole = pieces(text.len());
        (1..text.len()).for_each(|size| assert_eq!(pieces(size), whole, "{text} in pieces of {size}"));
        whole
    }

    #[test]
    fn marks_that_do_not_end_a_field_are_found() {
        assert_eq!(found("text,label\n\"he said \\\"good\\\" and left\",neg\n"), [21]);
        assert_eq!(found("\"a\\\", b\",1\n\"c\" d,2\n"), [13]);
        assert_eq!(found("\"c\" \t \"d\",2\n"), [2]);
        assert_eq!(found("1,\"a\"b\r\n\"\"\"x\"\"\"y,2\n"), [4, 14]);
    }

    #[test]
    fn files_that_are_right_have_none() {
        for text in [
            "a,\"say \"\"x\"\", \"\"y\"\"\",b\n\"\",\"\"\"\"\r\n\"two\nlines\",\"\"\n",
            "5\" disk,a \"b\" c, \"d\"\n",
            "\"C:\\\",1\n\"\\\\\"\n",
            "\"a\"\r\"b\"\r\n\"c\"\n",
            "\"c\" ,2\n1,\"d\" \t \r\n\"e\"\t\n",
        ] {
            assert!(found(text).is_empty(), "{text}");
        }
    }
}
