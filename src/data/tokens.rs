//! Token ids of the rows, computed on demand or slightly ahead.

use std::{
    borrow::Cow,
    fmt,
    ops::Range,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
};

use rayon::prelude::*;

use super::{
    DataError, Dataset, Tokenizer, Window,
    progress::{Listener, Meter, Progress, silent},
};
use crate::{
    event::{Split, SplitTexts, TextLengths},
    plan::LongTexts,
};

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Encoded {
    /// Its ids, cut to `max_length` unless it is read in windows.
    ids: Box<[u32]>,
    /// Their token types; empty where all are 0.
    token_types: Box<[u32]>,
    /// Its windows, as in [`super::Encoded`]; empty where all ids are read at once.
    windows: Box<[Range<u32>]>,
    /// How many ids there were before any was cut.
    whole: u32,
    /// Whether there were more than that.
    or_more: bool,
}

type Encode = dyn Fn(usize) -> Result<Encoded, DataError> + Send + Sync;

/// Token ids of the rows of a dataset, computed once: by the first thread that needs the row, or by [`Self::ahead`].
///
/// A row's ids depend only on its text, so the order of computation does not matter. No thread waits for a row that another thread is
/// tokenising, especially not for the low-priority one of [`Self::ahead`]: occasionally both tokenise it.
///
/// What the model reads at once is a *window*: a row, or, if long texts are read in windows, one of those that a row has. Windows have ids:
/// those of a row follow one another, after those of the row before. As long as each row is one window, its id is that of the row.
pub struct Tokens {
    rows: Vec<OnceLock<Encoded>>,
    encode: Box<Encode>,
    /// The id of the first window of each row, and the number of windows; empty if each row is one window.
    first: Vec<u32>,
    listener: Listener,
}

/// Rows that a thread takes at once: fewer are not worth the overhead.
const ROWS_AT_ONCE: usize = 8;

/// Rows from which on the progress of tokenising them is told: those of a batch are fewer.
const MANY: usize = 10_000;

impl Tokens {
    /// The rows of a dataset, none of them tokenised yet; each will have `max_length` tokens at most, as by
    /// [`Tokenizer::encode`].
    pub fn lazy(tokenizer: Arc<Tokenizer>, dataset: Arc<Dataset>, max_length: usize) -> Self {
        Self::unread(tokenizer, dataset, max_length.into(), silent())
    }

    /// The rows of a dataset, read as `long` says. If it reads long texts in windows, all rows are tokenised here: how many windows there
    /// are must be known. `listener` receives the progress wherever many rows are tokenised at once.
    ///
    /// # Errors
    /// Then as [`Self::row`]; [`DataError::TooLarge`] for more windows than ids.
    pub fn of(
        tokenizer: Arc<Tokenizer>,
        dataset: Arc<Dataset>,
        long: LongTexts,
        listener: Listener,
    ) -> Result<Self, DataError> {
        let mut tokens = Self::unread(tokenizer, dataset, long, listener);
        if long.has_windows() {
            tokens.encode_all()?;
            tokens.first = tokens.numbered()?;
        }
        Ok(tokens)
    }

    fn unread(tokenizer: Arc<Tokenizer>, dataset: Arc<Dataset>, long: LongTexts, listener: Listener) -> Self {
        let rows = dataset.rows.len();
        let encode = move |row: usize| {
            let encoded = tokenizer.encode_long(&dataset.rows[row], long)?;
            let whole = u32::try_from(encoded.whole).map_err(|_| DataError::TooLarge { what: "tokens in a row" })?;
            let (ids, token_types) = (encoded.ids.into(), encoded.token_types.into());
            Ok(Encoded { ids, token_types, windows: encoded.windows.into(), whole, or_more: encoded.or_more })
        };
        Self { listener, ..Self::new(rows, encode) }
    }

    /// The id of the first window of each row, and the number of windows.
    fn numbered(&self) -> Result<Vec<u32>, DataError> {
        let mut first = Vec::with_capacity(self.rows() + 1);
        let mut windows = 0u32;
        first.push(windows);
        for row in 0..self.rows() {
            let more = u32::try_from(self.encoded(row)?.windows.len().max(1)).ok();
            let too_many = || DataError::TooLarge { what: "windows of the rows" };
            windows = more.and_then(|more| windows.checked_add(more)).ok_or_else(too_many)?;
            first.push(windows);
        }
        // Each row is one window: its id is that of the row.
        Ok(if windows as usize == self.rows() { Vec::new() } else { first })
    }

