//! Reads a file on another thread, a little ahead of what parses it.
//!
//! Reading, hashing, unpacking and decoding take as long as parsing, so that both at once take half the time.

use std::{
    io::{self, Read},
    panic,
    sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel},
    thread::{self, JoinHandle},
};

/// Bytes that are handed over at a time.
const BLOCK: usize = 1 << 18;

/// Blocks that may wait to be parsed.
const WAITING: usize = 4;

/// The bytes of a reader, which another thread reads.
pub(super) struct ReadAhead {
    blocks: Receiver<io::Result<Vec<u8>>>,
    /// Blocks that have been parsed, to be filled again.
    parsed: Sender<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
    /// The block that is being parsed, and how much of it has been handed on.
    block: Vec<u8>,
    handed: usize,
}

impl ReadAhead {
    /// Begins to read.
    pub(super) fn new(inner: impl Read + Send + 'static) -> Self {
        let (sender, blocks) = sync_channel(WAITING);
        let (parsed, empty) = channel();
        let thread = thread::spawn(move || read(inner, &sender, &empty));
        Self { blocks, parsed, thread: Some(thread), block: Vec::new(), handed: 0 }
    }
}

/// Reads to the end, to the first error, or until no one wants more.
fn read(mut inner: impl Read, blocks: &SyncSender<io::Result<Vec<u8>>>, empty: &Receiver<Vec<u8>>) {
    loop {
        let mut block = empty.try_recv().unwrap_or_default();
        block.clear();
        let read = inner.by_ref().take(BLOCK as u64).read_to_end(&mut block);
        let is_last = read.as_ref().map_or(true, |n| *n == 0);
        // What was read before an error is parsed before it is reported.
        let before = read.is_err() && !block.is_empty();
        if before && blocks.send(Ok(block.split_off(0))).is_err()
            || blocks.send(read.map(|_| block)).is_err()
            || is_last
        {
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
            // The thread may have ended, and needs no more blocks.
            let _ = self.parsed.send(std::mem::replace(&mut self.block, block?));
            self.handed = 0;
        }
        let n = buf.len().min(self.block.len() - self.handed);
        buf[..n].copy_from_slice(&self.block[self.handed..][..n]);
        self.handed += n;
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            ReadAhead::new(io::Cursor::new(bytes.clone())).read_to_end(&mut read).unwrap();
            assert!(read == bytes, "{n} bytes");
        }
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it() {
        for n in [0, 10, BLOCK + 10] {
            let mut reader = ReadAhead::new(Fails(n, false));
            let mut bytes = Vec::new();
            let error = reader.read_to_end(&mut bytes).unwrap_err();
            assert_eq!((bytes.len(), error.to_string().as_str()), (n, "no more"));
        }
    }

    #[test]
    fn a_panic_is_one_of_the_thread_that_parses() {
        let read = panic::catch_unwind(|| ReadAhead::new(Fails(10, true)).read_to_end(&mut Vec::new()));
        assert_eq!(read.unwrap_err().downcast_ref::<&str>(), Some(&"no more"));
    }

    #[test]
    fn a_reader_that_is_dropped_early_ends_its_thread() {
        let mut reader = ReadAhead::new(io::repeat(1));
        reader.read_exact(&mut [0; 10]).unwrap();
        let thread = reader.thread.take().unwrap();
        drop(reader);
        thread.join().unwrap();
    }
}
