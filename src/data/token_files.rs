//! Reading the files of a tokenizer's folder: small ones, which may be missing, and say what they are where they are not what
//! their names promise.

use std::{io, path::Path};

use serde_json::{Map, Value};

use super::DataError;
use crate::{regular, sniff};

/// Bytes of such a file at most. The largest vocabularies that are published have 30 MB.
const MOST: u64 = 256 << 20;

/// What a file holds, where it is there.
pub(super) fn read_optional(dir: &Path, name: &str) -> Result<Option<Vec<u8>>, DataError> {
    let path = dir.join(name);
    match regular::read(&path, MOST) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(DataError::io(&path)(error)),
    }
}

/// The JSON object that a file holds, where it is there.
pub(super) fn object(dir: &Path, name: &str) -> Result<Option<Map<String, Value>>, DataError> {
    let Some(bytes) = read_optional(dir, name)? else { return Ok(None) };
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(map)) => Ok(Some(map)),
        Ok(_) => Err(unusable(dir, name, "expected a JSON object".into())),
        Err(error) => Err(unusable(dir, name, sniff::not_json(&bytes, &error))),
    }
}

/// A file that cannot be used, and why.
pub(super) fn unusable(dir: &Path, name: &str, what: String) -> DataError {
    DataError::Tokenizer { path: dir.join(name), what }
}

/// A file in which a key has a value of the wrong kind.
pub(super) fn malformed(dir: &Path, name: &str, key: &str, expected: &str) -> DataError {
    unusable(dir, name, format!("`{key}` is of the wrong type; expected {expected}"))
}

/// A file that its parser refuses: in the parser's words, and what it is in truth where that can be told.
pub(super) fn unreadable(dir: &Path, name: &str, bytes: &[u8], error: &str) -> DataError {
    let what = match sniff::kind_of(bytes) {
        Some(sniff::FileKind::Json) | None => error.to_owned(),
        Some(kind) => format!("it is {kind}; {error}"),
    };
    unusable(dir, name, what)
}