    /// Rows that are tokenised already.
    pub fn given(rows: Vec<Vec<u32>>) -> Self {
        Self::new(rows.len(), move |row| {
            let ids: Box<[u32]> = rows[row].as_slice().into();
            Ok(Encoded { whole: ids.len() as u32, ids, token_types: [].into(), windows: [].into(), or_more: false })
        })
    }

    fn new(rows: usize, encode: impl Fn(usize) -> Result<Encoded, DataError> + Send + Sync + 'static) -> Self {
        let rows = (0..rows).map(|_| OnceLock::new()).collect();
        Self { rows, encode: Box::new(encode), first: Vec::new(), listener: silent() }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Ids of row `row`, special tokens included; if it is read in windows, those of all of them, each once.
    ///
    /// # Errors
    /// Where the tokenizer fails on its text.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize) -> Result<&[u32], DataError> {
        Ok(&self.encoded(row)?.ids)
    }

    /// Token types of the ids of row `row`; empty where all are 0.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn token_types(&self, row: usize) -> Result<&[u32], DataError> {
        Ok(&self.encoded(row)?.token_types)
    }

    /// Ids of the windows of `rows`, row by row.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn windows<'a>(&self, rows: &'a [u32]) -> Cow<'a, [u32]> {
        if self.first.is_empty() {
            return Cow::Borrowed(rows);
        }
        rows.iter().flat_map(|&row| self.first[row as usize]..self.first[row as usize + 1]).collect()
    }

    /// How many windows `rows` have.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn count_windows(&self, rows: &[u32]) -> usize {
        if self.first.is_empty() {
            return rows.len();
        }
        rows.iter().map(|&row| (self.first[row as usize + 1] - self.first[row as usize]) as usize).sum()
    }

    /// The row that has the window with this id.
    pub fn row_of(&self, window: u32) -> u32 {
        self.row_and_index(window).0
    }

    /// The row that has the window with this id, and the index of the window among those of the row.
    pub fn row_and_index(&self, window: u32) -> (u32, u32) {
        if self.first.is_empty() {
            return (window, 0);
        }
        let row = self.first.partition_point(|&first| first <= window) - 1;
        (row as u32, window - self.first[row])
    }

    /// The tokens of the window with this id.
    ///
    /// # Errors
    /// As [`Self::row`].
    ///
    /// # Panics
    /// Where there is no such window.
    pub fn window(&self, window: u32) -> Result<Window<'_>, DataError> {
        let (row, index) = self.row_and_index(window);
        let Encoded { ids, token_types, windows, .. } = self.encoded(row as usize)?;
        Ok(Window::of(ids, token_types, windows, index as usize))
    }

    /// Lengths of windows, in tokens. Tokenises them in parallel where that is still to be done.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn lengths(&self, windows: &[u32]) -> Result<Vec<usize>, DataError> {
        self.encode_windows(windows)?;
        windows.iter().map(|&window| Ok(self.window(window)?.tokens())).collect()
    }

    /// How many tokens the texts of a split have, and how many of them are cut. Tokenises its rows.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn texts(&self, split: Split, rows: &[u32]) -> Result<SplitTexts, DataError> {
        self.encode_rows(rows)?;
        Ok(self.texts_so_far(split, rows))
    }

    /// The same of those rows that are tokenised by now; the others are [`SplitTexts::uncounted`].
    pub fn texts_so_far(&self, split: Split, rows: &[u32]) -> SplitTexts {
        let windows = self.count_windows(rows) as u64;
        let mut texts = SplitTexts { windows, ..SplitTexts::new(split, rows.len() as u64) };
        let mut lengths = Vec::with_capacity(rows.len());
        for &row in rows {
            let Some(Encoded { ids, whole, or_more, .. }) = self.rows[row as usize].get() else {
                texts.uncounted += 1;
                continue;
            };
            lengths.push(*whole as usize);
            let cut = u64::from(*whole).saturating_sub(ids.len() as u64);
            texts.tokens += u64::from(*whole);
            texts.tokens_cut += cut;
            texts.rows_cut += u64::from(cut > 0);
            texts.longer_than_counted += u64::from(*or_more);
        }
        texts.lengths = TextLengths::of(lengths);
        texts
    }

    /// Lengths of all rows before they were cut, in tokens. Tokenises all of them.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn whole_lengths(&self) -> Result<Vec<usize>, DataError> {
        self.encode_all()?;
        (0..self.rows()).map(|row| Ok(self.encoded(row)?.whole as usize)).collect()
    }

    /// Rows of which [`Self::whole_lengths`] says too little: of a very long text only as many tokens are counted as are
    /// needed. Tokenises all rows.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn rows_longer_than_counted(&self) -> Result<usize, DataError> {
        self.encode_all()?;
        (0..self.rows()).try_fold(0, |count, row| Ok(count + usize::from(self.encoded(row)?.or_more)))
    }

    /// Tokenises all rows that have no tokens yet, in parallel.
    ///
    /// # Errors
    /// As [`Self::row`].
    pub fn encode_all(&self) -> Result<(), DataError> {
        self.encode_rows(&(0..self.rows() as u32).collect::<Vec<_>>())
    }

    /// Tokenises those rows of `windows` that have no tokens yet, in parallel.
    pub(super) fn encode_windows(&self, windows: &[u32]) -> Result<(), DataError> {
        // Otherwise all rows are tokenised: the windows are known.
        if self.first.is_empty() { self.encode_rows(windows) } else { Ok(()) }
    }

    /// Tokenises those of `rows` that have no tokens yet, in parallel.
    pub(super) fn encode_rows(&self, rows: &[u32]) -> Result<(), DataError> {
        let missing: Vec<u32> = rows.iter().copied().filter(|&row| self.rows[row as usize].get().is_none()).collect();
        let encode = |row: &u32| self.encoded(*row as usize).map(drop);
        if missing.len() >= MANY {
            let (meter, done, of) = (Meter::new(&self.listener), AtomicU64::new(0), missing.len() as u64);
            return missing.par_iter().with_min_len(ROWS_AT_ONCE).try_for_each(|row| {
                encode(row)?;
                let rows = done.fetch_add(1, Ordering::Relaxed) + 1;
                if rows % Meter::EVERY == 0 {
                    meter.tell(Progress::Tokenizing { rows, of });
                }
                Ok(())
            });
        }
        match missing.len() {
            ..=ROWS_AT_ONCE => missing.iter().try_for_each(encode),
            _ => missing.par_iter().with_min_len(ROWS_AT_ONCE).try_for_each(encode),
        }
    }

    fn encoded(&self, row: usize) -> Result<&Encoded, DataError> {
        let cell = &self.rows[row];
        if let Some(encoded) = cell.get() {
            return Ok(encoded);
        }
        // Not inside `get_or_init`, which would have others wait for it.
        let encoded = (self.encode)(row)?;
        Ok(cell.get_or_init(|| encoded))
    }

    /// Tokenises rows in this order on `threads` threads of its own, for as long as the value returned lives.
    ///
    /// They only use otherwise idle processor time, if the system supports that. A row on which the tokenizer fails is skipped: the error is
    /// returned where the row is needed. If no thread can be started, rows are tokenised on demand.
    #[must_use = "dropping it ends the threads"]
    pub fn ahead(self: &Arc<Self>, order: Vec<u32>, threads: usize) -> Ahead {
        let stop = Arc::new(AtomicBool::new(false));
        let (order, next) = (Arc::new(order), Arc::new(AtomicUsize::new(0)));
        let start = |_| {
            let (tokens, order, next, stopped) = (self.clone(), order.clone(), next.clone(), stop.clone());
            let work = move || {
                be_patient();
                while !stopped.load(Ordering::Relaxed) {
                    let begin = next.fetch_add(ROWS_AT_ONCE, Ordering::Relaxed).min(order.len());
                    let rows = &order[begin..order.len().min(begin + ROWS_AT_ONCE)];
                    if rows.is_empty() {
                        break;
                    }
                    for &row in rows.iter().take_while(|_| !stopped.load(Ordering::Relaxed)) {
                        let _ = tokens.encoded(row as usize);
                    }
                }
            };
            thread::Builder::new().name("tokenise".into()).spawn(work).ok()
        };
        let threads = (0..threads).filter_map(start).collect();
        Ahead { stop, threads }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = self.rows.iter().filter(|row| row.get().is_some()).count();
        write!(f, "Tokens({ready} of {} rows)", self.rows.len())
    }
}

