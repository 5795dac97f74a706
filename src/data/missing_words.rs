//! What programs write for a value that is missing.

/// pandas reads all of these as missing.
pub(super) const WORDS: [&str; 10] = ["NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"];

/// Which of [`WORDS`] a text is, by its position.
pub(super) fn word(text: &str) -> Option<usize> {
    // Longer texts are not looked at, nor is the empty one of nearly all rows, which have no second text.
    if text.is_empty() || text.len() >= 16 {
        return None;
    }
    let text = text.trim();
    WORDS.iter().position(|word| *word == text)
}
