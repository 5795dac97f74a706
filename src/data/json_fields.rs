//! The fields of a JSON object with their values as they are written.

use std::{collections::HashMap, sync::Arc};

use serde::de::{DeserializeOwned, IgnoredAny};

use super::cells::{Kept, KeptColumns};

/// The fields of an object that is known to be sound. Of several with one name the last counts, as everywhere.
///
/// Numbers keep their digits: a program's value of one with twenty would be another number.
pub(super) fn values(object: &str) -> KeptColumns {
    let mut found = KeptColumns::new();
    // Positions in `found` by name; filled only once there are more fields than are quickly compared one by one.
    let mut known: HashMap<Arc<str>, usize> = HashMap::new();
    let mut rest = object.trim_start().strip_prefix('{').unwrap_or_default();
    while let Some((name, value, after)) = field(rest) {
        rest = after;
        if found.len() == FEW && known.is_empty() {
            known = found.iter().enumerate().map(|(at, (name, _))| (name.clone(), at)).collect();
        }
        let at = match found.len() < FEW {
            true => found.iter().position(|(known, _)| **known == *name),
            false => known.get(&*name).copied(),
        };
        match at {
            Some(at) => found[at].1 = kept(value),
            None => {
                let name: Arc<str> = name.into();
                if found.len() >= FEW {
                    known.insert(name.clone(), found.len());
                }
                found.push((name, kept(value)));
            }
        }
    }
    found
}

/// Fields that are compared one by one.
const FEW: usize = 16;

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

    /// Around the number of fields from which on names are looked up in a map, the last of several with one name still counts, at the
    /// position of the first.
    #[test]
    fn many_fields_are_as_few() {
        for n in [1, FEW - 1, FEW, FEW + 1, 3 * FEW, 60_000] {
            let fields: Vec<String> =
                (0..n).chain(0..n).enumerate().map(|(at, name)| format!("\"f{name}\":{at}")).collect();
            let found = values(&format!("{{{}}}", fields.join(",")));
            assert_eq!(found.len(), n);
            for at in [0, n / 2, n - 1] {
                assert_eq!(found[at], (format!("f{at}").into(), Kept::Json((n + at).to_string())), "{n}");
            }
        }
    }
}