/// The threads of [`Tokens::ahead`]. When this is dropped, each ends after the few rows it is at.
#[derive(Debug)]
pub struct Ahead {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Ahead {
    fn join(&mut self) {
        // A panic in a tokenizer is that of the thread which needs the row.
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }
}

/// Gives way to every other thread. The arithmetic uses all cores; its slowest thread decides how long a step takes.
fn be_patient() {
    #[cfg(target_os = "linux")]
    // What Linux does to "process 0" it does to the calling thread. Refused (no such policy under musl), all is as before.
    #[expect(unsafe_code, reason = "the standard library has no scheduling; a struct of numbers is all that is passed")]
    let _ = unsafe { libc::sched_setscheduler(0, libc::SCHED_IDLE, &std::mem::zeroed()) };
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn encoded(row: usize) -> Encoded {
        let ids = [1, row as u32, 3].into();
        Encoded { ids, token_types: [].into(), windows: [].into(), whole: 3 + row as u32, or_more: false }
    }

    fn failure(row: usize) -> DataError {
        DataError::Encode { text: format!("row {row}"), what: "no".into() }
    }

    /// Rows, and how often one was tokenised.
    fn counted(rows: usize) -> (Arc<Tokens>, Arc<AtomicUsize>) {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = calls.clone();
        let tokens = Tokens::new(rows, move |row| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(encoded(row))
        });
        (Arc::new(tokens), calls)
    }

