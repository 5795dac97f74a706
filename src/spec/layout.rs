//! How a data file is written: its encoding, and how the fields of a CSV or TSV file are separated.

use std::{fmt, str::FromStr};

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

/// `data.quoting`: the meaning of quotes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quoting {
    /// A quoted field may contain delimiters, line breaks and doubled quotes.
    #[default]
    Minimal,
    /// Quotes are ordinary characters; each line is a row.
    None,
}

impl Quoting {
    /// Whether it is the default.
    pub fn is_minimal(&self) -> bool {
        *self == Self::Minimal
    }
}

/// `data.delimiter`: the ASCII character between fields. Written as itself; a tab as `tab`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Delimiter(u8);

impl Delimiter {
    /// The delimiter of CSV.
    pub const COMMA: Self = Self(b',');
    /// The delimiter of TSV.
    pub const TAB: Self = Self(b'\t');

    /// Valid delimiters, for messages.
    pub(super) const EXPECTS: &str = "one ASCII character that is not a letter, digit, quote or line break, or `tab`";

    /// The character.
    pub fn byte(self) -> u8 {
        self.0
    }
}

impl FromStr for Delimiter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match *text.as_bytes() {
            _ if matches!(text, "tab" | "\\t") => Ok(Self::TAB),
            [byte] if byte.is_ascii_alphanumeric() || matches!(byte, b'"' | b'\r' | b'\n' | 0) => Err(Self::EXPECTS),
            [byte] => Ok(Self(byte)),
            _ => Err(Self::EXPECTS),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::TAB => f.write_str("tab"),
            Self(byte) => write!(f, "{}", char::from(byte)),
        }
    }
}

impl From<Delimiter> for String {
    fn from(delimiter: Delimiter) -> Self {
        delimiter.to_string()
    }
}

impl TryFrom<String> for Delimiter {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|expects| format!("expected {expects}"))
    }
}

/// `data.encoding`: the encoding of a text file, by a name of the WHATWG Encoding Standard or of Python's codecs. Written in lower case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    /// UTF-8.
    pub const UTF_8: Self = Self(encoding_rs::UTF_8);
    /// GB18030, which includes GBK and GB2312.
    pub const GB18030: Self = Self(encoding_rs::GB18030);
    /// UTF-16, the low byte first.
    pub const UTF_16LE: Self = Self(encoding_rs::UTF_16LE);
    /// UTF-16, the high byte first.
    pub const UTF_16BE: Self = Self(encoding_rs::UTF_16BE);

    /// Valid encodings, for messages.
    pub(super) const EXPECTS: &str =
        "an encoding such as `utf-8`, `utf-16`, `gb18030`, `big5`, `shift_jis` or `windows-1252`";

    /// Names of Python's codecs that the standard does not have.
    const PYTHON: [(&str, &str); 10] = [
        ("utf-16-le", "utf-16le"),
        ("utf-16-be", "utf-16be"),
        ("utf-8-sig", "utf-8"),
        ("utf8-sig", "utf-8"),
        ("cp936", "gbk"),
        ("cp950", "big5"),
        ("cp932", "shift_jis"),
        ("cp949", "euc-kr"),
        ("latin-1", "windows-1252"),
        ("utf16", "utf-16"),
    ];

    /// Its tables.
    pub fn table(self) -> &'static Encoding {
        self.0
    }
}

impl From<&'static Encoding> for TextEncoding {
    fn from(encoding: &'static Encoding) -> Self {
        Self(encoding)
    }
}

impl FromStr for TextEncoding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let name = text.trim().to_lowercase();
        let dashes = name.replace('_', "-");
        let known = Self::PYTHON.iter().find(|(python, _)| *python == dashes).map_or(name.as_str(), |(_, name)| name);
        let found = [known, &dashes].into_iter().find_map(|name| Encoding::for_label_no_replacement(name.as_bytes()));
        found.filter(|found| *found != encoding_rs::X_USER_DEFINED).map(Self).ok_or(Self::EXPECTS)
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.name().to_lowercase())
    }
}

impl fmt::Debug for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextEncoding({self})")
    }
}

impl From<TextEncoding> for String {
    fn from(encoding: TextEncoding) -> Self {
        encoding.to_string()
    }
}

impl TryFrom<String> for TextEncoding {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map_err(|expects| format!("expected {expects}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delimiter_is_one_character_that_cannot_be_part_of_a_number_or_a_word() {
        for (text, want) in
            [(";", b';'), ("|", b'|'), (",", b','), (" ", b' '), ("\t", b'\t'), ("tab", b'\t'), ("\\t", b'\t')]
        {
            let delimiter: Delimiter = text.parse().unwrap();
            assert_eq!(delimiter.byte(), want, "{text:?}");
            assert_eq!(delimiter.to_string().parse(), Ok(delimiter));
        }
        for text in ["", ";;", "a", "1", "\"", "\n", "，", "\0"] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
    }
    #[test]
    fn encodings_have_the_names_of_the_standard_and_of_python() {
        for (text, want) in [
            ("UTF-8", "utf-8"),
            ("utf_8", "utf-8"),
            ("utf-8-sig", "utf-8"),
            ("utf-16", "utf-16le"),
            ("UTF_16_BE", "utf-16be"),
            ("GB18030", "gb18030"),
            ("gb2312", "gbk"),
            ("cp936", "gbk"),
            ("cp950", "big5"),
            ("SJIS", "shift_jis"),
            ("cp949", "euc-kr"),
            ("latin-1", "windows-1252"),
            ("cp1252", "windows-1252"),
        ] {
            let encoding: TextEncoding = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(encoding.to_string(), want, "{text}");
            assert_eq!(encoding.to_string().parse(), Ok(encoding));
        }
        for text in ["", "utf-32", "utf-7", "iso-2022-kr", "x-user-defined", "klingon"] {
            assert!(text.parse::<TextEncoding>().is_err(), "{text}");
        }
    }
}
