//! Reads a file on another thread, a little ahead of what parses it.
//!
//! Reading, hashing, unpacking and decoding take as long as parsing, so that both at once take half the time.

use std::{
    io::{self, Read},
    mem, panic,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
};

/// Bytes that are handed over at a time.
const BLOCK: usize = 1 << 18;

/// Blocks that may wait to be parsed.
const WAITING: usize = 4;

/// The bytes of a reader, which another thread reads.
pub(super) struct ReadAhead {
    blocks: Receiver<io::Result<Block>>,
    /// Blocks that have been parsed, to be filled again.
    parsed: Sender<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
    /// The block that is being parsed, and how much of it has been handed on.
    block: Vec<u8>,
    handed: usize,
    /// Where in the file it begins and ends, and where what was handed on ends.
    from: u64,
    to: u64,
    position: Arc<AtomicU64>,
}

/// Bytes with the position in the file at which they end. Of a packed file they are more than those of the file.
type Block = (Vec<u8>, u64);

impl ReadAhead {
    /// Begins to read; `position` says how far in the file it is. If the system gives no thread, the reader itself.
    pub(super) fn of(
        inner: Box<dyn Read + Send>,
        position: impl Fn() -> u64 + Send + 'static,
    ) -> Result<Self, Box<dyn Read + Send>> {
        let (sender, blocks) = sync_channel(WAITING);
        let (parsed, empty) = channel();
        let (start, started) = channel();
        let read = move || {
            if let Ok(inner) = started.recv() {
                read(inner, &position, &sender, &empty);
            }
        };
        let Ok(thread) = thread::Builder::new().spawn(read) else { return Err(inner) };
        // It waits for nothing else.
        let _ = start.send(inner);
        let (block, position) = (Vec::new(), Arc::default());
        Ok(Self { blocks, parsed, thread: Some(thread), block, handed: 0, from: 0, to: 0, position })
    }

    /// How far in the file what was handed on ends.
    pub(super) fn position(&self) -> Arc<AtomicU64> {
        self.position.clone()
    }

    fn advance(&self) {
        let share = self.handed as f64 / self.block.len().max(1) as f64;
        let position = self.from + ((self.to - self.from) as f64 * share) as u64;
        self.position.store(position, Ordering::Relaxed);
    }
}

/// Reads to the end, to the first error, or until the receiver is gone.
fn read(
    mut inner: impl Read,
    position: &impl Fn() -> u64,
    blocks: &SyncSender<io::Result<Block>>,
    empty: &Receiver<Vec<u8>>,
) {
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.clear();
        let read = inner.by_ref().take(BLOCK as u64).read_to_end(&mut block);
        let is_last = read.as_ref().map_or(true, |n| *n == 0);
        // What was read before an error is parsed before it is reported.
        if read.is_err() && !block.is_empty() && blocks.send(Ok((mem::take(&mut block), position()))).is_err() {
            return;
        }
        if blocks.send(read.map(|_| (block, position()))).is_err() || is_last {
            return;
        }
    }
}

impl Read for ReadAhead {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.handed == self.block.len() {
            let Ok(block) = self.blocks.recv() else {
                // It has ended: after all bytes, after an error, or in a panic.
                if let Some(thread) = self.thread.take() {
                    thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic));
                }
                return Ok(0);
            };
            let (block, to) = block?;
            (self.from, self.to, self.handed) = (self.to, to, 0);
            // The thread may have ended, and needs no more blocks.
            let _ = self.parsed.send(mem::replace(&mut self.block, block));
        }
        let n = buf.len().min(self.block.len() - self.handed);
        buf[..n].copy_from_slice(&self.block[self.handed..][..n]);
        self.handed += n;
        self.advance();
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ahead(inner: impl Read + Send + 'static) -> ReadAhead {
        ReadAhead::of(Box::new(inner), || 0).ok().unwrap()
    }

    /// Reads some bytes, then fails or panics.
    struct Fails(usize, bool);

    impl Read for Fails {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let n = buf.len().min(self.0).min(1000);
            match (n, self.1) {
                (0, true) => panic!("no more"),
                (0, false) => Err(io::Error::other("no more")),
                _ => {
                    buf[..n].fill(7);
                    self.0 -= n;
                    Ok(n)
                }
            }
        }
    }

    #[test]
    fn all_bytes_arrive_in_their_order() {
        for n in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 11 * BLOCK + 5] {
            let bytes: Vec<u8> = (0..n).map(|at| (at % 251) as u8).collect();
            let mut read = Vec::new();
            ahead(io::Cursor::new(bytes.clone())).read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{n} bytes");
        }
    }

    /// The thread is blocks ahead, and the position is that of what was handed on.
    #[test]
    fn the_position_is_that_of_the_bytes_handed_on() {
        const N: usize = 5 * BLOCK + 1000;
        let passed = Arc::new(AtomicU64::new(0));
        let counting = passed.clone();
        let bytes = (0..N).map(move |_| Ok::<u8, io::Error>(counting.fetch_add(1, Ordering::Relaxed) as u8));
        struct Bytes<I>(I);
        impl<I: Iterator<Item = io::Result<u8>>> Read for Bytes<I> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let mut n = 0;
                for (to, byte) in buf.iter_mut().zip(&mut self.0) {
                    *to = byte?;
                    n += 1;
                }
                Ok(n)
            }
        }
        let mut reader = ReadAhead::of(Box::new(Bytes(bytes)), move || passed.load(Ordering::Relaxed)).ok().unwrap();
        let position = reader.position();
        let mut handed = 0;
        while handed < N {
            let n = 1000.min(N - handed);
            reader.read_exact(&mut vec![0; n]).unwrap();
            handed += n;
            let at = position.load(Ordering::Relaxed) as usize;
            assert!(at.abs_diff(handed) <= 1, "{at} of {handed}");
        }
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        for n in [0, 10, BLOCK + 10] {
            let mut reader = ahead(Fails(n, false));
            let mut bytes = Vec::new();
            let error = reader.read_to_end(&mut bytes).unwrap_err();
            assert_eq!((bytes.len(), error.to_string().as_str()), (n, "no more"));
        }
    }

    #[test]
    fn a_panic_is_one_of_the_thread_that_parses() {
        let read = panic::catch_unwind(|| ahead(Fails(10, true)).read_to_end(&mut Vec::new()));
        assert_eq!(read.unwrap_err().downcast_ref::<&str>(), Some(&"no more"));
    }

    #[test]
    fn a_reader_that_is_dropped_early_ends_its_thread() {
        let mut reader = ahead(io::repeat(1));
        reader.read_exact(&mut [0; 10]).unwrap();
        let thread = reader.thread.take().unwrap();
        drop(reader);
        thread.join().unwrap();
    }
}
