//! Opening a data file: its layout, byte-order mark and digest.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use sha2::{Digest, Sha256};

use super::{DataError, Format};

/// The layout that the spec says, or else that the file's ending says.
pub(super) fn format_of(path: &Path, format: Option<Format>) -> Result<Format, DataError> {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match (format, ending.as_deref()) {
        (Some(format), _) => Ok(format),
        (None, Some("csv")) => Ok(Format::Csv),
        (None, Some("tsv")) => Ok(Format::Tsv),
        (None, Some("jsonl" | "ndjson")) => Ok(Format::Jsonl),
        (None, Some("parquet")) => Ok(Format::Parquet),
        (None, _) => Err(DataError::UnknownFormat { path: path.to_owned() }),
    }
}

/// A file's bytes without its byte-order mark. Hashes what passes, so that the digest is that of the bytes parsed.
pub(super) struct Input {
    file: File,
    /// Bytes looked at for a byte-order mark and not yet handed on.
    head: Vec<u8>,
    hash: Sha256,
    /// Bytes read from the file.
    bytes: u64,
}

impl Input {
    pub(super) fn open(path: &Path) -> Result<Self, DataError> {
        let mut file = File::open(path).map_err(DataError::io(path))?;
        let mut head = Vec::new();
        file.by_ref().take(3).read_to_end(&mut head).map_err(DataError::io(path))?;
        let (hash, bytes) = (Sha256::new_with_prefix(&head), head.len() as u64);
        if head.is_empty() {
            return Err(DataError::Empty { path: path.to_owned() });
        }
        if head.starts_with(&[0xFF, 0xFE]) || head.starts_with(&[0xFE, 0xFF]) {
            let what = "the file is UTF-16, not UTF-8".to_owned();
            return Err(DataError::NotUtf8 { path: path.to_owned(), line: 1, what, from: "UTF-16" });
        }
        if head == "\u{FEFF}".as_bytes() {
            head.clear();
        }
        Ok(Self { file, head, hash, bytes })
    }

    /// Bytes read from the file so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of the file, in hex. Right once everything has been read.
    pub(super) fn digest(&self) -> String {
        self.hash.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.head.is_empty() {
            let n = self.head.len().min(buf.len());
            buf[..n].copy_from_slice(&self.head[..n]);
            self.head.drain(..n);
            return Ok(n);
        }
        let n = self.file.read(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}
