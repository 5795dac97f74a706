//! Names as parts of paths.

use sha2::{Digest, Sha256};

use crate::format::short;

/// Digits of the digest that tells apart names that would look the same.
const DIGITS: usize = 8;

/// A name as one part of a path, on any system: characters that cannot be in a file's name, or that control terminals or the direction of text,
/// become `_`, and so do dots and spaces at its ends. At most `most` bytes (at least 16). A name that is changed ends with the first digits of its
/// SHA-256, so that different names stay different.
pub fn safe(name: &str, most: usize) -> String {
    let is_bad = |c: char| {
        c.is_control()
            || matches!(c, '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' | '\u{61c}' | '\u{feff}')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}' | '\u{fff0}'..='\u{ffff}')
    };
    let mut kept: String = name.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    for at_end in [false, true] {
        let end = |c: &char| matches!(c, '.' | ' ');
        let bad =
            if at_end { kept.chars().rev().take_while(end).count() } else { kept.chars().take_while(end).count() };
        // Dots and spaces are one byte each.
        let range = if at_end { kept.len() - bad..kept.len() } else { 0..bad };
        kept.replace_range(range, &"_".repeat(bad));
    }
    if kept == name && name.len() <= most && !name.is_empty() {
        return kept;
    }
    let digest: String = Sha256::digest(name).iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    let mut end = most.saturating_sub(DIGITS + 1).min(kept.len());
    while !kept.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{digest}", &kept[..end])
}

/// The folder of a run: its name, as far as it is safe, and the first digits of its key.
pub fn folder_of(name: &str, key: &str) -> String {
    /// Bytes of the name: with the key, and in an experiment's folder, paths stay short enough for Windows.
    const MOST: usize = 100;
    format!("{}-{}", safe(name, MOST), short(key))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_are_safe_stay() {
        for name in ["seed=1", "lr=1e-3,好", "a.b c", "x~y", "שלום", "=1+1"] {
            assert_eq!(safe(name, 40), name);
        }
        for (name, begins) in [
            ("a/b", "a_b~"),
            ("..", "__~"),
            (".hidden", "_hidden~"),
            ("end. ", "end__~"),
            ("", "~"),
            ("a\u{202e}b\0c\n", "a_b_c_~"),
            ("C:\\x", "C__x~"),
        ] {
            let safe = safe(name, 40);
            assert!(safe.starts_with(begins) && safe.len() == begins.len() + DIGITS, "{name:?}: {safe:?}");
        }
        assert_eq!(folder_of("seed=1", "0123456789abcdef"), "seed=1-0123456789ab");
    }

    proptest! {
        #[test]
        fn any_name_is_one_part_of_a_path(name in "(\\PC|[/\\\\.\u{202e}\0\n=]){0,300}", other in "[./ab ]{0,6}", most in 16usize..200) {
            let safe = |name: &str| safe(name, most);
            let (a, b) = (safe(&name), safe(&other));
            prop_assert!(a.len() <= most && !a.is_empty());
            let parts: Vec<_> = std::path::Path::new(&a).components().collect();
            prop_assert_eq!(parts, [std::path::Component::Normal(a.as_ref())]);
            let is_bad = |c: char| c.is_control() || c == '\u{202e}' || c == '\\';
            prop_assert!(!a.chars().any(is_bad));
            prop_assert_eq!(a == b, name == other);
        }
    }
}
