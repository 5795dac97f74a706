//! What is wrong with a file that is not UTF-8, and what to do: its encoding where its bytes speak for one, the lines where most
//! of it is UTF-8.
//!
//! A file is told line by line. A whole file cannot be: UTF-8 of an even number of Chinese characters has the form of GB18030 too,
//! and to convert such a file from GB18030 destroys it.

use std::{
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};

use super::{
    DataError,
    gb18030::Gb18030,
    row_limit::MAX_ROW,
    settings::Wording,
    unpack::{Packing, unpacked},
};
use crate::{
    format::{by_number, counted},
    plan::TextEncoding,
    sniff,
    warning::{Warning, lines_of},
};

/// Whether the file at `path` is GB18030 beyond reasonable doubt: none of it is UTF-8 beyond ASCII, all of it has the form of GB18030, and the
/// detector of browsers takes its characters for Chinese.
pub(super) fn is_gb18030(path: &Path) -> bool {
    let whole = || -> io::Result<bool> {
        let Some(sample) = not_utf8_sample(unpacked(path)?)? else { return Ok(false) };
        if guess(&sample) != TextEncoding::from(encoding_rs::GBK) {
            return Ok(false);
        }
        let survey = Survey::of(BufReader::with_capacity(1 << 16, unpacked(path)?))?;
        Ok(survey.finding() == Finding::Gb18030 { mark: false, cut: false })
    };
    whole().unwrap_or(false)
}

/// Whether a file has characters beyond ASCII that are not UTF-8.
pub(super) fn is_not_utf8(path: &Path) -> bool {
    unpacked(path).and_then(not_utf8_sample).is_ok_and(|sample| sample.is_some())
}

/// Bytes of a file that is not UTF-8, from the first block of it that is not ASCII; none if it is UTF-8 as far as its first characters
/// beyond ASCII say.
fn not_utf8_sample(mut reader: impl Read) -> io::Result<Option<Vec<u8>>> {
    /// Bytes that are looked at from the first that is not ASCII.
    const SAMPLE: u64 = 1 << 18;
    let mut block = vec![0; 1 << 16];
    loop {
        let n = reader.read(&mut block)?;
        match n {
            0 => return Ok(None),
            _ if block[..n].is_ascii() => {}
            _ => {
                block.truncate(n);
                reader.take(SAMPLE).read_to_end(&mut block)?;
                // The sample may end inside a character, which in no encoding has the byte of a line break.
                if block.len() as u64 >= SAMPLE
                    && let Some(end) = memchr::memrchr(b'\n', &block)
                {
                    block.truncate(end);
                }
                let is_utf8 = str::from_utf8(&block).map_or_else(|error| error.error_len().is_none(), |_| true);
                return Ok((!is_utf8).then_some(block));
            }
        }
    }
}

/// What a browser would take bytes for that are not UTF-8.
fn guess(bytes: &[u8]) -> TextEncoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny).into()
}

/// The error of a file whose row that begins on `line` is not UTF-8: `good` bytes of its text (or of the field in `column`) are.
pub(super) fn not_utf8(path: &Path, line: u64, good: usize, column: Option<&str>, wording: Wording) -> DataError {
    let of = column.map_or("this row".into(), |name| format!("column `{name}`"));
    let what = format!("not UTF-8: the byte at offset {good} of {of} is invalid");
    let found = unpacked(path).and_then(|file| Survey::of(BufReader::with_capacity(1 << 16, file)));
    let advice = match found {
        Ok(survey) => advice(path, &survey.finding(), wording),
        // Standard input has passed, and what follows the row is not known.
        Err(_) => advice(path, &Finding::Unknown { first: Vec::new(), all: 0 }, wording),
    };
    DataError::NotUtf8 { path: path.to_owned(), line, what, advice }
}

/// The error of a file that is all in an encoding which its first bytes show, by iconv's name.
pub(super) fn is_other(path: &Path, name: &str, encoding: &'static str) -> DataError {
    let what = format!("the file is {name}, not UTF-8");
    let advice = format!("convert the file first: {}", convert(path, encoding, false));
    DataError::NotUtf8 { path: path.to_owned(), line: 1, what, advice }
}

