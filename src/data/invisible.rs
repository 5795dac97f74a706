//! Invisible characters.

use std::fmt::Write;

/// Whether a character leaves no ink and is no white space: controls, and what Unicode calls default-ignorable (zero-width
/// spaces and joiners, the byte order mark, the soft hyphen, marks of direction, variation selectors, fillers, tags).
pub fn is_invisible(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Whether nothing of a text can be seen.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || is_invisible(c))
}

/// A name with its invisible characters written out: `pos\u{200b}`. White space other than a single space counts too.
pub fn escaped(name: &str) -> String {
    escaped_where(name, is_invisible)
}

/// The same for the characters chosen.
pub(super) fn escaped_where(name: &str, chosen: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '\n' | '\r' | '\t' => text.extend(c.escape_default()),
            c if chosen(c) || (c.is_whitespace() && c != ' ' && c != '\u{3000}') => text.extend(c.escape_unicode()),
            c => {
                let _ = text.write_char(c);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_escaped_and_the_rest_stays() {
        for (name, want) in [
            ("pos\u{200b}", "pos\\u{200b}"),
            ("\u{feff}pos", "\\u{feff}pos"),
            ("po\u{ad}s", "po\\u{ad}s"),
            ("\u{202e}sop", "\\u{202e}sop"),
            ("a\u{a0}b\tc", "a\\u{a0}b\\tc"),
            ("x\0", "x\\u{0}"),
            ("很好 1", "很好 1"),
            ("हिन्दी", "हिन्दी"),
            ("it's \"fine\"", "it's \"fine\""),
        ] {
            assert_eq!(escaped(name), want);
        }
        assert!(is_blank(" \u{200b}\u{3000}\0") && !is_blank("\u{200b}x") && is_blank(""));
    }
}
