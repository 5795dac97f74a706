//! The keys of a config.json, read one by one with bounds.

use std::{fmt, path::Path};

use serde_json::{Map, Value};

use super::ModelError;
use crate::{regular, sniff};

/// Largest config.json, in bytes.
const LONGEST: u64 = 16 << 20;

/// A file's keys, read one by one so that messages can name invalid ones.
pub struct Keys<'a>(pub &'a Map<String, Value>);

impl Keys<'_> {
    /// A key's value; `null` counts as absent.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// The error of a key that is not as expected.
    pub fn wrong<T>(&self, key: &str, expected: impl fmt::Display) -> Result<T, String> {
        let mut value = self.0.get(key).map_or_else(|| "missing".into(), Value::to_string);
        if let Some((cut, _)) = value.char_indices().nth(80) {
            value.truncate(cut);
            value.push('…');
        }
        Err(format!("`{key}` is {value}; expected {expected}"))
    }

    /// A text.
    pub fn text(&self, key: &str) -> Result<Option<&str>, String> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => self.wrong(key, "a string"),
        }
    }

    /// A boolean; false by default.
    pub fn truth(&self, key: &str) -> Result<bool, String> {
        self.truth_or(key, false)
    }

    /// A boolean.
    pub fn truth_or(&self, key: &str, default: bool) -> Result<bool, String> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(_) => self.wrong(key, "true or false"),
        }
    }

    /// A whole number, also if written as `768.0`.
    pub fn whole(&self, key: &str, default: Option<u64>, least: u64, most: u64) -> Result<usize, String> {
        let whole = |value: &Value| match value.as_f64() {
            _ if value.is_u64() => value.as_u64(),
            Some(float) if float.fract() == 0.0 && (0.0..9e15).contains(&float) => Some(float as u64),
            _ => None,
        };
        let number = match self.get(key) {
            None => default,
            Some(value) => whole(value),
        };
        match number.filter(|number| (least..=most).contains(number)).map(usize::try_from) {
            Some(Ok(number)) => Ok(number),
            _ => self.wrong(key, format!("an integer from {least} to {most}")),
        }
    }

    /// A number that satisfies `is_sound`.
    pub fn number(
        &self,
        key: &str,
        default: f64,
        is_sound: impl Fn(f64) -> bool,
        expected: &str,
    ) -> Result<f64, String> {
        match self.get(key).map_or(Some(default), Value::as_f64) {
            Some(number) if is_sound(number) => Ok(number),
            _ => self.wrong(key, expected),
        }
    }

    /// A probability below 1.
    pub fn share(&self, key: &str, default: f64) -> Result<f64, String> {
        self.number(key, default, |p| (0.0..1.0).contains(&p), "a number of at least 0 and below 1")
    }
}

/// The text of a config.json.
pub fn text_of(path: &Path) -> Result<String, ModelError> {
    let bytes = regular::read(path, LONGEST).map_err(|error| ModelError::Io { path: path.into(), error })?;
    String::from_utf8(bytes).map_err(|e| {
        let message = match sniff::kind_of(e.as_bytes()) {
            Some(kind) => format!("it is {kind}, expected JSON"),
            None => "not UTF-8".into(),
        };
        ModelError::Config { path: path.into(), message }
    })
}

/// Whether a switch is on, as Python reads it: `1` and `"false"` are.
pub fn is_set(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(items) => !items.is_empty(),
    }
}

/// The keys of a config.json.
pub fn object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|e| sniff::not_json(text.as_bytes(), &e))
}
