//! The elements of a JSON array, one after the other: a file of any size in constant memory.

use std::io::{self, BufRead};

use super::{input_fault::InputFault, json_fault::begins_character, row_limit::MAX_ROW};

/// An array that is being read.
#[derive(Default)]
pub(super) struct Array {
    state: State,
    /// Line breaks passed.
    breaks: u64,
    /// Characters passed of the line.
    passed: u64,
    /// Characters before the last object in its line.
    before: u64,
}

#[derive(Default, Clone, Copy, PartialEq)]
enum State {
    /// Before the opening bracket.
    #[default]
    Start,
    /// After the bracket: an element or the end.
    First,
    /// After an element: a comma or the end.
    After,
    /// After a comma: an element.
    Next,
    /// After the closing bracket.
    End,
}

/// Why there is no next element. With the line.
pub(super) enum ArrayFault {
    Io(io::Error, u64),
    Json(String, u64),
}

impl Array {
    /// How many characters of its line are before the last object.
    pub(super) fn before(&self) -> u64 {
        self.before
    }

    /// Fills `buffer` with the bytes of the next element, which need not be sound, and returns the line on which it begins.
    pub(super) fn next(&mut self, reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> Result<Option<u64>, ArrayFault> {
        buffer.clear();
        loop {
            let (byte, line, column) = (self.peek(reader)?, self.breaks + 1, self.passed + 1);
            let wrong = |expected: &str| {
                let found = byte.map_or("end of file".into(), |byte| match byte {
                    0x20..0x7F => format!("`{}`", char::from(byte)),
                    _ => format!("byte {byte:#04x}"),
                });
                Err(ArrayFault::Json(format!("column {column}: unexpected {found}; expected {expected}"), line))
            };
            match (self.state, byte) {
                (_, Some(b' ' | b'\t' | b'\r' | b'\n')) => self.pass(reader, byte),
                (State::Start, Some(b'[')) => {
                    self.state = State::First;
                    self.pass(reader, byte);
                }
                (State::Start, _) => return wrong("the `[` of a JSON array"),
                (State::First | State::After, Some(b']')) => {
                    self.state = State::End;
                    self.pass(reader, byte);
                }
                (State::After, Some(b',')) => {
                    self.state = State::Next;
                    self.pass(reader, byte);
                }
                (State::After, _) => return wrong("a comma or the `]` of the array"),
                (State::First | State::Next, Some(b'{')) => {
                    self.before = self.passed;
                    self.object(reader, buffer, (line, column))?;
                    self.state = State::After;
                    return Ok(Some(line));
                }
                (State::Next, Some(b']')) => {
                    let what = "a comma before the `]` of the array: remove the comma";
                    return Err(ArrayFault::Json(format!("column {column}: {what}"), line));
                }
                (State::First, _) => return wrong("an object of the array"),
                (State::Next, _) => return wrong("another object of the array"),
                (State::End, None) => return Ok(None),
                (State::End, _) => return wrong("the end of the file, after the array"),
            }
        }
    }

    /// Copies an object: up to the brace that closes its first, braces in strings aside.
    fn object(
        &mut self,
        reader: &mut impl BufRead,
        buffer: &mut Vec<u8>,
        (line, column): (u64, u64),
    ) -> Result<(), ArrayFault> {
        let (mut depth, mut in_string, mut escaped) = (0u64, false, false);
        loop {
            let Some(byte) = self.peek(reader)? else {
                let what = format!("column {column}: the file ends within the object that begins here");
                return Err(ArrayFault::Json(what, line));
            };
            self.pass(reader, Some(byte));
            if buffer.len() as u64 >= MAX_ROW {
                return Err(ArrayFault::Io(InputFault::RowTooLong.into(), line));
            }
            buffer.push(byte);
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_string => escaped = true,
                b'"' => in_string = !in_string,
                b'{' if !in_string => depth += 1,
                b'}' if !in_string => {
                    depth -= 1;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => {}
            }
        }
    }

    fn peek(&self, reader: &mut impl BufRead) -> Result<Option<u8>, ArrayFault> {
        loop {
            match reader.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArrayFault::Io(error, self.breaks + 1)),
            }
        }
    }

    fn pass(&mut self, reader: &mut impl BufRead, byte: Option<u8>) {
        (self.breaks, self.passed) = match byte {
            Some(b'\n') => (self.breaks + 1, 0),
            byte => (self.breaks, self.passed + u64::from(byte.is_some_and(begins_character))),
        };
        reader.consume(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Something with its line.
    type Lined = (u64, String);

    /// Each element; the error.
    fn elements(text: &str) -> (Vec<Lined>, Option<Lined>) {
        let (mut array, mut reader, mut buffer) = (Array::default(), text.as_bytes(), Vec::new());
        let mut found = Vec::new();
        loop {
            match array.next(&mut reader, &mut buffer) {
                Ok(Some(line)) => found.push((line, String::from_utf8_lossy(&buffer).into_owned())),
                Ok(None) => return (found, None),
                Err(ArrayFault::Json(what, line)) => return (found, Some((line, what))),
                Err(ArrayFault::Io(error, line)) => return (found, Some((line, error.to_string()))),
            }
        }
    }

    #[test]
    fn elements_come_one_by_one() {
        let (found, error) = elements(" [\n{\"a\": \"}]\\\"{\"},\n\n  {\"b\": {\"c\": [1, {}]}} ] \n");
        assert_eq!(found, [(2, "{\"a\": \"}]\\\"{\"}".into()), (4, "{\"b\": {\"c\": [1, {}]}}".into())]);
        assert_eq!(error, None);
        assert_eq!(elements("[]"), (vec![], None));
    }

    #[test]
    fn errors_between_elements_have_their_line() {
        for (text, line, want) in [
            ("{}", 1, "column 1: unexpected `{`; expected the `[` of a JSON array"),
            ("[\n1]", 2, "column 1: unexpected `1`; expected an object of the array"),
            ("[{},", 1, "column 5: unexpected end of file; expected another object of the array"),
            ("[{}\n{}]", 2, "column 1: unexpected `{`; expected a comma or the `]` of the array"),
            ("[{},\n ]", 2, "column 2: a comma before the `]` of the array: remove the comma"),
            ("[{}", 1, "column 4: unexpected end of file; expected a comma or the `]` of the array"),
            ("[\n{\"a\": \"\n", 2, "column 1: the file ends within the object that begins here"),
            ("[{\"好\": 1} 2]", 1, "column 11: unexpected `2`; expected a comma or the `]` of the array"),
            ("[] x", 1, "column 4: unexpected `x`; expected the end of the file, after the array"),
        ] {
            assert_eq!(elements(text).1, Some((line, want.to_string())), "{text}");
        }
    }
}
