//! The functions and classes named in a pickle of tensors, and what calling them returns.

use super::{
    numbers::Dtype,
    tables::{Global, Storage, Tables, Value, View},
};

/// The most dimensions of a tensor.
const MOST_DIMENSIONS: usize = 32;

/// Number types, by torch's names and those of their storages.
const DTYPES: [(&str, &str, Dtype); 14] = [
    ("float64", "DoubleStorage", Dtype::F64),
    ("float32", "FloatStorage", Dtype::F32),
    ("float16", "HalfStorage", Dtype::F16),
    ("bfloat16", "BFloat16Storage", Dtype::Bf16),
    ("int64", "LongStorage", Dtype::Other("int64", 8)),
    ("int32", "IntStorage", Dtype::Other("int32", 4)),
    ("int16", "ShortStorage", Dtype::Other("int16", 2)),
    ("int8", "CharStorage", Dtype::Other("int8", 1)),
    ("uint8", "ByteStorage", Dtype::Other("uint8", 1)),
    ("bool", "BoolStorage", Dtype::Other("bool", 1)),
    ("complex64", "ComplexFloatStorage", Dtype::Other("complex64", 8)),
    ("complex128", "ComplexDoubleStorage", Dtype::Other("complex128", 16)),
    ("quint8", "QUInt8Storage", Dtype::Other("quint8", 1)),
    ("qint8", "QInt8Storage", Dtype::Other("qint8", 1)),
];

/// Types without a storage class: their storages count bytes.
const NEWER: [&str; 9] = [
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "float4_e2m1fn_x2",
    "uint16",
    "uint32",
    "uint64",
];

/// Resolves a name.
///
/// # Errors
/// If it is not a function that builds tensors: nothing else is looked up, let alone called.
pub(super) fn global(module: &str, name: &str) -> Result<Global, String> {
    let dtype =
        DTYPES.iter().find(|(dtype, storage, _)| name == *dtype || name == *storage).map(|(_, _, dtype)| *dtype);
    let newer = NEWER.into_iter().find(|dtype| name == *dtype);
    let known = match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(Global::Tensor),
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::TypedTensor),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Some(Global::Parameter),
        ("torch._tensor", "_rebuild_from_type_v2") => Some(Global::OfClass),
        ("torch.storage", "UntypedStorage") => Some(Global::Storage(Dtype::Other("bytes", 1))),
        ("torch" | "torch.cuda", _) if name.ends_with("Storage") => dtype.map(Global::Storage),
        ("torch", "Size" | "device" | "Tensor" | "Generator") => Some(Global::Other),
        ("torch._tensor", "Tensor") | ("torch.nn.parameter", "Parameter" | "Buffer") => Some(Global::Other),
        ("_codecs", "encode") | ("collections", "Counter" | "defaultdict") => Some(Global::Other),
        (
            "builtins" | "__builtin__",
            "set" | "frozenset" | "bytearray" | "int" | "float" | "str" | "bool" | "complex",
        ) => Some(Global::Other),
        ("torch", _) if dtype.is_some() => dtype.map(Global::Dtype),
        ("torch", _) if newer.is_some() => newer.map(|name| Global::Dtype(Dtype::Other(name, 1))),
        ("torch", _) if ["float8_", "uint", "float4_", "bits"].iter().any(|start| name.starts_with(start)) => {
            Some(Global::Dtype(Dtype::Other("of an unknown type", 1)))
        }
        _ => None,
    };
    known.ok_or_else(|| {
        let whole = match module {
            "posix" | "nt" | "os" | "subprocess" | "builtins" | "__builtin__" => "",
            _ => ": it probably holds more than tensors; save only `model.state_dict()`, or better, a safetensors file",
        };
        let named: String = format!("{module}.{name}").chars().take(120).collect();
        format!("it names `{}`, which is not part of a tensor and was not run{whole}", named.escape_debug())
    })
}

