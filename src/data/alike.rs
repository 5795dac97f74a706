//! Labels that look like one and the same.

use std::collections::BTreeMap;

use tokenizers::NormalizedString;

use super::invisible::{escaped, escaped_where, is_invisible};

/// Groups of two or more labels, by id, that have one normal form: they differ only in what a reader overlooks (case, blanks,
/// invisible characters, the composition of accents, width, letters of other alphabets that look like Latin ones), in what a program
/// puts around a value (quotes, brackets, punctuation, the joints of words), or in how it writes a number or a truth value.
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

/// The normal form: the same for labels that look alike.
fn key(label: &str) -> String {
    let plain = plain(label);
    let bare = bare(&plain);
    match bare {
        "true" => "1.".into(),
        "false" => "0.".into(),
        _ => number(&plain).or_else(|| number(bare)).unwrap_or_else(|| without_joints(bare)),
    }
}

/// A label in lower case, of one width and alphabet, without blanks and invisible characters.
fn plain(label: &str) -> String {
    let mut text = NormalizedString::from(label);
    text.nfkc();
    let seen: String = text.get().chars().filter(|c| !c.is_whitespace() && !is_invisible(*c)).collect();
    // Letters that have no single small form (ß) meet by way of their capitals.
    seen.to_uppercase().to_lowercase().chars().map(latin).collect()
}

/// A value without what a program or a person puts around it: quotes (also with the `b` or `u` of Python), brackets, punctuation.
/// A label of nothing else is itself.
pub(super) fn bare(value: &str) -> &str {
    let around = |c: char| "'\"`()[]{}【】「」『』《》〈〉（）".contains(c) || ".,;:!?、。…·|_*\\".contains(c);
    let mut bare = value;
    loop {
        let before = bare;
        bare = bare.trim_matches(around);
        // Around a value like <NA>; alone they compare numbers (<=50K).
        bare = bare.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')).unwrap_or(bare);
        bare = match bare.strip_prefix(['b', 'u', 'r']) {
            Some(rest) if rest.starts_with(['\'', '"']) => rest,
            _ => bare,
        };
        if bare == before {
            break;
        }
    }
    if bare.is_empty() { value } else { bare }
}

/// Words without what joins them: `very_good`, `very-good` and `verygood`. Between digits it may be a sign.
fn without_joints(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        let joint = matches!(c, '_' | '-') && result.ends_with(char::is_alphabetic);
        if !joint {
            result.push(c);
        }
    }
    result
}

