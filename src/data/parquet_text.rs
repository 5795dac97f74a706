//! A column of texts of a Parquet file, decoded on a thread of its own.
//!
//! Texts are nearly all of what such a file holds: decoding them beside everything else takes half the time.

use std::{
    collections::VecDeque,
    mem,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use parquet::{column::reader::ColumnReaderImpl, data_type::ByteArrayType, errors::ParquetError};

use super::guarded::guarded;

/// Rows that are decoded, and handed over, at a time.
const ROWS: usize = 4096;

/// Bytes of texts from which on fewer rows are handed over.
const BYTES: usize = 1 << 20;

/// Batches that may wait.
const WAITING: usize = 4;

/// Texts of some rows, one after the other.
#[derive(Default)]
struct Batch {
    texts: String,
    /// Where the text of each row ends. A row without a text has an empty one.
    ends: Vec<usize>,
    /// Rows whose bytes are no text, in order, and what is wrong with them. Their texts are empty.
    bad: VecDeque<(usize, String)>,
}

impl Batch {
    /// The texts in `bytes`, of rows that end there.
    fn new(bytes: &[u8], ends: Vec<usize>) -> Self {
        // All at once: most texts are too short for SIMD. A byte of one and one of the next may together look like a character.
        if let Ok(texts) = simdutf8::basic::from_utf8(bytes)
            && ends.iter().all(|end| texts.is_char_boundary(*end))
        {
            return Self { texts: texts.to_owned(), ends, bad: VecDeque::new() };
        }
        let (mut batch, mut start) = (Self::default(), 0);
        for end in ends {
            match text(&bytes[start..end]) {
                Ok(text) => batch.texts.push_str(text),
                Err(what) => batch.bad.push_back((batch.ends.len(), what)),
            }
            batch.ends.push(batch.texts.len());
            start = end;
        }
        batch
    }
}

/// A column of texts of one row group.
pub(super) struct TextColumn {
    batches: Receiver<Result<Batch, ParquetError>>,
    batch: Batch,
    /// Rows of the batch that were handed on, and where the text of the last of them ends.
    row: usize,
    start: usize,
}

impl TextColumn {
    /// Begins to decode. If the column is `optional`, a row may have no text.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn new(mut reader: ColumnReaderImpl<ByteArrayType>, optional: bool) -> Result<Self, ParquetError> {
        let (sender, batches) = sync_channel(WAITING);
        let read = move || {
            let end = match guarded("parquet", || decode(&mut reader, optional, &sender)) {
                Ok(end) => end,
                Err(panic) => Err(ParquetError::General(panic)),
            };
            if let Err(error) = end {
                let _ = sender.send(Err(error)); // unless the reader is gone
            }
        };
        thread::Builder::new().spawn(read)?;
        Ok(Self { batches, batch: Batch::default(), row: 0, start: 0 })
    }

    /// The text of the next row, empty if it has none; what is wrong with it otherwise. `None` after the last.
    ///
    /// # Errors
    /// The column is damaged from here on.
    pub(super) fn next(&mut self) -> Result<Option<Result<&str, String>>, ParquetError> {
        while self.row == self.batch.ends.len() {
            let Ok(batch) = self.batches.recv() else { return Ok(None) };
            (self.batch, self.row, self.start) = (batch?, 0, 0);
        }
        let (row, start, end) = (self.row, self.start, self.batch.ends[self.row]);
        (self.row, self.start) = (row + 1, end);
        if self.batch.bad.front().is_some_and(|(bad, _)| *bad == row) {
            return Ok(self.batch.bad.pop_front().map(|(_, what)| Err(what)));
        }
        Ok(Some(Ok(&self.batch.texts[start..end])))
    }
}

/// Decodes all rows, or until the receiver is gone.
fn decode(
    reader: &mut ColumnReaderImpl<ByteArrayType>,
    optional: bool,
    batches: &SyncSender<Result<Batch, ParquetError>>,
) -> Result<(), ParquetError> {
    let (mut values, mut levels, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        values.clear();
        levels.clear();
        bytes.clear();
        let (rows, ..) = reader.read_records(ROWS, optional.then_some(&mut levels), None, &mut values)?;
        if rows == 0 {
            return Ok(());
        }
        let mut texts = values.iter();
        let mut ends = Vec::with_capacity(rows);
        for row in 0..rows {
            let present = !optional || levels.get(row).is_some_and(|level| *level > 0);
            let value = present.then(|| texts.next().map(|value| value.data()));
            let Some(value) = value.unwrap_or(Some(&[])) else {
                return Err(ParquetError::EOF("a column has fewer values than its rows need".into()));
            };
            bytes.extend_from_slice(value);
            ends.push(bytes.len());
            if bytes.len() >= BYTES {
                let batch = Batch::new(&bytes, mem::take(&mut ends));
                if batches.send(Ok(batch)).is_err() {
                    return Ok(());
                }
                bytes.clear();
            }
        }
        if batches.send(Ok(Batch::new(&bytes, ends))).is_err() {
            return Ok(());
        }
    }
}

/// Bytes as text; what is wrong with them if they are none.
pub(super) fn text(bytes: &[u8]) -> Result<&str, String> {
    simdutf8::compat::from_utf8(bytes).map_err(|error| format!("not UTF-8 from byte {} on", error.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 好 is E5 A5 BD: cut by the end of a text, it is in none.
    #[test]
    fn texts_that_are_not_utf8_are_named_and_the_others_stay() {
        let rows: [&[u8]; 6] = [b"a", b"b\xe5", b"\xa5\xbd", b"", "好吃".as_bytes(), b"\xff"];
        let ends = rows.iter().scan(0, |end, row| Some((*end += row.len(), *end).1)).collect();
        let (sender, batches) = sync_channel(2);
        sender.send(Ok(Batch::new(&rows.concat(), ends))).ok().unwrap();
        sender.send(Ok(Batch::new(b"cd", vec![1, 2]))).ok().unwrap();
        drop(sender);
        let mut column = TextColumn { batches, batch: Batch::default(), row: 0, start: 0 };
        let bad = |at| Err(format!("not UTF-8 from byte {at} on"));
        for want in [Ok("a"), bad(1), bad(0), Ok(""), Ok("好吃"), bad(0), Ok("c"), Ok("d")] {
            assert_eq!(column.next().unwrap().unwrap(), want);
        }
        assert!(column.next().unwrap().is_none());
    }
}
