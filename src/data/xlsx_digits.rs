//! The digits of large whole numbers in a workbook.
//!
//! The library hands over 64-bit floating-point numbers, of which not every whole number from 2^53 on is one. Some programs write
//! such a number with all its digits, as an id: these are read from the sheet's XML.

use std::{
    collections::{HashMap, HashSet},
    io::{self, Read},
    path::Path,
};

use crate::regular;

/// Digits that a number of 2^53 has; fewer are below it.
const FEWEST: usize = 16;

/// The digits of the whole numbers that are written without an exponent, by row and column from 0. A workbook has several sheets: where they
/// differ, all are there.
#[derive(Default)]
pub(super) struct Digits(HashMap<(u32, u32), HashSet<String>>);

impl Digits {
    /// Those of all sheets of the workbook.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(path: &Path) -> io::Result<Self> {
        let mut digits = Self::default();
        let file = io::BufReader::new(regular::open(path)?);
        let mut archive = zip::ZipArchive::new(file)?;
        for index in 0..archive.len() {
            let mut part = archive.by_index(index)?;
            // All sheets: which part is that of which one is written elsewhere.
            if part.name()?.ends_with(".xml") && part.name()?.to_ascii_lowercase().contains("sheets/") {
                let mut xml = Vec::new();
                part.read_to_end(&mut xml)?;
                digits.add(&xml);
            }
        }
        Ok(digits)
    }

    fn add(&mut self, xml: &[u8]) {
        let (mut row, mut column, mut at) = (0, 0, 0);
        let mut cell = None;
        while let Some(start) = memchr::memchr(b'<', &xml[at..]).map(|next| at + next + 1) {
            let end = memchr::memchr(b'>', &xml[start..]).map_or(xml.len(), |next| start + next);
            let tag = &xml[start..end];
            at = end;
            match local_name(tag) {
                b"row" => {
                    row = attribute(tag, b"r").and_then(number).map_or(row, |number| number.saturating_sub(1));
                    column = 0;
                }
                b"/row" => row += 1,
                b"c" => {
                    let own = attribute(tag, b"r").and_then(position).unwrap_or((row, column));
                    column = own.1 + 1;
                    cell = Some(own);
                }
                b"/c" => cell = None,
                b"v" => {
                    let text = xml.get(end + 1..).unwrap_or_default();
                    let text = &text[..memchr::memchr(b'<', text).unwrap_or(text.len())];
                    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
                    if let (Some(cell), Ok(digits)) = (cell, str::from_utf8(text))
                        && unsigned.len() >= FEWEST
                        && unsigned.iter().all(u8::is_ascii_digit)
                    {
                        self.0.entry(cell).or_default().insert(digits.to_owned());
                    }
                }
                _ => {}
            }
        }
    }

    /// Those of the cell with this number; the number's own if it is written with an exponent, as Excel writes it. `None`: two sheets have different
    /// numbers there that are the same to the library.
    pub(super) fn of(&self, row: u32, column: u32, number: f64) -> Option<String> {
        let found = self.0.get(&(row, column));
        let same = |digits: &&String| digits.parse() == Ok(number);
        let mut found = found.into_iter().flatten().filter(same);
        match (found.next(), found.next()) {
            (None, _) => Some(shortest(number)),
            (Some(digits), None) => Some(digits.clone()),
            (Some(_), Some(_)) => None,
        }
    }
}

/// A whole number as the shortest digits that are this number; with an exponent from 10^21 on.
fn shortest(number: f64) -> String {
    if number.abs() < 1e21 { number.to_string() } else { format!("{number:?}") }
}

/// The name of a tag without its prefix; with `/` in front if it ends an element.
fn local_name(tag: &[u8]) -> &[u8] {
    let end = tag.iter().position(|byte| byte.is_ascii_whitespace()).unwrap_or(tag.len());
    let name = tag[..end].strip_suffix(b"/").unwrap_or(&tag[..end]);
    match (name.iter().position(|byte| *byte == b':'), name.first()) {
        (Some(colon), Some(b'/')) if name[colon + 1..] == *b"c" => b"/c",
        (Some(colon), Some(b'/')) if name[colon + 1..] == *b"row" => b"/row",
        (Some(colon), _) => &name[colon + 1..],
        (None, _) => name,
    }
}

/// The value of an attribute.
fn attribute<'t>(tag: &'t [u8], name: &[u8]) -> Option<&'t str> {
    let mut rest = &tag[tag.iter().position(|byte| byte.is_ascii_whitespace())?..];
    loop {
        let equals = rest.iter().position(|byte| *byte == b'=')?;
        let (key, value) = (rest[..equals].trim_ascii(), rest[equals + 1..].trim_ascii_start());
        let (quote, value) = value.split_first()?;
        let end = value.iter().position(|byte| byte == quote)?;
        if key == name {
            return str::from_utf8(&value[..end]).ok();
        }
        rest = &value[end + 1..];
    }
}

fn number(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

/// Row and column, from 0, of a cell such as `AB12`.
fn position(cell: &str) -> Option<(u32, u32)> {
    let letters = cell.bytes().take_while(u8::is_ascii_alphabetic);
    let column = letters.clone().try_fold(0_u32, |column, letter| {
        column.checked_mul(26)?.checked_add(u32::from(letter.to_ascii_uppercase() - b'A') + 1)
    })?;
    let row = number(cell.get(letters.count()..)?)?;
    Some((row.checked_sub(1)?, column.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_cell() {
        let mut digits = Digits::default();
        digits.add(
            br#"<x:row r="2" spans="1:2"><x:c s="1" r = 'AA2'><x:v>9007199254740993</x:v></x:c>
            <x:c><x:f>1+1</x:f><x:v>-12345678901234567</x:v></x:c><x:c t="s"><x:v>1</x:v></x:c><x:c><x:v>1E+16</x:v></x:c></x:row>
            <x:row><x:c/><x:c r="B3"><x:v>1234567890123456</x:v></x:c></x:row>"#,
        );
        let of = |row, column, number| digits.of(row, column, number).unwrap();
        assert_eq!(of(1, 26, 9007199254740992.0), "9007199254740993");
        assert_eq!(of(1, 27, -12345678901234568.0), "-12345678901234567");
        assert_eq!(of(2, 1, 1234567890123456.0), "1234567890123456");
        // With an exponent, and of another cell.
        assert_eq!(of(1, 29, 1e16), "10000000000000000");
        assert_eq!(of(1, 25, 9007199254740992.0), "9007199254740992");
        assert_eq!((of(9, 9, 1e21), of(9, 9, -1e300)), ("1e21".into(), "-1e300".into()));
    }

    #[test]
    fn sheets_that_differ_in_a_digit_that_is_lost_have_none() {
        let mut digits = Digits::default();
        for last in [2, 3] {
            let xml = format!(r#"<row r="1"><c r="A1"><v>900719925474099{last}</v></c></row>"#);
            digits.add(xml.as_bytes());
        }
        assert_eq!(digits.of(0, 0, 9007199254740992.0), None);
        let xml = br#"<row r="1"><c r="B1"><v>9007199254740992</v></c><c r="B1"><v>1000000000000000</v></c></row>"#;
        digits.add(xml);
        assert_eq!(digits.of(0, 1, 9007199254740992.0).as_deref(), Some("9007199254740992"));
    }
}
