//! The columns that texts are read from, and the texts of a row.

use super::{DataConfig, Row};
use crate::plan::Probe;

/// What is written between the texts of several columns where nothing else is said.
const SEPARATOR: &str = " ";

/// The columns (or JSON fields) that hold the texts of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextColumns {
    /// Column of the text; if there are several, their texts are joined in this order. Never empty.
    pub names: Vec<String>,
    /// What is written between the texts of several columns.
    pub separator: String,
    /// Column of the second text, for a model that reads two.
    pub pair: Option<String>,
    /// Values of a column that mean that it has no text, besides empty ones.
    pub missing: Vec<String>,
}

impl TextColumns {
    /// The key of a spec that names the columns of the text.
    pub(super) fn key(&self) -> &'static str {
        if self.names.len() > 1 { "text_columns" } else { "text_column" }
    }

    /// All columns, each with the key of a spec that names it.
    pub(super) fn named(&self) -> impl Iterator<Item = (&String, &'static str)> {
        let key = self.key();
        self.names.iter().map(move |name| (name, key)).chain(self.pair.iter().map(|pair| (pair, "text_pair_column")))
    }
}

impl From<&DataConfig> for TextColumns {
    fn from(config: &DataConfig) -> Self {
        let names = match config.text_columns.is_empty() {
            true => vec![config.text_column.clone()],
            false => config.text_columns.clone(),
        };
        let separator = config.separator.clone().unwrap_or_else(|| SEPARATOR.into());
        Self { names, separator, pair: config.text_pair_column.clone(), missing: config.missing.clone() }
    }
}

impl From<&str> for TextColumns {
    fn from(name: &str) -> Self {
        Self { names: vec![name.into()], separator: SEPARATOR.into(), pair: None, missing: Vec::new() }
    }
}

/// What a model reads of a row: a text, or a text and its pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowText<'a> {
    /// The text.
    pub text: &'a str,
    /// The second text.
    pub text_pair: Option<&'a str>,
}

impl<'a> RowText<'a> {
    /// Both texts.
    pub fn texts(self) -> impl Iterator<Item = &'a str> {
        std::iter::once(self.text).chain(self.text_pair)
    }

    /// Their bytes.
    pub fn bytes(self) -> usize {
        self.texts().map(str::len).sum()
    }
}

impl<'a> From<&'a str> for RowText<'a> {
    fn from(text: &'a str) -> Self {
        Self { text, text_pair: None }
    }
}

impl<'a> From<&'a &str> for RowText<'a> {
    fn from(text: &'a &str) -> Self {
        (*text).into()
    }
}

impl<'a> From<&'a String> for RowText<'a> {
    fn from(text: &'a String) -> Self {
        text.as_str().into()
    }
}

impl<'a> From<(&'a str, &'a str)> for RowText<'a> {
    fn from((text, text_pair): (&'a str, &'a str)) -> Self {
        Self { text, text_pair: Some(text_pair) }
    }
}

impl<'a> From<&RowText<'a>> for RowText<'a> {
    fn from(text: &RowText<'a>) -> Self {
        *text
    }
}

impl<'a> From<&'a Row> for RowText<'a> {
    fn from(row: &'a Row) -> Self {
        Self { text: &row.text, text_pair: row.text_pair.as_deref() }
    }
}

impl<'a> From<&'a Probe> for RowText<'a> {
    fn from(probe: &'a Probe) -> Self {
        Self { text: &probe.text, text_pair: probe.text_pair.as_deref() }
    }
}
