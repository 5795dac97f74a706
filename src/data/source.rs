//! Opening a data file: its first bytes, its byte-order mark and its digest.

use std::{
    fs::File,
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    DataError, encoding,
    row_limit::{MAX_ROW, RowTooLong},
};
use crate::{
    regular,
    sniff::{self, FileKind},
};

/// Where rows come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A regular file.
    File(PathBuf),
    /// The standard input.
    StandardInput,
    /// A descriptor that is open already, as shells give one for `<(COMMAND)`. It may be a pipe.
    Descriptor(PathBuf),
}

impl Origin {
    /// What a path on the command line means: `-` and `/dev/stdin` are the standard input, `/dev/fd/N` is a descriptor.
    pub fn of(path: &Path) -> Self {
        let is_descriptor = |text: &str| ["/dev/fd/", "/proc/self/fd/"].iter().any(|folder| text.starts_with(folder));
        match path.to_str() {
            Some("-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0") => Self::StandardInput,
            Some(text) if is_descriptor(text) => Self::Descriptor(path.to_owned()),
            _ => Self::File(path.to_owned()),
        }
    }

    /// What it is called in messages.
    pub(super) fn name(&self) -> PathBuf {
        match self {
            Self::File(path) | Self::Descriptor(path) => path.clone(),
            Self::StandardInput => "standard input".into(),
        }
    }
}

/// A file's bytes without its byte-order mark. Hashes what passes, so that the digest is that of the bytes parsed.
pub(super) struct Input {
    source: Box<dyn Read + Send>,
    /// The first bytes, for recognising files.
    first: Vec<u8>,
    /// How many of them have been handed on.
    passed: usize,
    kind: Option<FileKind>,
    hash: Sha256,
    /// Bytes read from the file.
    bytes: u64,
}

impl Input {
    pub(super) fn open(origin: &Origin) -> Result<Self, DataError> {
        match origin {
            Origin::File(path) => Self::new(Box::new(regular::open(path).map_err(DataError::io(path))?), path),
            Origin::StandardInput => Self::new(Box::new(io::stdin()), &origin.name()),
            Origin::Descriptor(path) => Self::new(Box::new(File::open(path).map_err(DataError::io(path))?), path),
        }
    }

    fn new(mut source: Box<dyn Read + Send>, path: &Path) -> Result<Self, DataError> {
        let mut first = Vec::new();
        source.by_ref().take(sniff::HEAD as u64).read_to_end(&mut first).map_err(DataError::io(path))?;
        let (hash, bytes) = (Sha256::new_with_prefix(&first), first.len() as u64);
        let kind = sniff::kind_of(&first);
        match kind {
            Some(FileKind::Empty) => return Err(DataError::Empty { path: path.to_owned() }),
            Some(FileKind::Utf16) => return Err(encoding::is_other(path, "UTF-16", utf16(&first))),
            Some(FileKind::Utf32) => return Err(encoding::is_other(path, "UTF-32", utf32(&first))),
            _ => {}
        }
        let passed = if first.starts_with("\u{FEFF}".as_bytes()) { 3 } else { 0 };
        Ok(Self { source, first, passed, kind, hash, bytes })
    }

    /// The first bytes, without the byte-order mark.
    pub(super) fn first(&self) -> &[u8] {
        self.first.strip_prefix("\u{FEFF}".as_bytes()).unwrap_or(&self.first)
    }

    /// What the file is, where its first bytes say it.
    pub(super) fn kind(&self) -> Option<FileKind> {
        self.kind
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
        if let Some(rest) = self.first.get(self.passed..).filter(|rest| !rest.is_empty()) {
            let n = rest.len().min(buf.len());
            buf[..n].copy_from_slice(&rest[..n]);
            self.passed += n;
            return Ok(n);
        }
        let n = self.source.read(buf)?;
        self.hash.update(&buf[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

/// What iconv calls the UTF-16 that begins so.
fn utf16(first: &[u8]) -> &'static str {
    match first {
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "UTF-16",
        [0, ..] => "UTF-16BE",
        _ => "UTF-16LE",
    }
}

/// What iconv calls the UTF-32 that begins so.
fn utf32(first: &[u8]) -> &'static str {
    match first {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => "UTF-32",
        [0, ..] => "UTF-32BE",
        _ => "UTF-32LE",
    }
}

/// For `map_err` around the reading of the row that begins on `line`.
pub(super) fn reading(path: &Path, line: u64) -> impl FnOnce(io::Error) -> DataError + '_ {
    move |error| match error.get_ref().is_some_and(|inner| inner.is::<RowTooLong>()) {
        true => DataError::RowTooLong { path: path.to_owned(), line, help: String::new() },
        false => DataError::Io { path: path.to_owned(), error },
    }
}

/// Puts the next line into `buffer`, with its end; nothing at the end of the file.
pub(super) fn read_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    reader.by_ref().take(MAX_ROW + 1).read_until(b'\n', buffer)?;
    if buffer.len() as u64 > MAX_ROW { Err(RowTooLong::error()) } else { Ok(()) }
}
