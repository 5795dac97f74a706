//! What to write instead of a line that is not TOML, but looks like it: colons of YAML and JSON, typographic quotes, percentages, commas,
//! Windows paths.

use toml::de::DeValue;

use super::problem::Fault;

/// Quotes that word processors and input methods write, with what TOML has instead.
const QUOTES: [(char, char); 14] = [
    ('“', '"'),
    ('”', '"'),
    ('„', '"'),
    ('‟', '"'),
    ('«', '"'),
    ('»', '"'),
    ('＂', '"'),
    ('「', '"'),
    ('」', '"'),
    ('‘', '\''),
    ('’', '\''),
    ('‚', '\''),
    ('‛', '\''),
    ('＇', '\''),
];

/// What is wrong with the line of `text` with a syntax error at `at`, if it is one of these. All errors of a line have the same answer.
pub(super) fn of_line(text: &str, at: usize) -> Option<Fault> {
    let begin = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text[begin..].lines().next().unwrap_or_default();
    let written = without_comment(line).trim_end();
    let indent = written.len() - written.trim_start().len();
    let span = begin + indent..begin + written.len();
    let written = written.trim_start();
    let found = colon(written).or_else(|| quotes(written)).or_else(|| {
        let (key, value) = written.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        number(value).or_else(|| list(value)).or_else(|| ending(key, value)).or_else(|| backslash(value))
    });
    found.map(|(message, help)| Fault::new(span, format!("invalid TOML: {message}")).help(help))
}

