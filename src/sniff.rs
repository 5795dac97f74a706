//! Recognises files by their first bytes, for messages about files that are not what their names say.
//!
//! A file that was not downloaded, an HTML page in its place or an archive around it makes a parser fail with its own message. Readers
//! of user files call this after such a failure, and report both.

use std::{
    fmt,
    io::{self, Read},
    path::Path,
};

use crate::regular;

/// The number of bytes from the start of a file that [`kind_of`] reads.
pub const HEAD: usize = 4096;

/// What a file is. Displayed as a noun with its article: "it is {kind}".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Empty.
    Empty,
    /// Zero bytes only: space that was reserved and never written.
    Zeros,
    /// What a clone without git-lfs has instead of a large file.
    LfsPointer,
    /// An HTML page, usually an error or login page.
    Html,
    /// XML other than HTML, usually an error of an object store.
    Xml,
    /// A JSON object or array.
    Json,
    /// A zip archive that is none of the following.
    Zip,
    /// A zip archive, or a bare pickle, written by `torch.save`.
    Torch,
    /// An Excel workbook.
    Xlsx,
    /// A LibreOffice spreadsheet.
    Ods,
    /// A Word document.
    Docx,
    /// A file of an old Office program.
    Ole,
    /// An Office file that is encrypted, in the container of old Office files.
    Protected,
    /// gzip.
    Gzip,
    /// Zstandard.
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// 7-Zip.
    SevenZip,
    /// RAR.
    Rar,
    /// A tar archive.
    Tar,
    /// Parquet.
    Parquet,
    /// Arrow or Feather.
    Arrow,
    /// An SQLite database.
    Sqlite,
    /// A PDF.
    Pdf,
    /// PNG, JPEG or GIF.
    Image,
    /// A Python pickle that was not written by `torch.save`.
    Pickle,
    /// Weights in the safetensors format.
    Safetensors,
    /// Weights in llama.cpp's format.
    Gguf,
    /// HDF5, such as Keras weights.
    Hdf5,
    /// A NumPy array.
    Numpy,
    /// Text in UTF-16.
    Utf16,
    /// Text in UTF-32.
    Utf32,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "an empty file",
            Self::Zeros => "a file of zeros (a download that did not finish, most likely: download it again)",
            Self::LfsPointer => "a Git LFS pointer (the file itself was not downloaded: run `git lfs pull`)",
            Self::Html => "an HTML page (a login or error page, most likely, in place of the file)",
            Self::Xml => "an XML document (a server's error, most likely, in place of the file)",
            Self::Json => "JSON",
            Self::Zip => "a zip archive (unpack it first)",
            Self::Torch => "a PyTorch file (torch.save)",
            Self::Xlsx => "an Excel workbook (.xlsx)",
            Self::Ods => "an OpenDocument spreadsheet (.ods)",
            Self::Docx => "a Word document (.docx)",
            Self::Ole => "a file of an old Office program (.xls or .doc)",
            Self::Protected => "an Office file that is protected with a password",
            Self::Gzip => "a gzip file (decompress it first: `gunzip`)",
            Self::Zstd => "a zstd file (decompress it first: `unzstd`)",
            Self::Xz => "an xz file (decompress it first: `unxz`)",
            Self::Bzip2 => "a bzip2 file (decompress it first: `bunzip2`)",
            Self::SevenZip => "a 7-Zip archive (unpack it first)",
            Self::Rar => "a RAR archive (unpack it first)",
            Self::Tar => "a tar archive (unpack it first: `tar -xf`)",
            Self::Parquet => "a Parquet file",
            Self::Arrow => "an Arrow or Feather file",
            Self::Sqlite => "an SQLite database",
            Self::Pdf => "a PDF",
            Self::Image => "an image",
            Self::Pickle => "a Python pickle",
            Self::Safetensors => "a safetensors file",
            Self::Gguf => "a GGUF file (llama.cpp)",
            Self::Hdf5 => "an HDF5 file (as Keras writes weights)",
            Self::Numpy => "a NumPy array",
            Self::Utf16 => "UTF-16 text",
            Self::Utf32 => "UTF-32 text",
        })
    }
}

