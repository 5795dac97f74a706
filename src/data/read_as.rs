//! How a file was read.

use serde::Serialize;

use super::{TargetColumns, TextColumns};
use crate::{
    format::and,
    plan::{Quoting, TextEncoding},
};

/// How a file was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReadAs {
    /// The name of its format.
    pub format: &'static str,
    /// The encoding of its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
    /// What separates its fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<String>,
    /// What quotes mean in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoting: Option<Quoting>,
    /// The sheet of a workbook.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet: Option<String>,
    /// The columns of the text.
    pub text_columns: Vec<String>,
    /// The column of the second text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_pair_column: Option<String>,
    /// The columns of the label or of the numbers, if they are read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub label_columns: Vec<String>,
    /// What separates the labels of a row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label_separator: Option<String>,
    /// Values that mean that there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// The keys among the first five whose value is that of the run's spec.
    pub from_run: Vec<&'static str>,
    /// What was chosen where nothing said it.
    #[serde(skip)]
    pub(super) chosen: Vec<String>,
}

impl ReadAs {
    /// With the columns that were read, and what means that a value is missing.
    pub(super) fn of(self, text: &TextColumns, target: Option<&TargetColumns>, missing: &[String]) -> Self {
        Self {
            text_columns: text.names.clone(),
            text_pair_column: text.pair.clone(),
            label_columns: target.map_or_else(Vec::new, |target| target.names.clone()),
            label_separator: target.and_then(|target| target.separator.clone()),
            missing: missing.to_vec(),
            ..self
        }
    }

    /// What its reader should know: what is read as the run's spec says, and what was chosen.
    pub fn notes(&self) -> Vec<String> {
        let value = |key: &'static str| match key {
            "format" => format!("format {}", self.format),
            "encoding" => format!("encoding {}", self.encoding.map_or(String::new(), |of| of.to_string())),
            "delimiter" => format!("delimiter `{}`", self.delimiter.as_deref().unwrap_or_default()),
            "sheet" => format!("sheet `{}`", super::escaped(self.sheet.as_deref().unwrap_or_default())),
            _ => "quoting none".to_owned(),
        };
        let mut notes = self.chosen.clone();
        if !self.from_run.is_empty() {
            let values: Vec<String> = self.from_run.iter().map(|key| value(key)).collect();
            let options: Vec<String> = self.from_run.iter().map(|key| format!("--{key}")).collect();
            notes.push(format!("read with {}, as in the run's spec (override with {})", and(&values), and(&options)));
        }
        notes
    }
}