/// What a file is.
#[derive(Debug, PartialEq)]
enum Finding {
    /// None of it is UTF-8 beyond ASCII, and its bytes speak for no encoding.
    Unknown {
        /// The first lines that are not ASCII.
        first: Vec<u64>,
        /// How many there are, where that is known.
        all: u64,
    },
    /// None of it is UTF-8 beyond ASCII, and it reads as GB18030.
    Gb18030 {
        /// It begins with the byte order mark of UTF-8 all the same.
        mark: bool,
        /// It ends inside a character.
        cut: bool,
    },
    /// It is UTF-8 and ends inside a character, on this line.
    Cut(u64),
    /// It is UTF-8 but for these lines.
    Lines {
        /// The first of them.
        first: Vec<u64>,
        /// How many there are.
        all: u64,
        /// Whether each reads as GB18030.
        gb: bool,
        /// It ends inside a character too.
        cut: bool,
    },
    /// Lines on one side of a line are UTF-8, and those on the other read as GB18030.
    Joined {
        /// The last line of the first part.
        until: u64,
        /// Whether the first part is the one in UTF-8.
        utf8_first: bool,
        /// Whether the other part is one line.
        one: bool,
        /// Whether lines end as programs count them that split files.
        countable: bool,
    },
}

/// What a line is.
#[derive(Clone, Copy, PartialEq)]
enum Line {
    Ascii,
    /// UTF-8. Letters of two bytes alone are weak evidence: two bytes of GB18030 may look like one.
    Utf8 {
        weak: bool,
    },
    /// UTF-8 with damage: most of its characters are sound.
    Damaged,
    Other {
        gb: bool,
    },
}

impl Line {
    fn of(bytes: &[u8]) -> Self {
        if bytes.is_ascii() {
            return Self::Ascii;
        }
        // Twice the number of what speaks for UTF-8: characters, and sequences of two bytes and more that were cut.
        let (mut sound, mut wrong, mut weak) = (0u64, 0u64, true);
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars().filter(|c| !c.is_ascii()) {
                let long = c.len_utf8() > 2;
                sound += if long { 2 } else { 1 };
                weak &= !long;
            }
            wrong += u64::from(!chunk.invalid().is_empty());
            sound += if chunk.invalid().len() > 1 { 2 } else { 0 };
        }
        match () {
            () if wrong == 0 => Self::Utf8 { weak },
            () if sound >= 2 * wrong => Self::Damaged,
            () => {
                let form: Gb18030 = bytes.iter().collect();
                Self::Other { gb: form.is_likely() && !form.is_cut() }
            }
        }
    }
}

/// What the lines of a file are.
#[derive(Default)]
struct Survey {
    mark: bool,
    /// Lines there are.
    lines: u64,
    /// Lines that are UTF-8 beyond doubt, damaged or not, and lines that are by weak evidence.
    utf8: u64,
    weak: u64,
    /// Lines that are not UTF-8, and the first of them.
    bad: u64,
    first: Vec<u64>,
    /// Of these, lines that are in another encoding, and lines of those that read as GB18030.
    other: u64,
    gb: u64,
    /// Parts of one kind: whether it is UTF-8, and its first line. The first few.
    parts: Vec<(bool, u64)>,
    /// The whole file.
    form: Gb18030,
    /// A line ends with a carriage return alone.
    returns: bool,
    /// The last line ends inside a character of UTF-8 and is sound up to there.
    cut: bool,
}

impl Survey {
    fn of(mut reader: impl BufRead) -> io::Result<Self> {
        const MARK: &[u8] = "\u{feff}".as_bytes();
        let mut survey = Self { mark: reader.fill_buf()?.starts_with(MARK), ..Self::default() };
        if survey.mark {
            reader.consume(MARK.len());
        }
        let mut line = Vec::new();
        // What has no line breaks is no table; its first bytes say as much of it as all of them.
        while reader.by_ref().take(MAX_ROW).read_until(b'\n', &mut line)? > 0 {
            let ends = line.ends_with(b"\n");
            let body = line.strip_suffix(b"\n").unwrap_or(&line);
            let body = body.strip_suffix(b"\r").unwrap_or(body);
            let mut parts = body.split(|byte| *byte == b'\r').peekable();
            while let Some(part) = parts.next() {
                survey.returns |= parts.peek().is_some();
                survey.take(part, !ends && parts.peek().is_none());
            }
            line.clear();
        }
        Ok(survey)
    }