/// A number in one spelling.
fn number(text: &str) -> Option<String> {
    /// Longer numbers are no labels.
    const MOST: i32 = 40;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match digits.split_once('e') {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok().filter(|e| e.abs() <= MOST)?),
        None => (digits, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    // The point moved to where the exponent says.
    let mut all = [whole, fraction].concat();
    let mut point = whole.len() as i32 + exponent;
    while point < 0 {
        all.insert(0, '0');
        point += 1;
    }
    while all.len() < point as usize {
        all.push('0');
    }
    let (whole, fraction) = all.split_at(point as usize);
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    let sign = if whole.is_empty() && fraction.is_empty() { "" } else { sign };
    Some(format!("{sign}{}.{fraction}", if whole.is_empty() { "0" } else { whole }))
}

/// Whether a label is how programs write a value that is missing.
pub(super) fn is_missing(label: &str) -> bool {
    const MISSING: [&str; 23] = [
        "nan",
        "-nan",
        "na",
        "n/a",
        "nat",
        "nil",
        "none",
        "null",
        "undefined",
        "\\n",
        "#n/a",
        "#na",
        "#n/an/a",
        "1.#ind",
        "-1.#ind",
        "1.#qnan",
        "-1.#qnan",
        "#value!",
        "#ref!",
        "#div/0!",
        "#name?",
        "#null!",
        "#num!",
    ];
    let plain = plain(label);
    MISSING.contains(&plain.as_str()) || MISSING.contains(&bare(&plain))
}

/// Whether a label is written as a program prints a list, a dictionary, or a text in quotes.
pub(super) fn is_printed(label: &str) -> bool {
    let within = |open: &str, close: &str| {
        label.len() > open.len() + close.len() && label.starts_with(open) && label.ends_with(close)
    };
    within("[", "]")
        || within("{", "}")
        || within("(", ",)")
        || ["'", "\""].iter().any(|quote| within(quote, quote) || within(&format!("b{quote}"), quote))
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
        // Digits of other scripts: Arabic, Persian, Devanagari, Bengali, Thai.
        '\u{660}'..='\u{669}' => digit(c, 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(c, 0x6F0),
        '\u{966}'..='\u{96f}' => digit(c, 0x966),
        '\u{9e6}'..='\u{9ef}' => digit(c, 0x9E6),
        '\u{e50}'..='\u{e59}' => digit(c, 0xE50),
        _ => LOOK
            .iter()
            .find_map(|(from, to)| from.chars().zip(to.chars()).find(|(from, _)| *from == c))
            .map_or(c, |(_, to)| to),
    }
}

/// The ASCII digit of a script whose zero is `zero`.
fn digit(c: char, zero: u32) -> char {
    char::from_digit(u32::from(c) - zero, 10).unwrap_or(c)
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
            (vec!["'neg'", "neg", "pos"], "'neg' | neg"),
            (vec!["\"neg\"", "neg", "pos"], "\"neg\" | neg"),
            (vec!["“neg”", "neg"], "\\u{201c}neg\\u{201d} | neg"),
            (vec!["b'neg'", "neg"], "b'neg' | neg"),
            (vec!["['pos']", "pos"], "['pos'] | pos"),
            (vec!["('pos',)", "pos"], "('pos',) | pos"),
            (vec!["【好】", "好"], "\\u{3010}好\\u{3011} | 好"),
            (vec!["pos", "pos.", "pos;", "neg"], "pos | pos. | pos;"),
            (vec!["好", "好。", "坏"], "好 | 好\\u{3002}"),
            (vec![">50K", ">50K.", "<=50K"], ">50K | >50K."),
            (vec!["1e0", "1", "0"], "1e0 | 1"),
            (vec!["1.0E+00", "1", "0.1e2"], "1.0E+00 | 1"),
            (vec!["100", "1e2", "1"], "100 | 1e2"),
            (vec!["0.05", "5e-2"], "0.05 | 5e-2"),
            (vec!["[1]", "1"], "[1] | 1"),
            (vec!["١", "1"], "\\u{661} | 1"),
            (vec!["very_good", "very good", "bad"], "very_good | very good"),
            (vec!["class-1", "class 1", "class 2"], "class-1 | class 1"),
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
            vec!["1-2", "12", "1", "2"],
            vec![":)", ":(", "?", "!"],
            vec!["+", "-", "++"],
            vec![">50K", "<=50K", "50K"],
            vec!["1e1", "1e2", "1e-1", "e1"],
            vec!["b", "u", "bu"],
            vec!["a1", "a2", "1"],
        ] {
            assert_eq!(alike(&labels), Vec::<String>::new(), "{labels:?}");
        }
    }

    #[test]
    fn what_programs_write_for_a_missing_value_is_known() {
        for label in [
            "nan", "NaN", "None", "NA", "N/A", "n/a", "null", "NULL", "<NA>", "#N/A", "\\N", "(null)", "'None'",
            "ＮＡ", "na.",
        ] {
            assert!(is_missing(label), "{label}");
        }
        for label in ["neutral", "other", "nano", "NA1", "0", "-", "好", "no", "non"] {
            assert!(!is_missing(label), "{label}");
        }
    }

    #[test]
    fn values_that_a_program_printed_are_known() {
        for label in ["['pos']", "[1]", "{'label': 'pos'}", "('pos',)", "'pos'", "\"pos\"", "b'pos'"] {
            assert!(is_printed(label), "{label}");
        }
        for label in ["pos", "(A)", "it's", "[", "'", "''", "b", "R&D [x"] {
            assert!(!is_printed(label), "{label}");
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
