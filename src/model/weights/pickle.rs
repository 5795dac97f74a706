//! A pickle reader that knows tensors and executes nothing.
//!
//! A pickle is a program for a stack machine. This machine has the instructions of protocols 2 to 5 and a short list of names
//! ([`super::rebuild::global`]); any other name is refused. Values are stored in tables and referred to by index: there are no trees, so
//! depth and sharing cost nothing, and memory is bounded by the number of
//! instructions.

use std::collections::HashMap;

use super::{
    rebuild,
    tables::{Span, Tables, Value},
};

/// The most instructions: a model with a hundred thousand tensors needs fewer.
const MOST_INSTRUCTIONS: usize = 1 << 22;

/// The machine: its tables hold the values.
pub(super) struct Pickle<'a> {
    pub tables: Tables<'a>,
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

impl<'a> Pickle<'a> {
    /// A machine for the pickle at the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            tables: Tables {
                bytes,
                sequences: Vec::new(),
                dicts: Vec::new(),
                storages: Vec::new(),
                tensors: Vec::new(),
            },
            at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// Runs the pickle to its end; returns its value, and the offset at which it ended.
    pub fn run(&mut self) -> Result<(Value, usize), String> {
        for _ in 0..MOST_INSTRUCTIONS {
            if let Some(value) = self.step()? {
                return Ok((value, self.at));
            }
        }
        Err("it has more instructions than any model needs".into())
    }

    fn take(&mut self, length: usize) -> Result<Span, String> {
        let to = self.at.checked_add(length).filter(|to| *to <= self.tables.bytes.len());
        let span = Span { from: self.at, to: to.ok_or("it is truncated")? };
        self.at = span.to;
        Ok(span)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let span = self.take(N)?;
        Ok(self.tables.bytes[span.from..span.to].try_into().expect("as many bytes as were taken"))
    }

    /// A length in four or eight bytes.
    fn length<const N: usize>(&mut self) -> Result<usize, String> {
        let mut bytes = [0u8; 8];
        bytes[..N].copy_from_slice(&self.number::<N>()?);
        usize::try_from(u64::from_le_bytes(bytes)).map_err(|_| "it is truncated".into())
    }

    /// The rest of the line.
    fn line(&mut self) -> Result<Span, String> {
        let length = self.tables.bytes[self.at..].iter().position(|byte| *byte == b'\n').ok_or("it is truncated")?;
        let span = self.take(length)?;
        self.at += 1;
        Ok(span)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Result<Value, String> {
        // Values below the last mark belong to the code that set it.
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len() > floor {
            true => self.stack.pop().ok_or_else(|| "its stack is empty".into()),
            false => Err("it takes a value where there is none".into()),
        }
    }

    fn top(&self) -> Result<Value, String> {
        self.stack.last().copied().ok_or_else(|| "its stack is empty".into())
    }

    /// All values above the last mark.
    fn above_mark(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.marks.pop().ok_or("it asks for a mark where there is none")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn sequence(&mut self, items: Vec<Value>) -> usize {
        self.tables.sequences.push(items);
        self.tables.sequences.len() - 1
    }

    fn tuple(&mut self, items: Vec<Value>) {
        let index = self.sequence(items);
        self.push(Value::Tuple(index));
    }

    fn list(&mut self, items: Vec<Value>) {
        let index = self.sequence(items);
        self.push(Value::List(index));
    }

    fn append(&mut self, items: Vec<Value>) -> Result<(), String> {
        match self.top()? {
            Value::List(index) => self.tables.sequences[index].extend(items),
            Value::Other => {}
            _ => return Err("it appends to something that is not a list".into()),
        }
        Ok(())
    }

    fn set(&mut self, items: &[Value]) -> Result<(), String> {
        let (pairs, []) = items.as_chunks::<2>() else { return Err("a key of a dictionary has no value".into()) };
        match self.top()? {
            Value::Dict(index) => self.tables.dicts[index].extend(pairs.iter().map(|[key, value]| (*key, *value))),
            Value::Other => {}
            _ => return Err("it sets keys of something that is not a dictionary".into()),
        }
        Ok(())
    }

    fn global(&mut self, module: Span, name: Span) -> Result<(), String> {
        let (module, name) = (self.tables.text(module).unwrap_or("?"), self.tables.text(name).unwrap_or("?"));
        let global = rebuild::global(module, name)?;
        self.push(Value::Global(global));
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), String> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), String> {
        let value = *self.memo.get(&index).ok_or("it recalls what it never stored")?;
        self.push(value);
        Ok(())
    }

    /// Executes one instruction; returns the pickle's value at its end.
    fn step(&mut self) -> Result<Option<Value>, String> {
        let [code] = self.number::<1>()?;
        match code {
            // Protocol, and frames, which are lengths of parts that are read at a time.
            0x80 => drop(self.number::<1>()?),
            0x95 => drop(self.number::<8>()?),
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                // Python returns the mark itself if nothing is above it.
                match self.marks.last() {
                    Some(mark) if *mark == self.stack.len() => drop(self.marks.pop()),
                    _ => drop(self.pop()?),
                }
            }
            b'1' => drop(self.above_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push(top);
            }

            b'N' => self.push(Value::Nothing),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let value = i32::from_le_bytes(self.number()?);
                self.push(Value::Int(value.into()));
            }
            b'K' => {
                let [value] = self.number()?;
                self.push(Value::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.number()?);
                self.push(Value::Int(value.into()));
            }
            0x8a => {
                let [length] = self.number::<1>()?;
                self.long(length.into())?;
            }
            0x8b => {
                let length = self.length::<4>()?;
                self.long(length)?;
            }
            b'G' => {
                self.number::<8>()?;
                self.push(Value::Other);
            }

            // Texts; those of Python 2 are bytes, like most of its names.
            b'X' => self.counted::<4>(Value::Text)?,
            0x8d => self.counted::<8>(Value::Text)?,
            b'T' => self.counted::<4>(Value::Text)?,
            0x8c | b'U' => self.counted::<1>(Value::Text)?,
            b'B' => self.counted::<4>(|_| Value::Other)?,
            b'C' => self.counted::<1>(|_| Value::Other)?,
            0x8e | 0x96 => self.counted::<8>(|_| Value::Other)?,

            b')' => self.tuple(Vec::new()),
            b't' => {
                let items = self.above_mark()?;
                self.tuple(items);
            }
            0x85..=0x87 => {
                let mut items = Vec::new();
                for _ in 0x84..code {
                    items.push(self.pop()?);
                }
                items.reverse();
                self.tuple(items);
            }
            b']' => self.list(Vec::new()),
            b'l' => {
                let items = self.above_mark()?;
                self.list(items);
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.above_mark()?;
                self.append(items)?;
            }
            b'}' => {
                let dict = self.tables.dict(Vec::new());
                self.push(dict);
            }
            b'd' => {
                let items = self.above_mark()?;
                let dict = self.tables.dict(Vec::new());
                self.push(dict);
                self.set(&items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.above_mark()?;
                self.set(&items)?;
            }
            // Sets hold no tensors.
            0x8f => self.push(Value::Other),
            0x90 => drop(self.above_mark()?),
            0x91 => {
                self.above_mark()?;
                self.push(Value::Other);
            }

            b'q' => {
                let [index] = self.number::<1>()?;
                self.remember(index.into())?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.number()?);
                self.remember(index)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let [index] = self.number::<1>()?;
                self.recall(index.into())?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.number()?);
                self.recall(index)?;
            }

            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.global(module, name)?;
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (module, name) else {
                    return Err("a name in it is not a string".into());
                };
                self.global(module, name)?;
            }
            // A function call, and a new object of a class: the same for the few known names.
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                let value = rebuild::call(&mut self.tables, function, arguments)?;
                self.push(value);
            }
            // Attributes of an object, such as `_metadata` of a state_dict.
            b'b' => {
                self.pop()?;
                self.top()?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = rebuild::storage(&self.tables, id)?;
                self.tables.storages.push(storage);
                self.push(Value::Storage(self.tables.storages.len() - 1));
            }
            code => {
                let shown =
                    if code.is_ascii_graphic() { char::from(code).to_string() } else { format!("0x{code:02x}") };
                return Err(format!("its instruction `{shown}` is not one that torch.save writes"));
            }
        }
        Ok(None)
    }

    /// A whole number of any length; larger ones than a word are not part of a tensor.
    fn long(&mut self, length: usize) -> Result<(), String> {
        let span = self.take(length)?;
        let bytes = &self.tables.bytes[span.from..span.to];
        let value = match bytes.last() {
            None => Value::Int(0),
            Some(last) if bytes.len() <= 8 => {
                let mut word = [if *last >= 0x80 { 0xff } else { 0 }; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                Value::Int(i64::from_le_bytes(word))
            }
            Some(_) => Value::Other,
        };
        self.push(value);
        Ok(())
    }

    /// A text or bytes after their length of `N` bytes.
    fn counted<const N: usize>(&mut self, value: impl Fn(Span) -> Value) -> Result<(), String> {
        let length = self.length::<N>()?;
        let span = self.take(length)?;
        self.push(value(span));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(bytes: &[u8]) -> Result<Value, String> {
        Pickle::new(bytes).run().map(|(value, _)| value)
    }

    #[test]
    fn values_are_those_of_python() {
        assert_eq!(run(b"\x80\x02K\x05."), Ok(Value::Int(5)));
        assert_eq!(run(b"\x80\x02J\xfe\xff\xff\xff."), Ok(Value::Int(-2)));
        assert_eq!(run(b"\x80\x02\x8a\x02\x00\x80."), Ok(Value::Int(-32768)));
        assert_eq!(run(b"\x80\x02\x8a\x00."), Ok(Value::Int(0)));
        assert_eq!(run(b"\x80\x02\x88."), Ok(Value::Bool(true)));
        // {"a": (1, 2)}
        let mut pickle = Pickle::new(b"\x80\x04\x95\x0c\0\0\0\0\0\0\0}\x94\x8c\x01a\x94K\x01K\x02\x86\x94s.");
        let (value, end) = pickle.run().unwrap();
        assert_eq!(end, 25);
        let (Value::Text(key), tuple) = pickle.tables.pairs(value).unwrap()[0] else { panic!("no text") };
        assert_eq!(pickle.tables.text(key), Some("a"));
        assert_eq!(pickle.tables.items(tuple).unwrap(), [Value::Int(1), Value::Int(2)]);
    }

    /// 416 bytes that would be 2^128 values, a million nested tuples, and a text of four gigabytes.
    #[test]
    fn small_pickles_stay_small() {
        let mut doubling = b"\x80\x02]q\0".to_vec();
        doubling.extend(b"h\0h\0\x86q\0".repeat(10_000));
        doubling.push(b'.');
        assert!(matches!(run(&doubling), Ok(Value::Tuple(_))));
        let deep = [b"\x80\x02N".to_vec(), vec![0x85; 1_000_000], b".".to_vec()].concat();
        assert!(matches!(run(&deep), Ok(Value::Tuple(_))));
        let marks = [b"\x80\x02".to_vec(), vec![b'('; 300_000], vec![b't'; 300_000], b".".to_vec()].concat();
        assert!(matches!(run(&marks), Ok(Value::Tuple(_))));
        assert_eq!(run(b"\x80\x02X\xff\xff\xff\xffabc."), Err("it is truncated".into()));
        assert_eq!(run(b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc."), Err("it is truncated".into()));
        assert!(run(&vec![b'N'; MOST_INSTRUCTIONS + 1]).unwrap_err().contains("more instructions"));
    }

    #[test]
    fn broken_programs_are_refused() {
        for (bytes, words) in [
            (&b"\x80\x02"[..], "truncated"),
            (b".", "where there is none"),
            (b"(.", "where there is none"),
            (b"t.", "mark"),
            (b"h\x07.", "never stored"),
            (b"Na.", "stack is empty"),
            (b"NNa.", "not a list"),
            (b"}s.", "where there is none"),
            (b"}(K\x01u.", "has no value"),
            (b"cposix\nsystem\n.", "posix.system"),
            (b"\x8c\x05posix\x8c\x06system\x93.", "posix.system"),
            (b"K\x01K\x02\x93.", "not a string"),
            (b"I5\n.", "`I`"),
            (b"\xff.", "0xff"),
            (b"NQ.", "storage"),
        ] {
            let error = run(bytes).expect_err(words);
            assert!(error.contains(words), "{error}");
        }
    }
}
