//! Opening a data file: its first bytes, its packing, its encoding and its digest.

use std::{
    fs::File,
    io::{self, BufRead, Read},
    mem, panic,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::{
    DataError, encoding,
    input_fault::{InputFault, fault_of, reading},
    read_ahead::ReadAhead,
    row_limit::MAX_ROW,
    settings::{Layout, Wording},
    transcode::Transcoded,
    unpack::{Opened, Packing, Passed, opened},
};
use crate::{
    plan::TextEncoding,
    regular,
    sniff::{self, FileKind},
};

/// Bytes from which on a file is read on another thread: the rows of a smaller one take less time than starting it.
const LARGE: u64 = 1 << 18;

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

/// A file's text in UTF-8, without its byte order mark. Hashes the bytes of the file as they are read, so that the digest is that of
/// the bytes parsed.
pub(super) struct Input {
    text: Box<dyn Read + Send>,
    /// Its first bytes, for recognising files.
    first: Vec<u8>,
    /// How many of them have been handed on.
    handed: usize,
    kind: Option<FileKind>,
    packing: Option<Packing>,
    passed: Passed,
    /// How the bytes were read: what `taper plan` says.
    notes: Vec<String>,
    encoding: TextEncoding,
    /// Whether the encoding is a guess.
    guessed: Option<TextEncoding>,
    /// Whether it is that of a run's spec.
    encoding_of_run: bool,
    /// Bytes of the file; 0 if they are not known.
    size: u64,
    /// How far the bytes handed on are in the file, where another thread is ahead.
    position: Option<Arc<AtomicU64>>,
    /// The thread that reads all of it.
    rest: Option<JoinHandle<io::Result<u64>>>,
}

impl Input {
    /// Opens a file, unpacks it if it is packed, and decodes it if it is not UTF-8.
    ///
    /// # Errors
    /// Where it cannot be opened, is empty, or its encoding is not the one that was set.
    pub(super) fn open(origin: &Origin, layout: &Layout) -> Result<Self, DataError> {
        let path = origin.name();
        let mut size = 0;
        let source: Box<dyn Read + Send> = match origin {
            Origin::File(path) => {
                let file = regular::open(path).map_err(DataError::io(path))?;
                size = file.metadata().map_or(0, |metadata| metadata.len());
                Box::new(file)
            }
            Origin::StandardInput => Box::new(UntilEnd::of(io::stdin())),
            Origin::Descriptor(path) => Box::new(UntilEnd::of(File::open(path).map_err(DataError::io(path))?)),
        };
        let (Opened { mut text, mut first, mut kind, packing }, passed) = opened(source).map_err(reading(&path, 1))?;
        if kind == Some(FileKind::Empty) {
            return Err(DataError::Empty { path });
        }
        let mut notes: Vec<String> =
            packing.iter().map(|packing| format!("decompressed from {}", packing.name())).collect();
        let (mut guessed, mut encoding_of_run) = (None, false);
        let encoding = match layout.encoding {
            Some(set) => set_encoding(set, &first, &path, layout.wording)?,
            None => match kind {
                Some(FileKind::Utf16) => {
                    let (encoding, marked) = utf16(&first);
                    let by = if marked { "its byte order mark" } else { "its first bytes" };
                    notes.push(format!("read as {encoding}, as {by} show{}", if marked { "s" } else { "" }));
                    encoding
                }
                Some(FileKind::Utf32) => return Err(encoding::is_other(&path, "UTF-32", utf32(&first))),
                None if layout.of_run.encoding.is_some_and(|of_run| fits(of_run, origin, &first)) => {
                    encoding_of_run = true;
                    layout.of_run.encoding.unwrap_or(TextEncoding::UTF_8)
                }
                None if matches!(origin, Origin::File(_)) && encoding::is_gb18030(&path) => {
                    guessed = Some(TextEncoding::GB18030);
                    notes.push("read as gb18030, based on its bytes".into());
                    TextEncoding::GB18030
                }
                _ => TextEncoding::UTF_8,
            },
        };
        if encoding == TextEncoding::UTF_8 {
            let mark = if first.starts_with(sniff::MARK) { sniff::MARK.len() } else { 0 };
            first.drain(..mark);
        } else {
            let setting = layout.wording.name("encoding");
            text = Box::new(Transcoded::new(io::Cursor::new(first).chain(text), encoding, setting));
            first = decoded_head(&mut text).map_err(reading(&path, 1))?;
            kind = sniff::kind_of(&first);
        }
        let mut position = None;
        if size >= LARGE {
            let passed = passed.clone();
            text = match ReadAhead::of(text, move || passed.bytes()) {
                Ok(ahead) => {
                    position = Some(ahead.position());
                    Box::new(ahead)
                }
                Err(text) => text,
            };
        }
        Ok(Self {
            text,
            first,
            handed: 0,
            kind,
            packing,
            passed,
            notes,
            encoding,
            guessed,
            encoding_of_run,
            size,
            position,
            rest: None,
        })
    }

    /// Reads all of the file on another thread, for its digest: its parts are read by their positions.
    ///
    /// # Errors
    /// The system gives no thread.
    pub(super) fn read_beside(&mut self) -> io::Result<()> {
        let mut text = mem::replace(&mut self.text, Box::new(io::empty()));
        let read = move || io::copy(&mut text, &mut io::sink());
        self.rest = Some(thread::Builder::new().spawn(read)?);
        Ok(())
    }

    /// Waits until all of it has been read.
    ///
    /// # Errors
    /// It could not be read.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        match self.rest.take() {
            Some(thread) => thread.join().unwrap_or_else(|panic| panic::resume_unwind(panic)).map(drop),
            None => Ok(()),
        }
    }

    /// The first bytes of the text.
    pub(super) fn first(&self) -> &[u8] {
        &self.first
    }

    /// What the file is, where its first bytes say it.
    pub(super) fn kind(&self) -> Option<FileKind> {
        self.kind
    }

    /// How it is packed.
    pub(super) fn packing(&self) -> Option<Packing> {
        self.packing
    }

    /// How its bytes are read, where that is not as they are.
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Its encoding, where only the bytes speak for it.
    pub(super) fn guessed(&self) -> Option<TextEncoding> {
        self.guessed
    }

    /// The encoding of its text.
    pub(super) fn encoding(&self) -> TextEncoding {
        self.encoding
    }

    /// Whether its encoding is that of a run's spec.
    pub(super) fn has_encoding_of_run(&self) -> bool {
        self.encoding_of_run
    }

    /// Bytes of the file read so far.
    pub(super) fn bytes(&self) -> u64 {
        self.position.as_ref().map_or_else(|| self.passed.bytes(), |position| position.load(Ordering::Relaxed))
    }

    /// Share of the file read so far, from 0 to 1; 0 if its size is not known.
    pub(super) fn share(&self) -> f64 {
        if self.size == 0 { 0.0 } else { (self.bytes() as f64 / self.size as f64).min(1.0) }
    }

    /// SHA-256 of the file, in hex. Right once everything has been read.
    pub(super) fn digest(&self) -> String {
        self.passed.digest()
    }
}