/// Files that begin with fixed bytes.
const MAGIC: [(&[u8], FileKind); 29] = [
    (b"version https://git-lfs.github.com/spec/", FileKind::LfsPointer),
    (b"version https://hawser.github.com/spec/", FileKind::LfsPointer),
    (b"\x1f\x8b", FileKind::Gzip),
    (b"\x28\xb5\x2f\xfd", FileKind::Zstd),
    (b"\xfd7zXZ\0", FileKind::Xz),
    (b"BZh", FileKind::Bzip2),
    (b"7z\xbc\xaf\x27\x1c", FileKind::SevenZip),
    (b"Rar!\x1a\x07", FileKind::Rar),
    (b"PAR1", FileKind::Parquet),
    (b"PARE", FileKind::Parquet),
    (b"ARROW1", FileKind::Arrow),
    (b"FEA1", FileKind::Arrow),
    (b"SQLite format 3\0", FileKind::Sqlite),
    (b"%PDF-", FileKind::Pdf),
    (b"\x89PNG\r\n\x1a\n", FileKind::Image),
    (b"\xff\xd8\xff", FileKind::Image),
    (b"GIF8", FileKind::Image),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind::Ole),
    (b"\x80\x02", FileKind::Pickle),
    (b"\x80\x03", FileKind::Pickle),
    (b"\x80\x04\x95", FileKind::Pickle),
    (b"\x80\x05\x95", FileKind::Pickle),
    (b"GGUF", FileKind::Gguf),
    (b"\x89HDF\r\n\x1a\n", FileKind::Hdf5),
    (b"\x93NUMPY", FileKind::Numpy),
    // Its byte order mark begins with that of UTF-16.
    (b"\xff\xfe\0\0", FileKind::Utf32),
    (b"\0\0\xfe\xff", FileKind::Utf32),
    (b"\xff\xfe", FileKind::Utf16),
    (b"\xfe\xff", FileKind::Utf16),
];

/// The magic number with which `torch.save` began files before version 1.6, as pickled.
const TORCH: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19";

/// What a file that begins with `bytes` is; `None` if they are not recognised, as in most text files.
///
/// [`HEAD`] bytes are enough. Text that begins with a brace or a bracket is [`FileKind::Json`], whatever follows, so call this only for
/// files that were expected to be something else.
pub fn kind_of(bytes: &[u8]) -> Option<FileKind> {
    let head = &bytes[..bytes.len().min(HEAD)];
    if head.is_empty() {
        return Some(FileKind::Empty);
    }
    if head.len() >= 16 && head.iter().all(|byte| *byte == 0) {
        return Some(FileKind::Zeros);
    }
    if head[0] == 0x80 && head[..head.len().min(32)].windows(TORCH.len()).any(|window| window == TORCH) {
        return Some(FileKind::Torch);
    }
    if let Some((_, kind)) = MAGIC.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Some(*kind);
    }
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        return Some(zip(head));
    }
    if head.get(257..262) == Some(b"ustar".as_slice()) {
        return Some(FileKind::Tar);
    }
    if let Some((length, rest)) = head.split_first_chunk::<8>()
        && (2..=100_000_000).contains(&u64::from_le_bytes(*length))
        && rest.first() == Some(&b'{')
    {
        return Some(FileKind::Safetensors);
    }
    text(head)
}

/// What the file at `path` is; `None` if its first bytes are not recognised.
///
/// # Errors
/// If it cannot be read.
pub fn kind_of_file(path: &Path) -> io::Result<Option<FileKind>> {
    let mut head = Vec::with_capacity(HEAD);
    regular::open(path)?.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(kind_of(&head))
}

/// The byte order mark of UTF-8.
pub const MARK: &[u8] = b"\xef\xbb\xbf";

/// Why a file that should be a JSON object is not, and what to do. `error` is the parser's.
pub fn not_json(bytes: &[u8], error: &serde_json::Error) -> String {
    match kind_of(bytes) {
        Some(kind) if kind != FileKind::Json => format!("it is {kind}, expected JSON"),
        _ if bytes.starts_with(MARK) => {
            "it begins with a byte order mark, which JSON must not have and transformers refuses: save it \
                                         as UTF-8 without one (`tail -c +4 FILE`)"
                .into()
        }
        _ => match word_at(bytes, error) {
            Some(word) => format!(
                "{word} in line {} is not JSON, although Python writes and reads it: replace it with null or a number",
                error.line()
            ),
            None => format!("not a JSON object: {error}"),
        },
    }
}

/// The Python number without a JSON equivalent at which the parser stopped, if any.
fn word_at(bytes: &[u8], error: &serde_json::Error) -> Option<&'static str> {
    const WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];
    if error.is_data() {
        return None;
    }
    let line = bytes.split(|byte| *byte == b'\n').nth(error.line().checked_sub(1)?)?;
    // The parser's column is at the beginning of the word or just behind its first letters.
    let starts = error.column().saturating_sub(3)..=error.column();
    starts
        .filter_map(|start| line.get(start..))
        .find_map(|rest| WORDS.into_iter().find(|word| rest.starts_with(word.as_bytes())))
}