    /// The next line; whether the file ends with it.
    fn take(&mut self, bytes: &[u8], last: bool) {
        self.lines += 1;
        bytes.iter().chain(if last { None } else { Some(&b'\n') }).for_each(|byte| self.form.take(*byte));
        let kind = Line::of(bytes);
        self.cut = last && str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none());
        let utf8 = match kind {
            Line::Ascii => return,
            Line::Utf8 { weak: true } => {
                self.weak += 1;
                if self.parts.last().is_none_or(|(utf8, _)| !utf8) {
                    return; // two bytes of another encoding, or not: no new part
                }
                true
            }
            Line::Utf8 { weak: false } | Line::Damaged => {
                self.utf8 += 1;
                true
            }
            Line::Other { gb } => {
                self.other += 1;
                self.gb += u64::from(gb);
                false
            }
        };
        if matches!(kind, Line::Damaged | Line::Other { .. }) {
            self.bad += 1;
            if self.first.len() < Warning::MAX_LINES {
                self.first.push(self.lines);
            }
        }
        const PARTS: usize = 3;
        if self.parts.len() < PARTS && self.parts.last().is_none_or(|(last, _)| *last != utf8) {
            self.parts.push((utf8, self.lines));
        }
    }

    fn finding(self) -> Finding {
        if self.utf8 == 0 && self.weak <= self.other {
            return match self.form.is_likely() {
                true => Finding::Gb18030 { mark: self.mark, cut: self.form.is_cut() },
                false => Finding::Unknown { first: self.first, all: self.bad },
            };
        }
        if self.cut && self.bad == 1 {
            return Finding::Cut(self.lines);
        }
        // A line with little Chinese in it may not speak for it.
        let gb = 10 * self.gb >= 9 * self.bad;
        match self.parts[..] {
            [(utf8_first, ..), (_, from)] if gb => {
                Finding::Joined { until: from - 1, utf8_first, one: self.bad == 1, countable: !self.returns }
            }
            _ => Finding::Lines { first: self.first, all: self.bad, gb, cut: self.cut },
        }
    }
}

