//! A column of texts of a Parquet file, decoded on a thread of its own.
//!
//! Texts are nearly all of what such a file holds: decoding them beside everything else takes half the time.

use std::{
    mem,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread, vec,
};

use parquet::{column::reader::ColumnReaderImpl, data_type::ByteArrayType, errors::ParquetError};

use super::guarded::guarded;

/// Rows that are decoded, and handed over, at a time.
const ROWS: usize = 4096;

/// Bytes of texts from which on fewer rows are handed over.
const BYTES: usize = 1 << 20;

/// Batches that may wait.
const WAITING: usize = 2;

/// The text of a row, empty if it has none; what is wrong with it otherwise.
pub(super) type Text = Result<String, String>;

/// A column of texts of one row group.
pub(super) struct TextColumn {
    batches: Receiver<Result<Vec<Text>, ParquetError>>,
    batch: vec::IntoIter<Text>,
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
        Ok(Self { batches, batch: Vec::new().into_iter() })
    }

    /// The text of the next row; `None` after the last.
    ///
    /// # Errors
    /// The column is damaged from here on.
    pub(super) fn next(&mut self) -> Result<Option<Text>, ParquetError> {
        loop {
            if let Some(text) = self.batch.next() {
                return Ok(Some(text));
            }
            let Ok(batch) = self.batches.recv() else { return Ok(None) };
            self.batch = batch?.into_iter();
        }
    }
}

/// Decodes all rows, or until the receiver is gone.
fn decode(
    reader: &mut ColumnReaderImpl<ByteArrayType>,
    optional: bool,
    batches: &SyncSender<Result<Vec<Text>, ParquetError>>,
) -> Result<(), ParquetError> {
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    loop {
        values.clear();
        levels.clear();
        let (rows, ..) = reader.read_records(ROWS, optional.then_some(&mut levels), None, &mut values)?;
        if rows == 0 {
            return Ok(());
        }
        let mut texts = values.iter();
        let (mut batch, mut bytes) = (Vec::with_capacity(rows), 0);
        for row in 0..rows {
            let present = !optional || levels.get(row).is_some_and(|level| *level > 0);
            let value = present.then(|| texts.next().map(|value| value.data()));
            let Some(value) = value.unwrap_or(Some(&[])) else {
                return Err(ParquetError::EOF("a column has fewer values than its rows need".into()));
            };
            bytes += value.len();
            batch.push(text(value));
            if bytes >= BYTES {
                bytes = 0;
                if batches.send(Ok(mem::take(&mut batch))).is_err() {
                    return Ok(());
                }
            }
        }
        if batches.send(Ok(batch)).is_err() {
            return Ok(());
        }
    }
}

/// Bytes as text.
pub(super) fn text(bytes: &[u8]) -> Text {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => match str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(format!("not UTF-8 from byte {} on", error.valid_up_to())),
        },
    }
}
