//! A Parquet file that several threads read.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use parquet::{
    errors::{ParquetError, Result},
    file::reader::{ChunkReader, Length},
};

/// A file whose parts are read by their positions. Its own readers move one position, that of the file.
#[derive(Clone)]
pub(super) struct SharedFile {
    file: Arc<Mutex<File>>,
    bytes: u64,
}

impl SharedFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        Ok(Self { file: Arc::new(Mutex::new(file)), bytes })
    }
}

/// The bytes of a file from a position on.
pub(super) struct Part {
    file: SharedFile,
    position: u64,
}

impl Read for Part {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.position))?;
        let n = file.read(buf)?;
        self.position += n as u64;
        Ok(n)
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<Part>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        Ok(BufReader::new(Part { file: self.clone(), position: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // Checked before memory is set aside for them: a damaged file may claim any number.
        if start.checked_add(length as u64).is_none_or(|end| end > self.bytes) {
            let claimed = format!("{length} bytes from byte {start} on are claimed, and the file has {}", self.bytes);
            return Err(ParquetError::EOF(claimed));
        }
        let mut bytes = Vec::with_capacity(length);
        Part { file: self.clone(), position: start }.take(length as u64).read_to_end(&mut bytes)?;
        match bytes.len() == length {
            true => Ok(bytes.into()),
            false => Err(ParquetError::EOF("the file ends early".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn parts_are_read_by_their_positions_whoever_reads_beside() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&(0..200).collect::<Vec<u8>>()).unwrap();
        let file = SharedFile::new(file).unwrap();
        let (mut a, mut b) = (file.get_read(0).unwrap(), file.get_read(100).unwrap());
        let read = |part: &mut BufReader<Part>, n| {
            let mut bytes = vec![0; n];
            part.read_exact(&mut bytes).unwrap();
            bytes
        };
        assert_eq!(read(&mut a, 3), [0, 1, 2]);
        assert_eq!(read(&mut b, 2), [100, 101]);
        assert_eq!(file.get_bytes(50, 3).unwrap()[..], [50, 51, 52]);
        assert_eq!(read(&mut a, 2), [3, 4]);
        assert_eq!(file.len(), 200);
    }

    #[test]
    fn bytes_that_the_file_has_not_are_refused_before_memory_is_set_aside() {
        let file = SharedFile::new(tempfile::tempfile().unwrap()).unwrap();
        for (start, length) in [(0, 1), (1, usize::MAX), (u64::MAX, 2)] {
            let error = file.get_bytes(start, length).unwrap_err().to_string();
            assert!(error.contains("the file has 0"), "{error}");
        }
    }
}