/// What to do about it.
fn advice(path: &Path, found: &Finding, wording: Wording) -> String {
    let (file, result) = (quoted(path), format!("utf8-{}", path.file_name().unwrap_or_default().display()));
    let setting = |encoding: TextEncoding| wording.set("encoding", &encoding.to_string());
    let set = |encoding: TextEncoding| format!("set {}", setting(encoding));
    match found {
        Finding::Unknown { first, all } => {
            let lines = match all {
                0 => String::new(),
                _ => format!("only {} {} not ASCII; ", lines_of(first, *all), by_number(*all, "is", "are")),
            };
            let like = unpacked(path).and_then(not_utf8_sample).ok().flatten().map(|sample| guess(&sample));
            match like {
                // A guess from few bytes says little.
                Some(like) if *all > 1 => {
                    format!("{lines}its bytes look like {like}; if that is its encoding, {}", set(like))
                }
                _ => {
                    format!(
                        "{lines}find out its encoding and set it, for example: {}",
                        setting(encoding_rs::WINDOWS_1252.into())
                    )
                }
            }
        }
        Finding::Gb18030 { mark: true, .. } => format!(
            "the file decodes as GB18030 after a UTF-8 byte order mark; if that is its encoding, convert it first: {}",
            convert(path, "GB18030", true)
        ),
        Finding::Gb18030 { cut: true, .. } => {
            "the file decodes as GB18030, and it ends inside a character: it was truncated, so download it again or \
             remove its last line"
                .into()
        }
        Finding::Gb18030 { .. } => {
            // Two encodings of two bytes a character: each may have the form of the other.
            let sample = unpacked(path).and_then(not_utf8_sample).ok().flatten();
            // A guess from few characters says little.
            let enough = |sample: &Vec<u8>| sample.iter().filter(|byte| !byte.is_ascii()).count() >= 24;
            let like = sample.filter(enough).map(|sample| guess(&sample));
            let wide = [encoding_rs::EUC_KR, encoding_rs::EUC_JP, encoding_rs::SHIFT_JIS, encoding_rs::BIG5];
            match like.filter(|like| wide.contains(&like.table())) {
                Some(other) => format!(
                    "its bytes look like {other}, but they also decode as GB18030; set the right one, for example: {}",
                    setting(other)
                ),
                None => format!("the file decodes as GB18030; if that is its encoding, {}", set(TextEncoding::GB18030)),
            }
        }
        Finding::Cut(line) => format!(
            "the file ends inside a character, on line {line}: it was truncated, but everything before that is UTF-8; \
             create or download it again, or remove that line"
        ),
        Finding::Lines { first, all, gb, cut } => {
            let (is, these) = (by_number(*all, "is", "are"), by_number(*all, "this line", "these lines"));
            let reads = match (gb, all) {
                (true, 1) => "; it decodes as GB18030",
                (true, _) => "; they decode as GB18030",
                (false, _) => "",
            };
            let cut = if *cut { ", and the file ends inside a character: it was truncated" } else { "" };
            format!(
                "only {} {is} not UTF-8{reads}; the rest of the file is UTF-8{cut}: correct or remove {these}, and do not convert the whole \
                 file",
                lines_of(first, *all)
            )
        }
        Finding::Joined { until, utf8_first, one, countable } => {
            let next = until + 1;
            let what = match (utf8_first, one) {
                (true, true) => format!("only line {next} is not UTF-8: it decodes as GB18030"),
                (true, false) => format!(
                    "the first {} UTF-8, and the lines from {next} on decode as GB18030: two files were concatenated",
                    if *until == 1 { "line is".into() } else { format!("{} are", counted(*until, "line")) }
                ),
                (false, _) => format!(
                    "the lines up to {until} decode as GB18030, and the file is UTF-8 from line {next} on: two files were concatenated"
                ),
            };
            let iconv = " | iconv -f GB18030 -t UTF-8";
            let (before, after) = if *utf8_first { ("", iconv) } else { (iconv, "") };
            match *countable && !is_packed(path) {
                true => format!(
                    "{what}; if that is right, convert only that part: {{ head -n {until} {file}{before}; tail -n +{next} {file}{after}; }} \
                     > {result}"
                ),
                false => format!("{what}; convert only that part"),
            }
        }
    }
}

/// The command that converts a file to UTF-8; for input without a file, a filter.
fn convert(path: &Path, from: &str, mark: bool) -> String {
    if !path.is_file() {
        return format!("iconv -f {from} -t UTF-8");
    }
    if is_packed(path) {
        return "decompress it, then use iconv".into();
    }
    let name = path.file_name().unwrap_or_default().display();
    match mark {
        true => format!("tail -c +4 {} | iconv -f {from} -t UTF-8 > utf8-{name}", quoted(path)),
        false => format!("iconv -f {from} -t UTF-8 {} > utf8-{name}", quoted(path)),
    }
}

