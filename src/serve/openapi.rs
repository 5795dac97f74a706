//! The OpenAPI document, which is written by hand: tests compare it with the paths and with answers.

use std::sync::LazyLock;

use serde_json::Value;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    let text = include_str!("../../templates/serve/openapi.json");
    let mut document: Value = serde_json::from_str(text).expect("the document is JSON");
    document["info"]["version"] = env!("CARGO_PKG_VERSION").into();
    document
});

/// The document.
pub fn document() -> &'static Value {
    &DOCUMENT
}
