//! PyTorch's own formats: a zip archive since 1.6, consecutive pickles before.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use super::{
    found::{Found, follow},
    numbers::Stored,
    pickle::Pickle,
    tables::Value,
    zip,
};

/// The magic number of files before 1.6, as a pickle of its own.
const MAGIC: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";
/// The most bytes of a file's pickles: a model with a hundred thousand tensors has fewer.
const LONGEST: u64 = 64 << 20;
/// Tensors may share numbers. Together they may have at most this many numbers per byte of the file.
const SHARED: u64 = 2;

/// Offset and length in bytes of each storage.
type StorageRanges = BTreeMap<String, (u64, u64)>;

/// All tensors of a file of `size` bytes.
pub(super) fn read(file: &mut File, size: u64) -> Result<Found, String> {
    let mut head = [0; 2];
    file.read_exact(&mut head).map_err(|_| "the file is truncated: copy or download it again")?;
    match head == *b"PK" {
        true => archive(file, size),
        false => sequence(file, size),
    }
}

/// A zip archive: one pickle, and a part for each storage.
fn archive(file: &mut File, size: u64) -> Result<Found, String> {
    let parts = zip::parts(file, size)?;
    let mut pickles = parts.keys().filter(|name| name.split('/').count() == 2 && name.ends_with("/data.pkl"));
    let name = match (pickles.next(), pickles.next()) {
        (Some(name), None) => name,
        (Some(_), Some(_)) => return Err("it holds several pickles, which torch.save never writes".into()),
        (None, _) => return Err("it is a zip archive without the pickle (data.pkl) that torch.save writes".into()),
    };
    let folder = name.trim_end_matches("data.pkl");
    let order = format!("{folder}byteorder");
    if let Some(part) = parts.get(&order)
        && part.read(&order, file, size, 64)?.trim_ascii() != b"little"
    {
        return Err("its numbers are big-endian, which taper does not support".into());
    }
    let bytes = parts[name].read(name, file, size, LONGEST)?;
    let mut pickle = Pickle::new(&bytes);
    let (value, _) = pickle.run().map_err(|e| format!("its pickle: {e}"))?;
    let mut ranges = StorageRanges::new();
    for storage in &pickle.tables.storages {
        if ranges.contains_key(&storage.key) {
            continue;
        }
        let name = format!("{folder}data/{}", storage.key);
        let part = parts.get(&name).ok_or_else(|| format!("its entry {name} is missing"))?;
        ranges.insert(storage.key.clone(), (part.start(&name, file, size)?, part.size));
    }
    found(&pickle, value, &ranges, size)
}

