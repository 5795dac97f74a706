//! The values that a pickle of tensors builds, and tables of the larger ones.

use super::numbers::Dtype;

/// A name that a pickle may contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and its second version.
    Tensor,
    /// Its third version, which states the number type itself.
    TypedTensor,
    /// A parameter: its first argument is the tensor.
    Parameter,
    /// A tensor subclass: the function that rebuilds it, its class, the arguments, its attributes.
    OfClass,
    /// The class of a storage.
    Storage(Dtype),
    /// The type of a tensor's numbers.
    Dtype(Dtype),
    /// A function that creates something other than a part of a tensor.
    Other,
}

/// A storage named in a pickle.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    pub dtype: Dtype,
    /// The key of its bytes.
    pub key: String,
    /// The number of its values.
    pub numbers: u64,
    /// Offset of its first number in the storage of that key, if it is a part of one.
    pub offset: u64,
}

/// A tensor: a view of a storage.
#[derive(Debug, Clone)]
pub(super) struct View {
    pub dtype: Dtype,
    /// Index in the pickle's table.
    pub storage: usize,
    pub offset: u64,
    pub shape: Vec<usize>,
    pub strides: Vec<usize>,
}

/// A text or byte string in the pickle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub from: usize,
    pub to: usize,
}

/// A value; larger ones are in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    Nothing,
    Bool(bool),
    Int(i64),
    Text(Span),
    Tuple(usize),
    List(usize),
    Dict(usize),
    Global(Global),
    Storage(usize),
    Tensor(usize),
    /// A value that is not part of a tensor: a float, bytes, a set.
    Other,
}

/// The tables, which values refer to by index.
pub(super) struct Tables<'a> {
    pub bytes: &'a [u8],
    pub sequences: Vec<Vec<Value>>,
    pub dicts: Vec<Vec<(Value, Value)>>,
    pub storages: Vec<Storage>,
    pub tensors: Vec<View>,
}

impl<'a> Tables<'a> {
    /// The text; `None` for bytes that are not valid UTF-8.
    pub fn text(&self, span: Span) -> Option<&'a str> {
        std::str::from_utf8(&self.bytes[span.from..span.to]).ok()
    }

    /// The items of a tuple or a list.
    pub fn items(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Tuple(index) | Value::List(index) => Some(&self.sequences[index]),
            _ => None,
        }
    }

    /// The pairs of a dictionary, in the order in which they were set.
    pub fn pairs(&self, value: Value) -> Option<&[(Value, Value)]> {
        match value {
            Value::Dict(index) => Some(&self.dicts[index]),
            _ => None,
        }
    }

    /// Adds a dictionary.
    pub fn dict(&mut self, pairs: Vec<(Value, Value)>) -> Value {
        self.dicts.push(pairs);
        Value::Dict(self.dicts.len() - 1)
    }
}
