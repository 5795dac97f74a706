//! Values that mean that there is none.

use super::{cells::Cells, settings::Wording};
use crate::{
    format::{and, by_number, counted},
    warning::{Kind, Warning, lines_of},
};

/// What programs write for a value that is missing. pandas reads all of these as missing.
const WORDS: [&str; 10] = ["NA", "N/A", "n/a", "#N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"];

/// Empties cells with the values of `data.missing`, and looks for texts that look like one.
pub(super) struct MissingValues<'a> {
    values: &'a [String],
    /// Rows whose text looks like a missing one, and the lines of the first.
    rows: u64,
    lines: Vec<u64>,
    /// The words found, in the order of [`WORDS`].
    found: [bool; WORDS.len()],
}

impl<'a> MissingValues<'a> {
    pub(super) fn new(values: &'a [String]) -> Self {
        Self { values, rows: 0, lines: Vec::new(), found: [false; WORDS.len()] }
    }

    /// Empties the cells of the row on `line` that have one of the values.
    pub(super) fn clear(&mut self, cells: &mut Cells, line: u64) {
        for cell in [&mut cells.text, &mut cells.text_pair, &mut cells.label, &mut cells.split, &mut cells.group] {
            if self.values.iter().any(|value| value == cell.trim()) {
                cell.clear();
            }
        }
        // Longer texts are not looked at.
        let word = |text: &&String| WORDS.iter().position(|word| text.len() < 16 && *word == text.trim());
        let words = [&cells.text, &cells.text_pair].map(|text| word(&text));
        words.into_iter().flatten().for_each(|word| self.found[word] = true);
        if words.iter().any(Option::is_some) {
            self.rows += 1;
            if self.lines.len() < Warning::MAX_LINES {
                self.lines.push(line);
            }
        }
    }

    /// Says which texts look like a missing one.
    pub(super) fn warning(&self, wording: Wording) -> Option<Warning> {
        // Predictions are for every row, whatever its text.
        if self.rows == 0 || wording != Wording::Keys {
            return None;
        }
        let found = WORDS.iter().zip(self.found).filter(|(_, found)| *found);
        let (words, list): (Vec<String>, Vec<String>) =
            found.map(|(word, _)| (format!("`{word}`"), format!("\"{word}\""))).unzip();
        let message = format!(
            "{} ({}) {} {} as a text, which pandas reads as missing; to drop such rows, set data.missing = [{}]",
            counted(self.rows, "row"),
            lines_of(&self.lines, self.rows),
            by_number(self.rows, "has", "have"),
            and(&words),
            list.join(", ")
        );
        Some(Warning::new(Kind::DataFile, message).at(self.lines.iter().copied()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(text: &str, label: &str) -> Cells {
        Cells { text: text.into(), label: label.into(), ..Cells::default() }
    }

    #[test]
    fn cells_with_a_missing_value_are_emptied() {
        let values = ["NA".to_owned(), "-".to_owned()];
        let mut missing = MissingValues::new(&values);
        for (text, label, want) in
            [(" NA ", "1", ["", "1"]), ("NA good", "-", ["NA good", ""]), ("na", "0", ["na", "0"])]
        {
            let mut row = cells(text, label);
            missing.clear(&mut row, 1);
            assert_eq!([row.text.as_str(), &row.label], want);
        }
        assert_eq!(missing.warning(Wording::Keys), None);
    }

    #[test]
    fn texts_that_look_missing_are_said() {
        let mut missing = MissingValues::new(&[]);
        for (line, text) in [(2, "null"), (3, "fine"), (7, " NA"), (9, "None of it")] {
            missing.clear(&mut cells(text, "1"), line);
        }
        let warning = missing.warning(Wording::Keys).unwrap();
        assert_eq!(
            warning.message,
            "2 rows (lines 2 and 7) have `NA` and `null` as a text, which pandas reads as missing; to drop such rows, set data.missing = \
             [\"NA\", \"null\"]"
        );
        assert_eq!(warning.lines, [2, 7]);
    }

    #[test]
    fn a_second_text_that_looks_missing_is_said_too() {
        let mut missing = MissingValues::new(&[]);
        for (line, text, text_pair) in
            [(2, "fine", "NA"), (3, "NaN", "null"), (4, "fine", "too"), (5, "fine", "NA or not")]
        {
            missing.clear(&mut Cells { text_pair: text_pair.into(), ..cells(text, "1") }, line);
        }
        let warning = missing.warning(Wording::Keys).unwrap();
        let want = "2 rows (lines 2 and 3) have `NA`, `NaN` and `null` as a text, ";
        assert!(warning.message.starts_with(want), "{}", warning.message);
    }
}
