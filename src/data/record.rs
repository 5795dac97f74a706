//! A record of a CSV or TSV file as text.

use csv::ByteRecord;

/// The fields of a record, which are all UTF-8.
pub(super) struct Fields<'a> {
    /// All fields, one after the other.
    text: &'a str,
    record: &'a ByteRecord,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// A field is not UTF-8: its position, and the offset in it of the first byte that is not.
    pub(super) fn new(record: &'a ByteRecord) -> Result<Self, (usize, usize)> {
        // A byte of one field and one of the next may together look like a character.
        let whole = |text: &str| {
            record
                .iter()
                .scan(0, |end, field| Some((*end += field.len(), *end).1))
                .all(|end| text.is_char_boundary(end))
        };
        match simdutf8::basic::from_utf8(record.as_slice()) {
            Ok(text) if whole(text) => Ok(Self { text, record }),
            _ => {
                let bad = |(at, field)| Some((at, str::from_utf8(field).err()?.valid_up_to()));
                Err(record.iter().enumerate().find_map(bad).unwrap_or_default())
            }
        }
    }

    /// Their number.
    pub(super) fn len(&self) -> usize {
        self.record.len()
    }

    /// All of them, one after the other, without what separates them.
    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    pub(super) fn get(&self, field: usize) -> Option<&'a str> {
        Some(&self.text[self.record.range(field)?])
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        (0..self.len()).filter_map(|field| self.get(field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_those_of_the_record() {
        let record = ByteRecord::from(vec!["好吃", "", "a"]);
        let fields = Fields::new(&record).ok().unwrap();
        assert_eq!(fields.iter().collect::<Vec<_>>(), ["好吃", "", "a"]);
        assert_eq!((fields.len(), fields.text(), fields.get(0), fields.get(3)), (3, "好吃a", Some("好吃"), None));
    }

    #[test]
    fn the_first_byte_that_is_not_utf8_is_named() {
        // 好 is E5 A5 BD: cut by the end of a field, it is in none.
        for (record, at) in [
            (vec![&b"a"[..], b"ab\xff"], (1, 2)),
            (vec![b"a\xe5\xa5", b"\xbd"], (0, 1)),
            (vec![b"", b"\xe5", b"\xa5\xbd"], (1, 0)),
        ] {
            assert_eq!(Fields::new(&ByteRecord::from(record)).err(), Some(at));
        }
    }
}
