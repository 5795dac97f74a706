//! One row of a file, whatever its layout.

use std::sync::Arc;

use super::{DataError, Problem, missing_words::word, target_columns::TargetColumns, text_columns::TextColumns};

/// A value of any column, kept to be written beside the results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// There is none.
    Null,
    /// A text.
    Text(String),
    /// A number, a boolean, an array or an object, as JSON on one line.
    Json(String),
}

/// The values of all columns of a row with the names of the columns, in the order of the file.
pub type KeptColumns = Vec<(Arc<str>, Kept)>;

/// The cells of one row that are read, as written in the file. Empty: missing.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) text: String,
    pub(super) text_pair: String,
    /// The value of the column of the target; empty for a list, and where there are several such columns.
    pub(super) label: String,
    /// The values of several columns of the target, or the elements of a list.
    pub(super) labels: Vec<String>,
    /// Whether the target is a list.
    pub(super) is_list: bool,
    /// Whether nothing is known of the target, which is not the same as an empty list: the field is absent.
    pub(super) is_unknown: bool,
    pub(super) split: String,
    pub(super) group: String,
    /// Which words that programs write for a missing value are texts of columns.
    pub(super) missing_words: Vec<usize>,
    /// All columns, if they are kept.
    pub(super) kept: KeptColumns,
}

impl Cells {
    /// Adds what one of the columns holds to the text. Among several, one without a text adds nothing, not even a separator.
    pub(super) fn add_text(&mut self, part: &str, columns: &TextColumns) {
        if columns.names.len() == 1 {
            self.text.push_str(part);
        } else if !part.trim().is_empty() && columns.missing.iter().all(|value| value != part.trim()) {
            self.missing_words.extend(word(part));
            if !self.text.is_empty() {
                self.text.push_str(&columns.separator);
            }
            self.text.push_str(part);
        }
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.text_pair.clear();
        self.label.clear();
        match self.is_list {
            true => self.labels.clear(),
            // Columns are as many in each row: their memory is kept.
            false => self.labels.iter_mut().for_each(String::clear),
        }
        (self.is_list, self.is_unknown) = (false, false);
        self.split.clear();
        self.group.clear();
        self.missing_words.clear();
        self.kept.clear();
    }
}

/// Names of the columns wanted.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) text: TextColumns,
    /// None: targets are not read.
    pub(super) target: Option<TargetColumns>,
    /// None: there is no column of splits.
    pub(super) split: Option<String>,
    /// None: rows belong to no groups.
    pub(super) group: Option<String>,
    /// Whether each object has to have the field of the texts (of several, one of them), be it null. Where not, one without it has no
    /// text.
    pub(super) text_in_each: bool,
    /// Whether the values of all columns are kept.
    pub(super) keep: bool,
}

impl Columns {
    /// All of them, each with the key of a spec that names it.
    pub(super) fn named(&self) -> impl Iterator<Item = (&String, &'static str)> {
        let targets = self.targets().iter().map(|name| (name, self.target_key()));
        let split = self.split.iter().map(|name| (name, "split_column"));
        self.text.named().chain(targets).chain(split).chain(self.group.iter().map(|name| (name, "group_column")))
    }

    /// Those of the target.
    pub(super) fn targets(&self) -> &[String] {
        self.target.as_ref().map_or(&[], |target| &target.names)
    }

    /// The key of a spec that names those of the target.
    pub(super) fn target_key(&self) -> &'static str {
        self.target.as_ref().map_or("label_column", TargetColumns::key)
    }

    /// Whether each of them has a part of the target.
    pub(super) fn has_parts(&self) -> bool {
        self.target.as_ref().is_some_and(|target| target.each)
    }

    /// Those of texts and labels for a message.
    pub(super) fn shown(&self) -> Box<[String]> {
        let names = self.text.named().map(|(name, _)| name).chain(self.targets());
        names.map(|name| format!("`{}`", name.escape_debug())).collect()
    }
}

/// Why there is no next row.
pub(super) enum Fault {
    /// This row cannot be used; reading continues with the next.
    Row(Problem),
    /// Reading cannot continue.
    File(DataError),
}