/// What a zip archive contains, by the names in its first bytes.
fn zip(head: &[u8]) -> FileKind {
    let has = |words: &[u8]| head.windows(words.len()).any(|window| window == words);
    let name = match head.get(26..28) {
        Some(length) => head.get(30..30 + usize::from(u16::from_le_bytes([length[0], length[1]]))).unwrap_or_default(),
        None => b"",
    };
    // torch.save writes data.pkl first, in a folder named after the file; newer versions write the folder's format version first.
    if [b"/data.pkl".as_slice(), b"/.format_version", b"/byteorder", b"/version"].iter().any(|end| name.ends_with(end))
    {
        return FileKind::Torch;
    }
    match () {
        () if has(b"opendocument.spreadsheet") => FileKind::Ods,
        () if has(b"xl/") && (name.starts_with(b"[Content_Types]") || name.starts_with(b"_rels/")) => FileKind::Xlsx,
        () if name.starts_with(b"xl/") || name.starts_with(b"docProps/") && has(b"xl/") => FileKind::Xlsx,
        () if has(b"word/") && (name.starts_with(b"[Content_Types]") || name.starts_with(b"_rels/")) => FileKind::Docx,
        () if name.starts_with(b"[Content_Types]") => FileKind::Xlsx,
        () => FileKind::Zip,
    }
}

