//! Labels that look like one and the same.

use std::collections::BTreeMap;

use tokenizers::NormalizedString;

use super::invisible::{escaped, escaped_where, is_invisible};

/// Groups of two or more labels, by id, that differ only in what a reader overlooks: case, blanks, invisible characters, the
/// composition of accents, width (`１` and `1`), letters of other alphabets that look like Latin ones, and the ways in which
/// programs write a number or a truth value (`1`, `1.0`, `01`, `true`).
pub(super) fn groups(labels: &[String]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (id, label) in labels.iter().enumerate() {
        groups.entry(key(label)).or_default().push(id);
    }
    groups.into_values().filter(|ids| ids.len() > 1).collect()
}

/// The names of a group, in which all that tells them apart can be seen.
pub(super) fn shown(names: &[&str]) -> Vec<String> {
    // A letter beyond ASCII that all of them have tells nothing apart.
    let tells = |c: char| !c.is_ascii() && !names.iter().all(|name| name.contains(c));
    names.iter().map(|name| escaped_where(name, |c| tells(c) || is_invisible(c))).collect()
}

/// Pairs of a rare label and a frequent one that is one letter off, by id: the rare one is probably misspelt. `counts` are rows.
pub(super) fn misspelt(labels: &[String], counts: &[u64]) -> Vec<(usize, usize)> {
    /// Shorter words differ in one letter for good reasons: `pos`, `pop`.
    const LETTERS: usize = 5;
    /// A rare label has at most one row in so many of the other's.
    const RARE: u64 = 100;
    /// Each is compared with each.
    const MOST: usize = 500;
    if labels.len() > MOST {
        return Vec::new();
    }
    let is_word = |label: &str| {
        label.chars().filter(|c| c.is_alphabetic()).count() >= LETTERS && !label.contains(|c: char| c.is_numeric())
    };
    let mut found = Vec::new();
    for (rare, label) in labels.iter().enumerate().filter(|(_, label)| is_word(label)) {
        let is_meant = |&(id, other): &(usize, &String)| {
            id != rare
                && counts[rare] > 0
                && (counts[rare] * RARE <= counts[id] || (counts[rare] <= 2 && counts[id] >= 10))
                && is_word(other)
                && key(other) != key(label)
                && strsim::osa_distance(label, other) == 1
        };
        found.extend(labels.iter().enumerate().find(is_meant).map(|(id, _)| (rare, id)));
    }
    found
}

/// What is the same for labels that look alike.
fn key(label: &str) -> String {
    let mut text = NormalizedString::from(label);
    text.nfkc();
    let seen: String = text.get().chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect();
    // Letters that have no single small form (ß) meet by way of their capitals.
    let plain: String = seen.to_uppercase().to_lowercase().chars().map(latin).collect();
    match plain.as_str() {
        "true" => "1.".into(),
        "false" => "0.".into(),
        _ => number(&plain).unwrap_or(plain),
    }
}

/// A number in one spelling.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let sign = if whole.is_empty() && fraction.is_empty() { "" } else { sign };
    Some(format!("{sign}{}.{fraction}", if whole.is_empty() { "0" } else { whole }))
}

/// The Latin letter or sign that a small letter, or its capital, looks like; or itself.
fn latin(c: char) -> char {
    const LOOK: [(&str, &str); 2] = [
        // Cyrillic, then Greek.
        ("авекмнорстухіјѕһԁԛԝ", "abekmhopctyxijshdqw"),
        ("αβεζηικμνορτυχ", "abezhikmnoptyx"),
    ];
    match c {
        _ if c.is_ascii() => c,
        '‐'..='―' | '−' => '-',
        '‘' | '’' | 'ʼ' => '\'',
        '“' | '”' => '"',
        _ => LOOK
            .iter()
            .find_map(|(from, to)| from.chars().zip(to.chars()).find(|(from, _)| *from == c))
            .map_or(c, |(_, to)| to),
    }
}

/// A label as a message shows it.
pub(super) fn quoted(label: &str) -> String {
    format!("`{}`", escaped(&super::error::shorten(label)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alike(labels: &[&str]) -> Vec<String> {
        let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        let show = |ids: Vec<usize>| shown(&ids.iter().map(|id| labels[*id].as_str()).collect::<Vec<_>>()).join(" | ");
        groups(&labels).into_iter().map(show).collect()
    }

    #[test]
    fn labels_that_a_reader_takes_for_one_are_a_group() {
        for (labels, want) in [
            (vec!["pos", "neg", "pos\u{200b}"], "pos | pos\\u{200b}"),
            (vec!["pos", "neg", "\u{feff}pos"], "pos | \\u{feff}pos"),
            (vec!["po\u{ad}s", "pos"], "po\\u{ad}s | pos"),
            (vec!["\u{202d}pos", "pos"], "\\u{202d}pos | pos"),
            (vec!["caf\u{e9}", "the", "cafe\u{301}"], "caf\\u{e9} | cafe\\u{301}"),
            (vec!["1", "0", "\u{ff11}"], "1 | \\u{ff11}"),
            (vec!["1", "0", "1.0"], "1 | 1.0"),
            (vec!["01", "1"], "01 | 1"),
            (vec!["-1", "-1.00", "1"], "-1 | -1.00"),
            (vec!["true", "True", "false"], "true | True"),
            (vec!["1", "true", "maybe"], "1 | true"),
            (vec!["Positive", "positive"], "Positive | positive"),
            (vec!["very good", "very  good", "bad"], "very good | very  good"),
            (vec!["a\u{a0}b", "a b"], "a\\u{a0}b | a b"),
            (vec!["p\u{43e}s", "pos"], "p\\u{43e}s | pos"),
            (vec!["很好", "很好\u{fe0f}"], "很好 | 很好\\u{fe0f}"),
            (vec!["Straße", "STRASSE"], "Stra\\u{df}e | STRASSE"),
            (vec!["well–being", "well-being"], "well\\u{2013}being | well-being"),
        ] {
            assert_eq!(alike(&labels), [want], "{labels:?}");
        }
    }

    #[test]
    fn labels_that_differ_are_none() {
        for labels in [
            vec!["pos", "neg", "neutral"],
            vec!["1", "0", "-1", "10", "0.1", "0.10001"],
            vec!["0", "false-positive", "1", "2"],
            vec!["好", "好吃", "坏"],
            vec!["c", "c++", "c#"],
        ] {
            assert_eq!(alike(&labels), Vec::<String>::new(), "{labels:?}");
        }
    }

    #[test]
    fn a_rare_label_one_letter_off_is_misspelt() {
        let labels = ["positive", "positve", "negative", "class1", "class2"].map(String::from);
        assert_eq!(misspelt(&labels, &[500, 1, 400, 100, 1]), [(1, 0)]);
        // Not where both are frequent.
        assert_eq!(misspelt(&labels, &[500, 300, 400, 100, 1]), []);
    }
}
