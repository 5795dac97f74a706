//! The values of other programs, with which the tests of this module compare.

/// What `tests/fixtures/stats/make.py` wrote.
pub(crate) fn reference() -> serde_json::Value {
    serde_json::from_str(include_str!("../../tests/fixtures/stats/reference.json")).unwrap()
}
