//! The rows of a data set, and what is odd about their texts, which another thread looks at while the next rows are read.

use std::{
    collections::BTreeMap,
    mem, panic,
    sync::mpsc::{SyncSender, sync_channel},
    thread::{self, JoinHandle},
};

use super::{
    Row,
    invisible::is_blank,
    mojibake::{Mojibake, ReadAs},
    noticed::Noticed,
    text_columns::RowText,
};

/// Rows that are handed over at a time.
const BATCH: usize = 4096;

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
    fn add(&mut self, batch: Vec<Row>) {
        for row in &batch {
            if RowText::from(row).texts().any(is_blank) {
                self.blank.add(row.line);
            }
            if let Some(read_as) = RowText::from(row).texts().find_map(|text| self.mojibake.read_as(text)) {
                self.misread.entry(read_as).or_default().add(row.line);
            }
        }
        self.rows.extend(batch);
    }
}

/// Takes rows one by one.
#[derive(Default)]
pub(super) struct Collector {
    batch: Vec<Row>,
    rows: usize,
    /// The other thread, from the first whole batch on.
    thread: Option<(SyncSender<Vec<Row>>, JoinHandle<Collected>)>,
}

impl Collector {
    /// Rows so far.
    pub(super) fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn push(&mut self, row: Row) {
        self.rows += 1;
        self.batch.push(row);
        if self.batch.len() == BATCH {
            let batch = mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
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

fn begin() -> (SyncSender<Vec<Row>>, JoinHandle<Collected>) {
    let (sender, batches) = sync_channel::<Vec<Row>>(WAITING);
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
    use crate::task::Target;

    /// The numbers around that of a batch: rows keep their order, and each odd one is noticed once.
    #[test]
    fn rows_of_any_number_come_back_in_their_order() {
        for n in [0, 1, BATCH - 1, BATCH, BATCH + 1, 7 * BATCH + 3] {
            let mut collector = Collector::default();
            for line in 1..=n as u64 {
                let text = if line % 1000 == 0 { "\u{200b}".to_owned() } else { format!("text {line}") };
                collector.push(Row { line, text, text_pair: None, target: Target::Label(0) });
            }
            assert_eq!(collector.len(), n);
            let collected = collector.finish();
            assert!(collected.rows.iter().map(|row| row.line).eq(1..=n as u64), "{n} rows");
            assert_eq!(collected.blank.rows, n as u64 / 1000);
            assert!(collected.blank.lines.iter().all(|line| line % 1000 == 0));
            assert!(collected.misread.is_empty());
        }
    }
}
