//! The fields of a JSON object with their values as they are written.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::cells::{Kept, KeptColumns};

/// The fields of an object that is known to be sound. Of several with one name the last counts, as everywhere.
///
/// Numbers keep their digits: a program's value of one with twenty would be another number.
pub(super) fn values(object: &str) -> KeptColumns {
    let mut found = KeptColumns::new();
    let mut rest = object.trim_start().strip_prefix('{').unwrap_or_default();
    while let Some((name, value, after)) = field(rest) {
        rest = after;
        match found.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, known)) => *known = kept(value),
            None => found.push((name.into(), kept(value))),
        }
    }
    found
}

/// The name and the value of the next field, and what follows it.
fn field(text: &str) -> Option<(String, &str, &str)> {
    let (name, after) = parsed::<String>(text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ','))?;
    let value = after.trim_start().strip_prefix(':')?.trim_start();
    let (_, after) = parsed::<IgnoredAny>(value)?;
    Some((name, &value[..value.len() - after.len()], after))
}

/// The JSON value at the beginning of a text, and what follows it.
fn parsed<T: DeserializeOwned>(text: &str) -> Option<(T, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter();
    let value = values.next()?.ok()?;
    Some((value, &text[values.byte_offset()..]))
}

fn kept(value: &str) -> Kept {
    match (value, serde_json::from_str(value)) {
        ("null", _) => Kept::Null,
        (_, Ok(text)) => Kept::Text(text),
        // Strings have no line breaks of their own: these are between values.
        _ => Kept::Json(value.replace(['\n', '\r'], " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_that_are_written() {
        let json = |text: &str| Kept::Json(text.into());
        let text = |text: &str| Kept::Text(text.into());
        let found = values(
            " {\"a\" : 12345678901234567890123, \"b\":[1,\n {\"x\": \"}\"}],\"c\":\"\\u597d\\n\", \"d\": null,\"e\":1.50 ,\"f\":true, \"a\":-0 }",
        );
        let want = [
            ("a", json("-0")),
            ("b", json("[1,  {\"x\": \"}\"}]")),
            ("c", text("好\n")),
            ("d", Kept::Null),
            ("e", json("1.50")),
            ("f", json("true")),
        ];
        assert_eq!(found, want.map(|(name, value)| (name.into(), value)));
        assert_eq!(values("{\"n\":12345678901234567890123}")[0].1, json("12345678901234567890123"));
        assert_eq!(values("{}"), []);
    }
}