/// What a text is.
fn text(head: &[u8]) -> Option<FileKind> {
    // Latin letters in UTF-16 without a byte order mark: every other byte is zero.
    let pairs = head.as_chunks::<2>().0;
    let latin = |byte: u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if pairs.len() >= 8
        && (pairs[..8].iter().all(|[a, b]| latin(*a) && *b == 0)
            || pairs[..8].iter().all(|[a, b]| *a == 0 && latin(*b)))
    {
        return Some(FileKind::Utf16);
    }
    // The same in UTF-32: three bytes of four.
    let quads = head.as_chunks::<4>().0;
    if quads.len() >= 4
        && (quads[..4].iter().all(|[a, rest @ ..]| latin(*a) && *rest == [0; 3])
            || quads[..4].iter().all(|[rest @ .., a]| latin(*a) && *rest == [0; 3]))
    {
        return Some(FileKind::Utf32);
    }
    let head = head.strip_prefix(MARK).unwrap_or(head).trim_ascii_start();
    if head.starts_with(b"<") {
        let begins =
            |word: &str| head.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
        let is_page = |text: &[u8]| text.windows(5).any(|window| window.eq_ignore_ascii_case(b"<html"));
        return match () {
            () if ["<!doctype html", "<html", "<head", "<body", "<title"].iter().any(|word| begins(word)) => {
                Some(FileKind::Html)
            }
            () if begins("<?xml") && !is_page(head) => Some(FileKind::Xml),
            () if (begins("<?xml") || begins("<!--")) && is_page(head) => Some(FileKind::Html),
            () => None,
        };
    }
    let open = *head.first().filter(|byte| matches!(byte, b'{' | b'['))?;
    let next = head[1..].trim_ascii_start().first().copied();
    match (open, next) {
        (b'{', Some(b'"' | b'}')) => Some(FileKind::Json),
        (b'[', Some(b'"' | b'{' | b'[' | b']' | b'-' | b'0'..=b'9')) => Some(FileKind::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zip_of(name: &str, more: &str) -> Vec<u8> {
        let mut file = b"PK\x03\x04".to_vec();
        file.resize(26, 0);
        file.extend((name.len() as u16).to_le_bytes());
        file.extend([0, 0]);
        file.extend(name.as_bytes());
        file.extend(more.as_bytes());
        file
    }

    #[test]
    fn files_are_recognised_by_their_first_bytes() {
        let mut tar = vec![b'a'; 257];
        tar.extend(b"ustar\0");
        let utf32 = |text: &str| text.chars().flat_map(|c| u32::from(c).to_le_bytes()).collect::<Vec<u8>>();
        let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let safetensors = [&64u64.to_le_bytes()[..], b"{\"__metadata__\":{}}"].concat();
        let legacy = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.";
        let table: &[(&[u8], Option<FileKind>)] = &[
            (b"", Some(FileKind::Empty)),
            (&[0; 64], Some(FileKind::Zeros)),
            (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", Some(FileKind::LfsPointer)),
            (b"<!DOCTYPE html>\n<html>", Some(FileKind::Html)),
            (b"\xef\xbb\xbf\n  <HTML><body>Please log in", Some(FileKind::Html)),
            (b"<?xml version=\"1.0\"?><!DOCTYPE x><html xmlns=\"\">", Some(FileKind::Html)),
            (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied", Some(FileKind::Xml)),
            (b"{\"error\": \"Repository not found\"}", Some(FileKind::Json)),
            (b" [{\"a\": 1}]", Some(FileKind::Json)),
            (&zip_of("notes.txt", "hello"), Some(FileKind::Zip)),
            (&zip_of("archive/data.pkl", "\u{80}"), Some(FileKind::Torch)),
            (&zip_of("pytorch_model/data.pkl", ""), Some(FileKind::Torch)),
            (&zip_of("[Content_Types].xml", "…xl/workbook.xml"), Some(FileKind::Xlsx)),
            (&zip_of("[Content_Types].xml", "…word/document.xml"), Some(FileKind::Docx)),
            (&zip_of("mimetype", "application/vnd.oasis.opendocument.spreadsheet"), Some(FileKind::Ods)),
            (b"\x1f\x8b\x08\0", Some(FileKind::Gzip)),
            (b"\x28\xb5\x2f\xfd\x04", Some(FileKind::Zstd)),
            (&tar, Some(FileKind::Tar)),
            (b"PAR1\x15\x04", Some(FileKind::Parquet)),
            (b"SQLite format 3\0", Some(FileKind::Sqlite)),
            (b"%PDF-1.7", Some(FileKind::Pdf)),
            (legacy, Some(FileKind::Torch)),
            (b"\x80\x04\x95\x10", Some(FileKind::Pickle)),
            (&safetensors, Some(FileKind::Safetensors)),
            (b"\xff\xfea\0", Some(FileKind::Utf16)),
            (&utf16("label,review\n1,x"), Some(FileKind::Utf16)),
            (&utf32("\u{feff}标签,评论\n"), Some(FileKind::Utf32)),
            (&utf32("label,review"), Some(FileKind::Utf32)),
            (b"\0\0\xfe\xff\0\0\0a", Some(FileKind::Utf32)),
            (b"\0\0\0a\0\0\0b\0\0\0,\0\0\0c", Some(FileKind::Utf32)),
            // Valid text files.
            ("label,review\n1,很快\n".as_bytes(), None),
            ("[PAD]\n[UNK]\n".as_bytes(), None),
            ("{我},1\n".as_bytes(), None),
            ("<3 好吃\t1\n".as_bytes(), None),
            (b"PK,text\n", None),
            (b"\0\0", None),
        ];
        for (bytes, want) in table {
            assert_eq!(kind_of(bytes), *want, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
        }
    }

    #[test]
    fn almost_valid_json_says_what_to_change() {
        let why = |text: &str| {
            let error = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).unwrap_err();
            not_json(text.as_bytes(), &error)
        };
        assert!(why("\u{feff}{\"a\": 1}").starts_with("it begins with a byte order mark"), "{}", why("\u{feff}{}"));
        for (text, words) in [
            ("{\"a\": NaN}", "NaN in line 1 is not JSON"),
            ("{\n  \"a\": 1,\n  \"b\": -Infinity\n}", "-Infinity in line 3 is not JSON"),
            ("{\"a\": [1, Infinity]}", "Infinity in line 1 is not JSON"),
            ("{\"a\":NaN}", "NaN in line 1"),
            ("{\"a\": nan}", "not a JSON object: expected"),
            ("{\"a\": 1,}", "not a JSON object: trailing comma"),
            ("{'a': 1}", "not a JSON object: key must be a string"),
            ("[1]", "not a JSON object: invalid type"),
            ("<html>", "it is an HTML page"),
        ] {
            assert!(why(text).starts_with(words), "{text}: {}", why(text));
        }
    }

    #[test]
    fn a_kind_reads_as_a_noun_and_says_what_to_do() {
        assert_eq!(
            FileKind::LfsPointer.to_string(),
            "a Git LFS pointer (the file itself was not downloaded: run `git lfs pull`)"
        );
        assert_eq!(FileKind::Xlsx.to_string(), "an Excel workbook (.xlsx)");
    }

    #[test]
    fn a_file_is_recognised_by_its_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.csv");
        std::fs::write(&path, [b"PAR1".as_slice(), &[7; 9000]].concat()).unwrap();
        assert_eq!(kind_of_file(&path).unwrap(), Some(FileKind::Parquet));
        assert!(kind_of_file(&dir.path().join("none")).is_err());
    }
}