/// The result of a call.
pub(super) fn call(tables: &mut Tables, function: Value, arguments: Value) -> Result<Value, String> {
    let Value::Global(function) = function else { return Err("it calls something that is not a name".into()) };
    let arguments = match arguments {
        Value::Tuple(_) => tables.items(arguments).unwrap_or_default().to_vec(),
        _ => return Err("a call in it has no tuple of arguments".into()),
    };
    match function {
        Global::OrderedDict => ordered_dict(tables, &arguments),
        Global::Tensor | Global::TypedTensor => tensor(tables, function, &arguments),
        Global::Parameter => match arguments.first() {
            Some(tensor @ Value::Tensor(_)) => Ok(*tensor),
            _ => Err("a parameter in it has no tensor".into()),
        },
        Global::OfClass => match arguments[..] {
            [Value::Global(function @ (Global::Tensor | Global::TypedTensor)), _, inner @ Value::Tuple(_), ..] => {
                let inner = tables.items(inner).unwrap_or_default().to_vec();
                tensor(tables, function, &inner)
            }
            // A parameter with attributes is a call of a function for parameters, with an argument that is already a tensor.
            [Value::Global(Global::Parameter), _, inner @ Value::Tuple(_), ..] => {
                match tables.items(inner).unwrap_or_default().first() {
                    Some(tensor @ Value::Tensor(_)) => Ok(*tensor),
                    _ => Err("a parameter in it has no tensor".into()),
                }
            }
            _ => Err("a tensor in it is built in an unknown way".into()),
        },
        Global::Storage(_) | Global::Dtype(_) | Global::Other => Ok(Value::Other),
    }
}

/// An ordered dictionary, from a list of pairs if there is one.
fn ordered_dict(tables: &mut Tables, arguments: &[Value]) -> Result<Value, String> {
    let mut pairs = Vec::new();
    if let Some(list) = arguments.first() {
        let items = tables.items(*list).ok_or("a dictionary in it is built from something that is not a list")?;
        for item in items {
            match tables.items(*item) {
                Some([key, value]) => pairs.push((*key, *value)),
                _ => return Err("a dictionary in it is built from items that are not pairs".into()),
            }
        }
    }
    Ok(tables.dict(pairs))
}

fn tensor(tables: &mut Tables, function: Global, arguments: &[Value]) -> Result<Value, String> {
    let [Value::Storage(storage), Value::Int(offset), shape, strides, ..] = arguments else {
        return Err("a tensor in it lacks its storage, offset, shape or strides".into());
    };
    let dtype = match (function, arguments.get(6)) {
        (Global::TypedTensor, Some(Value::Global(Global::Dtype(dtype)))) => *dtype,
        (Global::TypedTensor, _) => return Err("a tensor in it lacks the type of its numbers".into()),
        _ => tables.storages[*storage].dtype,
    };
    let view = View {
        dtype,
        storage: *storage,
        offset: u64::try_from(*offset).map_err(|_| format!("a tensor in it begins at the offset {offset}"))?,
        shape: sizes(tables, *shape)?,
        strides: sizes(tables, *strides)?,
    };
    tables.tensors.push(view);
    Ok(Value::Tensor(tables.tensors.len() - 1))
}

/// A tuple of sizes.
fn sizes(tables: &Tables, value: Value) -> Result<Vec<usize>, String> {
    let items = tables.items(value).ok_or("a tensor in it has a shape or strides that are not a tuple")?;
    if items.len() > MOST_DIMENSIONS {
        return Err(format!("a tensor in it has {} dimensions", items.len()));
    }
    let size = |item: &Value| match item {
        Value::Int(size) => {
            usize::try_from(*size).map_err(|_| format!("a tensor in it has a size or stride of {size}"))
        }
        _ => Err("a tensor in it has a size or stride that is not an integer".into()),
    };
    items.iter().map(size).collect()
}

/// The storage of an identifier: `("storage", class, key, location, numbers)`, in older files with a view
/// `(key of the part, offset, numbers)`.
pub(super) fn storage(tables: &Tables, id: Value) -> Result<Storage, String> {
    let unknown = || Err("it refers to something that is not a storage".to_string());
    let Some(&[Value::Text(word), Value::Global(Global::Storage(dtype)), key, _, Value::Int(numbers), ref rest @ ..]) =
        tables.items(id)
    else {
        return unknown();
    };
    let key = match key {
        Value::Text(key) => tables.text(key).map(String::from),
        Value::Int(key) => Some(key.to_string()),
        _ => None,
    };
    let (Some("storage"), Some(key), Ok(numbers)) = (tables.text(word), key, u64::try_from(numbers)) else {
        return unknown();
    };
    let whole = Storage { dtype, key, numbers, offset: 0 };
    match rest.first() {
        None | Some(Value::Nothing) => Ok(whole),
        Some(part) => match tables.items(*part) {
            Some(&[_, Value::Int(offset), Value::Int(length)]) => {
                let (Ok(offset), Ok(length)) = (u64::try_from(offset), u64::try_from(length)) else { return unknown() };
                match offset.checked_add(length) {
                    Some(end) if end <= whole.numbers => Ok(Storage { offset, ..whole }),
                    _ => Err("a part of a storage in it reaches beyond the storage".into()),
                }
            }
            _ => unknown(),
        },
    }
}
