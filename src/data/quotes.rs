//! Rows that a quote has swallowed.
//!
//! A text that begins with a quotation mark which means nothing opens a quoted field: all lines up to the next quotation mark
//! are part of it, and the rows they were are gone without a word.

use super::record::Fields;

/// Lines of one row that look like rows of their own.
struct Suspect {
    /// Line on which the row begins.
    line: u64,
    /// Line breaks in it.
    breaks: u64,
    /// Its lines that are not empty.
    lines: usize,
    /// Of these, the labels of those that have as many fields as the header.
    labels: Vec<String>,
}

/// Rows of a file that span lines which look like rows.
#[derive(Default)]
pub(super) struct Swallowed {
    suspects: Vec<Suspect>,
    /// Labels kept of all of them.
    kept: usize,
}

impl Swallowed {
    /// Labels that are kept: those of more rows would say nothing new.
    const MOST: usize = 100_000;
    /// Line breaks that hardly any text has.
    const MANY: u64 = 50;
    /// Lines as long as a row that are beyond chance where labels cannot tell.
    const BEYOND_CHANCE: usize = 4;

    /// Notes the row if it spans lines that look like rows, and tells whether it does: at least two of them have as many fields
    /// as the header. A text that someone wrote in several lines has one at most, the first or the last.
    pub(super) fn look(
        &mut self,
        line: u64,
        record: &Fields<'_>,
        delimiter: char,
        fields: usize,
        label: Option<usize>,
    ) -> bool {
        if memchr::memchr2(b'\n', b'\r', record.text().as_bytes()).is_none() {
            return false;
        }
        // As it was before quotes were taken to mean something, but for the quotes.
        let whole = record.iter().collect::<Vec<_>>().join(delimiter.encode_utf8(&mut [0; 4]));
        let breaks = line_breaks(whole.as_bytes());
        let (mut lines, mut labels) = (0, Vec::new());
        for part in whole.split(['\n', '\r']).filter(|part| !part.trim().is_empty()) {
            lines += 1;
            if self.kept + labels.len() < Self::MOST && part.split(delimiter).count() == fields {
                let cell = part.split(delimiter).nth(label.unwrap_or_default()).unwrap_or_default();
                labels.push(cell.trim().trim_matches('"').trim().to_owned());
            }
        }
        let looks_like_rows = fields > 1 && labels.len() >= 2;
        if looks_like_rows || breaks >= Self::MANY {
            self.kept += labels.len();
            self.suspects.push(Suspect { line, breaks, lines, labels });
        }
        looks_like_rows
    }

    /// Line and line breaks of each row that has swallowed others, or is far longer than texts are. `is_label` knows the labels
    /// of the file; without it only the number of lines can tell.
    pub(super) fn found(&self, is_label: Option<&dyn Fn(&str) -> bool>) -> Vec<(u64, u64)> {
        let has_rows = |suspect: &Suspect| {
            let rows = match is_label {
                Some(is_label) => suspect.labels.iter().filter(|label| is_label(label)).count(),
                None if suspect.labels.len() >= Self::BEYOND_CHANCE => suspect.labels.len(),
                None => 0,
            };
            rows >= 2 && 2 * rows >= suspect.lines
        };
        let found = self.suspects.iter().filter(|suspect| has_rows(suspect) || suspect.breaks >= Self::MANY);
        found.map(|suspect| (suspect.line, suspect.breaks)).collect()
    }
}

/// Line breaks of a text: `\n`, `\r\n` and `\r` are one each.
pub(super) fn line_breaks(bytes: &[u8]) -> u64 {
    let starts = |&(i, byte): &(usize, &u8)| match byte {
        b'\n' => i == 0 || bytes[i - 1] != b'\r',
        byte => *byte == b'\r',
    };
    bytes.iter().enumerate().filter(starts).count() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fields: &[&str], delimiter: char, columns: usize, label: usize, labels: &[&str]) -> Vec<(u64, u64)> {
        let mut swallowed = Swallowed::default();
        let record = csv::ByteRecord::from(fields.to_vec());
        swallowed.look(7, &Fields::new(&record).ok().unwrap(), delimiter, columns, Some(label));
        swallowed.found(Some(&|value| labels.contains(&value)))
    }

    #[test]
    fn lines_that_look_like_rows_give_a_warning() {
        let all = ["pos", "neg"];
        // Two marks in neighbouring rows; a mark in the first column of three; a label in front.
        assert_eq!(found(&["good\tpos\nbad", "neg"], '\t', 2, 1, &all), [(7, 1)]);
        assert_eq!(found(&["a,b,pos\r\nc,d,neg\r\ne", "f", "pos"], ',', 3, 2, &all), [(7, 2)]);
        assert_eq!(found(&["pos", "good\nneg\tbad\npos\tbest"], '\t', 2, 0, &all), [(7, 2)]);
        // So long that it cannot have been intended, whatever it looks like.
        assert_eq!(found(&["x\n".repeat(60).as_str(), "pos"], ',', 2, 1, &all), [(7, 60)]);
    }

    #[test]
    fn texts_of_several_lines_are_not() {
        let all = ["pos", "neg"];
        for fields in [["one\ntwo\nthree", "pos"], ["good, really\nand cheap, too", "pos"], ["a\n\nb,c\n", "neg"]] {
            assert_eq!(found(&fields, ',', 2, 1, &all), [], "{fields:?}");
        }
        // One comma a line, as a row has, but no labels.
        assert_eq!(found(&["pos", "I liked it, really\nso fast, so good\nagain, please"], ',', 2, 0, &all), []);
    }
}