fn is_packed(path: &Path) -> bool {
    sniff::kind_of_file(path).is_ok_and(|kind| Packing::of(kind).is_some())
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encoded by Python's gb18030 codec: 味道很好,1 and 难吃,0 with a line break.
    const GB: [&[u8]; 2] = [b"\xCE\xB6\xB5\xC0\xBA\xDC\xBA\xC3,1\n", b"\xC4\xD1\xB3\xD4,0\n"];
    const UTF8: [&str; 2] = ["味道很好,1\n", "难吃,0\n"];

    fn finding(bytes: &[u8]) -> Finding {
        Survey::of(bytes).unwrap().finding()
    }

    fn rows(n: usize, of: &[&[u8]]) -> Vec<u8> {
        (0..n).flat_map(|i| of[i % of.len()].to_vec()).collect()
    }

    fn utf8(n: usize) -> Vec<u8> {
        rows(n, &UTF8.map(str::as_bytes))
    }

    /// The sample that shows the encoding ends somewhere in a larger file: in a character as well as between two.
    #[test]
    fn a_large_file_is_known_wherever_its_sample_ends() {
        for before in ["", "a", "ab", "abc"] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            let bytes = [before.as_bytes(), b"text,label\n", &rows(60_000, &GB)].concat();
            io::Write::write_all(&mut file, &bytes).unwrap();
            assert!(is_gb18030(file.path()), "{before}");
        }
    }

    #[test]
    fn a_file_of_one_encoding_is_distinguished_from_one_of_two() {
        let head = b"text,label\n".to_vec();
        let all = |parts: &[&[u8]]| parts.concat();
        assert_eq!(finding(&all(&[&head, &rows(9, &GB)])), Finding::Gb18030 { mark: false, cut: false });
        assert_eq!(finding(&all(&[&head, &rows(9, &GB), b"\xBA"])), Finding::Gb18030 { mark: false, cut: true });
        assert_eq!(
            finding(&all(&["\u{feff}".as_bytes(), &head, &rows(9, &GB)])),
            Finding::Gb18030 { mark: true, cut: false }
        );
        let joined = |until, utf8_first, one| Finding::Joined { until, utf8_first, one, countable: true };
        assert_eq!(finding(&all(&[&head, &utf8(9), GB[1]])), joined(10, true, true));
        assert_eq!(finding(&all(&[&head, &utf8(9), &head, &rows(40, &GB)])), joined(11, true, false));
        assert_eq!(finding(&all(&[&head, &utf8(40), &rows(3, &GB)])), joined(41, true, false));
        assert_eq!(finding(&all(&[&head, &rows(6, &GB), &utf8(9)])), joined(7, false, false));
        let returns = all(&[&utf8(4), GB[0]]).iter().map(|b| if *b == b'\n' { b'\r' } else { *b }).collect::<Vec<_>>();
        assert_eq!(finding(&returns), Finding::Joined { until: 4, utf8_first: true, one: true, countable: false });
        let lines = |first: &[u64], gb, cut| Finding::Lines { first: first.to_vec(), all: first.len() as u64, gb, cut };
        assert_eq!(finding(&all(&[&utf8(4), GB[0], &utf8(3), GB[1]])), lines(&[5, 9], true, false));
        assert_eq!(finding(&all(&[&utf8(4), GB[0], &utf8(3)])), lines(&[5], true, false));
        assert_eq!(finding(&all(&[&utf8(4), b"caf\xE9\n", &utf8(3)])), lines(&[5], false, false));
    }

    #[test]
    fn what_has_no_file_is_converted_by_a_filter() {
        let file = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
        assert!(convert(file.path(), "UTF-16", false).contains(&format!("UTF-8 '{}' > utf8-", file.path().display())));
        assert!(convert(file.path(), "UTF-16", true).starts_with("tail -c +4 '"));
        for name in ["standard input", "/dev/fd/63"] {
            assert_eq!(convert(Path::new(name), "UTF-16", false), "iconv -f UTF-16 -t UTF-8");
        }
    }

    #[test]
    fn damage_to_a_character_is_distinguished_from_another_encoding() {
        let lines =
            |first: &[u64], cut| Finding::Lines { first: first.to_vec(), all: first.len() as u64, gb: false, cut };
        let sound = utf8(6);
        // Each byte of the first row's Chinese lost, one after the other.
        for at in 0..12 {
            let mut bytes = sound.clone();
            bytes.remove(at);
            assert_eq!(finding(&bytes), lines(&[1], false), "byte {at}");
        }
        // The file cut inside its last character, after one byte of it and after two.
        for end in [1, 2] {
            let cut = &[&sound, "很".as_bytes()].concat()[..sound.len() + end];
            assert_eq!(finding(cut), Finding::Cut(7), "after {end}");
        }
        let both = [&sound[1..], b"\xE5\xBE"].concat();
        assert_eq!(finding(&both), lines(&[1, 7], true));
        // Letters of two bytes, one of them damaged.
        let latin = "café crème\nété\n".repeat(3);
        assert_eq!(finding(&[latin.as_bytes(), b"cr\xC3me br\xC3\xBBl\xC3\xA9e\n"].concat()), lines(&[7], false));
        assert_eq!(finding(b"a,1\ncaf\xE9,1\nb,0\n"), Finding::Unknown { first: vec![2], all: 1 });
    }
}
