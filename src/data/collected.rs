//! The rows of a dataset, and what is odd about their texts, which another thread looks at while the next rows are read.

use std::{
    collections::BTreeMap,
    iter::once,
    mem, panic,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use super::{
    Row,
    counted_rows::Noticed,
    invisible::is_blank,
    mojibake::{Mojibake, ReadAs},
    shared_text::Together,
    text_columns::RowText,
};
use crate::task::Target;

/// Rows that are handed over at a time.
const BATCH: usize = 4096;

/// Bytes of texts from which on fewer rows are handed over.
const BYTES: usize = 1 << 20;

/// Batches that may wait for the other thread.
const WAITING: usize = 4;

/// Rows with what was noticed of their texts.
#[derive(Default)]
pub(super) struct Collected {
    pub(super) rows: Vec<Row>,
    /// Texts of invisible characters alone.
    pub(super) blank: Noticed,
    /// Texts that were read in a wrong encoding and written again.
    pub(super) misread: BTreeMap<ReadAs, Noticed>,
    mojibake: Mojibake,
}

impl Collected {
    fn add(&mut self, batch: Batch) {
        let Batch { rows, texts } = batch;
        let ends: Vec<u32> = rows.iter().flat_map(|row| once(row.text).chain(row.text_pair)).collect();
        let mut texts = texts.finish(ends);
        for NewRow { line, text_pair, target, .. } in rows {
            let text = texts.next().expect("an end for each text");
            let row = Row { line, text, text_pair: text_pair.and_then(|_| texts.next()), target };
            if RowText::from(&row).texts().any(is_blank) {
                self.blank.add(line);
            }
            if let Some(read_as) = RowText::from(&row).texts().find_map(|text| self.mojibake.read_as(text)) {
                self.misread.entry(read_as).or_default().add(line);
            }
            self.rows.push(row);
        }
    }
}

/// A row whose texts are among those of its batch: where they end there.
struct NewRow {
    line: u64,
    text: u32,
    text_pair: Option<u32>,
    target: Target,
}

/// Rows that are handed over together.
#[derive(Default)]
struct Batch {
    rows: Vec<NewRow>,
    texts: Together,
}

/// Takes rows one by one.
#[derive(Default)]
pub(super) struct Collector {
    batch: Batch,
    rows: usize,
    /// The other thread, from the first whole batch on.
    thread: Option<(SyncSender<Batch>, JoinHandle<Collected>)>,
}

impl Collector {
    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn push(&mut self, line: u64, RowText { text, text_pair }: RowText<'_>, target: Target) {
        self.rows += 1;
        let texts = &mut self.batch.texts;
        let (text, text_pair) = (texts.add(text), text_pair.map(|text| texts.add(text)));
        self.batch.rows.push(NewRow { line, text, text_pair, target });
        if self.batch.rows.len() == BATCH || texts.bytes() >= BYTES {
            // The next texts are probably as long, or nearly so.
            let texts = Together::with_capacity(texts.bytes() + texts.bytes() / 8);
            let batch = mem::replace(&mut self.batch, Batch { rows: Vec::with_capacity(BATCH), texts });
            let (sender, _) = self.thread.get_or_insert_with(begin);
            // If it has panicked, `finish` says so.
            let _ = sender.send(batch);
        }
    }

    /// All rows, in their order.
    pub(super) fn finish(self) -> Collected {
        let mut collected = match self.thread {
            Some((sender, thread)) => {
                drop(sender);
                thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
            }
            None => Collected::default(),
        };
        collected.add(self.batch);
        collected
    }
}

fn begin() -> (SyncSender<Batch>, JoinHandle<Collected>) {
    let (sender, batches) = sync_channel::<Batch>(WAITING);
    let thread = thread::spawn(move || {
        let mut collected = Collected::default();
        batches.iter().for_each(|batch| collected.add(batch));
        collected
    });
    (sender, thread)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers around that of a batch: rows keep their order, and each odd one is noticed once.
    #[test]
    fn rows_of_any_number_come_back_in_their_order() {
        for n in [0, 1, BATCH - 1, BATCH, BATCH + 1, 7 * BATCH + 3] {
            let mut collector = Collector::default();
            for line in 1..=n as u64 {
                let text = if line % 1000 == 0 { "\u{200b}".to_owned() } else { format!("text {line}") };
                collector.push(line, (&text).into(), Target::Label(0));
            }
            assert_eq!(collector.len(), n);
            let collected = collector.finish();
            assert!(collected.rows.iter().map(|row| row.line).eq(1..=n as u64), "{n} rows");
            assert_eq!(collected.blank.rows, n as u64 / 1000);
            assert!(collected.blank.lines.iter().all(|line| line % 1000 == 0));
            assert!(collected.misread.is_empty());
        }
    }

    /// Long texts, in batches of a few rows, and second texts.
    #[test]
    fn rows_have_their_texts() {
        let text = |line: u64| format!("{line} ").repeat(line as usize * 997 % 90_000);
        let mut collector = Collector::default();
        for line in 1..=200 {
            let (text, pair) = (text(line), text(line + 1000));
            let text_pair = (line % 3 > 0).then_some(pair.as_str());
            collector.push(line, RowText { text: &text, text_pair }, Target::Label(line as u32));
        }
        let rows = collector.finish().rows;
        assert_eq!(rows.len(), 200);
        for row in rows {
            assert_eq!((row.text.as_str(), row.target), (text(row.line).as_str(), Target::Label(row.line as u32)));
            assert_eq!(row.text_pair.as_deref(), (row.line % 3 > 0).then_some(text(row.line + 1000).as_str()));
        }
    }
}
