//! Writes YAML. Every text of a user is in double quotes, so that it is a text for each reader, whatever it contains.

use std::fmt::Write;

use crate::format::one_line;

/// A value of a header.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    Text(String),
    Number(f64),
    Whole(u64),
    Bool(bool),
    List(Vec<Yaml>),
    Map(Vec<(&'static str, Yaml)>),
}

impl Yaml {
    /// A text on one line, without characters that act on the text after them.
    pub fn text(text: &str) -> Self {
        Self::Text(one_line(text))
    }

    /// Texts.
    pub fn texts<T: AsRef<str>>(texts: &[T]) -> Self {
        Self::List(texts.iter().map(|text| Self::text(text.as_ref())).collect())
    }
}

/// Words that are no text without quotes.
const RESERVED: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];

/// A text as a scalar.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    let is_word = text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(plain);
    if is_word && !RESERVED.contains(&text) {
        return text.into();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            ' '..='~' => out.push(c),
            // Readers differ in which of the others are white space, line breaks or invalid.
            c if c.is_alphanumeric() => out.push(c),
            '\u{3001}'..='\u{303f}' | '\u{ff01}'..='\u{ffee}' => out.push(c),
            c => {
                let code = u32::from(c);
                // Writing to a string cannot fail.
                let _ = if code > 0xffff { write!(out, "\\U{code:08x}") } else { write!(out, "\\u{code:04x}") };
            }
        }
    }
    out.push('"');
    out
}

/// A number that every reader takes as one: without an exponent, with a point.
fn number(value: f64) -> String {
    let text = value.to_string();
    if text.contains('.') { text } else { text + ".0" }
}

/// The lines of a table, each with a line break at its end.
pub(super) fn written(map: &[(&'static str, Yaml)]) -> String {
    let mut out = String::new();
    entries(map, 0, &mut out);
    out
}

fn entries(map: &[(&'static str, Yaml)], indent: usize, out: &mut String) {
    for (key, value) in map {
        out.push_str(&" ".repeat(indent));
        out.push_str(key);
        out.push(':');
        match value {
            Yaml::Map(inner) => {
                out.push('\n');
                entries(inner, indent + 2, out);
            }
            Yaml::List(items) => {
                out.push('\n');
                items.iter().for_each(|item| element(item, indent, out));
            }
            other => leaf(other, out),
        }
    }
}

fn element(item: &Yaml, indent: usize, out: &mut String) {
    out.push_str(&" ".repeat(indent));
    out.push('-');
    match item {
        Yaml::Map(inner) => {
            let mut lines = String::new();
            entries(inner, indent + 2, &mut lines);
            // The first key is beside the dash.
            out.push(' ');
            out.push_str(lines.trim_start());
        }
        Yaml::List(items) => {
            out.push('\n');
            items.iter().for_each(|item| element(item, indent + 2, out));
        }
        other => leaf(other, out),
    }
}

fn leaf(value: &Yaml, out: &mut String) {
    let text = match value {
        Yaml::Text(text) => scalar(text),
        Yaml::Number(value) => number(*value),
        Yaml::Whole(value) => value.to_string(),
        Yaml::Bool(value) => value.to_string(),
        Yaml::List(_) | Yaml::Map(_) => return,
    };
    out.push(' ');
    out.push_str(&text);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tables_and_lists_are_nested_by_spaces() {
        let inner = |value| Yaml::Map(vec![("type", Yaml::text("f1")), ("value", Yaml::Number(value))]);
        let map = [
            ("language", Yaml::texts(&["zh", "no"])),
            (
                "model-index",
                Yaml::List(vec![Yaml::Map(vec![
                    ("name", Yaml::text("A b")),
                    ("results", Yaml::List(vec![inner(1.0), inner(1e-7)])),
                ])]),
            ),
        ];
        let text = "language:\n- zh\n- \"no\"\nmodel-index:\n- name: \"A b\"\n  results:\n  - type: f1\n    value: 1.0\n  - type: f1\n    \
                    value: 0.0000001\n";
        assert_eq!(written(&map), text);
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_as_it_is(text in any::<String>(), more in prop::sample::select(vec![
            "", "---\nx: y", "a: b", "\u{85}\u{2028}\u{feff}", "\"\\", "0x1f", "1e5", "- a", "{a}", "null", "\u{202e}x", "🙂 模型", "#", "%", "\u{7f}\0",
        ])) {
            let text = format!("{more}{text}");
            let yaml = written(&[("a", Yaml::text(&text)), ("b", Yaml::Whole(1))]);
            prop_assert_eq!(yaml.lines().count(), 2);
            let read: BTreeMap<String, serde_json::Value> = serde_saphyr::from_str(&yaml).map_err(|e| TestCaseError::fail(e.to_string()))?;
            prop_assert_eq!(&read["a"], &serde_json::Value::from(one_line(&text)));
            prop_assert_eq!(&read["b"], &serde_json::Value::from(1));
        }
    }
}
