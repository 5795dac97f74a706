//! The values of other programs, with which the tests of this module compare.

use serde_json::Value;

/// What `tests/fixtures/stats/make.py` wrote.
pub(crate) fn reference() -> Value {
    serde_json::from_str(include_str!("../../tests/fixtures/stats/reference.json")).unwrap()
}

/// A number of it.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// A list of numbers of it.
pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}
