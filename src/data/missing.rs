//! Values that mean that there is none.

use super::{
    cells::Cells,
    invisible::is_blank,
    missing_words::{WORDS, word},
    settings::Wording,
};
use crate::{
    format::{and, by_number, counted},
    warning::{Kind, Warning, lines_of},
};

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
        for cell in [&mut cells.text, &mut cells.text_pair, &mut cells.split, &mut cells.group] {
            if is_missing(self.values, cell) {
                cell.clear();
            }
        }
        clear_target(self.values, cells);
        cells.missing_words.extend([word(&cells.text), word(&cells.text_pair)].into_iter().flatten());
        cells.missing_words.iter().for_each(|word| self.found[*word] = true);
        if !cells.missing_words.is_empty() {
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
            "{} ({}) {} {} as a text, which pandas reads as a missing value; if this means that there is no text, set data.missing = [{}]",
            counted(self.rows, "row"),
            lines_of(&self.lines, self.rows),
            by_number(self.rows, "has", "have"),
            and(&words),
            list.join(", ")
        );
        Some(Warning::new(Kind::DataFile, message).at(self.lines.iter().copied()))
    }
}

/// Whether a cell is one of the values that mean that there is none.
fn is_missing(values: &[String], cell: &str) -> bool {
    values.iter().any(|value| value == cell.trim())
}

/// Whether nothing of a text can be seen, or it is one of the values that mean that there is none.
pub(super) fn is_no_text(values: &[String], text: &str) -> bool {
    is_blank(text) || is_missing(values, text)
}

/// Empties the cells of the target that have one of these values.
pub(super) fn clear_target(values: &[String], cells: &mut Cells) {
    if is_missing(values, &cells.label) {
        cells.label.clear();
        cells.is_unknown = true;
    }
    // What a list contains is a label, whatever it is.
    for cell in cells.labels.iter_mut().filter(|_| !cells.is_list) {
        if is_missing(values, cell) {
            cell.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::text_columns::TextColumns, *};

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
            "2 rows (lines 2 and 7) have `NA` and `null` as a text, which pandas reads as a missing value; if this \
             means that there is no text, set data.missing = [\"NA\", \"null\"]"
        );
        assert_eq!(warning.lines, [2, 7]);
    }

    #[test]
    fn a_part_of_a_text_that_looks_missing_is_said() {
        let columns = TextColumns { names: vec!["title".into(), "body".into()], ..TextColumns::from("title") };
        let columns = TextColumns { missing: vec!["-".into()], ..columns };
        let mut missing = MissingValues::new(&columns.missing);
        for (line, title, body) in
            [(2, "fine", "NA"), (3, "-", "fine"), (4, "NaN", "null"), (5, "N", "A"), (6, "", "NA")]
        {
            let mut row = Cells::default();
            [title, body].iter().for_each(|part| row.add_text(part, &columns));
            missing.clear(&mut row, line);
        }
        let warning = missing.warning(Wording::Keys).unwrap();
        let want = "3 rows (lines 2, 4 and 6) have `NA`, `NaN` and `null` as a text, ";
        assert!(warning.message.starts_with(want), "{}", warning.message);
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
