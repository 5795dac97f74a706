//! Files that were packed by gzip or Zstandard, unpacked while they are read.

use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use super::input_fault::InputFault;
use crate::{
    regular,
    sniff::{self, FileKind},
};

/// Bytes that a packed file may unpack to whatever its size.
const ALWAYS: u64 = 256 << 20;

/// How many times larger than the packed file what is unpacked may be. Tables of texts are packed to a third to a twentieth; what
/// unpacks to far more is a file that was made to fill the memory.
const MOST: u64 = 500;

/// What has been read of a file.
#[derive(Clone, Default)]
pub(super) struct Passed(Arc<Mutex<(Sha256, u64)>>);

impl Passed {
    fn add(&self, bytes: &[u8]) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.update(bytes);
        state.1 += bytes.len() as u64;
    }

    /// Its bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    /// Their SHA-256, in hex.
    pub(super) fn digest(&self) -> String {
        let hash = self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Hands bytes on and notes them.
struct Noted<R> {
    inner: R,
    passed: Passed,
}

impl<R> Noted<R> {
    fn new(inner: R, passed: Passed) -> Self {
        Self { inner, passed }
    }
}

impl<R: Read> Read for Noted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.passed.add(&buf[..n]);
        Ok(n)
    }
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
}

impl Packing {
    /// That of a file which is of this kind by its first bytes.
    pub(super) fn of(kind: Option<FileKind>) -> Option<Self> {
        match kind {
            Some(FileKind::Gzip) => Some(Self::Gzip),
            Some(FileKind::Zstd) => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "Zstandard",
        }
    }

    /// The name of a file without the ending that says that it is packed.
    pub(super) fn inner_name(name: &str) -> &str {
        let packed = |ending: &str| ["gz", "zst", "zstd"].iter().any(|known| ending.eq_ignore_ascii_case(known));
        name.rsplit_once('.').filter(|(_, ending)| packed(ending)).map_or(name, |(inner, _)| inner)
    }

    /// What `reader` unpacks to. `passed` counts the packed bytes.
    pub(super) fn unpack(self, reader: impl Read + Send + 'static, passed: Passed) -> io::Result<Box<dyn Read + Send>> {
        let inner: Box<dyn Read + Send> = match self {
            Self::Gzip => Box::new(Members(Some(GzDecoder::new(BufReader::with_capacity(1 << 16, reader))))),
            Self::Zstd => Box::new(zstd::Decoder::new(reader)?),
        };
        Ok(Box::new(Unpacked { inner, packing: self, passed, bytes: 0 }))
    }
}

/// The members of a gzip file, one after the other. Zeros may follow a member, as tapes and blocks of a fixed size leave them: gzip and Python
/// skip them too.
struct Members<R: BufRead>(Option<GzDecoder<R>>);

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let n = member.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            let Some(mut rest) = self.0.take().map(GzDecoder::into_inner) else { break };
            loop {
                let bytes = rest.fill_buf()?;
                let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
                if bytes.is_empty() {
                    return Ok(0);
                }
                let is_next = zeros < bytes.len();
                rest.consume(zeros);
                if is_next {
                    break;
                }
            }
            self.0 = Some(GzDecoder::new(rest));
        }
        Ok(0)
    }
}

/// The bytes of a packed file.
struct Unpacked {
    inner: Box<dyn Read + Send>,
    packing: Packing,
    passed: Passed,
    /// Unpacked so far.
    bytes: u64,
}

impl Read for Unpacked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf).map_err(|error| match error.kind() {
            // What the decoders say of bytes that are not theirs.
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::Other => {
                InputFault::Damaged { packing: self.packing.name(), what: error.to_string() }.into()
            }
            io::ErrorKind::UnexpectedEof => InputFault::Cut { packing: self.packing.name() }.into(),
            _ => error,
        })?;
        self.bytes += n as u64;
        if self.bytes > ALWAYS && self.bytes / MOST > self.passed.bytes() {
            return Err(InputFault::Bomb { packing: self.packing.name(), most: MOST }.into());
        }
        Ok(n)
    }
}

/// A file's bytes, unpacked.
pub(super) struct Opened {
    /// What follows `first`.
    pub(super) text: Box<dyn Read + Send>,
    /// The first bytes.
    pub(super) first: Vec<u8>,
    /// What they show.
    pub(super) kind: Option<FileKind>,
    pub(super) packing: Option<Packing>,
}

/// The bytes of a file, unpacked if it is packed, and what has been read of it.
pub(super) fn opened(source: Box<dyn Read + Send>) -> io::Result<(Opened, Passed)> {
    let passed = Passed::default();
    let mut text: Box<dyn Read + Send> = Box::new(Noted::new(source, passed.clone()));
    let mut first = head(&mut text)?;
    let mut kind = sniff::kind_of(&first);
    let packing = Packing::of(kind);
    if let Some(packing) = packing {
        text = packing.unpack(io::Cursor::new(first).chain(text), passed.clone())?;
        first = head(&mut text)?;
        kind = sniff::kind_of(&first);
    }
    Ok((Opened { text, first, kind, packing }, passed))
}

/// The first bytes of what `source` reads.
fn head(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    source.take(sniff::HEAD as u64).read_to_end(&mut first)?;
    Ok(first)
}

/// The bytes of the file at `path`, unpacked.
pub(super) fn unpacked(path: &Path) -> io::Result<impl Read + Send + use<>> {
    let (Opened { text, first, .. }, _) = opened(Box::new(regular::open(path)?))?;
    Ok(io::Cursor::new(first).chain(text))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_ending_of_a_packed_file_is_that_of_the_file_in_it() {
        for (name, inner) in [("a.csv.gz", "a.csv"), ("a.CSV.GZ", "a.CSV"), ("a.tsv.zst", "a.tsv"), ("a.csv", "a.csv")]
        {
            assert_eq!(Packing::inner_name(name), inner);
        }
    }

    #[test]
    fn zeros_after_a_member_of_gzip_are_skipped() {
        let packed = |text: &str| {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            writer.write_all(text.as_bytes()).unwrap();
            writer.finish().unwrap()
        };
        let read = |bytes: Vec<u8>| {
            let mut text = String::new();
            let mut reader = Packing::Gzip.unpack(io::Cursor::new(bytes), Passed::default()).unwrap();
            reader.read_to_string(&mut text).map(|_| text).map_err(|error| error.to_string())
        };
        let zeros = || vec![0; 100_000];
        assert_eq!(read([packed("a,"), packed("b")].concat()).unwrap(), "a,b");
        assert_eq!(read([packed("a,"), packed("b"), zeros()].concat()).unwrap(), "a,b");
        assert_eq!(read([packed("a,"), zeros(), packed("b"), vec![0]].concat()).unwrap(), "a,b");
        for rest in [&b"x"[..], b"\0\0x"] {
            assert!(read([packed("a"), rest.to_vec()].concat()).is_err(), "{rest:?}");
        }
        let cut = packed("a long text");
        assert!(read(cut[..cut.len() - 1].to_vec()).is_err());
    }

    #[test]
    fn a_file_that_was_made_to_fill_the_memory_is_refused() {
        let mut packed = zstd::Encoder::new(Vec::new(), 1).unwrap();
        let zeros = vec![0; 1 << 20];
        (0..(ALWAYS >> 20) + 8).for_each(|_| packed.write_all(&zeros).unwrap());
        let passed = Passed::default();
        let packed = Noted::new(io::Cursor::new(packed.finish().unwrap()), passed.clone());
        let mut reader = Packing::Zstd.unpack(packed, passed).unwrap();
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("more than 500 times"), "{error}");
    }
}
