//! The heading of a column of the live table: a key in as little room as its values take.

use console::measure_text_width;

use super::text::cut;

/// A heading is broken at these if it has no room in one line.
const HEADING_BREAKS: [char; 2] = ['_', '.'];

/// A key in two lines of at most `width` columns, the first of them empty if one is enough. It is broken between its words; if a line is still
/// too long, its longest words lose their ends: `LAYER` and `LR_DE`.
pub(super) fn heading(key: &str, width: usize) -> [String; 2] {
    match in_two_lines(key).filter(|_| measure_text_width(key) > width) {
        Some((_, lines)) => lines.map(|line| shortened(line, width)),
        None => [String::new(), shortened(key, width)],
    }
}

/// A key broken where its two lines are narrowest, and their width; `None` for a key of one word.
pub(super) fn in_two_lines(key: &str) -> Option<(usize, [&str; 2])> {
    let parts = key.match_indices(HEADING_BREAKS).map(|(at, _)| [&key[..at], &key[at + 1..]]);
    let widths = parts.map(|lines| (lines.map(measure_text_width).into_iter().max().unwrap_or(0), lines));
    widths.min_by_key(|(width, _)| *width)
}

/// A line of a heading in at most `width` columns: while it is too long, the longest of its words loses its last letter.
fn shortened(line: &str, width: usize) -> String {
    let mut words: Vec<String> = line.split(HEADING_BREAKS).map(String::from).collect();
    let breaks: Vec<&str> = line.matches(HEADING_BREAKS).chain([""]).collect();
    loop {
        let text: String = words.iter().zip(&breaks).flat_map(|(word, end)| [word.as_str(), end]).collect();
        let longest =
            words.iter_mut().max_by_key(|word| measure_text_width(word)).filter(|word| word.chars().count() > 1);
        match longest.filter(|_| measure_text_width(&text) > width) {
            Some(word) => _ = word.pop(),
            None => return cut(&text, width),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_without_room_is_broken_and_then_its_words_lose_their_ends() {
        let of = |key: &str, width| heading(key, width).join("|");
        assert_eq!(of("LAYER_LR_DECAY", 14), "|LAYER_LR_DECAY");
        assert_eq!(of("LAYER_LR_DECAY", 8), "LAYER|LR_DECAY");
        assert_eq!(of("LAYER_LR_DECAY", 5), "LAYER|LR_DE");
        assert_eq!(of("CLASS_WEIGHTS", 5), "CLASS|WEIGH");
        assert_eq!(of("EPOCHS", 5), "|EPOCH");
    }
}