    #[test]
    fn a_row_is_tokenised_when_it_is_needed_and_once() {
        let (tokens, calls) = counted(1000);
        assert_eq!((tokens.rows(), calls.load(Ordering::Relaxed)), (1000, 0));
        assert_eq!(tokens.row(7).unwrap(), [1, 7, 3]);
        assert_eq!(tokens.lengths(&[7, 9, 9, 8]).unwrap(), [3; 4]);
        assert_eq!(calls.load(Ordering::Relaxed), 3);
        let lengths = tokens.whole_lengths().unwrap();
        assert!(lengths.iter().enumerate().all(|(row, &length)| length == 3 + row));
        assert_eq!(calls.load(Ordering::Relaxed), 1000);
    }

    #[test]
    fn rows_are_tokenised_ahead_in_the_requested_order() {
        let (send, received) = mpsc::channel();
        let tokens =
            Arc::new(Tokens::new(50, move |row| send.send(row).map(|()| encoded(row)).map_err(|_| failure(row))));
        tokens.row(3).unwrap();
        tokens.ahead(vec![5, 3, 2, 5, 49], 1).join();
        assert_eq!(received.try_iter().collect::<Vec<_>>(), [3, 5, 2, 49]);
        assert_eq!(format!("{tokens:?}"), "Tokens(4 of 50 rows)");
    }

    #[test]
    fn a_row_that_fails_is_an_error_only_where_it_is_needed() {
        let tokens = Arc::new(Tokens::new(100, |row| if row == 60 { Err(failure(row)) } else { Ok(encoded(row)) }));
        tokens.ahead((0..100).collect(), 3).join();
        assert_eq!(tokens.row(61).unwrap(), [1, 61, 3]);
        let says = |error: DataError| assert_eq!(error.to_string(), r#"cannot tokenise "row 60": no"#);
        says(tokens.row(60).unwrap_err());
        says(tokens.row(60).unwrap_err());
        says(tokens.encode_all().unwrap_err());
        says(tokens.lengths(&[1, 60]).unwrap_err());
    }

    #[test]
    fn threads_ahead_share_the_rows_and_leave_none_out() {
        for (rows, threads) in [(1000, 4), (3, 8), (0, 2), (8, 0)] {
            let (tokens, calls) = counted(rows);
            tokens.ahead((0..rows as u32).collect(), threads).join();
            assert_eq!(
                calls.load(Ordering::Relaxed),
                if threads == 0 { 0 } else { rows },
                "{rows} rows, {threads} threads"
            );
        }
    }

    /// A thread that is told to stop ends after its row: the drop returns though rows are left.
    #[test]
    fn dropping_ends_the_thread() {
        let (begun, first) = mpsc::channel();
        let (release, wait) = mpsc::channel::<()>();
        let wait = std::sync::Mutex::new(wait);
        let tokens = Arc::new(Tokens::new(1000, move |row| {
            let _ = begun.send(row);
            let _ = wait.lock().unwrap().recv();
            Ok(encoded(row))
        }));
        let ahead = tokens.ahead((0..1000).collect(), 1);
        assert_eq!(first.recv(), Ok(0));
        ahead.stop.store(true, Ordering::Relaxed);
        drop(release); // from now on no row waits
        drop(ahead);
        assert_eq!(format!("{tokens:?}"), "Tokens(1 of 1000 rows)");
        assert_eq!(Arc::strong_count(&tokens), 1);
    }

    /// Many threads and those ahead want the same rows: all get the same.
    #[test]
    fn the_thread_that_tokenises_a_row_does_not_matter() {
        let (tokens, _) = counted(2000);
        let _ahead = tokens.ahead((0..2000).rev().collect(), 2);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| assert!((0..2000).all(|row| *tokens.row(row).unwrap() == *encoded(row).ids)));
            }
        });
    }
}