/// Consecutive pickles: the magic number, the version, the system, the tensors, the keys of the storages; then the storages in that order,
/// each after its length.
fn sequence(file: &mut File, size: u64) -> Result<Found, String> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(|e| e.to_string())?;
    file.take(LONGEST.min(size)).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    let mut at = 0;
    let next = |at: &mut usize, what: &str| {
        let mut pickle = Pickle::new(&bytes[*at..]);
        let (value, end) = pickle.run().map_err(|e| format!("its pickle of {what}: {e}"))?;
        *at += end;
        Ok::<_, String>((pickle, value))
    };
    let begins_so = next(&mut at, "its kind").is_ok() && bytes[..at].windows(MAGIC.len()).any(|window| window == MAGIC);
    if !begins_so {
        return Err("it is not a file that torch.save wrote".into());
    }
    let (_, version) = next(&mut at, "its version")?;
    if version != Value::Int(1001) {
        return Err("it has an unknown version of torch.save's format".into());
    }
    let (system, value) = next(&mut at, "the system")?;
    let is_big = |(key, value): &(Value, Value)| {
        matches!(key, Value::Text(key) if system.tables.text(*key) == Some("little_endian"))
            && *value == Value::Bool(false)
    };
    if system.tables.pairs(value).is_some_and(|pairs| pairs.iter().any(is_big)) {
        return Err("its numbers are big-endian, which taper does not support".into());
    }
    let (pickle, tensors) = next(&mut at, "the tensors")?;
    let (list, keys) = next(&mut at, "the storages")?;
    let keys = list.tables.items(keys).ok_or("its storages are not a list")?;

    let mut ranges = StorageRanges::new();
    let mut at = at as u64;
    // Looked up by key: there may be very many.
    let widths: BTreeMap<&str, u64> =
        pickle.tables.storages.iter().map(|storage| (storage.key.as_str(), storage.dtype.bytes())).collect();
    for key in keys {
        let key = match key {
            Value::Text(key) => list.tables.text(*key).map(String::from),
            Value::Int(key) => Some(key.to_string()),
            _ => None,
        };
        let key = key.ok_or("a storage key is not a string")?;
        let width = *widths.get(key.as_str()).ok_or_else(|| format!("its storage {key} belongs to no tensor"))?;
        let mut count = [0u8; 8];
        file.seek(SeekFrom::Start(at))
            .and_then(|_| file.read_exact(&mut count))
            .map_err(|_| "the file is truncated: copy or download it again")?;
        let length = u64::from_le_bytes(count).checked_mul(width);
        let end = length.and_then(|length| length.checked_add(at + 8)).filter(|end| *end <= size);
        let end = end.ok_or_else(|| {
            format!("the file is truncated, or the length of its storage {key} is wrong: copy or download it again")
        })?;
        if ranges.insert(key.clone(), (at + 8, end - at - 8)).is_some() {
            return Err(format!("its storage {key} occurs twice"));
        }
        at = end;
    }
    if at != size {
        return Err(format!("{} its last storage", follow(size - at)));
    }
    found(&pickle, tensors, &ranges, size)
}

/// The tensors of a dictionary, each checked against its storage.
fn found(pickle: &Pickle, value: Value, ranges: &StorageRanges, size: u64) -> Result<Found, String> {
    let pairs = pickle.tables.pairs(value).ok_or("it holds no dictionary of tensors (a state_dict)")?;
    for storage in &pickle.tables.storages {
        let Some((_, bytes)) = ranges.get(&storage.key) else {
            return Err(format!("its storage {} is missing", storage.key));
        };
        let width = storage.dtype.bytes();
        if storage.numbers != bytes / width {
            return Err(format!(
                "its storage {} has {bytes} bytes where {} numbers of {width} bytes were stored",
                storage.key, storage.numbers
            ));
        }
    }
    let (mut found, mut below, mut total) = (Found::default(), Vec::new(), 0u64);
    for (key, value) in pairs {
        let name = match key {
            Value::Text(name) => pickle.tables.text(*name).ok_or("the name of a tensor is not UTF-8")?,
            _ => continue,
        };
        match value {
            Value::Tensor(index) => {
                let view = &pickle.tables.tensors[*index];
                // In Python's dictionaries the last value of a key counts.
                found.weights.remove(name);
                found.others.remove(name);
                if !view.dtype.is_weight() {
                    let super::numbers::Dtype::Other(dtype, _) = view.dtype else { continue };
                    found.others.insert(name.into(), dtype.into());
                    continue;
                }
                let storage = &pickle.tables.storages[view.storage];
                let (start, bytes) = ranges[&storage.key];
                let offset = view.offset.checked_add(storage.offset).ok_or("an offset in it is impossible")?;
                let numbers = bytes / view.dtype.bytes();
                let stored =
                    Stored::within(view.dtype, view.shape.clone(), view.strides.clone(), offset, start, numbers)
                        .map_err(|e| format!("tensor {name}: {e}"))?;
                total = total.saturating_add(stored.count() as u64);
                if total > size.saturating_mul(SHARED) {
                    return Err(format!(
                        "tensor {name}: it and those before it have more numbers than such a file can hold"
                    ));
                }
                found.weights.insert(name.into(), stored);
            }
            Value::Dict(_) => below.push(name),
            _ => {}
        }
    }
    if found.weights.is_empty()
        && let Some(name) = below.iter().find(|name| ["state_dict", "model", "model_state_dict"].contains(name))
    {
        return Err(format!("its tensors are below `{name}`: save that dictionary alone"));
    }
    Ok(found)
}
