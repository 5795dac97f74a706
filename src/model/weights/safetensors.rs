//! Hugging Face's safetensors: the header's length in eight bytes, a JSON header, the numbers of all tensors.

use std::{collections::BTreeMap, fmt, fs::File, io::Read, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};

use super::{
    found::{Found, follow},
    numbers::{Dtype, Stored},
};
use crate::{model::ModelError, regular};

/// The format's limit on a header: a longer one is not a safetensors header.
const LONGEST: u64 = 100_000_000;

/// A file's header.
#[derive(Debug, Default)]
pub(in crate::model) struct Header {
    /// Texts about the file.
    pub metadata: BTreeMap<String, String>,
    tensors: BTreeMap<String, Info>,
    /// Bytes before the numbers.
    length: u64,
}

#[derive(Debug, Deserialize)]
struct Info {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

impl Header {
    /// Reads only the header of a file.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let io = |error| ModelError::Io { path: path.into(), error };
        let mut file = regular::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        Self::of(&mut file, size).map_err(|e| super::found::unreadable(path, e))
    }

    /// Reads the header at the start of a file of `size` bytes.
    fn of(file: &mut impl Read, size: u64) -> Result<Self, String> {
        let mut length = [0u8; 8];
        file.read_exact(&mut length).map_err(|_| "the file is truncated: copy or download it again".to_string())?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST {
            return Err(match length < size {
                true => format!(
                    "its header has {length} bytes, and the format allows {LONGEST}: save the model again, with less metadata"
                ),
                false => "its header has an impossible length".into(),
            });
        }
        if 8 + length > size {
            return Err("the file is truncated within its header: copy or download it again".into());
        }
        let mut json = vec![0u8; length as usize];
        file.read_exact(&mut json).map_err(|e| e.to_string())?;
        let header: Self = serde_json::from_slice(&json).map_err(|e| format!("its header: {e}"))?;
        Ok(Self { length: 8 + length, ..header })
    }
}

/// Implemented by hand: tensors are the keys beside `__metadata__`, and a JSON tree of all would be many times larger.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(key) = map.next_key::<String>()? {
                    if key == "__metadata__" {
                        header.metadata = map.next_value::<Option<BTreeMap<String, String>>>()?.unwrap_or_default();
                    } else if let Some(twice) = header.tensors.insert(key.clone(), map.next_value()?) {
                        return Err(A::Error::custom(format!("tensor {key} occurs twice ({:?})", twice.shape)));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// All tensors of a file of `size` bytes, which must fit the file exactly.
pub(super) fn read(file: &mut File, size: u64) -> Result<Found, String> {
    let Header { tensors, length, .. } = Header::of(file, size)?;
    let mut in_order: Vec<(&String, &Info)> = tensors.iter().collect();
    in_order.sort_by_key(|(_, info)| info.data_offsets);
    let mut end = 0;
    for (name, info) in in_order {
        let (from, to) = info.data_offsets;
        if from != end || to < from {
            return Err(format!(
                "tensor {name}: its bytes {from} to {to} do not follow those before it, which end at {end}"
            ));
        }
        end = to;
        let dtype = dtype(&info.dtype);
        let numbers = info.shape.iter().try_fold(1u64, |n, size| n.checked_mul(*size as u64));
        let bytes = numbers.and_then(|n| n.checked_mul(dtype.bytes()));
        // Types smaller than a byte, and newer types, are not weights; their stated length is accepted.
        if dtype.bytes() > 0 && bytes != Some(to - from) {
            return Err(format!("tensor {name}: {} bytes for shape {:?} of {}", to - from, info.shape, info.dtype));
        }
    }
    match length.checked_add(end) {
        Some(end) if end == size => {}
        Some(end) if end < size => {
            return Err(format!("{} its last tensor", follow(size - end)));
        }
        _ => return Err("the file is truncated: copy or download it again".into()),
    }
    let mut found = Found::default();
    for (name, info) in tensors {
        let dtype = dtype(&info.dtype);
        if dtype.is_weight() {
            let first = length + info.data_offsets.0;
            found.weights.insert(name, Stored { dtype, shape: info.shape, strides: None, first });
        } else {
            found.others.insert(name, info.dtype);
        }
    }
    Ok(found)
}

fn dtype(name: &str) -> Dtype {
    match name {
        "F64" => Dtype::F64,
        "F32" => Dtype::F32,
        "F16" => Dtype::F16,
        "BF16" => Dtype::Bf16,
        "I64" | "U64" | "C64" => Dtype::Other("integers", 8),
        "I32" | "U32" => Dtype::Other("integers", 4),
        "I16" | "U16" => Dtype::Other("integers", 2),
        "I8" | "U8" | "BOOL" => Dtype::Other("integers", 1),
        _ => Dtype::Other("an unknown type", 0),
    }
}
