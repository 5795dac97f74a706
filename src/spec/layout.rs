//! How the fields of a CSV or TSV file are separated.

use std::{fmt, str::FromStr};

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
}