impl Read for Input {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if let Some(rest) = self.first.get(self.handed..).filter(|rest| !rest.is_empty()) {
            let n = rest.len().min(buf.len());
            buf[..n].copy_from_slice(&rest[..n]);
            self.handed += n;
            return Ok(n);
        }
        self.text.read(buf)
    }
}

/// A source that ends once: a terminal goes on after Ctrl-D if it is read again, so that it would have to be pressed several times.
struct UntilEnd<R> {
    source: R,
    ended: bool,
}

impl<R> UntilEnd<R> {
    fn of(source: R) -> Self {
        Self { source, ended: false }
    }
}

impl<R: Read> Read for UntilEnd<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ended || buf.is_empty() {
            return Ok(0);
        }
        let n = self.source.read(buf)?;
        self.ended = n == 0;
        Ok(n)
    }
}

/// The first bytes of a text that is decoded, up to what cannot be: that is an error of its row, once it is read.
fn decoded_head(text: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    let mut block = vec![0; sniff::HEAD];
    while first.len() < sniff::HEAD {
        match text.read(&mut block[first.len()..]) {
            Ok(0) => break,
            Ok(n) => first.extend_from_slice(&block[first.len()..][..n]),
            Err(error) if matches!(fault_of(&error), Some(InputFault::Undecodable { .. })) => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(first)
}

/// Whether a text can have this encoding rather than UTF-8: its characters beyond ASCII are not UTF-8, or it has none and the encoding writes all
/// characters in ASCII. `first` are the first bytes: of a stream nothing else is known yet.
fn fits(encoding: TextEncoding, origin: &Origin, first: &[u8]) -> bool {
    let other = match origin {
        Origin::File(path) => encoding::is_not_utf8(path),
        Origin::StandardInput | Origin::Descriptor(_) => {
            str::from_utf8(first).is_err_and(|error| error.error_len().is_some())
        }
    };
    let in_ascii = encoding == TextEncoding::from(encoding_rs::ISO_2022_JP);
    other || in_ascii && first.is_ascii() && first.contains(&0x1B)
}

/// The encoding that was set.
///
/// # Errors
/// The file has the byte order mark of another.
fn set_encoding(set: TextEncoding, first: &[u8], path: &Path, wording: Wording) -> Result<TextEncoding, DataError> {
    let is_utf16 = [TextEncoding::UTF_16LE, TextEncoding::UTF_16BE].contains(&set);
    match encoding_rs::Encoding::for_bom(first).map(|(encoding, _)| TextEncoding::from(encoding)) {
        // `utf-16` alone does not say which byte comes first: the mark does.
        Some(marked) if is_utf16 && marked != TextEncoding::UTF_8 => Ok(marked),
        Some(marked) if marked != set => {
            let what = format!(
                "it begins with the byte order mark of {marked}, but {} says {set}; remove {0} to read it as {marked}",
                wording.name("encoding")
            );
            Err(DataError::Layout { path: path.to_owned(), what })
        }
        _ => Ok(set),
    }
}

/// The UTF-16 that begins so; whether a byte order mark says so.
fn utf16(first: &[u8]) -> (TextEncoding, bool) {
    match first {
        [0xFF, 0xFE, ..] => (TextEncoding::UTF_16LE, true),
        [0xFE, 0xFF, ..] => (TextEncoding::UTF_16BE, true),
        [0, ..] => (TextEncoding::UTF_16BE, false),
        _ => (TextEncoding::UTF_16LE, false),
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

/// Puts the next line into `buffer`, with its end; nothing at the end of the file.
pub(super) fn read_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    reader.by_ref().take(MAX_ROW + 1).read_until(b'\n', buffer)?;
    if buffer.len() as u64 > MAX_ROW { Err(InputFault::RowTooLong.into()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a terminal, which gives what is typed after each Ctrl-D.
    struct Terminal(Vec<&'static [u8]>);

    impl Read for Terminal {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let typed = self.0.remove(0);
            buf[..typed.len()].copy_from_slice(typed);
            Ok(typed.len())
        }
    }

    #[test]
    fn an_end_that_was_read_stays_one() {
        let mut input = UntilEnd::of(Terminal(vec![b"a\n", b"b\n", b"", b"c\n"]));
        let mut text = String::new();
        assert_eq!(input.read(&mut []).unwrap(), 0, "this is no end");
        input.read_to_string(&mut text).unwrap();
        input.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), input.source.0.len()), ("a\nb\n", 1), "it is not read again");
    }
}
