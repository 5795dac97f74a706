//! `meta.yaml`.

use std::fmt::Write;

/// A file with these keys and values, each of which is [`text`] or a number.
pub(super) fn yaml(entries: &[(&str, String)]) -> String {
    entries.iter().map(|(key, value)| format!("{key}: {value}\n")).collect()
}

/// Text in double quotes. All but letters, digits and ASCII is escaped: YAML refuses some other characters, and changes others.
pub(super) fn text(value: &str) -> String {
    let mut quoted = String::from("\"");
    for c in value.chars() {
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            ' '..='~' => write!(quoted, "{c}"),
            c if c.is_alphanumeric() => write!(quoted, "{c}"),
            c if u32::from(c) <= 0xffff => write!(quoted, "\\u{:04x}", u32::from(c)),
            c => write!(quoted, "\\U{:08x}", u32::from(c)),
        };
    }
    quoted + "\""
}
