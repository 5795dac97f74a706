//! What is wrong with an object of a JSON file, in words that say what to do: most such files were written by a program that does
//! not write JSON.

use super::settings::Wording;

/// Why `text` is no object, by the parser's error: how many lines below its first, in which column, and what. `array`: it is of an array, and so many
/// characters of its first line are before it; none: each line is to be one object.
pub(super) fn explain(
    text: &str,
    error: &serde_json::Error,
    array: Option<u64>,
    wording: Wording,
) -> (u64, Option<u64>, String) {
    let (said, line, column) = (error.to_string(), error.line(), error.column());
    let said = said.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&said);
    let below = line.saturating_sub(1);
    let begins: usize = text.split_inclusive('\n').take(below).map(str::len).sum();
    let at = begins + column.saturating_sub(1);
    let rest = text.get(at..).unwrap_or_default();
    let what = cause(text, rest, error, array.is_none(), wording).unwrap_or_else(|| said.to_owned());
    // The parser counts bytes, editors count characters.
    let characters = text.bytes().take(at + 1).skip(begins).filter(|byte| begins_character(*byte)).count();
    let shown = characters as u64 + if below == 0 { array.unwrap_or(0) } else { 0 };
    (below as u64, (column > 0).then_some(shown), what)
}

/// Whether a byte of UTF-8 is the first of a character.
pub(super) fn begins_character(byte: u8) -> bool {
    byte & 0b1100_0000 != 0b1000_0000
}

/// The cause of a parser error, if it is recognised; `rest` is the text from the position of the error.
fn cause(text: &str, rest: &str, error: &serde_json::Error, lines: bool, wording: Wording) -> Option<String> {
    const PYTHON: &str = "write the file with json.dumps, not with str() or print()";
    if lines && text.starts_with('[') {
        return Some(format!(
            "an array, expected an object; for one array of objects write {}",
            wording.set("format", "json")
        ));
    }
    let ended = error.to_string().starts_with("trailing characters");
    if ended && rest.starts_with(',') && rest.trim_start_matches(',').trim().is_empty() {
        return Some("a comma after the object: each line is one object and nothing else; remove the comma".into());
    }
    if ended && rest.trim_start_matches([',', ' ', '\t']).starts_with(['{', '[']) {
        return Some(
            "a second object begins here: each line is one object; `jq -c .` puts each on a line of its own".into(),
        );
    }
    if ended && rest.starts_with(']') {
        return Some("a bracket closes an array that no line has opened: each line is one object".into());
    }
    if error.is_eof() && lines {
        return Some(
            "the object does not end on this line: each line must be one complete object; `jq -c .` writes them that \
             way"
            .into(),
        );
    }
    // The parser may have taken the sign, or the first letter.
    let word = |word: &str| {
        let near = text.len() - rest.len();
        (near.saturating_sub(2)..=near).any(|at| text.get(at..).is_some_and(|from| from.starts_with(word)))
    };
    if let Some(number) = ["NaN", "-Infinity", "Infinity", "-NaN"].into_iter().find(|name| word(name)) {
        return Some(format!("`{number}` is not valid JSON, although some programs write it: use null"));
    }
    if let Some(name) = ["None", "True", "False"].into_iter().find(|name| word(name)) {
        let json = name.to_lowercase().replace("none", "null");
        return Some(format!("`{name}` is Python; JSON has {json} instead: {PYTHON}"));
    }
    if word("undefined") {
        return Some("`undefined` is JavaScript, not JSON: use null".into());
    }
    if rest.starts_with('\'') {
        return Some(format!("a single quote: JSON allows only double quotes; {PYTHON}"));
    }
    if rest.starts_with("//") || rest.starts_with("/*") || rest.starts_with('#') {
        return Some("a comment, which JSON does not have: remove it".into());
    }
    let escape = ["surrogate", "hex escape"].iter().any(|word| error.to_string().contains(word));
    if let Some(half) = lone_surrogate(text).filter(|_| escape) {
        return Some(format!(
            "`{half}` is half of a character (a lone surrogate), which is not valid in a text: a text was cut inside a \
             character such as an emoji; remove it"
        ));
    }
    if rest.starts_with(['}', ']']) && error.is_syntax() && text[..text.len() - rest.len()].trim_end().ends_with(',') {
        return Some("a comma before the closing bracket: remove the comma".into());
    }
    None
}

/// The first escape of half a character without its other half.
fn lone_surrogate(text: &str) -> Option<&str> {
    let unit = |at: usize| {
        let escape = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(escape, 16).ok()
    };
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match unit(at) {
            Some(0xD800..=0xDBFF) if matches!(unit(at + 6), Some(0xDC00..=0xDFFF)) => at += 12,
            Some(0xD800..=0xDFFF) => return text.get(at..at + 6),
            _ if bytes[at] == b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str, lines: bool) -> String {
        let error = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap_err();
        let (_, column, what) = explain(text, &error, (!lines).then_some(0), Wording::Keys);
        format!("column {}: {what}", column.unwrap_or_default())
    }

    #[test]
    fn what_is_no_json_is_named() {
        for (text, want) in [
            (r#"{"text": "x", "label": NaN}"#, "column 24: `NaN` is not valid JSON"),
            (r#"{"text": "x", "label": Infinity}"#, "`Infinity` is not valid JSON"),
            (r#"{"text": "x", "label": -Infinity}"#, "`-Infinity` is not valid JSON"),
            (r#"{"text": None}"#, "`None` is Python; JSON has null"),
            (r#"{"label": True}"#, "`True` is Python; JSON has true"),
            (r#"{"label": undefined}"#, "`undefined` is JavaScript"),
            (r#"{'text': 'x'}"#, "column 2: a single quote"),
            (r#"{"text": 'x'}"#, "a single quote"),
            (r#"{"text": "\ud83d bad"}"#, r"`\ud83d` is half of a character"),
            (r#"{"text": "bad\ude00"}"#, r"`\ude00` is half of a character"),
            (r#"{"text": "\ud83d\ud83d\ude00"}"#, r"`\ud83d` is half of a character"),
            (r#"{"text": "\ud83d"}"#, r"`\ud83d` is half of a character"),
            (r#"{"text": "x"},"#, "column 14: a comma after the object"),
            (r#"{"text": "x"} {"text": "y"}"#, "column 15: a second object begins here"),
            (r#"{"text": "x"}, {"text": "y"}"#, "a second object begins here"),
            (r#"{"text": "x"}]"#, "a bracket closes an array"),
            (r#"{"text": "x","#, "the object does not end on this line"),
            ("{", "the object does not end on this line"),
            (r#"{"text": "x",}"#, "a comma before the closing bracket"),
            (r#"{"text": "x"} // note"#, "a comment"),
            ("[", r#"an array, expected an object; for one array of objects write data.format = "json""#),
            (r#"{"text" "x"}"#, "column 9: expected `:`"),
            (r#"{"味道": "很好"},"#, "column 13: a comma after the object"),
        ] {
            let found = says(text, true);
            assert!(found.contains(want), "{text}: {found}");
        }
        // An escaped backslash before a `u` is no escape, and two halves are one character.
        assert_eq!(lone_surrogate(r"\\ud83d \ud83d\ude00"), None);
        assert!(!says(r#"{"text": "x""#, false).contains("line"));
    }
}