/// The boolean that a word of another language means.
pub(super) fn boolean(word: &str) -> Option<bool> {
    match word {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The line up to a `#` outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut open = None;
    for (at, c) in line.char_indices() {
        match (open, c) {
            (None, '#') => return &line[..at],
            (None, '"' | '\'') => open = Some(c),
            (Some(quote), _) if quote == c => open = None,
            _ => {}
        }
    }
    line
}

fn is_value(text: &str) -> bool {
    DeValue::parse(text).is_ok()
}

/// `name: "b"`, as YAML writes it, or JSON: `"name": "b",`.
fn colon(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once([':', '：'])?;
    let key = key.trim();
    let key = match key.chars().next() {
        // In a string such as "path:a", the quotation mark closes later.
        Some(quote @ ('"' | '\'')) => key[1..].strip_suffix(quote)?,
        _ => key,
    };
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if key.is_empty() || !key.chars().all(is_key) {
        return None;
    }
    let value = value.trim().trim_end_matches(',').trim_end();
    let help = match value.to_lowercase().as_str() {
        "" | "{" => format!("write `[{key}]` on a line of its own above its keys"),
        "null" | "none" | "~" => "remove the line: TOML has no null".into(),
        _ if is_value(value) => format!("write {key} = {value}"),
        lower => match boolean(lower) {
            Some(value) => format!("write {key} = {value}"),
            None => format!("write {key} = {}", serde_json::Value::from(value)),
        },
    };
    Some(("a colon where `=` is expected (a spec is TOML, neither YAML nor JSON)".into(), help))
}

/// `name = “b”`.
fn quotes(line: &str) -> Option<(String, String)> {
    let straight = |c: char| QUOTES.iter().find(|(curly, _)| *curly == c).map(|(_, straight)| *straight);
    let first = line.chars().find(|c| straight(*c).is_some())?;
    let replaced: String = line.chars().map(|c| straight(c).unwrap_or(c)).collect();
    let value = |line: &str| line.split_once('=').map_or(line, |(_, value)| value).trim().to_string();
    let help = match is_value(value(&replaced).trim_end_matches(',')) {
        true => format!("write {replaced}"),
        // Within a string that is quoted as it should be, they are characters like others.
        false if !value(line).starts_with(|c| straight(c).is_some()) => return None,
        false => "write straight quotes, \" or '".into(),
    };
    Some((format!("`{first}` is a typographic quote, and TOML has only straight ones"), help))
}

/// `20%`, `1/5`, `0,2`, `10,000`, and `16,32`, which may be two numbers.
fn number(value: &str) -> Option<(String, String)> {
    let decimal = |number: f64| {
        let text = format!("{number:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_string()
    };
    let digits = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let write = if let Some(percent) = value.strip_suffix(['%', '％']) {
        decimal(percent.trim().parse::<f64>().ok()? / 100.0)
    } else if let Some((above, below)) = value.split_once('/') {
        let part = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        decimal(part(above)? / part(below).filter(|below| *below != 0.0)?)
    } else {
        let parts: Vec<&str> = value.split(',').collect();
        let one = match &parts[..] {
            _ if !parts.iter().all(digits) => return None,
            [whole, more @ ..] if *whole != "0" && !more.is_empty() && more.iter().all(|part| part.len() == 3) => {
                parts.concat()
            }
            [whole, part] => format!("{whole}.{part}"),
            _ => return None,
        };
        match &parts[..] {
            // No whole number begins with 0, so that these are digits of one number.
            [whole, more @ ..] if *whole == "0" || more.iter().any(|part| part.starts_with('0')) => one,
            _ => format!("[{}] for several values, or {one} for one", parts.join(", ")),
        }
    };
    Some((format!("`{value}` is not a number"), format!("write {write}")))
}

/// `1e-5, 2e-5`.
fn list(value: &str) -> Option<(String, String)> {
    let list = format!("[{value}]");
    let is_list = !value.ends_with(',') && value.contains(',') && !is_value(value) && is_value(&list);
    is_list.then(|| ("several values without brackets".into(), format!("write {list}")))
}

/// `max_steps = 20,` and `max_steps = 20;`.
fn ending(key: &str, value: &str) -> Option<(String, String)> {
    let (rest, name) = match value.strip_suffix([',', '，']) {
        Some(rest) => (rest, "comma"),
        None => (value.strip_suffix([';', '；'])?, "semicolon"),
    };
    let rest = rest.trim_end();
    is_value(rest).then(|| (format!("a {name} after the value"), format!("remove it: {key} = {rest}")))
}

/// `"C:\Users"`.
fn backslash(value: &str) -> Option<(String, String)> {
    if is_value(value) || !value.contains('\\') {
        return None;
    }
    let inner = value.strip_prefix('"')?;
    let inner = inner.strip_suffix('"').unwrap_or(inner);
    let help = match inner.contains(['"', '\'']) {
        true => "write '…' in single quotes, or / instead of \\".to_string(),
        false => format!("write '{inner}' in single quotes, or \"{}\"", inner.replace('\\', "/")),
    };
    Some(("in double quotes, \\ begins an escape such as \\n".into(), help))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Option<String> {
        let text = format!("a = 1\n{line}\nb = 2\n");
        let fault = of_line(&text, 6 + line.len() / 2)?;
        assert_eq!(&text[fault.span.clone()], without_comment(line).trim());
        Some(format!("{} | {}", fault.message.strip_prefix("invalid TOML: ")?, fault.help.text()?))
    }

    #[test]
    fn lines_of_other_formats_come_with_what_to_write() {
        const COLON: &str = "a colon where `=` is expected (a spec is TOML, neither YAML nor JSON)";
        for (line, want) in [
            ("name: \"b\"", format!("{COLON} | write name = \"b\"")),
            ("  \"lr\": 1e-4, # low", format!("{COLON} | write lr = 1e-4")),
            ("source: scratch:tiny", format!("{COLON} | write source = \"scratch:tiny\"")),
            ("stratify: True", format!("{COLON} | write stratify = true")),
            ("train:", format!("{COLON} | write `[train]` on a line of its own above its keys")),
            ("limit: null", format!("{COLON} | remove the line: TOML has no null")),
            ("test = 20%", "`20%` is not a number | write 0.2".into()),
            ("test = 12.5 %", "`12.5 %` is not a number | write 0.125".into()),
            ("test = 1/5", "`1/5` is not a number | write 0.2".into()),
            ("lr = 0,001", "`0,001` is not a number | write 0.001".into()),
            ("limit = 10,000", "`10,000` is not a number | write 10000".into()),
            ("limit = 1,050", "`1,050` is not a number | write 1050".into()),
            (
                "batch_size = 16,32",
                "`16,32` is not a number | write [16, 32] for several values, or 16.32 for one".into(),
            ),
            (
                "limit = 128,256",
                "`128,256` is not a number | write [128, 256] for several values, or 128256 for one".into(),
            ),
            ("seeds = 1,2,3", "several values without brackets | write [1,2,3]".into()),
            ("lr = 1e-5, 2e-5 # axis", "several values without brackets | write [1e-5, 2e-5]".into()),
            ("source = \"path:a\", \"path:b\"", {
                "several values without brackets | write [\"path:a\", \"path:b\"]".into()
            }),
            ("max_steps = 20, # few", "a comma after the value | remove it: max_steps = 20".into()),
            ("name = \"b\";", "a semicolon after the value | remove it: name = \"b\"".into()),
            (
                "source = \"path:C:\\Users\\u\"",
                "in double quotes, \\ begins an escape such as \\n | write 'path:C:\\Users\\u' in single quotes, or \
                 \"path:C:/Users/u\""
                    .into(),
            ),
        ] {
            assert_eq!(said(line).as_deref(), Some(want.as_str()), "{line}");
        }
        for (line, write) in [
            ("name = “b“", "write name = \"b\""),
            ("name = \"b”", "write name = \"b\""),
            ("freeze = [‘a’, ‘b’]", "write freeze = ['a', 'b']"),
            ("name = “it's \"b\"”", "write straight quotes, \" or '"),
        ] {
            let said = said(line).unwrap_or_default();
            assert!(said.contains("typographic quote") && said.ends_with(write), "{line}: {said}");
        }
    }

    #[test]
    fn other_lines_are_left_to_the_parser() {
        for line in [
            "[train",
            "lr = ",
            "lr 3",
            "text = \"“好”\" x",
            "lr = 1e-4 5",
            "source = \"path:a:b",
            "date = 1//2",
            "",
            "\"path:b\"",
            "'scratch:tiny',",
            "lr = 1e-4, 2e-4 5",
        ] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
